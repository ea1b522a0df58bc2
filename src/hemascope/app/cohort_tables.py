"""Tables of the benchmark ``cohorts``: every method beside the best that anybody could answer."""

from __future__ import annotations

from hemascope.app.plain_table import Document, Figures, PlainTable
from hemascope.synth.cohort.presets import DIFFICULTIES, MARKERS

SHOWN = {
    "best_possible": "Best possible",
    "cell_states": "Cell states (ours)",
    "gated_attention": "Gated attention, recipe myeloma",
    "mean.logistic": "Mean of the cells, logistic regression",
    "max.logistic": "Greatest of the cells, logistic regression",
}
"""Method to what a table calls it."""


def cohort_tables(document: Document) -> tuple[PlainTable, ...]:
    """Return a table a difficulty of ``myeloma-720``, one against mean pooling, and one of ``eight-classes``."""
    own, counts = Figures(document["metrics"], document["intervals"]), document["n"]
    cohorts = f"{counts['cohorts_each']} cohorts, {counts['myeloma-720.test_patients']} test patients"
    tables = [_markers(own, f"myeloma-720-{name}", cohorts) for name in DIFFICULTIES]
    return (*tables, _over_mean(own), _classes(own, counts))


def _markers(own: Figures, law: str, cohorts: str) -> PlainTable:
    keys = ("auroc", "short_of_best", *(f"auroc.{marker}" for marker in MARKERS), "attention")
    rows = [
        (title, *(own.text(f"{law}.{method}.{key}") for key in keys))
        for method, title in SHOWN.items()
        if own.has(f"{law}.{method}.auroc")
    ]
    columns = ("Method", "Mean AUROC", "Short of the best", *MARKERS, "Attention: AUROC of informative cells")
    return PlainTable(f"{law}: {cohorts}", columns, tuple(rows))


def _over_mean(own: Figures) -> PlainTable:
    rows = [
        (
            SHOWN[method],
            law,
            own.text(f"{law}.{method}.over_mean_pooling"),
            own.text(f"{law}.{method}.over_mean_pooling.first"),
            own.text(f"{law}.{method}.over_mean_pooling.p", 4),
        )
        for method in ("cell_states", "gated_attention")
        for law in (f"myeloma-720-{name}" for name in DIFFICULTIES)
        if own.has(f"{law}.{method}.over_mean_pooling")
    ]
    columns = ("Method", "Cohorts", "Mean AUROC over mean pooling", "First cohort, patients resampled", "p")
    return PlainTable("Learned states, and gated attention, against the mean of the same cells", columns, tuple(rows))


def _classes(own: Figures, counts: dict[str, int]) -> PlainTable:
    keys = ("accuracy", "of_best", "top_2", "hemoglobin.r", "hemoglobin.mae")
    rows = [
        (title, *(own.text(f"eight-classes.{method}.{key}") for key in keys))
        for method, title in SHOWN.items()
        if own.has(f"eight-classes.{method}.accuracy")
    ]
    columns = ("Method", "Accuracy", "Of the best", "Top-2", "Hemoglobin: r", "Mean absolute error, g/dL")
    title = f"eight-classes: {counts['cohorts_each']} cohorts, {counts['eight-classes.test_patients']} test patients"
    return PlainTable(title, columns, tuple(rows))
