"""The network of patients from pictures of cells: shapes, shares, and answers that do not hang on the bag."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="needs the extra 'train'")

import torch

from hemascope.nets.cell_evidence import CellEvidence
from hemascope.nets.small_cell_encoder import NumberEncoder, SmallCellEncoder


def net_of(encoder: object, top: int = 2) -> CellEvidence:
    torch.manual_seed(0)
    return CellEvidence(encoder, attention_width=4, top=top, dropout=0.0).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("side", [8, 50])
def test_pictures_of_any_side_become_vectors_of_one_length(side: int) -> None:
    encoder = SmallCellEncoder(2).eval()
    assert encoder(torch.randn(3, 1, side, side)).shape == (3, encoder.length) == (3, 16)


def test_shares_sum_to_one_in_each_bag_and_top_is_the_mean_of_the_greatest() -> None:
    told = net_of(NumberEncoder(5, 6))(torch.randn(7, 5), torch.tensor([0, 3, 7]))
    assert told.attended.shape == told.top.shape == (2,)
    assert told.attention[:3].sum().item() == pytest.approx(1, abs=1e-6)
    assert told.attention[3:].sum().item() == pytest.approx(1, abs=1e-6)
    assert told.top[1].item() == pytest.approx(told.evidence[3:].sort().values[-2:].mean().item(), abs=1e-6)


def test_a_bag_smaller_than_top_answers_by_all_its_cells() -> None:
    told = net_of(NumberEncoder(5, 6), top=9)(torch.randn(3, 5), torch.tensor([0, 3]))
    assert told.top.item() == pytest.approx(told.evidence.mean().item(), abs=1e-6)


def test_evidence_of_a_cell_does_not_hang_on_its_bag_and_order_does_not_matter() -> None:
    net, cells = net_of(SmallCellEncoder(2)), torch.randn(6, 1, 12, 12)
    whole, alone = net(cells, torch.tensor([0, 6])), net(cells[:2], torch.tensor([0, 2]))
    torch.testing.assert_close(whole.evidence[:2], alone.evidence)
    turned = net(cells.flip(0), torch.tensor([0, 6]))
    torch.testing.assert_close(turned.attended, whole.attended)
    torch.testing.assert_close(turned.attention.flip(0), whole.attention)
