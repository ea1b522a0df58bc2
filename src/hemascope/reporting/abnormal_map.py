"""The whole smear as a map: every field in order, a dot for every white cell, colored by how strange it is."""

from __future__ import annotations

import heapq
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hemascope.core.report import CellResult, FieldResult, FieldSummary, SmearReport
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import DISPLAY_NAMES, UNIDENTIFIED, CellKind
from hemascope.reporting.generative import shifted
from hemascope.reporting.map_dots import BINS, COLUMNS, MAP_BINS, RANK_BINS, draw_dots, limits_within, numbers_of, rank
from hemascope.reporting.pictures import crop_cell, data_uri, decode, encode, shrink
from hemascope.reporting.spool import FieldSpool

MAX_DOTS = 4_000
"""Dots that lead to their cell; the strangest are among them, the rest are drawn without."""

MAX_ROWS = 60
"""Fields in the map's table."""

STRANGEST, LEAST_SHOWN = 24, 6
"""Most cells shown as pictures, and how many of them even if they are not strange."""

_TABLE = "map"


class Level(NamedTuple):
    """How a map is drawn up to a number of fields.

    Attributes
    ----------
    most
        Fields.
    picture
        Longest side of a tile's picture in pixels; 0 for none.
    name
        Of the style that says how wide a tile is.
    radius
        Of a dot, in hundredths of a tile's width: about as many pixels wide at every level.
    """

    most: float
    picture: int
    name: str
    radius: float


LEVELS = (
    Level(1, 480, "one", 1.1),
    Level(12, 480, "few", 2.0),
    Level(60, 200, "some", 2.8),
    Level(400, 112, "many", 3.8),
    Level(math.inf, 0, "most", 4.6),
)


class Tile(NamedTuple):
    """One field; ``picture`` is "" where it has none, ``dots`` SVG in a box 100 wide and ``height`` high."""

    number: int
    said: str
    picture: str
    dots: str
    height: float
    excluded: bool


class Strange(NamedTuple):
    """One of the strangest cells; the first three say where it stands, and no two are equal.

    Attributes
    ----------
    anomaly
        In units of the threshold.
    field, cell
        Minus the numbers of field and cell, so that the earlier of two equals counts as greater.
    picture
        WebP.
    label, told
        Its type, and the one that explains it best, for a reader.
    confidence
        That the latter is right, 0 to 1.
    disputed
        Whether the classifier finds another one most likely.
    excluded
        Whether its field failed quality control.
    """

    anomaly: float
    field: int
    cell: int
    picture: bytes
    label: str
    told: str
    confidence: float
    disputed: bool
    excluded: bool

    @property
    def anchor(self) -> str:
        """The cell's anchor in its field."""
        return f"c{-self.field}-{-self.cell}"


class MapRow(NamedTuple):
    """A field with strange or disputed cells, in words and numbers."""

    number: int
    field: FieldSummary


class MapView(NamedTuple):
    """What the page's template reads.

    Attributes
    ----------
    level
        Name of the style.
    tiles
        Every field in order.
    strangest
        Most anomalous first.
    rows, more
        Fields with strange or disputed cells, most first, and how many are left out.
    unlinked
        Dots that lead nowhere.
    relative
        Whether cells are ranked within the smear, because as a whole it is unlike what was learned.
    bins
        Style of a dot to what it says.
    """

    level: str
    tiles: list[Tile]
    strangest: list[Strange]
    rows: list[MapRow]
    more: int
    unlinked: int
    relative: bool
    bins: tuple[tuple[str, str], ...]


class AbnormalMap:
    """Takes fields as they come; memory holds small pictures of at most 400 of them and of the strangest cells."""

    def __init__(self) -> None:
        self._pictures: list[bytes] = []
        self._fields = 0
        self._heights: list[float] = []
        self._strangest: list[Strange] = []

    def add(self, result: FieldResult, number: int, picture: NDArray[np.uint8], spool: FieldSpool) -> None:
        """Take field ``number``, the next in order; may raise ``OSError``.

        Parameters
        ----------
        result, number
            The field.
        picture
            Its preview.
        spool
            Takes the numbers of its cells.
        """
        self._fields += 1
        self._heights.append(100 * result.field.height / result.field.width)
        level = _level(self._fields)
        if level.picture:
            self._pictures.append(encode(shrink(picture, level.picture), 45))
        else:
            self._pictures.clear()
        white = [(i, cell) for i, cell in enumerate(result.cells) if cell.cell.kind is CellKind.WHITE_CELL]
        spool.add_numbers(_TABLE, (numbers_of(result, number, index, cell) for index, cell in white))
        for index, cell in white:
            self._consider(result, (-number, -index), cell)

    def view(self, report: SmearReport, numbers: dict[str, int], spool: FieldSpool) -> MapView | None:
        """Return the map; None where no cell was judged.

        Parameters
        ----------
        report
            The whole answer.
        numbers
            Field id to its number.
        spool
            That the fields' numbers were added to.
        """
        dots = spool.numbers(_TABLE, COLUMNS)
        if not self._strangest:
            return None
        level = _level(len(report.fields))
        order = np.argsort(-rank(dots), kind="stable")
        linked = np.zeros(len(dots), np.bool_)
        linked[order[:MAX_DOTS]] = True
        excluded = set(report.excluded_fields)
        relative = shifted(report.generative)
        limits = limits_within(dots[:, 4]) if relative else BINS
        starts = np.searchsorted(dots[:, 0], np.arange(self._fields + 1))
        tiles = []
        for field in report.fields:
            number = numbers[field.id]
            part = slice(int(starts[number]), int(starts[number + 1]))
            drawn = draw_dots(dots[part], linked[part], self._heights[number], level.radius, limits)
            picture = self._picture(number, level)
            tiles.append(Tile(number, _said(field), picture, drawn, self._heights[number], field.id in excluded))
        found = [MapRow(numbers[f.id], f) for f in report.fields if f.generative.unlike or f.generative.disputed]
        found.sort(key=lambda row: (-row.field.generative.unlike, -row.field.generative.disputed, row.number))
        ranked, rest = sorted(self._strangest, reverse=True), max(0, len(found) - MAX_ROWS)
        strangest = [cell for place, cell in enumerate(ranked) if place < LEAST_SHOWN or cell.anomaly > 1]
        unlinked, bins = max(0, len(dots) - MAX_DOTS), RANK_BINS if relative else MAP_BINS
        return MapView(level.name, tiles, strangest, found[:MAX_ROWS], rest, unlinked, relative, bins)

    def _picture(self, number: int, level: Level) -> str:
        if not level.picture or number >= len(self._pictures):
            return ""
        picture = self._pictures[number]
        if _level(number + 1).picture > level.picture:
            picture = encode(shrink(decode(picture), level.picture), 45)
        return data_uri(picture)

    def _consider(self, result: FieldResult, place: tuple[int, int], cell: CellResult) -> None:
        """Keep a cell with its picture while it is among the strangest."""
        prediction = cell.prediction
        if prediction is None or prediction.judgement is None:
            return
        judgement = prediction.judgement
        first = (judgement.anomaly, *place)
        full = len(self._strangest) >= STRANGEST
        if full and first <= self._strangest[0][:3]:
            return
        names = DISPLAY_NAMES[cell.label or UNIDENTIFIED], DISPLAY_NAMES[judgement.cell_type]
        flags = prediction.disputed, result.verdict.status is QcStatus.FAIL
        strange = Strange(*first, crop_cell(result.field, cell.cell.outline), *names, judgement.confidence, *flags)
        (heapq.heapreplace if full else heapq.heappush)(self._strangest, strange)


def _level(fields: int) -> Level:
    return next(level for level in LEVELS if fields <= level.most)


def _said(field: FieldSummary) -> str:
    """Return a tile in words."""
    counts = field.generative
    found = f"{field.counts.get(CellKind.WHITE_CELL.value, 0)} nucleated cells"
    return f"{field.id}: {found}, {counts.unlike} unlike everything learned, {counts.disputed} disputed"
