"""Tables of the benchmark ``synthetic``."""

from __future__ import annotations

from hemascope.app.plain_table import Document, Figures, PlainTable
from hemascope.core.taxonomy import DISPLAY_NAMES, CellType

_SET = "pbc_acevedo_128"
_ROWS = {
    "synthetic": "Synthetic",
    "real": "Real, learned from",
    "blurred": "Real, learned from, blurred",
    "shuffled": "Real, learned from, types shuffled",
}
_LIKENESS = ("frechet", "kernel", "precision", "recall", "class_frechet", "class_kernel", "told_as_asked")
_LIKENESS_SHOWN = (
    "Fréchet", "Kernel distance", "Precision", "Recall", "Fréchet within types", "Kernel distance within types",
    "Told as asked",
)  # fmt: skip
_MIXTURES = {
    "real": ("Real cells alone", "nothing"),
    "weighted": ("Real cells, counted twice", "nothing"),
    "gaussian": ("and embeddings of a Gaussian", "the real cells of the row"),
    "pixels": ("and synthetic cells", "all training cells: seen"),
}
_SHOTS = ("10", "20", "50", "all")


def synthetic_tables(document: Document) -> tuple[PlainTable, ...]:
    """Return how like real cells synthetic ones are, over all and by type, how like copies, and what they add."""
    own, encoders = Figures(document["metrics"], document["intervals"]), document["provenance"]["encoders"]
    seen = {name: "seen" if about["seen"] else "unseen" for name, about in encoders.items()}
    each = document["n"]["synthetic_each"]
    return (
        _likeness(own, seen, each),
        _by_type(own, seen, each),
        _copies(own, ("pixels", *encoders)),
        _guidance(own, document["provenance"]["generator"]["guidance"]),
        *(_mixing(own, seen, metric, title) for metric, title in _METRICS.items()),
    )


_METRICS = {"balanced_accuracy": "Balanced accuracy", "accuracy": "Accuracy"}


def _likeness(own: Figures, seen: dict[str, str], each: int) -> PlainTable:
    rows = tuple(
        (name, mark, shown, *(own.text(f"{_SET}.{name}.{row}.{figure}") for figure in _LIKENESS))
        for name, mark in seen.items()
        for row, shown in _ROWS.items()
    )
    columns = ("Encoder", "Labels of PBC", "Cells", *_LIKENESS_SHOWN)
    return PlainTable(f"Against {each} real cells of each type not learned from, as many in every row", columns, rows)


def _by_type(own: Figures, seen: dict[str, str], each: int) -> PlainTable:
    rows = []
    for name in seen:
        for cell_type in CellType:
            key = f"{_SET}.{name}.{{}}.{cell_type.value}.{{}}"
            pairs = (own.text(key.format(r, f)) for f in ("frechet", "kernel", "told_as_asked") for r in _PAIR)
            rows.append((name, DISPLAY_NAMES[cell_type], *pairs))
    columns = ("Encoder", "Type", *(f"{figure}: {row}" for figure in _SHOWN for row in _PAIR))
    return PlainTable(f"By type, {each} cells each; real: learned from, told: held out", columns, tuple(rows))


_PAIR = ("synthetic", "real")
_SHOWN = ("Fréchet", "Kernel distance", "Told as asked")


def _copies(own: Figures, ways: tuple[str, ...]) -> PlainTable:
    figures = ("median_over_real", "nearer_than_real", "ratio_below_real", "copies_found")
    rows = tuple((way, *(own.text(f"{_SET}.memory.{way}.{figure}") for figure in figures)) for way in ways)
    columns = (
        "Measured by", "Median distance / that of held-out cells", "Nearer than all but 1% of these",
        "Ratio below that of all but 1%", "Deliberate copies found",
    )  # fmt: skip
    return PlainTable("Synthetic cells and the training cell nearest to each", columns, rows)


def _guidance(own: Figures, default: float) -> PlainTable:
    end = ".told_as_asked"
    keys = [key.removesuffix(end) for key in own.metrics if key.startswith(f"{_SET}.guidance.") and key.endswith(end)]
    rows = []
    for key in keys:
        encoder, percent = key.removeprefix(f"{_SET}.guidance.").rsplit(".", 1)
        mark = f"{int(percent) / 100:g}{' (default)' if int(percent) == round(100 * default) else ''}"
        rows.append((encoder, mark, *(own.text(f"{key}.{figure}") for figure in _LIKENESS)))
    columns = ("Encoder", "Guidance", *_LIKENESS_SHOWN)
    return PlainTable("Guidance, by validation cells alone; fewer cells than above", columns, tuple(rows))


def _mixing(own: Figures, seen: dict[str, str], metric: str, title: str) -> PlainTable:
    rows = []
    for name, mark in seen.items():
        for mixture, (shown, saw) in _MIXTURES.items():
            figures = (_with_spread(own, f"{_SET}.mixing.{name}.{mixture}.{shots}.{metric}") for shots in _SHOTS)
            rows.append((name, mark, shown, saw, *figures))
    columns = ("Encoder", "Labels of PBC", "Learned from", "Generator saw", *(f"{n} real cells a type" for n in _SHOTS))
    return PlainTable(f"{title} on the test split of real cells, linear probe", columns, tuple(rows))


def _with_spread(own: Figures, key: str) -> str:
    spread = own.metrics.get(f"{key}_spread")
    return own.text(key) if spread is None else f"{own.text(key)} ({spread:.3f})"
