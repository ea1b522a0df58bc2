"""A second look at cells the classifier is unsure of: what a denoiser says, joined with its probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.diffusion.budget import choose_threshold, fit_share
from hemascope.classify.diffusion.cascade import Cascade
from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.core.cell import CellCrop
from hemascope.core.errors import WeightsError
from hemascope.core.ports import Encoder
from hemascope.core.taxonomy import CellType
from hemascope.stats.temperature import fit_temperature

PASSED_ON = 0.2
"""Default share of cells that are looked at again: most of what a classifier gets wrong is among them."""

_LEAST = 1e-12
"""Stands for a probability of 0, which has no logarithm."""


@dataclass(frozen=True, slots=True, eq=False)
class SecondLook:
    """A cascade over what encoders say of crops.

    Attributes
    ----------
    encoders
        Whose embeddings stand side by side, in order; all take the classifier's crops.
    cascade
        Its classes are types of cells; types that it does not know keep their probability.
    """

    encoders: tuple[Encoder, ...]
    cascade: Cascade

    def joined(self, probabilities: NDArray[np.float64], crops: Sequence[CellCrop]) -> NDArray[np.float64]:
        """Return N x types probabilities, joined with the denoiser's where they are uncertain.

        Parameters
        ----------
        probabilities
            N x types in the order of ``CellType``, calibrated.
        crops
            N crops.
        """
        if not len(crops):
            return probabilities
        known = np.array([list(CellType).index(CellType(name)) for name in self.cascade.second.classes], np.intp)
        held = probabilities[:, known].sum(axis=1, keepdims=True)
        first = np.log(np.maximum(probabilities[:, known], _LEAST) / np.maximum(held, _LEAST))
        answers = self.cascade.answer(first, lambda cells: self._samples([crops[cell] for cell in cells]))
        after = np.array(probabilities)
        passed = np.flatnonzero(answers.passed_on)
        after[np.ix_(passed, known)] = np.exp(answers.log_probabilities[passed]) * held[passed]
        return np.asarray(after / after.sum(axis=1, keepdims=True), np.float64)

    def _samples(self, crops: Sequence[CellCrop]) -> NDArray[np.float32]:
        rows = np.concatenate([encoder.encode(crops) for encoder in self.encoders], axis=1)
        prepare = self.cascade.second.prepare
        return rows if prepare is None else prepare(rows)


def fit_second_look(
    first: NDArray[np.float64], second: NDArray[np.float64], labels: NDArray[np.intp], *, passed_on: float = PASSED_ON
) -> dict[str, float]:
    """Return what ``read_second_look`` takes, fitted on validation cells of which both models were asked.

    Parameters
    ----------
    first
        N x K calibrated log probabilities of the classifier, over the second model's classes.
    second
        N x K logits of the second model, every class tried.
    labels
        N numbers of the right classes.
    passed_on
        Share of the cells, the least certain, that are to be looked at again; 0 to 1.

    Raises
    ------
    ValueError
        If there is no cell, lengths disagree, or the share is out of range.
    """
    if not len(first) == len(second) == len(labels) or not len(labels) or not 0 <= passed_on <= 1:
        raise ValueError(f"need as many answers as labels, a cell, and a share, not {passed_on}")
    # Log likelihoods over hundreds of numbers are far larger than logits: a temperature is sought near their own size.
    unit = max(float(np.median(np.ptp(second, axis=1))), _LEAST)
    temperature = unit * fit_temperature(second / unit, labels)
    threshold = choose_threshold(first, np.ones(len(first), np.intp), passed_on)
    unsure = np.exp(first.max(axis=1)) < threshold
    share = fit_share(first[unsure], second[unsure] / temperature, labels[unsure]) if unsure.any() else 0.0
    return {"temperature": temperature, "threshold": threshold, "share": share}


def read_second_look(spec: Mapping[str, Any], encoders: Sequence[Encoder], second: DiffusionClassifier) -> SecondLook:
    """Return the second look that a card states.

    Parameters
    ----------
    spec
        ``temperature``, ``threshold`` and ``share`` of a ``Cascade``, all fitted on validation cells.
    encoders, second
        What looks.

    Raises
    ------
    WeightsError
        If a number is missing or out of range, or the encoders take crops of several sizes.
    """
    name = second.denoiser.identity.name
    if len({(encoder.spec.crop_px, encoder.spec.crop_um) for encoder in encoders}) != 1:
        raise WeightsError(f"{name}: its encoders take crops of several sizes, so it cannot stand in a cascade")
    try:
        numbers = {key: float(spec[key]) for key in ("temperature", "threshold", "share")}
        return SecondLook(tuple(encoders), Cascade(second, **numbers))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{name}: its card states no cascade ({type(error).__name__}: {error}); set generative = 'beside'"
        ) from error
