"""Real cells that a set's labels leave out, found by looking: a table of our own that ships with the package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hemascope.core.geometry import Box
from hemascope.core.taxonomy import CellKind
from hemascope.data.records import FieldRecord
from hemascope.data.tables import Row, read_table

_TABLE = Path(__file__).with_name("adjudications.csv")


@dataclass(frozen=True, slots=True)
class UnlabeledCell:
    """A real cell without a label.

    Attributes
    ----------
    data_set, name
        The field, as in ``FieldRecord``.
    label_versions
        The versions that leave it out; empty for a set with one version.
    kind
        What it is.
    x, y
        A point well inside it, in pixels of the field.
    note
        What is seen there.
    """

    data_set: str
    name: str
    label_versions: frozenset[str]
    kind: CellKind
    x: float
    y: float
    note: str

    def is_missing_in(self, record: FieldRecord) -> bool:
        """Return whether this cell lies in ``record`` and its labels leave it out."""
        same = self.data_set == record.data_set and self.name == record.name
        return same and (not self.label_versions or record.label_version in self.label_versions)

    def is_in(self, box: Box) -> bool:
        """Return whether the point lies in ``box``."""
        return box.x0 <= self.x <= box.x1 and box.y0 <= self.y <= box.y1


def read_adjudications(table: Path = _TABLE) -> tuple[UnlabeledCell, ...]:
    """Return the real but unlabeled cells known for the public sets.

    Raises
    ------
    DataSetError
        If the table is absent or has a malformed row.
    """
    rows = read_table(table, ("data_set", "name", "label_versions", "kind", "x", "y", "note"))
    return tuple(_cell(row) for row in rows)


def _cell(row: Row) -> UnlabeledCell:
    versions = frozenset(part for part in row.optional("label_versions").split(";") if part)
    return UnlabeledCell(
        data_set=row.text("data_set"),
        name=row.name("name"),
        label_versions=versions,
        kind=row.kind("kind"),
        x=row.number("x"),
        y=row.number("y"),
        note=row.text("note"),
    )
