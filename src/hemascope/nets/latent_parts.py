"""Building blocks of latent diffusion, named as in the published weights of Stable Diffusion 1.5.

Written from the papers: He et al. 2016 (residuals), Ho et al. 2020 (time in residual blocks), Rombach et al. 2022
(transformers in the U-Net that look at a condition), Shazeer 2020 (gated linear unit). Attribute names are those of the
published tensors, so that these load strictly.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

TRANSFORMER_EPSILON = 1e-6
"""Of the normalization before attention over positions, in the U-Net as in the autoencoder."""


class ResidualBlock(nn.Module):
    """Two convolutions, each normalized before; the time enters between them.

    Parameters
    ----------
    channels, out_channels
        Of input and output; where they differ, the input goes around by a 1 x 1 convolution.
    groups, epsilon
        Of the normalizations.
    time_width
        Length of the time's embedding; 0 where there is none, as in the autoencoder.
    """

    def __init__(self, channels: int, out_channels: int, groups: int, epsilon: float, time_width: int = 0) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, channels, epsilon)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.time_emb_proj = nn.Linear(time_width, out_channels) if time_width else None
        self.norm2 = nn.GroupNorm(groups, out_channels, epsilon)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(channels, out_channels, 1) if channels != out_channels else None

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """Return N x out_channels x H x W for N x channels x H x W and, where it takes one, a time N x T."""
        inner: Tensor = self.conv1(F.silu(self.norm1(x)))
        if self.time_emb_proj is not None and time is not None:
            inner = inner + self.time_emb_proj(F.silu(time))[:, :, None, None]
        inner = self.conv2(F.silu(self.norm2(inner)))
        return inner + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class Halved(nn.Module):
    """Half as wide and high by a convolution of stride two.

    Parameters
    ----------
    channels
        Of input and output.
    one_sided
        Whether the border is added at the right and at the bottom alone, as the autoencoder's is.
    """

    def __init__(self, channels: int, *, one_sided: bool = False) -> None:
        super().__init__()
        self.one_sided = one_sided
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=0 if one_sided else 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return N x C x ceil(H / 2) x ceil(W / 2); rounded down where the border is one-sided."""
        out: Tensor = self.conv(F.pad(x, (0, 1, 0, 1)) if self.one_sided else x)
        return out


class Doubled(nn.Module):
    """Enlarged by repeating pixels, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Return N x C x ``size``, twice as wide and high where None: 45 halves to 23, which is not undone."""
        height, width = size or (2 * x.shape[-2], 2 * x.shape[-1])
        out: Tensor = self.conv(F.interpolate(x, size=(height, width), mode="nearest"))
        return out


class Attention(nn.Module):
    """Multi-head attention of tokens N x T x D to tokens N x S x C: to themselves, or to a condition.

    Parameters
    ----------
    width
        D, a multiple of ``heads``.
    context_width
        C.
    biased
        Whether queries, keys and values have biases.
    """

    def __init__(self, width: int, context_width: int, heads: int, *, biased: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=biased)
        self.to_k = nn.Linear(context_width, width, bias=biased)
        self.to_v = nn.Linear(context_width, width, bias=biased)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Return attended tokens N x T x D."""
        count, tokens, width = x.shape
        query, key, value = (
            part.reshape(count, -1, self.heads, width // self.heads).transpose(1, 2)
            for part in (self.to_q(x), self.to_k(context), self.to_v(context))
        )
        mixed = F.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.to_out[0](mixed.transpose(1, 2).reshape(count, tokens, width))
        return out


class GatedProjection(nn.Module):
    """A linear layer whose one half gates the other through a GELU."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 2 * inner)

    def forward(self, x: Tensor) -> Tensor:
        """Return gated tokens N x T x inner."""
        value, gate = self.proj(x).chunk(2, dim=-1)
        gated: Tensor = value * F.gelu(gate)
        return gated


class FeedForward(nn.Module):
    """A gated layer four times as wide, and back."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # The published index 1 is the place of a dropout that is never used.
        self.net = nn.ModuleList([GatedProjection(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width)])

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens of the same shape."""
        for layer in self.net:
            x = layer(x)
        return x


class TransformerBlock(nn.Module):
    """Attention of positions to one another, then to the condition, then a layer of units."""

    def __init__(self, width: int, context_width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn1 = Attention(width, width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.attn2 = Attention(width, context_width, heads)
        self.norm3 = nn.LayerNorm(width)
        self.ff = FeedForward(width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Return tokens N x T x D for the same and a condition N x S x C."""
        inner = self.norm1(x)
        x = x + self.attn1(inner, inner)
        x = x + self.attn2(self.norm2(x), context)
        out: Tensor = x + self.ff(self.norm3(x))
        return out


class SpatialTransformer(nn.Module):
    """A transformer block over the positions of a feature map, added to it."""

    def __init__(self, channels: int, context_width: int, heads: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, TRANSFORMER_EPSILON)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(channels, context_width, heads)])
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Return a feature map N x C x H x W for the same and a condition N x S x C'."""
        inner = self.proj_in(self.norm(x))
        tokens = inner.flatten(2).transpose(1, 2)
        tokens = self.transformer_blocks[0](tokens, context)
        out: Tensor = self.proj_out(tokens.transpose(1, 2).reshape(inner.shape))
        return x + out


class PositionAttention(nn.Module):
    """One head of attention over the positions of a feature map, added to it: the middle of the autoencoder."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, channels, TRANSFORMER_EPSILON)
        attention = Attention(channels, channels, 1, biased=True)
        self.to_q, self.to_k, self.to_v, self.to_out = (
            attention.to_q, attention.to_k, attention.to_v, attention.to_out,
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Return a feature map of the same shape."""
        tokens = self.group_norm(x).flatten(2).transpose(1, 2)
        mixed = F.scaled_dot_product_attention(self.to_q(tokens), self.to_k(tokens), self.to_v(tokens))
        out: Tensor = self.to_out[0](mixed).transpose(1, 2).reshape(x.shape)
        return x + out
