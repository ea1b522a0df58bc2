"""A transformer over the cells of a bag and a class token; no positions, so their order does not matter.

The sizes (entry 768 -> 512 with ReLU, two layers, eight heads of 64, hidden 512, dropout 0.1, head 512 -> 64 ->
classes) are those known of the system that names eight diseases from blood smears. What is not known of it follows
Dosovitskiy et al. 2021: layers that normalize first, GELU between the two maps of a layer, a last normalization before
the head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hemascope.nets.bags.net import BagNet, BagOutput, Plan, entry, head
from hemascope.nets.bags.pooling import Pooling

HEAD_LENGTH = 64
"""Numbers of a query, key or value in one head."""

MANY_ROWS = 2048
"""Up to so many, all shares of a bag are held at once where that is faster."""


class Attention(nn.Module):
    """Queries, keys and values of normalized rows, and what leads back to the rows.

    Parameters
    ----------
    length
        E of a row.
    heads
        Of the attention, ``HEAD_LENGTH`` numbers each.
    dropout
        Of what leads back.
    """

    def __init__(self, length: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(length)
        self.into = nn.Linear(length, 3 * heads * HEAD_LENGTH, bias=False)
        self.back = nn.Sequential(nn.Linear(heads * HEAD_LENGTH, length), nn.Dropout(dropout))

    def among_all(self, rows: Tensor, bags: Pooling) -> Tensor:
        """Return what every row learns from all rows of its bag, T x E."""
        gathered = [self._within(part) for part in bags.split(self.into(self.norm(rows)))]
        told: Tensor = self.back(torch.cat(gathered) if len(gathered) > 1 else gathered[0])
        return told

    def of_first(self, rows: Tensor, bags: Pooling) -> tuple[Tensor, Tensor]:
        """Return what the first row of each bag learns, B x E, and its T x H shares of the rows.

        Keys and values are never made: the query is led back through the keys' map, a bag's rows are summed before the
        values' map. That is the same number at a fraction of the products.
        """
        rows = self.norm(rows)
        query, key, value = self.into.weight.view(3, self.heads, HEAD_LENGTH, -1)
        asked = torch.einsum("be,hde->bhd", bags.first(rows), query)
        keys = torch.einsum("bhd,hde->bhe", asked, key) / HEAD_LENGTH**0.5
        shares = bags.softmax(bags.products(rows, keys))
        told = torch.einsum("bhe,hde->bhd", bags.weighted(shares, rows), value)
        return self.back(told.flatten(1)), shares

    def _within(self, mapped: Tensor) -> Tensor:
        query, key, value = mapped.view(mapped.shape[0], 3, self.heads, HEAD_LENGTH).permute(1, 2, 0, 3)
        return _attend(query, key, value).transpose(0, 1).flatten(1)


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return H x N x d answers for queries, keys and values of that shape."""
    if torch.compiler.is_exporting():
        # Head by head: a runtime holds the N x N shares of one head and not of all, and is no slower.
        parts = zip(query.unbind(), key.unbind(), value.unbind(), strict=True)
        return torch.stack([torch.softmax(q / HEAD_LENGTH**0.5 @ k.T, dim=-1) @ v for q, k, v in parts])
    if query.dtype is torch.bfloat16 and query.device.type == "cpu" and query.shape[1] <= MANY_ROWS:
        # Half the time of torch's own there, which is made for more rows than fit at once.
        shares = torch.softmax(query / HEAD_LENGTH**0.5 @ key.transpose(1, 2), dim=-1)
        return shares.to(value.dtype) @ value
    return F.scaled_dot_product_attention(query[None], key[None], value[None])[0]


class Layer(nn.Module):
    """Attention and two maps, each added to what was there.

    Parameters
    ----------
    length, heads, dropout
        As in ``Attention``; the maps have ``length`` hidden units.
    """

    def __init__(self, length: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(length, heads, dropout)
        self.maps = nn.Sequential(
            nn.LayerNorm(length),
            nn.Linear(length, length),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(length, length),
            nn.Dropout(dropout),
        )

    def forward(self, rows: Tensor, bags: Pooling) -> Tensor:
        """Return T x E rows."""
        rows = rows + self.attention.among_all(rows, bags)
        changed: Tensor = rows + self.maps(rows)
        return changed

    def of_first(self, rows: Tensor, bags: Pooling) -> tuple[Tensor, Tensor]:
        """Return the first row of each bag alone, B x E, and its T x H shares."""
        told, shares = self.attention.of_first(rows, bags)
        first = bags.first(rows) + told
        return first + self.maps(first), shares


class Transformer(BagNet):
    """Cells and a class token through layers of attention; the token answers.

    Parameters
    ----------
    recipe
        Widths, depth, heads, dropout.
    dimension
        D of a cell.
    outputs
        O.
    """

    def __init__(self, recipe: Plan, dimension: int, outputs: int) -> None:
        super().__init__()
        self.entry, length = entry(dimension, recipe.width, 0.0)
        self.token = nn.Parameter(torch.randn(length) * 0.02)
        self.layers = nn.ModuleList(Layer(length, recipe.heads, recipe.dropout) for _ in range(recipe.depth - 1))
        self.last = Layer(length, recipe.heads, recipe.dropout)
        self.norm = nn.LayerNorm(length)
        self.head = head(length, recipe.head_width, outputs, recipe.dropout)

    def pool(self, cells: Tensor, bags: Pooling) -> BagOutput:
        """Return the outputs.

        The embedding is the token after the last normalization. The attention is the token's, in the last layer, to the
        cells without itself: the mean over the heads, made to sum to 1.
        """
        rows, bags_with_token = bags.with_token(self.entry(cells), self.token)
        for layer in self.layers:
            rows = layer(rows, bags_with_token)
        first, shares = self.last.of_first(rows, bags_with_token)
        embedding = self.norm(first)
        to_cells = bags.shares(bags_with_token.rest(shares).mean(dim=1, keepdim=True))
        return BagOutput(self.head(embedding), to_cells, embedding)
