"""What the answering side must know of a model of patients: the ``spec`` of its card, checked when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hemascope.bags.hierarchy import Hierarchy, hierarchy_of
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.core.errors import WeightsError

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NumberScale(_Part):
    """How a member's standardized number becomes one in its unit: ``mean + spread * number``.

    Attributes
    ----------
    mean, spread
        Of the patients that the member was trained on.
    """

    mean: float
    spread: Positive


class TaskSpec(_Part):
    """One task, and what was found for it on out-of-fold answers alone.

    Attributes
    ----------
    name, kind, outputs, unit
        As in ``BagTask``.
    temperature
        Logits are divided by it.
    thresholds
        Output to the probability at which it is called.
    scales
        Of a number: one a member.
    least_confidence
        No answer below it; None for no such limit. See ``hemascope.bags.abstention.confidence``.
    greatest_disagreement
        No answer where the members differ by more; None for no such limit. See ``hemascope.bags.abstention``.
    """

    name: str
    kind: TaskKind
    outputs: tuple[str, ...]
    unit: str = ""
    temperature: Positive = 1.0
    thresholds: dict[str, Probability] = {}
    scales: tuple[NumberScale, ...] = ()
    least_confidence: Probability | None = None
    greatest_disagreement: Annotated[float, Field(ge=0)] | None = None

    @property
    def task(self) -> BagTask:
        """The task as core knows it."""
        return BagTask(self.name, self.kind, self.outputs, self.unit)


class CellsSeen(_Part):
    """Cells a patient had in training.

    Attributes
    ----------
    patients
        How many there were.
    least, median, greatest
        Cells of a patient.
    first_percentile
        A bag with fewer cells gets no answer.
    """

    patients: Count
    least: Count
    first_percentile: Annotated[float, Field(ge=1)]
    median: Annotated[float, Field(ge=1)]
    greatest: Count


class TaxonomyFacts(_Part):
    """The table of diseases behind the classes of a task.

    Attributes
    ----------
    name, version, sha256
        Of the table.
    task
        The task whose classes are its coarse classes.
    malignant
        Classes whose probabilities sum to that of malignancy.
    threshold
        Of that sum, from which on a marrow is recommended; None where none was chosen.
    titles
        Coarse class to how people write it; one that is missing is shown by its name.
    parents
        Fine class to coarse class, where the model answers with fine classes too and the two agree; empty else.
    """

    name: str
    version: str
    sha256: str
    task: str
    malignant: tuple[str, ...]
    threshold: Probability | None = None
    titles: dict[str, str] = {}
    parents: dict[str, str] = {}


class BagModelSpec(_Part):
    """The whole of it.

    Attributes
    ----------
    use
        Always ``research use only``.
    aggregator
        Kind of the members.
    members
        M.
    encoder
        Digest or name of what embedded the cells; see ``Bag.encoder``.
    encoder_name
        The same for readers: ``dinobloom-b``; "" where unknown.
    dimension
        D of a cell.
    attended
        Names of the columns of attention.
    tasks
        What is answered, in the order of the outputs.
    cells
        How large the bags were.
    taxonomy
        None where no table of diseases was used.
    """

    use: Literal["research use only"] = "research use only"
    aggregator: str
    members: Count
    encoder: str
    encoder_name: str = ""
    dimension: Count
    attended: tuple[str, ...] = Field(min_length=1)
    tasks: tuple[TaskSpec, ...] = Field(min_length=1)
    cells: CellsSeen
    taxonomy: TaxonomyFacts | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> BagModelSpec:
        for task in self.tasks:
            unknown = set(task.thresholds) - set(task.task.outputs)
            if unknown:
                raise ValueError(f"task {task.name} has thresholds of {', '.join(sorted(unknown))}, no outputs of it")
            wanted = self.members if task.kind is TaskKind.NUMBER else 0
            if len(task.scales) != wanted:
                raise ValueError(f"task {task.name} needs {wanted} scales, one a member, not {len(task.scales)}")
        if self.taxonomy:
            classes = {task.name: task.outputs for task in self.tasks if task.kind is TaskKind.CLASSES}
            strangers = set(self.taxonomy.malignant) - set(classes.get(self.taxonomy.task, ()))
            if self.taxonomy.task not in classes or strangers:
                raise ValueError(f"task {self.taxonomy.task} has no classes {', '.join(sorted(strangers))}")
            if self.taxonomy.parents and self.hierarchy is None:
                raise ValueError("parents are named, but no two tasks of fine and of coarse classes")
        return self

    @property
    def bag_tasks(self) -> tuple[BagTask, ...]:
        """The tasks as core knows them."""
        return tuple(task.task for task in self.tasks)

    @property
    def hierarchy(self) -> Hierarchy | None:
        """The tasks of fine and of coarse classes that are made to agree; None where there are none."""
        return hierarchy_of(self.bag_tasks, self.taxonomy.parents) if self.taxonomy else None

    @property
    def outputs(self) -> int:
        """O of the members' logits."""
        return sum(len(task.outputs) for task in self.tasks)

    @classmethod
    def read(cls, values: Mapping[str, Any], where: str) -> BagModelSpec:
        """Return the specification in a card.

        Raises
        ------
        WeightsError
            If it is none; ``where`` says of what.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "spec"
            raise WeightsError(
                f"{where}: no specification of a model of patients ({place}: {first['msg']}); "
                "name a folder that hemascope train bags wrote"
            ) from error


def attended_columns(columns: int, tasks: tuple[BagTask, ...]) -> tuple[str, ...]:
    """Return the names of the columns of attention: ``all``, or one an output, with its task where there are several.

    Raises
    ------
    ValueError
        If there are neither one nor as many columns as outputs.
    """
    if columns == 1:
        return ("all",)
    names = [(task.name, output) for task in tasks for output in task.outputs]
    if len(names) != columns:
        raise ValueError(f"{columns} columns of attention do not fit {len(names)} outputs")
    return tuple(output if len(tasks) == 1 else f"{task}.{output}" for task, output in names)
