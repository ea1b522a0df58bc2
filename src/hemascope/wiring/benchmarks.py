"""What the benchmarks measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hemascope.app.analyzer import Analyzer
from hemascope.core.errors import RecipeError
from hemascope.recipes import AnalysisRecipe, override
from hemascope.settings import Settings

if TYPE_CHECKING:
    from hemascope.app.bench_report import WholeRun
    from hemascope.app.bench_request import BenchmarkParts
    from hemascope.core.report import SmearReport
    from hemascope.data.folds import Fold
    from hemascope.sources.discover import Source
from hemascope.wiring.analysis import build_analyzer, build_sinks
from hemascope.wiring.classifiers import build_classifier, build_red_cell_classifier, red_cell_recipe
from hemascope.wiring.denoisers import build_embedding_decider, build_pixel_denoiser, seeded_latent_denoiser
from hemascope.wiring.encoders import build_protocol_encoder
from hemascope.wiring.graphs import build_graph
from hemascope.wiring.patients import build_bag_model
from hemascope.wiring.segmenters import folder_segmenter, segmenter_name
from hemascope.wiring.tables import load_grading, load_prior


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
        bag_model=lambda folder, threads: build_bag_model(folder, settings=Settings(threads=threads)),
    )


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
