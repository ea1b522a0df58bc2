"""AlexNet with the parameter names of torchvision, as a comparison.

Krizhevsky A. One weird trick for parallelizing convolutional neural networks. arXiv:1404.5997, 2014.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTH = 64
"""Channels of the first layer, as published."""

PARAMETERS = 61_100_840
"""At full width with 1000 classes."""


class AlexNet(nn.Module):
    """Images N x 3 x S x S, S at least 63, to logits.

    Parameters
    ----------
    classes
        Outputs; None for the 4096 features before the last layer.
    width
        Channels of the first layer; less than 64 makes every layer narrower in proportion, for reduced runs.
    dropout
        Probability in the two hidden layers, in training only.
    """

    def __init__(self, classes: int | None = 1000, width: int = WIDTH, dropout: float = 0.5) -> None:
        super().__init__()
        a, b, c, d, hidden = (n * width // WIDTH for n in (64, 192, 384, 256, 4096))
        self.features = nn.Sequential(
            nn.Conv2d(3, a, 11, 4, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
            nn.Conv2d(a, b, 5, 1, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
            nn.Conv2d(b, c, 3, 1, 1), nn.ReLU(inplace=True),
            nn.Conv2d(c, d, 3, 1, 1), nn.ReLU(inplace=True),
            nn.Conv2d(d, d, 3, 1, 1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
        )  # fmt: skip
        layers: list[nn.Module] = [
            nn.Dropout(dropout), nn.Linear(d * 36, hidden), nn.ReLU(inplace=True),
            nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU(inplace=True),
        ]  # fmt: skip
        if classes is not None:
            layers.append(nn.Linear(hidden, classes))
        self.classifier = nn.Sequential(*layers)
        self.channels = hidden

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, or the features of a net without its last layer."""
        maps = nn.functional.adaptive_avg_pool2d(self.features(x), 6)
        out: Tensor = self.classifier(torch.flatten(maps, 1))
        return out
