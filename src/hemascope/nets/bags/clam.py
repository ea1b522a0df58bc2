"""Attention with a clustering of cells beside it, after Lu et al. 2021 (CLAM); written from the paper's formulas."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hemascope.nets.bags.by_output import HeadPerColumn
from hemascope.nets.bags.gated_attention import GatedScores
from hemascope.nets.bags.net import BagNet, BagOutput, Plan, entry
from hemascope.nets.bags.pooling import OneBag, PackedBags, Pooling

CLUSTER_CELLS = 8
"""Most and least attended cells of a bag that an output's clustering learns from; fewer in a bag of less than 16."""


class ClusteredAttention(BagNet):
    """A gated attention for each output on a shared gate, and in training a second loss on the cells themselves.

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
        self.scores = GatedScores(length, recipe.attention_width, outputs)
        self.dropout = nn.Dropout(recipe.dropout)
        self.head = HeadPerColumn(outputs, length, recipe.head_width, recipe.dropout)
        self.clusters = nn.Linear(length, 2 * outputs)

    def pool(self, cells: Tensor, bags: Pooling) -> BagOutput:
        """Return the outputs; the embedding is the mean of the outputs' attended means."""
        return self._answer(self.entry(cells), bags)

    def instance_loss(self, cells: Tensor, starts: Tensor, truth: Tensor) -> Tensor:
        """Return the loss of the clustering, to be added to that of the bags; the paper gives it 0.3 of the whole.

        The cells that an output attends to most are taken to show it in a bag that has it and not to show it in a bag
        that has not; those attended to least are taken not to show it. For the paper's smooth hinge stands a
        cross-entropy.

        Parameters
        ----------
        cells, starts
            As in ``forward``.
        truth
            B x O: 1 where an output is true of a bag, 0 where not, NaN where nothing is known or it is a number.

        Returns
        -------
        The mean over what is known; 0 where nothing is.
        """
        vectors, bags = self.entry(cells), PackedBags(starts)
        losses = []
        for part, known in zip(bags.split(vectors), truth, strict=True):
            shares = OneBag().softmax(self.scores(part.detach()))
            count = max(min(CLUSTER_CELLS, len(part) // 2), 1)
            chosen = torch.cat([shares.topk(count, 0).indices, shares.topk(count, 0, largest=False).indices])
            weight, bias = self.clusters.weight.view(-1, 2, part.shape[1]), self.clusters.bias.view(-1, 2)
            logits = torch.einsum("koe,oce->koc", part[chosen], weight) + bias
            shown = torch.zeros_like(chosen)
            shown[:count] = torch.nan_to_num(known).long()
            loss = F.cross_entropy(logits.flatten(0, 1), shown.flatten(), reduction="none").view(shown.shape)
            losses.append(loss[:, ~known.isnan()].flatten())
        every = torch.cat(losses)
        return every.mean() if len(every) else vectors.sum() * 0

    def _answer(self, vectors: Tensor, bags: Pooling) -> BagOutput:
        shares = bags.softmax(self.scores(vectors))
        seen = bags.weighted(shares, vectors)
        return BagOutput(self.head(self.dropout(seen)), shares, seen.mean(dim=1))
