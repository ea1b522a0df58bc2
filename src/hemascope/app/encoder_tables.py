"""Tables of the benchmark ``encoders``."""

from __future__ import annotations

from hemascope.app.plain_table import Document, Figures, PlainTable

_COLUMNS = (
    "Encoder", "Backend", "Precision", "Cells/s", "Batch", "Times the reference", "Cosine: mean", "1st percentile",
    "Least", "Accuracy of neighbors", "Told alike", "MiB",
)  # fmt: skip


def encoder_tables(document: Document) -> tuple[PlainTable, ...]:
    """Return one row an encoder, backend and precision, and one an encoder on its crops."""
    own, notes = Figures(document["metrics"], document["intervals"]), document["provenance"]
    keys = [k.removesuffix(".cells_per_second") for k in document["metrics"] if k.endswith(".cells_per_second")]
    rows = []
    for key in keys:
        cosines = (own.text(f"{key}.cosine_{name}", 5) for name in ("mean", "percentile_1", "min"))
        rows.append(
            (
                *key.split("."),
                own.text(f"{key}.cells_per_second", 1),
                own.count(f"{key}.batch"),
                own.text(f"{key}.ratio", 2),
                *cosines,
                own.text(f"{key}.accuracy"),
                own.text(f"{key}.told_alike"),
                own.text(f"{key}.memory_mib", 0),
            )
        )
    spread = []
    for name in dict.fromkeys(key.split(".")[0] for key in keys):
        weights = "seeded values, no weights" if name in notes["seeded_weights"] else "its own"
        between = (own.text(f"{name}.crops.cosine_between_{which}", 4) for which in ("mean", "max"))
        spread.append((name, weights, *between, own.text(f"{name}.crops.transform_seconds_per_cell", 5)))
    lacking = tuple((key, why) for key, why in notes["absent"].items())
    return (
        PlainTable(f"Backends and precisions beside {notes['reference']}, two threads", _COLUMNS, tuple(rows)),
        PlainTable(
            "Crops: cosines between embeddings of different ones",
            ("Encoder", "Weights", "Mean", "Greatest", "Transform, s a cell"),
            tuple(spread),
        ),
        PlainTable("Not measured", ("Variant", "Why"), lacking),
    )
