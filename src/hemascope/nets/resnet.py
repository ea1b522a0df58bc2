"""ResNet50 with the parameter names of torchvision, so that weights made for that layout load strictly.

He K, Zhang X, Ren S, Sun J. Deep residual learning for image recognition. CVPR 2016. The stride sits in the 3 x 3
convolution of a bottleneck, as in torchvision ("v1.5").
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

FEATURES = 2048
"""Channels of the last stage at full width."""

BACKBONE_PARAMETERS = 23_508_032
"""Of the convolutions and normalizations; ``fc`` for 1000 classes adds 2048 * 1000 + 1000 = 2,049,000."""

WIDTH = 64
"""Channels of the stem, as published."""

_STAGES = ((1, 3, 1), (2, 4, 2), (4, 6, 2), (8, 3, 2))
"""Width of the 3 x 3 convolution over that of the stem, blocks and stride of each stage."""

_EXPANSION = 4


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions with a skip; N x ``channels_in`` to N x 4 ``width``.

    Parameters
    ----------
    channels_in
        Channels of the input.
    width
        Channels of the 3 x 3 convolution.
    stride
        1 keeps the size, 2 halves it.
    """

    def __init__(self, channels_in: int, width: int, stride: int) -> None:
        super().__init__()
        channels_out = width * _EXPANSION
        self.conv1 = nn.Conv2d(channels_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, channels_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels_out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels_in != channels_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        skip = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.relu(y + skip)
        return out


class ResNet50(nn.Module):
    """Images to logits.

    Parameters
    ----------
    classes
        Outputs of ``fc``; None for a backbone without it.
    last_stride
        Of the last stage: 2 as published; 1 gives maps of twice the side, for small inputs. It changes no parameter.
    width
        Channels of the stem; less than 64 makes every layer narrower in proportion, for reduced runs.
    """

    def __init__(self, classes: int | None = 1000, last_stride: int = 2, width: int = WIDTH) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels, stages = width, []
        for index, (factor, blocks, stride) in enumerate(_STAGES):
            inner = factor * width
            first = last_stride if index == len(_STAGES) - 1 else stride
            parts = [Bottleneck(channels, inner, first)]
            channels = inner * _EXPANSION
            parts += [Bottleneck(channels, inner, 1) for _ in range(blocks - 1)]
            stages.append(nn.Sequential(*parts))
        self.channels = channels
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc: nn.Module | None = None if classes is None else nn.Linear(channels, classes)
        _initialize(self)

    def features(self, x: Tensor) -> Tensor:
        """Return the maps of the last stage, N x ``channels`` x S/32 x S/32 (S/16 with ``last_stride`` 1).

        Parameters
        ----------
        x
            N x 3 x S x S float; S at least 32.
        """
        y = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        out: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(y))))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Return logits N x classes, or the pooled features N x ``channels`` of a backbone."""
        pooled = torch.flatten(nn.functional.adaptive_avg_pool2d(self.features(x), 1), 1)
        return pooled if self.fc is None else self.fc(pooled)


def _initialize(net: nn.Module) -> None:
    """Give convolutions the weights of He et al. and start every residual block as the identity.

    Goyal et al. 2017 (zero scale in the last normalization of a block): it trains better from random weights.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, Bottleneck):
            nn.init.zeros_(module.bn3.weight)
