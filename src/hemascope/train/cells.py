"""Train the cell classifier: seeded, by steps, resumable; only validation splits choose anything."""

from __future__ import annotations

from pathlib import Path

from hemascope.core.taxonomy import CellType
from hemascope.nets.cell_encoder import CellEncoder
from hemascope.recipes import CellTrainingRecipe
from hemascope.train.cell_look import augment_by, build_encoder_net, start_from
from hemascope.train.crop_batches import load_crops
from hemascope.train.crop_net import CropTraining, train_crop_net, validate_crops
from hemascope.train.loop import OnStep


def train_cells(
    recipe: CellTrainingRecipe, root: Path, run: Path, on_step: OnStep, *, log_every: int = 25
) -> CellEncoder:
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
    WeightsError
        If the weights it starts from cannot be loaded.
    """
    sets = [load_crops(source, root, "train", recipe) for source in recipe.sources]
    validation = [load_crops(source, root, "val", recipe) for source in recipe.sources]
    net = build_encoder_net(recipe, len(CellType), recipe.dropout)
    if recipe.start is not None:
        start_from(net, Path(recipe.start))
    augment = augment_by(recipe.augmentation, recipe.crop_um / recipe.crop_px)
    training = CropTraining(net, sets, augment, lambda average: validate_crops(average, validation), recipe.mixup)
    return train_crop_net(recipe, training, run, on_step, log_every)
