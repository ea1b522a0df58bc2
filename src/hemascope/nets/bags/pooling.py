"""Shares and sums within bags: of many packed bags in training, of one bag in a graph; the same numbers either way."""

from __future__ import annotations

import itertools
from typing import Protocol

import torch
from torch import Tensor


class Pooling(Protocol):
    """What an aggregator may ask of the bags that its T rows belong to."""

    def softmax(self, scores: Tensor) -> Tensor:
        """Return T x A shares for T x A scores: each column sums to 1 in each bag."""
        ...

    def weighted(self, shares: Tensor, values: Tensor) -> Tensor:
        """Return B x A x E sums of T x E values, weighted by T x A shares."""
        ...

    def greatest(self, values: Tensor) -> Tensor:
        """Return the B x E greatest values of each bag."""
        ...

    def per_row(self, values: Tensor) -> Tensor:
        """Return T rows: for each row what B rows say of its bag."""
        ...

    def even(self, values: Tensor) -> Tensor:
        """Return T x 1 equal shares of each bag, for any T rows."""
        ...

    def bounds(self, rows: int) -> list[tuple[int, int]]:
        """Return first and last-but-one row of each bag, of T rows in all."""
        ...

    def with_token(self, values: Tensor, token: Tensor) -> tuple[Tensor, Pooling, Tensor]:
        """Return T + B rows with a token of E numbers before each bag, their pooling, and where the T rows now are."""
        ...


class PackedBags:
    """Many bags, the rows of one after those of the other.

    Parameters
    ----------
    starts
        B + 1 int64 rows: bag b is rows ``starts[b]`` to ``starts[b + 1] - 1``, one or more.
    """

    def __init__(self, starts: Tensor) -> None:
        self._starts = starts
        self._sizes = starts[1:] - starts[:-1]
        self._lengths: list[int] = self._sizes.tolist()
        self._bag = torch.repeat_interleave(torch.arange(len(self._sizes), device=starts.device), self._sizes)

    def softmax(self, scores: Tensor) -> Tensor:
        """Return shares; each bag's greatest score is taken away first, so that no exponential overflows."""
        index = self._bag[:, None].expand_as(scores)
        least = scores.new_full((len(self._sizes), scores.shape[1]), -torch.inf)
        top = least.scatter_reduce(0, index, scores.detach(), "amax")
        weights = torch.exp(scores - top[self._bag])
        totals = weights.new_zeros(top.shape).index_add(0, self._bag, weights)
        return weights / totals[self._bag]

    def weighted(self, shares: Tensor, values: Tensor) -> Tensor:
        """Return weighted sums: a product of matrices a bag, which makes no T x A x E copy."""
        parts = zip(torch.split(shares, self._lengths), torch.split(values, self._lengths), strict=True)
        return torch.stack([share.T @ rows for share, rows in parts])

    def greatest(self, values: Tensor) -> Tensor:
        """Return the greatest values; the gradient goes to the first row that has one."""
        return torch.stack([rows.max(dim=0).values for rows in torch.split(values, self._lengths)])

    def per_row(self, values: Tensor) -> Tensor:
        """Return each bag's row for each of its rows."""
        return values[self._bag]

    def even(self, values: Tensor) -> Tensor:
        """Return equal shares."""
        return (1 / self._sizes.to(values.dtype))[self._bag, None]

    def bounds(self, rows: int) -> list[tuple[int, int]]:
        """Return first and last-but-one row of each bag."""
        edges = self._starts.tolist()
        return list(itertools.pairwise(edges))

    def with_token(self, values: Tensor, token: Tensor) -> tuple[Tensor, PackedBags, Tensor]:
        """Return rows with the token before each bag."""
        count = len(self._sizes)
        starts = self._starts + torch.arange(count + 1, device=values.device)
        places = torch.arange(len(values), device=values.device) + self._bag + 1
        longer = values.new_empty(len(values) + count, values.shape[1])
        longer = longer.index_copy(0, places, values).index_copy(0, starts[:-1], token.expand(count, -1))
        return longer, PackedBags(starts), places


class OneBag:
    """A single bag of any size: plain sums, which are fast in a graph."""

    def softmax(self, scores: Tensor) -> Tensor:
        """Return shares."""
        return torch.softmax(scores, dim=0)

    def weighted(self, shares: Tensor, values: Tensor) -> Tensor:
        """Return weighted sums, 1 x A x E."""
        return (shares.T @ values)[None]

    def greatest(self, values: Tensor) -> Tensor:
        """Return the greatest values, 1 x E."""
        return values.amax(dim=0, keepdim=True)

    def per_row(self, values: Tensor) -> Tensor:
        """Return the bag's row, which fits every row."""
        return values

    def even(self, values: Tensor) -> Tensor:
        """Return equal shares."""
        ones = torch.ones_like(values[:, :1])
        return ones / ones.sum()

    def bounds(self, rows: int) -> list[tuple[int, int]]:
        """Return all rows."""
        return [(0, rows)]

    def with_token(self, values: Tensor, token: Tensor) -> tuple[Tensor, OneBag, Tensor]:
        """Return rows with the token before them."""
        places = torch.arange(1, values.shape[0] + 1, device=values.device)
        return torch.cat([token[None], values]), self, places
