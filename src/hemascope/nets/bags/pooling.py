"""Shares and sums within bags: of many packed bags in training, of one bag in a graph; the same numbers either way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

import torch
from torch import Tensor

_LEAST = 1e-18
"""Of every amount, so that their sum is never 0. A limit and no addend: an exporter drops so small an addend."""


class Pooling(Protocol):
    """What an aggregator may ask of the B bags that its T rows belong to."""

    def split(self, values: Tensor) -> Sequence[Tensor]:
        """Return the rows of each bag."""
        ...

    def per_row(self, values: Tensor) -> Tensor:
        """Return for each row what B rows say of its bag; it fits T rows."""
        ...

    def softmax(self, scores: Tensor) -> Tensor:
        """Return T x A shares for T x A scores: each column sums to 1 in each bag."""
        ...

    def shares(self, amounts: Tensor) -> Tensor:
        """Return T x A shares for T x A amounts of 0 or more; equal ones in a bag where all are 0."""
        ...

    def weighted(self, shares: Tensor, values: Tensor) -> Tensor:
        """Return B x A x E sums of T x E values, weighted by T x A shares."""
        ...

    def products(self, values: Tensor, keys: Tensor) -> Tensor:
        """Return the T x A inner products of T x E values with the B x A x E keys of their bags."""
        ...

    def greatest(self, values: Tensor) -> Tensor:
        """Return the B x E greatest values of each bag."""
        ...

    def with_token(self, values: Tensor, token: Tensor) -> tuple[Tensor, Self]:
        """Return T + B rows, a token of E numbers before each bag, and their bags."""
        ...

    def first(self, values: Tensor) -> Tensor:
        """Return the first row of each bag."""
        ...

    def rest(self, values: Tensor) -> Tensor:
        """Return all rows but the first of each bag."""
        ...


class PackedBags:
    """Many bags, the rows of one after those of the other; a ``Pooling``.

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

    def split(self, values: Tensor) -> Sequence[Tensor]:
        """Return the rows of each bag."""
        return torch.split(values, self._lengths)

    def per_row(self, values: Tensor) -> Tensor:
        """Return the row of its bag for each row."""
        return values[self._bag]

    def softmax(self, scores: Tensor) -> Tensor:
        """Return shares; each bag's greatest score is taken away first, so that no exponential overflows."""
        scores = _single(scores)
        index = self._bag[:, None].expand_as(scores)
        least = scores.new_full((len(self._sizes), scores.shape[1]), -torch.inf)
        top = least.scatter_reduce(0, index, scores.detach(), "amax")
        weights = torch.exp(scores - top[self._bag])
        return weights / self._totals(weights)[self._bag]

    def shares(self, amounts: Tensor) -> Tensor:
        """Return shares in proportion."""
        raised = _single(amounts).clamp_min(_LEAST)
        return raised / self._totals(raised)[self._bag]

    def weighted(self, shares: Tensor, values: Tensor) -> Tensor:
        """Return weighted sums: a product of matrices a bag, which makes no copy of the values."""
        parts = zip(self.split(shares), self.split(values), strict=True)
        return torch.stack([share.T @ rows for share, rows in parts])

    def products(self, values: Tensor, keys: Tensor) -> Tensor:
        """Return inner products."""
        parts = zip(self.split(values), keys.unbind(), strict=True)
        return torch.cat([rows @ key.T for rows, key in parts])

    def greatest(self, values: Tensor) -> Tensor:
        """Return the greatest values; the gradient goes to one row that has them."""
        return torch.stack([rows.max(dim=0).values for rows in self.split(values)])

    def with_token(self, values: Tensor, token: Tensor) -> tuple[Tensor, PackedBags]:
        """Return rows with the token before each bag."""
        parts = [part for rows in self.split(values) for part in (token[None], rows)]
        return torch.cat(parts), PackedBags(self._starts + torch.arange(len(self._starts), device=values.device))

    def first(self, values: Tensor) -> Tensor:
        """Return first rows."""
        return values[self._starts[:-1]]

    def rest(self, values: Tensor) -> Tensor:
        """Return other rows."""
        return torch.cat([rows[1:] for rows in self.split(values)])

    def _totals(self, values: Tensor) -> Tensor:
        return values.new_zeros(len(self._sizes), values.shape[1]).index_add(0, self._bag, values)


class OneBag:
    """A single bag of any size: plain sums, which are fast in a graph; a ``Pooling``."""

    def split(self, values: Tensor) -> Sequence[Tensor]:
        """Return all rows."""
        return [values]

    def per_row(self, values: Tensor) -> Tensor:
        """Return the bag's row, which is broadcast."""
        return values

    def softmax(self, scores: Tensor) -> Tensor:
        """Return shares."""
        return torch.softmax(_single(scores), dim=0)

    def shares(self, amounts: Tensor) -> Tensor:
        """Return shares in proportion."""
        raised = _single(amounts).clamp_min(_LEAST)
        return raised / raised.sum(dim=0, keepdim=True)

    def weighted(self, shares: Tensor, values: Tensor) -> Tensor:
        """Return weighted sums."""
        return (shares.T @ values)[None]

    def products(self, values: Tensor, keys: Tensor) -> Tensor:
        """Return inner products."""
        return values @ keys[0].T

    def greatest(self, values: Tensor) -> Tensor:
        """Return the greatest values."""
        return values.amax(dim=0, keepdim=True)

    def with_token(self, values: Tensor, token: Tensor) -> tuple[Tensor, OneBag]:
        """Return rows with the token before them."""
        return torch.cat([token[None], values]), self

    def first(self, values: Tensor) -> Tensor:
        """Return the first row."""
        return values[:1]

    def rest(self, values: Tensor) -> Tensor:
        """Return the other rows."""
        return values[1:]


def _single(values: Tensor) -> Tensor:
    """Return values in single precision or better: shares of many cells do not sum to 1 in half precision."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
