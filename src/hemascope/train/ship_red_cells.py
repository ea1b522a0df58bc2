"""The trained red cell classifier to what ships: temperature, graph, card; and its answers on a fold left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from hemascope.classify.network import softmax
from hemascope.data.folds import Fold
from hemascope.evaluate.red_cell_answers import ANSWERS_FILE, TYPES, RedCellAnswers
from hemascope.nets.cell_net import CellNet
from hemascope.recipes import RedCellTrainingRecipe
from hemascope.stats.temperature import fit_temperature, negative_log_likelihood
from hemascope.train.crop_net import predict
from hemascope.train.onnx_export import round_weights
from hemascope.train.optimize import write_whole
from hemascope.train.package import Export, describe_credits, describe_data, new_card, pack_model
from hemascope.train.red_cells import RedCellCrops, load_red_cells
from hemascope.zoo.card import ModelCard


def ship_red_cells(
    recipe: RedCellTrainingRecipe, root: Path, net: CellNet, folder: Path, command: str, fold: Fold | None = None
) -> ModelCard:
    """Calibrate on validation splits and write the model folder.

    Parameters
    ----------
    net
        Trained; its large weights are rounded to half precision in place.
    folder
        Where the model goes; an older one is replaced.
    command
        What was run, for the card.
    fold
        Whose splits it was trained on; None for those of the sets.

    Returns
    -------
    The card, with the validation figures.
    """
    round_weights(net)
    validation = load_red_cells(recipe, root, "val", fold)
    logits = [predict(net, cells.crops.images).logits for cells in validation]
    told, truth = np.concatenate(logits), np.concatenate([cells.crops.labels for cells in validation])
    temperature = fit_temperature(told, truth)
    figures = {
        f"{cells.crops.name}.accuracy": float((out.argmax(axis=1) == cells.crops.labels).mean())
        for cells, out in zip(validation, logits, strict=True)
    }
    figures["nll_before_calibration"] = negative_log_likelihood(told, truth, 1.0)
    figures["nll_after_calibration"] = negative_log_likelihood(told, truth, temperature)
    spec = {
        "crop_px": recipe.crop_px,
        "crop_um": recipe.crop_um,
        "temperature": temperature,
        "types": [t.value for t in TYPES],
    }
    card = new_card("classify", recipe, spec=spec, figures=figures, command=command, root=root)
    example = torch.rand(3, 3, recipe.crop_px, recipe.crop_px) * 2
    batch = torch.export.Dim("batch", min=1, max=1024)
    graph = Export(net.eval(), example, ("logits", "embedding"), {0: batch})
    return pack_model(folder, graph, card, describe_red_cell_classifier)


def write_answers(
    recipe: RedCellTrainingRecipe, root: Path, net: CellNet, run: Path, fold: Fold, temperature: float
) -> Path:
    """Write what a network says of the cells of the fold left out, at their points; return the file.

    Parameters
    ----------
    net
        Trained on the other parts, rounded as it ships.
    run
        The run folder.
    temperature
        Fitted on the fold's validation split.
    """
    left_out = load_red_cells(recipe, root, "test", fold)
    places = tuple(place for cells in left_out for place in cells.places)
    told = np.concatenate([_told(net, cells, temperature) for cells in left_out])
    write_whole(run / ANSWERS_FILE, RedCellAnswers(recipe.digest(), str(fold), places, told).text())
    return run / ANSWERS_FILE


def _told(net: CellNet, cells: RedCellCrops, temperature: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return softmax(predict(net, cells.crops.images).logits / temperature)


def describe_red_cell_classifier(card: ModelCard) -> str:
    """Return the card for readers, in the style of Hugging Face model cards."""
    figures = "\n".join(f"| {name} | {value:.4g} |" for name, value in card.validation.items())
    return f"""---
license: apache-2.0
library_name: hemascope
tags: [hematology, blood-smear, red-cell-morphology, image-classification]
---

# {card.name} {card.version}

Types one red cell in a crop of {card.spec["crop_um"]:g} um, {card.spec["crop_px"]} px, into the twelve types of
Chula-RBC-12: {", ".join(name.replace("_", " ") for name in card.spec["types"])}. Logits and an embedding. Research use
only.

**Not for**: diagnosis; inclusions, parasites, sickle cells, acanthocytes and other types it has never seen (it gives
one of the twelve all the same); cells cut by the border; stains other than Romanowsky.

The labels are those of one laboratory, one microscope and a few smears, most of them of thalassemia. Neighboring types
are not sharply apart in them: normal, macrocyte and hypochromic; ovalocyte and normal; spherocyte and microcyte. Size
is told relative to the scale: on a smear whose scale was estimated from its own red cells, macrocytes and microcytes
are larger and smaller than the smear's own median, not than the norm.

{describe_data(card)}

## On validation splits, after training

| | |
|---|---|
{figures}

Figures on test splits and over five folds stand in docs/benchmarks.md. Probabilities are calibrated on the validation
split (temperature {card.spec["temperature"]:.3f}), which holds few smears: on others they are a ranking at best.

{describe_credits(card)}
"""
