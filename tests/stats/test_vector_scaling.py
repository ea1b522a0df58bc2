"""Vector scaling against a distortion that it must undo."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope.stats.log_softmax import log_softmax
from hemascope.stats.temperature import fit_temperature, negative_log_likelihood
from hemascope.stats.vector_scaling import fit_vector_scaling


def true_logits(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are calibrated: labels are drawn from their probabilities."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(count, 4))
    return logits, np.array([rng.choice(4, p=p) for p in np.exp(log_softmax(logits))])


def test_it_undoes_a_scale_and_a_shift_of_each_logit() -> None:
    logits, labels = true_logits(4000)
    scale, shift = np.array([0.5, 1.0, 2.0, 3.0]), np.array([1.0, -1.0, 0.5, -0.5])
    found = fit_vector_scaling((logits - shift) / scale, labels)
    assert found.scale == pytest.approx(scale, rel=0.15)
    assert found.shift == pytest.approx(shift, abs=0.15)
    assert found.apply((logits - shift) / scale) == pytest.approx(logits, abs=1.0)


def test_on_what_it_was_fitted_on_it_is_no_worse_than_a_temperature() -> None:
    logits, labels = true_logits(300, seed=1)
    distorted = 3 * logits + [0.5, 0, 0, 0]
    scaled = negative_log_likelihood(fit_vector_scaling(distorted, labels).apply(distorted), labels, 1.0)
    assert scaled <= negative_log_likelihood(distorted, labels, fit_temperature(distorted, labels)) + 1e-9


def test_a_great_penalty_leaves_the_temperature_alone() -> None:
    logits, labels = true_logits(300, seed=2)
    found = fit_vector_scaling(logits, labels, penalty=1e9)
    assert found.scale == pytest.approx(np.full(4, 1 / fit_temperature(logits, labels)), rel=1e-4)
    assert found.shift == pytest.approx(np.zeros(4), abs=1e-4)


def test_classes_that_never_err_do_not_run_away() -> None:
    labels = np.repeat(np.arange(4), 20)
    found = fit_vector_scaling(10 * np.eye(4)[labels], labels)
    assert np.isfinite(found.apply(np.eye(4))).all()
    assert np.abs(found.shift).max() < 1


def test_shapes_that_disagree_are_refused() -> None:
    with pytest.raises(ValueError, match="N labels"):
        fit_vector_scaling(np.zeros((3, 2)), [0, 1])
