"""The Vision Transformer of DINOv2, in the layout of its published weights; DinoBloom and RedDino share it.

Written from the papers: Dosovitskiy et al. 2021 (transformer on patches), Touvron et al. 2021 (scaled residuals),
Shazeer 2020 (gated linear unit), Oquab et al. 2024 (sizes). No registers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NORM_EPSILON = 1e-6
START_SCALE = 1e-5
"""Of a residual branch before training."""


@dataclass(frozen=True, slots=True)
class VitSize:
    """Size of a Vision Transformer.

    Attributes
    ----------
    dimension
        Width of a token and length of the embedding; a multiple of ``heads``.
    depth
        Number of blocks.
    heads
        Attention heads of a block.
    gated
        Whether the blocks hold a gated linear unit instead of two layers.
    image_px, patch_px
        Sides of the input and of a patch in pixels.

    Raises
    ------
    ValueError
        If heads do not divide the width, or patches the image.
    """

    dimension: int
    depth: int
    heads: int
    gated: bool = False
    image_px: int = 224
    patch_px: int = 14

    def __post_init__(self) -> None:
        if self.dimension % self.heads or self.image_px % self.patch_px:
            raise ValueError(f"{self.heads} heads must divide {self.dimension}, {self.patch_px} px {self.image_px} px")

    @classmethod
    def parse(cls, text: str) -> VitSize:
        """Return the size that ``DIMENSIONxDEPTHxHEADS/PATCH`` names, ``gated`` before it for a gated one.

        Raises
        ------
        ValueError
            If the text is no such size.
        """
        found = re.fullmatch(r"(gated )?(\d+)x(\d+)x(\d+)/(\d+)", text)
        if found is None:
            raise ValueError(f"'{text}' is no size such as 384x12x6/14")
        dimension, depth, heads, patch = map(int, found.groups()[1:])
        return cls(dimension, depth, heads, gated=bool(found[1]), patch_px=patch)

    def __str__(self) -> str:
        return f"{'gated ' * self.gated}{self.dimension}x{self.depth}x{self.heads}/{self.patch_px}"

    @property
    def tokens(self) -> int:
        """Patches and the class token."""
        return (self.image_px // self.patch_px) ** 2 + 1


VIT_SIZES: dict[str, VitSize] = {
    "s": VitSize(384, 12, 6),
    "b": VitSize(768, 12, 12),
    "l": VitSize(1024, 24, 16),
    "g": VitSize(1536, 40, 24, gated=True),
}
"""The four published sizes, of 22, 86, 304 and 1136 million parameters at the 518 px of DINOv2."""


class PatchEmbed(nn.Module):
    """Image N x 3 x S x S to tokens N x patches x D."""

    def __init__(self, size: VitSize) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, size.dimension, size.patch_px, size.patch_px)

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens, row by row."""
        tokens: Tensor = self.proj(x).flatten(2).transpose(1, 2)
        return tokens


class Attention(nn.Module):
    """Multi-head self-attention over tokens N x T x D."""

    def __init__(self, size: VitSize) -> None:
        super().__init__()
        self.heads = size.heads
        self.qkv = nn.Linear(size.dimension, 3 * size.dimension)
        self.proj = nn.Linear(size.dimension, size.dimension)

    def forward(self, x: Tensor) -> Tensor:
        """Return the attended tokens."""
        count, tokens, width = x.shape
        parts = self.qkv(x).reshape(count, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        attended: Tensor = self.proj(mixed.transpose(1, 2).reshape(count, tokens, width))
        return attended


class Mlp(nn.Module):
    """Two layers with a GELU between, four times as wide inside."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dimension, 4 * dimension)
        self.fc2 = nn.Linear(4 * dimension, dimension)

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens of the same shape."""
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class GatedUnit(nn.Module):
    """A SiLU-gated linear unit, inside two thirds of four times as wide, rounded up to a multiple of eight."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        inner = (4 * dimension * 2 // 3 + 7) // 8 * 8
        self.w12 = nn.Linear(dimension, 2 * inner)
        self.w3 = nn.Linear(inner, dimension)

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens of the same shape."""
        gate, value = self.w12(x).chunk(2, dim=-1)
        out: Tensor = self.w3(F.silu(gate) * value)
        return out


class LayerScale(nn.Module):
    """A learned factor for each channel."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dimension,), START_SCALE))

    def forward(self, x: Tensor) -> Tensor:
        """Return scaled tokens."""
        return x * self.gamma


class Block(nn.Module):
    """Attention and a layer of units, each normalized before, scaled after and added."""

    def __init__(self, size: VitSize) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(size.dimension, NORM_EPSILON)
        self.attn = Attention(size)
        self.ls1 = LayerScale(size.dimension)
        self.norm2 = nn.LayerNorm(size.dimension, NORM_EPSILON)
        self.mlp: nn.Module = GatedUnit(size.dimension) if size.gated else Mlp(size.dimension)
        self.ls2 = LayerScale(size.dimension)

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens of the same shape."""
        x = x + self.ls1(self.attn(self.norm1(x)))
        out: Tensor = x + self.ls2(self.mlp(self.norm2(x)))
        return out


class VisionTransformer(nn.Module):
    """Images to the class token after the last normalization.

    Parameters
    ----------
    size
        One of ``VIT_SIZES``, or another.
    """

    def __init__(self, size: VitSize) -> None:
        super().__init__()
        self.size = size
        self.cls_token = nn.Parameter(torch.zeros(1, 1, size.dimension))
        self.pos_embed = nn.Parameter(torch.empty(1, size.tokens, size.dimension).normal_(std=0.02))
        self.mask_token = nn.Parameter(torch.zeros(1, size.dimension))  # of pre-training alone; published files hold it
        self.patch_embed = PatchEmbed(size)
        self.blocks = nn.ModuleList(Block(size) for _ in range(size.depth))
        self.norm = nn.LayerNorm(size.dimension, NORM_EPSILON)

    def tokens(self, x: Tensor) -> Tensor:
        """Return all normalized tokens N x T x D, the class token first, of images as ``forward`` takes them."""
        tokens = torch.cat((self.cls_token.expand(x.shape[0], -1, -1), self.patch_embed(x)), dim=1)
        tokens = tokens + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        out: Tensor = self.norm(tokens)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Return embeddings N x D.

        Parameters
        ----------
        x
            N x 3 x S x S float, normalized by the mean and deviation of ImageNet.
        """
        return self.tokens(x)[:, 0]
