"""The use cases `train cells` and `train segmenter`: a recipe to a model folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from hemascope.core.errors import MissingExtraError, OutputError, RecipeError
from hemascope.data.folds import Fold
from hemascope.data.root import data_root
from hemascope.recipes import (
    CellTrainingRecipe,
    DenoiserTrainingRecipe,
    EncoderTrainingRecipe,
    LatentTrainingRecipe,
    Recipe,
    RedCellTrainingRecipe,
    SegmenterTrainingRecipe,
)

OnStep = Callable[[int, int, float], None]
"""Called after every step with the step, the number of steps and the loss."""


def train_cell_classifier(
    recipe: CellTrainingRecipe, data: Path | None, run: Path | None, out: Path | None, command: str, on_step: OnStep
) -> Path:
    """Train, calibrate and pack the cell classifier; return the model folder.

    Parameters
    ----------
    data
        Folder of the public data sets; the environment's where None.
    run
        Run folder; ``runs/NAME`` where None. An interrupted run resumes from its newest checkpoint.
    out
        Model folder; ``model`` in the run folder where None.
    command
        What was asked, for the card.
    on_step
        Progress.

    Raises
    ------
    MissingExtraError
        If the extra ``train`` is not installed.
    DataSetError
        If a data set of the recipe cannot be read.
    RecipeError
        If the run folder holds a run of another recipe.
    OutputError
        If the run folder cannot be written.
    """
    need_torch("training the cell classifier")
    from hemascope.train.cells import train_cells
    from hemascope.train.curves import draw_curves
    from hemascope.train.ship_cells import ship_cells

    root, folder = data_root(data), start_run(run, recipe, recipe.name)
    net = train_cells(recipe, root, folder, on_step)
    draw_curves(folder)
    model = out or folder / "model"
    ship_cells(recipe, root, net, model, command)
    return model


def train_cell_encoder(
    recipe: EncoderTrainingRecipe, data: Path | None, run: Path | None, out: Path | None, command: str, on_step: OnStep
) -> Path:
    """Train an encoder of cells without labels and pack it; parameters and errors as ``train_cell_classifier``."""
    need_torch("training an encoder")
    from hemascope.train.curves import draw_curves
    from hemascope.train.self_supervised import train_encoder
    from hemascope.train.ship_encoder import ship_encoder

    root, folder = data_root(data), start_run(run, recipe, recipe.name)
    net = train_encoder(recipe, root, folder, on_step)
    draw_curves(folder)
    model = out or folder / "model"
    ship_encoder(recipe, root, net, folder, model, command)
    return model


def train_image_denoiser(
    recipe: DenoiserTrainingRecipe, data: Path | None, run: Path | None, out: Path | None, command: str, on_step: OnStep
) -> Path:
    """Train the denoiser of cell images and pack it; parameters and errors as ``train_cell_classifier``."""
    need_torch("training a denoiser")
    from hemascope.train.curves import draw_curves
    from hemascope.train.image_denoiser import train_denoiser
    from hemascope.train.ship_denoiser import ship_denoiser

    root, folder = data_root(data), start_run(run, recipe, recipe.name)
    net = train_denoiser(recipe, root, folder, on_step)
    draw_curves(folder)
    model = out or folder / "model"
    ship_denoiser(recipe, root, net, folder, model, command)
    return model


def train_latent_denoiser(
    recipe: LatentTrainingRecipe,
    data: Path | None,
    run: Path | None,
    out: Path | None,
    command: str,
    on_step: OnStep,
    device: str = "cpu",
) -> Path:
    """Train the latent diffusion and pack it; parameters and errors as ``train_cell_classifier``.

    Parameters
    ----------
    device
        Of torch, such as ``cuda``; not of the recipe, because it does not say what is learned.

    Raises
    ------
    WeightsError
        If the weights it starts from cannot be loaded.
    """
    need_torch("training a latent diffusion")
    from hemascope.train.curves import draw_curves
    from hemascope.train.latent_model import check_device, ship_latent
    from hemascope.train.latent_training import train_latent

    check_device(device)
    root, folder = data_root(data), start_run(run, recipe, recipe.name)
    networks = train_latent(recipe, root, folder, on_step, device=device)
    draw_curves(folder)
    model = out or folder / "model"
    ship_latent(recipe, root, networks, folder, model, command)
    return model


def train_finder(
    recipe: SegmenterTrainingRecipe,
    data: Path | None,
    run: Path | None,
    out: Path | None,
    command: str,
    on_step: OnStep,
    fold: Fold | None = None,
) -> Path:
    """Train the finder, choose its thresholds and pack it; parameters and errors as ``train_cell_classifier``.

    Parameters
    ----------
    fold
        Part of a cross-validation to leave out; the run folder is then ``runs/NAME-fold-K`` where none is named.

    Raises
    ------
    WeightsError
        If the weights it starts from cannot be loaded.
    """
    need_torch("training the finder")
    from hemascope.train.curves import draw_curves
    from hemascope.train.segmenter import train_segmenter
    from hemascope.train.ship_finder import ship_finder

    name = f"{recipe.name}-fold-{fold.index}" if fold else recipe.name
    root, folder = data_root(data), start_run(run, recipe, name)
    net = train_segmenter(recipe, root, folder, on_step, fold=fold)
    draw_curves(folder)
    model = out or folder / "model"
    ship_finder(recipe, root, net, model, command, fold)
    return model


def train_red_cell_classifier(
    recipe: RedCellTrainingRecipe,
    data: Path | None,
    run: Path | None,
    out: Path | None,
    command: str,
    on_step: OnStep,
    fold: Fold | None = None,
) -> Path:
    """Train, calibrate and pack the red cell classifier; parameters and errors as ``train_cell_classifier``.

    Parameters
    ----------
    fold
        Part of a cross-validation to leave out: the run folder, ``runs/NAME-fold-K`` where none is named, then also
        keeps the answers on that part.
    """
    need_torch("training the red cell classifier")
    from hemascope.train.curves import draw_curves
    from hemascope.train.red_cells import train_red_cells
    from hemascope.train.ship_red_cells import ship_red_cells, write_answers

    name = f"{recipe.name}-fold-{fold.index}" if fold else recipe.name
    root, folder = data_root(data), start_run(run, recipe, name)
    net = train_red_cells(recipe, root, folder, on_step, fold=fold)
    draw_curves(folder)
    model = out or folder / "model"
    card = ship_red_cells(recipe, root, net, model, command, fold)
    if fold:
        write_answers(recipe, root, net, folder, fold, card.spec["temperature"])
    return model


def start_run(run: Path | None, recipe: Recipe, name: str) -> Path:
    """Make the run folder and save the resolved recipe in it.

    Raises
    ------
    RecipeError
        If the folder holds a run of another recipe: going on from its checkpoint would belong to neither.
    OutputError
        If the folder cannot be written.
    """
    from hemascope.train.optimize import write_whole

    folder = run or Path("runs") / name
    saved, text = folder / "recipe.json", recipe.model_dump_json(indent=2) + "\n"
    if saved.is_file() and json.loads(saved.read_text(encoding="utf-8")) != json.loads(text):
        raise RecipeError(f"{folder} holds a run of another recipe; name another folder with --run, or remove that one")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(saved, text)
    except OSError as error:
        raise OutputError.at(folder, error) from error
    return folder


def need_torch(feature: str) -> None:
    """Raise ``MissingExtraError`` unless the extra ``train`` is installed."""
    try:
        import safetensors  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(feature, "train") from error
