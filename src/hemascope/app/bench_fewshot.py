"""Benchmark ``fewshot``: eight classes of PBC from few labels, for every encoder and classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import Measures
from hemascope.app.bench_request import BenchmarkParts, BenchmarkRequest, Outcome, describe_set, needed_root
from hemascope.app.protocol_encoder import ProtocolEncoder
from hemascope.app.target_cells import PBC, class_numbers, group_names, locate_cells
from hemascope.classify.gaussian import fit_shared_gaussian
from hemascope.classify.knn import fit_knn
from hemascope.classify.linear_probe import fit_linear_probe
from hemascope.classify.propagation import fit_label_propagation, fit_self_training
from hemascope.core.ports import EmbeddingClassifier
from hemascope.core.taxonomy import CellType
from hemascope.evaluate.few_shot import draw_few, rest_of_pool, score_draws
from hemascope.evaluate.leaks import check_disjoint_groups
from hemascope.zoo.contamination import Seen

SHOTS = (5, 10, 20, 50)
"""Labeled cells a class."""

SEEDS = 5

REACH = 6.0
"""Deviations of the drawn cells at which a dimension is clipped."""

DEFAULT_ENCODERS = ("descriptors",)
"""What is measured where no encoder is named."""

CLASSES = tuple(cell_type.value for cell_type in CellType)

_Values = NDArray[np.float32]
Fit = Callable[[_Values, NDArray[np.intp], _Values], EmbeddingClassifier]
"""Embeddings and labels of the draw, embeddings of the unlabeled pool, to a classifier."""


@dataclass(frozen=True, slots=True)
class Method:
    """A way to learn from a draw.

    Attributes
    ----------
    fit
        Learns.
    unlabeled
        Whether it sees the images of the rest of the train split; their labels are never at hand.
    """

    fit: Fit
    unlabeled: bool


METHODS: Mapping[str, Method] = {
    "linear_probe": Method(lambda x, y, _: fit_linear_probe(x, y, CLASSES, c=0.1), unlabeled=False),
    "knn": Method(lambda x, y, _: fit_knn(x, y, CLASSES, k=5), unlabeled=False),
    "gaussian": Method(lambda x, y, _: fit_shared_gaussian(x, y, CLASSES, shrinkage=0.3), unlabeled=False),
    "propagation": Method(lambda x, y, rest: fit_label_propagation(x, y, rest, CLASSES), unlabeled=True),
    "self_training": Method(lambda x, y, rest: fit_self_training(x, y, rest, CLASSES), unlabeled=True),
}
"""Classifiers with fixed settings: nothing is chosen on any split."""


def run(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    """Return the figures of every encoder and method at every number of labels."""
    root = needed_root(request)
    cells = locate_cells(PBC, root)
    splits = np.array([cell.split for cell in cells])
    pool, test = np.flatnonzero(splits == "train"), np.flatnonzero(splits == "test")[: request.limit]
    labels, groups = class_numbers(cells), group_names(cells)
    check_disjoint_groups(groups[pool], groups[test])
    measures = Measures()
    encoders = [parts.protocol_encoder(name) for name in request.encoders or DEFAULT_ENCODERS]
    for encoder in encoders:
        chosen = [cells[i] for i in (*pool, *test)]
        values = encoder.answer_cells(chosen, progress).embeddings
        task = _Task(values[: len(pool)], labels[pool], groups[pool], values[len(pool) :], labels[test], groups[test])
        for shots in SHOTS:
            for name in METHODS:
                progress(f"{encoder.name}: {name} from {shots} a class", 0, SEEDS)
                row = f"{PBC}.{encoder.name}.{name}.{shots}"
                measures.add(row, score_draws(tell(task, name, shots), task.asked_labels, task.asked_groups))
    return Outcome(
        data={PBC: describe_set(PBC, root, "")},
        n={"pool": len(pool), "test": len(test), "seeds": SEEDS},
        measures=measures,
        baselines={},
        models=tuple(encoder.identity for encoder in encoders),
        notes={
            "encoders": {encoder.name: describe_exposure(encoder) for encoder in encoders},
            "unlabeled_images_seen": [name for name, method in METHODS.items() if method.unlabeled],
        },
    )


def describe_exposure(encoder: ProtocolEncoder) -> dict[str, object]:
    """Return whether a row is marked ``seen``, and by what: anything but a certain no counts as seen."""
    labels, images = encoder.labels_seen(PBC), encoder.images_seen(PBC)
    return {"seen": labels is not Seen.NO, "labels": labels.value, "images": images.value}


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """Pool of the train split, and the cells of the test split that are asked about."""

    values: _Values
    labels: NDArray[np.intp]
    groups: NDArray[np.str_]
    asked: _Values
    asked_labels: NDArray[np.intp]
    asked_groups: NDArray[np.str_]


def tell(task: _Task, method: str, shots: int) -> Sequence[NDArray[np.intp]]:
    """Return the class numbers told of the test cells, one array a seed."""
    told = []
    for seed in range(SEEDS):
        drawn = draw_few(task.labels, task.groups, shots, seed)
        rest = task.values[rest_of_pool(task.groups, drawn)]
        drawn_values, rest, asked = standardized(task.values[drawn], rest, task.asked)
        classifier = METHODS[method].fit(drawn_values, task.labels[drawn], rest)
        told.append(np.asarray(classifier.logits(asked).argmax(axis=1), np.intp))
    return told


def standardized(drawn: _Values, *others: _Values) -> list[_Values]:
    """Return arrays standardized by the mean and deviation of the drawn cells, and clipped at ``REACH`` of these.

    Handcrafted descriptors have many units; where one does not vary among the drawn cells, nothing is told by it.
    """
    mean, spread = drawn.mean(axis=0, dtype=np.float64), drawn.std(axis=0, dtype=np.float64)
    scale = np.where(spread > 1e-9 * np.maximum(np.abs(mean), 1e-9), spread, np.inf)
    return [np.clip((values - mean) / scale, -REACH, REACH).astype(np.float32) for values in (drawn, *others)]
