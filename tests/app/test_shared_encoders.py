"""Encoders of one analysis: each built once, the same rows as alone, and no picture looked at twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hemascope import wiring
from hemascope.app.shared_encoders import SharedEncoders
from hemascope.core.cell import CellCrop
from hemascope.core.embedding import EncoderSpec
from hemascope.core.provenance import ModelIdentity
from hemascope.core.units import Microns
from hemascope.embed.looks import LOOKS
from hemascope.synth.smear import paint_field
from hemascope.zoo.shipped import CELL_CLASSIFIER, shipped_folder

IDENTITY = ModelIdentity("mean", "1", "", "numpy", "Apache-2.0")


class MeanEncoder:
    """The mean and the first pixel of a crop; counts the crops."""

    identity = IDENTITY
    spec = EncoderSpec(2, 16, 32.0, "mean", "any")
    asked = 0

    def encode(self, crops: Sequence[CellCrop]) -> NDArray[np.float32]:
        self.asked += len(crops)
        return np.array([(crop.pixels.mean(), crop.pixels[0, 0, 0]) for crop in crops], np.float32).reshape(-1, 2)


def crops_of(count: int, side: int = 16) -> list[CellCrop]:
    rng = np.random.default_rng(0)
    return [CellCrop(f"c#{k}", rng.integers(0, 256, (side, side, 3), np.uint8), Microns(32.0)) for k in range(count)]


def no_graph(folder: Path) -> None:
    raise AssertionError(f"no network is needed, but {folder} was asked for")


def test_an_encoder_is_built_once_whatever_the_spelling() -> None:
    built: list[str] = []

    def build(name: str) -> MeanEncoder:
        built.append(name)
        return MeanEncoder()

    shared = SharedEncoders(no_graph, build)  # type: ignore[arg-type]
    first = shared.named("some-encoder")
    assert shared.named("some_encoder") is first
    shared.named("some_encoder.looks")
    assert built == ["some_encoder"]


def test_looks_are_taken_once_and_the_first_is_shared() -> None:
    mean = MeanEncoder()
    shared = SharedEncoders(no_graph, lambda name: mean)  # type: ignore[arg-type]
    crops = crops_of(3)
    shared.named("mean").encode(crops)
    looked = shared.named("mean.looks").encode(crops)
    assert mean.asked == 3 * len(LOOKS)
    again = shared.named("mean.looks").encode(crops[::-1])
    assert mean.asked == 3 * len(LOOKS)
    np.testing.assert_array_equal(again, looked[::-1])
    corners = [np.mean([look(crop.pixels)[0, 0, 0] for look in LOOKS]) for crop in crops]
    np.testing.assert_allclose(looked[:, 1], corners)


@pytest.mark.slow
def test_the_classifier_answers_alike_and_lends_its_embedding() -> None:
    pixels = paint_field(3, width=512, height=128, mpp=0.25).field.pixels
    views = [np.ascontiguousarray(pixels[:, x : x + 128]) for x in range(0, 512, 128)]
    crops = [CellCrop(f"c#{k}", view, Microns(32.0)) for k, view in enumerate(views)]
    shared = wiring.shared_encoders()
    alone, together = (
        classifier.classify(crops)
        for classifier in (wiring.build_classifier("even"), wiring.build_classifier("even", shared=shared))
    )
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        assert (one.anomaly, one.abstention) == (other.anomaly, other.abstention)
    folder = shipped_folder(CELL_CLASSIFIER)
    lent = shared.named(CELL_CLASSIFIER)
    assert lent.identity == shared.graph(folder).identity
    rows = lent.encode(crops)
    assert rows.shape == (4, lent.spec.dimension)
    own = wiring.build_encoder("hemascope-s").encode(crops)
    np.testing.assert_allclose(rows, own, atol=0.01 * np.abs(own).max())
