"""What a report says of the patient: the answers of a model that saw all cells as one bag. Research use only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hemascope.core.bag_task import TaskKind
from hemascope.core.provenance import ModelIdentity, TableIdentity

PATIENT_USE = (
    "Research use only: not for diagnosis, not part of a message to a laboratory system, and to be read after one's "
    "own read is recorded."
)
"""Said wherever an answer about a patient stands."""


@dataclass(frozen=True, slots=True)
class OutputAnswer:
    """One class or one marker.

    Attributes
    ----------
    name, title
        As the model and as people write it.
    probability
        Calibrated, the mean over the members.
    low, high
        The least and the greatest that a member says. How far members differ, and no interval of confidence.
    """

    name: str
    title: str
    probability: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class NumberAnswer:
    """A number, with the least and the greatest that a member says.

    Attributes
    ----------
    value, low, high
        In the unit.
    unit
        ``g/dL``.
    """

    value: float
    low: float
    high: float
    unit: str


@dataclass(frozen=True, slots=True)
class TaskAnswer:
    """What is said of one task.

    Attributes
    ----------
    task, kind
        Its name, and how its outputs belong together.
    outputs
        In the model's order; empty for a number, and where nothing was computed.
    number
        None where the task is no number, or nothing was computed.
    abstained
        Why there is no answer, in words; "" where there is one. Outputs that stand beside a reason are no answer.
    """

    task: str
    kind: TaskKind
    outputs: tuple[OutputAnswer, ...] = ()
    number: NumberAnswer | None = None
    abstained: str = ""


@dataclass(frozen=True, slots=True)
class MalignancyAnswer:
    """The probability of any malignant class: the sum over them.

    Attributes
    ----------
    probability, low, high
        As in ``OutputAnswer``; the sum is taken within each member first.
    classes
        Titles of the classes that count.
    threshold
        Chosen on out-of-fold patients, where the model has one.
    """

    probability: float
    low: float
    high: float
    classes: tuple[str, ...]
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class AttendedCell:
    """A cell that the model weighed much.

    Attributes
    ----------
    cell_id, field_id
        Which cell, and the field it is in.
    place
        Its number among the cells of its field, from 0.
    label
        Its type, or ``unidentified``.
    share
        Of all attention, 0 to 1.
    picture
        WebP; empty where none was kept.
    """

    cell_id: str
    field_id: str
    place: int
    label: str
    share: float
    picture: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class AttendedType:
    """How much attention the cells of one type have together.

    Attributes
    ----------
    label
        The type, or ``unidentified``.
    cells
        How many there are in the bag.
    share
        Of all attention, 0 to 1.
    """

    label: str
    cells: int
    share: float


@dataclass(frozen=True, slots=True)
class PatientFindings:
    """What a model of patients says of all cells of a run, taken as those of one patient.

    Attributes
    ----------
    model, encoder
        What answered, and what embedded the cells.
    members
        Networks that answered together; 0 where none was asked.
    cells, fields
        Cells in the bag, and the fields they come from: nucleated cells of fields that did not fail quality control.
    answers
        One a task.
    malignancy
        None where the model tells no malignant classes, or has no answer.
    taxonomy
        The table of diseases behind the classes; None where there is none.
    attended
        What attention is for, in words: ``all`` answers, or one class.
    by_type
        Attention by type, the greatest first.
    most_attended
        Cells with the most attention, the greatest first.
    attention
        Cell to its share of the attention; shares sum to 1. Empty where no network was asked.
    """

    model: ModelIdentity
    encoder: ModelIdentity
    members: int
    cells: int
    fields: int
    answers: tuple[TaskAnswer, ...]
    malignancy: MalignancyAnswer | None = None
    taxonomy: TableIdentity | None = None
    attended: str = ""
    by_type: tuple[AttendedType, ...] = ()
    most_attended: tuple[AttendedCell, ...] = ()
    attention: Mapping[str, float] = field(default_factory=dict, repr=False)
