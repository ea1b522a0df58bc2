"""Names to objects; the only room that knows everyone. Heavy parts are imported when they are asked for."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hemascope.app.analyzer import Analyzer, EstimateScale
from hemascope.app.judge_cells import Judging
from hemascope.core.errors import MissingExtraError, RecipeError, WeightsError
from hemascope.core.ports import (
    AttributeTeller,
    CellClassifier,
    CellDenoiser,
    CellJudge,
    Encoder,
    RedCellClassifier,
    ResultSink,
    Segmenter,
    TensorGraph,
)
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellKind, CellType
from hemascope.core.units import Scale, ScaleSource
from hemascope.recipes import SEGMENTER_NAMES, AnalysisRecipe, Grading, Prior, load_recipe, override
from hemascope.settings import Settings, read_settings

if TYPE_CHECKING:
    from hemascope.app.bench_report import WholeRun
    from hemascope.app.bench_request import BenchmarkParts
    from hemascope.app.closest_cells import Explaining
    from hemascope.app.embedding_decider import EmbeddingDecider
    from hemascope.app.protocol_encoder import ProtocolEncoder
    from hemascope.app.shared_encoders import SharedEncoders
    from hemascope.app.synthesize import Generator
    from hemascope.classify.second_look import SecondLook
    from hemascope.classify.second_opinion import SecondOpinion
    from hemascope.core.report import SmearReport
    from hemascope.data.folds import Fold
    from hemascope.export.embeddings_table import EmbeddingsSink
    from hemascope.sources.discover import Source
    from hemascope.sources.outline_shelf import OutlineShelf
    from hemascope.zoo.card import ModelCard

PRIORS = Path(__file__).parent / "priors"
GRADINGS = Path(__file__).parent / "gradings"


def load_prior(name: str) -> Prior:
    """Return a shipped prior by name, or one from a TOML file.

    Raises
    ------
    RecipeError
        If there is neither, or the file is malformed.
    """
    shipped = PRIORS / f"{name}.toml"
    if shipped.is_file():
        return load_recipe(shipped, Prior)
    if name.endswith(".toml"):
        return load_recipe(Path(name), Prior)
    known = ", ".join(sorted(path.stem for path in PRIORS.glob("*.toml")))
    raise RecipeError(f"there is no prior '{name}'; choose one of {known}, or name a .toml file (see docs/recipes.md)")


def load_grading(name: str) -> Grading:
    """Return a shipped grading table by name, or one from a TOML file.

    Raises
    ------
    RecipeError
        If there is neither, or the file is malformed.
    """
    shipped = GRADINGS / f"{name}.toml"
    if shipped.is_file():
        return load_recipe(shipped, Grading)
    if name.endswith(".toml"):
        return load_recipe(Path(name), Grading)
    known = ", ".join(sorted(path.stem for path in GRADINGS.glob("*.toml")))
    raise RecipeError(
        f"there is no grading table '{name}'; choose one of {known}, or name a .toml file (see docs/recipes.md)"
    )


def network_segmenter(settings: Settings) -> Segmenter:
    """Return the shipped finder."""
    from hemascope.zoo.shipped import FINDER, shipped_folder

    return folder_segmenter(shipped_folder(FINDER), settings)


def folder_segmenter(folder: Path, settings: Settings | None = None) -> Segmenter:
    """Return the finder in a model folder, such as `hemascope train finetune` writes.

    Raises
    ------
    WeightsError
        If the folder holds no finder, or a file has not the digest of its card.
    """
    from hemascope.cells.network import FinderSpec, NetworkSegmenter
    from hemascope.zoo.card import read_card
    from hemascope.zoo.onnx_graph import OnnxGraph

    card = read_card(folder)
    try:
        if card.task != "find":
            raise ValueError(f"a model to {card.task}")
        spec = FinderSpec(
            mpp=float(card.spec["mpp"]),
            rays=int(card.spec["rays"]),
            stride=int(card.spec["stride"]),
            thresholds={CellKind(kind): float(value) for kind, value in card.spec["thresholds"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(
            f"{folder} holds no finder ({error}); name a folder that a finder was trained into"
        ) from error
    return NetworkSegmenter(OnnxGraph(folder, card, (settings or read_settings()).threads), spec)


def classical_segmenter(settings: Settings) -> Segmenter:
    """Return the finder that needs no weights."""
    from hemascope.cells.classical import ClassicalSegmenter

    return ClassicalSegmenter()


def stardist_segmenter(model: str) -> Segmenter:
    """Return StarDist with the weights that ``MODEL[@MPP]`` names."""
    from hemascope.cells.peers.choice import PeerChoice
    from hemascope.cells.peers.stardist import load_stardist

    return load_stardist(PeerChoice.read(model))


def cellpose_segmenter(model: str) -> Segmenter:
    """Return Cellpose with the weights that ``MODEL[@MPP]`` names."""
    from hemascope.cells.peers.cellpose import load_cellpose
    from hemascope.cells.peers.choice import PeerChoice

    return load_cellpose(PeerChoice.read(model))


def instanseg_segmenter(model: str) -> Segmenter:
    """Return InstanSeg with the weights that ``MODEL[@MPP]`` names."""
    from hemascope.cells.peers.choice import PeerChoice
    from hemascope.cells.peers.instanseg import load_instanseg

    return load_instanseg(PeerChoice.read(model))


SEGMENTERS: dict[str, Callable[[Settings], Segmenter]] = {
    "network": network_segmenter,
    "classical": classical_segmenter,
}
"""Finders by name."""

PEERS: dict[str, Callable[[str], Segmenter]] = {
    "stardist": stardist_segmenter,
    "cellpose": cellpose_segmenter,
    "instanseg": instanseg_segmenter,
}
"""Finders by other groups by name; each takes what stands after the colon of ``NAME:MODEL@MPP``, or nothing."""


def segmenter_name(text: str | None) -> str | None:
    """Return what a user calls a segmenter as a recipe has it: a model folder becomes ``network:FOLDER``."""
    if text is None or re.fullmatch(SEGMENTER_NAMES, text) or not Path(text).is_dir():
        return text
    return f"network:{text}"


def onnxruntime_graph(folder: Path, card: ModelCard, precision: str, threads: int) -> TensorGraph:
    """Return a model's graph run by ONNX Runtime."""
    from hemascope.zoo.onnx_graph import OnnxGraph

    return OnnxGraph(folder, card, threads, precision)


def openvino_graph(folder: Path, card: ModelCard, precision: str, threads: int) -> TensorGraph:
    """Return a model's graph run by OpenVINO."""
    from hemascope.zoo.openvino_graph import OpenVinoGraph

    return OpenVinoGraph(folder, card, precision, threads)


def torch_graph(folder: Path, card: ModelCard, precision: str, threads: int) -> TensorGraph:
    """Return a model's network run by torch."""
    if not _is_installed("torch"):
        raise MissingExtraError("the backend 'torch'", "train")
    from hemascope.train.torch_graph import load_torch_graph

    return load_torch_graph(folder, card, precision, threads)


BACKENDS: dict[str, Callable[[Path, ModelCard, str, int], TensorGraph]] = {
    "onnxruntime": onnxruntime_graph,
    "openvino": openvino_graph,
    "torch": torch_graph,
}
"""What runs a network, by name; each takes a model folder, its card, a precision and a number of threads."""


def build_graph(
    folder: Path,
    card: ModelCard,
    backend: str = "onnxruntime",
    precision: str = "fp32",
    settings: Settings | None = None,
) -> TensorGraph:
    """Return the network of a model folder; its identity names backend and precision.

    Parameters
    ----------
    folder, card
        The model's folder and its card.
    backend
        A key of ``BACKENDS``.
    precision
        ``fp32``; ``bf16`` of openvino and torch; or ``int8`` of onnxruntime and openvino, where 8-bit files lie
        beside the model.
    settings
        Threads; from the environment where None.

    Raises
    ------
    RecipeError
        If there is no such backend, or it has no such precision.
    WeightsError
        If a file is missing or damaged.
    MissingExtraError
        If the backend is not installed.
    """
    if backend not in BACKENDS:
        raise RecipeError(f"there is no backend '{backend}'; choose one of {', '.join(BACKENDS)}")
    return BACKENDS[backend](folder, card, precision, (settings or read_settings()).threads)


def build_segmenter(name: str, settings: Settings | None = None) -> Segmenter:
    """Return a finder by name, for a peer followed by ``:MODEL`` and ``@MPP`` at need, or ``network:FOLDER``.

    Raises
    ------
    RecipeError
        If there is none of that name.
    WeightsError
        If its weights are missing or damaged.
    MissingExtraError
        If a peer is not installed.
    """
    if name == "outlines":
        raise RecipeError("the segmenter 'outlines' takes them from files: name them with --outlines")
    peer, _, model = name.partition(":")
    if peer == "network" and model:
        return folder_segmenter(Path(model), settings)
    if peer in PEERS:
        return PEERS[peer](model)
    if name not in SEGMENTERS:
        raise RecipeError(f"there is no segmenter '{name}'; choose one of {', '.join([*SEGMENTERS, *PEERS])}")
    return SEGMENTERS[name](settings or read_settings())


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
    opinion = _second_opinion(folder, card, shared.named("descriptors") if shared else None)
    second_look = _second_look(shared) if shared and recipe.generative == "cascade" else None
    return NetworkClassifier(graph, spec, shares, thresholds, opinion, second_look)


def _second_look(shared: SharedEncoders) -> SecondLook:
    """Return what the shipped denoiser of embeddings says of cells that the classifier is unsure of."""
    from hemascope.app.embedding_judge import open_second_look
    from hemascope.zoo.shipped import EMBEDDING_DENOISER, shipped_folder

    return open_second_look(shipped_folder(EMBEDDING_DENOISER), shared.named, read_settings().threads)


def _second_opinion(folder: Path, card: ModelCard, encoder: Encoder | None = None) -> SecondOpinion | None:
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


def build_encoder(
    name: str, settings: Settings | None = None, backend: str = "onnxruntime", precision: str = "fp32"
) -> Encoder:
    """Return an encoder by its name in ``zoo.registry``, or the one in a model folder.

    Parameters
    ----------
    name
        Such as ``dinobloom_s``, or the path of a model folder; ``descriptors`` for handcrafted ones. With ``.looks``
        after it, the mean over four ways the crop can lie.
    settings
        Where pulled models lie, and threads; from the environment where None.
    backend, precision
        As ``build_graph`` takes them.

    Raises
    ------
    RecipeError
        If there is no such encoder, backend or precision.
    WeightsError
        If it is not installed, damaged, or no encoder.
    MissingExtraError
        If the backend is not installed.
    """
    from hemascope.embed.descriptor_encoder import DescriptorEncoder
    from hemascope.embed.graph_encoder import GraphEncoder, read_encoder_spec
    from hemascope.embed.looks import SUFFIX, LooksEncoder
    from hemascope.zoo.installed import encoder_folder

    if name.endswith(SUFFIX):
        return LooksEncoder(build_encoder(name.removesuffix(SUFFIX), settings, backend, precision))
    if name == "descriptors":
        if (backend, precision) != ("onnxruntime", "fp32"):
            raise RecipeError("the encoder 'descriptors' runs no network: leave out its backend and precision")
        return DescriptorEncoder()
    settings = settings or read_settings()
    folder, card = encoder_folder(name, settings.models)
    graph = build_graph(folder, card, backend, precision, settings)
    return GraphEncoder(graph, read_encoder_spec(card.spec, graph.identity.backend))


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


def shared_encoders(settings: Settings | None = None) -> SharedEncoders:
    """Return the encoders of one analysis, each built when it is first asked for."""
    from hemascope.app.shared_encoders import SharedEncoders
    from hemascope.zoo.card import read_card
    from hemascope.zoo.onnx_graph import OnnxGraph

    settings = settings or read_settings()
    return SharedEncoders(
        lambda folder: OnnxGraph(folder, read_card(folder), settings.threads),
        lambda name: build_encoder(name, settings),
    )


def build_attribute_teller(
    folder: Path | None = None, *, shared: SharedEncoders | None = None
) -> AttributeTeller | None:
    """Return what tells subtypes and attributes of white cells.

    Parameters
    ----------
    folder
        A model folder, as `hemascope train attributes` writes it; the shipped one where None.
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
    from hemascope.zoo.card import TENSORS_FILE, read_card
    from hemascope.zoo.shipped import CELL_ATTRIBUTES, shipped_card, shipped_folder

    if folder is None:
        if shipped_card(CELL_ATTRIBUTES) is None:
            return None
        folder = shipped_folder(CELL_ATTRIBUTES)
    from hemascope.app.attribute_teller import HeadsTeller
    from hemascope.app.attribute_training import build_choice, open_attributes
    from hemascope.app.protocol_encoder import bare_encoder

    card = read_card(folder)
    choice = str(card.spec.get("encoder_choice"))
    if shared is None:
        encoders = build_choice(choice, build_protocol_encoder)
    else:
        encoders = tuple(bare_encoder(shared.named(name)) for name in choice.split("+"))
    heads = open_attributes(folder, encoders)
    identity = ModelIdentity(card.name, card.version, card.files[TENSORS_FILE], "numpy-cpu-fp32", card.license)
    return HeadsTeller(encoders, heads, identity)


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


def build_analyzer(
    recipe: AnalysisRecipe | None = None, *, mpp: float | None = None, outlines: OutlineShelf | None = None
) -> Analyzer:
    """Return the analyzer that a recipe asks for.

    Parameters
    ----------
    recipe
        The default recipe where None.
    mpp
        Um per pixel of every field, as the user states it.
    outlines
        Imported outlines, which then take the place of the segmenter.

    Raises
    ------
    ScaleError
        If ``mpp`` is implausible.
    RecipeError
        If the recipe names an unknown part.
    WeightsError
        If weights are missing or damaged.
    """
    from hemascope.qc.assess import assess
    from hemascope.sources.raster import RasterReader

    recipe = recipe or AnalysisRecipe()
    settings = read_settings()
    if outlines is not None:
        return _with_outlines(build_analyzer(override(recipe, segmenter="classical"), mpp=mpp), outlines)
    shared = shared_encoders(settings)
    return Analyzer(
        reader=RasterReader(max_pixels=settings.max_pixels),
        segmenter=build_segmenter(recipe.segmenter, settings),
        classifier=build_classifier(recipe.prior, recipe, shared=shared),
        judge=assess,
        scale=Scale(mpp, ScaleSource.STATED) if mpp is not None else None,
        scale_sample=recipe.scale_sample,
        red_cells=build_red_cell_classifier(settings) if recipe.red_cells else None,
        attributes=build_attribute_teller(shared=shared) if recipe.attributes else None,
        generative=_judging(recipe, shared),
        estimate=_scale_estimate(recipe.segmenter, settings),
    )


def _judging(recipe: AnalysisRecipe, shared: SharedEncoders) -> Judging | None:
    """Return what judges cells and what follows; None where the recipe asks for none, or none ships."""
    judge = None if recipe.generative == "off" else build_cell_judge(shared=shared)
    if judge is None:
        return None
    return Judging(judge, recipe.generative_abstention, recipe.max_anomaly, recipe.generative)


def _scale_estimate(segmenter: str, settings: Settings) -> EstimateScale:
    """Return how the scale of fields without one is estimated: by the finder that answers, or by the shipped one.

    A fine-tuned finder has seen its laboratory's scale alone and may see cells in parts of cells at others.
    """
    from hemascope.cells.scale import estimate_scale

    if not segmenter.startswith("network:"):
        return estimate_scale
    shipped = network_segmenter(settings)
    return lambda fields, _: estimate_scale(fields, shipped)


def _with_outlines(analyzer: Analyzer, outlines: OutlineShelf) -> Analyzer:
    """Return ``analyzer`` with imported outlines instead of what its segmenter finds."""
    from hemascope.cells.imported import ImportedSegmenter
    from hemascope.cells.scale import measure_scale
    from hemascope.sources.outline_shelf import OutlinedReader

    identity = ModelIdentity(f"outlines of {outlines.name}", "imported", outlines.sha256, "none", "not stated")
    return replace(
        analyzer,
        reader=OutlinedReader(analyzer.reader, outlines),
        segmenter=ImportedSegmenter(lambda field: outlines.of(field).outlines, identity),
        estimate=measure_scale,
    )


def build_sinks(folder: Path) -> list[ResultSink]:
    """Return a sink for every artefact this installation can write into ``folder``."""
    from hemascope.export.cells_table import CellsCsvSink
    from hemascope.export.geojson import CellsGeoJsonSink
    from hemascope.export.report_json import ReportJsonSink
    from hemascope.reporting.html import HtmlReportSink

    sinks: list[ResultSink] = [
        HtmlReportSink(folder / "report.html"),
        ReportJsonSink(folder / "report.json"),
        CellsCsvSink(folder / "cells.csv"),
        CellsGeoJsonSink(folder / "cells.geojson"),
    ]
    if _is_installed("pyarrow") and _is_installed("anndata"):
        from hemascope.export.anndata_table import CellsAnnDataSink
        from hemascope.export.parquet import CellsParquetSink

        sinks += [CellsParquetSink(folder / "cells.parquet"), CellsAnnDataSink(folder / "cells.h5ad")]
    return sinks


def build_embeddings_sink(folder: Path, table_format: str) -> EmbeddingsSink:
    """Return what writes embeddings into ``folder``: as ``h5ad`` or as ``zarr``.

    Raises
    ------
    RecipeError
        If there is no such format.
    MissingExtraError
        If what writes it is not installed.
    """
    from hemascope.export.embeddings_table import EmbeddingsSink

    if table_format not in ("h5ad", "zarr"):
        raise RecipeError(f"embeddings are written as h5ad or zarr, not as '{table_format}'; choose one with --format")
    return EmbeddingsSink(folder, "h5ad" if table_format == "h5ad" else "zarr")


def build_protocol_encoder(name: str) -> ProtocolEncoder:
    """Return an encoder under test: ``descriptors``, a known name, or a folder of an encoder or a cell classifier.

    Raises
    ------
    RecipeError
        If there is none of that name.
    WeightsError
        If it is not installed, damaged, or neither an encoder nor a classifier.
    """
    from hemascope.app.protocol_encoder import bare_encoder, card_encoder, classifier_encoder, shown_model, started_from
    from hemascope.embed.descriptor_encoder import DescriptorEncoder
    from hemascope.embed.looks import SUFFIX
    from hemascope.zoo.card import read_card
    from hemascope.zoo.installed import encoder_folder
    from hemascope.zoo.onnx_graph import OnnxGraph

    if name == "descriptors":
        return bare_encoder(DescriptorEncoder())
    settings = read_settings()
    if Path(name).is_dir():
        card = read_card(Path(name))
        if card.task == "classify":
            graph = OnnxGraph(Path(name), card, settings.threads)
            opinion = _second_opinion(Path(name), card)
            return classifier_encoder(shown_model(name), graph, card, started_from(card), opinion)
    _, card = encoder_folder(name.removesuffix(SUFFIX), settings.models)
    return card_encoder(shown_model(name), build_encoder(name, settings), card, started_from(card))


def benchmark_parts() -> BenchmarkParts:
    """Return what the benchmarks measure."""
    from hemascope.app.bench_request import BenchmarkParts

    return BenchmarkParts(
        analyzer=lambda name: build_analyzer(override(AnalysisRecipe(), segmenter=segmenter_name(name))),
        classifier=lambda: build_classifier("even"),
        whole_run=_whole_run,
        red_cells=build_red_cell_classifier,
        red_cell_recipe=red_cell_recipe,
        fold_analyzers=_fold_analyzers,
        protocol_encoder=build_protocol_encoder,
        graph=lambda folder, card, backend, precision, threads: build_graph(
            folder, card, backend, precision, Settings(threads=threads)
        ),
        pixel_denoiser=build_pixel_denoiser,
        embedding_decider=build_embedding_decider,
        published_denoiser=seeded_latent_denoiser,
    )


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
    if not _is_installed("torch"):
        raise MissingExtraError("the latent diffusion", "train")
    from hemascope.train.latent_denoiser import LatentSpec
    from hemascope.train.latent_seeded import seeded_denoiser

    return seeded_denoiser(LatentSpec(tuple(cell_type.value for cell_type in CellType)))


def _fold_analyzers(runs: Path) -> dict[Fold, Analyzer]:
    """Return an analyzer with the finder of every fold of one cross-validation, in order; red cells are not typed.

    Raises
    ------
    RecipeError
        If a fold is missing, or two were trained by different recipes.
    WeightsError
        If a model is damaged.
    """
    from hemascope.data.folds import Fold, all_folds
    from hemascope.zoo.card import CARD_FILE, read_card

    folders = [path.parent for path in sorted(runs.glob(f"*/model/{CARD_FILE}"))]
    cards = {folder: read_card(folder) for folder in folders}
    trained = {
        f: Fold.parse(card.spec["fold"]) for f, card in cards.items() if card.task == "find" and "fold" in card.spec
    }
    if len({cards[folder].training.recipe_sha256 for folder in trained}) > 1:
        raise RecipeError(f"{runs}: folds of different recipes lie there; keep one cross-validation in a folder")
    missing = [str(fold) for fold in all_folds(trained.values()) if fold not in trained.values()]
    if missing or not trained:
        wanted = ", ".join(missing) or "every fold"
        raise RecipeError(f"{runs}: run `hemascope train segmenter RECIPE --fold` for {wanted} first")
    plain = build_analyzer(override(AnalysisRecipe(), red_cells=False, attributes=False, generative="off"))
    analyzers = {fold: replace(plain, segmenter=folder_segmenter(folder)) for folder, fold in trained.items()}
    return dict(sorted(analyzers.items(), key=lambda item: item[0].index))


def _whole_run(segmenter: str) -> WholeRun:
    """Return what `hemascope analyze` does, with a segmenter by name, as a function of images and a folder."""
    from hemascope.app.analyze import AnalysisRequest, OnResult, analyze
    from hemascope.app.provenance import gather_provenance

    recipe = override(AnalysisRecipe(), segmenter=segmenter)
    analyzer = build_analyzer(recipe)

    def run(sources: Sequence[Source], out: Path, on_result: OnResult) -> SmearReport:
        provenance = gather_provenance(recipe, analyzer.models, "hemascope bench report")
        request = AnalysisRequest(
            sources, out, load_prior(recipe.prior), provenance, grading=load_grading(recipe.grading)
        )
        return analyze(request, analyzer, build_sinks, on_result)

    return run


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
