"""Rows are computed once, and are those that the encoder or network gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from drawn_cells import crop_of, drawn_cell
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hemascope.core.cell import CellCrop
from hemascope.core.provenance import ModelIdentity
from hemascope.core.units import Microns
from hemascope.embed.descriptor_encoder import DescriptorEncoder
from hemascope.embed.memory import OutputOf, RememberingEncoder, RememberingGraph, RowMemory
from hemascope.evaluate.encoder_conformance import check_encoder


class CountingEncoder(DescriptorEncoder):
    """Counts the crops that it describes."""

    asked = 0

    def encode(self, crops: Sequence[CellCrop]) -> NDArray[np.float32]:
        self.asked += len(crops)
        return super().encode(crops)


class SumGraph:
    """Gives the sum and the first number of each row, and counts the rows."""

    identity = ModelIdentity("sum", "1", "", "numpy", "Apache-2.0")
    asked = 0

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        self.asked += len(batch)
        return batch.sum(axis=(2, 3)), batch[:, 0, 0, 0]


CROPS = [crop_of(drawn_cell(lobes=((float(k), 0, 2, 2),))) for k in range(4)]


def test_a_crop_is_described_once() -> None:
    counting = CountingEncoder()
    encoder = RememberingEncoder(counting)
    first = encoder.encode(CROPS[:3])
    again = encoder.encode([CROPS[2], CROPS[3], CROPS[0], CROPS[2]])
    assert counting.asked == 4
    np.testing.assert_array_equal(first, DescriptorEncoder().encode(CROPS[:3]))
    np.testing.assert_array_equal(again, DescriptorEncoder().encode([CROPS[2], CROPS[3], CROPS[0], CROPS[2]]))


def test_the_picture_and_its_width_count_and_not_the_name() -> None:
    counting = CountingEncoder()
    encoder = RememberingEncoder(counting)
    one = CROPS[0]
    encoder.encode([one, CellCrop("another name", one.pixels, one.width)])
    wider = CellCrop(one.cell_id, one.pixels, Microns(40.0))
    rows = encoder.encode([one, wider])
    changed = CellCrop(one.cell_id, np.where(one.pixels > 200, 0, one.pixels).astype(np.uint8), one.width)
    assert not np.array_equal(encoder.encode([changed])[0], rows[0])
    assert not np.array_equal(rows[0], rows[1])


def test_a_row_cannot_be_spoiled_by_who_got_it() -> None:
    encoder = RememberingEncoder(DescriptorEncoder())
    encoder.encode(CROPS[:1])[:] = 0
    np.testing.assert_array_equal(encoder.encode(CROPS[:1]), DescriptorEncoder().encode(CROPS[:1]))


def test_it_conforms_as_the_encoder_does() -> None:
    assert check_encoder(RememberingEncoder(DescriptorEncoder())) == ()


def test_no_crops_and_wrong_crops_are_answered_as_by_the_encoder() -> None:
    encoder = RememberingEncoder(DescriptorEncoder())
    assert encoder.encode([]).shape == DescriptorEncoder().encode([]).shape
    with pytest.raises(ValueError, match=r"\(64, 64, 3\)"):
        encoder.encode([CROPS[0], crop_of(drawn_cell(side=64))])
    assert encoder.identity == DescriptorEncoder().identity
    assert encoder.spec == DescriptorEncoder().spec


def test_a_network_runs_once_on_an_input() -> None:
    graph, rng = SumGraph(), np.random.default_rng(0)
    batch = rng.normal(size=(5, 3, 2, 2)).astype(np.float32)
    remembering = RememberingGraph(graph)
    remembering.run(batch[:3])
    order = [4, 1, 0, 3]
    for got, wanted in zip(remembering.run(batch[order]), SumGraph().run(batch[order]), strict=True):
        np.testing.assert_array_equal(got, wanted)
        assert got.dtype == wanted.dtype
    assert graph.asked == 5
    assert remembering.run(batch[:0])[0].shape == (0, 3)
    [first] = OutputOf(remembering, 1).run(batch)
    np.testing.assert_array_equal(first, batch[:, 0, 0, 0])
    assert graph.asked == 5


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=8), max_size=8), st.integers(1, 6))
def test_whatever_is_asked_in_whatever_order_rows_are_right(batches: list[list[int]], room: int) -> None:
    memory = RowMemory(room)
    for batch in batches:
        rows = memory.recall(
            [bytes([number]) for number in batch], lambda places, b=batch: [(np.float32([b[p]]),) for p in places]
        )
        assert [int(row[0][0]) for row in rows] == batch


def test_the_oldest_rows_go_first() -> None:
    memory, computed = RowMemory(2), []

    def ask(*keys: bytes) -> None:
        def compute(places: Sequence[int]) -> list[tuple[NDArray[np.float32]]]:
            computed.append([keys[place] for place in places])
            return [(np.zeros(1, np.float32),) for _ in places]

        memory.recall(keys, compute)

    for keys in ((b"a", b"b"), (b"c",), (b"b", b"c"), (b"a",)):
        ask(*keys)
    assert computed == [[b"a", b"b"], [b"c"], [b"a"]]
