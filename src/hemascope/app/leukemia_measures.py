"""Answers of the leukemia benchmark to figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_record import Measures
from hemascope.app.leukemia_trials import TrialAnswers, changes
from hemascope.data.taleqani import SUBTYPES
from hemascope.evaluate.classification import score_classification
from hemascope.evaluate.curves import precision_recall_curve, roc_curve
from hemascope.evaluate.estimate import Estimate
from hemascope.stats.resample import ratio_of_sums

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

BINARY = ("Benign", "Malignant")
SHOWN = ("accuracy", "balanced_accuracy", "macro_f1", "ece", "nll")
"""Of what ``score_classification`` gives."""


def malignant_of(subtypes: Floats, malignant: Floats | None) -> Floats:
    """Return N x 2 benign and malignant; from the subtypes where there is no answer of its own."""
    if malignant is not None:
        return malignant
    return np.stack([subtypes[:, 0], 1 - subtypes[:, 0]], axis=1)


def add_single(
    measures: Measures,
    prefix: str,
    subtypes: Floats,
    malignant: Floats | None,
    labels: Labels,
    groups: NDArray[np.str_],
) -> None:
    """Add both tasks' figures of one network: intervals over stain clusters, but of accuracies exact over fields."""
    tasks = ((subtypes, labels, SUBTYPES, "subtypes"),)
    binary = (malignant_of(subtypes, malignant), (labels > 0).astype(np.int64), BINARY, "malignant")
    for told, truth, names, task in (*tasks, binary):
        scores = score_classification(_even_rows(told), truth, groups, names)
        measures.add(f"{prefix}.{task}", {name: scores.overall[name] for name in SHOWN})
        measures.metrics[f"{prefix}.{task}.n"] = len(truth)
        for name, figures in scores.per_class.items():
            measures.add(f"{prefix}.{task}.{name}", figures)
        for row, true in enumerate(names):
            for column, other in enumerate(names):
                measures.metrics[f"{prefix}.{task}.{true}.told_as_{other}"] = int(scores.confusion[row, column])
        for name, value in _areas(told, truth, names).items():
            measures.metrics[f"{prefix}.{task}.{name}"] = round(value, 6)


def add_seeds(measures: Measures, prefix: str, trials: Sequence[TrialAnswers], labels: Labels) -> None:
    """Add mean, deviation, least and most over seeds of accuracy and macro F1 of both tasks."""
    for task in ("subtypes", "malignant"):
        figures: dict[str, list[float]] = {"accuracy": [], "macro_f1": []}
        for trial in trials:
            truth = labels[trial.rows] if task == "subtypes" else (labels[trial.rows] > 0).astype(np.int64)
            accuracy, f1 = plain_scores(trial.arrays[task], truth)
            figures["accuracy"].append(accuracy)
            figures["macro_f1"].append(f1)
        for name, values in figures.items():
            key = f"{prefix}.seeds.{task}.{name}"
            deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
            mean = float(np.mean(values))
            summary = {"mean": mean, "deviation": deviation, "least": min(values), "most": max(values)}
            measures.metrics.update({f"{key}_{what}": round(value, 6) for what, value in summary.items()})
            measures.metrics[f"{key}_n"] = len(values)


def plain_scores(probabilities: Floats, truth: Labels) -> tuple[float, float]:
    """Return accuracy and mean F1 of the classes that occur."""
    told = probabilities.argmax(axis=1)
    f1 = []
    for label in np.unique(truth):
        hits = float(((told == label) & (truth == label)).sum())
        f1.append(2 * hits / max(float((told == label).sum() + (truth == label).sum()), 1.0))
    return float((told == truth).mean()), float(np.mean(f1))


def add_rotation(
    measures: Measures,
    prefix: str,
    subtypes: Floats,
    malignant: Floats | None,
    color_only: Floats,
    labels: Labels,
    groups: NDArray[np.str_],
) -> None:
    """Add the figures of answers to every field while it was held out, and how far they lie above color alone."""
    add_single(measures, prefix, subtypes, malignant, labels, groups)
    right = (subtypes.argmax(axis=1) == labels).astype(np.float64)
    color = (color_only.argmax(axis=1) == labels).astype(np.float64)
    measures.add(
        prefix,
        {
            "accuracy_over_clusters": Estimate.resampled(groups, ratio_of_sums(right, np.ones(len(right)))),
            "above_color": Estimate.resampled(groups, ratio_of_sums(right - color, np.ones(len(right)))),
        },
    )
    for group in np.unique(groups):
        measures.metrics[f"{prefix}.cluster.{group}"] = round(float(right[groups == group].mean()), 6)


def add_robustness(measures: Measures, prefix: str, trial: TrialAnswers, labels: Labels) -> None:
    """Add accuracies of both tasks under every change, and the first of all without one."""
    truth = labels[trial.rows]
    for key in ("", *(f"{kind}/{strength:g}/" for kind, strength in changes())):
        name = key.rstrip("/").replace("/", "_") or "unchanged"
        for task, wanted in (("subtypes", truth), ("malignant", (truth > 0).astype(np.int64))):
            hits = int((trial.arrays[f"{key}{task}"].argmax(axis=1) == wanted).sum())
            measures.add(f"{prefix}.{name}.{task}", {"accuracy": Estimate.share(hits, len(wanted))})


def add_attention(measures: Measures, prefix: str, trial: TrialAnswers) -> None:
    """Add how far attention moved under every change, and from one field to another."""
    for kind, strength in (*changes(), ("another_field", 0.0)):
        name = kind if kind == "another_field" else f"{kind}_{strength:g}"
        for part in ("spatial", "channel"):
            key = f"{kind}/{strength:g}/{part}"
            moved = trial.arrays[f"{key}_difference"]
            statistic = ratio_of_sums(moved, np.ones(len(moved)))
            estimate = Estimate.resampled(np.arange(len(moved)), statistic)
            measures.add(f"{prefix}.{name}.{part}", {"relative_difference": estimate})
            nats, share = trial.arrays[f"{key}_information"].tolist()
            measures.metrics[f"{prefix}.{name}.{part}.information_nats"] = round(nats, 6)
            measures.metrics[f"{prefix}.{name}.{part}.information_share"] = (
                round(share, 6) if np.isfinite(share) else None
            )


def curve_points(trial: TrialAnswers, labels: Labels) -> dict[str, dict[str, object]]:
    """Return points of the ROC and precision-recall curves of both tasks, class by class against the rest."""
    truth = labels[trial.rows]
    points: dict[str, dict[str, object]] = {}
    for task, names, wanted in (
        ("subtypes", SUBTYPES, truth),
        ("malignant", BINARY, (truth > 0).astype(np.int64)),
    ):
        for index, name in enumerate(names):
            if (task == "malignant" and index == 0) or not 0 < (wanted == index).sum() < len(wanted):
                continue
            scores = trial.arrays[task][:, index]
            points[f"{task}.{name}"] = {
                "roc": roc_curve(scores, wanted == index).thinned(),
                "precision_recall": precision_recall_curve(scores, wanted == index).thinned(),
            }
    return points


def _areas(told: Floats, truth: Labels, names: Sequence[str]) -> dict[str, float]:
    """Return the areas under the curves of each class against the rest, and their mean for more than two classes."""
    areas: dict[str, float] = {}
    for index, name in enumerate(names):
        positive = truth == index
        if 0 < positive.sum() < len(positive):
            areas[f"{name}.auroc"] = roc_curve(told[:, index], positive).area
            areas[f"{name}.average_precision"] = precision_recall_curve(told[:, index], positive).area
    for metric in ("auroc", "average_precision"):
        values = [value for key, value in areas.items() if key.endswith(metric)]
        if values:
            areas[metric] = float(np.mean(values)) if len(names) > 2 else areas.get(f"{names[-1]}.{metric}", 0.0)
    return areas


def _even_rows(told: Floats) -> Floats:
    """Return rows that sum to 1 as exactly as can be."""
    even: Floats = told / told.sum(axis=1, keepdims=True)
    return even
