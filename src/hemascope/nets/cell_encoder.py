"""The encoder of single cells: a small residual network, made to carry over to laboratories it has not seen.

What differs between laboratories (stain, light, camera) shows in the means and deviations of early feature maps; what
tells types apart does not. So half of the early channels are normalized image by image (IBN-Net: Pan et al., ECCV
2018), and in training their means and deviations are mixed between the images of a batch (MixStyle: Zhou et al., ICLR
2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

MIXED_STAGES = 2
"""Stages before which styles are mixed: later maps carry the type."""


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """Size of the network.

    Attributes
    ----------
    widths
        Channels of the stages; each but the first halves the size. The last is the embedding's length.
    blocks
        Residual blocks a stage.
    stem_stride
        Reduction by the first convolution.
    instance_stages
        Stages, the stem counted first, in which half of the channels are normalized image by image.
    margin_px
        Pixels cut off every side of the input: a crop is normalized and turned with its surroundings, then cut.
    standard_radius_px
        Each crop's optical density is standardized by its own mean and deviation in this disk about its center,
        channel by channel; 0 for plain absorption.
    """

    widths: tuple[int, ...] = (48, 96, 192, 256)
    blocks: tuple[int, ...] = (2, 2, 2, 1)
    stem_stride: int = 4
    instance_stages: int = 4
    margin_px: int = 16
    standard_radius_px: float = 36.0


MIN_TRANSMITTANCE = 1 / 64
"""Darker is noise: the optical density of a black pixel has no limit."""

MIN_DEVIATION = 0.05
"""Of the optical density: an empty crop must not be blown up."""


def paint_surroundings(x: Tensor, radius: Tensor, edge: float) -> Tensor:
    """Return network input of which only a disk about the center is left; around it there is background.

    Parameters
    ----------
    x
        N x 3 x S x S absorption, background 0.
    radius
        Of the disks in pixels, of a shape that broadcasts to N x 1 x S x S.
    edge
        Softness of their edges in pixels.
    """
    down = torch.arange(x.shape[2], dtype=torch.float32) - (x.shape[2] - 1) / 2
    across = torch.arange(x.shape[3], dtype=torch.float32) - (x.shape[3] - 1) / 2
    distance = torch.sqrt(down[:, None].square() + across[None, :].square())
    return x * torch.sigmoid((radius - distance) / edge)


class StandardDensity(nn.Module):
    """Optical density of a crop, standardized by the crop itself: stain and exposure drop out, structure stays.

    Per channel, (OD - mean) / (deviation + ``MIN_DEVIATION``), both taken in a disk about the center, where the cell
    lies; OD = -ln T (Beer-Lambert). Reinhard's color transfer (IEEE CG&A 2001) with the cell as its own reference.

    Parameters
    ----------
    radius
        Of the disk, in pixels.
    """

    def __init__(self, radius: float) -> None:
        super().__init__()
        self.radius = radius

    def forward(self, x: Tensor) -> Tensor:
        """Return standardized density N x 3 x S x S of absorption in 0..2, as ``core.optics.absorption`` makes it."""
        density = -torch.log((1 - x / 2).clamp(min=MIN_TRANSMITTANCE))
        disk = self._disk(x.shape[2], x.shape[3]).to(x.device)
        mean = (density * disk).sum((2, 3), keepdim=True)
        deviation = ((density - mean).square() * disk).sum((2, 3), keepdim=True).sqrt()
        standard: Tensor = (density - mean) / (deviation + MIN_DEVIATION)
        return standard

    def _disk(self, height: int, width: int) -> Tensor:
        """Return weights H x W that sum to 1 inside the disk."""
        y = torch.arange(height, dtype=torch.float32) - (height - 1) / 2
        x = torch.arange(width, dtype=torch.float32) - (width - 1) / 2
        inside = (y[:, None].square() + x[None, :].square() < self.radius**2).float()
        return inside / inside.sum()


class HalfInstanceNorm(nn.Module):
    """Instance normalization of the first half of the channels, batch normalization of the second."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels // 2
        self.instance = nn.InstanceNorm2d(self.channels, affine=True)
        self.batch = nn.BatchNorm2d(channels - self.channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return normalized maps N x C x H x W."""
        return torch.cat([self.instance(x[:, : self.channels]), self.batch(x[:, self.channels :])], dim=1)


def _norm(channels: int, *, by_instance: bool) -> nn.Module:
    return HalfInstanceNorm(channels) if by_instance else nn.BatchNorm2d(channels)


class EncoderBlock(nn.Module):
    """Two 3 x 3 convolutions with a skip; the first may be normalized image by image.

    Parameters
    ----------
    channels_in, channels_out
        Width before and after.
    stride
        1 keeps the size, 2 halves it.
    by_instance
        Whether half of the inner channels are normalized image by image.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, *, by_instance: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.first_norm = _norm(channels_out, by_instance=by_instance)
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


def mix_styles(maps: Tensor, share: float) -> Tensor:
    """Return maps of which about ``share`` carry means and deviations mixed with those of another image.

    Parameters
    ----------
    maps
        N x C x H x W.
    share
        0 to 1; the mixing weight is uniform over 0 to 0.5, and means and deviations get 20% of noise besides.
    """
    mean = maps.mean((2, 3), keepdim=True)
    deviation = (maps.var((2, 3), keepdim=True) + 1e-5).sqrt()
    other = torch.randperm(len(maps))
    chosen = (torch.rand(len(maps), 1, 1, 1) < share).to(maps.dtype)
    weight = 0.5 * torch.rand(len(maps), 1, 1, 1).to(maps.dtype) * chosen
    new_mean = torch.lerp(mean, mean[other], weight) * (1 + 0.2 * chosen * torch.randn_like(mean))
    new_deviation = torch.lerp(deviation, deviation[other], weight) * (1 + 0.2 * chosen * torch.randn_like(deviation))
    return (maps - mean) / deviation * new_deviation + new_mean


class CellEncoder(nn.Module):
    """Crops to logits and embedding.

    Parameters
    ----------
    classes
        Number of outputs of the head.
    shape
        Size of the network.
    dropout
        Probability on the embedding, in training only.
    mixing
        Share of images whose styles are mixed, in training only; 0 for none.
    """

    def __init__(self, classes: int, shape: EncoderShape, dropout: float = 0.2, mixing: float = 0.0) -> None:
        super().__init__()
        self.shape, self.mixing = shape, mixing
        by_instance = [index < shape.instance_stages for index in range(len(shape.widths) + 1)]
        stride, width = shape.stem_stride, shape.widths[0]
        self.look: nn.Module = StandardDensity(shape.standard_radius_px) if shape.standard_radius_px else nn.Identity()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 2 * stride, stride, stride // 2, bias=False),
            _norm(width, by_instance=by_instance[0]),
            nn.ReLU(inplace=True),
        )
        self.stages = nn.ModuleList()
        for index, (width_out, count) in enumerate(zip(shape.widths, shape.blocks, strict=True)):
            blocks: list[nn.Module] = []
            for block in range(count):
                halves = 2 if index > 0 and block == 0 else 1
                blocks.append(EncoderBlock(width, width_out, halves, by_instance=by_instance[index + 1]))
                width = width_out
            self.stages.append(nn.Sequential(*blocks))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, classes)

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return self.shape.widths[-1]

    def embed(self, x: Tensor) -> Tensor:
        """Return N x D embeddings of network input N x 3 x S x S."""
        margin = self.shape.margin_px
        y = self.stem(self.look(x[:, :, margin : x.shape[2] - margin, margin : x.shape[3] - margin]))
        for index, stage in enumerate(self.stages):
            if self.training and self.mixing and index < MIXED_STAGES:
                y = mix_styles(y, self.mixing)
            y = stage(y)
        return torch.flatten(nn.functional.adaptive_avg_pool2d(y, 1), 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits N x classes and embedding N x D.

        Parameters
        ----------
        x
            N x 3 x S x S float, background-normalized crops (see ``core.optics``).
        """
        embedding = self.embed(x)
        return self.head(self.dropout(embedding)), embedding
