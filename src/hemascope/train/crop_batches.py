"""Data sets to arrays of crops, and seeded batches drawn from several of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.cells.crop import cut_square
from hemascope.core.errors import DataSetError
from hemascope.core.optics import transmittance
from hemascope.core.taxonomy import CellType
from hemascope.data.catalog import check_split_groups, open_data_set
from hemascope.data.records import CropRecord, FieldRecord
from hemascope.data.typed_boxes import typed_white_cells
from hemascope.recipes import (
    CellTrainingRecipe,
    CropSource,
    DenoiserTrainingRecipe,
    EncoderTrainingRecipe,
    LatentTrainingRecipe,
)
from hemascope.train.images import read_rgb

CutRecipe = CellTrainingRecipe | EncoderTrainingRecipe | DenoiserTrainingRecipe | LatentTrainingRecipe
"""Recipes that say how crops are cut."""

CLASS_INDEX = {cell_type: index for index, cell_type in enumerate(CellType)}


@dataclass(frozen=True, slots=True, eq=False)
class LabeledCrops:
    """Crops of one data set and split.

    Attributes
    ----------
    name
        The data set.
    images
        N x S x S x 3 uint8, transmittance * 255: already normalized by their own background.
    labels
        N int64 indexes into ``CellType``, or into ``RedCellType`` for red cells.
    groups
        N names of near-duplicates, slides or patients; empty where nobody asks.
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    groups: tuple[str, ...] = ()


def normalized(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the transmittance of an image as uint8."""
    return np.round(transmittance(pixels) * 255).astype(np.uint8)


def _crop_from_file(record: CropRecord, recipe: CutRecipe) -> NDArray[np.uint8]:
    pixels = read_rgb(record.path)
    width = pixels.shape[1] * recipe.crop_um / record.width_um
    center = (pixels.shape[1] / 2, pixels.shape[0] / 2)
    return normalized(cut_square(pixels, center, width, recipe.crop_px))


def _crops_from_field(record: FieldRecord, mpp: float, recipe: CutRecipe) -> list[tuple[NDArray[np.uint8], CellType]]:
    typed = typed_white_cells(record)
    if not typed:
        return []
    pixels = read_rgb(record.path)
    return [
        (normalized(cut_square(pixels, box.center, recipe.crop_um / mpp, recipe.crop_px)), cell_type)
        for box, cell_type in typed
    ]


def load_crops(source: CropSource, root: Path, split: str, recipe: CutRecipe) -> LabeledCrops:
    """Return the crops of one split of a data set.

    Raises
    ------
    DataSetError
        If a set of fields has no ``mpp`` in the recipe, the set cannot be read, or a group sits in two splits.
    """
    wanted = [cell_type for cell_type in CellType if cell_type not in source.left_out]
    data_set = open_data_set(source.data_set, root)
    check_split_groups((*data_set.fields, *data_set.crops))
    if data_set.fields and source.mpp is None:
        raise DataSetError(f"{source.data_set}: fields need an mpp in the recipe's source")
    cells = [
        (_crop_from_file(r, recipe), r.cell_type, r.group)
        for r in data_set.crops
        if r.split == split and r.may_train and r.cell_type in wanted
    ]
    for record in data_set.fields:
        if record.split == split and record.may_train:
            typed = [cell for cell in _crops_from_field(record, source.mpp or 0.0, recipe) if cell[1] in wanted]
            cells.extend((image, cell_type, record.group) for image, cell_type in typed)
    if not cells:
        raise DataSetError(f"{source.data_set}: no typed cells in split {split!r}; check the labels")
    images = np.stack([image for image, _, _ in cells])
    labels = np.array([CLASS_INDEX[cell_type] for _, cell_type, _ in cells], np.int64)
    return LabeledCrops(source.data_set, images, labels, tuple(group for _, _, group in cells))


def class_weights(labels: NDArray[np.int64], power: float = 0.5) -> NDArray[np.float64]:
    """Return a sampling probability for each item: classes drawn by count ** (1 - power)."""
    counts = np.bincount(labels, minlength=len(CellType)).astype(np.float64)
    weights = counts[labels] ** -power
    normalized_weights: NDArray[np.float64] = weights / weights.sum()
    return normalized_weights


def draw_batch(
    sets: Sequence[LabeledCrops], shares: Sequence[float], batch: int, seed: int, step: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the images and labels of one step; they depend on the seed and the step alone.

    Parameters
    ----------
    sets, shares
        What to draw from, and how often, relative to each other.
    batch
        Number of images.
    seed, step
        Together they make a resumed run see what an uninterrupted one would have seen.
    """
    rng = np.random.default_rng((seed, step))
    counts = rng.multinomial(batch, np.asarray(shares, np.float64) / np.sum(shares))
    picks = [rng.choice(len(s.labels), n, p=class_weights(s.labels)) for s, n in zip(sets, counts, strict=True)]
    images = np.concatenate([s.images[p] for s, p in zip(sets, picks, strict=True)])
    labels = np.concatenate([s.labels[p] for s, p in zip(sets, picks, strict=True)])
    return images, labels
