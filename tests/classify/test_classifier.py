"""The conformance suite of the port `CellClassifier`, on the shipped weights."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope import wiring
from hemascope.core.cell import CellCrop
from hemascope.core.ports import CellClassifier
from hemascope.core.taxonomy import CellType
from hemascope.core.units import Microns


@pytest.fixture(scope="module")
def classifier() -> CellClassifier:
    return wiring.build_classifier("even")


def noise_crops(classifier: CellClassifier, count: int) -> list[CellCrop]:
    side, width = classifier.crop_size
    rng = np.random.default_rng(0)
    return [
        CellCrop(f"c{i}", rng.integers(0, 255, (side, side, 3)).astype(np.uint8), Microns(width)) for i in range(count)
    ]


def test_no_crops_give_no_predictions(classifier: CellClassifier) -> None:
    assert classifier.classify([]) == []


def test_predictions_come_in_order_and_are_probabilities(classifier: CellClassifier) -> None:
    crops = noise_crops(classifier, 19)
    predictions = classifier.classify(crops)
    assert [p.cell_id for p in predictions] == [c.cell_id for c in crops]
    for prediction in predictions:
        assert prediction.probabilities.shape == (len(CellType),)
        assert prediction.probabilities.sum() == pytest.approx(1)
        assert prediction.anomaly >= 0


def test_an_answer_does_not_depend_on_the_batch(classifier: CellClassifier) -> None:
    crops = noise_crops(classifier, 20)
    together = classifier.classify(crops)
    alone = [classifier.classify([crop])[0] for crop in crops[:3]]
    for one, other in zip(alone, together, strict=False):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)


def test_noise_is_left_unidentified(classifier: CellClassifier) -> None:
    assert all(p.label == "unidentified" for p in classifier.classify(noise_crops(classifier, 6)))


def test_a_crop_of_another_size_is_refused(classifier: CellClassifier) -> None:
    crop = CellCrop("c", np.zeros((64, 64, 3), np.uint8), Microns(36.0))
    with pytest.raises(ValueError, match="not"):
        classifier.classify([crop])


def test_the_prior_moves_the_answer_the_way_it_says(classifier: CellClassifier) -> None:
    crops = noise_crops(classifier, 8)
    index = list(CellType).index(CellType.NEUTROPHIL)
    for even, adult in zip(
        classifier.classify(crops), wiring.build_classifier("adult_blood").classify(crops), strict=True
    ):
        assert adult.probabilities[index] >= even.probabilities[index]
