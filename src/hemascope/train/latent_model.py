"""Latent denoisers on disk: a user's folder in the layout of diffusers, and the model folder of a training here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hemascope.core.errors import OutputError, RecipeError, WeightsError
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.recipes import LatentTrainingRecipe
from hemascope.train.latent_denoiser import BATCH, LatentDenoiser, LatentSpec
from hemascope.train.latent_files import (
    UNET,
    read_autoencoder,
    read_schedule,
    read_unet,
    weights_path,
    write_latent_folder,
)
from hemascope.train.latent_training import LatentNetworks
from hemascope.train.optimize import RunLog
from hemascope.train.package import describe_credits, describe_data, new_card
from hemascope.zoo.card import CARD_FILE, ModelCard, read_card
from hemascope.zoo.installed import file_sha256

SAMPLE = "latent"
"""What a card says that its samples are."""

PRECISIONS: Mapping[str, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}


def load_latent(
    folder: Path,
    spec: LatentSpec | None = None,
    *,
    device: str = "cpu",
    precision: str = "fp32",
    batch: int = BATCH,
) -> LatentDenoiser:
    """Return the latent denoiser of a folder.

    Parameters
    ----------
    folder
        Written by `hemascope train latent`, or by diffusers' ``save_pretrained``: see ``latent_files``.
    spec
        Classes, crops and light of a folder that has no card; None where it has one.
    device
        Of torch: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    precision
        ``fp32``, or ``bf16`` of all values and products.
    batch
        Samples that pass at once.

    Raises
    ------
    WeightsError
        If a file is missing, malformed or not the card's, its network is of another layout, or nothing says its
        classes.
    RecipeError
        If there is no such precision or device.
    """
    if precision not in PRECISIONS:
        raise RecipeError(f"torch has no precision '{precision}' here; choose one of {', '.join(PRECISIONS)}")
    check_device(device)
    card = read_card(folder) if (folder / CARD_FILE).is_file() else None
    if card is not None:
        _check_files(folder, card)
        spec = _spec_of(card, folder)
    if spec is None:
        raise WeightsError(
            f"{folder}: holds no {CARD_FILE}, so nothing says which classes its weights know; hand over a LatentSpec "
            "with their names in the order of the one-hot row they were trained with"
        )
    dtype = PRECISIONS[precision]
    unet, autoencoder = read_unet(folder, dtype, device), read_autoencoder(folder, dtype, device)
    identity = _identity(folder, card, f"torch-{torch.device(device).type}-{precision}")
    try:
        return LatentDenoiser(identity, spec, unet, autoencoder, read_schedule(folder), batch)
    except ValueError as error:
        raise WeightsError(f"{folder}: its networks do not take such samples ({error}); correct its spec") from error


def check_device(device: str) -> None:
    """Raise ``RecipeError`` where torch has no such device here."""
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise RecipeError(f"torch has no device '{device}' here ({first}); choose cpu, or install its build") from error


def ship_latent(
    recipe: LatentTrainingRecipe, root: Path, networks: LatentNetworks, run: Path, folder: Path, command: str
) -> ModelCard:
    """Write the model folder of a trained latent diffusion, which diffusers reads too; return its card.

    Parameters
    ----------
    root
        Folder of the public data sets.
    networks
        Written in half precision.
    run
        The run folder, whose log holds the figures on validation splits.
    folder
        Where the model goes; an older one is replaced.
    command
        What was run, for the card.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    spec = {
        "sample": SAMPLE,
        "classes": [cell_type.value for cell_type in CellType],
        "crop_px": recipe.crop_px,
        "crop_um": recipe.crop_um,
        "light": "background",
        "schedule": networks.schedule.name,
        "prediction": "noise",
    }
    figures = [row["validation"] for row in RunLog(run).rows() if "validation" in row]
    last = {name: round(value, 6) for name, value in (figures[-1] if figures else {}).items()}
    card = new_card("denoise", recipe, spec=spec, figures=last, command=command, root=root)
    if recipe.start is not None:  # what came from there keeps its makers' terms
        card = card.model_copy(update={"license": "LicenseRef-weights-started-from"})
    return _pack(folder, networks, card)


def _pack(folder: Path, networks: LatentNetworks, card: ModelCard) -> ModelCard:
    """Write beside the folder's place, then move all of it there."""
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        written = write_latent_folder(partial, networks.unet, networks.autoencoder)
        files = {path.relative_to(partial).as_posix(): file_sha256(path) for path in written}
        whole = card.model_copy(update={"files": files})
        (partial / CARD_FILE).write_text(json.dumps(whole.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
        (partial / "README.md").write_text(_describe(whole), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except OSError as error:
        raise OutputError.at(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return whole


def _check_files(folder: Path, card: ModelCard) -> None:
    for name, digest in card.files.items():
        path = folder / name
        if not path.is_file() or file_sha256(path) != digest:
            raise WeightsError(f"{path}: missing, or not the file its card names; train it again, or copy it again")


def _spec_of(card: ModelCard, folder: Path) -> LatentSpec:
    values: dict[str, Any] = card.spec
    if card.task != "denoise" or values.get("sample") != SAMPLE:
        raise WeightsError(f"{folder} holds no latent denoiser; name a folder that hemascope train latent wrote")
    try:
        return LatentSpec(
            tuple(map(str, values["classes"])), int(values["crop_px"]), float(values["crop_um"]), values["light"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{folder}: its card states no latent denoiser ({error}); train it again") from error


def _identity(folder: Path, card: ModelCard | None, backend: str) -> ModelIdentity:
    path = weights_path(folder / UNET)
    if card is not None:
        digest = card.files.get(path.relative_to(folder).as_posix(), "")
        return ModelIdentity(card.name, card.version, digest, backend, card.license)
    digest = file_sha256(path)
    return ModelIdentity(folder.absolute().name, digest[:12], digest, backend, "unknown")


def _describe(card: ModelCard) -> str:
    """Return the card for readers, in the style of Hugging Face model cards."""
    figures = "\n".join(f"| {name} | {value:.4g} |" for name, value in card.validation.items())
    started = card.training.recipe.get("start")
    origin = (
        f"from the weights in `{Path(started).name}`, whose terms hold for these" if started else "from random values"
    )
    return f"""---
license: {"apache-2.0" if card.license == "Apache-2.0" else "other"}
library_name: hemascope
tags: [hematology, blood-smear, latent-diffusion]
---

# {card.name} {card.version}

Tells the noise in latents of single cells, given a type; takes crops of {card.spec["crop_um"]:g} um,
{card.spec["crop_px"]} px. Layout of Stable Diffusion 1.5, trained {origin}.
The one-hot row of a type stands where a text's tokens did: {", ".join(card.spec["classes"])}. Research use only.

**Not for**: diagnosis; stains other than Romanowsky; drawing cells that are then taken for real ones.

{describe_data(card)}

## On validation splits, after training

| | |
|---|---|
{figures}

{describe_credits(card)}
"""
