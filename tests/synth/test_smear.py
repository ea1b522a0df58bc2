from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import shapely  # type: ignore[import-untyped]
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hemascope.core.errors import InputError, ScaleError
from hemascope.core.geometry import Polygon
from hemascope.core.taxonomy import NUCLEATED_TYPES, CellKind, CellType
from hemascope.core.units import ScaleSource
from hemascope.synth.smear import HardCase, SmearStyle, SyntheticField, paint_field

SMALL: dict[str, Any] = {"width": 320, "height": 240, "mpp": 0.2}
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without shrinking: a painted field is too slow to look for a smaller one."""

few = settings(max_examples=10, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def all_types() -> SyntheticField:
    return paint_field(3, width=800, height=600, white_cells=dict.fromkeys(NUCLEATED_TYPES, 1))


def filled(polygon: Polygon, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels whose center lies inside, drawn by another program than the generator's own."""
    area = shapely.make_valid(shapely.Polygon(polygon.points.astype(float)))
    shapely.prepare(area)
    inside = np.zeros(shape, bool)
    x0, y0, x1, y1 = (int(v) for v in (*np.floor(polygon.points.min(axis=0)), *np.ceil(polygon.points.max(axis=0))))
    x, y = np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5)
    inside[y0:y1, x0:x1] = shapely.contains_xy(area, x, y)
    return inside


def iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    return float((first & second).sum() / max((first | second).sum(), 1))


def same(first: SyntheticField, second: SyntheticField) -> bool:
    return (
        first.field.pixels.tobytes() == second.field.pixels.tobytes()
        and first.instances.tobytes() == second.instances.tobytes()
        and first.nucleus.tobytes() == second.nucleus.tobytes()
        and first.cells == second.cells
    )


def test_same_seed_gives_the_same_bytes() -> None:
    style = SmearStyle.sample(np.random.default_rng(5))
    assert same(paint_field(7, style=style, **SMALL), paint_field(7, style=style, **SMALL))


def test_another_seed_gives_another_field() -> None:
    assert not same(paint_field(7, **SMALL), paint_field(8, **SMALL))


def test_style_does_not_move_cells() -> None:
    sharp = paint_field(7, **SMALL)
    dim = paint_field(7, style=SmearStyle(exposure=0.5, noise=4.0, vignetting=0.2), **SMALL)
    assert [cell.outline for cell in sharp.cells] == [cell.outline for cell in dim.cells]
    assert dim.field.pixels.mean() < 0.7 * sharp.field.pixels.mean()


def test_a_sampled_style_repeats_with_its_generator() -> None:
    first, second = (SmearStyle.sample(np.random.default_rng(11)) for _ in range(2))
    assert first == second
    assert first != SmearStyle.sample(np.random.default_rng(12))


def test_scale_is_stated() -> None:
    scale = paint_field(1, **SMALL).field.scale
    assert scale is not None
    assert (scale.mpp, scale.source) == (0.2, ScaleSource.STATED)


def test_counts_are_exact(all_types: SyntheticField) -> None:
    types = [cell.cell_type for cell in all_types.of_kind(CellKind.WHITE_CELL)]
    assert sorted(t for t in types if t) == sorted(NUCLEATED_TYPES)
    assert all(cell.cell_type is None for cell in all_types.cells if cell.kind is not CellKind.WHITE_CELL)


@pytest.mark.parametrize("cell_type", NUCLEATED_TYPES)
def test_every_type_has_a_nucleus_inside_its_cell(all_types: SyntheticField, cell_type: CellType) -> None:
    shape = all_types.instances.shape
    cell = next(cell for cell in all_types.cells if cell.cell_type is cell_type)
    assert cell.nuclei
    body = filled(cell.outline, shape)
    for part in cell.nuclei:
        nucleus = filled(part, shape)
        assert (nucleus & ~body).sum() <= 0.01 * nucleus.sum()
    nuclei = np.any([filled(part, shape) for part in cell.nuclei], axis=0)
    assert 0.1 < nuclei.sum() / body.sum() < 0.95
    assert iou(nuclei, all_types.nucleus & body) > 0.95


def test_nuclei_are_the_darkest_part_of_a_cell(all_types: SyntheticField) -> None:
    green = all_types.field.pixels[..., 1].astype(float)
    for cell in all_types.of_kind(CellKind.WHITE_CELL):
        body = filled(cell.outline, all_types.instances.shape)
        nucleus = body & all_types.nucleus
        assert green[nucleus].mean() < green[body & ~all_types.nucleus].mean() - 20


def test_eosinophil_granules_are_red_and_monocyte_cytoplasm_is_blue(all_types: SyntheticField) -> None:
    def cytoplasm(cell_type: CellType) -> NDArray[np.float64]:
        number = next(i for i, cell in enumerate(all_types.cells, 1) if cell.cell_type is cell_type)
        colors = all_types.field.pixels[(all_types.instances == number) & ~all_types.nucleus]
        return np.asarray(colors.mean(axis=0), np.float64)

    red, _, blue = cytoplasm(CellType.EOSINOPHIL)
    assert red > blue + 40
    red, _, blue = cytoplasm(CellType.MONOCYTE)
    assert blue > red


def test_cells_differ_from_the_background() -> None:
    painted = paint_field(2, style=SmearStyle(overlap=0.0, clumps=0.0), **SMALL)
    pixels = painted.field.pixels.astype(float)
    background = pixels[painted.instances == 0].mean(axis=0)
    assert np.abs(background - SmearStyle().stain.background).max() < 6
    for number in range(1, len(painted.cells) + 1):
        inside = painted.instances == number
        if inside.sum() > 200:
            assert pixels[inside][:, 1].mean() < background[1] - 12


def test_overlaps_are_darker_as_light_is_absorbed_twice() -> None:
    style = SmearStyle(pallor=0.0, overlap=1.0, coverage=0.5, noise=0.0, film=0.0, platelets=0.0)
    painted = paint_field(4, style=style, width=320, height=240, mpp=0.2, white_cells={})
    layers = np.sum([filled(cell.outline, painted.instances.shape) for cell in painted.cells], axis=0)
    green = painted.field.pixels[..., 1].astype(float)
    once, twice = green[layers == 1].mean(), green[layers == 2].mean()
    # Beer-Lambert: the density of two layers is twice that of one, edges aside.
    glass = SmearStyle().stain.background[1]
    assert np.log(glass / twice) == pytest.approx(2 * np.log(glass / once), rel=0.2)


@few
@given(
    seed=st.integers(0, 2**40),
    mpp=st.floats(0.05, 0.6),
    width=st.integers(1, 200),
    height=st.integers(1, 160),
    wild=st.booleans(),
)
def test_truth_agrees_with_itself(seed: int, mpp: float, width: int, height: int, wild: bool) -> None:
    style = SmearStyle.sample(np.random.default_rng(seed)) if wild else SmearStyle()
    painted = paint_field(seed, width=width, height=height, mpp=mpp, style=style)
    assert painted.field.pixels.shape == (height, width, 3)
    assert painted.instances.dtype == np.int32
    assert painted.instances.shape == painted.nucleus.shape == (height, width)
    assert painted.instances.max(initial=0) <= len(painted.cells)
    topmost = np.zeros((height, width), np.int32)
    for number, cell in enumerate(painted.cells, 1):
        box = cell.outline.bounds
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height
        assert 0 <= cell.visible <= 1
        assert (cell.cell_type is not None) == (cell.kind is CellKind.WHITE_CELL)
        topmost[filled(cell.outline, (height, width))] = number
    # Only pixels on outlines may differ: the outlines are polygons, the maps follow the curves themselves.
    perimeter = sum(cell.outline.perimeter for cell in painted.cells)
    assert (topmost != painted.instances).sum() <= 0.1 * perimeter + 6


@few
@given(seed=st.integers(0, 10**6), mpp=st.floats(0.06, 0.5))
def test_instances_match_outlines(seed: int, mpp: float) -> None:
    style = SmearStyle(overlap=0.0, clumps=0.0, platelets=0.0)
    side = round(25 / mpp)
    painted = paint_field(seed, width=side, height=side, mpp=mpp, style=style, white_cells={})
    for number, cell in enumerate(painted.cells, 1):
        if cell.visible > 0.99:
            assert iou(filled(cell.outline, (side, side)), painted.instances == number) > 0.97


@pytest.mark.parametrize("mpp", [0.08, 0.2, 0.5])
def test_red_cells_measure_seven_and_a_half_micrometers_at_any_scale(mpp: float) -> None:
    side = round(64 / mpp)
    style = SmearStyle(overlap=0.0, clumps=0.0, platelets=0.0)
    painted = paint_field(9, width=side, height=side, mpp=mpp, style=style, white_cells={})
    counts = np.bincount(painted.instances.ravel(), minlength=len(painted.cells) + 1)[1:]
    whole = [k for k, cell in enumerate(painted.cells) if cell.visible > 0.98]
    assert len(whole) > 8
    from_pixels = 2 * np.sqrt(counts[whole] / np.pi) * mpp
    from_outlines = [2 * np.sqrt(painted.cells[k].outline.area / np.pi) * mpp for k in whole]
    assert np.median(from_pixels) == pytest.approx(7.5, abs=0.3)
    assert from_pixels == pytest.approx(from_outlines, rel=0.06)


def test_a_cell_cut_by_the_edge_is_visible_in_part() -> None:
    painted = paint_field(1, case=HardCase.WHITE_CELL_AT_BORDER, **SMALL)
    (cell,) = painted.of_kind(CellKind.WHITE_CELL)
    box = cell.outline.bounds
    assert box.x0 == 0 or box.y0 == 0 or box.x1 == 320 or box.y1 == 240
    assert 0.4 < cell.visible < 0.95


@pytest.mark.parametrize("seed", range(4))
def test_touching_white_cells_touch(seed: int) -> None:
    painted = paint_field(seed, case=HardCase.TOUCHING_WHITE_CELLS, **SMALL)
    first, second = (filled(c.outline, (240, 320)) for c in painted.of_kind(CellKind.WHITE_CELL))
    grown = cv2.dilate(first.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    assert (grown & second).any()
    assert iou(first, second) < 0.1


def test_a_platelet_lies_on_a_red_cell() -> None:
    painted = paint_field(6, case=HardCase.PLATELET_ON_RED_CELL, style=SmearStyle(platelets=0.0), **SMALL)
    (platelet,) = painted.of_kind(CellKind.PLATELET)
    on = filled(platelet.outline, (240, 320))
    assert any(not (on & ~filled(red.outline, on.shape)).any() for red in painted.of_kind(CellKind.RED_CELL))
    assert platelet.visible > 0.9


def test_a_platelet_gets_a_red_cell_even_where_there_is_none() -> None:
    painted = paint_field(6, case=HardCase.PLATELET_ON_RED_CELL, style=SmearStyle(coverage=0.0), **SMALL)
    assert len(painted.of_kind(CellKind.RED_CELL)) == 1


def test_no_cells_at_all() -> None:
    painted = paint_field(1, case=HardCase.NO_CELLS, **SMALL)
    assert painted.cells == ()
    assert not painted.instances.any()
    assert not painted.nucleus.any()
    assert painted.field.pixels.std(axis=(0, 1)).max() < 5


def test_only_red_cells() -> None:
    painted = paint_field(1, case=HardCase.ONLY_RED_CELLS, **SMALL)
    assert {cell.kind for cell in painted.cells} == {CellKind.RED_CELL}


def test_black() -> None:
    painted = paint_field(1, case=HardCase.BLACK, **SMALL)
    assert painted.field.pixels.max() < 10
    assert painted.cells == ()


def test_overexposed() -> None:
    assert (paint_field(1, case=HardCase.OVEREXPOSED, **SMALL).field.pixels == 255).mean() > 0.5


def sharpness(painted: SyntheticField) -> float:
    return float(cv2.Laplacian(painted.field.pixels[..., 1], cv2.CV_64F).var())


def test_defocused_loses_detail_and_keeps_its_truth() -> None:
    style = SmearStyle(noise=0.0)
    sharp = paint_field(1, style=style, **SMALL)
    soft = paint_field(1, style=style, case=HardCase.DEFOCUSED, **SMALL)
    assert sharpness(soft) < 0.2 * sharpness(sharp)
    assert soft.cells == sharp.cells


def test_crowded_holds_more_cells() -> None:
    assert len(paint_field(1, case=HardCase.CROWDED, **SMALL).cells) > 1.2 * len(paint_field(1, **SMALL).cells)


def test_scale_bar_is_burnt_in_to_scale() -> None:
    painted = paint_field(1, case=HardCase.SCALE_BAR, **SMALL)
    black = (painted.field.pixels == 0).all(axis=2)
    assert black.sum(axis=1).max() == 20 / 0.2


def test_a_large_field_has_many_cells() -> None:
    painted = paint_field(1, width=900, height=700, mpp=0.25, style=SmearStyle(coverage=0.3))
    assert len(painted.cells) > 120


def test_a_coarse_field_can_be_painted() -> None:
    painted = paint_field(1, width=60, height=50, mpp=2.0)
    assert len(painted.cells) > 20


def test_a_very_fine_field_can_be_painted() -> None:
    painted = paint_field(1, width=200, height=150, mpp=0.01, white_cells={CellType.MONOCYTE: 1})
    assert painted.field.pixels.shape == (150, 200, 3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seed": -1}, "seed of -1"),
        ({"seed": 0, "width": 0}, "field of 0 x 480"),
        ({"seed": 0, "width": 10**6, "height": 10**6}, "1000000 x 1000000"),
        ({"seed": 0, "white_cells": {CellType.NEUTROPHIL: -2}}, "-2 of 'neutrophil'"),
        ({"seed": 0, "white_cells": {CellType.PLATELET: 1}}, "1 of 'platelet'"),
    ],
)
def test_what_cannot_be_painted_is_refused(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        paint_field(**arguments)  # type: ignore[arg-type]


def test_an_implausible_scale_is_refused() -> None:
    with pytest.raises(ScaleError, match="outside"):
        paint_field(0, mpp=264.0)
