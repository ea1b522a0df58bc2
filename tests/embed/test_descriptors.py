from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from drawn_cells import CYTOPLASM_DENSITY, NUCLEUS_DENSITY, drawn_cell
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hemascope.embed.descriptors import describe as module
from hemascope.embed.descriptors.describe import DESCRIPTORS, FAMILIES, describe
from hemascope.embed.descriptors.regions import view_cell, whitened

MPP = 0.25
NAMES = [row.name for row in DESCRIPTORS]


def described(pixels: np.ndarray, mpp: float = MPP) -> dict[str, float]:
    return dict(zip(NAMES, describe(pixels, mpp).tolist(), strict=True))


ROUND = drawn_cell()
TWO_LOBES = ((-2.6, 0.0, 1.8, 2.2), (2.6, 0.0, 1.8, 2.2), (0.0, 0.0, 2.0, 0.5))
THREE_PARTS = ((-2.8, -1.2, 1.7, 1.5), (2.8, -1.2, 1.5, 1.3), (0.0, 2.8, 1.5, 1.5))
CRESCENT_CELL = (0.0, 0.0, 6.5, 6.0)


def test_names_are_unique_and_rows_complete() -> None:
    assert len(set(NAMES)) == len(NAMES) >= 78
    assert all(row.name and row.family and row.unit and row.formula for row in DESCRIPTORS)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_measures_what_it_lists(family) -> None:
    assert set(family.measure(view_cell(ROUND, MPP))) == {row.name for row in family.DESCRIPTORS}


def test_the_digest_follows_the_list_and_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = module.list_digest()
    monkeypatch.setattr(module, "VERSION", "other")
    other_version = module.list_digest()
    monkeypatch.setattr(module, "DESCRIPTORS", (*DESCRIPTORS[:-1], dataclasses.replace(DESCRIPTORS[-1], formula="0")))
    assert len({before, other_version, module.list_digest()}) == 3


def test_a_disk_in_a_disk_has_its_known_size_and_shape() -> None:
    values = described(ROUND)
    assert values["nucleus_found"] == 1
    assert values["nucleus_area"] == pytest.approx(math.pi * 9, rel=0.06)
    assert values["cell_area"] == pytest.approx(math.pi * 36, rel=0.06)
    assert values["nucleus_to_cell_ratio"] == pytest.approx(9 / 36, rel=0.08)
    assert values["nucleus_to_cytoplasm_ratio"] == pytest.approx(9 / 27, rel=0.1)
    assert values["cell_perimeter"] == pytest.approx(2 * math.pi * 6, rel=0.05)
    assert values["cell_circularity"] > 0.95
    assert values["nucleus_eccentricity"] < 0.2
    assert values["nucleus_solidity"] > 0.95
    assert values["nucleus_lobes"] == values["nucleus_parts"] == 1
    assert values["nucleus_concavities"] == 0
    assert values["nucleus_roundness"] == pytest.approx(1, abs=0.1)
    assert values["nucleus_offset"] < 0.02
    assert values["cell_hu_1"] == pytest.approx(1 / (2 * math.pi), rel=0.01)


def test_an_ellipse_has_its_known_axes() -> None:
    values = described(drawn_cell(lobes=((0, 0, 4.0, 2.0),)))
    assert values["nucleus_major_axis"] == pytest.approx(8, rel=0.05)
    assert values["nucleus_minor_axis"] == pytest.approx(4, rel=0.08)
    assert values["nucleus_eccentricity"] == pytest.approx(math.sqrt(0.75), rel=0.03)
    assert values["nucleus_fourier_-1"] == pytest.approx(_first_order_of_ellipse(4.0, 2.0), abs=0.02)
    assert values["nucleus_fourier_+2"] < 0.02


def _first_order_of_ellipse(a: float, b: float) -> float:
    angle = np.linspace(0, 2 * np.pi, 20001)
    path = a * np.cos(angle) + 1j * b * np.sin(angle)
    length = np.concatenate([[0], np.cumsum(np.abs(np.diff(path)))])
    even = np.interp(np.arange(512) / 512 * length[-1], length, angle)
    spectrum = np.abs(np.fft.fft(a * np.cos(even) + 1j * b * np.sin(even)))
    return float(spectrum[-1] / spectrum[1])


def test_lobes_on_a_thin_bridge_are_counted() -> None:
    values = described(drawn_cell(lobes=TWO_LOBES, cell=CRESCENT_CELL))
    assert values["nucleus_parts"] == 1
    assert values["nucleus_lobes"] == 2
    assert values["nucleus_neck"] < 1
    assert values["nucleus_concavities"] == 2
    assert values["nucleus_solidity"] < 0.9


def test_separate_parts_are_counted() -> None:
    values = described(drawn_cell(lobes=THREE_PARTS, cell=CRESCENT_CELL))
    assert values["nucleus_parts"] == values["nucleus_lobes"] == 3
    assert values["nucleus_largest_part"] == pytest.approx(1 / 3, abs=0.05)
    assert values["nucleus_center_filled"] < 0.2


def test_colors_are_those_painted() -> None:
    values = described(ROUND)
    for index, channel in enumerate(("red", "green", "blue")):
        assert values[f"nucleus_{channel}"] == pytest.approx(NUCLEUS_DENSITY[index], abs=0.04)
        assert values[f"cytoplasm_{channel}"] == pytest.approx(CYTOPLASM_DENSITY[index], abs=0.04)
    # Red of a red cell is 0.05, as against 0.12 in the cytoplasm.
    assert values["cytoplasm_over_red_cells_red"] == pytest.approx(0.07, abs=0.03)


def test_pink_cytoplasm_is_told_from_blue() -> None:
    pink = described(drawn_cell(cytoplasm=(0.1, 0.35, 0.1)))
    blue = described(drawn_cell(cytoplasm=(0.2, 0.2, 0.08)))
    assert pink["cytoplasm_pink_share"] > 0.8 > 0.1 > blue["cytoplasm_pink_share"]
    assert blue["cytoplasm_basophilic_share"] > 0.8 > 0.1 > pink["cytoplasm_basophilic_share"]


def test_dark_dots_are_counted_as_granules() -> None:
    dots = tuple((4.5 * math.cos(angle), 4.5 * math.sin(angle), 0.45, 0.45) for angle in np.arange(8) * math.pi / 4)
    plain = drawn_cell()
    dotted = plain.copy()
    dark = drawn_cell(lobes=dots) < plain
    dotted[dark] = (plain[dark] * 0.6).astype(np.uint8)
    assert described(plain)["granules"] <= 2
    assert described(dotted)["granules"] == pytest.approx(8, abs=2)


def test_smooth_and_clumped_chromatin_differ_in_texture() -> None:
    grain = np.random.default_rng(1).integers(-25, 25, ROUND.shape[:2])[..., None]
    dark = ROUND[..., :1] < 120
    noisy = np.where(dark, np.clip(ROUND.astype(int) + grain, 0, 255), ROUND).astype(np.uint8)
    smooth, clumped = described(ROUND), described(noisy)
    for name in ("nucleus_wavelet_1", "nucleus_gradient", "nucleus_entropy", "nucleus_glcm_entropy"):
        assert clumped[name] > smooth[name]


TURNS = {
    "90": lambda p: np.rot90(p),
    "180": lambda p: np.rot90(p, 2),
    "mirror": lambda p: p[:, ::-1],
    "upside_down": lambda p: p[::-1],
}


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
@pytest.mark.parametrize("lobes", [((0.5, 0.3, 3.0, 2.0),), TWO_LOBES, THREE_PARTS])
def test_nothing_depends_on_how_the_cell_is_turned(turn, lobes) -> None:
    rng = np.random.default_rng(3)
    pixels = drawn_cell(lobes=lobes, cell=CRESCENT_CELL)
    pixels = np.clip(pixels + rng.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)
    straight, turned = describe(pixels, MPP), describe(np.ascontiguousarray(turn(pixels)), MPP)
    # Filling a hull rounds to one side or the other; everything else agrees to rounding.
    np.testing.assert_allclose(turned, straight, rtol=0.01, atol=2e-3)


def test_the_same_crop_gives_the_same_numbers_wherever_it_lies_in_memory() -> None:
    rng = np.random.default_rng(5)
    pixels = np.clip(drawn_cell(lobes=TWO_LOBES) + rng.normal(0, 6, (128, 128, 3)), 0, 255).astype(np.uint8)
    first = describe(pixels, MPP)
    for size in (1000, 30001, 50003):
        kept = [np.empty(size, np.uint8) for _ in range(5)]
        np.testing.assert_array_equal(describe(pixels.copy(), MPP), first)
        del kept


def test_sizes_follow_the_scale_and_shapes_do_not() -> None:
    coarse, fine = described(drawn_cell(side=128), 0.25), described(drawn_cell(side=256), 0.125)
    for row in DESCRIPTORS:
        if row.name in {"nucleus_area", "cell_area", "cytoplasm_area", "cell_perimeter", "nucleus_major_axis"}:
            assert fine[row.name] == pytest.approx(coarse[row.name], rel=0.08), row.name
        if row.name in {"cell_circularity", "nucleus_solidity", "nucleus_to_cell_ratio", "nucleus_red"}:
            assert fine[row.name] == pytest.approx(coarse[row.name], abs=0.05), row.name
    view, finer = view_cell(drawn_cell(side=128), 0.25), view_cell(drawn_cell(side=256), 0.125)
    assert finer.nucleus.sum() == pytest.approx(4 * view.nucleus.sum(), rel=0.06)


@pytest.mark.parametrize("level", [0, 40, 128, 240, 255])
def test_an_even_crop_gives_finite_numbers_and_no_nucleus(level: int) -> None:
    values = described(np.full((128, 128, 3), level, np.uint8))
    assert np.isfinite(list(values.values())).all()
    assert values["nucleus_found"] == 0


@settings(max_examples=12, deadline=None)
@given(arrays(np.uint8, (48, 48, 3)), st.floats(0.05, 1.0))
def test_any_pixels_give_finite_numbers(pixels: np.ndarray, mpp: float) -> None:
    assert np.isfinite(describe(pixels, mpp)).all()


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_noise_gives_finite_numbers(seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    assert np.isfinite(describe(pixels, MPP)).all()


def test_black_paint_around_a_cell_becomes_white() -> None:
    away = np.hypot(*(np.indices((128, 128)) - 63.5)) * MPP
    cut_out = np.where((away > 6.2)[..., None], 0, ROUND).astype(np.uint8)
    white = whitened(cut_out)
    assert (white[away > 6.4] == 255).all()
    assert (white[away < 5.5] == ROUND[away < 5.5]).all()
    alone, painted = described(drawn_cell(red_cells=())), described(cut_out)
    assert painted["nucleus_area"] == pytest.approx(alone["nucleus_area"], rel=0.05)
    assert painted["cell_area"] == pytest.approx(alone["cell_area"], rel=0.08)


def test_dark_pixels_inside_a_cell_are_not_taken_for_paint() -> None:
    pixels = ROUND.copy()
    pixels[60:68, 60:68] = 0
    assert (whitened(pixels) == pixels).all()
