"""Label propagation and self-training on clouds of points whose classes are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hemascope.classify.linear_probe import fit_linear_probe
from hemascope.classify.propagation import (
    fit_label_propagation,
    fit_self_training,
    neighbor_graph,
    propagated_labels,
    spread,
)
from hemascope.core.errors import DataSetError

CLASSES = ("a", "b")


def arcs(count: int, noise: float = 0.05, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return two long thin clouds side by side: near a label lies the other class, along the cloud its own."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    along = rng.uniform(-1, 1, count)
    points = np.stack([np.cos(along * 1.2), np.sin(along * 1.2), np.where(labels == 0, -0.4, 0.4)], axis=1)
    return points + rng.normal(0, noise, points.shape), labels.astype(np.intp)


def test_the_graph_is_symmetric_and_no_cell_is_its_own_neighbor() -> None:
    graph = neighbor_graph(arcs(60)[0], neighbors=5)
    assert abs(graph - graph.T).max() < 1e-12
    assert not graph.diagonal().any()
    assert (graph.sum(axis=1) > 0).all()


def test_one_cell_alone_has_no_neighbors() -> None:
    assert neighbor_graph(np.ones((1, 3))).nnz == 0


def test_spreading_over_two_joined_cells_has_the_closed_form() -> None:
    graph = neighbor_graph(np.array([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0], [-1.0, -0.1]]), neighbors=1)
    start = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    answer = spread(graph, start, damping=0.5)
    # Pairs with weight 1: F = (1 - a) (I - a S)^-1 F0, thus (1 - a) / (1 - a^2) and a (1 - a) / (1 - a^2).
    assert answer == pytest.approx(np.array([[2 / 3, 0], [1 / 3, 0], [0, 2 / 3], [0, 1 / 3]]), abs=1e-9)


@given(st.floats(min_value=1.0, max_value=5.0))
def test_a_damping_of_one_or_more_is_refused(damping: float) -> None:
    with pytest.raises(ValueError, match="damping"):
        spread(neighbor_graph(np.eye(3)), np.eye(3), damping)


def test_labels_follow_the_clouds() -> None:
    points, labels = arcs(400)
    known = np.array([0, 1, 2, 3])
    told, certainty = propagated_labels(points[known], labels[known], points[4:], CLASSES)
    assert (told == labels[4:]).mean() > 0.97
    assert certainty.min() >= 0
    assert certainty.max() <= 1


def test_both_learn_more_than_the_few_labels_tell() -> None:
    points, labels = arcs(600, noise=0.12, seed=3)
    known = np.array([0, 1, 2, 3])
    alone = fit_linear_probe(points[known], labels[known], CLASSES, c=0.1)
    asked = points[300:].astype(np.float32)
    for fit in (fit_label_propagation, fit_self_training):
        classifier = fit(points[known], labels[known], points[4:300], CLASSES)
        right = (classifier.logits(asked).argmax(axis=1) == labels[300:]).mean()
        assert right >= (alone.logits(asked).argmax(axis=1) == labels[300:]).mean()
        assert right > 0.95


def test_without_unlabeled_cells_self_training_is_the_probe() -> None:
    points, labels = arcs(20)
    probe = fit_linear_probe(points, labels, CLASSES, c=0.1)
    trained = fit_self_training(points, labels, np.empty((0, 3)), CLASSES)
    assert trained.weights == pytest.approx(probe.weights)


def test_the_order_of_the_unlabeled_cells_does_not_matter() -> None:
    points, labels = arcs(80)
    order = np.random.default_rng(1).permutation(76)
    told, _ = propagated_labels(points[:4], labels[:4], points[4:], CLASSES)
    shuffled, _ = propagated_labels(points[:4], labels[:4], points[4:][order], CLASSES)
    assert (told[order] == shuffled).all()


def test_a_class_without_a_label_is_refused() -> None:
    with pytest.raises(DataSetError, match="no example of b"):
        fit_label_propagation(np.eye(3), np.zeros(3, int), np.eye(3), CLASSES)
