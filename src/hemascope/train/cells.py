"""Train the cell classifier: seeded, by steps, resumable; only validation splits choose anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hemascope.core.taxonomy import CellType
from hemascope.nets.cell_net import CellNet
from hemascope.recipes import CellTrainingRecipe
from hemascope.train.augment import ColorJitter, affine_matrices, degrade_optics, jitter_color, resample
from hemascope.train.crop_batches import load_crops
from hemascope.train.crop_net import CropTraining, train_crop_net, validate_crops
from hemascope.train.images import shift_range, to_input
from hemascope.train.loop import OnStep


def augment(images: NDArray[np.uint8], generator: torch.Generator) -> Tensor:
    """Return augmented network input of a batch."""
    batch = to_input(images)
    batch = resample(batch, affine_matrices(len(batch), generator, log_scale=0.2, shift=0.08))
    batch = jitter_color(batch, generator, ColorJitter())
    return shift_range(degrade_optics(batch, generator))


def train_cells(recipe: CellTrainingRecipe, root: Path, run: Path, on_step: OnStep, *, log_every: int = 25) -> CellNet:
    """Train until the recipe's last step, resuming from the run folder's newest checkpoint.

    Parameters
    ----------
    root
        Folder of the public data sets.
    run
        The run folder.
    on_step
        Progress.

    Returns
    -------
    The moving average of the network, in evaluation mode.

    Raises
    ------
    DataSetError
        If a data set of the recipe cannot be read.
    """
    sets = [load_crops(source, root, "train", recipe) for source in recipe.sources]
    validation = [load_crops(source, root, "val", recipe) for source in recipe.sources]
    training = CropTraining(len(CellType), sets, augment, lambda average: validate_crops(average, validation))
    return train_crop_net(recipe, training, run, on_step, log_every)
