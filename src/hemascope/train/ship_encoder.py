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
    """Write the model folder of an encoder that was trained without labels.

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
    return pack_encoder(net, card, folder)


def ship_bare_encoder(classifier: ModelCard, name: str, net: CellEncoder, folder: Path) -> ModelCard:
    """Write the encoder inside a classifier as a model of its own, without the head.

    Parameters
    ----------
    classifier
        Card of the classifier, which tells how the weights came to be.
    name
        Of the encoder.
    net
        Trained, its large weights rounded.
    folder
        Where the model goes; an older one is replaced.
    """
    names = ("dimension", "crop_px", "crop_um", "transform", "stain")
    spec = {key: classifier.spec[key] for key in names} | {"labels_seen": sorted(classifier.training.data)}
    card = classifier.model_copy(update={"task": "embed", "name": name, "spec": spec, "validation": {}, "files": {}})
    return pack_encoder(net, card, folder)


def pack_encoder(net: CellEncoder, card: ModelCard, folder: Path) -> ModelCard:
    """Write graph, tensors and card of an encoder; return the card as written."""
    side = int(card.spec["crop_px"])
    batch = torch.export.Dim("batch", min=1, max=1024)
    graph = Export(ShippedEncoder(net).eval(), torch.rand(3, 3, side, side) * 2, ("embedding",), {0: batch})
    return pack_model(folder, graph, card, _describe)


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
numbers, {_teaching(card)}. Research use only.

**Not for**: diagnosis; figures from few labels, of types left out or of unseen laboratories where it has seen them
(docs/encoders.md); stains other than Romanowsky.

{describe_data(card)}

## On validation splits, after training

| | |
|---|---|
{figures}

{describe_credits(card)}
"""


def _teaching(card: ModelCard) -> str:
    seen = ", ".join(card.spec["labels_seen"])
    return f"trained on the labels of {seen}" if seen else "trained without labels (SimCLR)"
