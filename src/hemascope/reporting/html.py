"""``report.html``: one self-contained page for a reader."""

from __future__ import annotations

from pathlib import Path

from hemascope.core.errors import OutputError
from hemascope.core.report import FieldResult, SmearReport
from hemascope.reporting.abnormal_map import AbnormalMap
from hemascope.reporting.detail import LEVELS, choose_detail
from hemascope.reporting.galleries import Galleries
from hemascope.reporting.overlay import draw_overlay
from hemascope.reporting.pages import CellPictures, Page
from hemascope.reporting.pictures import encode, shrink
from hemascope.reporting.red_cell_gallery import RedCellGallery
from hemascope.reporting.sizes import Sizes
from hemascope.reporting.spool import FieldSpool

BUDGET_BYTES = 24_000_000
GALLERY_CAP = 60
"""Cells shown of each type."""

RED_CELL_CAP = 10
"""Red cells shown of each type that is not normal."""


class HtmlReportSink:
    """Writes ``report.html``: previews and outlines go to disk as fields come, and into the page at the end.

    Memory holds the cells of the galleries and one field at a time.

    Parameters
    ----------
    path
        Where the page is to stand.
    budget_bytes
        About the most the page may take; with many fields, their previews are reduced to keep to it.
    """

    def __init__(self, path: Path, *, budget_bytes: int = BUDGET_BYTES) -> None:
        self._path = path
        self._budget = budget_bytes
        self._spool: FieldSpool | None = None
        self._numbers: dict[str, int] = {}
        self._galleries = Galleries(GALLERY_CAP)
        self._red_cells = RedCellGallery(RED_CELL_CAP)
        self._sizes = Sizes()
        self._map = AbnormalMap()

    def add(self, result: FieldResult) -> None:
        """Take the pictures of one field.

        Raises
        ------
        OutputError
            If they cannot be spooled beside the target.
        ValueError
            If the field has no scale.
        """
        number = len(self._numbers)
        picture = shrink(result.field.pixels, LEVELS[0].long_side)
        size = (picture.shape[1], picture.shape[0])
        preview = encode(picture, LEVELS[0].quality)
        overlay = draw_overlay(result, number, size)
        self._galleries.add(result, number)
        self._red_cells.add(result, number)
        try:
            spool = self._begun()
            spool.add(preview, size, overlay)
            self._sizes.add(result, spool)
            self._map.add(result, number, picture, spool)
        except OSError as error:
            raise OutputError.at(self._path, error) from error
        self._numbers[result.field.id] = number

    def finish(self, report: SmearReport) -> Path:
        """Write the page whole and return its path.

        Raises
        ------
        OutputError
            If it cannot be written; then nothing is left behind.
        """
        try:
            self._write(self._begun(), report)
        except OSError as error:
            raise OutputError.at(self._path, error) from error
        finally:
            self.abandon()
        return self._path

    def abandon(self) -> None:
        """Remove what was spooled."""
        if self._spool is not None:
            self._spool.remove()
            self._spool = None

    def _begun(self) -> FieldSpool:
        """Return the spool, made when first asked for."""
        if self._spool is None:
            self._spool = FieldSpool(self._path)
        return self._spool

    def _write(self, spool: FieldSpool, report: SmearReport) -> None:
        """Render the page beside the target and move it into place."""
        smear = self._map.view(report, self._numbers, spool)
        pictures = CellPictures(self._galleries, self._red_cells, self._sizes.table(spool), smear)
        page = Page(report, spool, self._numbers, pictures)
        bare = sum(len(piece.encode("utf-8", "backslashreplace")) for piece in page.render(None))
        detail = choose_detail(spool, self._budget - bare, page.importance)
        unfinished = spool.folder / "report.html"
        with unfinished.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.writelines(page.render(detail))
        unfinished.replace(self._path)
