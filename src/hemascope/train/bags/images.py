"""Encoder and aggregator trained together, from labels of patients alone; or over a frozen encoder."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hemascope.nets.cell_evidence import CellEvidence, EvidenceOutput
from hemascope.nets.small_cell_encoder import NumberEncoder, SmallCellEncoder
from hemascope.recipes.cell_bags import CellBagRecipe
from hemascope.train.optimize import set_rate

OnEpoch = Callable[[int, int, float], None]
"""Called after every epoch with its number, how many there are, and the mean loss."""

WARMUP = 20
"""Steps over which the rate rises to its peak."""

_ANSWERED_TURNS = (0, 2, 5, 7)
"""Of the eight turned and mirrored views, those that answers are averaged over: two of each hand."""


@dataclass(frozen=True, slots=True, eq=False)
class CellsOfPatients:
    """Cells, and whose they are.

    Attributes
    ----------
    values
        T x H x W (pictures, H = W) or T x D (numbers) float32.
    rows
        Patient by patient, the rows of its cells.
    positive
        P flags: the label of each patient.
    """

    values: NDArray[np.float32]
    rows: Sequence[NDArray[np.intp]]
    positive: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class BagAnswers:
    """What a network says of B bags of n cells each, as ``EvidenceOutput``, the mean over turned views.

    Attributes
    ----------
    attended, top
        B logits.
    attention, evidence
        B x n: shares of gated attention, and the logits of single cells.
    """

    attended: NDArray[np.float64]
    top: NDArray[np.float64]
    attention: NDArray[np.float64]
    evidence: NDArray[np.float64]


def build_evidence_net(recipe: CellBagRecipe, values: NDArray[np.float32]) -> CellEvidence:
    """Return an untrained network for cells of this shape."""
    pictures = values.ndim == 3
    encoder = SmallCellEncoder(recipe.width) if pictures else NumberEncoder(values.shape[1], recipe.number_width)
    return CellEvidence(encoder, recipe.attention_width, recipe.top, recipe.dropout)


def fit_cell_bags(
    recipe: CellBagRecipe,
    cells: CellsOfPatients,
    train: NDArray[np.intp],
    seed: int,
    on_epoch: OnEpoch | None = None,
    start: CellEvidence | None = None,
) -> CellEvidence:
    """Train on bags drawn anew each step, half of them of positive patients.

    The loss of a bag is the cross-entropy of both its answers; every cell is asked for the label of its patient beside,
    with a small weight, which teaches the encoder while attention is still even.

    Parameters
    ----------
    cells
        All of them; only those of ``train`` are looked at. A patient with fewer than ``recipe.bag`` cells gives all.
    train
        Places of the patients learned from.
    seed
        Of first weights, and of everything drawn.
    start
        A network to go on from; with ``recipe.frozen`` its encoder stays as it is.

    Returns
    -------
    CellEvidence
        In evaluation mode.

    Raises
    ------
    ValueError
        If the patients learned from are not of both kinds.
    """
    sides = [train[cells.positive[train] == kind] for kind in (True, False)]
    if not all(map(len, sides)):
        raise ValueError("patients of both kinds are needed to learn from")
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    net = start or build_evidence_net(recipe, cells.values)
    net.encoder.requires_grad_(not recipe.frozen)
    learned = [values for values in net.parameters() if values.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    per_epoch = math.ceil(len(train) / recipe.bags)
    epochs = recipe.epochs if cells.values.ndim == 3 else recipe.number_epochs
    half = recipe.bags // 2
    for epoch in range(epochs):
        net.train()
        if recipe.frozen:
            net.encoder.eval()  # its running means must not move either
        orders = [_repeated(side, per_epoch * half, generator) for side in sides]
        total = 0.0
        for step in range(per_epoch):
            patients = np.concatenate([order[step * half : (step + 1) * half] for order in orders])
            set_rate(optimizer, _rate(epoch * per_epoch + step, epochs * per_epoch, recipe.learning_rate))
            loss = _loss(recipe, net, cells, patients, generator)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += float(loss.detach())
        if on_epoch is not None:
            on_epoch(epoch + 1, epochs, total / per_epoch)
    return net.eval()


def answer_bags(net: CellEvidence, values: NDArray[np.float32], bags: NDArray[np.intp]) -> BagAnswers:
    """Return what a network says of B x n rows of ``values``; pictures are looked at from four sides."""
    starts = torch.arange(len(bags) + 1) * bags.shape[1]
    chosen = torch.from_numpy(values[bags.ravel()])
    views = [_turned(chosen, turn) for turn in _ANSWERED_TURNS] if values.ndim == 3 else [chosen]
    with torch.no_grad():
        told: list[EvidenceOutput] = [net.eval()(_with_channel(view), starts) for view in views]
    attended, top, attention, evidence = (
        torch.stack([getattr(answer, name) for answer in told]).mean(0).double().numpy()
        for name in EvidenceOutput._fields
    )
    return BagAnswers(attended, top, attention.reshape(bags.shape), evidence.reshape(bags.shape))


def _loss(
    recipe: CellBagRecipe,
    net: CellEvidence,
    cells: CellsOfPatients,
    patients: NDArray[np.intp],
    generator: np.random.Generator,
) -> Tensor:
    drawn = [
        generator.choice(rows, min(recipe.bag, len(rows)), replace=False) for rows in (cells.rows[p] for p in patients)
    ]
    sizes = [len(rows) for rows in drawn]
    starts = torch.from_numpy(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))
    chosen = torch.from_numpy(cells.values[np.concatenate(drawn)])
    if chosen.ndim == 3:
        chosen = _augmented(chosen, recipe.brightness, generator)
    told: EvidenceOutput = net(_with_channel(chosen), starts)
    labels = torch.from_numpy(cells.positive[patients].astype(np.float32))
    soft = labels * (1 - 2 * recipe.smoothing) + recipe.smoothing
    of_bags = F.binary_cross_entropy_with_logits(told.attended, soft) + F.binary_cross_entropy_with_logits(
        told.top, soft
    )
    of_cells = labels.repeat_interleave(torch.tensor(sizes))
    return of_bags + recipe.cell_weight * F.binary_cross_entropy_with_logits(told.evidence, of_cells)


def _augmented(pictures: Tensor, least: float, generator: np.random.Generator) -> Tensor:
    """Return pictures, each turned, mirrored and changed in contrast by chance."""
    turns = generator.integers(8, size=len(pictures))
    turned = torch.empty_like(pictures)
    for turn in range(8):
        places = torch.from_numpy(np.flatnonzero(turns == turn))
        turned[places] = _turned(pictures[places], turn)
    factors = np.exp(generator.uniform(np.log(least), -np.log(least), len(pictures))).astype(np.float32)
    return turned * torch.from_numpy(factors)[:, None, None]


def _turned(pictures: Tensor, turn: int) -> Tensor:
    """Return one of the eight views: turned by quarters, mirrored from the fifth on."""
    quarter = torch.rot90(pictures, turn % 4, (1, 2))
    return quarter.flip(2) if turn >= 4 else quarter


def _with_channel(cells: Tensor) -> Tensor:
    return cells[:, None] if cells.ndim == 3 else cells


def _repeated(places: NDArray[np.intp], count: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Return so many places: everybody in random order, again and again."""
    return np.concatenate([generator.permutation(places) for _ in range(math.ceil(count / len(places)))])[:count]


def _rate(step: int, steps: int, peak: float) -> float:
    return peak * min(1.0, (step + 1) / WARMUP) * 0.5 * (1 + math.cos(math.pi * step / steps))
