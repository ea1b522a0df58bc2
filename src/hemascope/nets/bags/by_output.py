"""Attention of each output's own: classes look at different cells (the patient classifier of SCEMILA)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hemascope.nets.bags.net import BagNet, BagOutput, Plan, entry, head
from hemascope.nets.bags.pooling import Pooling


class HeadPerColumn(nn.Module):
    """B x A vectors to B x A numbers: each column through a head of its own.

    Parameters
    ----------
    columns
        A.
    length, hidden, dropout
        As in ``hemascope.nets.bags.net.head``.
    """

    def __init__(self, columns: int, length: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads = nn.ModuleList(head(length, hidden, 1, dropout) for _ in range(columns))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return B x A numbers for B x A x E vectors."""
        return torch.cat([one(vectors[:, place]) for place, one in enumerate(self.heads)], dim=1)


class ClassAttention(BagNet):
    """Shares of the cells for each output: linear, tanh, linear; then a head an output on its own attended mean.

    Known sizes: cells of 500 numbers, attention 500 -> 128 -> K, heads 500 -> 64 -> 1.

    Parameters
    ----------
    recipe
        Widths and dropout.
    dimension
        D of a cell.
    outputs
        O, which is also A.
    """

    def __init__(self, recipe: Plan, dimension: int, outputs: int) -> None:
        super().__init__()
        self.columns = outputs
        self.entry, length = entry(dimension, recipe.width, recipe.dropout)
        hidden = recipe.attention_width
        self.scores = nn.Sequential(nn.Linear(length, hidden), nn.Tanh(), nn.Linear(hidden, outputs))
        self.dropout = nn.Dropout(recipe.dropout)
        self.head = HeadPerColumn(outputs, length, recipe.head_width, recipe.dropout)

    def pool(self, cells: Tensor, bags: Pooling) -> BagOutput:
        """Return the outputs; the embedding is the mean of the outputs' attended means."""
        vectors = self.entry(cells)
        shares = bags.softmax(self.scores(vectors))
        seen = bags.weighted(shares, vectors)
        return BagOutput(self.head(self.dropout(seen)), shares, seen.mean(dim=1))
