"""``evaluation.html``: figures about patients on one self-contained page, research use only on top."""

from __future__ import annotations

import base64
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table as text.

    Attributes
    ----------
    name
        Of its file, without ending.
    columns, rows
        Names, and cells.
    hidden
        Rows that stand in the file alone.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class ShownFigure:
    """A picture with its words.

    Attributes
    ----------
    title, caption
        What it is, and how to read it.
    png
        The picture.
    width
        In pixels as shown.
    """

    title: str
    caption: str
    png: bytes
    width: int

    @property
    def source(self) -> str:
        """The picture as an address that holds it."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


@dataclass(frozen=True, slots=True)
class EvaluationSection:
    """One topic.

    Attributes
    ----------
    key, title
        Anchor and heading.
    remarks
        Sentences that belong beside the figures.
    figures, tables
        What is shown.
    """

    key: str
    title: str
    remarks: tuple[str, ...]
    figures: tuple[ShownFigure, ...]
    tables: tuple[ShownTable, ...]


@dataclass(frozen=True, slots=True)
class EvaluationPage:
    """What the page holds.

    Attributes
    ----------
    title, lede
        Name of the run, and one line about it.
    remarks
        What a reader must know before any figure.
    headlines
        Task, what it is, figure with interval, patients: as text.
    sections
        The topics, in order.
    provenance
        Name to value.
    """

    title: str
    lede: str
    remarks: tuple[str, ...]
    headlines: Sequence[tuple[str, str, str, str]]
    sections: tuple[EvaluationSection, ...]
    provenance: Mapping[str, str]


def render_evaluation(page: EvaluationPage) -> str:
    """Return the page as HTML; it loads nothing from elsewhere."""
    style = resources.files("hemascope.reporting").joinpath("templates", "report.css").read_text(encoding="utf-8")
    return _environment().get_template("evaluation.html.j2").render(page=page, css=style)


@functools.cache
def _environment() -> jinja2.Environment:
    """Return the template engine: every value is escaped, an unknown name is an error."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("hemascope.reporting", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
