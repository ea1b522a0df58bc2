"""The verdict on a field: every measure against its limits, every finding with both numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hemascope.core.cell import Cell
from hemascope.core.smear import Field, QcReason, QcStatus, QcVerdict
from hemascope.qc import artifacts, density, exposure, lettering
from hemascope.qc.focus import edge_width_um
from hemascope.qc.view import View, microns_per_view_pixel, view_of


@dataclass(frozen=True, slots=True)
class QcThresholds:
    """Limits; how they were found, and how often fields cross them, stands in docs/quality.md.

    Attributes
    ----------
    edge_width_warn_um, edge_width_fail_um
        Width of cell edges in um. Sharp fields of four microscopes lie at 0.2 to 0.9; a blur of 0.5 um standard
        deviation, at which granules go, gives about 1.0; at 1.4 (about 0.75 um) nuclear lobes run together.
    unscaled_edge_width_warn_um, unscaled_edge_width_fail_um
        The same where no scale is known and the typical object is taken for a red cell: less certain, so wider.
    background_warn, background_fail
        Level of the background, 0 to 255, below which the field is too dark. Usual fields lie at 140 to 254; at 50
        fewer than six bits are left for the whole range of stains.
    clipped_background_warn, clipped_background_fail
        Fraction of the background in pure white above which light is lost: pale cytoplasm goes next, then red cells,
        which then count as background.
    clipped_dark_warn, clipped_dark_fail
        Fraction of pixels in pure black; no stain is.
    contrast_warn, contrast_fail
        Difference of cells and background over the background, 0 to 1. Poor optics reach 0.06 to 0.25, usual ones
        0.13 to 0.8; below 0.04 it is noise that is split in two.
    evenness_warn, evenness_fail
        Darkest over brightest background, 0 to 1. Usual fields lie above 0.6; at 0.25 the corners have two bits less.
    background_misfit
        How far the bright parts of a field lie, in the median, from a smooth light, as a fraction of it. Fields with
        fallen light lie below 0.07, dense monolayers below 0.2; above, too little background is left to judge light.
    sparse_area, crowded_area
        Fraction of the field covered by cells: below, no monolayer; above, cells lie on each other and are not told
        apart. Usual fields lie at 0.05 to 0.71. Both warn only.
    sparse_red_cells, crowded_red_cells
        Red cells per 10,000 um^2; 226 would tile the area. Dense fields of a public set hold 150. Both warn only.
    frame_warn, frame_fail
        Fraction of the image that is a frame in one color.
    """

    edge_width_warn_um: float = 1.0
    edge_width_fail_um: float = 1.4
    unscaled_edge_width_warn_um: float = 1.2
    unscaled_edge_width_fail_um: float = 2.0
    background_warn: float = 100.0
    background_fail: float = 50.0
    clipped_background_warn: float = 0.5
    clipped_background_fail: float = 0.9
    clipped_dark_warn: float = 0.05
    clipped_dark_fail: float = 0.5
    contrast_warn: float = 0.08
    contrast_fail: float = 0.04
    evenness_warn: float = 0.6
    evenness_fail: float = 0.25
    background_misfit: float = 0.2
    sparse_area: float = 0.03
    crowded_area: float = 0.75
    sparse_red_cells: float = 5.0
    crowded_red_cells: float = 200.0
    frame_warn: float = 0.005
    frame_fail: float = 0.5


_DEFAULTS = QcThresholds()
_EMPTY_AREA = 0.002  # less than one red cell in a usual field


def assess(field: Field, cells: Sequence[Cell] | None = None, thresholds: QcThresholds = _DEFAULTS) -> QcVerdict:
    """Return what to think of ``field``.

    Parameters
    ----------
    field
        A field of any size, with or without a scale; focus is judged with more certainty where there is one.
    cells
        What the finder found, or None if it has not run: then density is judged by covered area alone.
    thresholds
        Limits.
    """
    view = view_of(field)
    measures = _measures(field, view, cells)
    reasons = [
        *_cell_reasons(measures, thresholds, cells),
        *_focus_reasons(measures, thresholds, scaled=field.scale is not None),
        *_light_reasons(measures, thresholds),
        *_density_reasons(measures, thresholds),
        *_artifact_reasons(measures, thresholds),
    ]
    return QcVerdict(tuple(reasons), measures)


def _measures(field: Field, view: View, cells: Sequence[Cell] | None) -> dict[str, float]:
    frame = view.margins.fraction(field.height, field.width)
    mpp = microns_per_view_pixel(field, view)
    inner = view.margins.inside(field.pixels)
    optional = {
        "edge_width_um": None if mpp is None else edge_width_um(field, view, mpp),
        "red_cells_per_10000_um2": None if cells is None else density.red_cells_per_10000_um2(field, cells, frame),
        "outlined_area_fraction": None if cells is None else density.outlined_fraction(field, view, cells),
    }
    measures = {
        "background_level": exposure.background_level(view),
        "clipped_dark_fraction": exposure.clipped_dark(view),
        "clipped_background_fraction": exposure.clipped_background(view),
        "contrast_fraction": view.separation,
        "light_evenness_fraction": exposure.light_evenness(view),
        "background_misfit_fraction": min(1.0, view.light_misfit),
        "cell_area_fraction": density.cell_area_fraction(view),
        "frame_fraction": frame,
        "painted_lines_count": float(artifacts.painted_bars(inner)),
        "painted_glyphs_count": float(lettering.painted_glyphs(inner)),
    }
    return measures | {name: value for name, value in optional.items() if value is not None}


def _cell_reasons(m: Mapping[str, float], t: QcThresholds, cells: Sequence[Cell] | None) -> Iterator[QcReason]:
    contrast = m["contrast_fraction"]
    if m["cell_area_fraction"] < _EMPTY_AREA:
        yield _fail("no_cells", "Nothing stands out from the background: the field is empty, or of one color.")
        return
    yield from _below(
        "low_contrast", "Cells differ from the background by {value:.0%} of its level; at least {limit:.0%} is needed.",
        contrast, t.contrast_warn, t.contrast_fail,
    )  # fmt: skip
    if cells is not None and not cells:
        yield _warn("no_cells", "No cell was found, though something stands out from the background.")


def _focus_reasons(m: Mapping[str, float], t: QcThresholds, *, scaled: bool) -> Iterator[QcReason]:
    # Where nothing stands out, there are no edges but those of noise.
    if "edge_width_um" not in m or m["contrast_fraction"] < t.contrast_fail:
        return
    limits = (
        (t.edge_width_warn_um, t.edge_width_fail_um)
        if scaled
        else (t.unscaled_edge_width_warn_um, t.unscaled_edge_width_fail_um)
    )
    estimate = "" if scaled else " (if the typical object is a red cell: no scale is known)"
    yield from _above(
        "out_of_focus", "Edges of cells are {value:.2f} um wide" + estimate + "; at most {limit:.2f} um is sharp.",
        m["edge_width_um"], *limits,
    )  # fmt: skip


def _light_reasons(m: Mapping[str, float], t: QcThresholds) -> Iterator[QcReason]:
    yield from _below(
        "underexposed", "The background has a level of {value:.0f} of 255; at least {limit:.0f} is needed.",
        m["background_level"], t.background_warn, t.background_fail,
    )  # fmt: skip
    yield from _above(
        "overexposed", "{value:.0%} of the background is pure white; at most {limit:.0%} should be.",
        m["clipped_background_fraction"], t.clipped_background_warn, t.clipped_background_fail,
    )  # fmt: skip
    yield from _above(
        "black_areas", "{value:.0%} of the field is pure black; at most {limit:.0%} should be.",
        m["clipped_dark_fraction"], t.clipped_dark_warn, t.clipped_dark_fail,
    )  # fmt: skip
    if m["background_misfit_fraction"] > t.background_misfit:
        return  # what varies is not light but how little background there is: the field is crowded
    yield from _below(
        "uneven_light", "The darkest background has {value:.0%} of the light of the brightest; "
        "at least {limit:.0%} is needed.", m["light_evenness_fraction"], t.evenness_warn, t.evenness_fail,
    )  # fmt: skip


def _density_reasons(m: Mapping[str, float], t: QcThresholds) -> Iterator[QcReason]:
    area, count = m["cell_area_fraction"], m.get("red_cells_per_10000_um2")
    if _EMPTY_AREA <= area < t.sparse_area:
        yield _warn("sparse", f"Cells cover {area:.1%} of the field; a monolayer covers at least {t.sparse_area:.0%}.")
    elif count is not None and 0 < count < t.sparse_red_cells:
        yield _warn(
            "sparse",
            f"There are {count:.1f} red cells per 10,000 um2; a monolayer has at least {t.sparse_red_cells:.0f}.",
        )
    message = _crowding(m, t)
    if message:
        yield _warn("crowded", message)


def _crowding(m: Mapping[str, float], t: QcThresholds) -> str | None:
    """Return the first sign of a crowded field in words, or None."""
    covered = max(m["cell_area_fraction"], m.get("outlined_area_fraction", 0.0))
    if covered > t.crowded_area:
        return f"Cells cover {covered:.0%} of the field; over {t.crowded_area:.0%} they lie on each other."
    count = m.get("red_cells_per_10000_um2", 0.0)
    if count > t.crowded_red_cells:
        limit = f"over {t.crowded_red_cells:.0f} they lie on each other."
        return f"There are {count:.0f} red cells per 10,000 um2; {limit}"
    misfit = m["background_misfit_fraction"]
    if misfit > t.background_misfit and m["cell_area_fraction"] >= _EMPTY_AREA:
        limit = f"over {t.background_misfit:.0%} hardly any background is left between cells."
        return f"Bright parts of the field differ by {misfit:.0%} from an even light; {limit}"
    return None


def _artifact_reasons(m: Mapping[str, float], t: QcThresholds) -> Iterator[QcReason]:
    yield from _above(
        "frame", "A frame in one color takes {value:.1%} of the image; at most {limit:.1%} should be frame.",
        m["frame_fraction"], t.frame_warn, t.frame_fail,
    )  # fmt: skip
    lines = round(m["painted_lines_count"])
    if lines:
        yield _warn(
            "painted_lines", f"{lines} straight painted line(s) such as a scale bar lie on the field; 0 should."
        )
    glyphs = round(m["painted_glyphs_count"])
    if glyphs:
        yield _warn("painted_text", f"{glyphs} painted letters or digits lie on the field; 0 should.")


def _above(code: str, sentence: str, value: float, warn: float, fail: float) -> Iterator[QcReason]:
    if value > warn:
        failed = value > fail
        text = sentence.format(value=value, limit=fail if failed else warn)
        yield _fail(code, text) if failed else _warn(code, text)


def _below(code: str, sentence: str, value: float, warn: float, fail: float) -> Iterator[QcReason]:
    if value < warn:
        failed = value < fail
        text = sentence.format(value=value, limit=fail if failed else warn)
        yield _fail(code, text) if failed else _warn(code, text)


def _warn(code: str, message: str) -> QcReason:
    return QcReason(code, QcStatus.WARN, message)


def _fail(code: str, message: str) -> QcReason:
    return QcReason(code, QcStatus.FAIL, message)
