"""Denoisers, and what judges, draws and explains cells by them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hemascope.core.errors import MissingExtraError, RecipeError, WeightsError
from hemascope.core.ports import (
    CellClassifier,
    CellDenoiser,
    CellJudge,
)
from hemascope.core.taxonomy import CellType
from hemascope.recipes import AnalysisRecipe
from hemascope.settings import Settings, read_settings

if TYPE_CHECKING:
    from hemascope.app.closest_cells import Explaining
    from hemascope.app.embedding_decider import EmbeddingDecider
    from hemascope.app.shared_encoders import SharedEncoders
    from hemascope.app.synthesize import Generator
from hemascope.wiring.encoders import build_encoder, shared_encoders
from hemascope.wiring.graphs import is_installed


def build_cell_judge(folder: Path | None = None, *, shared: SharedEncoders | None = None) -> CellJudge | None:
    """Return what says how well a generative model explains white cells.

    Parameters
    ----------
    folder
        A model folder with a denoiser of embeddings; the shipped one where None.
    shared
        What other parts of the same analysis ask too; None for encoders of its own.

    Returns
    -------
    None where no folder is named and none ships.

    Raises
    ------
    WeightsError
        If the folder is damaged, or its encoders are not those it was trained on.
    """
    from hemascope.zoo.shipped import EMBEDDING_DENOISER, shipped_card, shipped_folder

    if folder is None:
        if shipped_card(EMBEDDING_DENOISER) is None:
            return None
        folder = shipped_folder(EMBEDDING_DENOISER)
    from hemascope.app.embedding_judge import open_judge

    return open_judge(folder, (shared or shared_encoders()).named, read_settings().threads)


def build_pixel_denoiser(folder: Path | None = None, settings: Settings | None = None) -> CellDenoiser:
    """Return the shipped denoiser of images of cells, or the one in a model folder.

    Parameters
    ----------
    folder
        As `hemascope train denoiser` writes it; the shipped one where None.
    settings
        Threads; from the environment where None.

    Raises
    ------
    WeightsError
        If none ships, or the folder is damaged or holds no denoiser of images.
    """
    from hemascope.denoise.pixel import PixelDenoiser
    from hemascope.zoo.card import read_card
    from hemascope.zoo.onnx_graph import OnnxDenoiserGraph
    from hemascope.zoo.shipped import PIXEL_DENOISER, shipped_card, shipped_folder

    if folder is None:
        if shipped_card(PIXEL_DENOISER) is None:
            raise WeightsError(
                "no denoiser of images of cells comes with this installation; train one with "
                "`hemascope train denoiser`, and name its model folder"
            )
        folder = shipped_folder(PIXEL_DENOISER)
    card = read_card(folder)
    if card.task != "denoise":
        raise WeightsError(f"{folder} holds a model to {card.task}, no denoiser; name another model folder")
    graph = OnnxDenoiserGraph(folder, card, (settings or read_settings()).threads)
    return PixelDenoiser(graph, card.spec)


def build_generator(folder: Path | None = None, settings: Settings | None = None) -> Generator:
    """Return what synthetic cells are drawn from, with the credit its training data ask for.

    Parameters
    ----------
    folder, settings
        As ``build_pixel_denoiser`` takes them.

    Raises
    ------
    WeightsError
        As ``build_pixel_denoiser`` does.
    """
    from hemascope.app.synthesize import Generator
    from hemascope.zoo.card import read_card
    from hemascope.zoo.shipped import PIXEL_DENOISER, shipped_folder

    denoiser = build_pixel_denoiser(folder, settings)
    card = read_card(folder or shipped_folder(PIXEL_DENOISER))
    licenses = {name: facts.get("license", "not stated") for name, facts in card.training.data.items()}
    return Generator(denoiser, tuple(card.attribution), licenses)


def build_explaining(recipe: AnalysisRecipe, classifier: CellClassifier, *, second: bool = True) -> Explaining | None:
    """Return which cells of an analysis are explained and by what; None where the recipe asks for none.

    Parameters
    ----------
    recipe
        Its keys ``explain``, ``explain_as`` and ``explain_model``.
    classifier
        Asked about edited cells.
    second
        Whether each cell is explained toward its second likeliest type, besides those named.

    Raises
    ------
    RecipeError
        If a type is none of the denoiser's, or types are named but no cell is to be explained.
    WeightsError
        If there is no denoiser of images, or it is damaged.
    """
    from hemascope.app.closest_cells import Explaining, Question
    from hemascope.app.explain_cells import Explainer

    if not recipe.explain:
        if recipe.explain_as:
            raise RecipeError("types to explain toward are named, but no cell is to be explained; say with --explain N")
        return None
    denoiser = build_pixel_denoiser(Path(recipe.explain_model) if recipe.explain_model else None)
    return Explaining(Explainer(denoiser, classifier), recipe.explain, Question(recipe.explain_as, second))


def build_embedding_decider(folder: Path | None = None, settings: Settings | None = None) -> EmbeddingDecider:
    """Return a denoiser of embeddings as it decides alone, on encoders that remember nothing.

    Parameters
    ----------
    folder
        Its model folder; the shipped one where None.
    settings
        Threads; from the environment where None.

    Raises
    ------
    WeightsError
        If none ships, it is damaged, or its encoders are not those it was trained on.
    """
    from hemascope.app.embedding_judge import open_decider
    from hemascope.app.shared_encoders import SharedEncoders
    from hemascope.zoo.card import read_card
    from hemascope.zoo.onnx_graph import OnnxGraph
    from hemascope.zoo.shipped import EMBEDDING_DENOISER, shipped_card, shipped_folder

    settings = settings or read_settings()
    if folder is None:
        if shipped_card(EMBEDDING_DENOISER) is None:
            raise WeightsError("this version of hemascope comes without a denoiser of embeddings; install another")
        folder = shipped_folder(EMBEDDING_DENOISER)
    encoders = SharedEncoders(
        lambda folder: OnnxGraph(folder, read_card(folder), settings.threads),
        lambda name: build_encoder(name, settings),
        room=0,
    )
    return open_decider(folder, encoders.named, settings.threads)


def seeded_latent_denoiser() -> CellDenoiser:
    """Return the published latent diffusion for the shipped types in its own size, with random values, in bf16.

    Raises
    ------
    MissingExtraError
        If torch is not installed.
    """
    if not is_installed("torch"):
        raise MissingExtraError("the latent diffusion", "train")
    from hemascope.train.latent_denoiser import LatentSpec
    from hemascope.train.latent_seeded import seeded_denoiser

    return seeded_denoiser(LatentSpec(tuple(cell_type.value for cell_type in CellType)))
