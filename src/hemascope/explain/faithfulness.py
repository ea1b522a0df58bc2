"""Whether a map says where the class is decided: its change, applied where it is marked, against other places."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hemascope.core.ports import ConditionalDenoiser
from hemascope.explain.evidence import class_errors, leaning
from hemascope.explain.paired_noise import PairedNoise
from hemascope.explain.views import seen

MOVES = (1, 2, 5)
"""Views by which a marked change is moved elsewhere: a quarter turn, a half turn, mirrored and turned."""


def placed_changes(
    change: NDArray[np.float32], marked: NDArray[np.bool_], inside: NDArray[np.bool_], seed: int = 0
) -> dict[str, NDArray[np.float32]]:
    """Return a change of an image at several places.

    Parameters
    ----------
    change
        C x H x W, a map of changes.
    marked
        H x W bool, some pixels.
    inside
        H x W bool, pixels that the denoiser looks at.
    seed
        Of the other pixels.

    Returns
    -------
    ``marked``: the change in the marked pixels. ``moved_<view>``: the same moved elsewhere, of the same shape and size:
    turned about the center, or mirrored. ``elsewhere``: the change in as many other pixels inside, drawn at random.
    ``whole``: the change in all pixels inside.

    Raises
    ------
    ValueError
        If no pixel is marked.
    """
    if not marked.any():
        raise ValueError("nothing is marked: there is no change to apply")
    others = np.flatnonzero(inside & ~marked)
    drawn = np.zeros(inside.shape, np.bool_)
    count = min(int(marked.sum()), len(others))
    drawn.flat[np.random.default_rng(seed).choice(others, count, replace=False)] = True
    part = change * marked
    moved = {f"moved_{view}": np.ascontiguousarray(seen(part, view)) * inside for view in MOVES}
    return {"marked": part, "elsewhere": change * drawn, "whole": change * inside, **moved}


def leaning_gains(
    denoiser: ConditionalDenoiser,
    sample: NDArray[np.float32],
    pair: tuple[int, int],
    changes: Mapping[str, NDArray[np.float32]],
    noise: PairedNoise,
) -> dict[str, float]:
    """Return how much further each change makes a sample lean to another class (see ``evidence.leaning``).

    Parameters
    ----------
    denoiser
        Explains samples.
    sample
        Of its ``sample_shape``.
    pair
        Numbers of the class it is, and of the class asked about.
    changes
        Name to a change, of the shape of the sample.
    noise
        Pairs of trials other than those that made the changes: those would flatter them.
    """
    tried = np.stack([sample, *(sample + change for change in changes.values())]).astype(np.float32)
    leans = leaning(class_errors(denoiser, tried, pair, noise))
    return {name: float(lean - leans[0]) for name, lean in zip(changes, leans[1:], strict=True)}
