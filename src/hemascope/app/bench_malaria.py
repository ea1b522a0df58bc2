"""Benchmark ``malaria``: real patients as bags of one size, by repeated cross-validation grouped by patient."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import Measures, table_digest
from hemascope.app.bench_request import BenchmarkParts, BenchmarkRequest, Outcome, needed_root
from hemascope.app.malaria_bags import MalariaPatients, patients_of
from hemascope.app.malaria_measures import (
    cell_auroc,
    gray_histograms,
    gray_percentiles,
    gray_scores,
    mean_of_folds,
    patient_auroc,
    scores_of_draws,
)
from hemascope.app.malaria_trials import VIEWS, RepeatAnswers, run_repeat
from hemascope.core.errors import InputError, MissingExtraError
from hemascope.core.provenance import ModelIdentity
from hemascope.data.malaria import CARD, open_malaria
from hemascope.embed.dark_spots import dark_spot_numbers, standardized_gray
from hemascope.evaluate.estimate import Estimate
from hemascope.recipes import load_recipe
from hemascope.recipes.cell_bags import CellBagRecipe
from hemascope.stats.ranking import auroc

DEFAULT_RUNS = Path("runs") / "malaria"
HEADLINE = "both"
"""The mean of the two networks' answers, by the cells that say most."""


def run(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    """Train what is not trained yet, and return every figure beside its controls.

    Raises
    ------
    InputError
        If no recipe is named, or a split is asked for: every patient is left out in turn.
    DataSetError
        If the set is absent or malformed, or has too few patients or cells for the recipe.
    MissingExtraError
        If torch is not installed.
    """
    del parts
    if request.recipe is None:
        raise InputError("the benchmark 'malaria' trains; name its recipe, --recipe recipes/malaria.toml for one")
    if request.split != "test":
        raise InputError("the benchmark 'malaria' leaves every patient out in turn; leave out --split")
    if find_spec("torch") is None:
        raise MissingExtraError("hemascope bench malaria", "train")
    recipe = load_recipe(request.recipe, CellBagRecipe)
    root = needed_root(request)
    cells = open_malaria(root)
    patients = patients_of(cells, request.limit)
    runs = (request.runs or DEFAULT_RUNS) / f"{recipe.name}-{recipe.digest()[:8]}-{len(patients.names)}"
    seen = _seen(cells.images, progress)
    repeats = [run_repeat(recipe, patients, seen, number, runs, progress) for number in range(recipe.repeats)]
    measures = Measures()
    _add_rows(measures, patients, repeats)
    _add_many_draws(measures, recipe, patients, repeats)
    controls = {"gray_histogram": gray_histograms(cells.images), "gray_percentiles": gray_percentiles(cells.images)}
    _add_controls(measures, patients, repeats, controls)
    measures.metrics["seconds.training"] = round(sum(sum(repeat.seconds.values()) for repeat in repeats), 1)
    return Outcome(
        data={CARD.name: {"version": "", "license": CARD.license, "tables_sha256": table_digest(root / CARD.name)}},
        n={
            "patients": len(patients.names),
            "malaria": int(patients.malaria.sum()),
            "cells": int(patients.sizes.sum()),
            "cells_of_a_bag": recipe.bag,
        },
        measures=measures,
        baselines={},
        models=(ModelIdentity(recipe.name, recipe.version, recipe.digest(), "torch-cpu", "not shipped"),),
        notes={"recipe": recipe.model_dump(mode="json"), "headline": HEADLINE},
    )


def _seen(images: NDArray[np.uint8], progress: Progress) -> dict[str, NDArray[np.float32]]:
    """Return the cells as pictures and as numbers."""
    numbers = []
    for place, image in enumerate(images):
        numbers.append(dark_spot_numbers(image))
        if place % 100 == 0:
            progress("dark spots of cells", place, len(images))
    return {"descriptors": np.stack(numbers), "network": np.stack([standardized_gray(image) for image in images])}


def _add_rows(measures: Measures, patients: MalariaPatients, repeats: list[RepeatAnswers]) -> None:
    """Add each way to decide: its figure of patients, and how its view of cells agrees with their labels."""
    bags, folds = [r.bags for r in repeats], [r.fold for r in repeats]
    for row, (answer, of_cells) in _rows(repeats).items():
        measures.add(
            row,
            {
                "patient_auroc": patient_auroc(patients.names, answer, patients.malaria),
                "patient_auroc_within_folds": mean_of_folds(answer, folds, patients.malaria),
                "patient_auroc_set_test": _of_split(patients, answer, "test"),
                "lowest_repeat": Estimate(min(_areas(patients, answer))),
            },
        )
        measures.add(f"{row}.cell_auroc", cell_auroc(patients, of_cells, bags))


def _add_many_draws(
    measures: Measures, recipe: CellBagRecipe, patients: MalariaPatients, repeats: list[RepeatAnswers]
) -> None:
    """Add the figures of patients who are asked about by many bags of the same size instead of one."""
    seed = recipe.seed + 10_000_000
    evidences = {view: [repeat.of_every_cell[view] for repeat in repeats] for view in VIEWS}
    evidences[HEADLINE] = [(a + b) / 2 for a, b in zip(*(evidences[view] for view in VIEWS), strict=True)]
    for view, by_repeat in evidences.items():
        scores = [
            scores_of_draws(patients, evidence, recipe.bag, recipe.top, recipe.draws, seed + 1000 * number)
            for number, evidence in enumerate(by_repeat)
        ]
        row = f"{view}.many_draws" if view == HEADLINE else f"{view}.evidence.many_draws"
        measures.add(row, {"patient_auroc": patient_auroc(patients.names, scores, patients.malaria)})


def _rows(repeats: list[RepeatAnswers]) -> dict[str, tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]]:
    """Return row to the scores of patients and of cells, repeat by repeat."""
    rows = {}
    for view in VIEWS:
        told = [repeat.answers[view] for repeat in repeats]
        rows[f"{view}.gated_attention"] = [t["attended"] for t in told], [t["attention"] for t in told]
        rows[f"{view}.evidence"] = [t["top"] for t in told], [t["evidence"] for t in told]
    ones, others = rows["network.evidence"], rows["descriptors.evidence"]
    rows[HEADLINE] = tuple(  # type: ignore[assignment]
        [(a + b) / 2 for a, b in zip(one, other, strict=True)] for one, other in zip(ones, others, strict=True)
    )
    return rows


def _add_controls(
    measures: Measures, patients: MalariaPatients, repeats: list[RepeatAnswers], grays: dict[str, NDArray[np.float64]]
) -> None:
    """Add what gray values alone tell, in the same bags and folds and with all cells, and what the bag's size tells."""
    malaria = patients.malaria
    scores = {"cells_before_drawing": [-patients.sizes.astype(np.float64)]}
    for name, values in grays.items():
        whole = np.stack([values[rows].mean(axis=0) for rows in patients.rows])
        scores[name] = [gray_scores(values[r.bags].mean(axis=1), malaria, r.fold) for r in repeats]
        scores[f"{name}_all_cells"] = [gray_scores(whole, malaria, r.fold) for r in repeats]
    for name, told in scores.items():
        measures.add(f"control.{name}", {"patient_auroc": patient_auroc(patients.names, told, malaria)})


def _areas(patients: MalariaPatients, scores: list[NDArray[np.float64]]) -> list[float]:
    return [auroc(score, patients.malaria) for score in scores]


def _of_split(patients: MalariaPatients, scores: list[NDArray[np.float64]], split: str) -> Estimate:
    """Return the figure of the patients of one split of the set: nothing of the recipe was settled on ``test``."""
    chosen = np.array([name == split for name in patients.split])
    if not chosen.any():
        return Estimate(None)
    names = [name for name, own in zip(patients.names, chosen, strict=True) if own]
    return patient_auroc(names, [score[chosen] for score in scores], patients.malaria[chosen])
