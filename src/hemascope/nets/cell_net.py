"""The cell classifier's network: a small residual network that returns logits and an embedding."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with a skip; N x C x H x W in and out.

    Parameters
    ----------
    channels_in, channels_out
        Width before and after.
    stride
        1 keeps the size, 2 halves it.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels_out)
        self.second = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels_out)
        self.act = nn.ReLU(inplace=True)
        self.skip: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.skip = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        y = self.act(self.first_norm(self.first(x)))
        y = self.second_norm(self.second(y))
        out: Tensor = self.act(y + self.skip(x))
        return out


class CellNet(nn.Module):
    """Crops to logits and embedding.

    Parameters
    ----------
    classes
        Number of outputs.
    widths
        Channels of the stages; each but the first halves the size. The last is the embedding's length.
    blocks
        Residual blocks a stage.
    dropout
        Probability on the embedding, in training only.
    """

    def __init__(
        self,
        classes: int,
        widths: tuple[int, ...] = (24, 48, 96, 192),
        blocks: tuple[int, ...] = (1, 2, 2, 2),
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)
        )
        stages: list[nn.Module] = []
        previous = widths[0]
        for index, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            for block in range(count):
                stride = 2 if index > 0 and block == 0 else 1
                stages.append(ResidualBlock(previous, width, stride))
                previous = width
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(previous, classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits N x classes and embedding N x widths[-1].

        Parameters
        ----------
        x
            N x 3 x S x S float, background-normalized crops (see ``core.optics``).
        """
        y = self.stages(self.stem(x))
        embedding = torch.flatten(nn.functional.adaptive_avg_pool2d(y, 1), 1)
        return self.head(self.dropout(embedding)), embedding
