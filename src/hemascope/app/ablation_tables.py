"""A finished ablation as JSON, CSV, a Markdown page and forest plots of differences."""

from __future__ import annotations

import csv
import datetime
import importlib.metadata
import io
import json
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hemascope.app.ablation import Ablation, RowResult
from hemascope.app.ablation_scores import Figure
from hemascope.app.bench_record import draft_of, write_text
from hemascope.app.evaluation.drawing.forest import ForestGroup, ForestRow, draw_forest
from hemascope.app.evaluation.drawing.style import RESEARCH_ONLY, our_look, save_figure
from hemascope.app.evaluation.estimates import cells as limits_of
from hemascope.app.evaluation.estimates import shown, told
from hemascope.app.evaluation.findings import plain
from hemascope.app.evaluation.write import file_name
from hemascope.core.version import __version__
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.answers import OUT_OF_FOLD
from hemascope.evaluate.patients.ranking import PairedComparison

SCHEMA_VERSION = 1
DOCUMENT_FILE, TABLE_FILE, PAGE_FILE = "ablation.json", "ablation.csv", "ablation.md"

_COLUMNS = (
    "group", "row", "task", "figure", "value", "low", "high", "difference", "difference_low", "difference_high",
    "p_value", "p_holm", "processor_seconds", "clock_seconds", "times_own", "failure",
)  # fmt: skip
_PACKAGES = ("numpy", "scipy", "torch")
_NONE = PairedComparison(Estimate(None), Estimate(None), Estimate(None), None, 0)


def write_ablation(ablation: Ablation) -> Path:
    """Write everything into the folder asked for, each file whole or not at all, and return the page.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    OutputError
        If a file cannot be written.
    """
    out = ablation.request.out
    write_text(out / DOCUMENT_FILE, json.dumps(ablation_document(ablation), indent=1, ensure_ascii=False) + "\n")
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    table.writerows(["" if cell is None else cell for cell in row] for row in _rows(ablation))
    write_text(out / TABLE_FILE, text.getvalue())
    with our_look():
        for figure in ablation.figures:
            with draft_of(out / picture_name(figure)) as draft, draft.open("wb") as file:
                save_figure(_forest(ablation, figure), file)
    write_text(out / PAGE_FILE, ablation_page(ablation))
    return out / PAGE_FILE


def picture_name(figure: Figure) -> str:
    """Return the name of the forest plot of a figure."""
    return f"ablation_{file_name(figure.task)}_{file_name(figure.name)}.png"


def remarks_of(ablation: Ablation) -> tuple[str, ...]:
    """Return what a reader must know before the figures."""
    request = ablation.request
    split = request.split.replace("_", "-")
    found = [
        f"{ablation.patients:,} patients ({split}), the same in every row; each change is to the recipe "
        f"'{request.recipe.name}' alone. A difference is the row minus the recipe's own; its interval and p value come "
        f"from the paired bootstrap over patients ({request.resamples:,} resamples), adjusted by Holm over the rows.",
    ]
    if request.split != OUT_OF_FOLD:
        found.append("A row that is chosen by these figures has been chosen on these patients.")
    elif request.recipe.folds == 1 or request.recipe.watch == "held_out":
        found.append(
            "OPTIMISTIC: these patients chose the epoch of every row. With --folds 5 and watch = \"inner\" they do not."
        )  # fmt: skip
    tests = len(ablation.rows) - 1
    least = 2 / (request.resamples + 1)
    if tests * least > 0.05:
        found.append(
            f"With {request.resamples:,} resamples no p value is below {least:.2g}, and none of {tests} rows can be "
            f"below {tests * least:.2g} after Holm: raise --resamples, or compare fewer rows."
        )
    return tuple(found)


def ablation_document(ablation: Ablation) -> dict[str, Any]:
    """Return ``ablation.json``: plain JSON types, without a path of this machine."""
    recipe = ablation.request.recipe
    software = {"hemascope": __version__, "python": platform.python_version()}
    return {
        "schema_version": SCHEMA_VERSION,
        "use": RESEARCH_ONLY,
        "recipe": {"name": recipe.name, "version": recipe.version, "sha256": recipe.digest(), "folds": recipe.folds},
        "cohort": {"name": ablation.cohort, "manifest_sha256": ablation.manifest_sha256},
        "split": ablation.request.split,
        "patients": ablation.patients,
        "resamples": ablation.request.resamples,
        "remarks": list(remarks_of(ablation)),
        "rows": [_row_document(ablation, result) for result in ablation.rows],
        "provenance": {
            "software": software | {name: importlib.metadata.version(name) for name in _PACKAGES},
            "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        },
    }


def ablation_page(ablation: Ablation) -> str:
    """Return the tables as Markdown: one a figure."""
    recipe = ablation.request.recipe
    lines = [f"# What changes do to {recipe.name}, on {ablation.cohort}", "", RESEARCH_ONLY, ""]
    for remark in remarks_of(ablation):
        lines += [remark, ""]
    for figure in ablation.figures:
        better = "less is better" if figure.less_is_better else "more is better"
        unit = f", {figure.unit}" if figure.unit else ""
        lines += [
            f"## {figure.task}: {figure.name}{unit} ({better})",
            "",
            "| | row | value [95% CI] | minus own [95% CI] | p | p (Holm) | training, s | times own |",
            "|---|---|---|---|---|---|---|---|",
            *(f"| {' | '.join(cells)} |" for cells in page_rows(ablation, figure)),
            "",
            f"![Differences]({picture_name(figure)})",
            "",
        ]
    failed = [result for result in ablation.rows if result.failure]
    if failed:
        lines += ["## Failed", "", *(f"- {result.row.group}, {result.row.name}: {result.failure}" for result in failed)]
        lines += [""]
    lines += ["Training: seconds of processor time of all threads.", ""]
    return "\n".join(lines)


def page_rows(ablation: Ablation, figure: Figure) -> list[tuple[str, ...]]:
    """Return the cells of the table of a figure, rows that failed left out."""
    return [_page_row(ablation, result, figure) for result in ablation.rows if not result.failure]


def _page_row(ablation: Ablation, result: RowResult, figure: Figure) -> tuple[str, ...]:
    found = result.comparisons.get(figure) or _NONE
    seconds = result.time.processor if result.time else 0.0
    group, ratio = result.row.group or "", _times_own(ablation, result)
    beside = ("", "", "")
    if result.row.group is not None:
        beside = (shown(found.difference, 3), _p(found.p_value), _p(result.p_holm.get(figure)))
    return (
        group,
        result.row.name,
        shown(found.ours, 3),
        *beside,
        f"{seconds:.0f}",
        "" if ratio is None else f"{ratio:.2f}",
    )


def _p(value: float | None) -> str:
    return "" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _times_own(ablation: Ablation, result: RowResult) -> float | None:
    own = ablation.rows[0].time
    return result.time.processor / own.processor if result.time and own and own.processor else None


def _row_document(ablation: Ablation, result: RowResult) -> dict[str, Any]:
    figures: dict[str, dict[str, Any]] = {}
    for figure, found in result.comparisons.items():
        values = found or _NONE
        entry: dict[str, Any] = {**told(values.ours), "patients": values.patients}
        if result.row.group is not None:
            entry |= {
                "difference": told(values.difference),
                "p_value": plain(values.p_value, 12),
                "p_holm": plain(result.p_holm.get(figure), 12),
            }
        figures.setdefault(figure.task, {})[figure.name] = entry
    time = result.time
    training = None
    if time is not None:
        training = {
            "processor_seconds": plain(time.processor, 2),
            "clock_seconds": plain(time.clock, 2),
            "times_own": plain(_times_own(ablation, result), 3),
        }
    return {
        "group": result.row.group or "own",
        "row": result.row.name,
        "runs": [run.key for run in result.row.runs],
        "seeds": result.row.seeds or None,
        "encoder": result.encoder,
        "failure": result.failure or None,
        "training": training,
        "figures": figures,
    }


def _rows(ablation: Ablation) -> Iterator[tuple[Any, ...]]:
    for result in ablation.rows:
        for figure in ablation.figures:
            found = result.comparisons.get(figure) or _NONE
            changed = result.row.group is not None
            difference = limits_of(found.difference) if changed else (None, None, None)
            p_values = (plain(found.p_value, 12), plain(result.p_holm.get(figure), 12)) if changed else (None, None)
            time = result.time and (plain(result.time.processor, 2), plain(result.time.clock, 2))
            yield (
                result.row.group or "own", result.row.name, figure.task, figure.name, *limits_of(found.ours),
                *difference, *p_values, *(time or (None, None)), plain(_times_own(ablation, result), 3), result.failure,
            )  # fmt: skip


def _forest(ablation: Ablation, figure: Figure) -> Any:
    own, *others = ablation.rows
    groups: dict[str, list[ForestRow]] = {}
    for result in others:
        groups.setdefault(str(result.row.group), []).append(_forest_row(result, figure))
    first = own.comparisons.get(figure) or _NONE
    overall = ForestRow(own.row.name, 0.0, None, None, _short(first.ours))
    better = "less is better" if figure.less_is_better else "more is better"
    return draw_forest(
        f"{figure.task}: {figure.name}, difference to the recipe's own",
        [ForestGroup(name, "", tuple(rows)) for name, rows in groups.items()],
        overall,
        f"difference in {figure.name} ({better})",
        ("difference [95% CI]", figure.name),
    )


def _forest_row(result: RowResult, figure: Figure) -> ForestRow:
    found = result.comparisons.get(figure) or _NONE
    gap = found.difference
    return ForestRow(result.row.name, gap.value, gap.low, gap.high, "failed" if result.failure else _short(found.ours))


def _short(estimate: Estimate) -> str:
    return "" if estimate.value is None else f"{estimate.value:.3f}"
