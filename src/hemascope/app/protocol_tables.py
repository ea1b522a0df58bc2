"""Tables of the protocols that compare encoders and classifiers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hemascope.app.attribute_tables import attribute_tables
from hemascope.app.cost_tables import cost_tables
from hemascope.app.encoder_tables import encoder_tables
from hemascope.app.generative_tables import generative_tables
from hemascope.app.plain_table import Document, Figures, PlainTable

_SEEN = {True: "seen", False: "unseen"}


def _figures(document: Document) -> Figures:
    return Figures(document["metrics"], document["intervals"])


def _mark(document: Document, encoder: str) -> str:
    return _SEEN[bool(document["provenance"]["encoders"][encoder]["seen"])]


def few_shot_tables(document: Document) -> tuple[PlainTable, ...]:
    """Return one row an encoder and method, one column a number of labels."""
    own, prefix = _figures(document), "pbc_acevedo_128"
    rows_of = _nested(key.split(".")[1:4] for key in document["metrics"] if key.endswith(".balanced_accuracy"))
    shots = list(dict.fromkeys(n for methods in rows_of.values() for numbers in methods.values() for n in numbers))
    unlabeled = document["provenance"]["unlabeled_images_seen"]
    tables = []
    for metric, title in (("accuracy", "Accuracy"), ("balanced_accuracy", "Balanced accuracy")):
        rows = tuple(
            (
                encoder,
                _mark(document, encoder),
                method.replace("_", " "),
                "yes" if method in unlabeled else "no",
                *(_with_spread(own, f"{prefix}.{encoder}.{method}.{n}.{metric}") for n in shots),
            )
            for encoder, methods in rows_of.items()
            for method in methods
        )
        columns = ("Encoder", "Labels of PBC", "Classifier", "Unlabeled images", *(f"{n} a class" for n in shots))
        tables.append(PlainTable(f"{title} from few labels, mean of draws [interval] (deviation)", columns, rows))
    return tuple(tables)


def transfer_tables(document: Document) -> tuple[PlainTable, ...]:
    """Return the rows by source, which variant was chosen for each, and every variant's mean."""
    own = _figures(document)
    sources = [name for name in document["n"] if f"{name}." in "".join(_first_parts(document))]
    rows, variants = [], []
    for key in document["metrics"]:
        if not (key.startswith("mean.") and key.endswith(".mean_recall")):
            continue
        encoder, row = _split_row(document, key.removeprefix("mean.").removesuffix(".mean_recall"))
        if row.startswith("variant."):
            variants.append((encoder, row.removeprefix("variant."), own.text(key)))
            continue
        by_source = (own.text(f"{name}.{encoder}.{row}.mean_recall") for name in sources)
        rows.append((encoder, _mark(document, encoder), row, *by_source, own.text(key)))
    chosen = tuple(
        (encoder, head, *(by[name] for name in sources))
        for encoder, heads in document["provenance"]["chosen_by_others"].items()
        for head, by in heads.items()
    )
    return (
        PlainTable(
            "Mean recall of types with 10 cells or more, trained on PBC alone",
            ("Encoder", "Target images", "Row", *sources, "Mean"),
            tuple(rows),
        ),
        PlainTable("Variant chosen for each source by the others' labels", ("Encoder", "Classifier", *sources), chosen),
        PlainTable(
            "Every variant's mean over the sources, for the record: nothing is chosen by this table",
            ("Encoder", "Variant", "Mean recall"),
            tuple(variants),
        ),
    )


def blast_tables(document: Document) -> tuple[PlainTable, ...]:
    """Return the mean area under the curve of every method, and that of each split."""
    own = _figures(document)
    rows_of = [
        key.removeprefix("mean.").removesuffix(".auroc")
        for key in document["metrics"]
        if key.startswith("mean.") and key.endswith(".auroc")
    ]
    rows = tuple(
        (
            row,
            _SEEN[bool(document["provenance"]["seen"].get(row.split("|")[0], False))],
            own.text(f"mean.{row}.auroc"),
            own.text(f"mean.{row}.lowest"),
            own.text(f"mean.{row}.over_baseline"),
        )
        for row in rows_of
    )
    columns = ("Method", "Images of the set", "Mean AUROC of 18 splits", "Lowest", "Over area and color")
    splits = [key.removesuffix(f".{rows_of[0]}.auroc") for key in document["metrics"] if key.startswith("split.")]
    splits = [name for name in dict.fromkeys(splits) if name.count(".") == 1]
    each = tuple(
        (name.removeprefix("split."), *(own.text(f"{name}.{row}.auroc") for row in rows_of)) for name in splits
    )
    return (
        PlainTable("Blasts and normal cells of subjects left out, by cell", columns, rows),
        PlainTable("Each pair of subjects left out", ("Left out", *rows_of), each),
        *_sub_bag_tables(document, own),
    )


def _sub_bag_tables(document: Document, own: Figures) -> tuple[PlainTable, ...]:
    """Return the figures of sub-bags by their size; nothing where none were asked for."""
    keys = [key for key in document["metrics"] if key.startswith("sub_bags.") and key.endswith(".auroc")]
    rows = tuple(
        (
            key.split(".")[1],
            ".".join(key.split(".")[2:-1]),
            *(own.text(f"{key.removesuffix('.auroc')}.{name}") for name in _SUB_BAG_FIGURES),
        )
        for key in keys
    )
    columns = ("Cells", "Method", "Mean AUROC of 18 splits", "Lowest", "Over area and color", "Over it by single cells")
    return (PlainTable("Sub-bags of the subjects left out", columns, rows),) if rows else ()


_SUB_BAG_FIGURES = ("auroc", "lowest", "over_baseline", "over_single_cells")

PROTOCOL_TABLES: Mapping[str, Callable[[Document], tuple[PlainTable, ...]]] = {
    "fewshot": few_shot_tables,
    "attributes": attribute_tables,
    "transfer": transfer_tables,
    "blasts": blast_tables,
    "encoders": encoder_tables,
    "generative": generative_tables,
    "diffusion-cost": cost_tables,
}
"""Name of a benchmark to what makes its tables."""


def _with_spread(own: Figures, key: str) -> str:
    spread = own.metrics.get(f"{key}_spread")
    return own.text(key) if spread is None else f"{own.text(key)} ({spread:.3f})"


def _nested(parts: Iterable[list[str]]) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for encoder, method, number in parts:
        found.setdefault(encoder, {}).setdefault(method, []).append(number)
    return found


def _first_parts(document: Document) -> list[str]:
    return [key for key in document["metrics"] if key.endswith(".types")]


def _split_row(document: Document, text: str) -> tuple[str, str]:
    encoder = next(name for name in document["provenance"]["encoders"] if text.startswith(f"{name}."))
    return encoder, text.removeprefix(f"{encoder}.")
