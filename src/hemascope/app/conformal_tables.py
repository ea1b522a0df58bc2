"""Tables of the benchmark ``conformal``."""

from __future__ import annotations

from hemascope.app.plain_table import Document, Figures, PlainTable
from hemascope.app.target_cells import PBC, TARGETS

_SCORES = {"lac": "LAC", "aps": "APS, randomized", "raps": "RAPS, randomized"}
_ROWS = {
    "card": ("As in a report: LAC by type, type told included", "nothing"),
    "pbc.lac.marginal": ("Calibrated on PBC, LAC", "nothing"),
    "pbc.lac.by_type": ("Calibrated on PBC, LAC by type", "nothing"),
    "pbc.aps.by_type": ("Calibrated on PBC, APS by type", "nothing"),
    "prior.lac.marginal": ("Shares of types estimated there (EM), LAC", "cells without labels"),
    "weighted.lac.marginal": ("Weighted by look (covariate shift), LAC", "cells without labels"),
    "few.lac.marginal": ("Recalibrated there, LAC", "at most {few} labeled cells"),
    "half.lac.marginal": ("Recalibrated there, LAC", "half of its groups, labeled"),
    "half.aps.marginal": ("Recalibrated there, APS", "half of its groups, labeled"),
}
"""Row of a key to what it is and what calibration saw of the source."""


def conformal_tables(document: Document) -> tuple[PlainTable, ...]:
    """Return coverage and size over resplits, with limits from validation, and on other sources."""
    own, notes = Figures(document["metrics"], document["intervals"]), document["provenance"]
    encoders = {name: f"{name}, {facts['head'].replace('_', ' ')}" for name, facts in notes["encoders"].items()}
    level = f"{1 - notes['alpha']:.0%}"
    return (
        _resplits(own, encoders, level, notes["resplits"]),
        _validation_to_test(own, encoders),
        *(_away(own, name, title, level, notes) for name, title in encoders.items()),
    )


def _resplits(own: Figures, encoders: dict[str, str], level: str, resplits: int) -> PlainTable:
    rows = []
    for encoder, title in encoders.items():
        for score, called in _SCORES.items():
            for by in ("marginal", "by_type"):
                prefix = f"{PBC}.{encoder}.resplits.{score}.{by}"
                figures = (own.text(f"{prefix}.{name}") for name in ("coverage", "lowest_type_coverage", "size"))
                shares = (own.text(f"{prefix}.{name}") for name in ("single", "empty"))
                rows.append((title, f"{called}, {by.replace('_', ' ')}", *figures, *shares))
    columns = ("Classifier", "Sets", "Coverage", "Lowest of a type", "Mean size", "One type", "Empty")
    title = f"Prediction sets at {level} on {PBC}: mean of {resplits} resplits [central 95% of resplits]"
    return PlainTable(title, columns, tuple(rows))


def _validation_to_test(own: Figures, encoders: dict[str, str]) -> PlainTable:
    rows = []
    for encoder, title in encoders.items():
        for stated in ("0.90", "0.95", "0.99"):
            prefix = f"{PBC}.{encoder}.validation_to_test.{stated}"
            names = ("coverage", "lowest_type_coverage", "size", "single", "accuracy_single")
            rows.append((title, f"{float(stated):.0%}", *(own.text(f"{prefix}.{name}") for name in names)))
    columns = ("Classifier", "Stated", "Coverage", "Lowest of a type", "Mean size", "One type", "Right where one type")
    return PlainTable("Sets as in a report: limits from validation, measured on the test split", columns, tuple(rows))


def _away(own: Figures, encoder: str, title: str, level: str, notes: Document) -> PlainTable:
    labels = notes["encoders"][encoder]["labels"]
    rows = [
        ("Accuracy", "", *(own.text(f"{name}.{encoder}.accuracy") for name in TARGETS), ""),
        ("Cells", "", *(own.count(f"{name}.{encoder}.cells") for name in TARGETS), ""),
        ("Labels of it seen in training", "", *(labels[name] for name in TARGETS), ""),
    ]
    for row, (what, seen) in _ROWS.items():
        each = (_pair(own, f"{name}.{encoder}.{row}") for name in TARGETS)
        mean = f"{_pair(own, f'mean.{encoder}.{row}')}; off by {own.text(f'mean.{encoder}.{row}.off')}"
        rows.append((what, seen.format(few=notes["few"]), *each, mean))
    columns = ("Sets", "Calibration saw of the source", *TARGETS, "Mean")
    return PlainTable(f"Coverage (mean size) at {level} on other sources: {title}", columns, tuple(rows))


def _pair(own: Figures, prefix: str) -> str:
    size = own.metrics.get(f"{prefix}.size")
    return own.text(f"{prefix}.coverage") + ("" if size is None else f" ({size:.1f})")
