"""Generated fields to learn from: random looks, random scales, and the named hard cases."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.taxonomy import CellKind
from hemascope.recipes import SegmenterTrainingRecipe
from hemascope.synth.hard_cases import LEARNABLE_CASES, HardCase
from hemascope.synth.smear import SmearStyle, SyntheticField, paint_field

LEAST_VISIBLE = 0.2
"""Share of a generated cell that must lie in the field and uncovered for it to be taught."""

TAUGHT_CASES = tuple(
    case for case in LEARNABLE_CASES if case not in (HardCase.NO_CELLS, HardCase.BLACK, HardCase.ONLY_RED_CELLS)
)
"""Cases that a share of the generated fields is painted with: all that can be learned and hold something to learn."""

CASE_SHARE = 0.45
"""Of the generated fields."""


def paint_random_field(seed: int) -> SyntheticField:
    """Return one generated field of 60 x 50 um, of random style, scale and, often, a hard case."""
    rng = np.random.default_rng(seed)
    mpp = float(np.exp(rng.uniform(np.log(0.08), np.log(0.2))))
    case = TAUGHT_CASES[rng.integers(len(TAUGHT_CASES))] if rng.random() < CASE_SHARE else None
    style = SmearStyle.sample(rng)
    return paint_field(seed, width=round(60 / mpp), height=round(50 / mpp), mpp=mpp, style=style, case=case)


def painting_seeds(split: str, recipe: SegmenterTrainingRecipe) -> range:
    """Return the seeds of the generated fields of a split: never the same for two splits or recipe seeds."""
    first = recipe.seed * 10_000_000
    if split == "train":
        return range(first, first + recipe.synthetic_fields)
    return range(first + 1_000_000, first + 1_000_000 + max(recipe.synthetic_fields // 10, 4))


def painted_tissue(painted: SyntheticField, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the exact tissue of a generated field, 2 x H x W: nuclei, and white cells where nothing lies on them."""
    white = [index for index, cell in enumerate(painted.cells, 1) if cell.kind is CellKind.WHITE_CELL]
    layers = (painted.nucleus, np.isin(painted.instances, white))
    shares = (cv2.resize(layer.astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA) for layer in layers)
    return np.stack([np.asarray(share) > 0.5 for share in shares]).astype(np.uint8)
