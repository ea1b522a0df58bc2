"""The trained cell classifier to what ships: anomaly head, temperature, thresholds, graph, card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hemascope.classify.conformal import conformal_spec
from hemascope.classify.network import softmax
from hemascope.classify.second_opinion import OPINION_FILE
from hemascope.core.errors import DataSetError
from hemascope.core.optics import CENTER_UM, EDGE_UM
from hemascope.core.taxonomy import CellType
from hemascope.nets.anomaly_head import MahalanobisHead, ShippedCellNet
from hemascope.nets.cell_encoder import CellEncoder
from hemascope.recipes import CellTrainingRecipe
from hemascope.stats.temperature import fit_temperature, negative_log_likelihood
from hemascope.train.cell_look import augment_by
from hemascope.train.crop_batches import LabeledCrops, load_crops
from hemascope.train.crop_net import Augment, predict
from hemascope.train.onnx_export import round_weights
from hemascope.train.package import (
    Export,
    describe_credits,
    describe_data,
    new_card,
    pack_model,
)
from hemascope.train.second_opinion import fit_second_opinion
from hemascope.train.ship_encoder import encoder_facts, ship_bare_encoder
from hemascope.zoo.card import ModelCard

SHRINKAGE = 0.1
"""Share of the identity in the covariance: keeps directions without variance from ruling the distance."""

HOME_QUANTILE, AWAY_QUANTILE = 0.99, 0.95
"""The anomaly threshold leaves 1% of validation cells of the first source outside, and 5% of each other one."""

LEAST_CELLS = 20
"""A source with fewer validation cells has no say in the threshold: the quantile would be its oddest cell."""


@torch.no_grad()
def augmented_embeddings(
    net: CellEncoder, crops: LabeledCrops, augment: Augment, seed: int, batch: int = 128
) -> NDArray[np.float32]:
    """Return N x D embeddings of augmented crops: what was seen in training is wider than the bare images."""
    net.eval()
    found = []
    for start in range(0, len(crops.images), batch):
        generator = torch.Generator().manual_seed(seed + start)
        found.append(net(augment(crops.images[start : start + batch], generator))[1].float().numpy())
    return np.concatenate(found)


def fit_anomaly_head(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    weights: NDArray[np.float64],
    left_out: Sequence[CellType] = (),
) -> MahalanobisHead:
    """Return the head for class means and the shared, shrunk within-class covariance.

    Parameters
    ----------
    embeddings, labels
        N x D and N.
    weights
        N, positive: how often each was seen in training.
    left_out
        Types that the recipe left out: they have no center.

    Raises
    ------
    DataSetError
        If another type is missing.
    """
    values = embeddings.astype(np.float64)
    classes = [index for index, cell_type in enumerate(CellType) if cell_type not in left_out]
    missing = [list(CellType)[c].value for c in classes if not (labels == c).any()]
    if missing:
        raise DataSetError(f"the training splits hold no {', '.join(missing)}; add a data set to the recipe that does")
    means = np.stack([np.average(values[labels == c], axis=0, weights=weights[labels == c]) for c in classes])
    centered = values - means[np.searchsorted(classes, labels)]
    covariance = (centered * weights[:, None]).T @ centered / weights.sum()
    identity = np.eye(len(covariance)) * np.trace(covariance) / len(covariance)
    whitening = np.linalg.cholesky(np.linalg.inv((1 - SHRINKAGE) * covariance + SHRINKAGE * identity))
    return MahalanobisHead(
        torch.from_numpy(whitening.astype(np.float32)), torch.from_numpy((means @ whitening).astype(np.float32))
    )


def anomaly_threshold(head: MahalanobisHead, embeddings: Sequence[NDArray[np.float32]]) -> float:
    """Return the distance above which a cell is anomalous, from validation embeddings, the home source first."""
    distances = [head(torch.from_numpy(e)).numpy() for e in embeddings]
    away = [float(np.quantile(d, AWAY_QUANTILE)) for d in distances[1:] if len(d) >= LEAST_CELLS]
    return max([float(np.quantile(distances[0], HOME_QUANTILE)), *away])


def _sampling_weights(recipe: CellTrainingRecipe, sets: Sequence[LabeledCrops]) -> NDArray[np.float64]:
    shares = [source.weight / len(crops.labels) for source, crops in zip(recipe.sources, sets, strict=True)]
    return np.concatenate([np.full(len(c.labels), share) for share, c in zip(shares, sets, strict=True)])


def ship_cells(recipe: CellTrainingRecipe, root: Path, net: CellEncoder, folder: Path, command: str) -> ModelCard:
    """Calibrate on validation splits and write the model folder.

    Parameters
    ----------
    net
        Trained; its large weights are rounded to half precision in place.
    folder
        Where the model goes; an older one is replaced. The bare encoder, if the recipe names one, goes beside it.
    command
        What was run, for the card.

    Returns
    -------
    The card, with the validation figures.
    """
    round_weights(net)
    train = [load_crops(source, root, "train", recipe) for source in recipe.sources]
    validation = [load_crops(source, root, "val", recipe) for source in recipe.sources]
    weights = _sampling_weights(recipe, train)
    shipped = _with_distance(recipe, net, train, weights)
    outputs = [predict(shipped, crops.images) for crops in validation]
    opinion = None
    if recipe.second_opinion:
        opinion = fit_second_opinion(train, weights, validation, [out.logits for out in outputs], recipe.crop_um)
    temperature = fit_temperature(outputs[0].logits, validation[0].labels)
    told = list(opinion.joined) if opinion else [out.logits.astype(np.float64) for out in outputs]
    spec: dict[str, Any] = {
        **_calibration(told[0], temperature, validation[0]),
        "anomaly_threshold": anomaly_threshold(shipped.anomaly, [out.embeddings for out in outputs]),
        **encoder_facts(net, recipe.crop_px, recipe.crop_um),
        **({"second_opinion": opinion.spec()} if opinion else {}),
        **({"left_out": [cell_type.value for cell_type in recipe.left_out()]} if recipe.left_out() else {}),
    }
    figures = _figures(validation, told, temperature)
    card = new_card("classify", recipe, spec=spec, figures=figures, command=command, root=root)
    example = torch.rand(3, 3, recipe.crop_px, recipe.crop_px) * 2
    batch = torch.export.Dim("batch", min=1, max=1024)
    graph = Export(shipped, example, ("logits", "embedding", "distance"), {0: batch})
    beside = {OPINION_FILE: opinion.tensors()} if opinion else {}
    whole = pack_model(folder, graph, card, describe_classifier, beside)
    if recipe.encoder is not None:
        ship_bare_encoder(whole, recipe.encoder, net, folder.with_name(recipe.encoder))
    return whole


def _with_distance(
    recipe: CellTrainingRecipe, net: CellEncoder, train: Sequence[LabeledCrops], weights: NDArray[np.float64]
) -> ShippedCellNet:
    """Return the network as it answers, its distances fitted on what was seen in training."""
    mpp = recipe.crop_um / recipe.crop_px
    augment = augment_by(recipe.augmentation, mpp)
    seen = np.concatenate([augmented_embeddings(net, crops, augment, recipe.seed) for crops in train])
    head = fit_anomaly_head(seen, np.concatenate([crops.labels for crops in train]), weights, recipe.left_out())
    round_weights(head)
    return ShippedCellNet(net, head, CENTER_UM / mpp, EDGE_UM / mpp).eval()


def _calibration(logits: NDArray[np.float64], temperature: float, crops: LabeledCrops) -> dict[str, Any]:
    """Return what the card says of calibration on the first source's validation split."""
    shares = np.bincount(crops.labels, minlength=len(CellType)) / len(crops.labels)
    return {
        "temperature": temperature,
        "training_shares": {t.value: float(s) for t, s in zip(CellType, shares, strict=True)},
        "conformal": conformal_spec(softmax(logits / temperature), crops.labels, crops.groups),
    }


def _figures(
    validation: Sequence[LabeledCrops], told: Sequence[NDArray[np.float64]], temperature: float
) -> dict[str, float]:
    """Return accuracy on each validation split, and the likelihood on the first before and after calibration."""
    figures = {
        f"{crops.name}.accuracy": float((logits.argmax(axis=1) == crops.labels).mean())
        for crops, logits in zip(validation, told, strict=True)
    }
    figures["nll_before_calibration"] = negative_log_likelihood(told[0], validation[0].labels, 1.0)
    figures["nll_after_calibration"] = negative_log_likelihood(told[0], validation[0].labels, temperature)
    return figures


def describe_classifier(card: ModelCard) -> str:
    """Return the card for readers, in the style of Hugging Face model cards."""
    figures = "\n".join(f"| {name} | {value:.4g} |" for name, value in card.validation.items())
    absent = "".join(f", {name.replace('_', ' ')}s" for name in card.spec.get("left_out", []))
    return f"""---
license: apache-2.0
library_name: hemascope
tags: [hematology, blood-smear, image-classification]
---

# {card.name} {card.version}

Types one nucleated cell (or platelet) in a crop of {card.spec["crop_um"]:g} um, {card.spec["crop_px"]} px, into the
eight groups of the PBC set. Logits, an embedding, and the distance from everything seen in training; where a cell's
handcrafted descriptors lie among those of the first training source, the logits of a linear classifier of them are
added. Research use only.

**Not for**: diagnosis; blasts, abnormal lymphocytes, plasma cells, smudge cells{absent} (none were seen in training:
they should come out unidentified, but may not); stains other than Romanowsky.

{describe_data(card)}

## On validation splits, after training

| | |
|---|---|
{figures}

Figures on test splits stand in docs/benchmarks.md. Probabilities are calibrated on the PBC validation split
(temperature {card.spec["temperature"]:.3f}) and hold under its even class shares only: give the prior of your patients.

{describe_credits(card)}
"""
