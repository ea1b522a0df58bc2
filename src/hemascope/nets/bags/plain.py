"""What attention is measured against: the mean of the cells, and the greatest of each number."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hemascope.nets.bags.net import BagNet, BagOutput, Plan, entry, head
from hemascope.nets.bags.pooling import Pooling


class _Plain(BagNet):
    """Entry, a vector a bag, dropout, head.

    Parameters
    ----------
    recipe
        Widths and dropout; with both widths 0 this is a logistic regression.
    dimension
        D of a cell.
    outputs
        O.
    """

    def __init__(self, recipe: Plan, dimension: int, outputs: int) -> None:
        super().__init__()
        self.entry, length = entry(dimension, recipe.width, recipe.dropout)
        self.dropout = nn.Dropout(recipe.dropout)
        self.head = head(length, recipe.head_width, outputs, recipe.dropout)


class MeanPooling(_Plain):
    """Every cell counts the same."""

    def pool(self, cells: Tensor, bags: Pooling) -> BagOutput:
        """Return the outputs; the embedding is the mean of the cells' vectors."""
        vectors = self.entry(cells)
        shares = bags.shares(torch.ones_like(cells[:, :1]))
        embedding = bags.weighted(shares, vectors)[:, 0]
        return BagOutput(self.head(self.dropout(embedding)), shares, embedding)


class MaxPooling(_Plain):
    """Each number comes from the cell in which it is greatest."""

    def pool(self, cells: Tensor, bags: Pooling) -> BagOutput:
        """Return the outputs; a cell's share is the part of the embedding's numbers that are its own."""
        vectors = self.entry(cells)
        embedding = bags.greatest(vectors)
        own = bags.shares((vectors == bags.per_row(embedding)).to(vectors.dtype)).mean(dim=1, keepdim=True)
        return BagOutput(self.head(self.dropout(embedding)), own.detach(), embedding)
