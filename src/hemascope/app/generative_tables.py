"""Tables of the benchmark ``generative``: one a protocol, discriminative rows first."""

from __future__ import annotations

from collections.abc import Sequence

from hemascope.app.plain_table import NONE, Document, Figures, PlainTable
from hemascope.app.target_cells import PBC, TARGETS

_DISCRIMINATIVE = ("network", "linear_probe", "network_adapted", "knn")
_JUDGED = {
    "balanced_accuracy": "Balanced accuracy",
    "gain": "Gain over the network",
    "correct_wrong_auc": "Correct-versus-wrong AUC",
    "defer": "To defer for 99.5%, best threshold",
    "deferred": "Deferred by validation's threshold",
    "accuracy_kept": "Accuracy of the rest",
    "aurc": "AURC",
    "ece": "ECE",
}
_PSYCHOMETRIC = ("guess", "lapse", "threshold", "spread", "deviance")
_KINDS = {True: "discriminative", False: "generative"}


def generative_tables(document: Document) -> tuple[PlainTable, ...]:
    """Return the tables of the protocols that were run."""
    tables = (
        _judged(document, "in_domain", "PBC, eight types, all labels"),
        _psychometric(document, "in_domain"),
        _judged(document, "pixels", "PBC, eight types, denoiser of images on an even sample"),
        _cost(document),
        _cascade(document),
        _low_data(document),
        _left_out(document),
        _shift(document),
    )
    return tuple(table for table in tables if table.rows)


def _own(document: Document) -> Figures:
    return Figures(document["metrics"], document["intervals"])


def _kind(row: str) -> str:
    """Return which kind a row is of, by the last part of its name that says it."""
    return _KINDS[any(part in _DISCRIMINATIVE for part in row.split("."))]


def _rows(document: Document, prefix: str, metric: str) -> list[str]:
    """Return what stands between a prefix and a metric in the keys, in their order, discriminative rows first."""
    keys = [key for key in document["metrics"] if key.startswith(f"{prefix}.") and key.endswith(f".{metric}")]
    rows = [key[len(prefix) + 1 : -len(metric) - 1] for key in keys]
    return sorted(rows, key=_kind)


def _judged(document: Document, protocol: str, what: str) -> PlainTable:
    own, prefix = _own(document), f"{PBC}.{protocol}"
    rows = tuple(
        (*_named(row), _kind(row), *(own.text(f"{prefix}.{row}.{metric}") for metric in _JUDGED))
        for row in _rows(document, prefix, "correct_wrong_auc")
    )
    return PlainTable(what, ("Embedding", "Classifier", "Kind", *_JUDGED.values()), rows)


def _psychometric(document: Document, protocol: str) -> PlainTable:
    own, prefix = _own(document), f"{PBC}.{protocol}"
    rows = []
    for row in _rows(document, prefix, "psychometric_guess"):
        key = f"{prefix}.{row}"
        parameters = (own.text(f"{key}.psychometric_{name}", 2) for name in _PSYCHOMETRIC)
        zetas = (own.text(f"{key}.zeta_{name}_auc") for name in ("corrected", "published"))
        rows.append((*_named(row), *parameters, *zetas))
    columns = ("Embedding", "Classifier", "Gamma", "Lambda", "Mu", "Sigma", "Deviance", "AUC of zeta", "Published zeta")
    title = "Psychometric function of the confidence: log odds, or minus the distance (mahalanobis)"
    return PlainTable(title, columns, tuple(rows))


def _cost(document: Document) -> PlainTable:
    own, prefix = _own(document), f"{PBC}.pixels"
    rows: list[tuple[str, ...]] = []
    for way in ("fixed", "adaptive"):
        key = f"{prefix}.{way}"
        if own.has(f"{key}.passes"):
            costs = (own.text(f"{key}.{name}", 1) for name in ("passes", "milliseconds"))
            rows.append((way, own.text(f"{key}.balanced_accuracy"), *costs))
    if rows:
        ratios = (own.text(f"{prefix}.cost.{name}_ratio") for name in ("passes", "time"))
        rows.append(("adaptive / fixed", NONE, *ratios))
    columns = ("Trials", "Balanced accuracy", "Passes a cell", "Milliseconds a cell")
    return PlainTable("Denoiser of images: every trial, and trials as needed, in turns", columns, tuple(rows))


def _cascade(document: Document) -> PlainTable:
    own, rows = _own(document), []
    for protocol, second in (("in_domain", "denoiser of embeddings"), ("pixels", "denoiser of images")):
        prefix = f"{PBC}.{protocol}"
        budgets = [row for row in _rows(document, prefix, "passed_on") if row.startswith("cascade.")]
        for row in sorted(budgets, key=lambda name: float(name.removeprefix("cascade."))):
            digits = {"passes": 1, "passed_on": 3, "balanced_accuracy": 4}
            rows.append((second, *(own.text(f"{prefix}.{row}.{name}", count) for name, count in digits.items())))
    columns = ("Second", "Passes a cell", "Passed on", "Balanced accuracy")
    return PlainTable("The network first, a denoiser for what it is unsure of", columns, tuple(rows))


def _low_data(document: Document) -> PlainTable:
    own, prefix = _own(document), f"{PBC}.low_data"
    found = [row.rsplit(".", 1) for row in _rows(document, prefix, "balanced_accuracy")]
    shots = sorted({count for _, count in found}, key=int)
    rows = tuple(
        (*_named(row), _kind(row), *(_with_spread(own, f"{prefix}.{row}.{count}.balanced_accuracy") for count in shots))
        for row in dict.fromkeys(row for row, _ in found)
    )
    columns = ("Embedding", "Classifier", "Kind", *(f"{count} a class" for count in shots))
    return PlainTable("Balanced accuracy from few labels, mean of draws with interval (deviation)", columns, rows)


def _left_out(document: Document) -> PlainTable:
    own, prefix = _own(document), f"{PBC}.left_out"
    metrics = _metrics_of(document, prefix)
    rows = []
    for row in dict.fromkeys(row for metric in metrics for row in _rows(document, prefix, metric)):
        cell_type, score = row.split(".", 1)
        figures = (own.text(f"{prefix}.{row}.{metric}") for metric in metrics)
        rows.append((cell_type.replace("_", " "), *_named(score), *figures))
    columns = ("Left out", "Encoder", "Score", *(metric.replace("_", " ") for metric in metrics))
    return PlainTable("A type left out of all training, told as new", columns, tuple(rows))


def _shift(document: Document) -> PlainTable:
    own = _own(document)
    rows = tuple(
        (
            *_named(row.rsplit(".", 1)[0]), row.rsplit(".", 1)[1], _kind(row),
            *(own.text(f"{name}.shift.{row}.mean_recall") for name in TARGETS),
            own.text(f"mean.shift.{row}.mean_recall"), own.text(f"mean.shift.{row}.gain"),
        )
        for row in _rows(document, "mean.shift", "gain")
    )  # fmt: skip
    columns = ("Embedding", "Classifier", "Prior", "Kind", *TARGETS, "Mean recall", "Gain over the network")
    return PlainTable("Learned on PBC alone, asked about other laboratories", columns, rows)


def _metrics_of(document: Document, prefix: str) -> Sequence[str]:
    keys = [key for key in document["metrics"] if key.startswith(f"{prefix}.")]
    return list(dict.fromkeys(key.rsplit(".", 1)[1] for key in keys))


def _named(row: str) -> tuple[str, str]:
    """Return embedding and classifier of a row; an embedding may have dots in its name, a classifier none."""
    embedding, _, classifier = row.rpartition(".")
    return embedding or NONE, classifier.replace("_", " ")


def _with_spread(own: Figures, key: str) -> str:
    spread = own.metrics.get(f"{key}_spread")
    return own.text(key) if spread is None else f"{own.text(key)} ({spread:.3f})"
