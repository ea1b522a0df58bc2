"""What `embed` is asked for, made into images, a store, a table and what the table says of the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from hemascope.app.analyzer import Analyzer
from hemascope.app.cell_images import CellImages
from hemascope.app.embed import BagSink, EmbedSummary, OnImage, embed
from hemascope.app.embed_crops import LabeledCrops
from hemascope.app.embed_fields import FieldImages
from hemascope.app.embed_single_cells import SingleCells
from hemascope.app.provenance import gather_provenance
from hemascope.app.target_cells import DEFAULT_UM
from hemascope.core.embedding import EncoderSpec, encoder_digest
from hemascope.core.errors import DataSetError, NoImagesError, OutlineError, RecipeError
from hemascope.core.ports import Encoder
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellKind
from hemascope.core.version import __version__
from hemascope.data.catalog import CROP_READERS, check_split_groups, open_crops
from hemascope.data.root import data_root
from hemascope.embed.scale_memory import remember_scales
from hemascope.embed.store import ShardStore, json_digest
from hemascope.recipes import AnalysisRecipe, override
from hemascope.sources.discover import discover
from hemascope.sources.outline_classes import ClassTable
from hemascope.sources.outline_shelf import OutlineShelf
from hemascope.sources.raster import RasterReader
from hemascope.zoo.card import GRAPH_FILE, read_card
from hemascope.zoo.shipped import FINDER, shipped_folder

SCALE_VERSION = 1
"""Raised whenever the estimate of a scale changes, so that older ones are not taken."""


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """What to embed, and where to.

    Attributes
    ----------
    out
        Folder for the table.
    command
        What was asked, as the user would type it.
    paths
        Field images, folders or globs; empty where ``data_set`` is named.
    mpp, segmenter
        As `analyze` takes them.
    outlines, classes
        Outlines made elsewhere and what their classes mean, as `analyze` takes them.
    kinds
        Values of ``CellKind``; white cells where empty.
    data_set, split, data
        A public set of single cells, a value of its split column or ``all``, and the folder of all sets.
    crop_um
        Width of a crop in um; None for the encoder's own, or ``DEFAULT_UM`` where its makers state none.
    store
        Folder of the store; None for one in ``out``.
    single_cells
        Whether each image shows one cell, so that none is searched for.
    """

    out: Path
    command: str
    paths: tuple[str, ...] = ()
    mpp: float | None = None
    segmenter: str | None = None
    outlines: Path | None = None
    classes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    data_set: str | None = None
    split: str = "all"
    data: Path | None = None
    crop_um: float | None = None
    store: Path | None = None
    single_cells: bool = False

    @property
    def store_folder(self) -> Path:
        """Where embeddings are kept between runs."""
        return self.store or self.out / "store"


class BuildAnalyzer(Protocol):
    """A recipe to an analyzer; see ``wiring.build_analyzer``."""

    def __call__(
        self, recipe: AnalysisRecipe | None = None, *, mpp: float | None = None, outlines: OutlineShelf | None = None
    ) -> Analyzer:
        """Return the analyzer."""
        ...


def request_images(request: EmbedRequest, spec: EncoderSpec, build: BuildAnalyzer) -> CellImages:
    """Return the images that are asked for, cut as an encoder wants them.

    Raises
    ------
    NoImagesError
        If neither images nor a set were named, or nothing was found.
    DataSetError, OutlineError, RecipeError
        If options contradict each other, or what they name is not there.
    """
    width = request.crop_um or spec.crop_um or DEFAULT_UM
    if request.data_set is not None:
        return _of_data_set(request, request.data_set, spec.crop_px, width)
    if not request.paths:
        raise NoImagesError("no image was named; give images, folders or globs, or a public set with --data-set")
    sources = discover(request.paths)
    if request.single_cells:
        _refuse_finding(request)
        return SingleCells(RasterReader(), sources, spec.crop_px, width, request.mpp)
    shelf = _shelf(request)
    recipe = override(AnalysisRecipe(), segmenter=request.segmenter, red_cells=False)
    analyzer = build(recipe, mpp=request.mpp, outlines=shelf)
    if shelf is None:  # imported outlines tell a scale at once, by more than their file's digest
        estimate = remember_scales(analyzer.estimate, request.store_folder / "scales", _scale_step())
        analyzer = replace(analyzer, estimate=estimate)
    return FieldImages(analyzer, sources, _kinds(request.kinds), spec.crop_px, width, by_cells=shelf is not None)


def embed_images(
    request: EmbedRequest, images: CellImages, encoder: Encoder, sink: BagSink, on_image: OnImage
) -> EmbedSummary:
    """Embed images as asked and write the table; see ``embed``."""
    facts = _facts(request, images, encoder)
    return embed(images, encoder, ShardStore(request.store_folder), sink, facts, on_image)


def _facts(
    request: EmbedRequest, images: CellImages, encoder: Encoder
) -> Callable[[EmbedSummary], Mapping[str, object]]:
    """Return what the table says of the run, as a function of how it went; it starts now."""
    if isinstance(images, FieldImages):
        recipe = override(AnalysisRecipe(), segmenter=request.segmenter, red_cells=False)
        models: tuple[ModelIdentity, ...] = (images.analyzer.segmenter.identity, encoder.identity)
        provenance = gather_provenance(recipe, models, request.command)
    else:
        chosen: dict[str, object] = {"data_set": request.data_set, "split": request.split}
        if isinstance(images, SingleCells):
            chosen = dict(images.cut)
        provenance = gather_provenance(AnalysisRecipe(), (encoder.identity,), request.command)
        provenance = replace(provenance, recipe=chosen, recipe_sha256=json_digest(chosen))
    described = asdict(encoder.identity) | asdict(encoder.spec)
    described["digest"] = encoder_digest(encoder.identity, _as_cut(encoder.spec, images))
    return lambda summary: {
        "encoder": described,
        "crops": images.cut,
        "provenance": json.dumps(asdict(provenance), sort_keys=True, default=str),
        "failed": [failed.message for failed in summary.failed],
    }


def _as_cut(spec: EncoderSpec, images: CellImages) -> EncoderSpec:
    """Return the specification with the width that crops have, where that is not the encoder's own.

    Cells cut at another width have other embeddings: what was learned on the ones must not meet the others.
    """
    width = images.cut.get("crop_um")
    if not isinstance(width, float) or width == (spec.crop_um or DEFAULT_UM):
        return spec
    return replace(spec, crop_um=width)


def _of_data_set(request: EmbedRequest, name: str, crop_px: int, crop_um: float) -> LabeledCrops:
    if request.paths:
        raise DataSetError("--data-set takes the place of images: leave out the images, or --data-set")
    if any((request.mpp, request.segmenter, request.outlines, request.classes, request.kinds, request.single_cells)):
        raise DataSetError(
            "a public set brings its cells and its scale: leave out --mpp, --segmenter, --outlines, --class, --kind "
            "and --single"
        )
    if name not in CROP_READERS:
        raise DataSetError(
            f"'{name}' is no public set of single cells; choose one of {', '.join(CROP_READERS)}, or name the folder "
            "of its field images in the place of --data-set"
        )
    root = data_root(request.data)
    check_split_groups(open_crops(name, root))
    return LabeledCrops(open_crops(name, root, request.split), crop_px, crop_um)


def _refuse_finding(request: EmbedRequest) -> None:
    if any((request.segmenter, request.outlines, request.classes, request.kinds)):
        raise OutlineError(
            "--single takes each image as one cell: leave out --segmenter, --outlines, --class and --kind"
        )


def _shelf(request: EmbedRequest) -> OutlineShelf | None:
    if request.outlines is None:
        if request.classes:
            raise OutlineError("--class says what imported classes mean: name the outlines with --outlines")
        return None
    if request.segmenter is not None:
        raise OutlineError("--outlines takes the place of a segmenter: leave out --segmenter, or --outlines")
    return OutlineShelf(request.outlines, discover(request.paths), ClassTable.parse(request.classes))


def _kinds(names: tuple[str, ...]) -> frozenset[CellKind]:
    unknown = [name for name in names if name not in {kind.value for kind in CellKind}]
    if unknown:
        raise RecipeError(f"there is no kind of cell '{unknown[0]}'; choose of {', '.join(CellKind)}")
    return frozenset(CellKind(name) for name in names) or frozenset({CellKind.WHITE_CELL})


def _scale_step() -> str:
    """Return the digest of what decides an estimated scale besides the finder: for fine-tuned ones, the shipped one."""
    return json_digest([SCALE_VERSION, __version__, read_card(shipped_folder(FINDER)).files[GRAPH_FILE]])
