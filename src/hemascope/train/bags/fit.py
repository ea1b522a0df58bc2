"""The training of one network of patients: seeded, by epochs, resumable."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hemascope.core.bag import BagSet
from hemascope.core.bag_task import BagTask
from hemascope.core.errors import RecipeError
from hemascope.nets.bags.build import BagNet, build_bag_net
from hemascope.nets.bags.clam import ClusteredAttention
from hemascope.recipes.bags import BagTrainingRecipe
from hemascope.train.bags.cell_states import start_from_cells
from hemascope.train.bags.figures import figures_of
from hemascope.train.bags.losses import BagLoss, truth_by_output
from hemascope.train.bags.number_scale import scale_of_numbers
from hemascope.train.bags.predict import answers_of
from hemascope.train.bags.sampling import balanced_shares, order_of_epoch, rows_of_bags
from hemascope.train.checkpoints import load_checkpoint, save_checkpoint
from hemascope.train.optimize import RunLog, set_rate, weight_groups

OnEpoch = Callable[[int, int, float], None]
"""Called after every epoch with the epoch, the most epochs there can be, and the loss."""

CHECKPOINT_EVERY = 5
"""Epochs between checkpoints; the last epoch has one too."""

CLUSTER_WEIGHT = 0.3
"""Share of the loss that the cells of clustered attention have (Lu et al. 2021)."""


@dataclass(frozen=True, slots=True)
class BagNetFacts:
    """What must be known beside the weights.

    Attributes
    ----------
    epochs, best_epoch
        Epochs trained, and the one whose weights were kept.
    figures
        On validation patients at that epoch: ``loss``, and ``auc`` where it is defined.
    means, spreads
        Task of a number to mean and standard deviation over training patients, in its unit; the network answers
        ``(number - mean) / spread``.
    """

    epochs: int
    best_epoch: int
    figures: dict[str, float] = field(default_factory=dict)
    means: dict[str, float] = field(default_factory=dict)
    spreads: dict[str, float] = field(default_factory=dict)


def fit_bag_net(
    recipe: BagTrainingRecipe,
    tasks: Sequence[BagTask],
    bags: BagSet,
    truth: NDArray[np.float64],
    train: NDArray[np.intp],
    validation: NDArray[np.intp],
    run: Path,
    on_epoch: OnEpoch,
    *,
    seed: int,
) -> tuple[BagNet, BagNetFacts]:
    """Train to the recipe's last epoch, or until validation patients are answered no better; resumes.

    An epoch, its order, its cells and its dropout depend on the seed and the number of the epoch alone: a training that
    was killed and goes on from its checkpoint ends in the weights of one that was not, on the same machine.

    Parameters
    ----------
    tasks
        What is asked; each is a task of the recipe.
    bags
        P patients.
    truth
        P x C, laid out as ``truth_slices`` says, NaN where missing.
    train, validation
        Places of the patients learned from, and of those who say when it was best.
    run
        Folder of this network: ``log.jsonl`` and ``checkpoints`` go there.
    on_epoch
        Progress.
    seed
        Of first weights and everything drawn.

    Returns
    -------
    net, facts
        The network at its best epoch by the recipe's ``monitor``, in evaluation mode. Where the area under the curve
        stays the same, the lower loss is better; where no area is defined (numbers alone), the loss decides.

    Raises
    ------
    ValueError
        If nobody is to be learned from or to validate on, somebody is both, or truth does not fit the bags.
    RecipeError
        If the training diverges.
    """
    train, validation = np.asarray(train, np.intp), np.asarray(validation, np.intp)
    _check(bags, truth, train, validation)
    scale = scale_of_numbers(tasks, truth[train])
    session = _Session(recipe, tasks, bags, scale.standardized(truth), train, validation, run, seed)
    while not session.is_done:
        on_epoch(session.epoch + 1, recipe.epochs, session.run_epoch())
    return session.best.eval(), BagNetFacts(
        session.epoch, session.state["best_epoch"], session.state["figures"], scale.means, scale.spreads
    )


def _check(bags: BagSet, truth: NDArray[np.float64], train: NDArray[np.intp], validation: NDArray[np.intp]) -> None:
    if len(truth) != len(bags):
        raise ValueError(f"{len(truth)} rows of truth do not fit {len(bags)} patients")
    if not len(train) or not len(validation):
        raise ValueError(f"{len(train)} training and {len(validation)} validation patients: both must be some")
    if np.intersect1d(train, validation).size:
        raise ValueError("a patient is trained on and validates")


class _Session:
    """One training under way."""

    def __init__(
        self,
        recipe: BagTrainingRecipe,
        tasks: Sequence[BagTask],
        bags: BagSet,
        truth: NDArray[np.float64],
        train: NDArray[np.intp],
        validation: NDArray[np.intp],
        run: Path,
        seed: int,
    ) -> None:
        self._recipe, self._tasks, self._bags = recipe, tasks, bags
        self._truth = torch.from_numpy(truth).float()
        self._train, self._validation, self._seed = train, validation, seed
        balanced = recipe.imbalance == "balanced_sampling"
        self._shares = balanced_shares(tasks, truth[train]) if balanced else None
        self._loss = BagLoss(recipe, tasks, truth[train])
        torch.manual_seed(seed)
        self._net = build_bag_net(recipe.aggregator, bags.dimension, sum(len(task.outputs) for task in tasks))
        start_from_cells(self._net, bags, train, seed)
        self.best = copy.deepcopy(self._net)
        self._optimizer = torch.optim.AdamW(weight_groups(self._net, recipe.weight_decay), lr=recipe.learning_rate)
        self._log, self._folder = RunLog(run), run / "checkpoints"
        fresh = {"step": 0, "rate": recipe.learning_rate, "least_loss": math.inf, "slow": 0, "best_epoch": 0}
        self.state: dict[str, Any] = load_checkpoint(self._folder, self._models, self._optimizer) or fresh

    @property
    def _models(self) -> dict[str, torch.nn.Module]:
        return {"net": self._net, "best": self.best}

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return int(self.state["step"])

    @property
    def is_done(self) -> bool:
        """Whether every epoch is done, or too many without a better figure."""
        waited = self.epoch - self.state["best_epoch"]
        return self.epoch >= self._recipe.epochs or (self.epoch > 0 and waited >= self._recipe.patience)

    def run_epoch(self) -> float:
        """Train for one epoch, validate, keep what is best, and return the mean loss of the epoch."""
        generator = np.random.default_rng([self._seed, self.epoch])
        torch.manual_seed(int(generator.integers(2**62)))
        set_rate(self._optimizer, self.state["rate"])
        order = self._train[order_of_epoch(len(self._train), self._shares, generator)]
        self._net.train()
        batches = [order[first : first + self._recipe.batch] for first in range(0, len(order), self._recipe.batch)]
        parts = [self._step(batch, generator) for batch in batches]
        loss = float(np.mean([sum(part.values()) for part in parts]))
        self.state["step"] += 1
        figures = self._validate()
        self._remember(figures)
        means = {name: round(float(np.mean([part[name] for part in parts])), 5) for name in parts[0]}
        self._log.write(self.epoch, loss=round(loss, 5), rate=self.state["rate"], parts=means, validation=figures)
        if self.epoch % CHECKPOINT_EVERY == 0 or self.is_done:
            rest = {key: value for key, value in self.state.items() if key != "step"}
            save_checkpoint(self._folder, self.epoch, self._models, self._optimizer, rest)
        return loss

    def _step(self, places: NDArray[np.intp], generator: np.random.Generator) -> dict[str, float]:
        rows, starts = rows_of_bags(self._bags, places, self._recipe.cell_cap, generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=self._recipe.precision == "bfloat16"):
            cells, edges = torch.from_numpy(self._bags.values[rows]), torch.from_numpy(starts)
            parts = self._loss(self._net(cells, edges).logits.float(), self._truth[places])
            if isinstance(self._net, ClusteredAttention):
                told = truth_by_output(self._tasks, self._truth[places])
                parts = {name: (1 - CLUSTER_WEIGHT) * part for name, part in parts.items()}
                parts["cells"] = CLUSTER_WEIGHT * self._net.instance_loss(cells, edges, told)
        self._optimizer.zero_grad()
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        if self._recipe.max_gradient:
            torch.nn.utils.clip_grad_norm_(self._net.parameters(), self._recipe.max_gradient)
        self._optimizer.step()
        return {name: part.item() for name, part in parts.items()}

    def _validate(self) -> dict[str, float]:
        logits = answers_of(self._net, self._bags, self._validation).logits
        if not np.isfinite(logits).all():
            raise RecipeError(
                f"training diverged in epoch {self.epoch}: answers are no numbers; lower learning_rate or max_gradient"
            )
        truth = self._truth[self._validation]
        with torch.no_grad():
            loss = sum(part.item() for part in self._loss(torch.from_numpy(logits), truth).values())
        return {"loss": round(loss, 6)} | figures_of(self._tasks, logits, truth.numpy())

    def _remember(self, figures: dict[str, float]) -> None:
        """Keep the best weights; lower the rate where the loss has not fallen for a while."""
        score = [figures["loss"]]
        if self._recipe.monitor == "auc":
            score = [-figures.get("auc", 0.0), figures["loss"]]
        if self.epoch == 1 or score < self.state["best_score"]:
            self.best.load_state_dict(self._net.state_dict())
            self.state |= {"best_score": score, "best_epoch": self.epoch, "figures": figures}
        self.state["slow"] += 1
        if figures["loss"] < self.state["least_loss"]:
            self.state |= {"least_loss": figures["loss"], "slow": 0}
        if self._recipe.plateau_patience and self.state["slow"] > self._recipe.plateau_patience:
            self.state |= {"rate": self.state["rate"] * self._recipe.plateau_factor, "slow": 0}
