"""The training loop: seeded, by steps, resumable; what is learned is handed in."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from hemascope.recipes import EarlyStoppingRecipe, TrainingRecipe
from hemascope.train.checkpoints import load_checkpoint, save_checkpoint
from hemascope.train.optimize import RunLog, cosine_rate, set_rate, update_average, weight_groups

Net = TypeVar("Net", bound=nn.Module)

OnStep = Callable[[int, int, float], None]
"""Called after every step with the step, the number of steps and the loss."""

SCORE = "score"
"""The figure of a validation by which the best network is kept; smaller is better."""

RateOfStep = Callable[[int, int, float], float]
"""A step, the number of steps and the recipe's rate to the learning rate of that step."""

LossOfStep = Callable[[int, int], dict[str, Tensor]]
"""A step and its seed to the parts of the loss, which are added up; a step's batch depends on these two alone."""


def train_by_steps(
    recipe: TrainingRecipe,
    run: Path,
    net: Net,
    loss_of: LossOfStep,
    validate: Callable[[Net], dict[str, float]],
    on_step: OnStep,
    *,
    max_gradient: float,
    log_every: int = 25,
    rate_of: RateOfStep = cosine_rate,
) -> Net:
    """Train to the recipe's last step, or until the score stops improving; resumes from the newest checkpoint.

    Parameters
    ----------
    run
        The run folder: ``log.jsonl`` and ``checkpoints`` go there.
    net
        Trained in place.
    validate
        Figures of a network on validation splits. Where ``SCORE`` is among them, the network of the best score is kept,
        and training stops after ``patience`` validations without a better one, if the recipe has one.
    max_gradient
        Norm at which the gradient is clipped: a batch of odd labels must not throw the weights away.
    log_every
        Steps between lines of the log.
    rate_of
        How the learning rate goes.

    Returns
    -------
    The moving average of the network, the best one where there is a score, in evaluation mode.
    """
    log, average, best = RunLog(run), copy.deepcopy(net), copy.deepcopy(net)
    optimizer = torch.optim.AdamW(weight_groups(net, recipe.weight_decay), lr=recipe.learning_rate)
    models: dict[str, nn.Module] = {"net": net, "average": average, "best": best}
    state: dict[str, Any] = load_checkpoint(run / "checkpoints", models, optimizer) or {"step": 0, "waited": 0}
    patience = recipe.patience if isinstance(recipe, EarlyStoppingRecipe) else 0
    while state["step"] < recipe.steps and not (patience and state["waited"] >= patience):
        step = int(state["step"])
        set_rate(optimizer, rate_of(step, recipe.steps, recipe.learning_rate))
        parts = _take_step(net, optimizer, loss_of, step, recipe.seed * 1_000_003 + step, max_gradient)
        update_average(average, net, recipe.ema, step)
        state["step"] = done = step + 1
        is_last = done == recipe.steps
        on_step(done, recipe.steps, sum(parts.values()))
        if done % log_every == 0:
            log.write(done, loss=round(sum(parts.values()), 4), **{key: round(part, 4) for key, part in parts.items()})
        if done % recipe.validate_every == 0 or is_last:
            figures = validate(average)
            log.write(done, validation=figures)
            _keep_best(figures, state, average, best)
        if done % recipe.checkpoint_every == 0 or is_last:
            save_checkpoint(
                run / "checkpoints", done, models, optimizer, {k: v for k, v in state.items() if k != "step"}
            )
    return (best if "best_step" in state else average).eval()


def _keep_best(figures: dict[str, float], state: dict[str, Any], average: nn.Module, best: nn.Module) -> None:
    """Keep the network of the best score so far, and count the validations since."""
    if SCORE not in figures:
        return
    if figures[SCORE] < state.get("best_score", float("inf")):
        best.load_state_dict(average.state_dict())
        state |= {"best_score": figures[SCORE], "best_step": state["step"], "waited": 0}
    else:
        state["waited"] += 1


def _take_step(
    net: nn.Module, optimizer: torch.optim.Optimizer, loss_of: LossOfStep, step: int, seed: int, max_gradient: float
) -> dict[str, float]:
    """Return the parts of the loss of one step."""
    net.train()
    torch.manual_seed(seed)
    parts = loss_of(step, seed)
    optimizer.zero_grad()
    torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(net.parameters(), max_gradient)
    optimizer.step()
    return {name: part.item() for name, part in parts.items()}
