"""The trained denoiser of images to a model folder: graph, tensors, card."""

from __future__ import annotations

from pathlib import Path

import torch

from hemascope.core.taxonomy import CellType
from hemascope.nets.image_denoiser import ImageDenoiser
from hemascope.recipes import DenoiserTrainingRecipe
from hemascope.train.onnx_export import round_weights
from hemascope.train.optimize import RunLog
from hemascope.train.package import Export, describe_credits, describe_data, new_card, pack_model
from hemascope.zoo.card import ModelCard

MASK_UM = 22.0
"""Diameter of the disk inside which errors count: corners hold neighbors, and mirrored ones at an image's edge."""


def ship_denoiser(
    recipe: DenoiserTrainingRecipe, root: Path, net: ImageDenoiser, run: Path, folder: Path, command: str
) -> ModelCard:
    """Write the model folder of a denoiser.

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

    Returns
    -------
    The card.
    """
    round_weights(net)
    spec = {
        "sample": "pixels",
        "classes": [cell_type.value for cell_type in CellType],
        "crop_px": recipe.crop_px,
        "crop_um": recipe.crop_um,
        "schedule": "cosine",
        "prediction": "velocity",
        "mask_um": min(MASK_UM, recipe.crop_um),
    }
    figures = [row["validation"] for row in RunLog(run).rows() if "validation" in row]
    last = figures[-1] if figures else {}
    card = new_card("denoise", recipe, spec=spec, figures=last, command=command, root=root)
    side, batch = recipe.crop_px, torch.export.Dim("batch", min=1, max=4096)
    example = (torch.randn(3, 3, side, side), torch.rand(3), torch.eye(len(CellType))[:3])
    return pack_model(folder, Export(net.eval(), example, ("velocity",), {0: batch}), card, describe_denoiser)


def describe_denoiser(card: ModelCard) -> str:
    """Return the card for readers, in the style of Hugging Face model cards."""
    figures = "\n".join(f"| {name} | {value:.4g} |" for name, value in card.validation.items())
    return f"""---
license: apache-2.0
library_name: hemascope
tags: [hematology, blood-smear, diffusion]
---

# {card.name} {card.version}

Tells the noise in a noised image of one white cell (or platelet), {card.spec["crop_px"]} px of
{card.spec["crop_um"]:g} um, if the cell is of a given type ({", ".join(card.spec["classes"])}).
The type under which it errs least explains the cell best; from noise alone it draws synthetic cells. Research use only.

**Not for**: diagnosis; passing synthetic cells for real ones; stains other than Romanowsky.

{describe_data(card)}

## On validation splits, after training

| | |
|---|---|
{figures}

Accuracy is that of a few trials on few cells; figures on test splits stand in docs/benchmarks.md.

{describe_credits(card)}
"""
