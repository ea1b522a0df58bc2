"""What a model says of the patient, as findings: answers with the spread over members, and attention by cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag_prediction import BagPrediction
from hemascope.core.bag_task import BagTask, TaskKind, words_of
from hemascope.core.patient_findings import (
    PATIENT_USE,
    AttendedCell,
    AttendedType,
    MalignancyAnswer,
    NumberAnswer,
    OutputAnswer,
    PatientFindings,
    TaskAnswer,
)
from hemascope.core.provenance import ModelIdentity, TableIdentity

MOST_ATTENDED = 24
"""Cells that the page shows."""

EVERY_ANSWER = "all answers"
"""What attention is for where all answers share it."""


class BagCell(NamedTuple):
    """One cell of the bag: which, in which field and at which place there, and its type."""

    cell_id: str
    field_id: str
    place: int
    label: str


@dataclass(frozen=True, slots=True)
class AskedDiseases:
    """What the table of diseases behind a model says.

    Attributes
    ----------
    table
        Which table.
    task
        The task whose outputs are its coarse classes.
    malignant
        Those whose probabilities sum to that of malignancy.
    titles
        Output to how people write it; one that is missing is shown by its name.
    threshold
        Of malignancy, chosen on out-of-fold patients; None where there is none.
    """

    table: TableIdentity
    task: str
    malignant: tuple[str, ...]
    titles: Mapping[str, str] = field(default_factory=dict)
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class AskedModel:
    """What is known of the model that was asked.

    Attributes
    ----------
    model, encoder
        What answers, and what embeds its cells.
    tasks
        What it answers.
    diseases
        The table behind the classes of one task; None where there is none.

    Raises
    ------
    ValueError
        If there is no such task of classes, or it lacks a malignant class of the table.
    """

    model: ModelIdentity
    encoder: ModelIdentity
    tasks: tuple[BagTask, ...]
    diseases: AskedDiseases | None = None

    def __post_init__(self) -> None:
        if self.diseases is None:
            return
        known = {task.name: task.outputs for task in self.tasks if task.kind is TaskKind.CLASSES}
        strangers = set(self.diseases.malignant) - set(known.get(self.diseases.task, ()))
        if self.diseases.task not in known or strangers:
            raise ValueError(f"task '{self.diseases.task}' does not answer with the classes of its table of diseases")

    def title(self, task: str, output: str) -> str:
        """Return an output as people write it."""
        told = self.diseases.titles if self.diseases is not None and task == self.diseases.task else {}
        return told.get(output, words_of(output))


def compute_patient(
    asked: AskedModel,
    cells: Sequence[BagCell],
    prediction: BagPrediction,
    picture: Callable[[int], bytes] = lambda place: b"",
) -> PatientFindings:
    """Return what a model says of a bag.

    Parameters
    ----------
    asked
        What was asked.
    cells
        The N cells of the bag, in its order.
    prediction
        What was answered.
    picture
        Place in the bag to the cell's picture; asked for the most attended cells alone.
    """
    share, attended = _attention(asked, prediction)
    order: list[int] = np.argsort(-share, kind="stable")[:MOST_ATTENDED].tolist()
    return PatientFindings(
        model=asked.model,
        encoder=asked.encoder,
        members=_members(prediction),
        cells=len(cells),
        fields=len({cell.field_id for cell in cells}),
        answers=tuple(_answer(asked, task, prediction) for task in asked.tasks),
        malignancy=_malignancy(asked, prediction),
        taxonomy=asked.diseases.table if asked.diseases else None,
        attended=attended,
        by_type=_by_type(cells, share),
        most_attended=tuple(_attended(cells[place], share[place], picture(place)) for place in order),
        attention={cell.cell_id: float(value) for cell, value in zip(cells, share, strict=True)},
    )


def abstain_patient(asked: AskedModel, reason: str) -> PatientFindings:
    """Return the findings where there is no cell to ask about, with the reason in words."""
    return PatientFindings(
        model=asked.model,
        encoder=asked.encoder,
        members=0,
        cells=0,
        fields=0,
        answers=tuple(TaskAnswer(task.name, task.kind, abstained=reason) for task in asked.tasks),
        taxonomy=asked.diseases.table if asked.diseases else None,
    )


def patient_statements(found: PatientFindings | None) -> tuple[str, ...]:
    """Return what a reader must know of the answer, without giving it away."""
    if found is None:
        return ()
    said = f"A model of patients ({found.model.name} {found.model.version}) was asked about all cells together"
    return (f"{said}, as those of one patient. {PATIENT_USE}",)


def _answer(asked: AskedModel, task: BagTask, prediction: BagPrediction) -> TaskAnswer:
    """Return the answer to one task; an abstention may stand beside what was computed."""
    reason = prediction.abstained.get(task.name, "")
    members = prediction.members.get(task.name)
    if task.kind is TaskKind.NUMBER:
        value = prediction.numbers.get(task.name)
        if value is None:
            return TaskAnswer(task.name, task.kind, abstained=reason or "the model gave no number")
        low, high = _span(members, value)
        return TaskAnswer(
            task.name, task.kind, number=NumberAnswer(float(value), low, high, task.unit), abstained=reason
        )
    probabilities = prediction.probabilities.get(task.name)
    if probabilities is None:
        return TaskAnswer(task.name, task.kind, abstained=reason or "the model gave no probabilities")
    outputs = []
    for place, name in enumerate(task.outputs):
        value = _share(probabilities[place])
        low, high = _span(None if members is None else members[:, place], value)
        outputs.append(OutputAnswer(name, asked.title(task.name, name), value, _share(low), _share(high)))
    return TaskAnswer(task.name, task.kind, tuple(outputs), abstained=reason)


def _malignancy(asked: AskedModel, prediction: BagPrediction) -> MalignancyAnswer | None:
    """Return the sum over the malignant classes; None where there are none, or no answer."""
    table = asked.diseases
    if table is None or not table.malignant or table.task in prediction.abstained:
        return None
    probabilities, members = prediction.probabilities.get(table.task), prediction.members.get(table.task)
    if probabilities is None:
        return None
    outputs = next(task.outputs for task in asked.tasks if task.name == table.task)
    counted = np.array([output in table.malignant for output in outputs])
    value = _share(probabilities[counted].sum())
    low, high = _span(None if members is None else members[:, counted].sum(axis=1), value)
    classes = tuple(asked.title(table.task, output) for output in outputs if output in table.malignant)
    return MalignancyAnswer(value, _share(low), _share(high), classes, table.threshold)


def _span(members: NDArray[np.float64] | None, value: float) -> tuple[float, float]:
    """Return the least and the greatest that a member says, with the answer between them."""
    if members is None or not len(members):
        return float(value), float(value)
    return min(float(members.min()), float(value)), max(float(members.max()), float(value))


def _attention(asked: AskedModel, prediction: BagPrediction) -> tuple[NDArray[np.float64], str]:
    """Return N shares that sum to 1, and what they are for, in words.

    With a column a class: the likeliest class's; with a column a marker or another output, the mean over all.
    """
    shares, names = prediction.attention, prediction.attended
    if shares.shape[1] == 1:
        return shares[:, 0], EVERY_ANSWER
    for task in asked.tasks:
        answer = prediction.probabilities.get(task.name)
        if task.kind is not TaskKind.CLASSES or answer is None:
            continue
        likeliest = task.outputs[int(np.argmax(answer))]
        # A column is named for its output alone where there is one task.
        for column in (likeliest, f"{task.name}.{likeliest}"):
            if column in names:
                return shares[:, names.index(column)], asked.title(task.name, likeliest)
    return shares.mean(axis=1), f"{EVERY_ANSWER}, the mean over {shares.shape[1]}"


def _attended(cell: BagCell, share: float, picture: bytes) -> AttendedCell:
    return AttendedCell(cell.cell_id, cell.field_id, cell.place, cell.label, _share(share), picture)


def _by_type(cells: Sequence[BagCell], share: NDArray[np.float64]) -> tuple[AttendedType, ...]:
    counts = Counter(cell.label for cell in cells)
    sums = dict.fromkeys(counts, 0.0)
    for cell, value in zip(cells, share, strict=True):
        sums[cell.label] += float(value)
    found = (AttendedType(label, counts[label], _share(total)) for label, total in sums.items())
    return tuple(sorted(found, key=lambda kind: (-kind.share, kind.label)))


def _share(value: float) -> float:
    """Return a share without what rounding puts beyond 0 to 1."""
    return min(max(float(value), 0.0), 1.0)


def _members(prediction: BagPrediction) -> int:
    return max((len(values) for values in prediction.members.values()), default=1)
