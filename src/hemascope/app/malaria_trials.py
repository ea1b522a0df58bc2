"""The networks of the benchmark ``malaria``: one a fold, a repeat and a way to see cells; finished ones are kept."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import draft_of
from hemascope.app.malaria_bags import MalariaPatients, draw_bags, fold_of_patients
from hemascope.core.errors import OutputError
from hemascope.evaluate.leaks import check_disjoint_groups
from hemascope.recipes.cell_bags import CellBagRecipe

if TYPE_CHECKING:
    from hemascope.train.bags.images import BagAnswers

VIEWS = ("network", "descriptors")
"""Ways to see a cell: its picture, by an encoder trained with the rest; and numbers of its dark spots."""

_CLIP = 5.0
"""Standard deviations at which a descriptor is cut off."""

_NAMES = ("attended", "top", "attention", "evidence")
_KEPT = (*_NAMES, "of_every_cell", "seconds")


@dataclass(frozen=True, slots=True, eq=False)
class RepeatAnswers:
    """What one repeat of the cross-validation says of every patient, each by the network that had not seen it.

    Attributes
    ----------
    bags
        P x n rows of cells.
    fold
        Fold of each patient.
    answers
        View to ``attended``, ``top`` (P), ``attention`` and ``evidence`` (P x n); see ``BagAnswers``.
    of_every_cell
        View to the evidence of all N cells, drawn or not; NaN for cells of no patient.
    seconds
        View to the time of its trainings.
    """

    bags: NDArray[np.intp]
    fold: NDArray[np.intp]
    answers: dict[str, dict[str, NDArray[np.float64]]]
    of_every_cell: dict[str, NDArray[np.float64]]
    seconds: dict[str, float]


def run_repeat(
    recipe: CellBagRecipe,
    patients: MalariaPatients,
    cells: dict[str, NDArray[np.float32]],
    repeat: int,
    runs: Path,
    progress: Progress,
) -> RepeatAnswers:
    """Train what is not trained yet of one repeat, and return every answer.

    Parameters
    ----------
    cells
        View to all N cells: pictures N x H x W, or numbers N x D, which are standardized by training cells.
    repeat
        Its number: folds, bags and networks are drawn anew for each.
    runs
        Folder of the answers, one file a network.
    """
    bags = draw_bags(patients, recipe.bag, recipe.seed + 1000 * (repeat + 1))
    fold = fold_of_patients(patients.malaria, recipe.folds, recipe.seed + repeat)
    names = np.array(patients.names)
    told: dict[str, dict[str, NDArray[np.float64]]] = {}
    every = {view: np.full(len(values), np.nan) for view, values in cells.items()}
    seconds = dict.fromkeys(cells, 0.0)
    for view, values in cells.items():
        for number in range(recipe.folds):
            train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            check_disjoint_groups(names[train], names[test])
            kept = runs / f"{view}-repeat-{repeat + 1}-fold-{number + 1}.npz"
            progress(f"{view}, repeat {repeat + 1}", number, recipe.folds)
            part = _read(kept) or _train(recipe, patients, values, bags, train, test, kept, 100 * repeat + number)
            seconds[view] += float(part.pop("seconds"))
            every[view][_cells_of(patients, test)] = part.pop("of_every_cell")
            own = told.setdefault(view, {})
            for name, array in part.items():
                own.setdefault(name, np.zeros((len(names), *array.shape[1:])))[test] = array
    return RepeatAnswers(bags, fold, told, every, seconds)


def standardized_by(values: NDArray[np.float32], rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return numbers less their mean over some rows, over their deviation there, cut off at 5 of these."""
    known = values[rows]
    scaled = (values - known.mean(axis=0)) / np.maximum(known.std(axis=0), 1e-6)
    return np.asarray(np.clip(scaled, -_CLIP, _CLIP), np.float32)


def _train(
    recipe: CellBagRecipe,
    patients: MalariaPatients,
    values: NDArray[np.float32],
    bags: NDArray[np.intp],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    kept: Path,
    seed: int,
) -> dict[str, NDArray[np.float64]]:
    from hemascope.train.bags.images import CellsOfPatients, answer_bags, fit_cell_bags

    started = time.process_time()
    if values.ndim == 2:
        values = standardized_by(values, _cells_of(patients, train))
    cells = CellsOfPatients(values, patients.rows, patients.malaria)
    net = fit_cell_bags(recipe, cells, train, recipe.seed + seed)
    answers: BagAnswers = answer_bags(net, values, bags[test])
    found = {name: getattr(answers, name) for name in _NAMES}
    found["of_every_cell"] = answer_bags(net, values, _cells_of(patients, test)[None]).evidence[0]
    found["seconds"] = np.array(time.process_time() - started)
    with draft_of(kept) as draft, draft.open("wb") as file:
        np.savez_compressed(file, **found)
    return found


def _cells_of(patients: MalariaPatients, places: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.concatenate([patients.rows[place] for place in places])


def _read(kept: Path) -> dict[str, NDArray[np.float64]] | None:
    """Return the answers of a finished network, or None."""
    if not kept.exists():
        return None
    try:
        with np.load(kept, allow_pickle=False) as file:
            return {name: file[name] for name in _KEPT}
    except (OSError, ValueError, KeyError) as error:
        raise OutputError(f"{kept} holds answers that cannot be read ({error}); remove it") from error
