"""The mean of what each cell says: a share of attention is how far the answer would move without the cell."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from hemascope.nets.bags.net import BagNet, BagOutput, Plan, entry, head
from hemascope.nets.bags.pooling import Pooling


class Evidence(BagNet):
    """Each cell through a small network, the mean over the cells, a head.

    A mean over cells is what a likelihood over independent cells asks for; attention, which must choose cells before it
    knows the others, is not in the way.

    Parameters
    ----------
    recipe
        Widths (``attention_width`` is the length of what a cell says) and dropout.
    dimension
        D of a cell.
    outputs
        O, which is also A.
    """

    def __init__(self, recipe: Plan, dimension: int, outputs: int) -> None:
        super().__init__()
        self.columns = outputs
        self.entry, length = entry(dimension, recipe.width, recipe.dropout)
        self.says = nn.Sequential(nn.Linear(length, recipe.attention_width), nn.ReLU())
        self.dropout = nn.Dropout(recipe.dropout)
        self.head = head(recipe.attention_width, recipe.head_width, outputs, recipe.dropout)

    def pool(self, cells: Tensor, bags: Pooling) -> BagOutput:
        """Return the outputs; the embedding is the mean of what the cells say."""
        said = self.says(self.entry(cells))
        even = bags.shares(torch.ones_like(said[:, :1]))
        embedding = bags.weighted(even, said)[:, 0]
        logits = self.head(self.dropout(embedding))
        return BagOutput(logits, self._moved(said.detach(), even.detach(), embedding.detach(), bags), embedding)

    def _moved(self, said: Tensor, even: Tensor, embedding: Tensor, bags: Pooling) -> Tensor:
        """Return T x O shares of how far each output moves when a cell is left out; a lone cell has all of it."""
        here = bags.per_row(embedding)
        step = even * (here - said) / (1 - even).clamp_min(0.5 * even)
        return bags.shares(_step_of_head(self.head, here, step).detach().abs())


def _step_of_head(head: nn.Module, here: Tensor, step: Tensor) -> Tensor:
    """Return what ``head(here + step) - head(here)`` is, without taking nearly equal numbers from each other."""
    if isinstance(head, nn.Linear):
        return step @ head.weight.T
    first, _, _, last = cast("tuple[nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]", tuple(head.children()))
    before, moved = first(here), step @ first.weight.T
    after = before + moved
    bent = torch.where((before > 0) & (after > 0), moved, after.clamp_min(0) - before.clamp_min(0))
    return bent @ last.weight.T
