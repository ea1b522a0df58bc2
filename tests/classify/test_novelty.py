"""What speaks for a new class, on small generated embeddings with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hemascope.classify.class_space import REACH, SHRINKAGE, TEMPERATURE, fit_class_space
from hemascope.classify.examples import LabeledEmbeddings
from hemascope.classify.novelty import EVIDENCE, EvidenceWeights, fit_known, fit_novelty, learn_weights, novelty_from
from hemascope.core.errors import DataSetError
from hemascope.stats.ranking import auroc

CORNERS = np.array([[6.0, 0, 0, 0], [-6, 0, 0, 0], [0, 6, 0, 0], [0, -6, 0, 0], [0, 0, 6, 0], [0, 0, -6, 0]])


def cells(count: int, seed: int, corners: NDArray[np.floating] = CORNERS) -> LabeledEmbeddings:
    """Return ``count`` cells of each of six classes of unit spread around the corners of an octahedron."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(corners)), count)
    values = (corners[labels] + rng.normal(size=(len(labels), 4))).astype(np.float32)
    return LabeledEmbeddings(values, labels, np.array([f"{seed}-{i}" for i in range(len(labels))]))


def near(point: list[float], count: int = 200) -> NDArray[np.float32]:
    rng = np.random.default_rng(9)
    return (np.array(point) + rng.normal(size=(count, 4))).astype(np.float32)


def test_evidence_is_what_it_says_where_borders_are_straight() -> None:
    known = cells(4000, 0)
    space = fit_class_space(known.values, known.labels, features=0)
    points = np.array([[6, 0, 0, 0], [3, 3, 0, 0], [6, 0, 0, 5]], np.float32)
    distance, density, gap, doubt = space.evidence(points).T
    # Standardized, an axis with corners has variance 1 / 13 within classes, and the fourth 1: 4 / 13 on average.
    along, fourth = 1 / (1 - SHRINKAGE + SHRINKAGE * 4), 1 / (1 - SHRINKAGE + SHRINKAGE * 4 / 13)
    assert distance == pytest.approx([0, 18 * along / 4, 25 * fourth / 4], rel=0.05, abs=0.05)
    assert gap == pytest.approx([-72 * along, 0, -72 * along], rel=0.05, abs=3)
    neighbor, opposite = (np.exp(-squared * along / 2 / TEMPERATURE) for squared in (72, 144))
    shares = np.array([1, *[neighbor] * 4, opposite]) / (1 + 4 * neighbor + opposite)
    assert doubt[0] == pytest.approx(-(shares * np.log(shares)).sum(), abs=0.05)
    assert doubt[1] > doubt[0] + 0.5
    assert density[1] > density[0] + 10
    assert density[2] == pytest.approx(density[0] + 25 * fourth, rel=0.05, abs=2)


def test_random_features_part_what_no_straight_border_parts() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(-1, 1, (2000, 2)).astype(np.float32)
    labels = (values[:, 0] * values[:, 1] > 0).astype(np.intp)
    inside = np.array([[0.7, 0.7], [0.7, -0.7], [-0.7, -0.7], [-0.7, 0.7]], np.float32)
    straight, bent = (fit_class_space(values, labels, features=count).evidence(inside)[:, 2] for count in (0, 200))
    assert straight.min() > -0.5
    assert bent.max() < -4


def test_what_does_not_vary_tells_nothing_and_wild_numbers_are_held() -> None:
    known = cells(50, 0)
    constant = np.concatenate([known.values, np.full((len(known.values), 1), 7.0, np.float32)], axis=1)
    space = fit_class_space(constant, known.labels)
    changed = constant[:3].copy()
    changed[:, 4] = -100.0
    assert space.evidence(changed) == pytest.approx(space.evidence(constant[:3]))
    wild = np.full((1, 5), 1e30, np.float32)
    assert np.isfinite(space.evidence(wild)).all()
    assert space.evidence(wild)[0, 0] < 1e4 * REACH


@pytest.fixture(scope="module")
def pair() -> tuple[LabeledEmbeddings, LabeledEmbeddings]:
    return cells(80, 0), cells(40, 1)


def test_cells_far_away_and_cells_in_between_are_both_told(
    pair: tuple[LabeledEmbeddings, LabeledEmbeddings],
) -> None:
    score = fit_novelty(*pair, features=50)
    known = score.scores(cells(40, 2).values)
    for new in ([0.0, 0, 0, 9], [3.0, 3, 0, 0], [0.0, 0, 0, 0]):
        scores = score.scores(near(new))
        flags = np.repeat([False, True], [len(known), len(scores)])
        assert auroc(np.concatenate([known, scores]), flags) > 0.97


def test_the_weights_ask_for_nothing_but_known_cells(pair: tuple[LabeledEmbeddings, LabeledEmbeddings]) -> None:
    learned = learn_weights(*pair, features=50)
    given = fit_novelty(*pair, learned, features=50)
    own = fit_novelty(*pair, features=50)
    assert own.joined.weights == pytest.approx(learned.weights)
    assert given.scores(near([3.0, 3, 0, 0])) == pytest.approx(own.scores(near([3.0, 3, 0, 0])))
    assert len(learned.weights) == len(EVIDENCE)


def test_a_median_known_cell_has_no_evidence(pair: tuple[LabeledEmbeddings, LabeledEmbeddings]) -> None:
    score = fit_novelty(*pair, EvidenceWeights(np.ones(len(EVIDENCE)), 0.0), features=9)
    found = score.evidence(pair[1].values)
    assert np.median(found, axis=0) == pytest.approx(np.zeros(len(EVIDENCE)), abs=1e-6)
    assert score.scores(pair[1].values) == pytest.approx(found.sum(axis=1))


def test_scores_come_back_from_arrays(pair: tuple[LabeledEmbeddings, LabeledEmbeddings]) -> None:
    score = fit_novelty(*pair, EvidenceWeights(np.arange(1.0, 1 + len(EVIDENCE)), -1.0), features=9)
    tensors = score.tensors()
    assert np.array_equal(novelty_from(tensors).scores(pair[1].values), score.scores(pair[1].values))
    single = {name: array.astype(np.float32) for name, array in tensors.items()}
    assert novelty_from(single).scores(pair[1].values) == pytest.approx(score.scores(pair[1].values), abs=1e-2)
    del tensors["middle"]
    with pytest.raises(ValueError, match="middle are missing"):
        novelty_from(tensors)


def test_too_few_classes_and_strange_classes_are_errors(
    pair: tuple[LabeledEmbeddings, LabeledEmbeddings],
) -> None:
    few = cells(20, 0, CORNERS[:3])
    with pytest.raises(DataSetError, match="at least 4 known classes, not 3"):
        fit_novelty(few, few)
    train, validation = pair
    with pytest.raises(DataSetError, match="2 have no validation cell, 0 no training cell"):
        fit_novelty(train, cells(20, 3, CORNERS[:4]))
    with pytest.raises(DataSetError, match="0 have no validation cell, 1 no training cell"):
        fit_novelty(cells(20, 3, CORNERS[:5]), validation)


@pytest.mark.parametrize(
    ("values", "labels"),
    [(np.zeros((4, 2)), np.zeros(4, int)), (np.zeros((4, 2)), np.arange(3)), (np.full((4, 2), np.nan), np.arange(4))],
)
def test_malformed_examples_are_errors(values: NDArray[np.float64], labels: NDArray[np.intp]) -> None:
    with pytest.raises(ValueError, match="need"):
        fit_class_space(values, labels)


def test_energy_is_that_of_a_probe_and_rises_where_no_class_claims_a_cell(
    pair: tuple[LabeledEmbeddings, LabeledEmbeddings],
) -> None:
    known = fit_known(pair[0], features=9)
    values = np.array([[6.0, 0, 0, 0], [0, 0, 0, 0]], np.float32)
    logits = values @ known.probe_weights + known.probe_intercepts
    energy = known.evidence(values)[:, EVIDENCE.index("energy")]
    assert energy == pytest.approx(-np.log(np.exp(logits).sum(axis=1)))
    assert energy[1] > energy[0]
