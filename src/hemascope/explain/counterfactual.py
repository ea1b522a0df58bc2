r"""What would have to change for a sample to be of another class, by a conditional denoiser.

Both maps below compare, under the same noise, what a denoiser expects of one class and of another. With
:math:`z = a x + s e`, the clean sample it sees is :math:`\hat x_c = (z - s \hat e_c) / a`; so the difference of two
clean samples is the difference of two residuals times :math:`s / a`, with the same sign. The published map averages
residuals, ours clean samples: those have units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.ports import ConditionalDenoiser
from hemascope.explain.paired_noise import PairedNoise
from hemascope.explain.views import seen, unseen, views_of

PUBLISHED_TRIALS = 150
PUBLISHED_LIMIT = 3.5

_ROWS = 32
"""Samples given to a denoiser at once."""


@dataclass(frozen=True, slots=True, eq=False)
class ChangeMap:
    """The change of a sample toward another class.

    Attributes
    ----------
    mean
        Of the shape of a sample, float64, in its units; positive where the other class would have more.
    error
        Standard error of ``mean`` over pairs of trials, of the same shape; 0 where every pair agrees.
    freedom
        Degrees of freedom of that error, above 0.
    """

    mean: NDArray[np.float64]
    error: NDArray[np.float64]
    freedom: float


def change_map(
    denoiser: ConditionalDenoiser, sample: NDArray[np.float32], predicted: int, target: int, noise: PairedNoise
) -> ChangeMap:
    r"""Return the mean difference of the clean samples seen under two classes, :math:`\hat x_c - \hat x_p`.

    Steps count by their signal a: late ones, whose clean samples are mostly the denoiser's own idea, count less. The
    standard error is that of one draw from each of many strata of steps: from differences of neighbors, so that what
    varies smoothly over steps is no error (Wolter, Introduction to Variance Estimation, 2007, section 8.2). Its degrees
    of freedom are taken as half the number of differences, and fewer where noisy steps rule the error (Satterthwaite,
    Biometrics 1946;2:110, with the variances pooled over pixels): tests on chance alone keep their level so.

    Parameters
    ----------
    denoiser
        Explains samples.
    sample
        Of its ``sample_shape``.
    predicted, target
        Numbers of the class it is, and of the class asked about.
    noise
        Pairs of trials that both classes share.

    Raises
    ------
    ValueError
        If the sample is not of the denoiser's shape, or a class is not one of its classes.
    """
    _check(denoiser, sample, predicted, target)
    schedule = denoiser.schedule
    weights = schedule.signal[noise.steps]
    by_axis = (-1, *[1] * sample.ndim)
    factor = (schedule.noise[noise.steps] / weights).reshape(by_axis)
    residuals = sum(
        _residual_difference(denoiser, sample, (predicted, target), noise.steps, sign * noise.noise, noise.views)
        for sign in (np.float32(1), np.float32(-1))
    )
    changes = 0.5 * factor * np.asarray(residuals, np.float64)
    mean = np.average(changes, axis=0, weights=weights)
    squares = np.diff(weights.reshape(by_axis) * (changes - mean), axis=0) ** 2
    count = len(noise)
    error = np.sqrt(squares.sum(axis=0) * count / (2 * (count - 1))) / weights.sum()
    masked = np.asarray(denoiser.mask > 0, np.float64)
    return ChangeMap(mean * masked, error * masked, _freedom(squares))


def _freedom(squares: NDArray[np.float64]) -> float:
    """Return the degrees of freedom of the sum of overlapping squared differences, N - 1 x shape of a sample."""
    by_step = squares.reshape(len(squares), -1).mean(axis=1)
    share = by_step.sum() ** 2 / (by_step**2).sum() if by_step.any() else len(by_step)
    return float(share / 2)


def published_map(
    denoiser: ConditionalDenoiser,
    sample: NDArray[np.float32],
    predicted: int,
    target: int,
    *,
    trials: int = PUBLISHED_TRIALS,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return the published map: the mean residual of a class less that of the predicted class, views undone.

    Trials take random steps, noise and views, with no class eliminated. A residual is the noise less what is expected.
    Samples that are latents would be decoded; images are shown as they are. Changes of color cannot be undone, so
    views are the eight exact ones. The map has no unit.

    Raises
    ------
    ValueError
        If the sample is not of the denoiser's shape, or a class is not one of its classes.
    """
    _check(denoiser, sample, predicted, target)
    generator = np.random.default_rng(seed)
    steps = generator.integers(1, len(denoiser.schedule), trials)
    views = generator.integers(0, views_of(denoiser.sample_shape), trials)
    noise = generator.standard_normal((trials, *denoiser.sample_shape), np.float32)
    differences = _residual_difference(denoiser, sample, (predicted, target), steps, noise, views)
    return np.asarray(differences.mean(axis=0), np.float64)


def published_mask(values: NDArray[np.float64], limit: float = PUBLISHED_LIMIT) -> NDArray[np.bool_]:
    """Return where the mean over channels of a published map lies more than ``limit`` deviations from its background.

    What the background is was not stated: here the median, and 1.4826 times the median distance from it. The limit is
    arbitrary by its authors' own words; ``significance.beyond_chance`` is not.

    Parameters
    ----------
    values
        C x H x W.

    Returns
    -------
    H x W bool.
    """
    mean = values.mean(axis=0)
    away = np.abs(mean - np.median(mean))
    return np.asarray(away > limit * 1.4826 * np.median(away), np.bool_)


def _residual_difference(
    denoiser: ConditionalDenoiser,
    sample: NDArray[np.float32],
    pair: tuple[int, int],
    steps: NDArray[np.intp],
    noise: NDArray[np.float32],
    views: NDArray[np.intp],
) -> NDArray[np.float32]:
    """Return T x shape: expected noise under the first class less that under the second, views undone."""
    found = np.empty(noise.shape, np.float32)
    for start in range(0, len(steps), _ROWS // 2):
        rows = slice(start, start + _ROWS // 2)
        looks = np.stack([seen(sample, view) for view in views[rows].tolist()])
        noised = denoiser.schedule.noised(looks, noise[rows], steps[rows])
        count = len(noised)
        classes = np.repeat(np.array(pair, np.intp), count)
        expected = denoiser.predict_noise(np.concatenate([noised, noised]), np.tile(steps[rows], 2), classes)
        difference = expected[:count] - expected[count:]
        found[rows] = [unseen(row, view) for row, view in zip(difference, views[rows].tolist(), strict=True)]
    return found


def _check(denoiser: ConditionalDenoiser, sample: NDArray[np.float32], *classes: int) -> None:
    if sample.shape != denoiser.sample_shape:
        raise ValueError(f"a sample of {denoiser.identity.name} is {denoiser.sample_shape}, not {sample.shape}")
    if not all(0 <= number < len(denoiser.classes) for number in classes):
        raise ValueError(f"{denoiser.identity.name} has {len(denoiser.classes)} classes, not those of {classes}")
