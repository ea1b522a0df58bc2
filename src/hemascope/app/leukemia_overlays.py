"""Pictures of what HMSCAM looked at: the field, its spatial attention and its Grad-CAM side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_record import draft_of
from hemascope.core.errors import InputError
from hemascope.data.taleqani import SUBTYPES
from hemascope.recipes import LeukemiaTrainingRecipe

if TYPE_CHECKING:
    from hemascope.nets.hmscam import Hmscam
    from hemascope.train.leukemia_images import LeukemiaImages

_SHOWN_PX = 448
_OPACITY = 0.45


def write_overlays(model: Path, images: list[Path], out: Path) -> list[Path]:
    """Write ``<image>.attention.png`` for images: the field, its spatial attention, and its Grad-CAM.

    Parameters
    ----------
    model
        A trial's folder with ``net.json`` and ``net.safetensors``.
    images
        Files of any size; each is seen as a square.
    out
        Folder of the pictures.

    Returns
    -------
    The pictures, in the order of the images.

    Raises
    ------
    WeightsError
        If the folder holds no network.
    DataSetError
        If an image cannot be read.
    InputError
        If two images would be written to one file.
    OutputError
        If a picture cannot be written.
    """
    from hemascope.train.images import read_rgb
    from hemascope.train.leukemia_attention import load_network

    names = [path.stem for path in images]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two images are named '{twice}'; ask for them one after the other, into two folders")
    net, recipe = load_network(model)
    return [_write_overlay(net, recipe, read_rgb(path), out / f"{path.stem}.attention.png") for path in images]


def write_test_overlays(model: Path, images: LeukemiaImages, held_out: NDArray[np.bool_], out: Path) -> list[Path]:
    """Write a picture of the first held-out field of every stain cluster; see ``write_overlays``."""
    from hemascope.train.leukemia_attention import load_network

    net, kept = load_network(model)
    written = []
    for group in np.unique(images.groups[held_out]):
        place = int(np.flatnonzero((images.groups == group) & held_out)[0])
        written.append(_write_overlay(net, kept, images.pixels[place], out / f"{group}.attention.png"))
    return written


def overlay(pixels: NDArray[np.uint8], values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a field under a color map of values, red where they are high; stretched to their range.

    Parameters
    ----------
    pixels
        H x W x 3 uint8.
    values
        h x w numbers of any range; a constant map is shown as its lowest color.
    """
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) / (high - low) if high > low else np.zeros_like(values)
    grown = cv2.resize(scaled.astype(np.float32), pixels.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    levels = np.round(np.clip(grown, 0, 1) * 255).astype(np.uint8)
    colors = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)
    mixed = cv2.addWeighted(pixels, 1 - _OPACITY, np.asarray(colors, np.uint8), _OPACITY, 0)
    return np.asarray(mixed, np.uint8)


def _write_overlay(net: Hmscam, recipe: LeukemiaTrainingRecipe, pixels: NDArray[np.uint8], path: Path) -> Path:
    from hemascope.train.leukemia_attention import attention_maps

    maps = attention_maps(net, recipe, pixels[None])
    shown = np.asarray(cv2.resize(pixels, (_SHOWN_PX, _SHOWN_PX), interpolation=cv2.INTER_AREA), np.uint8)
    panels = [shown.copy()]
    panels += [overlay(shown, maps.spatial[0])] if maps.spatial is not None else []
    panels.append(overlay(shown, maps.cam[0]))
    titles = [*("field", "spatial attention")[: len(panels) - 1], f"Grad-CAM: {SUBTYPES[int(maps.told[0])]}"]
    for panel, title in zip(panels, titles, strict=True):
        cv2.putText(panel, title, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(panel, title, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    _, encoded = cv2.imencode(".png", cv2.cvtColor(np.hstack(panels), cv2.COLOR_RGB2BGR))
    with draft_of(path) as draft:
        draft.write_bytes(encoded.tobytes())
    return path
