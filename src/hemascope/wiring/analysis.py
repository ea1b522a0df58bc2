"""The analyzer with all its parts, and where its results go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hemascope.app.analyzer import Analyzer, EstimateScale
from hemascope.app.judge_cells import Judging
from hemascope.core.errors import RecipeError
from hemascope.core.ports import (
    ResultSink,
)
from hemascope.core.provenance import ModelIdentity
from hemascope.core.units import Scale, ScaleSource
from hemascope.recipes import AnalysisRecipe, override
from hemascope.settings import Settings, read_settings

if TYPE_CHECKING:
    from hemascope.app.shared_encoders import SharedEncoders
    from hemascope.export.embeddings_table import EmbeddingsSink
    from hemascope.sources.outline_shelf import OutlineShelf
from hemascope.wiring.classifiers import build_classifier, build_red_cell_classifier
from hemascope.wiring.denoisers import build_cell_judge
from hemascope.wiring.encoders import build_attribute_teller, shared_encoders
from hemascope.wiring.graphs import is_installed
from hemascope.wiring.segmenters import build_segmenter, network_segmenter


def build_analyzer(
    recipe: AnalysisRecipe | None = None,
    *,
    mpp: float | None = None,
    outlines: OutlineShelf | None = None,
    shared: SharedEncoders | None = None,
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
    shared
        Encoders that parts beside the analyzer ask too; None for its own.

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
        classical = build_analyzer(override(recipe, segmenter="classical"), mpp=mpp, shared=shared)
        return _with_outlines(classical, outlines)
    shared = shared or shared_encoders(settings)
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
    if is_installed("pyarrow") and is_installed("anndata"):
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
