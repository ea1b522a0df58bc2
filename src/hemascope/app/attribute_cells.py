"""Cells whose attributes and subtypes are known, as embeddings with the numbers of the right answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hemascope.app.protocol_encoder import ProtocolEncoder
from hemascope.cells.crop import cut_square
from hemascope.classify.attribute_heads import Examples, Question
from hemascope.core.cell import CellCrop
from hemascope.core.errors import DataSetError, UnreadableImageError
from hemascope.core.taxonomy import CellType
from hemascope.core.units import Microns
from hemascope.data import pbc_full
from hemascope.data.catalog import check_split_groups, open_crops
from hemascope.data.records import CropRecord

FULL, REDUCED = pbc_full.CARD.name, "pbc_acevedo_128"

SUBTYPE_QUESTIONS = {
    "neutrophil_form": CellType.NEUTROPHIL,
    "granulocyte_stage": CellType.IMMATURE_GRANULOCYTE,
}
"""Questions about subtypes to the type they are asked of."""

QUESTIONS: tuple[Question, ...] = (
    *(Question(name, values, pbc_full.ATTRIBUTED_TYPES) for name, values in pbc_full.ATTRIBUTES.items()),
    *(
        Question(name, tuple(pbc_full.SUBTYPES[cell_type].values()), (cell_type,))
        for name, cell_type in SUBTYPE_QUESTIONS.items()
    ),
)
"""All that is asked: the eleven attributes of WBCAtt, and two subtypes."""

_BATCH = 32

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class AnsweredCells:
    """Cells of one set, with the answers that are known.

    Attributes
    ----------
    data_set
        Name of the set.
    records
        N images.
    answers
        Question to N values; "" where a cell has no answer.
    """

    data_set: str
    records: tuple[CropRecord, ...]
    answers: Mapping[str, tuple[str, ...]]


def open_answered_cells(root: Path) -> tuple[AnsweredCells, AnsweredCells]:
    """Return the cells with attributes, at full size, and those with subtypes, at 128 pixels.

    Raises
    ------
    DataSetError
        If a set is absent or malformed, a group sits in two splits, or a cell is in another split at the other size.
    """
    folder = root.absolute() / FULL
    if not folder.is_dir():
        raise DataSetError(f"'{folder}' is not there; put the set '{FULL}' there or name another folder of data sets")
    attributed = pbc_full.read_attributes(folder)
    reduced = open_crops(REDUCED, root)
    full = tuple(cell.crop for cell in attributed)
    check_split_groups((*full, *reduced))
    pbc_full.check_same_splits(full, reduced)
    names = {name: tuple(cell.attributes[name] for cell in attributed) for name in pbc_full.ATTRIBUTES}
    known = tuple(record for record in reduced if _subtype(record))
    stages = {
        name: tuple(_subtype(record) if record.cell_type is cell_type else "" for record in known)
        for name, cell_type in SUBTYPE_QUESTIONS.items()
    }
    return AnsweredCells(FULL, full, names), AnsweredCells(REDUCED, known, stages)


def of_split(cells: AnsweredCells, split: str, limit: int | None = None) -> AnsweredCells:
    """Return the cells of one split; of ``limit`` ones an even sample."""
    places = [place for place, record in enumerate(cells.records) if record.split == split]
    if limit is not None and limit < len(places):
        places = [places[i] for i in np.linspace(0, len(places) - 1, limit).round().astype(int)]
    return AnsweredCells(
        cells.data_set,
        tuple(cells.records[place] for place in places),
        {name: tuple(values[place] for place in places) for name, values in cells.answers.items()},
    )


class EncodedCells:
    """Embeddings of single-cell images by several encoders, each made once.

    Parameters
    ----------
    build
        Makes an encoder by name or folder.
    progress
        Called as it goes on.
    """

    def __init__(self, build: Callable[[str], ProtocolEncoder], progress: Progress) -> None:
        self._build = build
        self._progress = progress
        self._encoders: dict[str, ProtocolEncoder] = {}
        self._values: dict[tuple[str, tuple[CropRecord, ...]], NDArray[np.float32]] = {}

    def encoders(self, choice: str) -> tuple[ProtocolEncoder, ...]:
        """Return the encoders of a choice such as ``descriptors`` or ``cell_classifier+descriptors``."""
        names = choice.split("+")
        for name in names:
            if name not in self._encoders:
                self._encoders[name] = self._build(name)
        return tuple(self._encoders[name] for name in names)

    def values(self, choice: str, records: tuple[CropRecord, ...]) -> NDArray[np.float32]:
        """Return N x D embeddings, those of several encoders side by side; N is at least 1.

        Raises
        ------
        UnreadableImageError
            If an image cannot be read.
        """
        columns = []
        for name, encoder in zip(choice.split("+"), self.encoders(choice), strict=True):
            if (name, records) not in self._values:
                self._values[name, records] = _embed(encoder, records, self._progress)
            columns.append(self._values[name, records])
        return np.concatenate(columns, axis=1)


def _embed(encoder: ProtocolEncoder, records: Sequence[CropRecord], progress: Progress) -> NDArray[np.float32]:
    rows = []
    for start in range(0, len(records), _BATCH):
        crops = [_crop(record, encoder) for record in records[start : start + _BATCH]]
        rows.append(encoder.answer(crops).embeddings)
        progress(f"{encoder.name}: {records[0].data_set}", start + len(crops), len(records))
    return np.concatenate(rows)


def examples_of(question: Question, cells: AnsweredCells, values: NDArray[np.float32]) -> Examples:
    """Return the cells that have an answer to a question, with its number."""
    places = {value: number for number, value in enumerate(question.values)}
    told = cells.answers[question.name]
    rows = np.array([row for row, value in enumerate(told) if value], np.intp)
    return Examples(values[rows], np.array([places[told[row]] for row in rows], np.intp))


def groups_of(question: Question, cells: AnsweredCells) -> list[str]:
    """Return the groups of the cells that have an answer to a question."""
    told = cells.answers[question.name]
    return [record.group for record, value in zip(cells.records, told, strict=True) if value]


def _subtype(record: CropRecord) -> str:
    return pbc_full.SUBTYPES.get(record.cell_type, {}).get(record.subtype, "")


def _crop(record: CropRecord, encoder: ProtocolEncoder) -> CellCrop:
    try:
        with Image.open(record.path) as file:
            pixels = np.asarray(file.convert("RGB"), np.uint8)
    except OSError as error:
        raise UnreadableImageError(
            f"{record.path} cannot be read ({error}); restore the set's original file"
        ) from error
    height, width = pixels.shape[:2]
    span = encoder.crop_um / record.width_um * width
    view = cut_square(pixels, (width / 2, height / 2), span, encoder.crop_px)
    return CellCrop(record.name, view, Microns(encoder.crop_um))
