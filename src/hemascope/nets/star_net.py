"""The finder's network: one pass gives which cell is centered where, how far it reaches, and what is nucleus."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDE = 2
"""Pixels of the input for each place of the output, along each axis."""

TISSUES = 2
"""Maps of what white cells consist of: the nucleus, and the whole cell."""


class ConvBlock(nn.Module):
    """Two 3 x 3 convolutions, each with batch normalization and ReLU; the first may halve the size."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        out: Tensor = self.layers(x)
        return out


class MergeBlock(nn.Module):
    """Joins a coarser map, doubled in size, with a finer one."""

    def __init__(self, coarse: int, fine: int, channels_out: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(coarse + fine, channels_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        )

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Return the joined map at the finer size."""
        doubled = F.interpolate(coarse, scale_factor=2.0, mode="nearest")
        out: Tensor = self.layers(torch.cat([doubled, fine], dim=1))
        return out


class StarNet(nn.Module):
    """Center heat maps, star-convex radii, and maps of nucleus and whole white cell.

    Star-convex outlines follow Schmidt et al., "Cell detection with star-convex polygons" (MICCAI 2018); centers as
    heat maps follow Zhou et al., "Objects as points" (2019). The code is our own.

    Parameters
    ----------
    kinds
        Number of heat maps.
    rays
        Directions of an outline, at equal angles from +x towards +y.
    widths
        Channels at strides 2, 4, 8, 16, 32.
    """

    def __init__(self, kinds: int = 3, rays: int = 32, widths: tuple[int, ...] = (24, 40, 64, 96, 128)) -> None:
        super().__init__()
        self.kinds, self.rays = kinds, rays
        ins = (3, *widths[:-1])
        self.encoder = nn.ModuleList(ConvBlock(i, o, 2) for i, o in zip(ins, widths, strict=True))
        self.decoder = nn.ModuleList(
            MergeBlock(coarse, fine, fine) for coarse, fine in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        head = 2 * widths[0]
        self.head = nn.Sequential(nn.Conv2d(widths[0], head, 3, 1, 1), nn.ReLU(inplace=True))
        self.heat = nn.Conv2d(head, kinds, 1)
        self.radii = nn.Conv2d(head, rays, 1)
        self.tissue = nn.Conv2d(head, TISSUES, 1)
        nn.init.constant_(self.heat.bias, -4.0)  # type: ignore[arg-type]
        nn.init.constant_(self.radii.bias, 2.7)  # type: ignore[arg-type]
        nn.init.constant_(self.tissue.bias, -2.0)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits of the heat, radii in input pixels, and logits of the tissue.

        All are N x maps x H/2 x W/2; the tissues are the nucleus and the whole white cell.

        Parameters
        ----------
        x
            N x 3 x H x W float network input (``core.optics.absorption``); H and W multiples of 32.
        """
        maps = []
        for block in self.encoder:
            x = block(x)
            maps.append(x)
        y = maps[-1]
        for merge, finer in zip(self.decoder, maps[-2::-1], strict=True):
            y = merge(y, finer)
        y = self.head(y)
        return self.heat(y), torch.exp(self.radii(y).clamp(-2, 6)), self.tissue(y)


class ShippedStarNet(nn.Module):
    """The finder as it answers: heat and tissue as probabilities, and radii."""

    def __init__(self, net: StarNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return heat in 0..1, radii in pixels of the input N x 3 x H x W, and tissue in 0..1."""
        heat, radii, tissue = self.net(x)
        return torch.sigmoid(heat), radii, torch.sigmoid(tissue)
