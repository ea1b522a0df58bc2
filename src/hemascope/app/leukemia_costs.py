"""How large networks are, and how long they take for one image."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hemascope.recipes import LeukemiaTrainingRecipe

if TYPE_CHECKING:
    from torch import nn

_TIMED = 12
"""Single images by which the time of an answer is measured, after two that are not."""


def seconds_per_image(net: nn.Module, recipe: LeukemiaTrainingRecipe, pixels: NDArray[np.uint8]) -> float:
    """Return the median time of an answer to one field, its preparation included."""
    from hemascope.train.leukemia import answer

    seconds = []
    for index in range(_TIMED + 2):
        started = time.perf_counter()
        answer(net, recipe, pixels[index % len(pixels)][None])
        seconds.append(time.perf_counter() - started)
    return round(float(np.median(seconds[2:])), 4)


def full_size(recipe: LeukemiaTrainingRecipe) -> LeukemiaTrainingRecipe:
    """Return the recipe at the published size: 224 pixels, full width, ViT-S."""
    return recipe.model_copy(
        update={"input_px": 224, "width": 64, "last_stride": 2, "vit": (384, 12, 6, 14), "start": None}
    )


def measure_full_size(recipe: LeukemiaTrainingRecipe, repeats: int = 3) -> dict[str, dict[str, float]]:
    """Return parameters and seconds for one image of each architecture at the published size, one head of subtypes.

    Parameters
    ----------
    repeats
        Images timed, after one that is not; the median counts.
    """
    import torch

    from hemascope.train.leukemia import Trial, build_network, device

    figures = {}
    wanted = {"hmscam": Trial("hmscam"), "resnet50": Trial("resnet50", parts=())}
    wanted |= {"alexnet": Trial("alexnet", "alexnet"), "vit": Trial("vit", "vit")}
    for name, trial in wanted.items():
        net = build_network(full_size(recipe), trial).eval()
        image = torch.zeros((1, 3, 224, 224), device=device())
        seconds = []
        for _ in range(repeats + 1):
            started = time.perf_counter()
            with torch.no_grad():
                net(image)
            seconds.append(time.perf_counter() - started)
        binary_head = sum(p.numel() for p in net.heads[1].parameters())  # type: ignore[index, union-attr]
        figures[name] = {
            "parameters": float(sum(p.numel() for p in net.parameters()) - binary_head),
            "seconds_per_image": round(float(np.median(seconds[1:])), 4),
        }
    return figures
