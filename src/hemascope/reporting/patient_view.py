"""What the page shows of the answer about the patient, in plain rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hemascope.core.bag_task import TaskKind
from hemascope.core.patient_findings import AttendedCell, PatientFindings, TaskAnswer
from hemascope.core.taxonomy import DISPLAY_NAMES
from hemascope.reporting.figures import number

WHY_CLOSED = (
    "Read the smear first: an answer seen before one's own read pulls that read toward it. Where a study asks for it, "
    "record your own read before you open this."
)
"""Said before the answer, which is closed until it is opened."""

ATTENTION_LIMITS = (
    "Attention is what the model weighed, not why: it goes along with the answer and proves no cause. A cell with much "
    "of it need not be abnormal, and an abnormal cell may have little."
)
"""What a reader must know of attention."""

SPREAD = (
    "Bars are calibrated probabilities, the mean over the members of the ensemble; the line goes from the least to the "
    "greatest that a member says. It shows how far members differ, and is no interval of confidence."
)
"""What bars and lines are."""


LEAST_SHOWN = 0.5
"""Cells with less than this many times an even share are not shown: where few weigh, the others say nothing."""


class AnswerRow(NamedTuple):
    """One class, marker or number; the first of classes is the likeliest."""

    title: str
    value: float
    low: float
    high: float
    first: bool = False


class TaskView(NamedTuple):
    """One task: bars, or one sentence; why there is no answer, "" where there is one."""

    title: str
    note: str
    rows: tuple[AnswerRow, ...]
    sentence: str
    abstained: str


class CellView(NamedTuple):
    """A cell with much attention: its share in percent, and how many times an even share that is, in words."""

    anchor: str
    name: str
    label: str
    picture: bytes
    share: str
    times: str
    cell_id: str


class TypeView(NamedTuple):
    """The share of one type among the cells, and its share of the attention, in percent."""

    name: str
    label: str
    cells: int
    of_cells: float
    of_attention: float


class PatientView(NamedTuple):
    """All that the section reads."""

    asked: str
    tasks: tuple[TaskView, ...]
    malignancy: TaskView | None
    attended: str
    cells: tuple[CellView, ...]
    types: tuple[TypeView, ...]


def view_patient(found: PatientFindings, numbers: Mapping[str, int]) -> PatientView:
    """Return what the page shows.

    Parameters
    ----------
    found
        The findings.
    numbers
        Field id to its number on the page.
    """
    return PatientView(
        _asked(found),
        tuple(_task(answer) for answer in found.answers),
        _malignancy(found),
        found.attended,
        tuple(
            _cell(cell, found.cells, numbers) for cell in found.most_attended if cell.share * found.cells >= LEAST_SHOWN
        ),
        tuple(
            TypeView(_name(kind.label), kind.label, kind.cells, 100 * kind.cells / found.cells, 100 * kind.share)
            for kind in found.by_type
        ),
    )


def _asked(found: PatientFindings) -> str:
    """Return what was asked of how many cells, in a sentence that gives no answer away."""
    cells = "1 nucleated cell" if found.cells == 1 else f"{found.cells:,} nucleated cells"
    fields = "1 field" if found.fields == 1 else f"{found.fields:,} fields"
    members = {0: "", 1: " (one network)"}.get(found.members, f" ({found.members} networks together)")
    model = f"{found.model.name} {found.model.version}{members}"
    return f"The model {model} was asked about {cells} of {fields}, taken as one patient."


def _task(answer: TaskAnswer) -> TaskView:
    title = answer.task.replace("_", " ")
    title = title[:1].upper() + title[1:]
    if answer.number is not None:
        said = answer.number
        unit = f" {said.unit}" if said.unit else ""
        sentence = f"{number(said.value)}{unit}; members say {number(said.low)} to {number(said.high)}{unit}."
        return TaskView(title, "", (), sentence, answer.abstained)
    rows = [AnswerRow(row.title, row.probability, row.low, row.high) for row in answer.outputs]
    if answer.kind is not TaskKind.CLASSES:
        return TaskView(title, "each there or not, whatever the others are", tuple(rows), "", answer.abstained)
    rows.sort(key=lambda row: -row.value)
    rows[:1] = [row._replace(first=not answer.abstained) for row in rows[:1]]
    return TaskView(title, "one of these; the likeliest first", tuple(rows), "", answer.abstained)


def _malignancy(found: PatientFindings) -> TaskView | None:
    said = found.malignancy
    if said is None:
        return None
    row = AnswerRow("Any malignant class", said.probability, said.low, said.high)
    sentence = f"The sum over {', '.join(said.classes)}."
    if said.threshold is not None:
        above = "reaches" if said.probability >= said.threshold else "stays below"
        sentence += f" It {above} the threshold of {said.threshold:.2f} that was chosen on out-of-fold patients."
    return TaskView("Malignancy", "", (row,), sentence, "")


def _cell(cell: AttendedCell, cells: int, numbers: Mapping[str, int]) -> CellView:
    anchor = f"c{numbers[cell.field_id]}-{cell.place}" if cell.field_id in numbers else ""
    return CellView(
        anchor,
        _name(cell.label),
        cell.label,
        cell.picture,
        _percent(cell.share),
        f"{cell.share * cells:.{0 if cell.share * cells >= 10 else 1}f}",
        cell.cell_id,
    )


def _percent(share: float) -> str:
    """Return a share with as many digits as many cells need: 63%, 6.3%, 0.20%."""
    percent = 100 * share
    digits = 0 if percent >= 10 else 1 if percent >= 1 else 2
    return f"{percent:.{digits}f}%" if percent >= 0.005 else "<0.01%"


def _name(label: str) -> str:
    return DISPLAY_NAMES.get(label, label)
