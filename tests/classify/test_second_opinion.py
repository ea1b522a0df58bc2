"""A second opinion on cells: fitted on painted crops, packed, read back, and added to a network's logits."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from hemascope.classify.decide import Thresholds
from hemascope.classify.network import ClassifierSpec, NetworkClassifier
from hemascope.classify.second_opinion import distance, read_second_opinion, told
from hemascope.core.cell import CellCrop
from hemascope.core.errors import WeightsError
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.core.units import Microns
from hemascope.embed.descriptor_encoder import DescriptorEncoder
from hemascope.train.crop_batches import LabeledCrops
from hemascope.train.second_opinion import FittedOpinion, fit_second_opinion
from hemascope.zoo.plain_tensors import tensors_from_bytes

TYPES = len(CellType)


def painted(name: str, each: int, seed: int) -> LabeledCrops:
    """Return disks of a size and color for each type."""
    rng = np.random.default_rng(seed)
    images, labels = [], []
    for index in range(TYPES):
        for _ in range(each):
            pixels = np.full((128, 128, 3), 250, np.uint8)
            cv2.circle(pixels, (64, 64), 14 + 5 * index, (150 - 10 * index, 60 + 15 * index, 170), -1)
            cv2.circle(pixels, (64, 64), 10 + 2 * index, (80, 40, 120), -1)
            images.append(np.clip(pixels + rng.normal(0, 3, pixels.shape), 0, 255).astype(np.uint8))
            labels.append(index)
    return LabeledCrops(name, np.stack(images), np.array(labels, np.int64))


@pytest.fixture(scope="module")
def validation() -> LabeledCrops:
    return painted("a", 3, 1)


@pytest.fixture(scope="module")
def fitted(validation: LabeledCrops) -> FittedOpinion:
    train = painted("a", 8, 0)
    silent = np.zeros((len(validation.labels), TYPES), np.float32)
    return fit_second_opinion([train], np.ones(len(train.labels)), [validation], [silent], 32.0)


def test_where_the_network_knows_nothing_the_second_opinion_is_heard(
    fitted: FittedOpinion, validation: LabeledCrops
) -> None:
    assert fitted.opinion.share > 0
    assert (fitted.joined[0].argmax(axis=1) == validation.labels).mean() > 0.9


def test_where_the_network_knows_everything_it_is_not_needed(validation: LabeledCrops) -> None:
    train = painted("a", 4, 2)
    train = LabeledCrops("a", train.images, np.random.default_rng(0).permutation(train.labels))
    sure = np.eye(TYPES, dtype=np.float32)[validation.labels] * 30
    assert fit_second_opinion([train], np.ones(len(train.labels)), [validation], [sure], 32.0).opinion.share == 0


def test_it_is_not_heard_about_cells_of_another_stain(fitted: FittedOpinion, validation: LabeledCrops) -> None:
    foreign = np.ascontiguousarray(255 - (255 - validation.images[..., ::-1]) // 2)
    crops = [CellCrop(str(i), pixels, Microns(32.0)) for i, pixels in enumerate(foreign)]
    logits = np.random.default_rng(0).normal(0, 1, (len(crops), TYPES)).astype(np.float32)
    assert fitted.opinion.joined(logits, crops, 1.0) == pytest.approx(logits)


class Silent:
    """A graph that knows nothing."""

    identity = ModelIdentity("silent", "0", "", "none", "")

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        n = len(batch)
        return np.zeros((n, TYPES), np.float32), np.zeros((n, 2), np.float32), np.zeros(n, np.float32)


def test_it_is_read_back_and_its_logits_are_added(fitted: FittedOpinion, validation: LabeledCrops) -> None:
    opinion = read_second_opinion(fitted.spec(), tensors_from_bytes(fitted.tensors(), "x"), DescriptorEncoder())
    crops = [CellCrop(str(i), pixels, Microns(32.0)) for i, pixels in enumerate(validation.images)]
    silent = np.zeros((len(crops), TYPES), np.float32)
    joined = opinion.joined(silent, crops, 2.0)
    assert joined == pytest.approx(fitted.opinion.joined(silent, crops, 2.0))
    even = dict.fromkeys(CellType, 1 / TYPES)
    spec = ClassifierSpec(128, 32.0, 2.0, even, 1.0)
    alone = NetworkClassifier(Silent(), spec, even, Thresholds(0.0, 1.0)).classify(crops[:2])
    heard = NetworkClassifier(Silent(), spec, even, Thresholds(0.0, 1.0), opinion).classify(crops[:2])
    assert alone[0].probabilities == pytest.approx(np.full(TYPES, 1 / TYPES))
    expected = np.exp(joined[0] / 2)
    assert heard[0].probabilities == pytest.approx(expected / expected.sum())


def test_what_is_at_a_center_is_near(fitted: FittedOpinion) -> None:
    ours = fitted.opinion
    back = ours.centers.astype(np.float64) @ np.linalg.inv(ours.whitening.astype(np.float64)) * ours.scale
    assert distance(back, ours.scale, ours.whitening, ours.centers) == pytest.approx(np.zeros(TYPES), abs=0.05)


def test_no_descriptor_leads_beyond_what_was_seen() -> None:
    weights, low, high = np.ones((1, 2)) * [1, -1], np.array([-1.0]), np.array([1.0])
    near = told(np.array([[1.0]], np.float32), weights, np.zeros(2), (low, high))
    far = told(np.array([[1e6]], np.float32), weights, np.zeros(2), (low, high))
    assert far == pytest.approx(near)


def test_other_descriptors_or_shapes_are_refused(fitted: FittedOpinion) -> None:
    tensors = tensors_from_bytes(fitted.tensors(), "x")
    with pytest.raises(WeightsError, match="other descriptors"):
        read_second_opinion(fitted.spec() | {"encoder": "another"}, tensors, DescriptorEncoder())
    with pytest.raises(WeightsError, match="low is missing"):
        read_second_opinion(fitted.spec(), {**tensors, "low": np.zeros(3, np.float32)}, DescriptorEncoder())


def test_it_says_nothing_of_no_crops(fitted: FittedOpinion) -> None:
    assert fitted.opinion.joined(np.empty((0, TYPES), np.float32), [], 1.0).shape == (0, TYPES)
