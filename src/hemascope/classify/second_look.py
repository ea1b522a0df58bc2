"""A second look at cells the classifier is unsure of: what a denoiser says, joined with its probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.diffusion.cascade import Cascade
from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.core.cell import CellCrop
from hemascope.core.errors import WeightsError
from hemascope.core.ports import Encoder
from hemascope.core.taxonomy import CellType

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
