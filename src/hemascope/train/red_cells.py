"""Train the red cell classifier: from labeled points to types; seeded, by steps, resumable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hemascope.cells.crop import cut_square
from hemascope.core.errors import DataSetError
from hemascope.data.catalog import check_split_groups, open_fields
from hemascope.data.folds import Fold, split_by_fold
from hemascope.data.records import FieldRecord
from hemascope.evaluate.red_cell_answers import TYPES, RedCellPlace, type_numbers, typed_places
from hemascope.nets.cell_net import CellNet
from hemascope.recipes import CropSource, RedCellTrainingRecipe
from hemascope.train.augment import ColorJitter, affine_matrices, degrade_optics, jitter_color, resample
from hemascope.train.crop_batches import LabeledCrops, normalized
from hemascope.train.crop_net import Augment, CropTraining, build_net, train_crop_net, validate_crops
from hemascope.train.images import read_rgb, shift_range, to_input
from hemascope.train.loop import SCORE, OnStep

STRETCH = 0.03
"""Half-width of the log aspect ratio: small, because ovalocytes and elliptocytes are told by it."""

DEGRADED_SHARE = 0.25
"""Share of the crops that are blurred, and of those that are noisy."""


@dataclass(frozen=True, slots=True, eq=False)
class RedCellCrops:
    """Crops at labeled points of one split.

    Attributes
    ----------
    places
        N labeled cells.
    crops
        N crops, centered on the points.
    """

    places: tuple[RedCellPlace, ...]
    crops: LabeledCrops


def load_red_cells(
    recipe: RedCellTrainingRecipe, root: Path, split: str, fold: Fold | None = None
) -> list[RedCellCrops]:
    """Return the typed red cells of one split of every source.

    Parameters
    ----------
    fold
        Whose splits to take; None for those of the sets.

    Raises
    ------
    DataSetError
        If a source has no ``mpp``, cannot be read, has no typed red cells in the split, or a group sits in two splits.
    """
    return [_load_source(source, recipe, root, split, fold) for source in recipe.sources]


def _load_source(
    source: CropSource, recipe: RedCellTrainingRecipe, root: Path, split: str, fold: Fold | None
) -> RedCellCrops:
    if source.mpp is None:
        raise DataSetError(f"{source.data_set}: fields need an mpp in the recipe's source")
    records = open_fields(source.data_set, root)
    records = split_by_fold(records, fold) if fold else records
    check_split_groups(records)
    chosen = [record for record in records if record.split == split and record.may_train and typed_places(record)]
    if not chosen:
        raise DataSetError(f"{source.data_set}: no typed red cells in split {split!r}; check the labels")
    places = tuple(place for record in chosen for place in typed_places(record))
    images = np.concatenate([_cut_points(record, recipe.crop_um / source.mpp, recipe.crop_px) for record in chosen])
    return RedCellCrops(places, LabeledCrops(source.data_set, images, type_numbers(places)))


def _cut_points(record: FieldRecord, width: float, side: int) -> NDArray[np.uint8]:
    """Return a normalized crop at each typed point of a field, ``width`` of its pixels wide."""
    pixels = read_rgb(record.path)
    return np.stack([normalized(cut_square(pixels, (p.x, p.y), width, side)) for p in typed_places(record)])


def augment_by(recipe: RedCellTrainingRecipe) -> Augment:
    """Return the augmentation of the recipe."""
    usual, shift = ColorJitter(), recipe.shift_um / (recipe.crop_um / 2)
    color = ColorJitter(*(recipe.color * s for s in (usual.density, usual.channel, usual.mix, usual.light)))

    def augment(images: NDArray[np.uint8], generator: torch.Generator) -> Tensor:
        batch = to_input(images)
        matrices = affine_matrices(
            len(batch), generator, log_scale=recipe.log_scale, shift=shift, stretch=STRETCH
        )  # fmt: skip
        batch = jitter_color(resample(batch, matrices), generator, color)
        return shift_range(degrade_optics(batch, generator, share=DEGRADED_SHARE))

    return augment


def score_red_cells(net: CellNet, sets: Sequence[LabeledCrops]) -> dict[str, float]:
    """Return the figures of ``validate_crops``; the score is the negative log-likelihood over all cells."""
    figures = validate_crops(net, sets)
    losses = [figures[f"{crops.name}.nll"] for crops in sets]
    return figures | {SCORE: float(np.average(losses, weights=[len(crops.labels) for crops in sets]))}


def train_red_cells(
    recipe: RedCellTrainingRecipe,
    root: Path,
    run: Path,
    on_step: OnStep,
    *,
    fold: Fold | None = None,
    log_every: int = 25,
) -> CellNet:
    """Train to the recipe's last step or until validation stops improving; resumes from the newest checkpoint.

    Parameters
    ----------
    root
        Folder of the public data sets.
    run
        The run folder.
    on_step
        Progress.
    fold
        Whose splits to train and validate on; None for those of the sets.

    Returns
    -------
    The moving average of the network where it did best on the validation splits, in evaluation mode.

    Raises
    ------
    DataSetError
        If a data set of the recipe cannot be read.
    """
    sets = [cells.crops for cells in load_red_cells(recipe, root, "train", fold)]
    validation = [cells.crops for cells in load_red_cells(recipe, root, "val", fold)]
    training = CropTraining(
        build_net(recipe, len(TYPES)), sets, augment_by(recipe), lambda net: score_red_cells(net, validation)
    )
    return train_crop_net(recipe, training, run, on_step, log_every)
