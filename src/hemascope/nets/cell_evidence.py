"""Encoder, gated attention and evidence of single cells in one network: a patient from pictures of cells."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hemascope.nets.bags.gated_attention import GatedScores
from hemascope.nets.bags.pooling import PackedBags
from hemascope.nets.small_cell_encoder import NumberEncoder, SmallCellEncoder


class EvidenceOutput(NamedTuple):
    """What is said of B bags with T cells in all.

    Attributes
    ----------
    attended
        B logits of the attended mean of the cells.
    top
        B logits: the mean of each bag's greatest evidences.
    attention
        T shares of gated attention, which sum to 1 in each bag.
    evidence
        T logits, of each cell by itself.
    """

    attended: Tensor
    top: Tensor
    attention: Tensor
    evidence: Tensor


class CellEvidence(nn.Module):
    """Two answers on one encoder: gated attention (Ilse et al. 2018), and the cells that say most.

    Attention must set cells against each other and is a share; the evidence of a cell does not depend on its bag.

    Parameters
    ----------
    encoder
        What makes vectors of cells.
    attention_width
        Hidden units of the gate.
    top
        Cells of a bag whose evidence is averaged; all where it has fewer.
    dropout
        Share of a vector's numbers left out in training.
    """

    def __init__(
        self, encoder: SmallCellEncoder | NumberEncoder, attention_width: int, top: int, dropout: float
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.scores = GatedScores(encoder.length, attention_width)
        self.head = nn.Linear(encoder.length, 1)
        self.evidence = nn.Linear(encoder.length, 1)
        self._top = top

    def forward(self, cells: Tensor, starts: Tensor) -> EvidenceOutput:
        """Return the outputs of packed bags: cells T x ..., as the encoder takes them; starts B + 1 int64 rows."""
        bags = PackedBags(starts)
        vectors = self.dropout(self.encoder(cells))
        shares = bags.softmax(self.scores(vectors))
        attended = self.head(bags.weighted(shares, vectors)[:, 0])[:, 0]
        evidence = self.evidence(vectors)[:, 0]
        top = [part.topk(min(self._top, len(part))).values.mean() for part in bags.split(evidence)]
        return EvidenceOutput(attended, torch.stack(top), shares[:, 0], evidence)
