"""Which white cells of a labeled field have a certain type."""

from __future__ import annotations

from hemascope.core.geometry import Box
from hemascope.core.taxonomy import CellKind, CellType
from hemascope.data.records import FieldRecord


def typed_white_cells(record: FieldRecord) -> list[tuple[Box, CellType]]:
    """Return box and type of the white cells whose type is certain.

    These are the boxes with a type of their own; where there is none, the only white cell of a field for which the set
    names one type. Of several cells and one name, nobody says which cell is meant.
    """
    white = [labeled for labeled in record.boxes if labeled.kind is CellKind.WHITE_CELL]
    typed = [(labeled.box, labeled.cell_type) for labeled in white if labeled.cell_type is not None]
    if typed:
        return typed
    if len(white) == 1 and len(record.white_cell_types) == 1:
        return [(white[0].box, record.white_cell_types[0])]
    return []
