"""The conformance suite of the port `RedCellClassifier`, on the shipped weights."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope import wiring
from hemascope.cells.crop import cut_square
from hemascope.core.cell import CellCrop
from hemascope.core.ports import RedCellClassifier
from hemascope.core.taxonomy import RedCellType
from hemascope.core.units import Microns


@pytest.fixture(scope="module")
def classifier() -> RedCellClassifier:
    return wiring.build_red_cell_classifier()


def disks(classifier: RedCellClassifier, diameters_um: list[float]) -> list[CellCrop]:
    """Return crops of evenly stained disks on free ground."""
    side, width = classifier.crop_size
    crops = []
    for diameter in diameters_um:
        y, x = np.mgrid[:256, :256] - 127.5
        inside = np.hypot(x, y) < diameter / width * 128
        pixels = np.where(inside[..., None], (150, 95, 110), (235, 232, 230)).astype(np.uint8)
        view = cut_square(pixels, (128, 128), 256, side)
        crops.append(CellCrop(f"d{diameter}", view, Microns(width)))
    return crops


def test_no_crops_give_no_predictions(classifier: RedCellClassifier) -> None:
    assert classifier.classify([]) == []


def test_predictions_come_in_order_and_are_probabilities(classifier: RedCellClassifier) -> None:
    crops = disks(classifier, [6 + n / 10 for n in range(19)])
    predictions = classifier.classify(crops)
    assert [p.cell_id for p in predictions] == [c.cell_id for c in crops]
    for prediction in predictions:
        assert prediction.probabilities.shape == (len(RedCellType),)
        assert prediction.probabilities.sum() == pytest.approx(1)
        assert prediction.label in RedCellType


def test_an_answer_does_not_depend_on_the_batch(classifier: RedCellClassifier) -> None:
    crops = disks(classifier, [5 + n / 5 for n in range(20)])
    together = classifier.classify(crops)
    for crop, other in zip(crops[:3], together, strict=False):
        assert classifier.classify([crop])[0].probabilities == pytest.approx(other.probabilities, abs=1e-4)


def test_a_small_disk_without_pallor_is_no_macrocyte_and_a_large_one_no_microcyte(
    classifier: RedCellClassifier,
) -> None:
    small, large = (p.probabilities for p in classifier.classify(disks(classifier, [5.5, 9.5])))
    macro, micro = (list(RedCellType).index(t) for t in (RedCellType.MACROCYTE, RedCellType.MICROCYTE))
    assert small[macro] < large[macro]
    assert large[micro] < small[micro]


def test_a_crop_of_another_size_is_refused(classifier: RedCellClassifier) -> None:
    with pytest.raises(ValueError, match="not"):
        classifier.classify([CellCrop("c", np.zeros((128, 128, 3), np.uint8), Microns(12.8))])
