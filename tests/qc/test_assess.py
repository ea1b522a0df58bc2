from __future__ import annotations

import csv
import os
import re
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fields import BACKGROUND, blurred, dimmed, field, jpeg, noisy, smear, with_bar, with_frame
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from hemascope.core.cell import Cell
from hemascope.core.geometry import Box, Polygon
from hemascope.core.smear import Field, QcStatus, QcVerdict
from hemascope.core.taxonomy import CellKind
from hemascope.qc.assess import QcThresholds, assess
from hemascope.sources.raster import RasterReader

SMEAR = smear()
EMPTY = noisy(np.full((480, 640, 3), BACKGROUND, np.uint8), 2.0)


def codes(verdict: QcVerdict) -> dict[str, QcStatus]:
    return {reason.code: reason.status for reason in verdict.reasons}


def judged(pixels: NDArray[np.uint8], mpp: float | None = 0.1) -> dict[str, QcStatus]:
    return codes(assess(field(pixels, mpp)))


@pytest.mark.parametrize("mpp", [0.1, None])
@pytest.mark.parametrize("noise", [0.0, 8.0])
def test_a_good_field_passes(mpp: float | None, noise: float) -> None:
    verdict = assess(field(noisy(SMEAR, noise), mpp))
    assert verdict.reasons == ()
    assert verdict.status is QcStatus.PASS
    assert 0.3 < verdict.measures["cell_area_fraction"] < 0.7


@pytest.mark.parametrize("mpp", [0.1, None])
def test_blur_warns_then_fails(mpp: float | None) -> None:
    assert "out_of_focus" in judged(blurred(SMEAR, 0.7 if mpp else 1.0), mpp)
    if mpp:
        assert judged(blurred(SMEAR, 1.4), mpp)["out_of_focus"] is QcStatus.FAIL


def test_edges_widen_with_blur_as_the_formula_says() -> None:
    # A step blurred by a Gaussian has the steepest slope step / (sigma sqrt(2 pi)): width = 2.5 sigma.
    for sigma in (0.3, 0.5):
        width = assess(field(blurred(SMEAR, sigma))).measures["edge_width_um"]
        assert width == pytest.approx(np.sqrt(2 * np.pi) * np.hypot(sigma, 0.15), rel=0.25)


def test_edge_width_does_not_hang_on_contrast_noise_or_sampling() -> None:
    sharp = assess(field(SMEAR)).measures["edge_width_um"]
    pale = dimmed(SMEAR, 0.5) + np.uint8(100)
    fine = smear(960, 1280, 176, mpp=0.05)
    assert assess(field(pale)).measures["edge_width_um"] == pytest.approx(sharp, rel=0.15)
    assert assess(field(noisy(SMEAR, 8))).measures["edge_width_um"] == pytest.approx(sharp, rel=0.3)
    assert assess(field(fine, 0.05)).measures["edge_width_um"] == pytest.approx(sharp, rel=0.3)


def test_noise_does_not_hide_blur() -> None:
    assert "out_of_focus" in judged(noisy(blurred(SMEAR, 0.9), 8))


def test_light() -> None:
    assert judged(dimmed(SMEAR, 0.35))["underexposed"] is QcStatus.WARN
    assert judged(dimmed(SMEAR, 0.15))["underexposed"] is QcStatus.FAIL
    assert "overexposed" in judged(dimmed(SMEAR, 1.5))
    assert "low_contrast" in judged(dimmed(SMEAR, 0.12) + np.uint8(190))
    y, x = np.mgrid[-1:1:480j, -1:1:640j]
    fall = np.hypot(x, y)[..., None] ** 2
    assert judged(dimmed(SMEAR, 1 - 0.3 * fall)).get("uneven_light") is QcStatus.WARN
    assert "uneven_light" in judged(dimmed(SMEAR, 1 - 0.45 * fall))
    assert "uneven_light" not in judged(dimmed(SMEAR, 1 - 0.1 * fall))


def test_black_areas() -> None:
    pixels = SMEAR.copy()
    y, x = np.mgrid[-1:1:480j, -1:1:640j]
    pixels[np.hypot(x, y) > 1.15] = 0  # the field stop of the microscope
    assert "black_areas" in judged(pixels)


def test_light_is_measured_as_it_was_painted() -> None:
    verdict = assess(field(dimmed(SMEAR, np.linspace(1, 0.7, 640)[None, :, None])))
    assert verdict.measures["light_evenness_fraction"] == pytest.approx(0.7, abs=0.04)
    assert assess(field(SMEAR)).measures["background_level"] == pytest.approx(max(BACKGROUND), abs=3)


@pytest.mark.parametrize("pixels", [EMPTY, np.full((50, 60, 3), 200, np.uint8), np.zeros((50, 60, 3), np.uint8)])
def test_nothing_in_the_field_fails(pixels: NDArray[np.uint8]) -> None:
    for mpp in (0.1, None):
        verdict = assess(field(pixels, mpp))
        assert verdict.status is QcStatus.FAIL
        assert {"no_cells", "low_contrast"} & set(codes(verdict))


def red_cell(number: int) -> Cell:
    return Cell(f"field#{number}", "field", CellKind.RED_CELL, Polygon.from_box(Box(0, 0, 5, 5)), 0.9)


def test_density() -> None:
    few = EMPTY.copy()
    few[100:150, 100:150] = SMEAR[20:70, 20:70]
    assert "sparse" in judged(few)
    limit = assess(field(SMEAR)).measures["cell_area_fraction"] - 0.01
    assert "crowded" in codes(assess(field(SMEAR), thresholds=QcThresholds(crowded_area=limit)))
    # 64 x 48 um hold 3,072 um2: 62 red cells are 202 per 10,000 um2, 61 are 199.
    for number, crowded in ((62, True), (61, False)):
        verdict = assess(field(SMEAR), [red_cell(i) for i in range(number)])
        assert verdict.measures["red_cells_per_10000_um2"] == pytest.approx(number / 0.3072)
        assert ("crowded" in codes(verdict)) is crowded
    assert "sparse" in codes(assess(field(SMEAR), [red_cell(0)]))
    assert codes(assess(field(SMEAR), [])) == {"no_cells": QcStatus.WARN}
    assert "red_cells_per_10000_um2" not in assess(field(SMEAR, None), [red_cell(0)]).measures


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (255, 255, 0), (255, 0, 0), (0, 0, 255), (0, 128, 0)])
@pytest.mark.parametrize("vertical", [False, True])
def test_a_painted_bar_is_found(color: tuple[int, int, int], vertical: bool) -> None:
    pixels = with_bar(dimmed(SMEAR, 0.85), color, vertical=vertical)
    verdict = assess(field(pixels))
    assert codes(verdict) == {"painted_lines": QcStatus.WARN}
    assert verdict.measures["painted_lines_count"] >= 1


def test_a_bar_is_found_after_jpeg_and_blurred_cells_are_none() -> None:
    assert "painted_lines" in judged(jpeg(with_bar(SMEAR, (0, 0, 0)), 75))
    assert "painted_lines" not in judged(jpeg(SMEAR, 40))


@pytest.mark.parametrize("color", [0, 90, 255])
def test_a_frame_is_found_and_left_out_of_the_measures(color: int) -> None:
    dim = dimmed(SMEAR, 0.8)
    verdict = assess(field(with_frame(dim, 24, color)))
    assert codes(verdict) == {"frame": QcStatus.WARN}
    assert verdict.measures["frame_fraction"] == pytest.approx(1 - (432 * 592) / (480 * 640))
    plain = assess(field(dim)).measures
    assert verdict.measures["background_level"] == pytest.approx(plain["background_level"], abs=1)
    assert judged(with_frame(dim, 160, color))["frame"] is QcStatus.FAIL


def test_every_message_holds_its_numbers() -> None:
    bad = with_bar(with_frame(dimmed(blurred(SMEAR, 1.5), 0.2), 20, 120), (255, 255, 0))
    verdict = assess(field(bad))
    assert len(verdict.reasons) >= 3
    for reason in verdict.reasons:
        assert len(re.findall(r"\d+(?:\.\d+)?", reason.message)) >= 2, reason.message
        assert re.fullmatch(r"[a-z_]+", reason.code)


def test_thresholds_are_in_force() -> None:
    strict = replace(QcThresholds(), edge_width_warn_um=0.01, edge_width_fail_um=0.02)
    assert codes(assess(field(SMEAR), thresholds=strict))["out_of_focus"] is QcStatus.FAIL


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3))))
def test_any_small_image_gets_a_verdict_of_finite_numbers(pixels: NDArray[np.uint8]) -> None:
    for mpp in (0.1, None):
        verdict = assess(field(pixels.copy(), mpp))
        assert all(np.isfinite(value) for value in verdict.measures.values())
        fractions = [v for k, v in verdict.measures.items() if k.endswith("_fraction")]
        assert all(0 <= value <= 1 for value in fractions)


@pytest.mark.slow
def test_a_very_large_field_takes_little_more_memory_than_itself() -> None:
    pixels = np.tile(SMEAR, (21, 16, 1))[:10_000, :10_000]
    large = field(np.ascontiguousarray(pixels))
    tracemalloc.start()
    verdict = assess(large)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < large.pixels.nbytes
    assert "out_of_focus" not in codes(verdict)


@pytest.mark.data
@pytest.mark.parametrize("name", ["bccd", "txl_pbc_boxes", "aybu_fields", "chula_wbc_fields"])
def test_real_fields_do_not_fail_and_their_blurred_copies_do_not_pass(name: str) -> None:
    root = os.environ.get("HEMASCOPE_DATA")
    if not root or not (Path(root) / name / "labels.csv").is_file():
        pytest.skip(f"HEMASCOPE_DATA holds no {name}")
    folder = Path(root) / name
    with (folder / "labels.csv").open(newline="") as file:
        paths = [row["path"] for row in csv.DictReader(file) if row["split"] == "train"][:12]
    mpp = {"bccd": 0.07, "txl_pbc_boxes": 0.058, "aybu_fields": 0.136, "chula_wbc_fields": 0.085}[name]
    blurred_and_passed = 0
    for path in paths:
        found = RasterReader().read(folder / path, path)
        assert assess(found).status is not QcStatus.FAIL
        copy = Field(path, blurred(found.pixels, 1.0, mpp), field(SMEAR, mpp).scale)
        blurred_and_passed += assess(copy).status is QcStatus.PASS
    assert blurred_and_passed <= 1
