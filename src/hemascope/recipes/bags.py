"""Recipes of models of patients: what is asked, how cells are put together, how it is learned."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.recipes import Count, Positive, Recipe, Share

AggregatorName = Literal[
    "gated_attention", "transformer", "class_attention", "mean", "max", "clam", "transmil", "evidence", "cell_states"
]


class TaskRecipe(Recipe):
    """One question; see ``hemascope.core.bag_task.BagTask``.

    Attributes
    ----------
    name, kind, outputs, unit
        As in ``BagTask``. ``outputs`` may be left empty for classes that a taxonomy names, and for a number.
    weight
        Of its loss beside the others.
    """

    name: str
    kind: TaskKind
    outputs: tuple[str, ...] = ()
    unit: str = ""
    weight: Positive = 1.0

    def task(self, classes: tuple[str, ...] = ()) -> BagTask:
        """Return the task; ``classes`` stand in where the recipe names no outputs."""
        return BagTask(self.name, self.kind, self.outputs or classes or (self.name,), self.unit)


class AggregatorRecipe(Recipe):
    """How the cells of a bag become one answer.

    Attributes
    ----------
    kind
        Which aggregator.
    width
        Length of a cell's vector inside; 0 takes embeddings as they are, where the aggregator can.
    attention_width
        Hidden units of the attention.
    depth, heads
        Layers and heads of a transformer.
    head_width
        Hidden units between the bag's vector and the outputs; 0 for a linear head.
    dropout
        Share of units left out in training.
    states, state_dimensions
        Of ``cell_states``: kinds of cells that are told apart without labels, and most directions they are told in.
    """

    kind: AggregatorName
    width: Annotated[int, Field(ge=0)] = 512
    attention_width: Count = 128
    depth: Count = 2
    heads: Count = 8
    head_width: Annotated[int, Field(ge=0)] = 64
    dropout: Share = 0.1
    states: Count = 24
    state_dimensions: Count = 12


class BagTrainingRecipe(Recipe):
    """How a model of patients is trained.

    Attributes
    ----------
    name, version, source
        What it is called, and where its choices come from, in words.
    tasks
        What is asked, all answered by one model.
    taxonomy
        Name of a shipped table of diseases, or path of one, that leads from labels to classes; "" for none.
    task_of_taxonomy
        The task whose classes are the coarse classes of that table.
    aggregator
        How cells become an answer.
    imbalance
        What is done about rare classes, one thing at a time: ``none``, ``focal``, ``class_weights`` (inverse square
        root of the prevalence), ``balanced_sampling``.
    focal_gamma
        Of the focal loss.
    number_weight
        Weight of SmoothL1 on standardized numbers.
    learning_rate, weight_decay
        Of AdamW.
    batch
        Bags a step.
    cell_cap
        Most cells of a bag in training, drawn anew every epoch; every cell answers.
    epochs, patience, monitor
        At most so many; stop after so many without a better ``loss`` or ``auc`` on validation patients.
    plateau_factor, plateau_patience
        The rate is multiplied by the factor after more than so many epochs without a lower validation loss; patience 0
        for never.
    max_gradient
        Norm at which the gradient is clipped; 0 for never.
    precision
        Of the products in training: ``bfloat16`` takes about half the time on processors that know it, and three
        digits less. Validation and answers are always ``float32``.
    folds
        Parts of the cross-validation: one member of the ensemble each; 1 trains on ``train`` and watches ``val``, each
        drawn where the cohort names none.
    members
        Seeds a fold, each a member.
    watch
        Who says when a fold was trained best, where the cohort names no ``val``: ``inner``, one in about eight of those
        it learns from, so that held-out patients are judged by members that know nothing of them; or ``held_out``
        patients themselves: more are learned from, and out-of-fold figures come out a little too good.
    seed
        Of everything drawn.
    """

    name: str
    version: str
    source: str = ""
    tasks: tuple[TaskRecipe, ...]
    taxonomy: str = ""
    task_of_taxonomy: str = ""
    aggregator: AggregatorRecipe
    imbalance: Literal["none", "focal", "class_weights", "balanced_sampling"] = "none"
    focal_gamma: Positive = 2.0
    number_weight: Positive = 0.3
    learning_rate: Positive = 2e-4
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    batch: Count = 16
    cell_cap: Count = 500
    epochs: Count = 100
    patience: Count = 15
    monitor: Literal["loss", "auc"] = "auc"
    plateau_factor: Positive = 0.5
    plateau_patience: Annotated[int, Field(ge=0)] = 5
    max_gradient: Annotated[float, Field(ge=0)] = 1.0
    precision: Literal["float32", "bfloat16"] = "float32"
    folds: Count = 5
    members: Count = 1
    watch: Literal["inner", "held_out"] = "inner"
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _tasks_differ(self) -> BagTrainingRecipe:
        names = [task.name for task in self.tasks]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"a recipe needs tasks, each with a name of its own, not {names}")
        if self.task_of_taxonomy and self.task_of_taxonomy not in names:
            raise ValueError(f"there is no task '{self.task_of_taxonomy}' for the taxonomy")
        return self
