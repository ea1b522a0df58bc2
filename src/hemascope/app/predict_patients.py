"""The use case `predict`: a model of patients asked about a cohort, or about files of embedded cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from hemascope.app.bag_cohort import fitting_truth, laboratory_columns
from hemascope.app.cohort import cohort_of
from hemascope.app.patient_rows import DIGITS, gather_answers, write_answers, write_table
from hemascope.bags.checks import check_encoder
from hemascope.bags.ensemble import BagEnsemble
from hemascope.bags.folds import EXCLUDED
from hemascope.bags.taxonomy import load_taxonomy
from hemascope.core.bag_prediction import BagPrediction
from hemascope.core.bag_task import TaskKind
from hemascope.core.cohort import Cohort
from hemascope.core.disease_taxonomy import DiseaseTaxonomy
from hemascope.core.errors import CohortError, RecipeError
from hemascope.data.cohort.manifest import Manifest, SmearRow
from hemascope.evaluate.patients.answers import NO_FOLD

NEW = "new"
"""Split of patients for whom the cohort names none: none of them was in a training that is known of here."""

OnPatient = Callable[[int, int, str], None]
"""Called after every patient with how many are done, how many there are, and the name."""


def predict_cohort(
    model: BagEnsemble,
    cohort: Cohort,
    out: Path,
    attention: Path | None,
    on_patient: OnPatient,
    taxonomy: DiseaseTaxonomy | None = None,
) -> tuple[BagPrediction, ...]:
    """Answer for the patients of a cohort and write the answers.

    Parameters
    ----------
    model
        What is asked.
    cohort
        Excluded patients are answered as a split of their own.
    out
        CSV of answers, as training writes it, and columns ``malignancy``, ``abstained.TASK`` with the reason.
    attention
        CSV of the share of every cell; none where None.
    on_patient
        Progress.
    taxonomy
        Leads from the labels of the cohort to classes; None for the one that the model was trained with, if it ships.
        A label that is no class is a missing truth.

    Raises
    ------
    CohortError
        If the cells were made by another encoder than the model's.
    OutputError
        If a file cannot be written.
    """
    check_encoder(f"cohort {cohort.name}", cohort.bags, model.encoder, model.identity.name)
    predictions: list[BagPrediction] = []
    for place, patient in enumerate(cohort.patients):
        predictions.append(model.predict(cohort.bags.bag(place)))
        on_patient(place + 1, len(cohort), patient)
    _write_answers(model, cohort, predictions, taxonomy or _table(model), out)
    if attention is not None:
        columns = [f"attention.{name}" for name in predictions[0].attended]
        write_table(attention, ["patient", "cell", *columns], _attention_rows(cohort, predictions))
    return tuple(predictions)


def cohort_of_features(files: Sequence[Path]) -> Cohort:
    """Return the cohort of files of embedded cells, one a patient, called by the name of the file.

    Raises
    ------
    CohortError
        If a file cannot be read, or two have one name.
    """
    twice = [name for name, count in Counter(file.stem for file in files).items() if count > 1]
    if twice:
        raise CohortError(f"two files are called '{twice[0]}', each a patient; list the smears of one in a manifest")
    rows = tuple(SmearRow(file.stem, {"": str(file.absolute())}) for file in files)
    return cohort_of(Manifest(Path("of files"), rows))


def _write_answers(
    model: BagEnsemble,
    cohort: Cohort,
    predictions: Sequence[BagPrediction],
    taxonomy: DiseaseTaxonomy | None,
    out: Path,
) -> None:
    tasks = model.tasks
    kinds = {task.name: task.kind for task in tasks}
    answers = gather_answers(
        tasks,
        cohort.facts,
        [EXCLUDED if fact.excluded else fact.split or NEW for fact in cohort.facts],
        [NO_FOLD] * len(cohort),
        cohort.bags.sizes,
        {
            name: np.stack([told.probabilities[name] for told in predictions])
            for name in kinds
            if kinds[name] is not TaskKind.NUMBER
        },
        {
            name: np.array([told.numbers[name] for told in predictions])
            for name in kinds
            if kinds[name] is TaskKind.NUMBER
        },
        np.stack([fitting_truth(fact, tasks, taxonomy) for fact in cohort.facts]),
        laboratory_columns(tasks, taxonomy),
    )
    more = {f"abstained.{name}": [told.abstained.get(name, "") for told in predictions] for name in kinds}
    if model.spec.taxonomy is not None:
        told = [model.malignancy(prediction) for prediction in predictions]
        more["malignancy"] = ["" if value is None else format(value, DIGITS) for value in told]
    write_answers(out, answers, more)


def _table(model: BagEnsemble) -> DiseaseTaxonomy | None:
    """Return the table of diseases that the model was trained with, where it is a shipped one of the same contents."""
    facts = model.spec.taxonomy
    if facts is None:
        return None
    try:
        table = load_taxonomy(facts.name)
    except RecipeError:
        return None
    return table if table.sha256 == facts.sha256 else None


def _attention_rows(cohort: Cohort, predictions: Sequence[BagPrediction]) -> Iterator[list[str]]:
    for place, told in enumerate(predictions):
        for cell, shares in zip(cohort.bags.bag(place).cell_ids, told.attention.tolist(), strict=True):
            yield [told.patient, cell, *(format(share, DIGITS) for share in shares)]
