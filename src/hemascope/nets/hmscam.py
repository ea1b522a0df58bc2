"""HMSCAM: ResNet50 with multi-scale channel attention, contextual spatial attention and dynamic recalibration.

Reconstructed from the published description; what that leaves open is chosen here and said in docs/hmscam.md. For
feature maps F of N x C x h x w, C = 2048:

- MSCA: s = mean of F over positions; Mc = sigmoid(MLP16(s) + MLP32(s)); its branch is Mc * F.
- CSA: Z = F + W softmax(theta(F)' phi(F)) g(F), a non-local block; Ms = sigmoid(sum over k = 3, 5, 7 of
  conv_k([mean; max over channels of Z])); its branch is Ms * Z.
- DAR: (a, b) = softmax(MLP(mean of F)); the output is F + a * channel branch + b * spatial branch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hemascope.nets.resnet import WIDTH, ResNet50

REDUCTIONS = (16, 32)
"""Of the two parallel perceptrons of the channel attention."""

KERNELS = (3, 5, 7)
"""Of the multi-scale spatial attention."""

GATE_HIDDEN = 256
"""Hidden units of the recalibration."""

Pooling = Literal["mean", "mean_max"]


class ChannelAttention(nn.Module):
    """MSCA: N x C x h x w to N x C x 1 x 1 weights in 0..1.

    Parameters of C = 2048: C * 128 + 128 + 128 * C + C = 526,464 and C * 64 + 64 + 64 * C + C = 264,256.

    Parameters
    ----------
    channels
        C.
    pooling
        ``mean`` as reconstructed; ``mean_max`` adds the perceptrons' answers to the maximum over positions.
    """

    def __init__(self, channels: int, pooling: Pooling = "mean") -> None:
        super().__init__()
        self.pooling = pooling
        self.scales = nn.ModuleList(
            nn.Sequential(nn.Linear(channels, channels // r), nn.ReLU(), nn.Linear(channels // r, channels))
            for r in REDUCTIONS
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return the weights of the channels."""
        pooled = [maps.mean(dim=(2, 3))]
        if self.pooling == "mean_max":
            pooled.append(maps.amax(dim=(2, 3)))
        logits = torch.stack([scale(s) for scale in self.scales for s in pooled]).sum(dim=0)
        return torch.sigmoid(logits)[:, :, None, None]


class NonLocalBlock(nn.Module):
    """Z = x + W softmax(theta(x)' phi(x)) g(x) at full width; N x C x h x w in and out.

    Wang X, Girshick R, Gupta A, He K. Non-local neural networks. CVPR 2018. W starts at zero: an identity.
    Parameters of C = 2048: 4 * (C * C + C) = 16,785,408. Products of theta and phi are divided by the root of C, so
    that the softmax does not start saturated.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.theta = nn.Conv2d(channels, channels, 1)
        self.phi = nn.Conv2d(channels, channels, 1)
        self.g = nn.Conv2d(channels, channels, 1)
        self.w = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.w.weight)
        nn.init.zeros_(self.w.bias) if self.w.bias is not None else None

    def affinity(self, x: Tensor) -> Tensor:
        """Return N x hw x hw weights: row i says where position i looks; rows sum to 1."""
        theta, phi = self.theta(x).flatten(2), self.phi(x).flatten(2)
        products = torch.einsum("nci,ncj->nij", theta, phi).float() / x.shape[1] ** 0.5
        weights: Tensor = products.softmax(dim=2)
        return weights

    def forward(self, x: Tensor) -> Tensor:
        """Return the maps with context."""
        y = torch.einsum("nij,ncj->nci", self.affinity(x).to(x.dtype), self.g(x).flatten(2))
        out: Tensor = x + self.w(y.reshape(x.shape))
        return out


class SpatialAttention(nn.Module):
    """Multi-scale spatial attention: N x C x h x w to N x 1 x h x w weights in 0..1.

    Parameters: sum over k of 2 * k * k + 1 = 19 + 51 + 99 = 169.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scales = nn.ModuleList(nn.Conv2d(2, 1, k, padding=k // 2) for k in KERNELS)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the weights of the positions."""
        both = torch.cat([maps.mean(dim=1, keepdim=True), maps.amax(dim=1, keepdim=True)], dim=1)
        return torch.sigmoid(torch.stack([scale(both) for scale in self.scales]).sum(dim=0))


class Gates(nn.Module):
    """DAR: N x C x h x w to N x 2 weights of the branches, which sum to 1.

    Parameters of C = 2048: C * 256 + 256 + 256 * 2 + 2 = 525,058.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(channels, GATE_HIDDEN), nn.ReLU(), nn.Linear(GATE_HIDDEN, 2))

    def forward(self, maps: Tensor) -> Tensor:
        """Return the weights of the channel branch and the spatial branch."""
        out: Tensor = self.mlp(maps.mean(dim=(2, 3))).float().softmax(dim=1)
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Attention:
    """What the modules attended to; a part that is switched off is None.

    Attributes
    ----------
    channel
        N x C, 0..1.
    spatial
        N x h x w, 0..1.
    gates
        N x 2, rows sum to 1.
    maps
        N x C x h x w, recalibrated.
    """

    channel: Tensor | None
    spatial: Tensor | None
    gates: Tensor | None
    maps: Tensor


class AttentionModules(nn.Module):
    """MSCA, CSA and DAR on feature maps, each switchable.

    A branch whose attention is off is left out; without DAR the branches that are there share the weight 1 evenly. DAR
    alone gates two branches without attention: F + a F + b F = 2 F, whatever it learns.

    Parameters
    ----------
    channels
        C.
    msca, csa, dar
        What is there.
    pooling
        Of the channel attention.
    """

    def __init__(
        self, channels: int, *, msca: bool = True, csa: bool = True, dar: bool = True, pooling: Pooling = "mean"
    ) -> None:
        super().__init__()
        self.msca = ChannelAttention(channels, pooling) if msca else None
        self.context = NonLocalBlock(channels) if csa else None
        self.spatial = SpatialAttention() if csa else None
        self.dar = Gates(channels) if dar else None

    def forward(self, maps: Tensor) -> Attention:
        """Return the recalibrated maps and what was attended to."""
        channel = None if self.msca is None else self.msca(maps)
        spatial, seen = None, maps
        if self.context is not None and self.spatial is not None:
            seen = self.context(maps)
            spatial = self.spatial(seen)
        gates = None if self.dar is None else self.dar(maps)
        branches = self._branches(maps, channel, seen, spatial)
        out = maps
        for index, branch in branches:
            share: Tensor | float = 1 / len(branches)
            if gates is not None and len(branches) == 2:
                share = gates[:, index, None, None, None].to(maps.dtype)
            out = out + share * branch
        return Attention(
            None if channel is None else channel[:, :, 0, 0], None if spatial is None else spatial[:, 0], gates, out
        )

    def _branches(
        self, maps: Tensor, channel: Tensor | None, seen: Tensor, spatial: Tensor | None
    ) -> list[tuple[int, Tensor]]:
        """Return the branches that are there, with their place among the gates."""
        if channel is None and spatial is None:
            return [(0, maps), (1, maps)] if self.dar is not None else []
        branches = [] if channel is None else [(0, channel * maps)]
        return branches if spatial is None else [*branches, (1, spatial * seen)]


class Hmscam(nn.Module):
    """Images to logits of one or several heads.

    With everything on and one head of K classes: 23,508,032 of the backbone; 790,720 of MSCA, 16,785,577 of CSA,
    525,058 of DAR and 2048 K + K of the head, which is 18,109,551 for K = 4; 41,617,583 together.

    Parameters
    ----------
    heads
        Classes of each head: (4,) for subtypes, (2,) for benign or malignant, (4, 2) for both on one backbone.
    msca, csa, dar, pooling
        See ``AttentionModules``.
    last_stride, width
        See ``ResNet50``; at less than full width everything above shrinks with the number of channels.
    """

    def __init__(
        self,
        heads: tuple[int, ...] = (4,),
        *,
        msca: bool = True,
        csa: bool = True,
        dar: bool = True,
        pooling: Pooling = "mean",
        last_stride: int = 2,
        width: int = WIDTH,
    ) -> None:
        super().__init__()
        self.backbone = ResNet50(None, last_stride, width)
        channels = self.backbone.channels
        self.attention = AttentionModules(channels, msca=msca, csa=csa, dar=dar, pooling=pooling)
        self.heads = nn.ModuleList(nn.Linear(channels, classes) for classes in heads)

    def attend(self, x: Tensor) -> Attention:
        """Return the recalibrated maps of N x 3 x S x S images and what was attended to."""
        out: Attention = self.attention(self.backbone.features(x))
        return out

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of every head, N x classes each."""
        pooled = torch.flatten(F.adaptive_avg_pool2d(self.attend(x).maps, 1), 1)
        return tuple(head(pooled) for head in self.heads)
