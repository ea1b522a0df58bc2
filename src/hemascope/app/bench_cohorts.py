"""Benchmark ``cohorts``: models of patients against the best that anybody could answer, on simulated cohorts.

Five cohorts of each law of ``myeloma-720`` and of ``eight-classes``: training and validation patients of their own, one
stream of test patients for all, who are drawn after every choice was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import Measures
from hemascope.app.bench_request import BenchmarkParts, BenchmarkRequest, Outcome
from hemascope.app.cohort_trials import NetTrial, PooledProbe, TrialAnswers, TrialCohort, TrialModel, trial_cohort
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.questions import BinaryQuestion, binary_question
from hemascope.evaluate.patients.ranking import compare_averages
from hemascope.recipes import load_recipe
from hemascope.recipes.bags import BagTrainingRecipe
from hemascope.stats.ranking import auroc
from hemascope.synth.cohort.bayes import best_answers, best_numbers, class_probabilities, marker_probabilities
from hemascope.synth.cohort.draw import TEST, DrawnPatients, draw_blocks, truth_table
from hemascope.synth.cohort.presets import DIFFICULTIES, EIGHT_SPLIT, MYELOMA_SPLIT, eight_classes, myeloma_720
from hemascope.synth.cohort.truth import CohortTruth

SEEDS = 5
EIGHT_TEST = 5000
"""Simulated test patients of ``eight-classes``: more than the letter's 409, for narrower intervals."""

EIGHT_VALIDATION = EIGHT_SPLIT[0] // 5
"""Of the letter's 1,634 training patients: one fold of five."""

ATTENDED = 2000
"""Test patients whose attention is compared with the truth."""

RESAMPLES = 500
OURS, PAPERS = "cell_states", "gated_attention"
MEMBERS = {OURS: 5, PAPERS: 1}
RECIPES = {OURS: "myeloma_states.toml", PAPERS: "myeloma.toml"}
EIGHT_RECIPE, EIGHT_MEMBERS = "caltomorph_states.toml", 2
POOLED = {"mean.logistic": "mean", "max.logistic": "max"}
BEST = "best_possible"


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """Answers to the test patients of a law: by method and seed, and the best possible."""

    truth: NDArray[np.float64]
    best: NDArray[np.float64]
    best_number: NDArray[np.float64]
    by_method: Mapping[str, Sequence[TrialAnswers]]
    attention: Mapping[str, Sequence[float]]
    best_attention: float


def run(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    """Return areas, accuracies and attention of every method beside the best possible, over five cohorts a law."""
    del parts  # nothing of what ships is measured
    seeds = request.limit or SEEDS
    runs, measures = request.runs or Path("runs/cohorts"), Measures()
    recipes = _recipes(request)
    for difficulty in DIFFICULTIES:
        law = myeloma_720(difficulty)
        models = _myeloma_models(law, seeds, recipes, runs, progress)
        told = _ask(law, models, MYELOMA_SPLIT[2], progress)
        _measure_markers(measures, law, told)
    law = eight_classes()
    models = _eight_models(law, seeds, recipes, runs, progress)
    _measure_classes(measures, law, _ask(law, models, EIGHT_TEST, progress))
    _summarize(measures)
    names = [f"myeloma-720-{difficulty}" for difficulty in DIFFICULTIES] + [law.name]
    return Outcome(
        data={name: {"version": "simulated", "license": "Apache-2.0", "tables_sha256": ""} for name in names},
        n={
            "cohorts_each": seeds,
            "myeloma-720.test_patients": MYELOMA_SPLIT[2],
            "eight-classes.test_patients": EIGHT_TEST,
            "attended_patients": ATTENDED,
        },
        measures=measures,
        baselines={},
        models=(),
        notes={"members": {**MEMBERS, "eight-classes": EIGHT_MEMBERS}, "recipes": {**RECIPES, law.name: EIGHT_RECIPE}},
    )


def _recipes(request: BenchmarkRequest) -> dict[str, BagTrainingRecipe]:
    """Return the recipes by file name, from the folder of the one that was named, or ``recipes``."""
    folder = request.recipe.parent if request.recipe is not None else Path("recipes")
    return {file: load_recipe(folder / file, BagTrainingRecipe) for file in (*RECIPES.values(), EIGHT_RECIPE)}


def _myeloma_models(
    law: CohortTruth, seeds: int, recipes: Mapping[str, BagTrainingRecipe], runs: Path, progress: Progress
) -> dict[str, list[TrialModel]]:
    models: dict[str, list[TrialModel]] = {name: [] for name in (OURS, PAPERS, *POOLED)}
    for seed in range(seeds):
        cohort = trial_cohort(law, *MYELOMA_SPLIT[:2], seed)
        for name, file in RECIPES.items():
            folder = runs / law.name / f"{name}-{seed}"
            models[name].append(NetTrial(recipes[file], cohort, MEMBERS[name], folder, seed, progress))
        _add_pooled(models, cohort)
    return models


def _eight_models(
    law: CohortTruth, seeds: int, recipes: Mapping[str, BagTrainingRecipe], runs: Path, progress: Progress
) -> dict[str, list[TrialModel]]:
    models: dict[str, list[TrialModel]] = {name: [] for name in (OURS, *POOLED)}
    for seed in range(seeds):
        cohort = trial_cohort(law, EIGHT_SPLIT[0] - EIGHT_VALIDATION, EIGHT_VALIDATION, seed)
        folder = runs / law.name / f"{OURS}-{seed}"
        models[OURS].append(NetTrial(recipes[EIGHT_RECIPE], cohort, EIGHT_MEMBERS, folder, seed, progress))
        _add_pooled(models, cohort)
    return models


def _add_pooled(models: dict[str, list[TrialModel]], cohort: TrialCohort) -> None:
    for name, pool in POOLED.items():
        models[name].append(PooledProbe(cohort, pool))


def _ask(law: CohortTruth, models: Mapping[str, Sequence[TrialModel]], patients: int, progress: Progress) -> _Told:
    """Return what every model says of the test patients, block by block."""
    truth, best, numbers = [], [], []
    told: dict[str, list[list[TrialAnswers]]] = {name: [[] for _ in some] for name, some in models.items()}
    attention: dict[str, list[list[float]]] = {name: [[] for _ in some] for name, some in models.items()}
    best_attention: list[float] = []
    done = 0
    for block in draw_blocks(law, patients, TEST):
        known = best_answers(law, block)
        truth.append(truth_table(law, block))
        best.append(known.labels)
        if law.number_means is not None:
            numbers.append(best_numbers(law, known.labels))
        if done < ATTENDED:
            best_attention += _attention_areas(law, block, known.informative)
        for name, some in models.items():
            for seed, model in enumerate(some):
                answers = model.answer(block.bags)
                if done < ATTENDED and len(answers.attention):
                    attention[name][seed] += _attention_areas(law, block, answers.attention)
                told[name][seed].append(TrialAnswers(answers.probabilities, answers.numbers))
        done += len(block.bags)
        progress(f"{law.name}: test patients", done, patients)
    return _Told(
        np.concatenate(truth),
        np.concatenate(best),
        np.concatenate(numbers) if numbers else np.empty(0),
        {name: [_joined(parts) for parts in some] for name, some in told.items()},
        {name: [float(np.mean(areas)) for areas in some if areas] for name, some in attention.items()},
        float(np.mean(best_attention)),
    )


def _joined(parts: Sequence[TrialAnswers]) -> TrialAnswers:
    return TrialAnswers(
        np.concatenate([part.probabilities for part in parts]), np.concatenate([part.numbers for part in parts])
    )


def _attention_areas(law: CohortTruth, drawn: DrawnPatients, attention: NDArray[np.float64]) -> list[float]:
    """Return the area of attention for informative cells in every bag that holds both kinds."""
    carries = law.states.informative[drawn.states]
    limits = zip(drawn.bags.starts[:-1], drawn.bags.starts[1:], strict=True)
    both = [(a, b) for a, b in limits if carries[a:b].any() and not carries[a:b].all()]
    return [auroc(attention[a:b], carries[a:b]) for a, b in both]


def _measure_markers(measures: Measures, law: CohortTruth, told: _Told) -> None:
    best = marker_probabilities(law, told.best)
    names = law.tasks[0].outputs
    limit = [auroc(best[:, place], told.truth[:, place] == 1) for place in range(len(names))]
    row = {f"auroc.{name}": Estimate(area) for name, area in zip(names, limit, strict=True)}
    measures.add(f"{law.name}.{BEST}", {"auroc": Estimate(float(np.mean(limit))), **row})
    measures.add(f"{law.name}.{BEST}", {"attention": Estimate(told.best_attention)})
    means: dict[str, list[float]] = {}
    for method, some in told.by_method.items():
        areas = np.array(
            [
                [auroc(a.probabilities[:, k], told.truth[:, k] == 1) for k in range(len(names))]
                for a in some
            ]
        )  # fmt: skip
        means[method] = areas.mean(axis=1).tolist()
        figures = {
            "auroc": over_seeds(means[method]),
            "short_of_best": over_seeds([float(np.mean(limit)) - mean for mean in means[method]]),
        }
        figures |= {f"auroc.{name}": over_seeds(areas[:, place].tolist()) for place, name in enumerate(names)}
        if told.attention[method]:
            figures["attention"] = over_seeds(told.attention[method])
        measures.add(f"{law.name}.{method}", figures)
    for method in (OURS, PAPERS):
        gains = [one - other for one, other in zip(means[method], means["mean.logistic"], strict=True)]
        paired = compare_averages(
            _questions(names, told.by_method[method][0], told.truth),
            _questions(names, told.by_method["mean.logistic"][0], told.truth),
            RESAMPLES,
        )
        figures = {"over_mean_pooling": over_seeds(gains), "over_mean_pooling.first": paired.difference}
        figures["over_mean_pooling.p"] = Estimate(paired.p_value)
        measures.add(f"{law.name}.{method}", figures)


def _questions(names: Sequence[str], answers: TrialAnswers, truth: NDArray[np.float64]) -> list[BinaryQuestion]:
    return [binary_question(name, answers.probabilities[:, k], truth[:, k]) for k, name in enumerate(names)]


def _measure_classes(measures: Measures, law: CohortTruth, told: _Told) -> None:
    best = class_probabilities(law, told.best)
    labels, numbers = told.truth[:, 0].astype(np.intp), told.truth[:, 1]
    limit = float((best.argmax(axis=1) == labels).mean())
    measures.add(
        f"{law.name}.{BEST}",
        {
            "accuracy": Estimate(limit),
            "top_2": Estimate(_top_two(best, labels)),
            "hemoglobin.r": Estimate(float(np.corrcoef(told.best_number, numbers)[0, 1])),
            "hemoglobin.mae": Estimate(float(np.abs(told.best_number - numbers).mean())),
        },
    )
    for method, some in told.by_method.items():
        right = [float((a.probabilities.argmax(axis=1) == labels).mean()) for a in some]
        figures = {
            "accuracy": over_seeds(right),
            "of_best": over_seeds([accuracy / limit for accuracy in right]),
            "top_2": over_seeds([_top_two(a.probabilities, labels) for a in some]),
        }
        if len(some[0].numbers):
            figures["hemoglobin.r"] = over_seeds([float(np.corrcoef(a.numbers, numbers)[0, 1]) for a in some])
            figures["hemoglobin.mae"] = over_seeds([float(np.abs(a.numbers - numbers).mean()) for a in some])
        measures.add(f"{law.name}.{method}", figures)


def _top_two(probabilities: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    ranked = np.argsort(-probabilities, axis=1)[:, :2]
    return float((ranked == labels[:, None]).any(axis=1).mean())


def _summarize(measures: Measures) -> None:
    """Add means over the three difficulties, of what was averaged over seeds before."""
    for method in (OURS, PAPERS):
        for figure in ("short_of_best", "attention", "over_mean_pooling"):
            keys = [f"myeloma-720-{difficulty}.{method}.{figure}" for difficulty in DIFFICULTIES]
            values = [value for key in keys if (value := measures.metrics.get(key)) is not None]
            measures.add(f"myeloma-720.{method}", {figure: Estimate(float(np.mean(values)) if values else None)})


def over_seeds(values: Sequence[float]) -> Estimate:
    """Return the mean over cohorts with its 95% interval by Student's t; none for fewer than two."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Estimate(mean)
    reach = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return Estimate(mean, mean - reach, mean + reach)
