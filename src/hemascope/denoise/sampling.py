"""New samples from a denoiser: noise is turned, step by step, into what the denoiser believes was there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hemascope.core.noise_schedule import NoiseSchedule
from hemascope.core.ports import ConditionalDenoiser

BLOCK = 8
"""Samples made together. Sample i always stands at the same place of the same block: it is the same, to the last bit,
however many are asked for."""

LEAST_SIGNAL = 0.005
"""Steps with less signal are left out: there a tiny error in the noise is a huge one in the sample."""

Array = NDArray[np.float32]
OnStep = Callable[[int], None]
"""Called with the number of denoiser passes that are done."""


@runtime_checkable
class GuidedDenoiser(ConditionalDenoiser, Protocol):
    """A denoiser that also answers for no class in particular."""

    def predict_noise_conditions(self, noised: Array, steps: NDArray[np.intp], conditions: Array) -> Array:
        """Return the expected noise under N x K shares of classes; a row of zeros states no class."""
        ...


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """How samples are drawn.

    Attributes
    ----------
    steps
        From noise to sample, at least 2; each is one denoiser pass, two with guidance.
    guidance
        1: as the classes were learned. Above: further from what is common to all classes, so more typical and less
        various (classifier-free guidance: Ho, Salimans, arXiv:2207.12598; here 1 plus their w).
    order
        1: DDIM without added noise (Song et al., ICLR 2021). 2: DPM-Solver++(2M) (Lu et al., arXiv:2211.01095).
    limit
        Bound of the sample at every step, as of images; None for samples without bounds.
    quantile
        Where the bound is exceeded: None cuts there; else what this share of the values lies within is scaled down to
        the bound (dynamic thresholding: Saharia et al., NeurIPS 2022).

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    steps: int = 30
    guidance: float = 1.0
    order: int = 2
    limit: float | None = None
    quantile: float | None = None

    def __post_init__(self) -> None:
        if self.steps < 2 or self.order not in (1, 2) or not (np.isfinite(self.guidance) and self.guidance >= 0):
            raise ValueError(f"need 2 or more steps, order 1 or 2 and guidance of 0 or more, not {self}")
        if self.limit is not None and not self.limit > 0:
            raise ValueError(f"a bound must be above 0, not {self.limit}")
        if self.quantile is not None and (self.limit is None or not 0 < self.quantile <= 1):
            raise ValueError(f"a quantile lies above 0 and at most at 1, and needs a bound; not {self}")

    @property
    def guided(self) -> bool:
        """Whether the denoiser is asked for no class too."""
        return self.guidance != 1

    def passes(self, schedule: NoiseSchedule, count: int) -> int:
        """Return the number of denoiser passes that ``count`` samples of one class take."""
        steps = len(step_numbers(schedule, self.steps))
        return -(-count // BLOCK) * BLOCK * steps * (2 if self.guided else 1)


def draw_samples(
    denoiser: ConditionalDenoiser,
    class_number: int,
    count: int,
    plan: SamplingPlan,
    seed: int,
    on_step: OnStep = lambda passes: None,
) -> Array:
    """Return new samples of a class.

    Parameters
    ----------
    denoiser
        What is drawn from; a ``GuidedDenoiser`` where the plan asks for guidance.
    class_number
        Place of the class among the denoiser's.
    count
        How many, 0 or more.
    plan
        How.
    seed
        0 or more. Sample i of a class and seed is the same whatever the count, on one machine and its libraries.
    on_step
        Called after every step.

    Returns
    -------
    count x shape of a sample, float32; what lies outside the denoiser's mask means nothing.

    Raises
    ------
    ValueError
        If there is no such class, the count or seed is below 0, or the denoiser takes no guidance.
    """
    if not 0 <= class_number < len(denoiser.classes) or count < 0 or seed < 0:
        raise ValueError(f"cannot draw {count} samples of class {class_number} with seed {seed}")
    if plan.guided and not isinstance(denoiser, GuidedDenoiser):
        raise ValueError(f"{denoiser.identity.name} knows no sample without a class; leave out the guidance")
    blocks = [np.empty((0, *denoiser.sample_shape), np.float32)]
    for start in range(0, count, BLOCK):
        noise = np.stack([_noise(denoiser, class_number, number, seed) for number in range(start, start + BLOCK)])
        done = plan.passes(denoiser.schedule, start)
        blocks.append(_denoised(denoiser, class_number, noise, plan, _shifted(on_step, done)))
    return np.concatenate(blocks)[:count]


def step_numbers(schedule: NoiseSchedule, count: int) -> NDArray[np.intp]:
    """Return at most ``count`` steps of a schedule, falling to 0 from the last with a signal to speak of.

    They are even in the logarithm of the signal-to-noise ratio, as DPM-Solver takes them: for Gaussians, 20 such steps
    give the spread to within 2%, where as many even in time are off by up to 20%.
    """
    half_log_snr = 0.5 * np.log(schedule.snr)
    last = int(np.flatnonzero(schedule.signal >= LEAST_SIGNAL)[-1])
    wanted = np.linspace(half_log_snr[last], half_log_snr[0], count)
    return np.unique(np.abs(half_log_snr - wanted[:, None]).argmin(axis=1))[::-1]


def _shifted(on_step: OnStep, done: int) -> OnStep:
    return lambda passes: on_step(done + passes)


def _noise(denoiser: ConditionalDenoiser, class_number: int, number: int, seed: int) -> Array:
    generator = np.random.default_rng((seed, class_number, number))
    return generator.standard_normal(denoiser.sample_shape, dtype=np.float32)


def _denoised(
    denoiser: ConditionalDenoiser, class_number: int, noise: Array, plan: SamplingPlan, on_step: OnStep
) -> Array:
    """Return samples from noise; all arithmetic but the denoiser's in float64, of which there is little."""
    schedule, numbers = denoiser.schedule, step_numbers(denoiser.schedule, plan.steps)
    signal, strength = schedule.signal[numbers], schedule.noise[numbers]
    half_log_snr = np.log(signal / strength)
    state, before, clean = noise, None, noise
    for place, number in enumerate(numbers):
        told = _told_noise(denoiser, class_number, state, int(number), plan)
        clean = ((state - strength[place] * told) / signal[place]).astype(np.float32)
        clean = _bounded(clean, plan, denoiser.mask)
        on_step((place + 1) * len(noise) * (2 if plan.guided else 1))
        if place + 1 == len(numbers):
            break
        toward, gap = clean, half_log_snr[place + 1] - half_log_snr[place]
        if before is not None and plan.order == 2:
            ratio = (half_log_snr[place] - half_log_snr[place - 1]) / gap
            toward = clean + (clean - before) / (2 * ratio)
        kept = strength[place + 1] / strength[place]
        state = (kept * state - signal[place + 1] * np.expm1(-gap) * toward).astype(np.float32)
        before = clean
    return clean


def _told_noise(
    denoiser: ConditionalDenoiser, class_number: int, state: Array, number: int, plan: SamplingPlan
) -> Array:
    steps = np.full(len(state), number, np.intp)
    if not plan.guided:
        return denoiser.predict_noise(state, steps, np.full(len(state), class_number, np.intp))
    assert isinstance(denoiser, GuidedDenoiser)  # noqa: S101  (draw_samples looked)
    conditions = np.zeros((2 * len(state), len(denoiser.classes)), np.float32)
    conditions[: len(state), class_number] = 1
    both = denoiser.predict_noise_conditions(np.concatenate([state, state]), np.tile(steps, 2), conditions)
    of_class, of_none = both[: len(state)], both[len(state) :]
    return of_none + np.float32(plan.guidance) * (of_class - of_none)


def _bounded(clean: Array, plan: SamplingPlan, mask: Array) -> Array:
    if plan.limit is None:
        return clean
    if plan.quantile is None:
        return np.clip(clean, -plan.limit, plan.limit)
    inside = np.abs(clean[:, mask > 0])
    reach = np.maximum(np.quantile(inside, plan.quantile, axis=1), plan.limit)
    reach = reach.astype(np.float32).reshape(-1, *[1] * (clean.ndim - 1))
    return np.asarray(np.clip(clean, -reach, reach) * (np.float32(plan.limit) / reach), np.float32)
