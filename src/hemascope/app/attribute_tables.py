"""Tables of the benchmark of attributes and subtypes."""

from __future__ import annotations

from hemascope.app.plain_table import Document, Figures, PlainTable

SUBTYPES = ("neutrophil_form", "granulocyte_stage")


def attribute_tables(document: Document) -> tuple[PlainTable, ...]:
    """Return a row a question and choice of encoders, and what each subtype was told as."""
    own = Figures(document["metrics"], document["intervals"])
    always = Figures(document["baselines"]["most_frequent"], {})
    keys = [key.removesuffix(".accuracy") for key in document["metrics"] if key.endswith(".accuracy")]
    rows = tuple(
        (
            key.split(".")[2].replace("_", " "),
            key.split(".")[1],
            own.count(f"{key}.labeled"),
            own.text(f"{key}.accuracy"),
            always.text(f"{key}.accuracy"),
            own.text(f"{key}.macro_f1"),
            always.text(f"{key}.macro_f1"),
        )
        for key in sorted(keys, key=lambda key: _order(key, keys))
    )
    columns = ("Asked", "Encoder", "Cells", "Accuracy", "Most frequent", "Macro-F1", "Most frequent")
    tables = [PlainTable("Attributes and subtypes of cells", columns, rows)]
    tables += [_told(document, own, key) for key in keys if key.split(".")[2] in SUBTYPES]
    return tuple(tables)


def _order(key: str, keys: list[str]) -> tuple[int, int]:
    """Return the place of a question, then of its encoder: rows to be compared stand together."""
    questions = list(dict.fromkeys(other.split(".")[2] for other in keys))
    return questions.index(key.split(".")[2]), keys.index(key)


def _told(document: Document, own: Figures, key: str) -> PlainTable:
    pairs = [
        name.removeprefix(f"{key}.")
        for name in document["metrics"]
        if name.startswith(f"{key}.") and ".told_as_" in name
    ]
    values = list(dict.fromkeys(pair.split(".told_as_")[0] for pair in pairs))
    told = list(dict.fromkeys(pair.split(".told_as_")[1] for pair in pairs))
    rows = tuple((true, *(own.count(f"{key}.{true}.told_as_{value}") for value in told)) for true in values)
    _, encoder, question = key.split(".")
    return PlainTable(
        f"{question.replace('_', ' ').capitalize()} by {encoder}: true against told", ("True", *told), rows
    )
