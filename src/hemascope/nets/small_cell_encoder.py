"""An encoder of small gray pictures of cells, cheap enough to be trained together with what decides on patients."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SmallCellEncoder(nn.Module):
    """Three convolutions, then the greatest and the mean value of each channel.

    The greatest value keeps a spot of a few pixels, wherever it lies; the mean keeps what is common to the cell.

    Parameters
    ----------
    width
        Channels of the first layer; the second has 2 and the third 4 times as many.
    channels
        Of a picture.
    """

    def __init__(self, width: int, channels: int = 1) -> None:
        super().__init__()
        self.length = 8 * width
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(2 * width, 4 * width, 3, padding=1, bias=False),
            nn.BatchNorm2d(4 * width),
            nn.ReLU(),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Return T x 8 ``width`` numbers for T x C x H x W pictures; H and W are 4 or more."""
        maps = self.layers(pictures)
        return torch.cat([maps.amax((2, 3)), maps.mean((2, 3))], dim=1)


class NumberEncoder(nn.Module):
    """One hidden layer, for cells that come as numbers.

    Parameters
    ----------
    dimension
        D of a cell.
    width
        Hidden units.
    """

    def __init__(self, dimension: int, width: int) -> None:
        super().__init__()
        self.length = width
        self.layers = nn.Sequential(nn.Linear(dimension, width), nn.ReLU())

    def forward(self, numbers: Tensor) -> Tensor:
        """Return T x ``width`` numbers for T x D."""
        vectors: Tensor = self.layers(numbers)
        return vectors
