"""From fields to findings on platelets: clumps, giants, and estimates that say what they rest on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hemascope.core.morphology import BIN_UM, PlateletFindings
from hemascope.core.rates import Estimate
from hemascope.core.report import FieldSummary
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import CellKind
from hemascope.recipes import Grading
from hemascope.reporting.differential import share
from hemascope.reporting.morphology import NO_ABSOLUTE_SCALE, UNGRADED, are_absolute
from hemascope.reporting.red_cell_counts import add_diameters
from hemascope.stats.intervals import poisson_rate_interval, poisson_ratio_interval

UNIT = "10^9/L"


def compute_platelets(
    fields: Iterable[FieldSummary], grading: Grading = UNGRADED, red_cell_count: float | None = None
) -> PlateletFindings:
    """Return the findings on platelets over every field that did not fail quality control.

    Parameters
    ----------
    fields
        Summaries in any order.
    grading
        The table in force: its limits of size and its factor.
    red_cell_count
        Of the same blood in 10^12/L, as the user states it; None where it is not known.
    """
    included = [field for field in fields if field.verdict.status is not QcStatus.FAIL]
    found = sum(field.counts.get(CellKind.PLATELET.value, 0) for field in included)
    red_cells = sum(field.counts.get(CellKind.RED_CELL.value, 0) for field in included)
    clumps = sum(field.platelets.clumps for field in included)
    absolute = bool(included) and are_absolute(included)
    whole = add_diameters(field.platelets.diameters for field in included)
    limit = round(grading.giant_platelet_above_um / BIN_UM)
    return PlateletFindings(
        found=found,
        clumps=clumps,
        clumped=sum(field.platelets.clumped for field in included),
        largest=max((field.platelets.largest for field in included), default=0),
        clump_fields=tuple(field.id for field in included if field.platelets.clumps),
        giant=share(sum(whole.bins[limit:]), whole.cells) if absolute else None,
        giant_reason="" if absolute else NO_ABSOLUTE_SCALE,
        by_red_cells=_by_red_cells(found, red_cells, red_cell_count),
        by_area=_by_area(found, included, grading) if absolute else None,
        reasons=tuple(_reasons(clumps, absolute, grading, red_cell_count)),
    )


def _by_red_cells(found: int, red_cells: int, stated: float | None) -> Estimate | None:
    """Return platelets per 1,000 red cells times the red cell count in 10^12/L, which is platelets in 10^9/L."""
    if stated is None or not red_cells:
        return None
    low, high = poisson_ratio_interval(found, red_cells)
    factor = 1000 * stated
    method = f"at {stated:g} x 10^12/L red cells, as stated"
    return Estimate(factor * found / red_cells, factor * low, factor * high, UNIT, method)


def _by_area(found: int, fields: Sequence[FieldSummary], grading: Grading) -> Estimate:
    """Return the classic estimate: platelets in a standard field times a factor."""
    area = sum(field.width * field.height * field.mpp**2 for field in fields) * 1e-6
    factor = grading.platelet_field_mm2 * grading.platelet_factor
    low, high = poisson_rate_interval(found, area)
    method = f"{grading.platelet_factor:g} x 10^9/L for each platelet in {grading.platelet_field_mm2:g} mm^2"
    return Estimate(factor * found / area, factor * low, factor * high, UNIT, method)


def _reasons(clumps: int, absolute: bool, grading: Grading, red_cell_count: float | None) -> list[str]:
    """Return what the estimates rest on or lack, in sentences."""
    said = []
    if clumps:
        said.append(
            "Platelets are clumped: every estimate is too low, more so where the finder took several platelets for one."
        )
    if red_cell_count is None:
        said.append(
            "Platelets per 1,000 red cells, times the red cell count of the blood in 10^12/L, are platelets in 10^9/L; "
            "state that count with --red-cell-count."
        )
    if absolute:
        said.append(
            f"The estimate by area takes each platelet in {grading.platelet_field_mm2:g} mm^2 for "
            f"{grading.platelet_factor:g} x 10^9/L. Such factors hold for the monolayer under one microscope, differ "
            "between laboratories, and were not verified here: it is rough, and its interval covers counting alone."
        )
    else:
        said.append("An estimate by area and a count of giant platelets need an absolute scale; give --mpp.")
    return said
