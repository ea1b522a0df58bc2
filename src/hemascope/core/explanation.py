"""What would have to change for a cell to be of another type, as a denoiser sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType


@dataclass(frozen=True, slots=True)
class RegionChange:
    """What is marked in one part of a cell.

    Attributes
    ----------
    region
        ``nucleus``, ``cytoplasm``, ``surroundings``; ``cell`` where no nucleus was found, ``view`` without an outline.
    area_share
        Area of the part over that of the whole view, 0 to 1.
    darker, lighter
        Share of the part's area marked as darker and as lighter, by the mean over red, green and blue.
    transmittance, density
        Mean change over its marked area, of the light and of the optical density, means over red, green and blue; 0
        where nothing is marked.
    edited_transmittance
        Mean change of the edited cell over the whole part, of red, green and blue.
    edited_density
        The same as change of optical density, mean over red, green and blue.
    """

    region: str
    area_share: float
    darker: float
    lighter: float
    transmittance: float
    density: float
    edited_transmittance: tuple[float, float, float]
    edited_density: float


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """What is answered to the cell as it is, and to the cell as edited.

    Attributes
    ----------
    before, after
        The classifier's probabilities of (the type it is taken for, the type asked about), 0 to 1.
    answer
        The classifier's most likely type of the edited cell.
    leaning_before, leaning_after
        How far the denoiser leans to the type asked about: difference of its two errors over their mean; above 0 it
        explains the cell better.
    """

    before: tuple[float, float]
    after: tuple[float, float]
    answer: CellType
    leaning_before: float
    leaning_after: float


@dataclass(frozen=True, slots=True)
class ExplanationMethod:
    """How maps and edits were made.

    Attributes
    ----------
    model
        The denoiser.
    pairs
        Pairs of trials with opposite noise; each is two passes for each of the two types.
    seed
        Of the noise.
    least
        Change of transmittance that is too little to be marked.
    false_discovery_rate
        Share of the marked pixels that may be marked by chance.
    reach, edit_passes, guidance
        Of the edit: part of the schedule up to which the cell is noised, steps each way, and the factor on the
        difference between the two types.
    passes
        Denoiser passes spent on one question, all told.
    """

    model: ModelIdentity
    pairs: int
    seed: int
    least: float
    false_discovery_rate: float
    reach: float
    edit_passes: int
    guidance: float
    passes: int


@dataclass(frozen=True, slots=True, eq=False)
class Counterfactual:
    """One cell and one other type: what would have to change, where, and whether the change does what it says.

    Attributes
    ----------
    cell_id
        The cell.
    current, target
        The type it is taken for, and the one asked about.
    crop
        S x S x 3 uint8, the cell as the denoiser saw it.
    width_um
        Of the crop.
    change
        S x S x 3 float32, mean change of transmittance; negative where the other type would be darker.
    error
        Its standard error over pairs of trials, of the same shape.
    marked
        S x S bool, pixels whose change is beyond chance and more than the least.
    density
        S x S float32, change of optical density, mean over red, green and blue.
    edited
        S x S x 3 uint8, the cell edited toward the other type.
    regions
        What is marked in each part of the cell.
    check
        Answers before and after the edit.
    method
        How it was made.
    """

    cell_id: str
    current: CellType
    target: CellType
    crop: NDArray[np.uint8]
    width_um: float
    change: NDArray[np.float32]
    error: NDArray[np.float32]
    marked: NDArray[np.bool_]
    density: NDArray[np.float32]
    edited: NDArray[np.uint8]
    regions: tuple[RegionChange, ...]
    check: AnswerCheck
    method: ExplanationMethod

    @property
    def marked_share(self) -> float:
        """Marked share of the view's area, 0 to 1."""
        total = sum(region.area_share for region in self.regions)
        return sum((part.darker + part.lighter) * part.area_share for part in self.regions) / total if total else 0.0
