"""The exact denoiser where each class is a Gaussian of unit covariance: the yardstick of every other one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.core.noise_schedule import NoiseSchedule
from hemascope.core.provenance import ModelIdentity


class GaussianDenoiser:
    r"""Knows the noise in a sample as well as can be known; a ``ConditionalDenoiser``.

    For a sample of class c drawn from :math:`N(\mu_c, I)` and noised to :math:`z = a x + s e` with
    :math:`a^2 + s^2 = 1`, the expected noise is :math:`s (z - a \mu_c)`. A diffusion classifier on it ranks classes by
    their distance; with antithetic pairs of noise it does so exactly, whatever the noise.

    Parameters
    ----------
    classes
        K names.
    centers
        K x shape of a sample, float; the classes' means.
    schedule
        How samples are noised.
    identity
        What answers.

    Raises
    ------
    ValueError
        If there is not one finite center a class.
    """

    def __init__(
        self, classes: Sequence[str], centers: NDArray[np.floating], schedule: NoiseSchedule, identity: ModelIdentity
    ) -> None:
        if len(centers) != len(classes) or not np.isfinite(centers).all():
            raise ValueError(f"{len(classes)} classes need as many finite centers, not {np.shape(centers)}")
        self._classes = tuple(classes)
        self._centers = np.asarray(centers, np.float32)
        self._schedule = schedule
        self._identity = identity

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._identity

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the K classes."""
        return self._classes

    @property
    def schedule(self) -> NoiseSchedule:
        """How its samples are noised."""
        return self._schedule

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self._centers.shape[1:]

    @property
    def mask(self) -> NDArray[np.float32]:
        """Ones: every number counts."""
        return np.ones(self.sample_shape, np.float32)

    def predict_noise(
        self, noised: NDArray[np.float32], steps: NDArray[np.intp], classes: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Return the expected noise in N noised samples at N steps if they are of N classes."""
        by_axis = (-1, *[1] * len(self.sample_shape))
        signal = self._schedule.signal[steps].astype(np.float32).reshape(by_axis)
        strength = self._schedule.noise[steps].astype(np.float32).reshape(by_axis)
        return np.asarray(strength * (noised - signal * self._centers[classes]), np.float32)
