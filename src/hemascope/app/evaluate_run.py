"""The use case: answers about patients against what is true of them, as figures, tables, pictures and a page."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hemascope.app.evaluation.bag_sizes import judge_bag_sizes
from hemascope.app.evaluation.borderline import judge_borderline
from hemascope.app.evaluation.classes import judge_classes
from hemascope.app.evaluation.comparison import compare_runs
from hemascope.app.evaluation.drawing.style import RESEARCH_ONLY, our_look, patients
from hemascope.app.evaluation.findings import Findings, Headline
from hemascope.app.evaluation.inputs import Evaluated, open_run
from hemascope.app.evaluation.malignancy import judge_malignancy
from hemascope.app.evaluation.markers import judge_markers
from hemascope.app.evaluation.numbers import judge_number
from hemascope.app.evaluation.patient_map import map_patients
from hemascope.app.evaluation.projection import Projection
from hemascope.app.evaluation.ratios import judge_ratios
from hemascope.app.evaluation.subgroups import judge_subgroups
from hemascope.app.evaluation.write import write_evaluation
from hemascope.core.bag_task import TaskKind
from hemascope.core.version import __version__

SCHEMA_VERSION = 1
OUT_NAME = "evaluation"
PACKAGES = ("numpy", "scipy")

OnStep = Callable[[int, str], None]
Topic = Callable[[Evaluated], Findings | None]


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What to evaluate, and how.

    Attributes
    ----------
    run
        Folder of a finished run, or a file of answers.
    out
        Folder to write; None for ``evaluation`` in the run's folder.
    split
        Patients to judge; "" for ``test``, or ``out_of_fold`` where there is none.
    resamples
        Of the bootstrap.
    taxonomy
        Table of diseases by name or path; "" for the recipe's.
    projection
        How patients are put on a plane.
    against
        Another run on the same patients to compare with; None for none.
    """

    run: Path
    out: Path | None = None
    split: str = ""
    resamples: int = 2000
    taxonomy: str = ""
    projection: Projection = "auto"
    against: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """An opened run, and the topics to go through."""

    request: EvaluationRequest
    run: Evaluated
    topics: tuple[tuple[str, Topic], ...]

    @property
    def steps(self) -> int:
        """How many steps it takes: the topics, and writing."""
        return len(self.topics) + 1

    @property
    def out(self) -> Path:
        """The folder to write."""
        folder = self.request.run if self.request.run.is_dir() else self.request.run.parent
        return self.request.out or folder / OUT_NAME


@dataclass(frozen=True, slots=True)
class EvaluationDone:
    """What was written.

    Attributes
    ----------
    page
        Path of ``evaluation.html``.
    headlines
        The figures at its top.
    remarks
        What a reader must know first.
    """

    page: Path
    headlines: tuple[Headline, ...]
    remarks: tuple[str, ...]


def open_evaluation(request: EvaluationRequest) -> Evaluation:
    """Open the run, and refuse early what would fail late.

    Raises
    ------
    CohortError, RecipeError
        As ``open_run``.
    MissingExtraError
        If matplotlib is not installed.
    """
    with our_look():
        pass
    run = open_run(request.run, request.split, request.taxonomy, request.resamples)
    topics = _topics(run, request.projection)
    if request.against is not None:
        other = open_run(request.against, run.split, request.taxonomy, request.resamples)
        topics += ((f"beside {other.name}", partial(compare_runs, other=other)),)
    return Evaluation(request, run, topics)


def evaluate_run(evaluation: Evaluation, on_step: OnStep = lambda done, note: None) -> EvaluationDone:
    """Compute everything and write it, all or nothing.

    Parameters
    ----------
    evaluation
        As ``open_evaluation`` returns it.
    on_step
        Progress: steps done, and what is going on.

    Raises
    ------
    OutputError
        If the folder cannot be written or holds what is not ours.
    MissingExtraError
        If a map by UMAP is asked for and UMAP is not installed.
    """
    run, found = evaluation.run, []
    for place, (name, topic) in enumerate(evaluation.topics):
        on_step(place, name)
        findings = topic(run)
        if findings is not None:
            found.append(findings)
    done = len(evaluation.topics)
    document = evaluation_document(run, found)
    page = write_evaluation(evaluation.out, document, found, _lede(run), lambda name: on_step(done, f"drawing {name}"))
    on_step(done + 1, "")
    headlines = tuple(line for topic in found for line in topic.headlines)
    return EvaluationDone(page, headlines, tuple(document["remarks"]))


def evaluation_document(run: Evaluated, topics: Sequence[Findings]) -> dict[str, Any]:
    """Return ``evaluation.json``: plain JSON types, without a path of this machine."""
    return {
        "schema_version": SCHEMA_VERSION,
        "use": RESEARCH_ONLY,
        "run": run.name,
        "split": run.split,
        "patients": len(run.judged),
        "tuning": {
            "split": None if run.tuning is None else run.tuning.splits[0].item(),
            "patients": 0 if run.tuning is None else len(run.tuning),
            "cross_fitted": run.cross_fitted,
        },
        "resamples": run.resamples,
        "remarks": list(_remarks(run)),
        "headlines": [_headline(line) for topic in topics for line in topic.headlines],
        "tasks": {topic.key: _figures(topic) for topic in topics if topic.of_task},
        "topics": {topic.key: _figures(topic) for topic in topics if not topic.of_task},
        "provenance": _provenance(run),
    }


def _topics(run: Evaluated, projection: Projection) -> tuple[tuple[str, Topic], ...]:
    by_kind = {TaskKind.CLASSES: judge_classes, TaskKind.MARKERS: judge_markers, TaskKind.NUMBER: judge_number}
    tasks: list[tuple[str, Topic]] = [(t.name, partial(by_kind[t.kind], task=t)) for t in run.judged.tasks]
    return (
        *tasks,
        ("malignancy", judge_malignancy),
        ("subgroups", judge_subgroups),
        ("cell ratios", judge_ratios),
        ("patients without a settled class", judge_borderline),
        ("bag sizes", judge_bag_sizes),
        ("map of patients", partial(map_patients, how=projection)),
    )


def _figures(topic: Findings) -> dict[str, Any]:
    return {"remarks": list(topic.remarks), **topic.figures}


def _headline(line: Headline) -> dict[str, Any]:
    return {
        "task": line.task, "name": line.name, "value": line.value, "low": line.low, "high": line.high,
        "unit": line.unit, "patients": line.patients,
    }  # fmt: skip


def _remarks(run: Evaluated) -> tuple[str, ...]:
    judged = f"{patients(len(run.judged))} ({_words(run.split)})"
    if run.tuning is None:
        return (
            "There is no out-of-fold or validation answer to choose a threshold on: figures at thresholds are at fixed "
            f"ones. Judged: {judged}.",
        )
    if not run.cross_fitted:
        chosen = f"{patients(len(run.tuning))} ({_words(run.tuning.splits[0].item())})"
        return (f"Thresholds were chosen on {chosen} and applied to {judged} who had no say in them.",)
    folds = len(set(run.judged.folds.tolist()))
    if folds > 1:
        return (
            f"There is no test split: {judged} are judged by members that never saw them, and the threshold for each "
            f"of {folds} folds is chosen on the other folds. Early stopping, temperatures and the choice of the recipe "
            "may have seen them, so the figures are optimistic.",
        )
    return (
        f"OPTIMISTIC: there is no test split and only one fold, so thresholds were chosen on the same {judged} on whom "
        "they are judged.",
    )


def _lede(run: Evaluated) -> str:
    resamples = f"95% intervals; {run.resamples:,} resamples of patients where none is exact"
    return f"{patients(len(run.judged))}, {_words(run.split)} · {resamples}"


def _words(split: str) -> str:
    return split.replace("_", "-")


def _provenance(run: Evaluated) -> dict[str, Any]:
    told: dict[str, Any] = {
        "software": {"hemascope": __version__, "python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in PACKAGES},
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "files_sha256": dict(run.digests),
    }
    if run.recipe is not None:
        told["recipe"] = {"name": run.recipe.name, "version": run.recipe.version, "sha256": run.recipe.digest()}
    if run.taxonomy is not None:
        told["taxonomy"] = {"name": run.taxonomy.name, "version": run.taxonomy.version, "sha256": run.taxonomy.sha256}
    return told
