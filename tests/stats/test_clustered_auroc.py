"""The variance of an area over clusters against DeLong's, copies, the bootstrap, and drawn cohorts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.stats.clustered_auroc import clustered_auroc
from hemascope.stats.delong import delong_covariance
from hemascope.stats.ranking import auroc, auroc_statistic
from hemascope.stats.resample import bootstrap_distribution

RECORDS = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=4, max_size=25)


def draw(generator: np.random.Generator, clusters: int, size: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells of patients who differ in how well their positives stand out."""
    owner = np.repeat(np.arange(clusters), size)
    positive = generator.uniform(size=len(owner)) < 0.3
    distance = generator.normal(1, 0.7, clusters)[owner]
    return generator.normal(size=len(owner)) + distance * positive, positive, owner


@given(RECORDS)
def test_clusters_of_one_are_delongs(records: list[tuple[int, bool]]) -> None:
    scores, positive = (np.array(side) for side in zip(*records, strict=True))
    area, variance = clustered_auroc(scores, positive, np.arange(len(scores)))
    assert area == pytest.approx(auroc(scores, positive), nan_ok=True)
    if min(positive.sum(), (~positive).sum()) >= 2:
        # No cluster holds both kinds, but a product of sums is 0 only so.
        assert variance == pytest.approx(delong_covariance(scores[None].astype(float), positive)[1][0, 0], abs=1e-12)


def test_copies_of_a_record_bring_no_certainty() -> None:
    generator = np.random.default_rng(0)
    scores, positive = generator.normal(size=30), np.arange(30) % 3 == 0
    single = clustered_auroc(scores, positive, np.arange(30))
    copied = clustered_auroc(np.repeat(scores, 7), np.repeat(positive, 7), np.repeat(np.arange(30), 7))
    assert copied == pytest.approx(single)


def test_it_agrees_with_the_bootstrap() -> None:
    scores, positive, owner = draw(np.random.default_rng(1), 60)
    area, variance = clustered_auroc(scores, positive, owner)
    drawn = bootstrap_distribution(owner, auroc_statistic(scores, positive))
    assert area == auroc_statistic(scores, positive)(np.ones((1, len(scores))))[0]
    assert np.sqrt(variance) == pytest.approx(drawn.std(), rel=0.1)


def test_it_is_the_variance_over_drawn_cohorts() -> None:
    generator = np.random.default_rng(2)
    found = np.array([clustered_auroc(*draw(generator, 40)) for _ in range(400)])
    assert found[:, 1].mean() == pytest.approx(found[:, 0].var(), rel=0.15)
    alone = np.array(
        [clustered_auroc(s, p, np.arange(len(s)))[1] for s, p, _ in (draw(generator, 40) for _ in range(50))]
    )
    assert alone.mean() < 0.8 * found[:, 0].var()


def test_one_kind_or_one_cluster_has_no_variance() -> None:
    assert np.isnan(clustered_auroc([1, 2], [1, 1], [0, 1])).all()
    area, variance = clustered_auroc([1, 2, 3], [0, 1, 1], [0, 1, 1])
    assert area == 1
    assert np.isnan(variance)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="finite scores"):
        clustered_auroc([1, np.inf], [0, 1], [0, 1])
    with pytest.raises(ValueError, match="finite scores"):
        clustered_auroc([1, 2], [0, 1], [0])
