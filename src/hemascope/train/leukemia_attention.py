"""What HMSCAM looked at: attention maps, Grad-CAM, and both kept with the weights of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hemascope.core.errors import WeightsError
from hemascope.nets.grad_cam import grad_cam
from hemascope.nets.hmscam import Hmscam
from hemascope.recipes import LeukemiaTrainingRecipe
from hemascope.train.leukemia import Trial, build_network, network_batches
from hemascope.train.leukemia_images import prepare
from hemascope.train.optimize import write_whole

WEIGHTS_FILE = "net.safetensors"
RECIPE_FILE = "net.json"


@dataclass(frozen=True, slots=True, eq=False)
class AttentionMaps:
    """What was attended to in N fields; float32, None where the network has no such part.

    Attributes
    ----------
    spatial
        N x h x w of the spatial attention, 0..1.
    channel
        N x C of the channel attention, 0..1.
    gates
        N x 2 of the recalibration, rows sum to 1.
    cam
        N x h x w Grad-CAM of the subtype told, 0..1.
    told
        N subtypes told.
    """

    spatial: NDArray[np.float32] | None
    channel: NDArray[np.float32] | None
    gates: NDArray[np.float32] | None
    cam: NDArray[np.float32]
    told: NDArray[np.int64]


def attention_maps(
    net: Hmscam, recipe: LeukemiaTrainingRecipe, pixels: NDArray[np.uint8], batch: int = 32
) -> AttentionMaps:
    """Return what a network attended to in whole fields N x H x W x 3 uint8."""
    net.eval()
    kept: dict[str, list[NDArray[np.float32]]] = {"spatial": [], "channel": [], "gates": [], "cam": []}
    told = []
    for part in network_batches(prepare(pixels, "whole", recipe.input_px), batch):
        with torch.no_grad():
            seen = net.attend(part)
        classes = net.heads[0](seen.maps.mean(dim=(2, 3))).argmax(dim=1)

        def score(maps: torch.Tensor, asked: torch.Tensor = classes) -> torch.Tensor:
            logits: torch.Tensor = net.heads[0](maps.mean(dim=(2, 3)))
            return logits.gather(1, asked[:, None])

        kept["cam"].append(grad_cam(seen.maps, score).cpu().numpy())
        told.append(classes.cpu().numpy())
        for name in ("spatial", "channel", "gates"):
            value = getattr(seen, name)
            if value is not None:
                kept[name].append(value.float().cpu().numpy())
    joined = {name: np.concatenate(values) if values else None for name, values in kept.items()}
    cam = joined.pop("cam")
    return AttentionMaps(**joined, cam=np.asarray(cam, np.float32), told=np.concatenate(told))


def save_network(net: Hmscam, recipe: LeukemiaTrainingRecipe, trial: Trial, folder: Path) -> None:
    """Write weights and what they are for into a folder; the description last, so that it vouches for the weights."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{WEIGHTS_FILE}.partial"
    save_file({name: value.cpu().contiguous() for name, value in net.state_dict().items()}, str(partial))
    partial.replace(folder / WEIGHTS_FILE)
    described = {"recipe": recipe.model_dump(mode="json"), "parts": trial.parts, "seed": trial.seed}
    write_whole(folder / RECIPE_FILE, json.dumps(described))


def load_network(folder: Path) -> tuple[Hmscam, LeukemiaTrainingRecipe]:
    """Return a network that ``save_network`` wrote, in evaluation mode, and its recipe.

    Raises
    ------
    WeightsError
        If the folder holds none, or files that do not fit each other.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        described = json.loads((folder / RECIPE_FILE).read_text(encoding="utf-8"))
        recipe = LeukemiaTrainingRecipe.model_validate(described["recipe"])
        trial = Trial("loaded", parts=tuple(described["parts"]), seed=described["seed"])
        net = build_network(recipe.model_copy(update={"start": None}), trial)
        net.load_state_dict(load_file(str(folder / WEIGHTS_FILE)))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise WeightsError(
            f"{folder} holds no HMSCAM ({error}); name a trial's folder of a run of 'hemascope bench leukemia' "
            "that holds net.json and net.safetensors"
        ) from error
    assert isinstance(net, Hmscam)  # noqa: S101 - what build_network gives for the default architecture
    return net.eval(), recipe
