"""A patient as shares of states that were learned from cells without labels, like a differential of one's own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hemascope.nets.bags.net import BagNet, BagOutput, Plan
from hemascope.nets.bags.pooling import Pooling

LEAST_SHARE = 0.01
"""Added to a share before its logarithm: one cell in a hundred more or less says little."""


class CellStates(BagNet):
    """Cells to states of a Gaussian mixture, the logarithms of their mean shares to outputs by a linear head.

    States are set by ``set_states`` and stay; the head is what labels teach. Attention is how far a cell's states raise
    the output that they raise most.

    Parameters
    ----------
    recipe
        ``states`` and ``state_dimensions`` bound the mixture; dropout.
    dimension
        D of a cell.
    outputs
        O.
    """

    projection: Tensor
    factors: Tensor
    shifts: Tensor
    offsets: Tensor
    usual: Tensor
    spread: Tensor

    def __init__(self, recipe: Plan, dimension: int, outputs: int) -> None:
        super().__init__()
        states, width = recipe.states, min(recipe.state_dimensions, dimension)
        self.register_buffer("projection", torch.eye(dimension)[:, :width].contiguous())
        self.register_buffer("factors", torch.eye(width).repeat(1, states))
        self.register_buffer("shifts", torch.zeros(states * width))
        self.register_buffer("offsets", torch.zeros(states))
        self.register_buffer("usual", torch.zeros(states))
        self.register_buffer("spread", torch.ones(states))
        self.dropout = nn.Dropout(recipe.dropout)
        self.head = nn.Linear(states, outputs)

    def set_states(self, projection: Tensor, means: Tensor, factors: Tensor, offsets: Tensor) -> None:
        """Set the mixture.

        Parameters
        ----------
        projection
            D x R; fewer columns than ``state_dimensions`` are filled up with zeros.
        means
            K x R.
        factors
            K x R x R with ``factors @ factors^T`` the inverse covariance of a state.
        offsets
            K logarithms of a state's weight and of the determinant of its factor.
        """
        states, width = len(self.offsets), self.projection.shape[1]
        own = projection.shape[1]
        wide = torch.zeros(states, width, width)
        wide[:, :own, :own] = factors
        self.projection.zero_()
        self.projection[:, :own] = projection
        self.factors.copy_(wide.permute(1, 0, 2).reshape(width, states * width))
        self.shifts.zero_()
        self.shifts.copy_(torch.einsum("kr,krs->ks", nn.functional.pad(means, (0, width - own)), wide).reshape(-1))
        self.offsets.copy_(offsets)

    def set_usual(self, shares: Tensor) -> None:
        """Set what is usual from P x K shares of training patients."""
        logs = torch.log(shares + LEAST_SHARE)
        self.usual.copy_(logs.mean(dim=0))
        self.spread.copy_(logs.std(dim=0) + 0.05)

    def states_of(self, cells: Tensor) -> Tensor:
        """Return T x K probabilities of the states of T x D cells."""
        states = len(self.offsets)
        whitened = (cells @ self.projection) @ self.factors - self.shifts
        distances = whitened.square().reshape(-1, states, self.projection.shape[1]).sum(dim=2)
        return torch.softmax(self.offsets - distances / 2, dim=1)

    def shares_of(self, cells: Tensor, bags: Pooling) -> tuple[Tensor, Tensor]:
        """Return T x K states of the cells and their B x K means."""
        states = self.states_of(cells)
        even = bags.shares(torch.ones_like(states[:, :1]))
        return states, bags.weighted(even, states)[:, 0]

    def pool(self, cells: Tensor, bags: Pooling) -> BagOutput:
        """Return the outputs; the embedding is what is unusual of the shares, in standard deviations."""
        states, shares = self.shares_of(cells, bags)
        unusual = (torch.log(shares + LEAST_SHARE) - self.usual) / self.spread
        raises = self.head.weight / self.spread
        raises = raises - raises.mean(dim=1, keepdim=True)
        worth = raises.clamp_min(0).amax(dim=0).detach()
        attention = bags.shares((states.detach() @ worth)[:, None])
        return BagOutput(self.head(self.dropout(unusual)), attention, unusual)
