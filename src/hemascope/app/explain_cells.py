"""Cells explained: what would have to change for them to be of another type, and what the changed cell is taken for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import Cell, CellCrop
from hemascope.core.errors import RecipeError
from hemascope.core.explanation import AnswerCheck, Counterfactual, ExplanationMethod
from hemascope.core.optics import background_color, transmittance
from hemascope.core.ports import CellClassifier, CellDenoiser
from hemascope.core.prediction import CellPrediction
from hemascope.core.taxonomy import CellType
from hemascope.explain.counterfactual import change_map
from hemascope.explain.edit import GUIDANCE, PASSES, REACH, edit_passes, edit_toward
from hemascope.explain.evidence import class_errors, leaning
from hemascope.explain.paired_noise import draw_pairs
from hemascope.explain.regions import density_change, measure_regions
from hemascope.explain.significance import FALSE_DISCOVERIES, beyond_chance

TRANSMITTANCE_PER_UNIT = 0.5
"""Samples of images of cells are twice the transmittance less 1."""

_CHECK_SEED = 1_000_003
"""Added to the seed for the check: noise that made an edit would flatter it."""


@dataclass(frozen=True, slots=True)
class ExplanationPlan:
    """How cells are explained; see ``core.explanation.ExplanationMethod``.

    Attributes
    ----------
    pairs, check_pairs
        Pairs of trials of a map, and of the check of an edit.
    seed
        Of the noise.
    least
        Change of transmittance too little to be marked: 0.005 is about one gray level of 255.
    rate
        False discovery rate among the marked pixels.
    reach, passes, guidance
        Of the edit.
    """

    pairs: int = 32
    check_pairs: int = 8
    seed: int = 0
    least: float = 0.005
    rate: float = FALSE_DISCOVERIES
    reach: float = REACH
    passes: int = PASSES
    guidance: float = GUIDANCE


@dataclass(frozen=True, slots=True, eq=False)
class AskedCell:
    """A cell and what is asked of it.

    Attributes
    ----------
    current
        The type it is taken for.
    targets
        The types asked about, none of them the current one.
    crop, classifier_crop
        As the denoiser and as the classifier take it; centered on the same point.
    regions
        Name of a part to S x S bool in the denoiser's crop; empty where no outline is known.
    """

    current: CellType
    targets: tuple[CellType, ...]
    crop: CellCrop
    classifier_crop: CellCrop
    regions: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explainer:
    """What explains cells.

    Attributes
    ----------
    denoiser
        Of images of cells.
    classifier
        Asked about the cell before and after the edit: it knows nothing of the denoiser.
    plan
        How.
    """

    denoiser: CellDenoiser
    classifier: CellClassifier
    plan: ExplanationPlan = ExplanationPlan()

    @property
    def method(self) -> ExplanationMethod:
        """How maps and edits are made."""
        plan = self.plan
        passes = 4 * plan.pairs + 8 * plan.check_pairs + edit_passes(plan.passes, plan.guidance)
        return ExplanationMethod(
            self.denoiser.identity, plan.pairs, plan.seed, plan.least, plan.rate,
            plan.reach, plan.passes, plan.guidance, passes,
        )  # fmt: skip

    def number_of(self, cell_type: CellType) -> int:
        """Return the number of a type among the denoiser's classes.

        Raises
        ------
        RecipeError
            If it is none of them.
        """
        if cell_type.value not in self.denoiser.classes:
            known = ", ".join(self.denoiser.classes)
            raise RecipeError(f"{self.denoiser.identity.name} knows no {cell_type.value}; ask about one of {known}")
        return self.denoiser.classes.index(cell_type.value)

    def explain(self, cells: Sequence[AskedCell]) -> Iterator[Counterfactual]:
        """Yield one answer a cell and type asked about, in order.

        Raises
        ------
        RecipeError
            If a type is none of the denoiser's classes.
        """
        for cell in cells:
            for target in cell.targets:
                yield self._explained(cell, target)

    def _explained(self, cell: AskedCell, target: CellType) -> Counterfactual:
        plan, pair = self.plan, (self.number_of(cell.current), self.number_of(target))
        sample = self.denoiser.samples([cell.crop], 0)[0]
        found = change_map(self.denoiser, sample, *pair, draw_pairs(self.denoiser, plan.pairs, plan.seed))
        inside = np.asarray(self.denoiser.mask.max(axis=0) > 0, np.bool_)
        marked = beyond_chance(found, inside, plan.least / TRANSMITTANCE_PER_UNIT, plan.rate)
        change, error = (_light(values) for values in (found.mean, found.error))
        light = transmittance(cell.crop.pixels)
        edited = edit_toward(self.denoiser, sample, *pair, reach=plan.reach, passes=plan.passes, guidance=plan.guidance)
        edit = np.clip(light + _light(edited - sample), 0, 1) - light
        return Counterfactual(
            cell_id=cell.crop.cell_id,
            current=cell.current,
            target=target,
            crop=cell.crop.pixels,
            width_um=float(cell.crop.width),
            change=change,
            error=error,
            marked=marked,
            density=density_change(light, change),
            edited=changed_pixels(cell.crop.pixels, edit),
            regions=measure_regions(_visible(cell.regions, inside), marked, light, change, edit),
            check=self._check(cell, target, sample, edited),
            method=self.method,
        )

    def _check(
        self, cell: AskedCell, target: CellType, sample: NDArray[np.float32], edited: NDArray[np.float32]
    ) -> AnswerCheck:
        """Return what classifier and denoiser answer before and after the edit."""
        changed = _changed_crop(cell.classifier_crop, _light(edited - sample), float(cell.crop.width))
        before, after = self.classifier.classify([cell.classifier_crop, changed])
        noise = draw_pairs(self.denoiser, self.plan.check_pairs, self.plan.seed + _CHECK_SEED)
        pair = (self.number_of(cell.current), self.number_of(target))
        leans = leaning(class_errors(self.denoiser, np.stack([sample, edited]), pair, noise))
        return AnswerCheck(
            _shares(before, cell.current, target), _shares(after, cell.current, target), after.most_likely,
            float(leans[0]), float(leans[1]),
        )  # fmt: skip


def cell_regions(cell: Cell, mpp: float, side: int, width_um: float) -> dict[str, NDArray[np.bool_]]:
    """Return nucleus, cytoplasm and surroundings of a cell in a crop centered on its box.

    Parameters
    ----------
    cell
        With its outline in pixels of the field.
    mpp
        Um per pixel of the field.
    side, width_um
        Of the crop, in pixels and um.

    Returns
    -------
    Name to side x side bool; no pixel is in two of them, and every one is in one.
    """
    factor = side * mpp / width_um
    center = np.array(cell.outline.bounds.center, np.float32)

    def filled(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.bool_]:
        canvas = np.zeros((side, side), np.uint8)
        for points in parts:
            placed = (points - center) * np.float32(factor) + np.float32((side - 1) / 2)
            cv2.fillPoly(canvas, [np.round(placed).astype(np.int32)], 1)
        return np.asarray(canvas > 0, np.bool_)

    body = filled([cell.outline.points])
    if cell.nucleus is None:
        return {"cell": body, "surroundings": ~body}
    nucleus = filled([part.points for part in cell.nucleus.parts]) & body
    return {"nucleus": nucleus, "cytoplasm": body & ~nucleus, "surroundings": ~body}


def changed_pixels(pixels: NDArray[np.uint8], change: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return an image with its transmittance changed; H x W x 3 each."""
    changed = pixels + change * background_color(pixels)
    return np.asarray(np.clip(np.round(changed), 0, 255), np.uint8)


def _changed_crop(crop: CellCrop, change: NDArray[np.float32], width_um: float) -> CellCrop:
    """Return a crop with a change ``width_um`` wide laid over its center."""
    side = len(crop.pixels)
    factor = side / float(crop.width) * width_um / len(change)
    shift = (side - 1) / 2 - factor * (len(change) - 1) / 2
    place = np.array([[factor, 0, shift], [0, factor, shift]], np.float64)
    laid = np.asarray(cv2.warpAffine(change, place, (side, side), flags=cv2.INTER_LINEAR), np.float32)
    return CellCrop(crop.cell_id, changed_pixels(crop.pixels, laid), crop.width)


def _light(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return a 3 x S x S change of a sample as S x S x 3 change of transmittance."""
    return np.asarray(values.transpose(1, 2, 0) * TRANSMITTANCE_PER_UNIT, np.float32)


def _visible(regions: Mapping[str, NDArray[np.bool_]], inside: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Return regions as far as the denoiser looks; the whole view where there are none."""
    return {name: region & inside for name, region in regions.items()} or {"view": inside}


def _shares(prediction: CellPrediction, current: CellType, target: CellType) -> tuple[float, float]:
    order = list(CellType)
    values = prediction.probabilities
    return float(values[order.index(current)]), float(values[order.index(target)])
