"""What a model of patients is punished for: markers, classes and numbers, each only where the truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from hemascope.core.bag_task import BagTask, TaskKind, output_slices, truth_slices
from hemascope.recipes.bags import BagTrainingRecipe

LEAST_DOUBT = 1e-8
"""The smallest ``1 - p`` of the focal loss."""


class BagLoss(nn.Module):
    """The loss of a batch, one part a task.

    Markers are punished by binary cross-entropy, classes by cross-entropy, standardized numbers by SmoothL1. Each part
    is the mean over what is known of its task in the batch, times the task's weight (and ``number_weight`` for
    numbers); where nothing is known it is 0, and nothing is learned from it.

    Parameters
    ----------
    recipe
        Gives weights, and what is done about rare classes: with ``focal`` an example's loss is multiplied by
        ``(1 - p) ** focal_gamma``, p the probability of the truth (Lin et al., Focal loss for dense object detection,
        ICCV 2017); with ``class_weights`` by ``class_weights`` of its truth.
    tasks
        What is asked; each is a task of the recipe.
    truth
        P x C, of training patients: prevalences come from them.

    Raises
    ------
    ValueError
        If the recipe has no such task.
    """

    def __init__(self, recipe: BagTrainingRecipe, tasks: Sequence[BagTask], truth: NDArray[np.float64]) -> None:
        super().__init__()
        weights = {task.name: task.weight for task in recipe.tasks}
        unknown = [task.name for task in tasks if task.name not in weights]
        if unknown:
            raise ValueError(f"the recipe has no task {', '.join(unknown)}")
        self._tasks = tuple(tasks)
        self._task_weights: Mapping[str, float] = weights
        self._number_weight = recipe.number_weight
        self._gamma = recipe.focal_gamma if recipe.imbalance == "focal" else 0.0
        self._rarity = class_weights(tasks, truth) if recipe.imbalance == "class_weights" else {}

    def forward(self, logits: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """Return the parts of the loss.

        Parameters
        ----------
        logits
            B x O, laid out as ``output_slices`` says.
        truth
            B x C, as ``truth_slices`` says, NaN where missing; numbers standardized.

        Returns
        -------
        dict
            Task to its part; the loss is their sum.
        """
        outputs, columns = output_slices(self._tasks), truth_slices(self._tasks)
        return {
            task.name: self._part(task, logits[:, outputs[task.name]], truth[:, columns[task.name]])
            for task in self._tasks
        }

    def _part(self, task: BagTask, logits: Tensor, truth: Tensor) -> Tensor:
        known = ~truth.isnan()
        filled = truth.nan_to_num()
        weight = self._task_weights[task.name]
        if task.kind is TaskKind.NUMBER:
            return (
                weight * self._number_weight * mean_of_known(F.smooth_l1_loss(logits, filled, reduction="none"), known)
            )
        if task.kind is TaskKind.CLASSES:
            losses = F.cross_entropy(logits, filled[:, 0].long(), reduction="none")[:, None]
        else:
            losses = F.binary_cross_entropy_with_logits(logits, filled, reduction="none")
        if self._gamma:
            # A cross-entropy is -log p of the truth, so that p is exp(-loss); a root has no slope at 0.
            losses = (-torch.expm1(-losses)).clamp_min(LEAST_DOUBT).pow(self._gamma) * losses
        if self._rarity:
            losses = losses * self._rarity_of(task, filled)
        return weight * mean_of_known(losses, known)

    def _rarity_of(self, task: BagTask, truth: Tensor) -> Tensor:
        """Return B x columns: the weight of each truth."""
        table = torch.from_numpy(self._rarity[task.name]).to(truth.dtype)
        return table[torch.arange(truth.shape[1]), truth.long()]


def mean_of_known(losses: Tensor, known: Tensor) -> Tensor:
    """Return the mean of the losses where something is known; 0 where nothing is."""
    return torch.where(known, losses, 0.0).sum() / known.sum().clamp_min(1)


def truth_by_output(tasks: Sequence[BagTask], truth: Tensor) -> Tensor:
    """Return B x O for B x C truth: 1 where an output is true of a bag, 0 where not, NaN where missing or a number."""
    columns = truth_slices(tasks)
    parts = []
    for task in tasks:
        own = truth[:, columns[task.name]]
        if task.kind is TaskKind.CLASSES:
            shown = (own == torch.arange(len(task.outputs))).to(truth.dtype)
            own = torch.where(own.isnan(), own, shown)
        parts.append(torch.full_like(own, torch.nan) if task.kind is TaskKind.NUMBER else own)
    return torch.cat(parts, dim=1)


def class_weights(tasks: Sequence[BagTask], truth: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the weights of rare classes: the inverse square root of the prevalence, 1 on the mean over patients.

    Parameters
    ----------
    tasks
        What is asked; numbers have no weights.
    truth
        P x C of training patients, NaN where missing.

    Returns
    -------
    dict
        Task to columns x values: of classes 1 x K, of markers M x 2 (absent, present). A value nobody has weighs 0.
    """
    columns = truth_slices(tasks)
    return {
        task.name: np.array([_inverse_roots(column, _values(task)) for column in truth[:, columns[task.name]].T])
        for task in tasks
        if task.kind is not TaskKind.NUMBER
    }


def _values(task: BagTask) -> int:
    return len(task.outputs) if task.kind is TaskKind.CLASSES else 2


def _inverse_roots(column: NDArray[np.float64], values: int) -> NDArray[np.float64]:
    known = column[~np.isnan(column)].astype(np.intp)
    shares = np.bincount(known, minlength=values) / max(len(known), 1)
    roots = np.divide(1.0, np.sqrt(shares), out=np.zeros(values), where=shares > 0)
    total = float(shares @ roots)
    return roots / total if total else roots
