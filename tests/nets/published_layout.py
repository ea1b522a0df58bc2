"""State dicts of the exact published layout with random values, and the same for an independent implementation."""

from __future__ import annotations

import torch
from torch import Tensor

from hemascope.nets.vit import VisionTransformer, VitSize

TINY = VitSize(32, 2, 4)
"""Quick; of the published layout in every other respect."""

TINY_GATED = VitSize(48, 2, 4, gated=True)


def layout(size: VitSize) -> dict[str, tuple[int, ...]]:
    """Return the published layout, written from the files' own names, not from our module."""
    d, inner = size.dimension, 4 * size.dimension
    gated = (inner * 2 // 3 + 7) // 8 * 8
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, d),
        "pos_embed": (1, 257, d),
        "mask_token": (1, d),
        "patch_embed.proj.weight": (d, 3, 14, 14),
        "patch_embed.proj.bias": (d,),
        "norm.weight": (d,),
        "norm.bias": (d,),
    }
    for index in range(size.depth):
        block = {"norm1.weight": (d,), "norm1.bias": (d,), "norm2.weight": (d,), "norm2.bias": (d,)}
        block |= {"attn.qkv.weight": (3 * d, d), "attn.qkv.bias": (3 * d,)}
        block |= {"attn.proj.weight": (d, d), "attn.proj.bias": (d,), "ls1.gamma": (d,), "ls2.gamma": (d,)}
        if size.gated:
            block |= {"mlp.w12.weight": (2 * gated, d), "mlp.w12.bias": (2 * gated,)}
            block |= {"mlp.w3.weight": (d, gated), "mlp.w3.bias": (d,)}
        else:
            block |= {"mlp.fc1.weight": (inner, d), "mlp.fc1.bias": (inner,)}
            block |= {"mlp.fc2.weight": (d, inner), "mlp.fc2.bias": (d,)}
        shapes |= {f"blocks.{index}.{name}": shape for name, shape in block.items()}
    return shapes


def random_state(size: VitSize, seed: int = 0) -> dict[str, Tensor]:
    """Return random values in that layout, large enough that every tensor matters to the answer."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in layout(size).items():
        spread = 0.02 if len(shape) > 1 and name.endswith("weight") else 0.2
        values = torch.randn(shape, generator=generator) * spread
        state[name] = values + 1 if name.endswith(("gamma", "norm.weight", "norm1.weight", "norm2.weight")) else values
    return state


def teacher(state: dict[str, Tensor], heads: bool = True) -> dict[str, dict[str, Tensor]]:
    """Return what a training run of DINOv2 saves of its teacher."""
    saved = {f"backbone.{name}": value for name, value in state.items()}
    if heads:
        saved["dino_head.mlp.0.weight"] = torch.zeros(4, 4)
        saved["ibot_head.last_layer.weight_g"] = torch.ones(4, 1)
    return {"teacher": saved}


def built(size: VitSize, seed: int = 0) -> VisionTransformer:
    """Return our network with random values, in evaluation mode."""
    net = VisionTransformer(size)
    net.load_state_dict(random_state(size, seed), strict=True)
    return net.eval()


def as_transformers(state: dict[str, Tensor], size: VitSize) -> dict[str, Tensor]:
    """Return a published state in the names of ``transformers.Dinov2Model``."""
    plain = {
        "cls_token": "embeddings.cls_token",
        "pos_embed": "embeddings.position_embeddings",
        "mask_token": "embeddings.mask_token",
        "patch_embed.proj": "embeddings.patch_embeddings.projection",
        "norm": "layernorm",
    }
    theirs = {}
    for name, value in state.items():
        stem, _, part = name.rpartition(".")
        if name in plain:
            theirs[plain[name]] = value
        elif stem in plain:
            theirs[f"{plain[stem]}.{part}"] = value
        else:
            theirs |= _block_in_transformers(name, value)
    return theirs


def _block_in_transformers(name: str, value: Tensor) -> dict[str, Tensor]:
    _, index, rest = name.split(".", 2)
    start, part = f"encoder.layer.{index}.", name.rpartition(".")[2]
    if rest.startswith("attn.qkv"):
        thirds = zip("qkv", value.chunk(3), strict=True)
        return {f"{start}attention.{letter}_proj.{part}": third.clone() for letter, third in thirds}
    if rest.startswith("mlp.w12"):
        halves = zip(("gate", "up"), value.chunk(2), strict=True)
        return {f"{start}mlp.{half}_proj.{part}": values.clone() for half, values in halves}
    renamed = {"attn.proj": "attention.o_proj", "mlp.w3": "mlp.down_proj"}
    for ours, other in renamed.items():
        rest = rest.replace(ours, other)
    for number in "12":
        rest = rest.replace(f"ls{number}.gamma", f"layer_scale{number}.lambda1")
    return {start + rest: value}
