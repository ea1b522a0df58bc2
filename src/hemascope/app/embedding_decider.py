"""A denoiser of embeddings as it decides on crops: what encodes, and what tries noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.app.target_cells import DEFAULT_UM, TypedCell, cut_cells
from hemascope.classify.diffusion.answers import DiffusionAnswers
from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.core.cell import CellCrop
from hemascope.core.ports import Encoder
from hemascope.core.provenance import ModelIdentity


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingDecider:
    """What decides on cells.

    Attributes
    ----------
    encoders
        Their embeddings, side by side, are what the classifier was fitted on. They do not remember crops: what they
        take is measured.
    classifier
        Its ``prepare`` turns those into samples.
    """

    encoders: tuple[Encoder, ...]
    classifier: DiffusionClassifier

    @property
    def identities(self) -> tuple[ModelIdentity, ...]:
        """What answers."""
        return (*(encoder.identity for encoder in self.encoders), self.classifier.denoiser.identity)

    def cut(self, cells: Sequence[TypedCell]) -> list[list[CellCrop]]:
        """Return for each encoder the crops of the cells, of its own size."""
        specs = [encoder.spec for encoder in self.encoders]
        return [list(cut_cells(cells, spec.crop_px, spec.crop_um or DEFAULT_UM)) for spec in specs]

    def embed(self, crops: Sequence[Sequence[CellCrop]]) -> NDArray[np.float32]:
        """Return N x D embeddings of crops as ``cut`` returns them, side by side."""
        parts = [encoder.encode(own) for encoder, own in zip(self.encoders, crops, strict=True)]
        return np.concatenate(parts, axis=1)

    def decide(self, embeddings: NDArray[np.float32]) -> DiffusionAnswers:
        """Return the answers to N x D embeddings."""
        prepare = self.classifier.prepare
        return self.classifier.answer(embeddings if prepare is None else prepare(embeddings))
