"""Figures of generated samples whose truth is known: fresh draws, copies, smooth pictures, shuffled classes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.generated_cells import (
    COPY_QUANTILE,
    compare_by_class,
    compare_samples,
    memorization,
    nearest_training,
    told_as_asked,
)

RNG_SEED = 5


def draws(count: int, seed: int, scale: float = 1.0) -> NDArray[np.float64]:
    return np.random.default_rng((RNG_SEED, seed)).normal(0, scale, (count, 12))


def value(figures: dict[str, Estimate], name: str) -> float:
    found = figures[name].value
    assert found is not None
    return found


def test_draws_of_the_same_kind_are_nearer_than_others() -> None:
    real = draws(200, 0)
    same, other = compare_samples(draws(200, 1), real), compare_samples(draws(200, 1) + 1, real)
    assert value(same, "frechet") < value(other, "frechet") / 3
    low, high = same["kernel"].low, same["kernel"].high
    assert low is not None
    assert high is not None
    assert low < 0 < high
    low = other["kernel"].low
    assert low is not None
    assert low > 0
    assert value(same, "precision") > 0.7


def test_samples_of_unequal_size_are_not_compared() -> None:
    with pytest.raises(ValueError, match="equal numbers"):
        compare_samples(draws(20, 0), draws(21, 1))


def test_shuffled_classes_show_within_the_classes_alone() -> None:
    classes = np.repeat([0, 1], 100)
    real, made = (draws(200, seed) + 4.0 * classes[:, None] for seed in (0, 1))
    right = compare_by_class(made, classes, real, classes)
    shuffled = compare_by_class(made, np.random.default_rng(0).permutation(classes), real, classes)
    assert value(shuffled, "frechet") == pytest.approx(value(right, "frechet"))
    assert value(shuffled, "class_frechet") > 5 * value(right, "class_frechet")
    assert value(shuffled, "class_kernel") > value(right, "class_kernel") + 1


def test_fresh_draws_are_no_copies() -> None:
    training = draws(1000, 0)
    held_out, made = (nearest_training([draws(1000, seed)], training) for seed in (1, 2))
    figures = memorization(made, held_out)
    assert value(figures, "median_over_real") == pytest.approx(1, abs=0.03)
    for name in ("nearer_than_real", "ratio_below_real"):
        assert value(figures, name) == pytest.approx(COPY_QUANTILE, abs=0.015)


def test_copies_are_found_in_whatever_position_they_lie() -> None:
    training = draws(500, 0)
    held_out = nearest_training([draws(300, 1)], training)
    copied = training[:100] + 0.1 * draws(100, 2)
    made = nearest_training([copied[:, ::-1], copied, -copied], training)
    assert (made.rows == np.arange(100)).all()
    assert (made.looks == 1).all()
    figures = memorization(made, held_out)
    assert value(figures, "median_over_real") < 0.3
    assert value(figures, "nearer_than_real") == 1
    assert value(figures, "ratio_below_real") == 1


def test_smooth_samples_are_near_to_all_and_copies_of_none() -> None:
    """What lies in the middle is nearer to the training cells than real ones are, and yet copies no one of them."""
    training = draws(500, 0)
    held_out, smooth = (nearest_training([cells], training) for cells in (draws(300, 1), draws(300, 2, scale=0.3)))
    figures = memorization(smooth, held_out)
    assert value(figures, "median_over_real") < 0.8
    assert value(figures, "nearer_than_real") > 4 * COPY_QUANTILE
    assert value(figures, "ratio_below_real") < 0.02


def test_a_sample_on_all_training_cells_at_once_has_the_ratio_one() -> None:
    found = nearest_training([np.zeros((1, 2))], np.zeros((3, 2)))
    assert found.ratios.tolist() == [1]


def test_the_share_told_as_asked_has_an_exact_interval() -> None:
    told = told_as_asked([0, 1, 1, 2], [0, 1, 2, 2])
    assert told.value == 0.75
    assert told.low == pytest.approx(0.1941, abs=1e-3)


def test_nothing_to_compare_is_refused() -> None:
    one = nearest_training([draws(3, 0)], draws(5, 1))
    with pytest.raises(ValueError, match="look"):
        nearest_training([], draws(5, 1))
    with pytest.raises(ValueError, match="held-out"):
        memorization(one, nearest_training([draws(0, 0)], draws(5, 1)))
