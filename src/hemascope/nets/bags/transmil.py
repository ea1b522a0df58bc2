"""TransMIL (Shao et al. 2021) from its published formulas: Nystrom attention and positions from convolutions on a grid.

Cells are laid on a square grid in the order in which they come, so this one aggregator depends on their order: it is a
baseline that takes a set for a picture.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from hemascope.nets.bags.net import BagNet, BagOutput, Plan, entry, head
from hemascope.nets.bags.pooling import Pooling

LANDMARKS = 64
"""Means of queries and of keys that stand for all; the paper takes half the width, for slides of 10,000 tiles."""

INVERSE_STEPS = 6
RESIDUAL_KERNEL = 33
GRID_KERNELS = (7, 5, 3)


class NystromAttention(nn.Module):
    """Attention through landmarks (Xiong et al. 2021): softmax(Q K'^T) pinv(softmax(Q' K'^T)) softmax(Q' K^T) V.

    Parameters
    ----------
    length, heads, dropout
        Of a row; of the attention; of what leads back.
    """

    def __init__(self, length: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(length)
        self.into = nn.Linear(length, 3 * length, bias=False)
        self.back = nn.Sequential(nn.Linear(length, length), nn.Dropout(dropout))
        kernel = (RESIDUAL_KERNEL, 1)
        self.residual = nn.Conv2d(heads, heads, kernel, padding=(RESIDUAL_KERNEL // 2, 0), groups=heads, bias=False)

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return N x E rows with what they learned added, and the first row's H x N attention, maybe negative."""
        mapped = self.into(self.norm(rows)).view(rows.shape[0], 3, self.heads, -1)
        query, key, value = mapped.permute(1, 2, 0, 3)
        query = query / math.sqrt(query.shape[-1])
        means = landmark_shares(rows)
        few_queries, few_keys = means @ query, means @ key
        left = torch.softmax(query @ few_keys.transpose(1, 2), dim=-1) @ pseudo_inverse(
            torch.softmax(few_queries @ few_keys.transpose(1, 2), dim=-1)
        )
        right = torch.softmax(few_queries @ key.transpose(1, 2), dim=-1)
        told = left @ (right @ value) + self.residual(value[None])[0]
        return rows + self.back(told.transpose(0, 1).flatten(1)), (left[:, :1] @ right)[:, 0]


def landmark_shares(rows: Tensor) -> Tensor:
    """Return ``LANDMARKS`` x N: each landmark is the mean of a run of neighbors; runs may share a row at their ends."""
    count = rows.shape[0]
    landmark = torch.arange(LANDMARKS, device=rows.device)[:, None]
    place = torch.arange(count, device=rows.device)[None]
    first, end = landmark * count // LANDMARKS, ((landmark + 1) * count + LANDMARKS - 1) // LANDMARKS
    inside = ((place >= first) & (place < end)).to(rows.dtype)
    return inside / inside.sum(dim=1, keepdim=True)


def pseudo_inverse(matrices: Tensor) -> Tensor:
    """Return approximate inverses of H x L x L matrices, by the iteration of Razavi et al. 2014."""
    sums = matrices.sum(dim=-2).amax(dim=-1) * matrices.sum(dim=-1).amax(dim=-1)
    inverse = matrices.transpose(-1, -2) / sums[..., None, None]
    one = torch.eye(LANDMARKS, dtype=matrices.dtype, device=matrices.device)
    for _ in range(INVERSE_STEPS):
        product = matrices @ inverse
        inverse = 0.25 * inverse @ (13 * one - product @ (15 * one - product @ (7 * one - product)))
    return inverse


class TransMil(BagNet):
    """Two layers of Nystrom attention with convolutions on the grid of the cells between them.

    Parameters
    ----------
    recipe
        Width, heads and dropout.
    dimension
        D of a cell.
    outputs
        O.
    """

    def __init__(self, recipe: Plan, dimension: int, outputs: int) -> None:
        super().__init__()
        self.entry, length = entry(dimension, recipe.width, 0.0)
        self.token = nn.Parameter(torch.randn(length) * 0.02)
        self.first = NystromAttention(length, recipe.heads, recipe.dropout)
        self.grid = nn.ModuleList(
            nn.Conv2d(length, length, size, padding=size // 2, groups=length) for size in GRID_KERNELS
        )
        self.second = NystromAttention(length, recipe.heads, recipe.dropout)
        self.norm = nn.LayerNorm(length)
        self.head = head(length, recipe.head_width, outputs, recipe.dropout)

    def pool(self, cells: Tensor, bags: Pooling) -> BagOutput:
        """Return the outputs; the attention is the token's in the last layer, negative numbers taken for 0."""
        answers = [self._bag(rows) for rows in bags.split(self.entry(cells))]
        embedding = torch.stack([token for token, _ in answers])
        amounts = torch.cat([amount for _, amount in answers])
        return BagOutput(self.head(embedding), bags.shares(amounts), embedding)

    def _bag(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Return the token of one bag, and N x 1 amounts of attention."""
        count = cells.shape[0]
        side = grid_side(cells)
        place = torch.arange(side * side, device=cells.device)
        place = torch.where(place < count, place, place - count)
        rows, _ = self.first(torch.cat([self.token[None], cells[place]]))
        grid = rows[1:].T.reshape(1, -1, side, side)
        for convolution in self.grid:
            grid = grid + convolution(rows[1:].T.reshape(1, -1, side, side))
        rows, attention = self.second(torch.cat([rows[:1], grid[0].flatten(1).T]))
        amounts = torch.relu(attention[:, 1:].mean(dim=0))
        return self.norm(rows[0]), torch.zeros_like(cells[:, 0]).index_add(0, place, amounts)[:, None]


def grid_side(cells: Tensor) -> int:
    """Return the side of the smallest square that holds N cells; the first cells fill what is left of it."""
    count = torch.ones_like(cells[:, 0], dtype=torch.float64).sum()
    side = int(count.sqrt().ceil().long().item())  # as tensors, so that a graph computes it for every bag
    torch._check(side > 0)  # type: ignore[no-untyped-call]  # what the exporter cannot know
    return side
