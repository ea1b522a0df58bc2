"""Classifiers of white cells and of red cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hemascope.core.errors import WeightsError
from hemascope.core.ports import (
    CellClassifier,
    Encoder,
    RedCellClassifier,
)
from hemascope.core.taxonomy import CellType
from hemascope.recipes import AnalysisRecipe, Prior
from hemascope.settings import Settings, read_settings

if TYPE_CHECKING:
    from hemascope.app.shared_encoders import SharedEncoders
    from hemascope.classify.second_look import SecondLook
    from hemascope.classify.second_opinion import SecondOpinion
    from hemascope.zoo.card import ModelCard
from hemascope.wiring.tables import load_prior


def build_classifier(
    prior: Prior | str, recipe: AnalysisRecipe | None = None, *, shared: SharedEncoders | None = None
) -> CellClassifier:
    """Return the shipped classifier under a prior.

    Parameters
    ----------
    prior
        A prior, or its name.
    recipe
        When not to decide; the default one where None.
    shared
        What other parts of the same analysis ask too; None for parts of its own.

    Raises
    ------
    RecipeError
        If there is no such prior.
    WeightsError
        If its weights are missing or damaged.
    """
    from hemascope.classify.conformal import read_conformal
    from hemascope.classify.decide import Thresholds
    from hemascope.classify.network import ClassifierSpec, NetworkClassifier
    from hemascope.zoo.card import read_card
    from hemascope.zoo.onnx_graph import OnnxGraph
    from hemascope.zoo.shipped import CELL_CLASSIFIER, shipped_folder

    recipe = recipe or AnalysisRecipe()
    shares = (load_prior(prior) if isinstance(prior, str) else prior).shares
    folder = shipped_folder(CELL_CLASSIFIER)
    card = read_card(folder)
    values = card.spec
    try:
        conformal = read_conformal(values.get("conformal"))
    except (AttributeError, TypeError, ValueError) as error:
        raise WeightsError(f"{folder}: its card is of another layout ({error}); install hemascope again") from error
    spec = ClassifierSpec(
        crop_px=values["crop_px"],
        crop_um=values["crop_um"],
        temperature=values["temperature"],
        training_shares={CellType(name): share for name, share in values["training_shares"].items()},
        anomaly_threshold=values["anomaly_threshold"],
        conformal=conformal,
    )
    thresholds = Thresholds(recipe.min_confidence, recipe.max_anomaly)
    graph = shared.graph(folder) if shared else OnnxGraph(folder, card, read_settings().threads)
    opinion = second_opinion(folder, card, shared.named("descriptors") if shared else None)
    second_look = _second_look(shared) if shared and recipe.generative == "cascade" else None
    return NetworkClassifier(graph, spec, shares, thresholds, opinion, second_look)


def _second_look(shared: SharedEncoders) -> SecondLook:
    """Return what the shipped denoiser of embeddings says of cells that the classifier is unsure of."""
    from hemascope.app.embedding_judge import open_second_look
    from hemascope.zoo.shipped import EMBEDDING_DENOISER, shipped_folder

    return open_second_look(shipped_folder(EMBEDDING_DENOISER), shared.named, read_settings().threads)


def second_opinion(folder: Path, card: ModelCard, encoder: Encoder | None = None) -> SecondOpinion | None:
    """Return the second opinion of a cell classifier, or None where its card states none."""
    from hemascope.classify.second_opinion import OPINION_FILE, read_second_opinion
    from hemascope.embed.descriptor_encoder import DescriptorEncoder
    from hemascope.zoo.onnx_graph import verified_bytes
    from hemascope.zoo.plain_tensors import tensors_from_bytes

    if "second_opinion" not in card.spec:
        return None
    path = folder / OPINION_FILE
    tensors = tensors_from_bytes(verified_bytes(path, card.files.get(OPINION_FILE, "")), str(path))
    return read_second_opinion(card.spec["second_opinion"], tensors, encoder or DescriptorEncoder())


def build_red_cell_classifier(settings: Settings | None = None) -> RedCellClassifier:
    """Return the shipped classifier of red cells.

    Raises
    ------
    WeightsError
        If its weights are missing or damaged.
    """
    from hemascope.classify.red_cells import NetworkRedCellClassifier, RedCellSpec
    from hemascope.zoo.card import read_card
    from hemascope.zoo.onnx_graph import OnnxGraph
    from hemascope.zoo.shipped import RED_CELL_CLASSIFIER, shipped_folder

    folder = shipped_folder(RED_CELL_CLASSIFIER)
    card = read_card(folder)
    spec = RedCellSpec(card.spec["crop_px"], card.spec["crop_um"], card.spec["temperature"])
    return NetworkRedCellClassifier(OnnxGraph(folder, card, (settings or read_settings()).threads), spec)


def red_cell_recipe() -> str:
    """Return the digest of the recipe that the shipped classifier of red cells was trained by."""
    from hemascope.zoo.card import read_card
    from hemascope.zoo.shipped import RED_CELL_CLASSIFIER, shipped_folder

    return read_card(shipped_folder(RED_CELL_CLASSIFIER)).training.recipe_sha256
