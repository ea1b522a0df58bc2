import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.cells.star_decode import decode, polygon_areas, unit_rays
from hemascope.core.geometry import Box
from hemascope.core.taxonomy import CellKind
from hemascope.train.labeled_fields import unknown_places
from hemascope.train.outlines import outline_from_box, outlines_from_mask, outlines_from_points
from hemascope.train.star_targets import Shape, draw_targets, star_radii

RAYS = 32


def ellipse(center: tuple[float, float], a: float, b: float) -> np.ndarray:
    angles = np.arange(200) * 2 * np.pi / 200
    return (np.stack([a * np.cos(angles), b * np.sin(angles)], axis=1) + center).astype(np.float32)


def no_tissue(size: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((2, size // 2, size // 2), np.float32), np.ones((2, size // 2, size // 2), np.float32)


def nothing_unknown(size: int) -> np.ndarray:
    return np.zeros((3, size // 2, size // 2), bool)


@given(st.floats(4, 40), st.floats(4, 40))
def test_radii_of_an_ellipse_are_those_of_its_equation(a: float, b: float) -> None:
    rays = unit_rays(RAYS)
    expected = 1 / np.sqrt((rays[:, 0] / a) ** 2 + (rays[:, 1] / b) ** 2)
    assert star_radii(ellipse((50, 50), a, b), (50, 50), RAYS) == pytest.approx(expected, rel=0.03)


@given(st.floats(20, 76), st.floats(20, 76), st.floats(6, 18), st.floats(0.7, 1), st.integers(0, 2))
def test_what_is_drawn_is_what_is_decoded(x: float, y: float, a: float, ratio: float, kind: int) -> None:
    shape = Shape(ellipse((x, y), a, a * ratio), kind)
    targets = draw_targets([shape], 96, nothing_unknown(96), RAYS, no_tissue(96))
    found = decode(targets.heat, targets.radii, 2, np.full(3, 0.99, np.float32))
    assert found.kinds.tolist() == [kind]
    assert found.boxes[0] == pytest.approx((x - a, y - a * ratio, x + a, y + a * ratio), abs=1.2)


def test_a_platelet_on_a_red_cell_keeps_its_own_center() -> None:
    red, platelet = Shape(ellipse((48, 48), 18, 18), 1), Shape(ellipse((54, 48), 5, 5), 2)
    targets = draw_targets([platelet, red], 96, nothing_unknown(96), RAYS, no_tissue(96))
    found = decode(targets.heat, targets.radii, 2, np.full(3, 0.99, np.float32))
    assert sorted(found.kinds.tolist()) == [1, 2]
    small = found.points[found.kinds.tolist().index(2)]
    assert np.ptp(small[:, 0]) == pytest.approx(10, abs=1)


def test_a_cell_mostly_outside_is_neither_taught_nor_punished() -> None:
    targets = draw_targets([Shape(ellipse((-14, 48), 18, 18), 1)], 96, nothing_unknown(96), RAYS, no_tissue(96))
    assert targets.heat.max() < 1
    assert (targets.heat_weight[:, 20:28, 0] == 0).all()


def test_unknown_places_weigh_nothing_but_labeled_centers_do() -> None:
    unknown = np.ones((3, 48, 48), bool)
    targets = draw_targets([Shape(ellipse((48, 48), 10, 10), 1)], 96, unknown, RAYS, no_tissue(96))
    assert targets.heat_weight[1].max() == 1
    assert targets.heat_weight[0].max() == 0
    assert targets.heat_weight[1, 2, 2] == 0


def test_a_guessed_outline_teaches_a_center_and_no_radii() -> None:
    guess = Shape(ellipse((48, 48), 12, 12), 1, is_outlined=False)
    targets = draw_targets([guess], 96, nothing_unknown(96), RAYS, no_tissue(96))
    assert targets.heat[1].max() == 1
    assert targets.radii_weight.max() == 0


def test_a_cell_alone_is_outlined_from_its_point_and_cells_in_contact_are_not() -> None:
    stained = np.zeros((120, 200), bool)
    ys, xs = np.mgrid[:120, :200] + 0.5
    for x, y in ((40, 40), (120, 60), (146, 60)):
        stained |= (xs - x) ** 2 + (ys - y) ** 2 <= 15**2
    stained &= ~((xs - 40) ** 2 + (ys - 40) ** 2 <= 4**2)
    (alone, is_known), *touching = outlines_from_points([(41, 38), (118, 60), (150, 61)], stained)
    assert is_known
    assert polygon_areas(alone) == pytest.approx(np.pi * 15**2, rel=0.08)
    assert alone.mean(axis=0) == pytest.approx((40, 40), abs=0.7)
    assert [known for _, known in touching] == [False, False]
    assert touching[1][0].mean(axis=0) == pytest.approx((150, 61), abs=0.1)


def test_masks_become_outlines_at_the_working_scale() -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[20:60, 30:80] = 155
    mask[30:40, 40:50] = 255
    (outline,) = outlines_from_mask(mask, 0.5)
    assert polygon_areas(outline) == pytest.approx(40 * 50 / 4, rel=0.08)


def test_an_outline_from_a_box_follows_an_oval_that_lies_across_it() -> None:
    stained = np.zeros((120, 120), bool)
    ys, xs = np.mgrid[:120, :120] + 0.5
    u, v = (xs - 60 + ys - 60) / np.sqrt(2), (xs - 60 - (ys - 60)) / np.sqrt(2)
    stained[(u / 40) ** 2 + (v / 28) ** 2 <= 1] = True
    rows, columns = np.nonzero(stained)
    box = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    outline = outline_from_box(box, stained)
    assert polygon_areas(outline) == pytest.approx(stained.sum(), rel=0.06)


def test_an_outline_without_any_stain_shrinks_no_further_than_it_may() -> None:
    outline = outline_from_box(Box(10, 10, 50, 50), np.zeros((60, 60), bool))
    assert polygon_areas(outline) == pytest.approx(np.pi * (20 * 0.75) ** 2, rel=0.05)


def test_unlabeled_stain_is_unknown_only_for_kinds_not_labeled_completely() -> None:
    stained = np.zeros((40, 40), bool)
    stained[5:15, 5:15] = stained[25:35, 25:35] = True
    shapes = [Shape(ellipse((10, 10), 5, 5), 1)]
    unknown = unknown_places(shapes, stained, frozenset({CellKind.WHITE_CELL, CellKind.PLATELET}))
    assert unknown[1, 30, 30]
    assert not unknown[1, 10, 10]
    assert not unknown[1, 0, 39]
    assert not unknown[[0, 2]].any()


def test_a_kind_without_any_label_is_unknown_everywhere_else() -> None:
    unknown = unknown_places([Shape(ellipse((10, 10), 5, 5), 0)], np.zeros((40, 40), bool), frozenset())
    assert unknown[2, 30, 30]
    assert not unknown[2, 10, 10]
