"""What every reader returns, whatever the layout of its set."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hemascope.core.geometry import Box
from hemascope.core.taxonomy import CellKind, CellType, RedCellType


@dataclass(frozen=True, slots=True)
class DataSetCard:
    """Where a set comes from and what may be done with it.

    Attributes
    ----------
    name
        Name in the catalog, and of the folder.
    title
        What it holds, in words.
    license
        SPDX identifier, or words where it is not known for certain.
    citation
        How to cite it.
    may_train
        Whether weights that ship may be trained on it; single records may say no where this says yes.
    url
        Where it was published.
    """

    name: str
    title: str
    license: str
    citation: str
    may_train: bool
    url: str


@dataclass(frozen=True, slots=True)
class LabeledBox:
    """One labeled object of a field.

    Attributes
    ----------
    kind
        White cell, red cell or platelet.
    box
        Pixels of the field at full resolution.
    cell_type
        Type of a nucleated cell, or None where the set does not tell.
    """

    kind: CellKind
    box: Box
    cell_type: CellType | None = None


@dataclass(frozen=True, slots=True)
class LabeledPoint:
    """One labeled object of which only a point inside is known.

    Attributes
    ----------
    kind
        White cell, red cell or platelet.
    x, y
        Pixels of the field at full resolution.
    red_cell_type
        Morphology of a red cell, or None where the set leaves it open.
    """

    kind: CellKind
    x: float
    y: float
    red_cell_type: RedCellType | None = None


@dataclass(frozen=True, slots=True)
class FieldRecord:
    """One labeled field image.

    Attributes
    ----------
    data_set
        Name of the set.
    path
        Absolute path of the image.
    name
        Path relative to the set's folder, with ``/``; unique within the set.
    split
        ``train``, ``val`` or ``test``, as the set gives it.
    group
        What must not be spread over splits: near-duplicates, a slide, neighboring captures.
    boxes
        Every labeled object.
    label_version
        Which of several labelings the boxes are from; "" where there is one.
    labeled_kinds
        Kinds labeled completely enough that an unlabeled object counts as an error.
    white_cell_types
        Types of the white cells in the field as the set names them, repeated as it repeats them.
    mask
        Absolute path of a mask image of the white cells (0 other, about half gray cytoplasm, 255 nucleus), or None.
    source
        Which part of a set put together from several: ``Raabin``, ``PBC``; "" elsewhere.
    may_train
        Whether weights that ship may be trained on this record.
    points
        The objects of which only a point is labeled.
    disease
        What the patient has, as the set names it, or "".
    """

    data_set: str
    path: Path
    name: str
    split: str
    group: str
    boxes: tuple[LabeledBox, ...]
    label_version: str = ""
    labeled_kinds: frozenset[CellKind] = frozenset()
    white_cell_types: tuple[CellType, ...] = ()
    mask: Path | None = None
    source: str = ""
    may_train: bool = True
    points: tuple[LabeledPoint, ...] = ()
    disease: str = ""

    def of_kind(self, kind: CellKind) -> tuple[LabeledBox, ...]:
        """Return the labeled objects of ``kind``."""
        return tuple(labeled for labeled in self.boxes if labeled.kind is kind)


@dataclass(frozen=True, slots=True)
class CropRecord:
    """One image of a single cell.

    Attributes
    ----------
    data_set, path, name, split, group
        As in ``FieldRecord``.
    cell_type
        The type of the cell in the center.
    subtype
        A finer name used by the set, or "".
    acquisition
        Which of several captures, or "".
    width_um
        Physical width of the image in um, as published for the set.
    may_train
        Whether weights that ship may be trained on this record.
    """

    data_set: str
    path: Path
    name: str
    cell_type: CellType
    split: str
    group: str
    subtype: str = ""
    acquisition: str = ""
    width_um: float = 0.0
    may_train: bool = True


@dataclass(frozen=True, slots=True)
class DataSet:
    """A set as read: its card, and its records in the order of its table.

    Attributes
    ----------
    card
        Source and license.
    fields
        Field images; empty for a set of single cells.
    crops
        Single cells; empty for a set of fields.
    """

    card: DataSetCard
    fields: tuple[FieldRecord, ...] = field(default=())
    crops: tuple[CropRecord, ...] = field(default=())
