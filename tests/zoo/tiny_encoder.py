"""A model folder with a transformer of two blocks and seeded values."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from hemascope.zoo.card import ModelCard, Origin
from hemascope.zoo.registry import encoder_entry

SIDE = 56


def write_tiny_encoder(folder: Path) -> ModelCard:
    """Write the folder and return its card."""
    from hemascope.train.ship_published import Packing, pack_published

    entry = replace(encoder_entry("dinobloom_s"), dimension=32, crop_px=SIDE, architecture="32x2x2/14")
    origin = Origin(
        name="dinobloom_s", url="", file="", revision="seed 0", sha256="", verified=False, terms="seeded values"
    )
    return pack_published(folder, Packing(entry, tiny_network(), origin, "test"))


def tiny_network() -> Any:
    """Return the network in evaluation mode."""
    from hemascope.nets.vit import VitSize
    from hemascope.train.seeded_weights import seeded_transformer

    return seeded_transformer(VitSize(32, 2, 2, image_px=SIDE), seed=0)
