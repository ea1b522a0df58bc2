"""The part of ``report.json`` that holds what a model says of the patient, as pydantic models."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt

from hemascope.core.bag_task import TaskKind
from hemascope.core.patient_findings import PATIENT_USE
from hemascope.export.record_types import ModelRecord, Number, Record, Share, TableRecord, Text


class OutputAnswerRecord(Record):
    """One class or one marker."""

    name: Text = Field(description="As the model writes it.")
    title: Text = Field(description="As people write it.")
    probability: Share = Field(description="Calibrated; the mean over the members.")
    low: Share = Field(description="The least that a member says; no limit of an interval of confidence.")
    high: Share = Field(description="The greatest that a member says.")


class NumberAnswerRecord(Record):
    """A number."""

    value: Number = Field(description="The mean over the members, in the unit.")
    low: Number = Field(description="The least that a member says.")
    high: Number = Field(description="The greatest that a member says.")
    unit: Text = Field(description="Its unit.")


class TaskAnswerRecord(Record):
    """What is said of one task."""

    task: Text = Field(description="Its name.")
    kind: TaskKind = Field(description="Classes exclude each other; markers do not; a number is one number.")
    outputs: tuple[OutputAnswerRecord, ...] = Field(description="Empty for a number, and where nothing was computed.")
    number: NumberAnswerRecord | None = Field(description="Null where the task is no number.")
    abstained: Text = Field(
        description="Why there is no answer; empty where there is one. Outputs beside a reason are no answer."
    )


class MalignancyRecord(Record):
    """The probability of any malignant class."""

    probability: Share = Field(description="Sum over the malignant classes.")
    low: Share = Field(description="The least that a member says.")
    high: Share = Field(description="The greatest that a member says.")
    classes: tuple[Text, ...] = Field(description="The classes that count.")
    threshold: Share | None = Field(description="Chosen on out-of-fold patients; null where the model has none.")


class AttendedTypeRecord(Record):
    """How much attention the cells of one type have together."""

    label: Text = Field(description="Type, or unidentified.")
    cells: NonNegativeInt = Field(description="How many there are in the bag.")
    share: Share = Field(description="Of all attention.")


class AttendedCellRecord(Record):
    """A cell that the model weighed much."""

    cell_id: Text = Field(description="As in the tables of cells.")
    field_id: Text = Field(description="The field it is in.")
    label: Text = Field(description="Type, or unidentified.")
    share: Share = Field(description="Of all attention.")


class PatientRecord(Record):
    """What a model of patients says of all cells together. Research use only: not for diagnosis."""

    use: Text = Field(default=PATIENT_USE, description="What it may be used for.")
    research_use_only: Literal[True] = Field(default=True, description="Not to be sent to a laboratory system.")
    model: ModelRecord = Field(description="What answered.")
    encoder: ModelRecord = Field(description="What embedded the cells.")
    members: NonNegativeInt = Field(description="Networks that answered together; 0 where none was asked.")
    cells: NonNegativeInt = Field(description="Nucleated cells of fields that did not fail quality control.")
    fields: NonNegativeInt = Field(description="Fields that they come from.")
    answers: tuple[TaskAnswerRecord, ...] = Field(description="One a task.")
    malignancy: MalignancyRecord | None = Field(description="Null where there are no malignant classes, or no answer.")
    taxonomy: TableRecord | None = Field(description="The table of diseases behind the classes; null for none.")
    attended: Text = Field(description="What attention is for.")
    by_type: tuple[AttendedTypeRecord, ...] = Field(description="Attention by type, the greatest first.")
    most_attended: tuple[AttendedCellRecord, ...] = Field(
        description="Cells with the most attention; that of every cell is in the tables of cells."
    )
