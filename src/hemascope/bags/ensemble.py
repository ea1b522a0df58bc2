"""An ensemble that answers for a patient: one graph with all members, calibrated, with reasons not to answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hemascope.bags.abstention import reason_to_abstain
from hemascope.bags.model_spec import BagModelSpec, TaskSpec
from hemascope.core.bag import Bag
from hemascope.core.bag_prediction import BagPrediction
from hemascope.core.bag_task import BagTask, TaskKind, output_slices
from hemascope.core.errors import CohortError, WeightsError
from hemascope.core.ports import TensorGraph
from hemascope.core.provenance import ModelIdentity
from hemascope.stats.log_softmax import log_softmax


class BagEnsemble:
    """Bags to what a patient has; a ``BagModel``. Research use only.

    Parameters
    ----------
    graph
        One bag N x D to M x O logits, M x N x A shares of attention and M x E embeddings.
    spec
        What is answered, and how logits become answers.
    """

    def __init__(self, graph: TensorGraph, spec: BagModelSpec) -> None:
        self._graph = graph
        self._spec = spec
        self._tasks = spec.bag_tasks
        self._slices = output_slices(self._tasks)
        self._hierarchy = spec.hierarchy

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._graph.identity

    @property
    def spec(self) -> BagModelSpec:
        """What is answered, and how."""
        return self._spec

    @property
    def encoder(self) -> str:
        """Digest or name of the encoder whose embeddings it takes."""
        return self._spec.encoder

    @property
    def tasks(self) -> tuple[BagTask, ...]:
        """What it answers."""
        return self._tasks

    def predict(self, bag: Bag) -> BagPrediction:
        """Return the answer for one bag.

        Probabilities and numbers are given where a task is abstained from too, beside the reason. Fine classes agree
        with coarse ones in every member, and so in their mean.

        Raises
        ------
        CohortError
            If the bag was made by another encoder or has another dimension.
        WeightsError
            If the graph does not answer in the shapes that its specification says.
        """
        self._check(bag)
        logits, attention, embedding = self._ask(bag.values)
        members = {task.name: self._told(task, logits[:, self._slices[task.name]]) for task in self._spec.tasks}
        if self._hierarchy is not None:
            members = self._hierarchy.agreed(members)
        means = {name: told.mean(axis=0) for name, told in members.items()}
        numbers = {task.name for task in self._tasks if task.kind is TaskKind.NUMBER}
        probabilities = {name: mean for name, mean in means.items() if name not in numbers}
        reasons = {
            task.name: reason_to_abstain(
                task, len(bag), self._spec.cells, probabilities.get(task.name, np.empty(0)), members[task.name]
            )
            for task in self._spec.tasks
        }
        return BagPrediction(
            bag.patient,
            probabilities=probabilities,
            numbers={name: float(means[name]) for name in means if name in numbers},
            members=members,
            attention=_mean_shares(attention),
            attended=self._spec.attended,
            embedding=embedding[0],
            abstained={name: reason for name, reason in reasons.items() if reason},
        )

    def malignancy(self, prediction: BagPrediction) -> float | None:
        """Return the probability of any malignant class; None where the model has no table of diseases."""
        facts = self._spec.taxonomy
        if facts is None:
            return None
        classes = next(task.outputs for task in self._tasks if task.name == facts.task)
        counted = [name in facts.malignant for name in classes]
        return float(prediction.probabilities[facts.task][counted].sum())

    def _check(self, bag: Bag) -> None:
        if bag.encoder != self._spec.encoder:
            known = f" ({self._spec.encoder_name})" if self._spec.encoder_name else ""
            raise CohortError(
                f"patient {bag.patient}: cells were embedded by {bag.encoder or 'an unnamed encoder'}, but "
                f"{self.identity.name} takes those of {self._spec.encoder}{known}; embed the smears with that encoder"
            )
        if bag.values.shape[1] != self._spec.dimension:
            raise CohortError(
                f"patient {bag.patient}: {bag.values.shape[1]} numbers a cell, but {self.identity.name} takes "
                f"{self._spec.dimension}; embed the smears with the encoder that it was trained on"
            )

    def _ask(self, cells: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        answer = self._graph.run(np.ascontiguousarray(cells, np.float32))
        members, columns = self._spec.members, len(self._spec.attended)
        wanted = [(members, self._spec.outputs), (members, len(cells), columns)]
        if len(answer) != 3 or [part.shape for part in answer[:2]] != wanted:
            given = [part.shape for part in answer]
            raise WeightsError(
                f"{self.identity.name}: the graph gives {given} where its card says {wanted}; "
                "train it again, or name another model folder"
            )
        return answer

    def _told(self, task: TaskSpec, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return what each member says: M x K probabilities, or M numbers in their unit."""
        if task.kind is TaskKind.NUMBER:
            return np.array([s.mean + s.spread * float(z) for s, z in zip(task.scales, logits[:, 0], strict=True)])
        scaled = logits.astype(np.float64) / task.temperature
        if task.kind is TaskKind.CLASSES:
            return np.exp(log_softmax(scaled))
        return np.asarray(np.exp(-np.logaddexp(0, -scaled)))


def _mean_shares(attention: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return N x A: the mean of M x N x A over the members, each column's sum 1 to the last bit that matters."""
    mean = attention.astype(np.float64).mean(axis=0)
    return np.asarray(mean / mean.sum(axis=0))
