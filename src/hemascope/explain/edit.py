r"""A sample edited toward another class: noised as the class it is, cleaned as the class asked about.

Steps between levels of noise are those of DDIM (Song, Meng, Ermon, ICLR 2021), forward to a middle level under the
class it is (inversion) and back under the other (after Meng et al., SDEdit, ICLR 2022). It is cleaned under the class
it is as well, and the difference of the two is what is changed: what inversion loses is no change, and an edit toward
its own class changes nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hemascope.core.noise_schedule import NoiseSchedule
from hemascope.core.ports import ConditionalDenoiser

REACH = 0.8
"""Part of the schedule up to which a sample is noised: less changes little, more forgets the cell."""

PASSES = 20
"""Steps each way."""

GUIDANCE = 3.0
"""Factor on the difference between two classes: at 1, edited cells hardly ever become of the other class."""


def edit_toward(
    denoiser: ConditionalDenoiser,
    sample: NDArray[np.float32],
    predicted: int,
    target: int,
    *,
    reach: float = REACH,
    passes: int = PASSES,
    guidance: float = GUIDANCE,
) -> NDArray[np.float32]:
    """Return the edited sample; outside the denoiser's mask it stays as it is.

    Parameters
    ----------
    denoiser
        Explains samples.
    sample
        Of its ``sample_shape``.
    predicted, target
        Numbers of the class it is, and of the class asked about.
    reach
        Part of the schedule up to which it is noised, above 0, at most 1.
    passes
        Steps each way.
    guidance
        Factor on the difference between what the two classes expect; above 1 exaggerates it.

    Raises
    ------
    ValueError
        If the reach is out of range, there is no step, or the sample is not of the denoiser's shape.
    """
    if not 0 < reach <= 1 or passes < 1:
        raise ValueError(f"need a reach above 0 and up to 1 and at least one pass, not {reach} and {passes}")
    if sample.shape != denoiser.sample_shape:
        raise ValueError(f"a sample of {denoiser.identity.name} is {denoiser.sample_shape}, not {sample.shape}")
    levels = _levels(len(denoiser.schedule), reach, passes)
    noised = sample[None].astype(np.float32)
    for here, there in zip((-1, *levels[:-1]), levels, strict=True):
        expected = denoiser.predict_noise(noised, np.array([max(here, 0)]), np.array([predicted]))
        noised = _moved(denoiser.schedule, noised, expected, here, there)
    both = np.concatenate([noised, noised])
    for here, there in zip(reversed(levels), (*reversed(levels[:-1]), -1), strict=True):
        expected = _expected(denoiser, both, here, (predicted, target), guidance)
        both = _moved(denoiser.schedule, both, expected, here, there)
    edited: NDArray[np.float32] = sample + (both[1] - both[0]) * (denoiser.mask > 0)
    return edited


def edit_passes(passes: int, guidance: float) -> int:
    """Return the denoiser passes that an edit of so many steps each way costs."""
    return passes * (3 if guidance == 1.0 else 5)


def _levels(steps: int, reach: float, passes: int) -> tuple[int, ...]:
    """Return the steps a sample goes through, the least noised first; each once."""
    last = max(round(reach * (steps - 1)), 0)
    return tuple(np.unique(np.rint(np.linspace(last / passes, last, passes)).astype(int)).tolist())


def _expected(
    denoiser: ConditionalDenoiser, both: NDArray[np.float32], step: int, pair: tuple[int, int], guidance: float
) -> NDArray[np.float32]:
    """Return the noise expected in two samples, each under its own class of the pair."""
    steps = np.full(2, step, np.intp)
    expected = denoiser.predict_noise(both, steps, np.array(pair, np.intp))
    if guidance != 1.0:
        plain = denoiser.predict_noise(both, steps, np.full(2, pair[0], np.intp))
        expected = plain + np.float32(guidance) * (expected - plain)
    return expected


def _moved(
    schedule: NoiseSchedule, noised: NDArray[np.float32], expected: NDArray[np.float32], here: int, there: int
) -> NDArray[np.float32]:
    """Return samples at step ``here`` moved to step ``there`` along the expected noise; step -1 is without noise."""
    signal, strength = _amounts(schedule, here)
    clean = (noised - strength * expected) / signal
    signal, strength = _amounts(schedule, there)
    return np.asarray(signal * clean + strength * expected, np.float32)


def _amounts(schedule: NoiseSchedule, step: int) -> tuple[np.float32, np.float32]:
    if step < 0:
        return np.float32(1), np.float32(0)
    signal = schedule.signal[step]
    return np.float32(signal), np.float32(np.sqrt(1 - signal**2))
