"""Every named case holds what its name says, and its truth is exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely  # type: ignore[import-untyped]

from hemascope.core.geometry import Polygon
from hemascope.core.taxonomy import CellKind, CellType
from hemascope.synth.artifacts import ArtifactKind
from hemascope.synth.smear import LEARNABLE_CASES, HardCase, SmearStyle, SyntheticField, paint_field

FIELD: dict[str, Any] = {"width": 320, "height": 240, "mpp": 0.2}
TINTS = {
    HardCase.GREEN_TINT: (0.52, 0.95, 0.56),
    HardCase.MAGENTA_TINT: (0.95, 0.50, 0.90),
    HardCase.YELLOW_TINT: (1.0, 0.97, 0.54),
}


def shape(polygon: Polygon) -> Any:
    return shapely.make_valid(shapely.Polygon(polygon.points.astype(float)))


def background(painted: SyntheticField) -> np.ndarray:
    return np.asarray(painted.field.pixels[painted.instances == 0], np.float64)


@pytest.mark.parametrize("case", HardCase)
def test_a_case_repeats_and_its_truth_agrees_with_itself(case: HardCase) -> None:
    first, second = (paint_field(5, case=case, **FIELD) for _ in range(2))
    assert first.field.pixels.tobytes() == second.field.pixels.tobytes()
    assert first.cells == second.cells
    assert first.artifacts == second.artifacts
    assert first.instances.max() <= len(first.cells)
    for outline in (thing.outline for things in (first.cells, first.artifacts) for thing in things):
        box = outline.bounds
        assert min(box.x0, box.y0) >= 0
        assert box.x1 <= 320
        assert box.y1 <= 240


@pytest.mark.parametrize("case", HardCase)
@pytest.mark.parametrize("size", [(3, 1), (1, 3), (1, 1)])
def test_a_case_can_be_painted_on_three_pixels(case: HardCase, size: tuple[int, int]) -> None:
    painted = paint_field(0, case=case, width=size[0], height=size[1])
    assert painted.field.pixels.shape == (size[1], size[0], 3)


def test_cases_to_learn_from_are_named() -> None:
    assert set(HardCase) - set(LEARNABLE_CASES) == {HardCase.DEFOCUSED, HardCase.OVEREXPOSED, HardCase.INVERTED}


@pytest.mark.parametrize("seed", range(3))
def test_two_lymphocytes_touch(seed: int) -> None:
    painted = paint_field(seed, case=HardCase.TOUCHING_LYMPHOCYTES, **FIELD)
    first, second = painted.of_kind(CellKind.WHITE_CELL)
    assert first.cell_type is second.cell_type is CellType.LYMPHOCYTE
    assert shape(first.outline).distance(shape(second.outline)) * 0.2 < 0.3


@pytest.mark.parametrize("seed", range(3))
def test_a_smudge_lies_free_beside_a_lymphocyte(seed: int) -> None:
    painted = paint_field(seed, case=HardCase.SMUDGE_CELL, **FIELD)
    (smudge,) = painted.artifacts
    assert smudge.kind is ArtifactKind.SMUDGE
    assert 8 < smudge.outline.bounds.width * 0.2 < 30
    whole = shape(smudge.outline)
    (lymphocyte,) = painted.of_kind(CellKind.WHITE_CELL)
    assert lymphocyte.cell_type is CellType.LYMPHOCYTE
    assert whole.intersection(shape(lymphocyte.outline)).area < 0.1 * whole.area


@pytest.mark.parametrize("seed", range(3))
def test_a_giant_platelet_is_as_large_as_a_red_cell(seed: int) -> None:
    style = SmearStyle(platelets=0.0)
    painted = paint_field(seed, case=HardCase.GIANT_PLATELET, style=style, **FIELD)
    (platelet,) = painted.of_kind(CellKind.PLATELET)
    assert 7.4 < 2 * np.sqrt(platelet.outline.area / np.pi) * 0.2 < 9.6
    assert platelet.visible > 0.95


def test_precipitate_lies_within_its_outlines() -> None:
    style = SmearStyle(coverage=0.0, platelets=0.0, noise=0.0, film=0.0)
    painted = paint_field(2, case=HardCase.PRECIPITATE, style=style, white_cells={}, **FIELD)
    assert {artifact.kind for artifact in painted.artifacts} == {ArtifactKind.PRECIPITATE}
    assert len(painted.artifacts) == 5
    assert painted.cells == ()
    dark = np.argwhere(painted.field.pixels[..., 1] < 0.8 * painted.field.pixels[..., 1].max()) + 0.5
    within = shapely.union_all([shape(artifact.outline) for artifact in painted.artifacts]).buffer(2)
    assert len(dark) > 100
    assert shapely.contains_xy(within, dark[:, 1], dark[:, 0]).all()


def test_rouleaux_lie_over_each_other() -> None:
    painted = paint_field(1, case=HardCase.ROULEAUX, width=640, height=480)
    cells = [shape(cell.outline) for cell in painted.of_kind(CellKind.RED_CELL)]
    tree = shapely.STRtree(cells)
    pairs = tree.query(cells, predicate="intersects").T
    covered = {a for a, b in pairs if a != b and cells[a].intersection(cells[b]).area > 0.25 * cells[a].area}
    assert len(covered) > 0.5 * len(cells)


@pytest.mark.parametrize("case", TINTS)
def test_a_tint_colors_the_glass_and_moves_no_cell(case: HardCase) -> None:
    style = SmearStyle(noise=0.0, film=0.0)
    plain, tinted = paint_field(1, style=style, **FIELD), paint_field(1, style=style, case=case, **FIELD)
    glass = np.median(background(tinted), axis=0)
    assert glass / 254 == pytest.approx(TINTS[case], abs=0.02)
    assert plain.cells == tinted.cells


def test_upside_down_light_is_darkest_in_the_middle() -> None:
    style = SmearStyle(coverage=0.0, platelets=0.0, noise=0.0)
    painted = paint_field(1, case=HardCase.UPSIDE_DOWN_LIGHT, style=style, white_cells={}, **FIELD)
    green = painted.field.pixels[..., 1].astype(float)
    corners = [green[y, x].mean() for y in (slice(20), slice(-20, None)) for x in (slice(20), slice(-20, None))]
    assert np.mean(corners) > 1.4 * green[100:140, 140:180].mean()
    assert max(corners) > 1.1 * min(corners)


def test_inverted_is_the_negative() -> None:
    plain, negative = paint_field(1, **FIELD), paint_field(1, case=HardCase.INVERTED, **FIELD)
    assert (plain.field.pixels.astype(int) + negative.field.pixels == 255).all()
    assert plain.cells == negative.cells


def test_what_was_painted_before_keeps_its_bytes() -> None:
    plain = paint_field(4, style=SmearStyle.sample(np.random.default_rng(2)), **FIELD)
    again = paint_field(4, style=plain.style, case=None, **FIELD)
    assert plain.field.sha256 == again.field.sha256
    kinds = {artifact.kind for artifact in paint_field(4, style=SmearStyle(debris=20.0), **FIELD).artifacts}
    assert kinds == {ArtifactKind.DUST}
