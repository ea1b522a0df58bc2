from __future__ import annotations

import csv
import os
import re
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fields import BACKGROUND, blurred, crowd, dimmed, field, jpeg, noisy, smear, with_bar, with_frame, with_label
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from hemascope.core.cell import Cell
from hemascope.core.geometry import Box, Polygon
from hemascope.core.smear import Field, QcStatus, QcVerdict
from hemascope.core.taxonomy import CellKind
from hemascope.qc.artifacts import painted_bars
from hemascope.qc.assess import QcThresholds, assess
from hemascope.qc.lettering import painted_glyphs
from hemascope.sources.raster import RasterReader
from hemascope.synth.smear import paint_field

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
    assert judged(dimmed(SMEAR, 1 - 0.48 * fall))["uneven_light"] is QcStatus.FAIL
    assert "uneven_light" not in judged(dimmed(SMEAR, 1 - 0.1 * fall))


def test_black_areas() -> None:
    pixels = SMEAR.copy()
    y, x = np.mgrid[-1:1:480j, -1:1:640j]
    pixels[np.hypot(x, y) > 1.15] = 0  # the field stop of the microscope
    assert "black_areas" in judged(pixels)


@pytest.mark.parametrize("by", [0.1, 0.3, 0.45])
def test_vignetting_is_measured_as_it_was_painted(by: float) -> None:
    y, x = np.mgrid[-1:1:480j, -1:1:640j]
    light = 1 - by * np.hypot(x, y) ** 2
    low, high = np.percentile(light, (2, 98))
    for pixels in (SMEAR, paint_field(1).field.pixels):
        measures = assess(field(dimmed(pixels, light[..., None]))).measures
        assert measures["light_evenness_fraction"] == pytest.approx(low / high, abs=0.03)
        assert measures["background_misfit_fraction"] < 0.05


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


@pytest.mark.parametrize("cover", [0.95, 0.98])
def test_a_field_with_hardly_any_background_is_crowded_not_unevenly_lit(cover: float) -> None:
    for seed in range(3):
        assert judged(crowd(cover, seed)) == {"crowded": QcStatus.WARN}
    assert judged(crowd(0.5)) == {}


def test_outlines_that_cover_the_field_make_it_crowded() -> None:
    def covering(width: int) -> Cell:
        return replace(red_cell(0), outline=Polygon.from_box(Box(24, 24, 24 + width, 456)))

    for pixels, width in ((SMEAR, 512), (with_frame(SMEAR, 24), 473)):  # 72% of 640 x 480, 80% of the 592 x 432 inside
        verdict = assess(field(pixels), [covering(width)] * 20)
        whole = 640 * 480 if pixels is SMEAR else 592 * 432
        assert verdict.measures["outlined_area_fraction"] == pytest.approx(width * 432 / whole, abs=0.01)
        assert ("crowded" in codes(verdict)) is (pixels is not SMEAR)


def test_a_lone_cell_at_the_side_is_judged_for_focus() -> None:
    lone = EMPTY.copy()
    lone[180:270, 545:635] = smear(90, 90, 90)
    assert assess(field(lone)).measures["edge_width_um"] == pytest.approx(
        assess(field(SMEAR)).measures["edge_width_um"], rel=0.3
    )
    assert judged(blurred(lone, 1.4))["out_of_focus"] is QcStatus.FAIL


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


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (255, 255, 0), (255, 0, 0), (0, 0, 255)])
@pytest.mark.parametrize("text", ["100x", "2019-03-12"])
def test_a_painted_label_is_found(color: tuple[int, int, int], text: str) -> None:
    pixels = with_label(dimmed(SMEAR, 0.85), text, color)
    for copy in (pixels, jpeg(pixels, 75)):
        verdict = assess(field(copy))
        assert "painted_text" in codes(verdict)
        assert 3 <= verdict.measures["painted_glyphs_count"] <= len(text)


def test_a_label_is_counted_once_wherever_it_lies() -> None:
    tall = np.tile(dimmed(SMEAR, 0.85)[:, :160], (5, 1, 1))
    for bottom in (500, 1000, 1020, 1030, 1040, 1100, 2380):
        assert painted_glyphs(with_label(tall, "1000", (0, 0, 0), (20, bottom))) == 4


def test_two_letters_blots_and_blurred_text_are_no_label() -> None:
    for text in ("", "47"):
        assert painted_glyphs(with_label(SMEAR, text, (0, 0, 0))) == 0
    blots = SMEAR.copy()
    for x in range(30, 300, 24):
        blots[450:466, x : x + 14] = 0  # as high and as near as letters, but no strokes
    assert painted_glyphs(blots) == 0
    assert painted_glyphs(blurred(with_label(SMEAR, "1000", (0, 0, 0)), 0.4)) == 0


def test_every_line_is_counted_once_along_rows_and_columns() -> None:
    sheet = np.full((2300, 600, 3), 230, np.uint8)
    for y in (100, 600, 1021, 1500, 2046, 2240):  # on the seams of the strips too
        sheet[y : y + 6, 50:400] = 20
    assert painted_bars(sheet) == 6
    assert painted_bars(np.ascontiguousarray(sheet.swapaxes(0, 1))) == 6


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
@example(np.array([[[2, 0, 0], [0, 0, 0], [0, 0, 0]]], np.uint8))
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))))
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
    assert peak < large.pixels.nbytes / 2
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
