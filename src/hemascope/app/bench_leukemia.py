"""Benchmark ``leukemia``: HMSCAM trained and measured whole, with its honest companions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import Measures
from hemascope.app.bench_request import BenchmarkParts, BenchmarkRequest, Outcome, describe_set, needed_root
from hemascope.app.leukemia_companions import companion_answers, held_out_by_fold
from hemascope.app.leukemia_costs import measure_full_size
from hemascope.app.leukemia_measures import (
    add_attention,
    add_robustness,
    add_rotation,
    add_seeds,
    add_single,
    curve_points,
)
from hemascope.app.leukemia_trials import (
    ABLATION,
    COMPARED,
    HEADLINE,
    TrialAnswers,
    answers_of,
    run_folder,
    run_trials,
)
from hemascope.core.errors import InputError
from hemascope.core.provenance import ModelIdentity
from hemascope.data.catalog import check_split_groups, open_fields
from hemascope.data.records import FieldRecord
from hemascope.recipes import LeukemiaTrainingRecipe, load_recipe

SET = "taleqani_all"
DEFAULT_RUNS = Path("runs") / "leukemia"


def run(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    """Train what is not trained yet, and return every figure.

    Raises
    ------
    InputError
        If no recipe is named, or a split other than that of the set is asked for.
    DataSetError
        If the set is absent or malformed, or a stain cluster sits in two of its splits.
    RecipeError
        If the recipe is none.
    MissingExtraError
        If torch is not installed.
    """
    del parts
    if request.recipe is None:
        raise InputError("the benchmark 'leukemia' trains; name its recipe, --recipe recipes/hmscam_cpu.toml for one")
    if request.split != "test":
        raise InputError("the benchmark 'leukemia' holds out what the set and its rotations say; leave out --split")
    recipe = load_recipe(request.recipe, LeukemiaTrainingRecipe)
    root = needed_root(request)
    _need_torch()
    from hemascope.train.leukemia import device
    from hemascope.train.leukemia_images import load_images

    records = _first_of_clusters(open_fields(SET, root), request.limit)
    check_split_groups(records)
    images = load_images(records)
    held_out = held_out_by_fold(records, recipe.rotations)
    companions, chosen = companion_answers(records, images, held_out, progress)
    trials = run_trials(recipe, images, held_out, request.runs or DEFAULT_RUNS, progress)
    measures, labels, groups = Measures(), images.subtypes, images.groups
    _add_split(measures, recipe, trials, labels, groups)
    for name in ("color_only", "descriptors"):
        rows = np.flatnonzero(held_out[None])
        add_single(measures, f"{SET}.split.{name}", companions[f"{name}_split"][rows], None, labels[rows], groups[rows])
    add_single(measures, f"{SET}.random.color_only", companions["color_only_random"], None, labels, groups)
    _add_rotations(measures, recipe, trials, companions, labels, groups)
    _add_costs(measures, recipe, trials)
    curves = {name: curve_points(trials[_first(name, recipe)], labels) for name in COMPARED}
    if request.pictures is not None:
        from hemascope.app.leukemia_overlays import write_test_overlays

        model = run_folder(recipe, len(records), request.runs or DEFAULT_RUNS) / _first(HEADLINE, recipe)
        write_test_overlays(model, images, held_out[None], request.pictures)
    notes: dict[str, object] = {
        "start": "random weights: no ImageNet weights" if recipe.start is None else "ImageNet weights from a file",
        "recipe": recipe.model_dump(mode="json"),
        "recipe_sha256": recipe.digest(),
        "chosen": chosen,
        "curves": curves,
        "trials": {name: told.trial for name, told in trials.items()},
    }
    identity = ModelIdentity(recipe.name, recipe.version, recipe.digest(), f"torch-{device()}-bf16", "not shipped")
    return Outcome(
        data={SET: describe_set(SET, root, "classes and stain clusters")},
        n={SET: len(records), f"{SET}.test": int(held_out[None].sum()), f"{SET}.clusters": len(set(groups.tolist()))},
        measures=measures,
        baselines={},
        models=(identity,),
        notes=notes,
    )


def _first(name: str, recipe: LeukemiaTrainingRecipe) -> str:
    """Return the trial of a network under its first seed."""
    return f"{name}_seed{recipe.seeds[0] if name == HEADLINE else recipe.ablation_seeds[0]}"


def _add_split(
    measures: Measures,
    recipe: LeukemiaTrainingRecipe,
    trials: dict[str, TrialAnswers],
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
) -> None:
    """Add what was measured on the set's own test split."""
    networks = (HEADLINE, *ABLATION, "alexnet", "vit")
    for name in networks:
        seeds = recipe.seeds if name == HEADLINE else recipe.ablation_seeds
        add_seeds(measures, f"{SET}.split.{name}", [trials[f"{name}_seed{seed}"] for seed in seeds], labels)
    single = {name: _first(name, recipe) for name in networks}
    single |= {f"share{round(100 * s)}": f"share{round(100 * s)}_{HEADLINE}" for s in recipe.shares}
    single |= {view: f"{view}_{HEADLINE}" for view in ("background", "hsv")}
    for name, trial in single.items():
        told = trials[trial]
        rows = told.rows
        subtypes, malignant = told.arrays["subtypes"], told.arrays["malignant"]
        add_single(measures, f"{SET}.split.{name}", subtypes, malignant, labels[rows], groups[rows])
    for name in COMPARED:
        add_robustness(measures, f"{SET}.robust.{name}", trials[_first(name, recipe)], labels)
    add_attention(measures, f"{SET}.attention", trials[_first(HEADLINE, recipe)])


def _add_rotations(
    measures: Measures,
    recipe: LeukemiaTrainingRecipe,
    trials: dict[str, TrialAnswers],
    companions: dict[str, NDArray[np.float64]],
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
) -> None:
    """Add what was measured with stain clusters rotated through the test side, every field once."""
    rows, told = answers_of(trials, [f"rotation{k}_{HEADLINE}" for k in range(1, recipe.rotations + 1)])
    order = np.argsort(rows)
    network = told.arrays["subtypes"][order]
    answers = {HEADLINE: network, **{n: v for n, v in companions.items() if not n.endswith(("_split", "_random"))}}
    answers["hmscam_and_descriptors"] = (network + companions["descriptors"]) / 2
    for name, probabilities in answers.items():
        binary = told.arrays["malignant"][order] if name == HEADLINE else None
        add_rotation(
            measures, f"{SET}.rotation.{name}", probabilities, binary, companions["color_only"], labels, groups
        )


def _add_costs(measures: Measures, recipe: LeukemiaTrainingRecipe, trials: dict[str, TrialAnswers]) -> None:
    for name in (HEADLINE, *ABLATION, "alexnet", "vit"):
        trial = trials[_first(name, recipe)].trial
        for key in ("parameters", "seconds_per_image", "seconds"):
            measures.metrics[f"{SET}.cost.{name}.{key}"] = float(str(trial[key]))
    for name, figures in measure_full_size(recipe).items():
        for key, value in figures.items():
            measures.metrics[f"{SET}.full_size.{name}.{key}"] = value


def _first_of_clusters(records: tuple[FieldRecord, ...], limit: int | None) -> list[FieldRecord]:
    """Return at most ``limit`` fields of every stain cluster."""
    kept: dict[str, list[FieldRecord]] = {}
    for record in records:
        kept.setdefault(record.group, []).append(record)
    chosen = {record.name for group in kept.values() for record in group[:limit]}
    return [record for record in records if record.name in chosen]


def _need_torch() -> None:
    from importlib.util import find_spec

    from hemascope.core.errors import MissingExtraError

    if find_spec("torch") is None:
        raise MissingExtraError("hemascope bench leukemia", "train")
