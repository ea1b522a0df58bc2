"""Encoders by graph: transforms, batches, what is refused, and the specification from a card."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from hemascope.core.cell import CellCrop
from hemascope.core.embedding import EncoderSpec
from hemascope.core.errors import WeightsError
from hemascope.core.optics import absorption, transmittance
from hemascope.core.provenance import ModelIdentity
from hemascope.core.units import Microns
from hemascope.embed.graph_encoder import BATCH, GraphEncoder, read_encoder_spec
from hemascope.embed.transforms import network_batch, resize_crop

SPEC = EncoderSpec(3, 8, None, "imagenet", "Romanowsky")
CARD = {"dimension": 3, "crop_px": 8, "crop_um": 25.0, "transform": "absorption", "stain": "Romanowsky"}


@dataclass
class ChannelMeans:
    """A graph whose embedding is the mean of each channel, and which remembers the batches it ran."""

    batches: list[int] = field(default_factory=list)
    spoil: float = 0.0

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity("means", "1", "", "numpy-cpu-fp32", "Apache-2.0")

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        self.batches.append(len(batch))
        return (batch.mean(axis=(2, 3)) + np.float32(self.spoil),)


def crops(count: int, side: int = 8, seed: int = 0) -> list[CellCrop]:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, side, side, 3)).astype(np.uint8)
    return [CellCrop(f"field#{i}", p, Microns(25.0)) for i, p in enumerate(pixels)]


def test_rows_follow_the_crops_in_batches_of_at_most_sixteen() -> None:
    graph, given = ChannelMeans(), crops(2 * BATCH + 3)
    values = GraphEncoder(graph, SPEC).encode(given)
    assert graph.batches == [BATCH, BATCH, 3]
    assert values.dtype == np.float32
    mean, std = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))
    expected = [(crop.pixels.mean(axis=(0, 1)) / 255 - mean) / std for crop in given]
    np.testing.assert_allclose(values, expected, atol=1e-5)


def test_no_crops_give_no_rows() -> None:
    assert GraphEncoder(ChannelMeans(), SPEC).encode([]).shape == (0, 3)


def test_absorption_is_what_the_classifier_sees() -> None:
    [crop] = crops(1)
    [batch] = network_batch([crop], 8, "absorption")
    np.testing.assert_array_equal(batch.transpose(1, 2, 0), absorption(transmittance(crop.pixels)))


@pytest.mark.parametrize("transform", ["imagenet", "absorption"])
def test_a_transform_gives_contiguous_float32(transform: str) -> None:
    batch = network_batch(crops(2), 8, transform)
    assert batch.shape == (2, 3, 8, 8)
    assert batch.dtype == np.float32
    assert batch.flags["C_CONTIGUOUS"]


def test_a_crop_of_another_size_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="field#0"):
        GraphEncoder(ChannelMeans(), SPEC).encode(crops(1, side=9))


def test_an_unknown_transform_is_refused() -> None:
    with pytest.raises(ValueError, match="absorption"):
        GraphEncoder(ChannelMeans(), EncoderSpec(3, 8, None, "sepia", "Romanowsky"))
    with pytest.raises(ValueError, match="sepia"):
        network_batch([], 8, "sepia")


def test_a_graph_of_another_length_is_refused() -> None:
    with pytest.raises(WeightsError, match="its card says"):
        GraphEncoder(ChannelMeans(), EncoderSpec(4, 8, None, "imagenet", "Romanowsky")).encode(crops(1))


@pytest.mark.parametrize("spoil", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(spoil: float) -> None:
    with pytest.raises(WeightsError, match="not finite"):
        GraphEncoder(ChannelMeans(spoil=spoil), SPEC).encode(crops(1))


def test_a_card_gives_the_specification_with_the_precision_of_its_backend() -> None:
    spec = read_encoder_spec(CARD | {"more": 1}, "openvino-cpu-bf16")
    assert spec == EncoderSpec(3, 8, 25.0, "absorption", "Romanowsky", "bf16")
    assert read_encoder_spec(CARD | {"crop_um": None}, "onnxruntime-cpu-fp32").crop_um is None


@pytest.mark.parametrize(
    "change", [{"dimension": "wide"}, {"dimension": 0}, {"crop_px": None}, {"transform": "sepia"}, {"crop_um": "x"}]
)
def test_a_card_that_describes_no_encoder_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(WeightsError, match="describes no encoder"):
        read_encoder_spec(CARD | change, "onnxruntime-cpu-fp32")


@pytest.mark.parametrize("name", list(CARD))
def test_a_card_that_lacks_a_value_is_refused(name: str) -> None:
    with pytest.raises(WeightsError, match=name):
        read_encoder_spec({key: value for key, value in CARD.items() if key != name}, "onnxruntime-cpu-fp32")


def test_resizing_keeps_the_view_and_averages_when_it_shrinks() -> None:
    [crop] = crops(1, side=64)
    small = resize_crop(crop, 8)
    assert small.pixels.shape == (8, 8, 3)
    assert (small.cell_id, small.width) == (crop.cell_id, crop.width)
    assert small.pixels.std() < crop.pixels.std() / 3
    assert resize_crop(crop, 64) is crop


def test_resizing_leaves_an_even_color_alone() -> None:
    even = CellCrop("a", np.full((30, 30, 3), 131, np.uint8), Microns(25.0))
    assert (resize_crop(even, 224).pixels == 131).all()
