"""What a reader of a report must know before the numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hemascope.core.morphology import PlateletFindings, RedCellMorphology
from hemascope.core.prediction import SET_COVERAGE
from hemascope.core.report import FailedInput, FieldSummary
from hemascope.core.units import RED_CELL_DIAMETER, WHITE_CELL_DIAMETER, ScaleSource
from hemascope.recipes import Prior

ALWAYS = (
    "Research use only: not for diagnosis.",
    "The classifier has seen no blasts, abnormal lymphocytes, plasma cells or smudge cells. It leaves what looks "
    "unlike its training cells unidentified, but a blast can still be typed as a normal cell: look at the gallery.",
)
"""Said in every report, the use first."""

RED_CELL_TRAINING = (
    "Red cell types were learned from one set, Chula-RBC-12: a few smears, most of thalassemia, with the rare types "
    "enriched. On another stain, camera or disease types can be wrong, and on normal blood too many cells may be "
    "called abnormal: look at the gallery of red cells before believing a percentage."
)
"""Said wherever red cells were typed."""

MARROW = (
    "Unvalidated on marrow: finder and classifiers have seen peripheral blood alone, and most cells of marrow are of "
    "types they do not know. Counts and types of a marrow film are here to be looked at, not to be used."
)
"""Said of every marrow film, before all else but the use."""

GRAY = "gray image"
"""How the reader notes that a file held no color."""


def statements(
    fields: Sequence[FieldSummary],
    failed: Sequence[FailedInput],
    excluded: Sequence[str],
    prior: Prior,
    specimen: str = "blood",
) -> tuple[str, ...]:
    """Return the limits of a report, in words.

    Parameters
    ----------
    fields, failed, excluded
        What was analyzed, what could not be read, and the ids of what failed quality control.
    prior
        In force.
    specimen
        ``blood`` or ``marrow``.
    """
    use, *limits = ALWAYS
    said = [use, *([MARROW] if specimen == "marrow" else []), *limits]
    said.append(f"Types are given under the prior '{prior.name}': {prior.source}")
    said += _of_sets(fields)
    said += _of_scale(Counter(field.scale_source for field in fields), len(fields))
    gray = sum(any(GRAY in note for note in field.notes) for field in fields)
    if gray:
        said.append(
            f"{gray} of {len(fields)} fields hold no color. Types were learned in color: do not rely on them there."
        )
    if excluded:
        said.append(f"{len(excluded)} of {len(fields)} fields failed quality control and are not in the counts.")
    if failed:
        said.append(f"{len(failed)} files could not be read; they are listed under quality.")
    return tuple(said)


def morphology_statements(red_cells: RedCellMorphology, platelets: PlateletFindings) -> tuple[str, ...]:
    """Return the limits of what is said of red cells and platelets, in words."""
    said = []
    if red_cells.judged:
        said.append(RED_CELL_TRAINING)
        if red_cells.judged < red_cells.least_cells:
            said.append(
                f"{red_cells.judged:,} red cells were typed, fewer than {red_cells.least_cells:,}: percentages and "
                "intervals are given, grades are withheld."
            )
    table = red_cells.grading
    if table is not None and red_cells.found and table.verified < table.rows:
        said.append(
            f"Red cells are graded by the table '{table.name}', version {table.version}. Of its {table.rows} rows, "
            f"{table.rows - table.verified} are marked as not verified: check them, or give your own with --grading."
        )
    if platelets.clumps:
        fields = len(platelets.clump_fields)
        said.append(
            f"Platelets are clumped in {fields} {'field' if fields == 1 else 'fields'}: platelet counts and estimates "
            "are too low."
        )
    return tuple(said)


def _of_sets(fields: Sequence[FieldSummary]) -> list[str]:
    sizes = Counter[str]()
    for field in fields:
        sizes.update(field.set_sizes)
    total = sum(sizes.values())
    if not total:
        return []
    return [
        f"For {total - sizes['1']:,} of {total:,} nucleated cells more than one type cannot be excluded at "
        f"{SET_COVERAGE:.0%} (prediction_set in cells.csv). That holds for cells like those of calibration; on another "
        "stain, camera or disease the true type is missing more often."
    ]


def _of_scale(sources: Counter[str], total: int) -> list[str]:
    said = []
    if sources[ScaleSource.ESTIMATED]:
        said.append(
            f"The scale of {sources[ScaleSource.ESTIMATED]} of {total} fields was estimated from the median red cell, "
            f"taken as {RED_CELL_DIAMETER:g} um (where hardly any red cells show, from the median white cell, taken as "
            f"{WHITE_CELL_DIAMETER:g} um, which may be off by a fifth): sizes there are relative to it, and "
            "nothing can be said of macrocytosis or microcytosis. Give --mpp for absolute sizes."
        )
    if sources[ScaleSource.ASSUMED]:
        said.append(
            f"For {sources[ScaleSource.ASSUMED]} of {total} fields there were too few red cells to estimate the scale, "
            "and 0.1 um per pixel was assumed: what was found there may be wrong. Give --mpp."
        )
    return said
