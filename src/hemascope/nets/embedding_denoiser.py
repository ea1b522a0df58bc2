"""A small network that learns what Gaussian classes leave unexplained of noised embeddings; torch only."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WAVES = 16
"""Sines and cosines that a time is written in."""


class EmbeddingResidual(nn.Module):
    """Noised samples, times and classes to what is to be added to the Gaussian answer; zero before training.

    Parameters
    ----------
    length
        M of a sample.
    classes
        K.
    width, blocks, dropout
        Hidden units, layers with a skip, and the share of units left out in training.
    """

    def __init__(self, length: int, classes: int, width: int, blocks: int, dropout: float) -> None:
        super().__init__()
        self.entry = nn.Linear(length, width)
        self.norm = nn.LayerNorm(width)
        self.time = nn.Linear(WAVES, width)
        self.kind = nn.Linear(classes, width, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.exit = nn.Linear(width, length)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)

    def forward(self, noised: Tensor, times: Tensor, conditions: Tensor) -> Tensor:
        """Return N x M numbers for N x M noised samples, N times from 0 to 1, and N x K one-hot rows."""
        kind = self.kind(conditions)
        hidden = F.silu(self.norm(self.entry(noised)) + self.time(_waves(times)) + kind)
        for layer in self.layers:
            hidden = hidden + F.silu(layer(self.dropout(hidden) + kind))
        residual: Tensor = self.exit(hidden)
        return residual


def _waves(times: Tensor) -> Tensor:
    half = WAVES // 2
    rates = 2 * math.pi * 4 * torch.exp(-0.7 * torch.arange(half, dtype=torch.float32, device=times.device))
    angles = times[:, None] * rates
    return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)
