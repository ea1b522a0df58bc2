"""A finished run, or a file of answers, opened for evaluation."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.bags.taxonomy import load_taxonomy
from hemascope.core.bag_task import BagTask, TaskKind, words_of
from hemascope.core.disease_taxonomy import DiseaseTaxonomy
from hemascope.core.errors import CohortError
from hemascope.evaluate.patients.answers import OUT_OF_FOLD, TEST, PatientAnswers
from hemascope.evaluate.patients.answers_file import infer_tasks, read_answers
from hemascope.recipes import load_recipe
from hemascope.recipes.bags import BagTrainingRecipe

ANSWERS_FILE, RECIPE_FILE, EMBEDDING_FILE, DONE_FILE = "predictions.csv", "recipe.toml", "patients.npz", "DONE"
VALIDATION = "val"
TRAINING = "train"


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """What is evaluated.

    Attributes
    ----------
    name
        Of the run.
    answers
        All rows.
    split
        The split whose figures are computed.
    judged
        Its rows.
    tuning
        The rows on which thresholds are chosen: out-of-fold, else validation; None where there are none.
    taxonomy
        Diseases, where the run or the user names a table.
    recipe
        Of the run; None where there is only a file of answers.
    embedding
        Patient to vector, of the patients of ``judged``; empty where the run kept none.
    digests
        File name to sha256 of every file that was read.
    resamples
        Of the bootstrap.
    """

    name: str
    answers: PatientAnswers
    split: str
    judged: PatientAnswers
    tuning: PatientAnswers | None
    taxonomy: DiseaseTaxonomy | None
    recipe: BagTrainingRecipe | None
    embedding: Mapping[str, NDArray[np.float32]]
    digests: Mapping[str, str]
    resamples: int

    @property
    def cross_fitted(self) -> bool:
        """Whether thresholds are chosen on other folds of the very rows that are judged."""
        return self.tuning is self.judged

    def shown(self, name: str) -> str:
        """Return a class as people write it."""
        titles = self.taxonomy.titles if self.taxonomy else {}
        return titles.get(name, words_of(name))

    def disease_task(self) -> BagTask | None:
        """Return the task whose classes are the coarse classes of the taxonomy; None without one."""
        if self.taxonomy is None:
            return None
        chosen = [t for t in self.judged.tasks if t.kind is TaskKind.CLASSES and t.outputs == self.taxonomy.coarse]
        return chosen[0] if chosen else None


def open_run(path: Path, split: str = "", taxonomy: str = "", resamples: int = 2000) -> Evaluated:
    """Open a run folder, or a file of answers.

    Parameters
    ----------
    path
        Folder as training writes it, or a CSV of answers; a recipe beside such a file is read too.
    split
        Which rows to judge; "" for ``test`` where there is one, else out-of-fold, else the only split.
    taxonomy
        Table of diseases by name or path; "" for the recipe's.
    resamples
        Of the bootstrap.

    Raises
    ------
    CohortError
        If the run is not finished, or the answers are malformed, have no such split, or no truth in it.
    RecipeError
        If the recipe or the taxonomy cannot be read.
    """
    file = _answers_file(path)
    recipe_file = file.with_name(RECIPE_FILE)
    recipe = load_recipe(recipe_file, BagTrainingRecipe) if recipe_file.is_file() else None
    table = _taxonomy(taxonomy or (recipe.taxonomy if recipe else ""), file.parent)
    answers = read_answers(file, _tasks(file, recipe, table))
    chosen = _split(split, answers, file)
    judged = answers.of_split(chosen)
    if np.isnan(judged.truth).all():
        raise CohortError(
            f"{file}: nothing is known to be true of the {len(judged)} patients of the split '{chosen}', so there is "
            "nothing to compare answers with; name their labels in the cohort, or judge another --split"
        )
    embedding_file = file.with_name(EMBEDDING_FILE)
    read = [name for name in (file, recipe_file, embedding_file) if name.is_file()]
    return Evaluated(
        name=path.resolve().name if path.is_dir() else path.stem,
        answers=answers,
        split=chosen,
        judged=judged,
        tuning=_tuning(answers, chosen, judged),
        taxonomy=table,
        recipe=recipe,
        embedding=_embedding(embedding_file, chosen),
        digests={name.name: hashlib.sha256(name.read_bytes()).hexdigest() for name in read},
        resamples=resamples,
    )


def _answers_file(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise CohortError(f"{path} does not exist; give the folder of a finished run, or its {ANSWERS_FILE}")
    file = path / ANSWERS_FILE
    if not file.is_file():
        raise CohortError(f"{path} holds no {ANSWERS_FILE}; give the folder of a finished run, or a file of answers")
    if (path / RECIPE_FILE).is_file() and not (path / DONE_FILE).is_file():
        raise CohortError(f"the run {path} is not finished; run its training again, it goes on where it stopped")
    return file


def _taxonomy(name: str, folder: Path) -> DiseaseTaxonomy | None:
    if not name:
        return None
    beside = folder / Path(name).name
    return load_taxonomy(str(beside) if name.endswith(".toml") and not Path(name).is_file() else name)


def _tasks(file: Path, recipe: BagTrainingRecipe | None, table: DiseaseTaxonomy | None) -> tuple[BagTask, ...]:
    if recipe is None:
        return infer_tasks(file)
    coarse = table.coarse if table else ()
    return tuple(t.task(coarse if t.kind is TaskKind.CLASSES else ()) for t in recipe.tasks)


def _split(asked: str, answers: PatientAnswers, file: Path) -> str:
    present = sorted(set(answers.splits.tolist()))
    if not present:
        raise CohortError(f"{file} holds no patient")
    if asked and asked not in present:
        raise CohortError(f"{file} has no patient of the split '{asked}'; it has {', '.join(present)}")
    usual = [name for name in (TEST, OUT_OF_FOLD, VALIDATION) if name in present]
    return asked or (usual or present)[0]


def _tuning(answers: PatientAnswers, split: str, judged: PatientAnswers) -> PatientAnswers | None:
    for name in (OUT_OF_FOLD, VALIDATION):
        if name == split:
            return judged
        if (answers.splits == name).any():
            return answers.of_split(name)
    return None


def _embedding(file: Path, split: str) -> dict[str, NDArray[np.float32]]:
    if not file.is_file():
        return {}
    try:
        with np.load(file, allow_pickle=False) as told:
            patients, splits, vectors = told["patients"], told["splits"], told["embedding"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CohortError(f"{file} cannot be read: {error}; train again, or move it away") from error
    if not len(patients) == len(splits) == len(vectors) or vectors.ndim != 2:
        raise CohortError(f"{file}: patients, splits and embedding differ in length; train again, or move it away")
    rows = np.flatnonzero(splits == split)
    return {str(patients[row]): np.asarray(vectors[row], np.float32) for row in rows}
