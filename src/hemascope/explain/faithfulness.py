"""Whether a map says where the class is decided: its change, applied where it is marked, against other places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.ports import ConditionalDenoiser
from hemascope.explain.counterfactual import ChangeMap
from hemascope.explain.evidence import class_errors, leaning
from hemascope.explain.paired_noise import PairedNoise
from hemascope.explain.views import VIEWS, seen


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """How far a cell leans to the other class (see ``evidence.leaning``), more than before.

    Attributes
    ----------
    marked
        With the change applied in the marked pixels.
    moved
        Mean with the marked change moved elsewhere: turned and mirrored about the center, same shape and size.
    elsewhere
        With the change applied in as many other pixels drawn at random.
    whole
        With the change applied everywhere.
    share
        Marked share of the pixels inside the mask, 0 to 1.
    """

    marked: float
    moved: float
    elsewhere: float
    whole: float
    share: float


def measure_faithfulness(
    denoiser: ConditionalDenoiser,
    sample: NDArray[np.float32],
    pair: tuple[int, int],
    change: ChangeMap,
    marked: NDArray[np.bool_],
    noise: PairedNoise,
    seed: int = 0,
) -> Faithfulness:
    """Return what the marked change of one cell does, and the same change at other places.

    Parameters
    ----------
    denoiser
        Explains images.
    sample
        C x H x W.
    pair
        Numbers of the class it is, and of the class asked about.
    change, marked
        The map and the pixels marked in it.
    noise
        Pairs of trials other than those of the map: its own would flatter it.
    seed
        Of the other pixels.

    Raises
    ------
    ValueError
        If no pixel is marked.
    """
    if not marked.any():
        raise ValueError("nothing is marked: there is no change to apply")
    inside = np.asarray(denoiser.mask.max(axis=0) > 0, np.bool_)
    whole = change.mean.astype(np.float32)
    part = whole * marked
    others = np.flatnonzero(inside & ~marked)
    count = min(int(marked.sum()), len(others))
    drawn = np.zeros(inside.shape, np.bool_)
    drawn.flat[np.random.default_rng(seed).choice(others, count, replace=False)] = True
    moved = [seen(part, view) * inside for view in range(1, VIEWS)]
    changes = np.stack([np.zeros_like(part), part, whole * drawn, whole, *moved])
    leans = leaning(class_errors(denoiser, sample + changes, pair, noise))
    gains = leans - leans[0]
    share = float(marked.sum() / inside.sum())
    return Faithfulness(float(gains[1]), float(gains[4:].mean()), float(gains[2]), float(gains[3]), share)
