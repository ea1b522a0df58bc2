"""The silhouette that every aggregator has."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor, nn

from hemascope.nets.bags.pooling import OneBag, PackedBags, Pooling


class Plan(Protocol):
    """What is to be built; ``hemascope.recipes.bags.AggregatorRecipe`` says what each word means."""

    @property
    def kind(self) -> str:
        """Which aggregator."""
        ...

    @property
    def width(self) -> int:
        """Length of a cell's vector inside; 0 takes embeddings as they are."""
        ...

    @property
    def attention_width(self) -> int:
        """Hidden units of the attention."""
        ...

    @property
    def depth(self) -> int:
        """Layers of a transformer."""
        ...

    @property
    def heads(self) -> int:
        """Heads of a transformer."""
        ...

    @property
    def head_width(self) -> int:
        """Hidden units before the outputs; 0 for a linear head."""
        ...

    @property
    def states(self) -> int:
        """States of cells."""
        ...

    @property
    def state_dimensions(self) -> int:
        """Most directions in which states of cells are told apart."""
        ...

    @property
    def dropout(self) -> float:
        """Share of units left out in training."""
        ...


class BagOutput(NamedTuple):
    """What an aggregator says of B bags with T cells in all.

    Attributes
    ----------
    logits
        B x O: raw logits of classes and markers, standardized numbers.
    attention
        T x A: each column sums to 1 in each bag; A is 1, or one an output where attention is per output.
    embedding
        B x E: each bag as a vector.
    """

    logits: Tensor
    attention: Tensor
    embedding: Tensor


class BagNet(nn.Module):
    """Packed bags to their outputs; an aggregator says in ``pool`` how."""

    columns: int = 1
    """A of ``BagOutput.attention``."""

    def forward(self, cells: Tensor, starts: Tensor | None = None) -> BagOutput:
        """Return the outputs of bags.

        Parameters
        ----------
        cells
            T x D.
        starts
            B + 1 int64 rows: bag b is rows ``starts[b]`` to ``starts[b + 1] - 1``, one or more. None for a single bag,
            as a graph computes it; the numbers are the same.
        """
        return self.pool(cells, OneBag() if starts is None else PackedBags(starts))

    def pool(self, cells: Tensor, bags: Pooling) -> BagOutput:
        """Return the outputs of the bags to which cells belong.

        Raises
        ------
        NotImplementedError
            Always, here.
        """
        raise NotImplementedError


def entry(dimension: int, width: int, dropout: float) -> tuple[nn.Module, int]:
    """Return what a cell goes through first, and the length of its vector then; width 0 leaves it as it is."""
    if not width:
        return nn.Identity(), dimension
    return nn.Sequential(nn.Linear(dimension, width), nn.ReLU(), nn.Dropout(dropout)), width


def head(length: int, hidden: int, outputs: int, dropout: float) -> nn.Module:
    """Return what leads from a bag's vector to its outputs; hidden 0 for a linear one."""
    if not hidden:
        return nn.Linear(length, outputs)
    return nn.Sequential(nn.Linear(length, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, outputs))
