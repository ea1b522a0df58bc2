"""Labels as numbers, and what keeps a cohort from training."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope.bags.checks import check_encoder, check_finite, check_truth
from hemascope.bags.taxonomy import load_taxonomy
from hemascope.bags.truth import truth_of
from hemascope.core.bag import BagSet
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.core.cohort import Cohort
from hemascope.core.errors import CohortError
from hemascope.core.patient import PatientFacts

DISEASE = BagTask("disease", TaskKind.CLASSES, ("healthy", "AML"))
MARKERS = BagTask("markers", TaskKind.MARKERS, ("t(4;14)", "del17p"))
HEMOGLOBIN = BagTask("hb", TaskKind.NUMBER, ("hb",), "g/dL")


def person(name: str = "P1", **labels: str) -> PatientFacts:
    return PatientFacts(name, labels=labels)


def test_labels_become_numbers() -> None:
    facts = [
        PatientFacts("P1", labels={"disease": "AML", "t(4;14)": "positive", "del17p": "0", "hb": "9.5"}),
        PatientFacts("P2", labels={"disease": "NA", "t(4;14)": "FALSE"}),
        PatientFacts("P3", labels={"del17p": "1.0"}, covariates={"hb": 11.25, "disease": "healthy"}),
    ]
    nan = np.nan
    expected = [[9.5, 1, 1, 0], [nan, nan, 0, nan], [11.25, 0, nan, 1]]
    np.testing.assert_array_equal(truth_of(facts, (HEMOGLOBIN, DISEASE, MARKERS)), expected)
    assert truth_of([], (DISEASE,)).shape == (0, 1)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (
            {"disease": "CML"},
            "patient P1: column 'disease' holds 'CML' and that is no class of the task; known are healthy, AML",
        ),
        ({"del17p": "maybe"}, "patient P1: marker 'del17p' holds 'maybe'"),
        ({"del17p": "2"}, "marker 'del17p' holds '2'"),
        ({"hb": "low"}, "patient P1: column 'hb' holds 'low', not a number"),
        ({"hb": "inf"}, "not a number"),
    ],
)
def test_labels_that_mean_nothing(labels: dict[str, str], said: str) -> None:
    with pytest.raises(CohortError) as caught:
        truth_of([person(**labels)], (DISEASE, MARKERS, HEMOGLOBIN))
    assert said in str(caught.value)


def test_a_taxonomy_leads_from_labels_to_classes() -> None:
    taxonomy = load_taxonomy("leukemia_letter")
    coarse = BagTask("disease", TaskKind.CLASSES, taxonomy.coarse)
    fine = BagTask("disease", TaskKind.CLASSES, taxonomy.fine)
    facts = [person("P1", disease="AML"), person("P2", disease="acute_leukemia"), person("P3")]
    place = taxonomy.coarse.index("acute_leukemia")
    np.testing.assert_array_equal(truth_of(facts, (coarse,), taxonomy)[:, 0], [place, place, np.nan])
    np.testing.assert_array_equal(
        truth_of(facts, (fine,), taxonomy)[:, 0], [taxonomy.fine.index("AML"), np.nan, np.nan]
    )
    other = BagTask("organ", TaskKind.CLASSES, ("blood", "marrow"))
    assert truth_of([person(organ="marrow")], (other,), taxonomy).tolist() == [[1.0]]


def test_labels_outside_the_taxonomy() -> None:
    taxonomy = load_taxonomy("leukemia_letter")
    coarse = BagTask("disease", TaskKind.CLASSES, taxonomy.coarse)
    with pytest.raises(CohortError, match="patient P9: column 'disease': label 'gout' is not in the table of diseases"):
        truth_of([person("P9", disease="gout")], (coarse,), taxonomy)
    some = BagTask("disease", TaskKind.CLASSES, ("healthy", "reactive"))
    with pytest.raises(CohortError, match="holds 'AML', which is 'acute_leukemia', and that is no class"):
        truth_of([person(disease="AML")], (some,), taxonomy)


def cohort(patients: int) -> Cohort:
    names = tuple(f"P{number}" for number in range(patients))
    values = np.zeros((2 * patients, 3), np.float32)
    bags = BagSet(names, values, np.arange(0, 2 * patients + 1, 2), "digest")
    return Cohort("study", tuple(person(name) for name in names), bags)


def test_every_fold_needs_every_class_and_both_sides_of_a_marker() -> None:
    study = cohort(6)
    truth = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [0, np.nan], [np.nan, 1]], float)
    tasks = (DISEASE, BagTask("m", TaskKind.MARKERS, ("del17p",)))
    check_truth("study.csv", study.patients, tasks, truth, folds=2)
    with pytest.raises(
        CohortError,
        match=r"study.csv: class 'AML' of 'disease' has 2 patients \(P1, P3\), fewer than the number of folds, 3",
    ):
        check_truth("study.csv", study.patients, tasks, truth, folds=3)
    with pytest.raises(CohortError, match=r"marker 'del17p' negative has 2 patients \(P0, P1\)"):
        check_truth("study", study.patients, tasks[1:], truth[:, 1:], 3)
    with pytest.raises(CohortError, match="'del17p' is missing for each of the 6 patients"):
        check_truth("study", study.patients, tasks[1:], np.full((6, 1), np.nan), 1)
    with pytest.raises(CohortError, match="'hb' is missing for each of the 6 patients"):
        check_truth("study", study.patients, (HEMOGLOBIN,), np.full((6, 1), np.nan), 1)


def test_a_class_of_nobody() -> None:
    with pytest.raises(CohortError, match="class 'AML' of 'disease' has no patients; add some"):
        check_truth("study", ("P0",), (DISEASE,), np.zeros((1, 1)), 1)


def test_embeddings_that_are_not_finite() -> None:
    study = cohort(3)
    check_finite(study.bags)
    study.bags.values[3, 1] = np.inf
    with pytest.raises(CohortError, match="patient P1: 1 of 2 cells hold NaN or infinity, the first of them number 2"):
        check_finite(study.bags)


def test_cells_of_another_encoder() -> None:
    check_encoder("cohort study", cohort(2).bags, "digest", "model")
    with pytest.raises(
        CohortError,
        match="cohort study: the 2 patients are embedded by digest, and my model was trained on cells by other",
    ):
        check_encoder("cohort study", cohort(2).bags, "other", "my model")


def test_a_cohort_keeps_facts_and_bags_together() -> None:
    study = cohort(3)
    some = study.select([2, 0])
    assert some.patients == ("P2", "P0")
    assert [fact.patient for fact in some.facts] == ["P2", "P0"]
    assert len(some) == 2
    with pytest.raises(ValueError, match="same patients in the same order"):
        Cohort("x", study.facts[::-1], study.bags)
