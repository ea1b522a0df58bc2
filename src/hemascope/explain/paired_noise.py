"""Trials that two classes share: the same steps, the same noise and its opposite, the same views."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.ports import ConditionalDenoiser
from hemascope.explain.views import views_of

WINDOW = (0.05, 0.85)
"""Part of the schedule that trials are drawn from: before it nothing is hidden, behind it nothing is left to see."""


@dataclass(frozen=True, slots=True, eq=False)
class PairedNoise:
    """P pairs of trials; the two of a pair differ by the sign of the noise alone.

    Attributes
    ----------
    steps
        P steps.
    noise
        P x shape of a sample, standard normal.
    views
        P numbers of views; see ``explain.views``.
    """

    steps: NDArray[np.intp]
    noise: NDArray[np.float32]
    views: NDArray[np.intp]

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.steps)


def draw_pairs(
    denoiser: ConditionalDenoiser, pairs: int, seed: int, window: tuple[float, float] = WINDOW
) -> PairedNoise:
    """Return pairs whose steps are spread evenly over a part of the schedule, one drawn from each of ``pairs`` strata.

    Parameters
    ----------
    denoiser
        Gives the schedule and the shape of a sample.
    pairs
        How many, at least 2.
    seed
        Of the generator.
    window
        First and last part of the schedule, 0 to 1.

    Raises
    ------
    ValueError
        If there are too few pairs, or the window is empty or out of range.
    """
    low, high = window
    if pairs < 2 or not 0 <= low < high <= 1:
        raise ValueError(f"need two pairs or more and a window inside 0 to 1, not {pairs} and {window}")
    generator = np.random.default_rng(seed)
    places = low + (high - low) * (np.arange(pairs) + generator.random(pairs)) / pairs
    last = len(denoiser.schedule) - 1
    views = np.resize(generator.permutation(views_of(denoiser.sample_shape)), pairs)
    return PairedNoise(
        steps=np.rint(places * last).astype(np.intp),
        noise=generator.standard_normal((pairs, *denoiser.sample_shape), np.float32),
        views=np.asarray(generator.permutation(views), np.intp),
    )
