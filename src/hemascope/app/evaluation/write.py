"""Findings to a folder: JSON, CSV, PNG and a page, all there or none."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hemascope.app.evaluation.drawing.style import our_look, save_figure
from hemascope.app.evaluation.findings import Cell, Findings, Headline, Picture, Sheet
from hemascope.core.errors import OutputError
from hemascope.reporting.evaluation_page import (
    EvaluationPage,
    EvaluationSection,
    ShownFigure,
    ShownTable,
    render_evaluation,
)

DOCUMENT_FILE, PAGE_FILE, TABLES, FIGURES = "evaluation.json", "evaluation.html", "tables", "figures"
_SHOWN_ROWS = 40
_PIXELS_AN_INCH = 100
"""Of a figure on the page."""

OnStep = Callable[[str], None]


def write_evaluation(
    out: Path, document: Mapping[str, Any], topics: Sequence[Findings], lede: str, on_step: OnStep
) -> Path:
    """Write the whole evaluation, replacing an earlier one.

    Parameters
    ----------
    out
        Folder; absent, empty, or an earlier evaluation.
    document
        For ``evaluation.json``.
    topics
        In the order of the page.
    lede
        One line about the run, for the page.
    on_step
        Told of every figure that is drawn.

    Returns
    -------
    Path of the page.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    OutputError
        If the folder cannot be written or holds what is not ours.
    """
    with _staged(out) as folder:
        for name in (TABLES, FIGURES):
            (folder / name).mkdir()
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
        (folder / DOCUMENT_FILE).write_text(text + "\n", encoding="utf-8")
        for topic in topics:
            for sheet in topic.sheets:
                _write_sheet(folder / TABLES / f"{file_name(sheet.name)}.csv", sheet)
        with our_look():
            sections = [_section(topic, folder / FIGURES, on_step) for topic in topics]
        page = EvaluationPage(
            title=str(document["run"]),
            lede=lede,
            remarks=tuple(document["remarks"]),
            headlines=[_headline_row(line) for topic in topics for line in topic.headlines],
            sections=tuple(sections),
            provenance=_provenance(document["provenance"]),
        )
        (folder / PAGE_FILE).write_text(render_evaluation(page), encoding="utf-8")
    return out / PAGE_FILE


def file_name(name: str) -> str:
    """Return a name that any file system takes, whatever tasks and markers are called."""
    return "".join(letter if letter.isalnum() or letter in "_-" else "_" for letter in name).strip("_")


def _headline_row(line: Headline) -> tuple[str, str, str, str]:
    return line.task, line.name, line.text, f"{line.patients:,}"


def _section(topic: Findings, folder: Path, on_step: OnStep) -> EvaluationSection:
    figures = []
    for picture in topic.pictures:
        on_step(picture.name)
        figures.append(_draw(picture, folder))
    tables = tuple(_shown(sheet) for sheet in topic.sheets)
    return EvaluationSection(
        ("task-" if topic.of_task else "") + file_name(topic.key), topic.title, topic.remarks, tuple(figures), tables
    )


def _draw(picture: Picture, folder: Path) -> ShownFigure:
    figure = picture.paint()
    path = folder / f"{file_name(picture.name)}.png"
    save_figure(figure, path)
    width = round(figure.get_figwidth() * _PIXELS_AN_INCH)
    return ShownFigure(picture.title, picture.caption, path.read_bytes(), width)


def _shown(sheet: Sheet) -> ShownTable:
    rows = tuple(tuple(_cell(cell) for cell in row) for row in sheet.rows[:_SHOWN_ROWS])
    return ShownTable(file_name(sheet.name), sheet.columns, rows, max(len(sheet.rows) - _SHOWN_ROWS, 0))


def _cell(value: Cell) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _write_sheet(path: Path, sheet: Sheet) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(sheet.columns)
        rows.writerows(["" if cell is None else cell for cell in row] for row in sheet.rows)


def _provenance(told: Mapping[str, Any]) -> dict[str, str]:
    shown = {}
    for name, value in told.items():
        words = name.replace("_", " ")
        shown[words] = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, Mapping) else str(value)
    return shown


@contextmanager
def _staged(out: Path) -> Iterator[Path]:
    """Give a hidden folder beside ``out`` that takes its place where all went well, and is gone otherwise."""
    out, made = out.absolute(), None
    try:
        _refuse_if_foreign(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        new = made / "new"
        new.mkdir(mode=0o755)
        yield new
        _exchange(new, out, made / "old")
    except OSError as error:
        raise OutputError.at(out, error) from error
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)


def _exchange(new: Path, out: Path, old: Path) -> None:
    """Put ``new`` in the place of ``out``; where that fails, what was there is there again."""
    if not out.exists():
        new.replace(out)
        return
    out.replace(old)
    try:
        new.replace(out)
    except OSError:
        old.replace(out)
        raise


def _refuse_if_foreign(out: Path) -> None:
    if out.is_file():
        raise OutputError(f"{out} is a file, not a folder; choose another place with --out")
    if not out.is_dir():
        return
    ours = {DOCUMENT_FILE, PAGE_FILE, TABLES, FIGURES}
    foreign = sorted(path.name for path in out.iterdir() if path.name not in ours)
    if foreign:
        raise OutputError(f"{out} holds '{foreign[0]}', which is not ours; choose another place with --out")
