"""How a sample is noised, step by step: what every denoiser and whoever asks one must agree on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEPS = 1000
"""Steps of the schedules below, as in the published systems."""


@dataclass(frozen=True, slots=True, eq=False)
class NoiseSchedule:
    """A variance-preserving schedule: at step t, a sample x and noise e of unit variance are ``a x + s e``.

    Attributes
    ----------
    name
        As in a card: ``cosine``, ``scaled_linear``.
    signal
        Float64 vector a over the steps 0 to T - 1, falling, strictly between 0 and 1.

    Raises
    ------
    ValueError
        If the signal does not fall from below 1 to above 0.
    """

    name: str
    signal: NDArray[np.float64]

    def __post_init__(self) -> None:
        falls = self.signal.ndim == 1 and len(self.signal) > 1 and bool((np.diff(self.signal) < 0).all())
        if not falls or self.signal[0] >= 1 or self.signal[-1] <= 0:
            raise ValueError("a noise schedule needs a signal that falls from below 1 to above 0")

    def __len__(self) -> int:
        """Return the number of steps T."""
        return len(self.signal)

    @property
    def noise(self) -> NDArray[np.float64]:
        """Float64 vector s over the steps: the square root of 1 - a squared."""
        return np.asarray(np.sqrt(1 - self.signal**2), np.float64)

    @property
    def snr(self) -> NDArray[np.float64]:
        """Float64 vector over the steps: signal power over noise power."""
        return np.asarray(self.signal**2 / (1 - self.signal**2), np.float64)

    def noised(
        self, samples: NDArray[np.float32], noise: NDArray[np.float32], steps: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Return N noised samples for N samples, their noise, and N steps; all of the samples' shape, float32."""
        by_axis = (-1, *[1] * (samples.ndim - 1))
        signal = self.signal[steps].astype(np.float32).reshape(by_axis)
        strength = self.noise[steps].astype(np.float32).reshape(by_axis)
        return np.asarray(signal * samples + strength * noise, np.float32)


def cosine_schedule(steps: int = STEPS) -> NoiseSchedule:
    r"""Return the schedule whose signal power follows a squared cosine, each step keeping at least 0.001 of it.

    :math:`\bar\alpha_t = \cos^2(\tfrac{t/T + 0.008}{1.008}\tfrac{\pi}{2})` (Nichol, Dhariwal, ICML 2021).
    """
    times = np.arange(steps + 1) / steps
    power = np.cos((times + 0.008) / 1.008 * np.pi / 2) ** 2
    kept = np.maximum(power[1:] / power[:-1], 0.001)
    return NoiseSchedule("cosine", np.sqrt(np.cumprod(kept)))


def scaled_linear_schedule(steps: int = STEPS, first: float = 0.00085, last: float = 0.012) -> NoiseSchedule:
    """Return the schedule of Stable Diffusion 1.5: variances whose square roots rise evenly from first to last."""
    variances = np.linspace(first**0.5, last**0.5, steps) ** 2
    return NoiseSchedule("scaled_linear", np.sqrt(np.cumprod(1 - variances)))


SCHEDULES = {"cosine": cosine_schedule, "scaled_linear": scaled_linear_schedule}
"""Name in a card to the schedule."""
