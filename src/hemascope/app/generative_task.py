"""What all protocols of the benchmark ``generative`` work on: cells, and their embeddings, each made once a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fields import Progress
from hemascope.app.bench_request import BenchmarkParts
from hemascope.app.protocol_encoder import CropAnswers, ProtocolEncoder
from hemascope.app.target_cells import PBC, TARGETS, TypedCell, class_numbers, group_names, locate_cells
from hemascope.classify.examples import LabeledEmbeddings
from hemascope.core.taxonomy import CellType
from hemascope.zoo.contamination import Seen

DESCRIPTORS = "descriptors"
"""The encoder that learned nothing; in every protocol."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """One encoder, or several side by side.

    Attributes
    ----------
    encoders
        At least one; their embeddings stand in this order.
    """

    encoders: tuple[ProtocolEncoder, ...]

    @property
    def name(self) -> str:
        """Names of the encoders, joined by ``+``."""
        return "+".join(encoder.name for encoder in self.encoders)


@dataclass(slots=True)
class GenerativeTask:
    """Cells of PBC and of the targets, embedded when first asked for.

    Attributes
    ----------
    root
        Folder of the public sets.
    parts
        What is measured.
    progress
        Shows what is under way.
    encoders
        Those named, the descriptors first.
    limit
        At most this many cells of each split of PBC, evenly over the table; None for all.
    denoiser
        Folder of a denoiser of images; None for the shipped one.
    pictures
        Folder for plots; None for none.
    """

    root: Path
    parts: BenchmarkParts
    progress: Progress
    encoders: tuple[ProtocolEncoder, ...]
    limit: int | None = None
    denoiser: Path | None = None
    pictures: Path | None = None
    _cells: dict[str, tuple[TypedCell, ...]] = field(default_factory=dict)
    _answers: dict[tuple[str, str], CropAnswers] = field(default_factory=dict)
    _used: dict[str, ProtocolEncoder] = field(default_factory=dict)

    def encoder(self, name: str) -> ProtocolEncoder:
        """Return an encoder by name or folder; one that answered before is the same one."""
        made = self.parts.protocol_encoder(name)
        return self._used.get(made.name, made)

    def cells(self, place: str) -> tuple[TypedCell, ...]:
        """Return the cells of a split of PBC (``train``, ``val``, ``test``), or all of a target."""
        if place not in self._cells:
            found = [c for c in locate_cells(PBC, self.root) if c.split == place] if place not in TARGETS else None
            self._cells[place] = locate_cells(place, self.root) if found is None else even_sample(found, self.limit)
        return self._cells[place]

    def answers(self, encoder: ProtocolEncoder, place: str) -> CropAnswers:
        """Return what an encoder gives for the cells of a place."""
        key = (encoder.name, place)
        self._used[encoder.name] = encoder
        if key not in self._answers:
            self._answers[key] = encoder.answer_cells(self.cells(place), self.progress)
        return self._answers[key]

    def values(self, embedding: Embedding, place: str) -> NDArray[np.float32]:
        """Return N x D embeddings of the cells of a place."""
        each = [self.answers(encoder, place).embeddings for encoder in embedding.encoders]
        return np.asarray(np.concatenate(each, axis=1), np.float32)

    def labeled(self, embedding: Embedding, place: str) -> LabeledEmbeddings:
        """Return the embeddings of a place with types and groups."""
        cells = self.cells(place)
        return LabeledEmbeddings(self.values(embedding, place), class_numbers(cells), group_names(cells))

    def used(self) -> tuple[ProtocolEncoder, ...]:
        """Return the encoders that answered so far."""
        return tuple(self._used.values())

    def counts(self) -> dict[str, int]:
        """Return place to how many cells were looked at, of those that were."""
        return {place: len(cells) for place, cells in self._cells.items()}


def without_labels(encoder: ProtocolEncoder) -> bool:
    """Return whether it is certain that training saw no label of PBC."""
    return encoder.labels_seen(PBC) is Seen.NO


def without_targets(encoder: ProtocolEncoder) -> bool:
    """Return whether it is certain that training saw no image of any target."""
    return all(encoder.images_seen(name.split("/")[0]) is Seen.NO for name in TARGETS)


def of_all_types(encoder: ProtocolEncoder) -> bool:
    """Return whether training saw either all types or none: one taught some of them is no match for the others."""
    return len({encoder.types_seen(cell_type) for cell_type in CellType}) == 1


def line_up(encoders: Sequence[ProtocolEncoder]) -> tuple[Embedding, ...]:
    """Return every encoder alone, and each but the descriptors beside these."""
    alone = [Embedding((encoder,)) for encoder in encoders]
    descriptors = [encoder for encoder in encoders if encoder.name == DESCRIPTORS]
    beside = [Embedding((encoder, *descriptors)) for encoder in encoders if encoder.name != DESCRIPTORS and descriptors]
    return (*alone, *beside)


def even_sample(cells: Sequence[TypedCell], limit: int | None) -> tuple[TypedCell, ...]:
    """Return at most ``limit`` cells, evenly over a table that is sorted by type."""
    if limit is None or limit >= len(cells):
        return tuple(cells)
    return tuple(cells[i] for i in np.linspace(0, len(cells) - 1, limit).round().astype(int))
