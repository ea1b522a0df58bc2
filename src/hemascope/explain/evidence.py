"""How well classes explain samples, under shared noise: what a change must do to be the change it says it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.core.ports import ConditionalDenoiser
from hemascope.explain.paired_noise import PairedNoise
from hemascope.explain.views import seen

_ROWS = 32


def class_errors(
    denoiser: ConditionalDenoiser, samples: NDArray[np.float32], classes: Sequence[int], noise: PairedNoise
) -> NDArray[np.float64]:
    """Return N x K mean squared errors of the expected noise inside the mask, over pairs; lower explains better.

    Parameters
    ----------
    denoiser
        Explains samples.
    samples
        N x shape.
    classes
        Numbers of K classes.
    noise
        Pairs of trials that all samples and classes share.
    """
    mask = denoiser.mask / denoiser.mask.sum()
    totals = np.zeros((len(samples), len(classes)))
    for step, drawn, view in zip(noise.steps, noise.noise, noise.views.tolist(), strict=True):
        for sign in (np.float32(1), np.float32(-1)):
            totals += _errors(denoiser, seen(samples, view), classes, int(step), sign * drawn, mask)
    return totals / (2 * len(noise))


def _errors(
    denoiser: ConditionalDenoiser,
    samples: NDArray[np.float32],
    classes: Sequence[int],
    step: int,
    noise: NDArray[np.float32],
    mask: NDArray[np.float32],
) -> NDArray[np.float64]:
    steps = np.full(len(samples), step, np.intp)
    noised = denoiser.schedule.noised(samples, np.broadcast_to(noise, samples.shape), steps)
    rows = np.repeat(np.arange(len(samples)), len(classes))
    numbers = np.tile(np.asarray(classes, np.intp), len(samples))
    found = np.empty(len(rows))
    axes = tuple(range(1, samples.ndim))
    for start in range(0, len(rows), _ROWS):
        part = slice(start, start + _ROWS)
        expected = denoiser.predict_noise(noised[rows[part]], np.full(len(rows[part]), step, np.intp), numbers[part])
        found[part] = ((expected - noise) ** 2 * mask).sum(axis=axes)
    return found.reshape(len(samples), len(classes))


def leaning(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far samples lean to the second of two classes: (first error - second) / their mean; above 0 is nearer.

    Parameters
    ----------
    errors
        N x 2, as ``class_errors`` gives them for (predicted, target).
    """
    answer: NDArray[np.float64] = (errors[:, 0] - errors[:, 1]) / errors.mean(axis=1)
    return answer
