"""A benchmark's document as tables of text: the same ones in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hemascope.app.bench_bag_speed import bag_speed_tables
from hemascope.app.bench_shortcuts import shortcut_tables
from hemascope.app.cohort_tables import cohort_tables
from hemascope.app.conformal_tables import conformal_tables
from hemascope.app.counterfactual_tables import counterfactual_tables
from hemascope.app.leukemia_table import leukemia_tables
from hemascope.app.malaria_table import malaria_tables
from hemascope.app.plain_table import NONE, Document, Figures, PlainTable
from hemascope.app.protocol_tables import PROTOCOL_TABLES
from hemascope.app.synthetic_tables import synthetic_tables
from hemascope.core.taxonomy import DISPLAY_NAMES, UNIDENTIFIED, CellKind, CellType, RedCellType

_MEMORY = ("settled", "end", "growth", "peak")
"""Figures of memory of a whole run, in MiB."""


def benchmark_tables(document: Document) -> tuple[PlainTable, ...]:
    """Return the tables of a run.

    Raises
    ------
    KeyError
        If it is the document of no known benchmark.
    """
    return _TABLES[document["benchmark"]](document)


def _own(document: Document) -> Figures:
    return Figures(document["metrics"], document["intervals"])


def _methods(document: Document) -> dict[str, Figures]:
    """Return the method asked for and its baselines; only the first has intervals."""
    return {document["provenance"]["segmenter"]: _own(document)} | {
        name: Figures(m, {}) for name, m in document["baselines"].items()
    }


def _detection(document: Document) -> tuple[PlainTable, ...]:
    found, counted = [], []
    for prefix in _prefixes(document["metrics"], "recall"):
        data_set, kind = prefix.split(".")
        if kind not in {k.value for k in CellKind}:
            continue  # points, which have a table of their own
        for method, figures in _methods(document).items():
            name = (data_set, DISPLAY_NAMES[CellKind(kind)], method)
            if figures.has(f"{prefix}.recall"):
                found.append((*name, *_found_row(figures, prefix)))
            if figures.has(f"{prefix}.count_bias"):
                counted.append((*name, *_counted_row(figures, prefix)))
    columns = ("Labels", "Kind", "Method")
    matched = ("Found / labeled", "Recall", "False (real)", "Precision", "Precision, real aside", "AP at IoU 0.5")
    errors = ("Error in cells a field", "Over the mean count", "Signed")
    return (
        PlainTable("Detection", columns + matched, tuple(found)),
        _mean_precision(document),
        PlainTable("Counting errors per field", columns + errors, tuple(counted)),
        _red_cells_found(document),
        _mistakes(document),
    )


def _mean_precision(document: Document) -> PlainTable:
    key = "mean.average_precision"
    rows = tuple(
        (prefix, *(figures.text(f"{prefix}.{key}") for figures in _methods(document).values()))
        for prefix in _prefixes(document["metrics"], key)
    )
    return PlainTable("AP at IoU 0.5, mean of the kinds labeled", ("Labels", *_methods(document)), rows)


def _found_row(figures: Figures, prefix: str) -> tuple[str, ...]:
    false, aside = (figures.metrics.get(f"{prefix}.false_positives{end}") for end in ("", "_adjudicated"))
    return (
        f"{figures.count(f'{prefix}.matched')} / {figures.count(f'{prefix}.labeled')}",
        figures.text(f"{prefix}.recall"),
        NONE if false is None or aside is None else f"{false:g} ({false - aside:g})",
        figures.text(f"{prefix}.precision"),
        figures.text(f"{prefix}.precision_adjudicated"),
        figures.text(f"{prefix}.average_precision"),
    )


def _counted_row(figures: Figures, prefix: str) -> tuple[str, ...]:
    return (
        figures.text(f"{prefix}.count_absolute_error", 2),
        figures.text(f"{prefix}.count_relative_error"),
        figures.text(f"{prefix}.count_bias"),
    )


def _mistakes(document: Document) -> PlainTable:
    rows = tuple(
        (
            mistake["what"].replace("_", " "),
            mistake["field"],
            ", ".join(f"{mistake[corner]:.0f}" for corner in ("x0", "y0", "x1", "y1")),
            NONE if mistake["score"] is None else f"{mistake['score']:.2f}",
        )
        for mistake in document["provenance"].get("mistakes", ())
    )
    return PlainTable(
        "White cells of bccd missed or falsely found", ("What", "Field", "Box x0, y0, x1, y1", "Score"), rows
    )


def _segmentation(document: Document) -> tuple[PlainTable, ...]:
    rows = []
    for prefix in _prefixes(document["metrics"], "cell_dice"):
        for method, figures in _methods(document).items():
            counts = (figures.count(f"{prefix}.{name}") for name in ("images", "missed"))
            shown = ("nucleus_dice", "cell_dice", "nucleus_dice_worst_tenth", "cell_dice_worst_tenth")
            rows.append((prefix, method, *counts, *(figures.text(f"{prefix}.{name}") for name in shown)))
    columns = ("Masks", "Method", "Images", "Missed", "Nucleus, Dice", "Cell, Dice")
    worst = ("Nucleus, worst tenth below", "Cell, worst tenth below")
    return (PlainTable("White cells against masks", (*columns, *worst), tuple(rows)),)


def _classification(document: Document) -> tuple[PlainTable, ...]:
    return (
        _single_cells(document),
        _single_cell_types(document),
        _confusion(document),
        *(_found_cells(document, name) for name in ("bccd", "chula_wbc_fields")),
    )


def _single_cells(document: Document) -> PlainTable:
    own, baselines = _own(document), document["baselines"]
    names = {
        "accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy", "macro_f1": "Macro F1",
        "ece": "ECE, 15 equal-mass bins, debiased", "ece_plain": "ECE, not debiased",
        "rms_calibration_error": "RMS calibration error, debiased", "brier": "Brier score (0 to 2)",
        "nll": "Negative log-likelihood (nats)", "unidentified": "Left unidentified",
        "accuracy_decided": "Accuracy where decided",
    }  # fmt: skip
    rows = []
    for name, title in names.items():
        key = f"pbc_acevedo_128.{name}"
        others = (Figures(metrics, {}).text(key) for metrics in baselines.values())
        rows.append((title, own.text(key), *others))
    labeled = own.count("pbc_acevedo_128.labeled")
    columns = ("Figure", "Classifier", *(f"Baseline: {name.replace('_', ' ')}" for name in baselines))
    return PlainTable(f"Single cells of pbc_acevedo_128 ({labeled} cells, 8 classes, even prior)", columns, tuple(rows))


def _single_cell_types(document: Document) -> PlainTable:
    own = _own(document)
    rows = tuple(
        (DISPLAY_NAMES[t], own.count(f"{p}.labeled"), own.text(f"{p}.recall"), own.text(f"{p}.precision"))
        for t in CellType
        for p in (f"pbc_acevedo_128.{t.value}",)
    )
    return PlainTable("Single cells by type", ("Type", "Cells", "Recall", "Precision"), rows)


def _confusion(document: Document) -> PlainTable:
    own = _own(document)
    rows = tuple(
        (DISPLAY_NAMES[t], *(own.count(f"pbc_acevedo_128.{t.value}.told_as_{told.value}") for told in CellType))
        for t in CellType
    )
    return PlainTable("True type (rows) and type told (columns)", ("True", *(DISPLAY_NAMES[t] for t in CellType)), rows)


def _found_cells(document: Document, data_set: str) -> PlainTable:
    own = _own(document)
    rows = []
    for name in (*(t.value for t in CellType), UNIDENTIFIED):
        prefix = f"{data_set}.{name}"
        if f"{prefix}.found_share" in own.metrics:
            figures = (f"{prefix}.{metric}" for metric in ("recall", "labeled_share", "found_share"))
            rows.append((DISPLAY_NAMES[name], own.count(f"{prefix}.labeled"), *map(own.text, figures)))
    task = f"{data_set}.differential"
    baseline = document["baselines"].get("most_frequent", {}).get(f"{task}.accuracy")
    for metric, title in (
        ("accuracy", "All: found and typed right"), ("accuracy_decided", "Right where decided"),
        ("balanced_accuracy", "Mean recall of types"), ("missed", "Missed"), ("unidentified", "Unidentified"),
    ):  # fmt: skip
        rows.append((title, own.count(f"{task}.labeled"), own.text(f"{task}.{metric}"), NONE, NONE))
    if baseline is not None:
        labeled = own.count(f"{task}.labeled")
        rows.append(("Baseline: always the most frequent type", labeled, f"{baseline:.3f}", NONE, NONE))
    columns = ("Type", "Labeled", "Share found and typed right", "Share of labeled", "Share of found")
    return PlainTable(f"Whole fields of {data_set}: cells found, then typed (clinical prior)", columns, tuple(rows))


_RED_CELL_TASKS = {
    "types": "Types at the points of the split, shipped weights",
    "types_found": "Types of the cells found there, shipped weights; one that was missed counts as wrong",
    "folds": "Types at the points, folds over blocks of fields",
}
"""What is told of red cells, by part of a key."""


def _redcells(document: Document) -> tuple[PlainTable, ...]:
    tasks = [task for task in _RED_CELL_TASKS if f"chula_rbc12.{task}.accuracy" in document["metrics"]]
    return (
        _red_cell_overview(document, tasks),
        *(_red_cell_types(document, task) for task in tasks),
        *(_red_cell_confusion(document, task) for task in tasks[-1:]),
        _red_cells_found(document),
        _anemias(document),
    )


def _red_cell_overview(document: Document, tasks: Iterable[str]) -> PlainTable:
    own, baselines = _own(document), document["baselines"]
    others = [name for name in ("most_frequent", "size_and_color") if name in baselines]
    titles = {
        "accuracy": "Accuracy", "macro_f1": "Macro F1, types that occur", "macro_f1_20": "Macro F1, 20 cells or more",
        "ece": "ECE, 15 equal-mass bins, debiased", "ece_plain": "ECE, not debiased", "brier": "Brier score (0 to 2)",
        "nll": "Negative log-likelihood (nats)",
    }  # fmt: skip
    rows = []
    for task in tasks:
        for name, title in titles.items():
            key = f"chula_rbc12.{task}.{name}"
            if own.has(key):
                simple = (Figures(baselines[other], {}).text(key) for other in others)
                rows.append((task, title, own.count(f"chula_rbc12.{task}.labeled"), own.text(key), *simple))
    columns = ("Task", "Figure", "Cells", "Classifier", *(f"Baseline: {name.replace('_', ' ')}" for name in others))
    return PlainTable("Types of red cells of chula_rbc12, intervals over blocks of fields", columns, tuple(rows))


def _red_cell_types(document: Document, task: str) -> PlainTable:
    own = _own(document)
    rows = tuple(
        (DISPLAY_NAMES[t], own.count(f"{p}.labeled"), *(own.text(f"{p}.{m}") for m in ("recall", "precision", "f1")))
        for t in RedCellType
        for p in (f"chula_rbc12.{task}.{t.value}",)
    )
    return PlainTable(_RED_CELL_TASKS[task], ("Type", "Cells", "Recall", "Precision", "F1"), rows)


def _red_cell_confusion(document: Document, task: str) -> PlainTable:
    own = _own(document)
    rows = tuple(
        (DISPLAY_NAMES[t], *(own.count(f"chula_rbc12.{task}.{t.value}.told_as_{o.value}") for o in RedCellType))
        for t in RedCellType
    )
    columns = ("True", *(DISPLAY_NAMES[t] for t in RedCellType))
    return PlainTable(f"True type (rows) and type told (columns): {task}", columns, rows)


def _red_cells_found(document: Document) -> PlainTable:
    rows = []
    for part, title in (("found_complete", "Completely labeled"), ("found", "All")):
        for method, figures in _methods(document).items():
            prefix = f"chula_rbc12.{part}"
            if figures.has(f"{prefix}.fields"):
                counts = (figures.count(f"{prefix}.{name}") for name in ("fields", "labeled", "found"))
                rates = (figures.text(f"{prefix}.{name}") for name in ("recall", "precision", "f1"))
                rows.append((title, method, *counts, *rates))
    columns = ("Fields", "Method", "Number", "Points", "Found", "Recall", "Precision", "F1")
    return PlainTable("Red cells of chula_rbc12 found within a radius of their point", columns, tuple(rows))


def _anemias(document: Document) -> PlainTable:
    own = _own(document)
    names = [prefix.split(".")[1] for prefix in _prefixes(document["metrics"], "share_poikilocytes")]
    shares = [*(t.value for t in RedCellType), "poikilocytes"]
    rows = [
        (
            DISPLAY_NAMES.get(share, "All abnormal shapes"),
            *(own.text(f"chula_rbc12_anemias.{n}.share_{share}") for n in names),
        )
        for share in shares
    ]
    for count in ("fields", "cells"):
        rows.append((count.capitalize(), *(own.count(f"chula_rbc12_anemias.{name}.{count}") for name in names)))
    columns = ("Type told", *(name.replace("_", " ").capitalize() for name in names))
    title = "Mean share of each type in the fields of five anemias; intervals over fields: a demonstration"
    return PlainTable(title, columns, tuple(rows))


def _speed(document: Document) -> tuple[PlainTable, ...]:
    methods = _methods(document)
    (asked, own), *others = methods.items()
    rows = []
    for prefix in _prefixes(document["metrics"], "fields_per_second"):
        for metric in ("fields_per_second", "cells_per_second"):
            key = f"{prefix}.{metric}"
            rows.append((prefix, metric.replace("_", " "), own.text(key, 2), *_beside(own, others, key)))
    for key in document["metrics"]:
        if key.endswith(("seconds_per_field", "_mib")):
            prefix, metric = key.rsplit(".", 1)
            rows.append((prefix, metric.replace("_", " "), own.text(key, 3), *_beside(own, others, key)))
    columns = ["Stage", "Figure", asked]
    for name, _ in others:
        columns += [name, f"{asked} / {name}"]
    return (PlainTable("Speed and memory", tuple(columns), tuple(rows)),)


def _report(document: Document) -> tuple[PlainTable, ...]:
    own = _own(document)
    names = _prefixes(document["metrics"], "html_mib")
    rows = [
        (
            name.removesuffix(".report"),
            own.count(f"{name}.fields"),
            own.count(f"{name}.cells"),
            own.text(f"{name}.seconds_per_field"),
            own.text(f"{name}.html_mib", 1),
            *(own.text(f"{name.removesuffix('.report')}.memory.{key}_mib", 0) for key in _MEMORY),
        )
        for name in names
    ]
    columns = ("Set", "Fields", "Cells", "Seconds a field", "report.html, MiB", "Memory settled, MiB", "At the end")
    return (PlainTable("Whole runs: every artefact written", (*columns, "Growth", "Peak"), tuple(rows)),)


def _beside(own: Figures, others: Iterable[tuple[str, Figures]], key: str) -> Iterable[str]:
    """Yield each baseline's figure and the ratio of the own one to it."""
    for _, figures in others:
        mine, theirs = own.metrics.get(key), figures.metrics.get(key)
        yield figures.text(key, 3)
        yield f"{mine / theirs:.2f}" if mine is not None and theirs else NONE


def _prefixes(metrics: Mapping[str, object], metric: str) -> list[str]:
    """Return what stands before ``.<metric>`` in the keys that end so, in their order."""
    return [key.removesuffix(f".{metric}") for key in metrics if key.endswith(f".{metric}")]


_TABLES: Mapping[str, Callable[[Document], tuple[PlainTable, ...]]] = {
    "detection": _detection,
    "segmentation": _segmentation,
    "classification": _classification,
    "redcells": _redcells,
    "speed": _speed,
    "report": _report,
    **PROTOCOL_TABLES,
    "leukemia": leukemia_tables,
    "malaria": malaria_tables,
    "conformal": conformal_tables,
    "synthetic": synthetic_tables,
    "counterfactuals": counterfactual_tables,
    "shortcuts": shortcut_tables,
    "cohorts": cohort_tables,
    "bag-speed": bag_speed_tables,
}
