"""Tables of the leukemia benchmark."""

from __future__ import annotations

from collections.abc import Iterable

from hemascope.app.plain_table import NONE, Document, Figures, PlainTable
from hemascope.data.taleqani import SUBTYPES

_SET = "taleqani_all"

_NETWORKS = {
    "hmscam": "HMSCAM (MSCA, CSA and DAR)",
    "resnet50": "ResNet50 (none of them)",
    "msca": "MSCA alone",
    "csa": "CSA alone",
    "gates_alone": "DAR alone: gates without attention",
    "msca_csa": "MSCA and CSA, even gates",
    "alexnet": "AlexNet",
    "vit": "Vision Transformer",
}
"""Networks by part of a key."""

_VIEWS = {"background": "HMSCAM, cells painted out", "hsv": "HMSCAM, color threshold in HSV"}

_ROTATED = {
    "color_only": "Color only: nine numbers, nearest neighbor",
    "background_color": "Color of the background: cells painted out",
    "background_descriptors": "Descriptors of the background: cells painted out",
    "hmscam": "HMSCAM",
    "descriptors": "Descriptors of cells, linear probe",
    "hmscam_and_descriptors": "HMSCAM and descriptors, mean",
}
"""Methods on rotated clusters, the baselines first."""

_TASKS = {"subtypes": "4 classes", "malignant": "benign or malignant"}


def leukemia_tables(document: Document) -> tuple[PlainTable, ...]:
    """Return the tables of a run of the leukemia benchmark."""
    own = Figures(document["metrics"], document["intervals"])
    start = str(document["provenance"]["start"])
    return (
        _rotation(own, start),
        _clusters(own),
        _split(own, start),
        _seeds(own, start),
        *(
            _confusion(own, *shown)
            for shown in (("rotation.hmscam", "HMSCAM"), ("rotation.descriptors", "descriptors"))
        ),
        _shares(own),
        _robustness(own),
        _attention(own),
        _costs(own),
        _curves(own),
    )


def _rotation(own: Figures, start: str) -> PlainTable:
    rows = []
    for name, title in _ROTATED.items():
        prefix = f"{_SET}.rotation.{name}"
        rows.append(
            (
                title,
                own.text(f"{prefix}.accuracy_over_clusters"),
                own.text(f"{prefix}.above_color"),
                own.text(f"{prefix}.subtypes.macro_f1"),
                own.text(f"{prefix}.malignant.accuracy"),
                own.text(f"{prefix}.malignant.auroc"),
            )
        )
    rows.append(
        ("Color only, clusters not held out", own.text(f"{_SET}.random.color_only.subtypes.accuracy"), NONE,
         own.text(f"{_SET}.random.color_only.subtypes.macro_f1"),
         own.text(f"{_SET}.random.color_only.malignant.accuracy"), NONE)
    )  # fmt: skip
    columns = ("Method", "Accuracy, 4 classes", "Above color only", "Macro F1", "Benign or malignant", "AUROC of it")
    title = f"Stain clusters rotated through the test side, intervals over clusters; networks from {start}"
    return PlainTable(title, columns, tuple(rows))


def _clusters(own: Figures) -> PlainTable:
    prefix = f"{_SET}.rotation.color_only.cluster."
    names = [key.removeprefix(prefix) for key in own.metrics if key.startswith(prefix)]
    methods = ("color_only", "hmscam", "descriptors")
    rows = tuple((n, *(own.text(f"{_SET}.rotation.{m}.cluster.{n}") for m in methods)) for n in names)
    columns = ("Cluster held out", "Color only", "HMSCAM", "Descriptors")
    return PlainTable("Share told right of each stain cluster, 4 classes", columns, rows)


def _split(own: Figures, start: str) -> PlainTable:
    named = _NETWORKS | _VIEWS | {"descriptors": "Descriptors of cells, linear probe", "color_only": "Color only"}
    rows = []
    for name, title in named.items():
        for task, shown in _TASKS.items():
            prefix = f"{_SET}.split.{name}.{task}"
            figures = ("accuracy", "macro_f1", "auroc", "average_precision", "nll")
            rows.append((title, shown, *(own.text(f"{prefix}.{figure}") for figure in figures)))
    columns = ("Method", "Task", "Accuracy", "Macro F1", "AUROC", "Average precision", "NLL (nats)")
    return PlainTable(f"The set's own test split, first seed; networks from {start}", columns, tuple(rows))


def _seeds(own: Figures, start: str) -> PlainTable:
    rows = []
    for name, title in _NETWORKS.items():
        prefix = f"{_SET}.split.{name}.seeds"
        cells = []
        for task in _TASKS:
            for figure in ("accuracy", "macro_f1"):
                mean, spread, least, most = (
                    own.text(f"{prefix}.{task}.{figure}_{what}") for what in ("mean", "deviation", "least", "most")
                )
                single = own.metrics.get(f"{prefix}.{task}.{figure}_n") == 1
                cells.append(mean if single else f"{mean} ± {spread} ({least} to {most})")
        rows.append((title, own.count(f"{prefix}.subtypes.accuracy_n"), *cells))
    columns = ("Network", "Seeds", "Accuracy, 4 classes", "Macro F1", "Accuracy, benign or malignant", "Macro F1 of it")
    return PlainTable(f"Ablation and seeds: mean ± deviation (least to most); from {start}", columns, tuple(rows))


def _confusion(own: Figures, prefix: str, shown: str) -> PlainTable:
    rows = tuple(
        (
            true,
            *(own.count(f"{_SET}.{prefix}.subtypes.{true}.told_as_{other}") for other in SUBTYPES),
            own.text(f"{_SET}.{prefix}.subtypes.{true}.recall"),
        )
        for true in SUBTYPES
    )
    return PlainTable(
        f"True class (rows) and class told, clusters rotated: {shown}", ("True", *SUBTYPES, "Recall"), rows
    )


def _shares(own: Figures) -> PlainTable:
    named = [
        key.split(".")[2]
        for key in own.metrics
        if key.startswith(f"{_SET}.split.share") and key.endswith(".subtypes.accuracy")
    ]
    rows = []
    for name in (*named, "hmscam"):
        share = "100%" if name == "hmscam" else f"{name.removeprefix('share')}%"
        prefix = f"{_SET}.split.{name}"
        rows.append(
            (share, *(own.text(f"{prefix}.{task}.{figure}") for task in _TASKS for figure in ("accuracy", "macro_f1")))
        )
    columns = ("Share of training fields", "Accuracy, 4 classes", "Macro F1", "Benign or malignant", "Macro F1 of it")
    return PlainTable("HMSCAM by sample size, as many steps each, one seed", columns, tuple(rows))


def _robustness(own: Figures) -> PlainTable:
    compared = ("hmscam", "resnet50", "alexnet", "vit")
    suffix = ".subtypes.accuracy"
    kinds = [
        key.removeprefix(f"{_SET}.robust.hmscam.").removesuffix(suffix)
        for key in own.metrics
        if key.startswith(f"{_SET}.robust.hmscam.") and key.endswith(suffix)
    ]
    rows = [
        (
            kind.replace("_", " "),
            *(own.text(f"{_SET}.robust.{name}.{kind}{suffix}") for name in compared),
            own.text(f"{_SET}.robust.hmscam.{kind}.malignant.accuracy"),
        )
        for kind in kinds
    ]
    columns = ("Change and strength", *(_NETWORKS[name] for name in compared), "HMSCAM, benign or malignant")
    return PlainTable("Accuracy of 4 classes on changed images of the test split", columns, tuple(rows))


def _attention(own: Figures) -> PlainTable:
    ending = ".spatial.relative_difference"
    kinds = [key.removeprefix(f"{_SET}.attention.").removesuffix(ending) for key in own.metrics if key.endswith(ending)]
    rows = [
        (
            kind.replace("_", " "),
            *(
                own.text(f"{_SET}.attention.{kind}.{part}.{figure}")
                for part in ("spatial", "channel")
                for figure in ("relative_difference", "information_nats", "information_share")
            ),
        )
        for kind in kinds
    ]
    names = ("relative difference", "information (nats)", "share of entropy")
    columns = ("Change and strength", *(f"{part}: {name}" for part in ("Spatial", "Channel") for name in names))
    return PlainTable(
        "Attention under change: Frobenius norm of the difference, mutual information", columns, tuple(rows)
    )


def _costs(own: Figures) -> PlainTable:
    rows = []
    for name, title in _NETWORKS.items():
        reduced, full = f"{_SET}.cost.{name}", f"{_SET}.full_size.{name}"
        rows.append(
            (
                title,
                *_millions(own, (f"{full}.parameters", f"{reduced}.parameters")),
                own.text(f"{full}.seconds_per_image", 4),
                own.text(f"{reduced}.seconds_per_image", 4),
                own.text(f"{reduced}.seconds", 0),
            )
        )
    columns = ("Network", "Parameters, full size (M)", "as run (M)", "Seconds an image, full size, 224 px", "as run")
    return PlainTable("Size and time, one image at a time", (*columns, "Seconds of training"), tuple(rows))


def _millions(own: Figures, keys: Iterable[str]) -> list[str]:
    values = [own.metrics.get(key) for key in keys]
    return [NONE if value is None else f"{value / 1e6:.2f}" for value in values]


def _curves(own: Figures) -> PlainTable:
    rows = []
    for name in ("hmscam", "resnet50", "alexnet", "vit"):
        for subtype in SUBTYPES:
            prefix = f"{_SET}.split.{name}.subtypes.{subtype}"
            areas = (own.text(f"{prefix}.{metric}") for metric in ("auroc", "average_precision"))
            rows.append((_NETWORKS[name], subtype, *areas))
    columns = ("Network", "Class against the rest", "AUROC", "Average precision")
    return PlainTable("Areas under the curves of the test split; points stand in the JSON", columns, tuple(rows))
