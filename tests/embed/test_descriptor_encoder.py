from __future__ import annotations

import numpy as np
import pytest
from drawn_cells import crop_of, drawn_cell

from hemascope.core.embedding import encoder_digest
from hemascope.core.ports import Encoder
from hemascope.embed.descriptor_encoder import DescriptorEncoder
from hemascope.embed.descriptors.describe import DESCRIPTORS

ENCODER = DescriptorEncoder()


def test_it_is_an_encoder_that_says_what_it_is() -> None:
    encoder: Encoder = ENCODER
    assert encoder.spec.dimension == len(DESCRIPTORS)
    assert encoder.spec.transform == "descriptors"
    assert len(encoder.identity.sha256) == 64
    assert len(encoder_digest(encoder.identity, encoder.spec)) == 64


def test_one_row_a_crop_in_order_whatever_else_is_there() -> None:
    crops = [crop_of(drawn_cell()), crop_of(drawn_cell(lobes=((0, 0, 2, 2),))), crop_of(np.full((128, 128, 3), 9))]
    crops[2] = crop_of(np.full((128, 128, 3), 200, np.uint8))
    together = ENCODER.encode(crops)
    assert together.shape == (3, len(DESCRIPTORS))
    assert together.dtype == np.float32
    assert np.isfinite(together).all()
    np.testing.assert_array_equal(together[1:2], ENCODER.encode(crops[1:2]))


def test_no_crops_give_no_rows() -> None:
    assert ENCODER.encode([]).shape == (0, len(DESCRIPTORS))


def test_a_crop_of_another_side_is_refused() -> None:
    with pytest.raises(ValueError, match=r"f#1.*\(64, 64, 3\)"):
        ENCODER.encode([crop_of(drawn_cell(side=64))])


def test_the_width_that_a_crop_states_sets_the_scale() -> None:
    index = [row.name for row in DESCRIPTORS].index("nucleus_area")
    usual, wide = ENCODER.encode([crop_of(drawn_cell(), 32.0), crop_of(drawn_cell(), 33.0)])[:, index]
    assert wide / usual == pytest.approx((33 / 32) ** 2, rel=0.03)
