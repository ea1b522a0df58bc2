"""Protocol ``pixels``: the denoiser of images on an even sample of PBC, every trial against trials as needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_generative_in_domain import (
    cascade_figures,
    in_order,
    log_of,
    network_answers,
    zeta_areas,
)
from hemascope.app.bench_record import Measures
from hemascope.app.generative_rows import CLASSES
from hemascope.app.generative_task import Embedding, GenerativeTask, even_sample
from hemascope.app.pixel_choices import PixelChoice, Tried, choose, fit_weighting
from hemascope.app.target_cells import PBC, TypedCell, class_numbers, cut_cells, group_names
from hemascope.classify.diffusion.answers import DiffusionAnswers, join_answers
from hemascope.classify.diffusion.budget import BothAnswers, budget_curve
from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.classify.diffusion.elimination import NoElimination
from hemascope.classify.diffusion.trials import class_errors, draw_trials
from hemascope.classify.diffusion.weighting import TimestepWeighting
from hemascope.core.ports import CellDenoiser
from hemascope.core.provenance import ModelIdentity
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.selective import JudgedAnswers, judged_from_logits, paired_gain, score_judged
from hemascope.stats.resample import ratio_of_sums
from hemascope.stats.temperature import fit_likelihood_temperature
from hemascope.zoo.shipped import CELL_CLASSIFIER, shipped_folder

PILOT, VALIDATION, TEST = 48, 96, 160
"""Cells, evenly over the tables: a pass of an image takes milliseconds, and a cell hundreds of passes. Those of the
pilot, which weigh the steps, and those that choose all else are different cells of the validation split."""

PILOT_TRIALS, TRIALS = 32, 32
"""Of a class, at most, in pairs of opposite noise."""

TOGETHER = 8
"""Cells timed together; both ways take turns, so that whatever else the machine does slows both."""

BUDGETS = (0, 4, 8, 16, 32, 64, 128)
"""Mean passes a cell that the cascade may spend on validation cells."""

Samples = Callable[[Sequence[TypedCell]], Callable[[int], NDArray[np.float32]]]


@dataclass(frozen=True, slots=True, eq=False)
class Timed:
    """Answers of both ways to the same cells.

    Attributes
    ----------
    fixed, adaptive
        The answers.
    seconds
        N x 2: of the cell's batch over its size, fixed and adaptive.
    batches
        N numbers of batches.
    """

    fixed: DiffusionAnswers
    adaptive: DiffusionAnswers
    seconds: NDArray[np.float64]
    batches: NDArray[np.str_]


def measure(task: GenerativeTask, measures: Measures) -> tuple[dict[str, object], ModelIdentity]:
    """Add ``pbc_acevedo_128.pixels.<row>.<metric>``; return what validation chose, and what answered.

    Rows ``fixed``, ``adaptive`` and, on the same cells, ``network``; ``cost.*`` compares the two ways;
    ``cascade.<budget>`` is the network first and the denoiser for what it is unsure of.
    """
    denoiser = task.parts.pixel_denoiser(task.denoiser)
    samples = _cutter(denoiser)
    known = even_sample(task.cells("val"), PILOT + VALIDATION)
    pilot, validation = known[::3], tuple(cell for place, cell in enumerate(known) if place % 3)
    test = even_sample(task.cells("test"), TEST)
    weighting = fit_weighting(_try(denoiser, samples, pilot, None, task), denoiser)
    tried = _try(denoiser, samples, validation, weighting, task)
    choice = choose(tried, denoiser)
    timed = _answer(denoiser, choice, samples, test, task)
    network = _network(task, validation, test)
    _add(measures, "network", network[1], network[0], network[1])
    for way, (row, answers) in enumerate((("fixed", timed.fixed), ("adaptive", timed.adaptive))):
        replayed = choice.validation[row]
        temperature = fit_likelihood_temperature(_finite(replayed.logits), tried.labels)
        pair = (
            judged_from_logits(replayed.logits / temperature, tried.labels, tried.groups),
            judged_from_logits(answers.logits / temperature, class_numbers(test), group_names(test)),
        )
        _add(measures, row, pair[1], pair[0], network[1])
        measures.add(_key(row), _cost(answers, timed.seconds[:, way], timed.batches))
    measures.add(_key("fixed"), zeta_areas(timed.fixed, class_numbers(test), group_names(test)))
    measures.add(_key("cost"), _ratios(timed))
    _add_cascade(measures, choice, tried, timed, network)
    cells = {"pilot": len(pilot), "val": len(validation), "test": len(test)}
    facts = choice.facts | {"weighting": weighting.as_dict(), "cells": cells, "budgets": list(BUDGETS)}
    return facts, denoiser.identity


def _cutter(denoiser: CellDenoiser) -> Samples:
    """Return cells to what gives their samples for the number of a view."""
    side, width = denoiser.crop_size

    def of(cells: Sequence[TypedCell]) -> Callable[[int], NDArray[np.float32]]:
        crops = list(cut_cells(cells, side, width))
        return lambda view: denoiser.samples(crops, view)

    return of


def _try(
    denoiser: CellDenoiser,
    samples: Samples,
    cells: Sequence[TypedCell],
    weighting: TimestepWeighting | None,
    task: GenerativeTask,
) -> Tried:
    """Return all errors of cells: of a pilot where there is no weighting yet."""
    task.progress("denoiser of images: validation", 0 if weighting is None else 1, 2)
    count = PILOT_TRIALS if weighting is None else TRIALS
    trials = draw_trials(denoiser, count, weighting=weighting, views=range(8))
    errors = class_errors(denoiser, samples(cells), trials)[:, _order(denoiser)]
    return Tried(errors, trials, class_numbers(cells), group_names(cells))


def _order(denoiser: CellDenoiser) -> list[int]:
    """Return the denoiser's class numbers in the order of ``CLASSES``; its answers are put in that order."""
    return [denoiser.classes.index(name) for name in CLASSES]


def _answer(
    denoiser: CellDenoiser, choice: PixelChoice, samples: Samples, cells: Sequence[TypedCell], task: GenerativeTask
) -> Timed:
    ways = (
        DiffusionClassifier(denoiser, choice.fixed, NoElimination()),
        DiffusionClassifier(denoiser, choice.adaptive, choice.rule),
    )
    answers: tuple[list[DiffusionAnswers], list[DiffusionAnswers]] = ([], [])
    seconds, batches = [], []
    for start in range(0, len(cells), TOGETHER):
        some = cells[start : start + TOGETHER]
        of = samples(some)
        taken = []
        for way, found in zip(ways, answers, strict=True):
            started = time.perf_counter()
            found.append(in_order(way.answer(of), denoiser.classes))
            taken.append((time.perf_counter() - started) / len(some))
        seconds += [taken] * len(some)
        batches += [str(start)] * len(some)
        task.progress("denoiser of images: test", start + len(some), len(cells))
    fixed, adaptive = (join_answers(found) for found in answers)
    return Timed(fixed, adaptive, np.array(seconds), np.array(batches))


def _network(
    task: GenerativeTask, validation: Sequence[TypedCell], test: Sequence[TypedCell]
) -> tuple[JudgedAnswers, JudgedAnswers]:
    """Return the shipped classifier's calibrated answers to the same cells."""
    shipped = task.encoder(str(shipped_folder(CELL_CLASSIFIER)))
    known, asked = network_answers(task, shipped.name, Embedding((shipped,)))
    rows = [
        np.array([place[cell.id] for cell in some], np.intp)
        for some, place in ((validation, _places(task, "val")), (test, _places(task, "test")))
    ]
    return known.part(rows[0]), asked.part(rows[1])


def _places(task: GenerativeTask, split: str) -> dict[str, int]:
    return {cell.id: place for place, cell in enumerate(task.cells(split))}


def _add(measures: Measures, row: str, test: JudgedAnswers, validation: JudgedAnswers, network: JudgedAnswers) -> None:
    measures.add(_key(row), score_judged(test, validation, CLASSES))
    told, theirs = test.probabilities.argmax(axis=1), network.probabilities.argmax(axis=1)
    measures.add(_key(row), {"gain": paired_gain(told, theirs, test.labels, test.groups)})


def _cost(answers: DiffusionAnswers, seconds: NDArray[np.float64], batches: NDArray[np.str_]) -> dict[str, Estimate]:
    ones = np.ones(len(seconds))
    passes = answers.passes.astype(np.float64)
    return {
        "passes": Estimate.resampled(np.arange(len(passes)), ratio_of_sums(passes, ones)),
        "milliseconds": Estimate.resampled(batches, ratio_of_sums(1000 * seconds, ones)),
    }


def _ratios(timed: Timed) -> dict[str, Estimate]:
    """Return adaptive over fixed, in passes and in time."""
    passes = [answers.passes.astype(np.float64) for answers in (timed.adaptive, timed.fixed)]
    return {
        "passes_ratio": Estimate.resampled(np.arange(len(passes[0])), ratio_of_sums(passes[0], passes[1])),
        "time_ratio": Estimate.resampled(timed.batches, ratio_of_sums(timed.seconds[:, 1], timed.seconds[:, 0])),
    }


def _add_cascade(
    measures: Measures,
    choice: PixelChoice,
    tried: Tried,
    timed: Timed,
    network: tuple[JudgedAnswers, JudgedAnswers],
) -> None:
    """Add accuracy against passes of the network first, then the denoiser; thresholds and shares by validation."""
    known = choice.validation["adaptive"]
    temperature = fit_likelihood_temperature(_finite(known.logits), tried.labels)
    both = [
        BothAnswers(log_of(first.probabilities), second.logits / temperature, second.passes, first.labels)
        for first, second in zip(network, (known, timed.adaptive), strict=True)
    ]
    for point in budget_curve(both[0], both[1], BUDGETS):
        measures.add(_key(f"cascade.{point.budget:g}"), cascade_figures(point))


def _finite(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(logits, -1e6)


def _key(row: str) -> str:
    return f"{PBC}.pixels.{row}"
