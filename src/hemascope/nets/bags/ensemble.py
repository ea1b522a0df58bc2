"""The members of an ensemble as one network of one bag, which becomes one graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hemascope.nets.bags.net import BagNet


class EnsembleOutput(NamedTuple):
    """What M members say of one bag of N cells.

    Attributes
    ----------
    logits
        M x O.
    attention
        M x N x A.
    embedding
        M x E.
    """

    logits: Tensor
    attention: Tensor
    embedding: Tensor


class BagEnsembleNet(nn.Module):
    """Members of one recipe, each asked the same.

    Parameters
    ----------
    members
        One or more, of equal shapes.
    """

    def __init__(self, members: Sequence[BagNet]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, cells: Tensor) -> EnsembleOutput:
        """Return what each member says of one bag N x D."""
        answers = [member(cells) for member in self.members]
        return EnsembleOutput(
            torch.cat([answer.logits for answer in answers]),
            torch.stack([answer.attention for answer in answers]),
            torch.cat([answer.embedding for answer in answers]),
        )
