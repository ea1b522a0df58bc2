"""Gated attention: one share a cell, common to all outputs (Ilse et al. 2018; the myeloma pipeline of the recipe)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hemascope.nets.bags.net import BagNet, BagOutput, Plan, entry, head
from hemascope.nets.bags.pooling import Pooling


class GatedScores(nn.Module):
    """Vectors h to the scores w^T(tanh(V h) * sigmoid(U h)).

    Parameters
    ----------
    length
        E of a vector.
    hidden
        Rows of V and of U.
    columns
        Columns of w: scores a cell.
    """

    def __init__(self, length: int, hidden: int, columns: int = 1) -> None:
        super().__init__()
        self.gate = nn.Linear(length, 2 * hidden)  # V above U, one product of matrices
        self.score = nn.Linear(hidden, columns, bias=False)  # a bias would cancel in the softmax

    def forward(self, vectors: Tensor) -> Tensor:
        """Return T x A scores for T x E vectors."""
        content, gate = self.gate(vectors).chunk(2, dim=1)
        scores: Tensor = self.score(torch.tanh(content) * torch.sigmoid(gate))
        return scores


class GatedAttention(BagNet):
    """One shared gated attention, dropout on the bag's vector, and a linear head an output.

    Parameters
    ----------
    plan
        Widths and dropout; width 0 attends to embeddings as they are.
    dimension
        D of a cell.
    outputs
        O.
    """

    def __init__(self, plan: Plan, dimension: int, outputs: int) -> None:
        super().__init__()
        self.entry, length = entry(dimension, plan.width, plan.dropout)
        self.scores = GatedScores(length, plan.attention_width)
        self.dropout = nn.Dropout(plan.dropout)
        self.head = head(length, plan.head_width, outputs, plan.dropout)

    def pool(self, cells: Tensor, bags: Pooling) -> BagOutput:
        """Return the outputs; the embedding is the attended mean of the cells' vectors."""
        vectors = self.entry(cells)
        shares = bags.softmax(self.scores(vectors))
        embedding = bags.weighted(shares, vectors)[:, 0]
        return BagOutput(self.head(self.dropout(embedding)), shares, embedding)
