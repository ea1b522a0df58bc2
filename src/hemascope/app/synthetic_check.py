"""Whether generated cells are copies of training cells: nearest ones in pixels and in an encoder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.app.generated_views import as_pictures, encoder_crops
from hemascope.app.protocol_encoder import ProtocolEncoder
from hemascope.app.synthesize import Check, Generator
from hemascope.app.synthetic_files import draw_sheet, write_picture
from hemascope.app.target_cells import PBC, TypedCell, cut_cells, locate_cells
from hemascope.core.cell import CellCrop
from hemascope.core.errors import DataSetError
from hemascope.core.ports import CellDenoiser
from hemascope.denoise.pixel import LOOKS, turned
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.generated_cells import NearestTraining, memorization, nearest_training

CHECK_FILE, PAIRS_FILE = "check.json", "nearest-training.png"

COPIES = 400
"""Deliberate copies that the check must find, at most."""

PAIRS = 40
"""Pairs on the sheet, those whose ratio is lowest first."""

COPY_NOISE = 4.0
"""Gray levels by which the copies of the control differ from what they copy."""

_BATCH = 64
_STATEMENT = (
    "Left of each pair a synthetic cell, lying as it fits best; "
    "right the nearest real cell that its model learned from."
)

Pictures = NDArray[np.uint8]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Nearness:
    """How near generated cells, held-out cells and copies are to the training cells, in one way of measuring.

    Attributes
    ----------
    made, held_out, copies
        Of each kind of cell.
    """

    made: NearestTraining
    held_out: NearestTraining
    copies: NearestTraining

    def figures(self) -> dict[str, Estimate]:
        """Return the figures of the generated cells; ``copies_found`` is the share of the copies that is caught."""
        caught = memorization(self.copies, self.held_out)["ratio_below_real"]
        return memorization(self.made, self.held_out) | {"copies_found": caught}


def real_pictures(denoiser: CellDenoiser, cells: Sequence[TypedCell], progress: Progress) -> Pictures:
    """Return N x S x S x 3 pictures of real cells, as the denoiser sees them."""
    side, width = denoiser.crop_size
    parts: list[Pictures] = [np.empty((0, side, side, 3), np.uint8)]
    waiting: list[CellCrop] = []
    for number, crop in enumerate(cut_cells(cells, side, width), 1):
        waiting.append(crop)
        if len(waiting) == _BATCH or number == len(cells):
            parts.append(as_pictures(denoiser.samples(waiting, 0), denoiser.mask))
            waiting = []
            progress("real cells", number, len(cells))
    return np.concatenate(parts)


def embed_pictures(
    encoder: ProtocolEncoder, pictures: Pictures, width: float, progress: Progress
) -> NDArray[np.float32]:
    """Return N x D embeddings of pictures ``width`` um wide, each in the middle of free background."""
    parts = []
    for start in range(0, len(pictures), _BATCH):
        crops = encoder_crops(pictures[start : start + _BATCH], width, encoder.crop_px, encoder.crop_um)
        parts.append(encoder.answer(crops).embeddings)
        progress(f"{encoder.name}: pictures", min(start + _BATCH, len(pictures)), len(pictures))
    return np.concatenate(parts)


def copies_of(pictures: Pictures, seed: int = 0) -> Pictures:
    """Return what a generator that copies would make: pictures turned, mirrored, a little blurred, with noise."""
    generator, copies = np.random.default_rng(seed), []
    for number, picture in enumerate(pictures):
        placed = turned(picture.transpose(2, 0, 1)[None].astype(np.float32), number)[0].transpose(1, 2, 0)
        blurred = np.asarray(cv2.GaussianBlur(placed, (0, 0), 0.5), np.float32)
        copies.append(blurred + generator.normal(0, COPY_NOISE, blurred.shape))
    return np.clip(np.rint(np.stack(copies)), 0, 255).astype(np.uint8)


def some_of(pictures: Pictures) -> Pictures:
    """Return ``COPIES`` pictures at most, evenly taken."""
    return pictures[:: -(-len(pictures) // COPIES)]


def pixel_nearness(made: Pictures, held_out: Pictures, training: Pictures, mask: NDArray[np.float32]) -> Nearness:
    """Return nearness by the pixels inside a 3 x S x S mask, each cell in the best of eight positions."""
    inside = mask.transpose(1, 2, 0) > 0
    known = _pixels(training, inside)
    copies = copies_of(some_of(training))
    return Nearness(*(nearest_training(_looks(cells, inside), known) for cells in (made, held_out, copies)))


def embedding_nearness(
    made: NDArray[np.float32], held_out: NDArray[np.float32], training: NDArray[np.float32], copies: NDArray[np.float32]
) -> Nearness:
    """Return nearness by embeddings, each number over its deviation among the training cells."""
    spread = training.std(axis=0)
    scale = np.where(spread > 0, spread, np.float32(np.inf))
    known = training / scale
    return Nearness(*(nearest_training([cells / scale], known) for cells in (made, held_out, copies)))


def pairs_sheet(made: Pictures, training: Pictures, nearest: NearestTraining, count: int = PAIRS) -> Pictures:
    """Return generated cells beside the training cells they come nearest to, those of the lowest ratio first."""
    order = np.argsort(nearest.ratios, kind="stable")[:count]
    shown = []
    for row in order:
        lying = turned(made[row].transpose(2, 0, 1)[None].astype(np.float32), int(nearest.looks[row]))
        shown += [lying[0].transpose(1, 2, 0).astype(np.uint8), training[nearest.rows[row]]]
    return draw_sheet({"pairs: synthetic, then the nearest training cell": np.stack(shown)}, columns=8)


def training_check(generator: Generator, encoder: ProtocolEncoder, root: Path, progress: Progress) -> Check:
    """Return the check of a folder of generated cells, with the set that the model learned from in ``root``.

    Raises
    ------
    DataSetError
        If the set is absent or malformed, or the model did not learn from it.
    """
    if PBC not in generator.trained_on:
        sets = ", ".join(generator.trained_on) or "a set that its card does not name"
        raise DataSetError(f"the model learned from {sets}; the check knows {PBC} alone, so leave out --check")
    cells = locate_cells(PBC, root)

    def check(folder: Path, pictures: Mapping[str, Pictures]) -> None:
        known = [cell for cell in cells if cell.split == "train"]
        apart = [cell for cell in cells if cell.split != "train" and cell.cell_type.value in pictures]
        real = real_pictures(generator.denoiser, [*known, *apart], progress)
        training, held_out = real[: len(known)], real[len(known) :]
        made = np.concatenate(list(pictures.values()))
        progress("comparing pixels", 0, 1)
        by_pixels = pixel_nearness(made, held_out, training, generator.denoiser.mask)
        by_encoder = measured_embeddings(encoder, made, held_out, training, generator.denoiser.crop_size[1], progress)
        document = {
            "synthetic_cells": len(made),
            "training_cells": {PBC: len(training)},
            "held_out_cells": {PBC: len(held_out)},
            "pixels": _plain(by_pixels.figures()),
            encoder.name: _plain(by_encoder.figures()),
            "meaning": "median_over_real: 1 if synthetic cells are as far from the training cells as real ones that "
            "were held out. nearer_than_real and ratio_below_real: 0.01 is what held-out cells give. copies_found: "
            "the share that is caught of deliberate copies.",
        }
        (folder / CHECK_FILE).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        text = {"Comment": _STATEMENT, "attribution": "\n".join(generator.attribution)}
        write_picture(folder / PAIRS_FILE, pairs_sheet(made, training, by_pixels.made), text, None)

    return check


def measured_embeddings(
    encoder: ProtocolEncoder, made: Pictures, held_out: Pictures, training: Pictures, width: float, progress: Progress
) -> Nearness:
    """Return nearness in an encoder, of pictures ``width`` um wide."""
    copies = copies_of(some_of(training))
    values = (embed_pictures(encoder, pictures, width, progress) for pictures in (made, held_out, training, copies))
    return embedding_nearness(*values)


def _pixels(pictures: Pictures, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    return pictures[:, inside].astype(np.float32) / np.float32(255)


def _looks(pictures: Pictures, inside: NDArray[np.bool_]) -> Iterator[NDArray[np.float32]]:
    images = pictures.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    for look in range(LOOKS):
        yield turned(images, look).transpose(0, 2, 3, 1)[:, inside]


def _plain(figures: Mapping[str, Estimate]) -> dict[str, object]:
    return {
        name: {"value": estimate.value, "interval": None if estimate.low is None else [estimate.low, estimate.high]}
        for name, estimate in figures.items()
    }
