"""The use case `ablate`: a recipe, and what each change to it does, on the same patients in the same folds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hemascope.app.ablation_rows import AblationRow, Group, changed_rows, own_row
from hemascope.app.ablation_scores import Figure, adjusted, compare_rows, figures_of, of_patients
from hemascope.app.ablation_training import AblationTrainer, TrainedRow, TrainingTime
from hemascope.app.training import need_torch
from hemascope.bags.counts import COUNT_COLUMN
from hemascope.core.errors import CohortError, HemascopeError, OutputError
from hemascope.data.cohort.manifest import read_manifest
from hemascope.evaluate.patients.answers import OUT_OF_FOLD
from hemascope.evaluate.patients.ranking import PairedComparison
from hemascope.recipes.bags import BagTrainingRecipe

RUNS = "runs"

OnStep = Callable[[int, int, str], None]
"""Progress: epochs done, most epochs there can be, and what is going on."""


@dataclass(frozen=True, slots=True)
class AblationRequest:
    """What to compare, and how.

    Attributes
    ----------
    recipe
        The way that is changed, one thing at a time.
    manifest
        The cohort.
    out
        Folder for tables, figures and the run folders.
    groups
        What to change; None for everything that the cohort has material for.
    others
        Whole recipes of the same tasks to compare too.
    split
        The patients on whom figures are computed.
    resamples
        Of the bootstrap.
    """

    recipe: BagTrainingRecipe
    manifest: Path
    out: Path
    groups: frozenset[Group] | None = None
    others: tuple[BagTrainingRecipe, ...] = ()
    split: str = OUT_OF_FOLD
    resamples: int = 2000


@dataclass(frozen=True, slots=True)
class RowResult:
    """What came of one row.

    Attributes
    ----------
    row
        Which.
    time
        Of its trainings; None where it failed.
    encoder
        Of its cells.
    failure
        Why there are no figures; "" where there are.
    comparisons
        Its figures beside those of the recipe's own way; None where one is not defined.
    p_holm
        P values of the differences, adjusted over all rows.
    """

    row: AblationRow
    time: TrainingTime | None
    encoder: str = ""
    failure: str = ""
    comparisons: Mapping[Figure, PairedComparison | None] = field(default_factory=dict)
    p_holm: Mapping[Figure, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ablation:
    """A finished ablation.

    Attributes
    ----------
    request
        As asked.
    cohort, manifest_sha256
        Name, and digest of the manifest.
    patients
        How many the figures are on.
    figures
        By which rows are compared.
    rows
        The recipe's own way first.
    """

    request: AblationRequest
    cohort: str
    manifest_sha256: str
    patients: int
    figures: tuple[Figure, ...]
    rows: tuple[RowResult, ...]


def run_ablation(request: AblationRequest, on_step: OnStep) -> Ablation:
    """Train what is not trained yet, and compare.

    A row that fails says why, and the others go on; where the recipe's own way fails there is nothing to compare with.

    Raises
    ------
    MissingExtraError
        If the extra ``train`` is not installed.
    CohortError
        If the cohort cannot be read, or has no patient of the split with a truth.
    RecipeError
        If the recipe cannot be trained, or its run folder holds another run.
    OutputError
        If a folder cannot be written.
    """
    need_torch("comparing models of patients")
    trainer = AblationTrainer(request.recipe, request.manifest, request.out / RUNS)
    own = own_row(request.recipe)
    rows = (own, *_changes(request, trainer))
    steps = _Steps(rows, on_step)
    first = trainer.train(own, steps.of(own))
    judged = first.answers[0].of_split(request.split)
    if not len(judged):
        raise CohortError(f"{request.manifest} has no patient of the split '{request.split}' to compare rows on")
    results = [_compared(own, first, first, request)]
    for row in rows[1:]:
        results.append(_tried(row, trainer, first, request, steps))
    steps.end()
    figures = figures_of(trainer.opened.tasks)
    return Ablation(
        request,
        trainer.opened.cohort.name,
        hashlib.sha256(request.manifest.read_bytes()).hexdigest(),
        len(judged),
        figures,
        (results[0], *_with_holm(results[1:], figures)),
    )


def _changes(request: AblationRequest, trainer: AblationTrainer) -> tuple[AblationRow, ...]:
    manifest = read_manifest(request.manifest)
    groups = request.groups
    if groups is None:
        has_counts = any(name.startswith(COUNT_COLUMN) for name in manifest.columns)
        groups = frozenset(Group) if has_counts else frozenset(Group) - {Group.COUNTS}
    return changed_rows(request.recipe, trainer.opened.tasks, manifest.variants, groups, request.others)


def _tried(
    row: AblationRow, trainer: AblationTrainer, own: TrainedRow, request: AblationRequest, steps: _Steps
) -> RowResult:
    try:
        return _compared(row, trainer.train(row, steps.of(row)), own, request)
    except OutputError:
        raise  # a full disk stops all rows
    except (HemascopeError, ValueError, RuntimeError, MemoryError) as error:
        # Widths that an aggregator cannot have, products too large for memory, training that diverged.
        return RowResult(row, None, failure=" ".join(str(error).split()) or type(error).__name__)


def _compared(row: AblationRow, trained: TrainedRow, own: TrainedRow, request: AblationRequest) -> RowResult:
    base = own.answers[0].of_split(request.split)
    parts = of_patients(trained.answers, request.split, base.patients)
    figures = figures_of(base.tasks)
    found = {figure: compare_rows(parts, base, figure, request.resamples) for figure in figures}
    return RowResult(row, trained.time, trained.encoder, comparisons=found)


def _with_holm(results: list[RowResult], figures: tuple[Figure, ...]) -> tuple[RowResult, ...]:
    by_figure = {
        figure: adjusted({str(place): result.comparisons.get(figure) for place, result in enumerate(results)})
        for figure in figures
    }
    return tuple(
        RowResult(
            result.row, result.time, result.encoder, result.failure, result.comparisons,
            {figure: values[str(place)] for figure, values in by_figure.items()},
        )
        for place, result in enumerate(results)
    )  # fmt: skip


class _Steps:
    """Epochs over all rows, each training once."""

    def __init__(self, rows: tuple[AblationRow, ...], on_step: OnStep) -> None:
        self._on_step = on_step
        self._before: dict[str, int] = {}
        self._most = 0
        for run in (run for row in rows for run in row.runs):
            if run.key not in self._before:
                self._before[run.key] = self._most
                self._most += run.epochs

    def of(self, row: AblationRow) -> Callable[[int, float], None]:
        """Return what is called after every epoch of a row."""
        name = row.name if row.group is None else f"{row.group}: {row.name}"
        before = self._before[row.runs[0].key]
        self._on_step(before, self._most, name)
        return lambda done, loss: self._on_step(before + done, self._most, f"{name}, loss {loss:.3f}")

    def end(self) -> None:
        """Say that all is done."""
        self._on_step(self._most, self._most, "")
