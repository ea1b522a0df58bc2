"""Tables of the malaria benchmark."""

from __future__ import annotations

from hemascope.app.plain_table import Document, Figures, PlainTable

_ROWS = {
    "network.gated_attention": "Encoder trained with gated attention",
    "network.evidence": "The same encoder, evidence of single cells",
    "descriptors.gated_attention": "Dark spots as numbers, gated attention",
    "descriptors.evidence": "Dark spots as numbers, evidence of single cells",
    "both": "Mean of the two evidences",
}
"""Rows by part of a key."""

_CONTROLS = {
    "control.gray_histogram": "22 numbers of gray, the same bags",
    "control.gray_histogram_all_cells": "22 numbers of gray, all cells",
    "control.gray_percentiles": "20 percentiles of gray, mean and deviation, the same bags",
    "control.gray_percentiles_all_cells": "20 percentiles of gray, mean and deviation, all cells",
    "control.cells_before_drawing": "Number of cells before bags are drawn",
}


def malaria_tables(document: Document) -> tuple[PlainTable, ...]:
    """Return the figures of patients and of attention, and the controls beside them."""
    own = Figures(document["metrics"], document["intervals"])
    rows = tuple(
        (
            title,
            own.text(f"{row}.patient_auroc"),
            own.text(f"{row}.patient_auroc_within_folds"),
            own.text(f"{row}.patient_auroc_set_test"),
            own.text(f"{row}.cell_auroc.within"),
            own.text(f"{row}.cell_auroc.pooled"),
        )
        for row, title in _ROWS.items()
    )
    controls = tuple((title, own.text(f"{row}.patient_auroc")) for row, title in _CONTROLS.items())
    many = tuple(
        (title, own.text(f"{row}.many_draws.patient_auroc"))
        for row, title in _ROWS.items()
        if own.has(f"{row}.many_draws.patient_auroc")
    )
    columns = ("Row", "AUROC of patients", "Mean of folds", "Test patients of the set")
    return (
        PlainTable(
            "Malaria, patients left out by folds, bags of one size, taught by labels of patients alone",
            (*columns, "AUROC of cells in a bag", "Of cells, pooled"),
            rows,
        ),
        PlainTable("The same asked by the mean of many such bags of a patient", ("Row", "AUROC of patients"), many),
        PlainTable("Controls: what needs no look at single cells", ("Control", "AUROC of patients"), controls),
    )
