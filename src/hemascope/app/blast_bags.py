"""Sub-bags of the two subjects left out: as many cells of each, many times, and what is said of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_record import Measures
from hemascope.app.blast_methods import AREA_AND_COLOR, CLASSES, components
from hemascope.classify.linear_probe import fit_linear_probe
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.subject_pairs import Pair, auroc, mean_over_pairs
from hemascope.recipes.cell_bags import CellBagRecipe

SIZES = (5, 10, 20)
"""Cells of a sub-bag; the subject with fewest has 53."""

DRAWS = 200
"""Sub-bags of each of the two subjects."""

TRAINED_SIZE = 10
"""Cells of the sub-bags that models of bags are trained on; they are asked about all sizes."""

TRAINED_DRAWS = 100
"""Sub-bags of each training subject that the mean is learned from."""

ATTENTION = CellBagRecipe(name="blasts", version="1.0.0", bag=TRAINED_SIZE, number_epochs=150, top=TRAINED_SIZE)
"""Gated attention on the components of embeddings, settled beforehand: nothing is chosen by a subject left out."""


def draw_sub_bags(
    subjects: NDArray[np.str_], pair: Sequence[str], size: int, draws: int, seed: int
) -> NDArray[np.intp]:
    """Return (2 x draws) x size rows: sub-bags of the first subject, then of the second, drawn without replacement."""
    generator = np.random.default_rng(seed)
    rows = [np.flatnonzero(subjects == name) for name in pair]
    return np.stack([generator.choice(own, size, replace=False) for own in rows for _ in range(draws)])


def add_sub_bags(
    measures: Measures,
    told: Mapping[str, Mapping[Pair, NDArray[np.float64]]],
    blocks: Mapping[str, NDArray[np.float64]],
    subjects: NDArray[np.str_],
    blast: NDArray[np.bool_],
) -> None:
    """Add the figures of sub-bags of every size.

    Parameters
    ----------
    told
        Method to pair to the scores of the pair's cells, in their order; a sub-bag's score is their mean.
    blocks
        Name to N x D numbers of all cells, from which models of bags are trained; embeddings of encoders among them.
    subjects, blast
        Of all N cells.
    """
    pairs = list(next(iter(told.values())))
    single = {
        pair: auroc(told[AREA_AND_COLOR][pair], blast[(subjects == pair[0]) | (subjects == pair[1])]) for pair in pairs
    }
    areas: dict[int, dict[str, dict[Pair, float]]] = {size: {} for size in SIZES}
    for number, pair in enumerate(pairs):
        test = (subjects == pair[0]) | (subjects == pair[1])
        asked = {size: draw_sub_bags(subjects[test], pair, size, DRAWS, 100 * number + size) for size in SIZES}
        scores = {f"{name}.mean_of_cells": by_size(by[pair], asked) for name, by in told.items()}
        for name, values in blocks.items():
            scores |= _trained(name, values, subjects, blast, test, asked, number)
        truth = np.repeat([True, False], DRAWS)
        for name, by in scores.items():
            for size, of_bags in by.items():
                areas[size].setdefault(name, {})[pair] = auroc(of_bags, truth)
    for size, by_row in areas.items():
        baseline = by_row[f"{AREA_AND_COLOR}.mean_of_cells"]
        for name, values_of in by_row.items():
            measures.add(f"sub_bags.{size}.{name}", _row(values_of, baseline, single))


def by_size(cells: NDArray[np.float64], asked: Mapping[int, NDArray[np.intp]]) -> dict[int, NDArray[np.float64]]:
    """Return the mean score of each sub-bag."""
    return {size: cells[rows].mean(axis=1) for size, rows in asked.items()}


def _row(
    areas: Mapping[Pair, float], baseline: Mapping[Pair, float], single: Mapping[Pair, float]
) -> dict[str, Estimate]:
    return {
        "auroc": mean_over_pairs(areas),
        "lowest": Estimate(min(areas.values())),
        "over_baseline": mean_over_pairs({pair: areas[pair] - baseline[pair] for pair in areas}),
        "over_single_cells": mean_over_pairs({pair: areas[pair] - single[pair] for pair in areas}),
    }


def _trained(
    name: str,
    values: NDArray[np.float64],
    subjects: NDArray[np.str_],
    blast: NDArray[np.bool_],
    test: NDArray[np.bool_],
    asked: Mapping[int, NDArray[np.intp]],
    seed: int,
) -> dict[str, dict[int, NDArray[np.float64]]]:
    """Return what models trained on sub-bags of the training subjects say; without torch there is no attention."""
    reduced = components(values, test) if values.shape[1] > len(CLASSES) ** 3 else values
    known = np.unique(subjects[~test])
    drawn = [
        draw_sub_bags(subjects, [subject], TRAINED_SIZE, TRAINED_DRAWS, 100 * seed + place)
        for place, subject in enumerate(known)
    ]
    means = np.concatenate([reduced[rows].mean(axis=1) for rows in drawn])
    positive = np.array([bool(blast[subjects == subject][0]) for subject in known])
    labels = np.repeat(positive, TRAINED_DRAWS)
    weights = np.where(labels, 0.5 / labels.mean(), 0.5 / (~labels).mean())
    probe = fit_linear_probe(means, labels.astype(np.intp), CLASSES, c=0.01, sample_weights=weights)
    logits = {size: probe.logits(reduced[test][rows].mean(axis=1).astype(np.float32)) for size, rows in asked.items()}
    told = {f"{name}.mean_pooling": {size: np.asarray(v[:, 1] - v[:, 0], np.float64) for size, v in logits.items()}}
    if find_spec("torch") is not None:
        told[f"{name}.gated_attention"] = _attended(reduced, subjects, positive, known, test, asked, seed)
    return told


def _attended(
    values: NDArray[np.float64],
    subjects: NDArray[np.str_],
    positive: NDArray[np.bool_],
    known: NDArray[np.str_],
    test: NDArray[np.bool_],
    asked: Mapping[int, NDArray[np.intp]],
    seed: int,
) -> dict[int, NDArray[np.float64]]:
    from hemascope.train.bags.images import CellsOfPatients, answer_bags, fit_cell_bags

    own = values[~test]
    scaled = np.clip((values - own.mean(axis=0)) / np.maximum(own.std(axis=0), 1e-9), -5, 5).astype(np.float32)
    rows = [np.flatnonzero(subjects == subject) for subject in known]
    net = fit_cell_bags(ATTENTION, CellsOfPatients(scaled, rows, positive), np.arange(len(known)), seed)
    return {size: answer_bags(net, scaled[test], drawn).attended for size, drawn in asked.items()}
