"""The trained encoder to a model folder: graph, tensors, card."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from hemascope.nets.cell_encoder import CellEncoder
from hemascope.recipes import EncoderTrainingRecipe
from hemascope.train.onnx_export import round_weights
from hemascope.train.optimize import RunLog
from hemascope.train.package import Export, describe_credits, describe_data, new_card, pack_model
from hemascope.zoo.card import ModelCard

STAIN = "Romanowsky"


class ShippedEncoder(nn.Module):
    """The encoder as it answers: embeddings alone."""

    def __init__(self, net: CellEncoder) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Return embeddings N x D for network input N x 3 x S x S."""
        return (self.net.embed(x),)


def encoder_facts(net: CellEncoder, crop_px: int, crop_um: float) -> dict[str, object]:
    """Return what a model card says of an encoder of ours."""
    return {
        "dimension": net.dimension,
        "crop_px": crop_px,
        "crop_um": crop_um,
        "transform": "absorption",
        "stain": STAIN,
    }


def ship_encoder(
    recipe: EncoderTrainingRecipe, root: Path, net: CellEncoder, run: Path, folder: Path, command: str
) -> ModelCard:
    """Write the model folder.

    Parameters
    ----------
    net
        Trained; its large weights are rounded to half precision in place.
    run
        The run folder, whose log holds the figures on validation splits.
    folder
        Where the model goes; an older one is replaced.
    command
        What was run, for the card.
    """
    round_weights(net)
    validations = [row["validation"] for row in RunLog(run).rows() if "validation" in row]
    spec = encoder_facts(net, recipe.crop_px, recipe.crop_um) | {"labels_seen": []}
    card = new_card("embed", recipe, spec=spec, figures=validations[-1], command=command, root=root)
    example = torch.rand(3, 3, recipe.crop_px, recipe.crop_px) * 2
    batch = torch.export.Dim("batch", min=1, max=1024)
    return pack_model(folder, Export(ShippedEncoder(net).eval(), example, ("embedding",), {0: batch}), card, _describe)


def _describe(card: ModelCard) -> str:
    """Return the card for readers, in the style of Hugging Face model cards."""
    figures = "\n".join(f"| {name} | {value:.4g} |" for name, value in card.validation.items())
    return f"""---
license: apache-2.0
library_name: hemascope
tags: [hematology, blood-smear, image-feature-extraction]
---

# {card.name} {card.version}

Embeds one cell in a crop of {card.spec["crop_um"]:g} um, {card.spec["crop_px"]} px, into {card.spec["dimension"]}
numbers. Trained without labels (SimCLR). Research use only.

{describe_data(card)}

## On validation splits, after training

| | |
|---|---|
{figures}

{describe_credits(card)}
"""
