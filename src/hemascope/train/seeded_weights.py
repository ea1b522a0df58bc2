"""A Vision Transformer with seeded values where published weights cannot be had: right for speed, a stand-in for sense.

Published weights are trained; these are drawn, and drawn so that an embedding depends on its image, without which the
equality of backends says little: at the usual start every query looks at all patches alike, and all crops embed alike.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from hemascope.nets.vit import VisionTransformer, VitSize

ATTENTION_GAIN = 1.5
"""Factor on queries and keys: their products then deviate by about 2, so that attention has favorites. At 2 products
deviate by 4, embeddings are less alike, and every rounding is magnified by as much: see docs/backends.md."""

SCALE_RANGE = (0.1, 1.0)
"""LayerScale of a residual branch, uniform; trained ones are of this order."""

TOKEN_DEVIATION = 0.02
"""Of positions and biases, and of the class token."""


@torch.no_grad()
def seeded_transformer(size: VitSize, seed: int) -> VisionTransformer:
    """Return the network in evaluation mode, the same for the same seed.

    Weights are normal with variance 1 / fan-in (LeCun et al., 1998), so that signals keep their size; see the constants
    of this module for the rest.
    """
    generator = torch.Generator().manual_seed(seed)
    net = VisionTransformer(size)
    for name, value in net.named_parameters():
        if name.endswith(".gamma"):
            value.uniform_(*SCALE_RANGE, generator=generator)
        elif value.ndim in (2, 4) and name != "mask_token":
            value.normal_(std=1 / math.sqrt(value[0].numel()), generator=generator)
        elif not name.startswith("norm") and ".norm" not in name:
            value.normal_(std=TOKEN_DEVIATION, generator=generator)
    for block in net.blocks:
        qkv: nn.Linear = block.attn.qkv  # type: ignore[assignment, union-attr]
        qkv.weight[: 2 * size.dimension] *= ATTENTION_GAIN
    return net.eval()
