"""Checks of a cohort: each catches what was planted for it, and a clean cohort raises none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hemascope.core.bag import Bag, BagSet, pack_bags
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.core.cohort import Cohort
from hemascope.core.patient import PatientFacts
from hemascope.evaluate.chance_tests import (
    categories_together,
    chance_of,
    groups_differ,
    numbers_together,
    predicts,
)
from hemascope.evaluate.shared_cells import shared_cells
from hemascope.evaluate.shortcut_results import Check, CheckResult
from hemascope.evaluate.shortcuts import acquisition_covariates, check_shortcuts

PATIENTS = 120
TASKS = (
    BagTask("markers", TaskKind.MARKERS, ("m1", "m2")),
    BagTask("disease", TaskKind.CLASSES, ("aml", "mds", "none")),
    BagTask("hemoglobin", TaskKind.NUMBER, ("hemoglobin",), "g/dL"),
)


class Study:
    """A small clean cohort, to be spoiled."""

    def __init__(self, seed: int = 0) -> None:
        self.generator = np.random.default_rng(seed)
        draw = self.generator.integers
        self.truth = np.column_stack(
            [draw(2, size=(PATIENTS, 2)), draw(3, size=PATIENTS), self.generator.normal(12, 2, PATIENTS)]
        ).astype(float)
        self.site, self.scanner, self.stain = (draw(3, size=PATIENTS) for _ in range(3))
        self.split = np.array(["train", "val", "test"])[draw(3, size=PATIENTS)]
        self.sizes = draw(8, 20, size=PATIENTS)
        self.background = self.generator.normal(230, 5, (PATIENTS, 3))
        self.cells = [self.generator.normal(size=(size, 6)).astype(np.float32) for size in self.sizes]

    def cohort(self) -> Cohort:
        facts = tuple(
            PatientFacts(
                f"p{place:03d}", site=f"s{self.site[place]}", scanner=f"c{self.scanner[place]}",
                stain=f"t{self.stain[place]}", split=str(self.split[place]),
                covariates={f"background_{c}": float(v) for c, v in zip("rgb", self.background[place], strict=True)}
                | {"age": 60.0},
            )
            for place in range(PATIENTS)
        )  # fmt: skip
        bags = [
            Bag(fact.patient, tuple(map(str, range(len(cells)))), cells, "test")
            for fact, cells in zip(facts, self.cells, strict=True)
        ]
        return Cohort("study", facts, pack_bags(bags))

    def raised(self) -> list[CheckResult]:
        return [result for result in check_shortcuts(self.cohort(), self.truth, TASKS) if result.raised]


def spoil_site(study: Study) -> None:
    study.site = np.where(study.truth[:, 0] == 1, 0, study.site)


def spoil_scanner(study: Study) -> None:
    study.scanner = np.where(study.truth[:, 2] == 1, 2, study.scanner)


def spoil_stain_by_number(study: Study) -> None:
    study.stain = (study.truth[:, 3] + study.generator.normal(0, 1, PATIENTS) > 12).astype(int)


def spoil_number_of_cells(study: Study) -> None:
    study.cells = [
        np.concatenate([cells, cells + 9]) if has else cells
        for cells, has in zip(study.cells, study.truth[:, 1] == 1, strict=True)
    ]


def spoil_background(study: Study) -> None:
    study.background[:, 1] += 6 * study.truth[:, 0]


def spoil_splits(study: Study) -> None:
    study.site = np.where(study.split == "test", 1, study.site)


@pytest.mark.parametrize(
    ("spoil", "check", "label"),
    [
        (spoil_site, Check.SITE, "m1"),
        (spoil_scanner, Check.SCANNER, "disease"),
        (spoil_stain_by_number, Check.STAIN, "hemoglobin"),
        (spoil_number_of_cells, Check.CELL_NUMBER, "m2"),
        (spoil_background, Check.BACKGROUND, "m1"),
        (spoil_splits, Check.SPLITS, ""),
    ],
)
def test_what_was_planted_is_raised_and_nothing_else(spoil: Callable[[Study], None], check: Check, label: str) -> None:
    study = Study()
    assert not study.raised()
    spoil(study)
    found = study.raised()
    assert [(result.check, result.label) for result in found] == [(check, label)]
    assert "associated" in found[0].words
    assert found[0].advice
    assert found[0].effect is not None
    assert found[0].effect > 0.1


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_copies_are_named(noise: float) -> None:
    study = Study()
    again = study.cells[4] + noise * study.generator.standard_normal(study.cells[4].shape).astype(np.float32)
    study.cells[77] = study.generator.permutation(again)
    (found,) = study.raised()
    assert found.check is Check.DUPLICATES
    assert found.against == "p004, p077"
    assert ("nearly" in found.words) == (noise > 0)
    assert found.effect == pytest.approx(1.0, abs=0.4)


def test_pictures_without_a_cell_are_no_shared_cells() -> None:
    study = Study()
    blank = np.full((5, 6), 0.25, np.float32)
    study.cells = [np.concatenate([cells, blank]) for cells in study.cells[:6]] + study.cells[6:]
    assert not shared_cells(study.cohort().bags)


def test_cells_in_few_dimensions_are_not_taken_for_copies() -> None:
    generator = np.random.default_rng(1)
    bags = [
        Bag(f"p{n}", tuple(map(str, range(60))), generator.normal(size=(60, 2)).astype(np.float32), "e")
        for n in range(8)
    ]
    assert not shared_cells(pack_bags(bags))


def test_a_patient_under_three_names_gives_three_pairs() -> None:
    generator = np.random.default_rng(1)
    cells = generator.normal(size=(5, 30, 8)).astype(np.float32)
    cells[2] = cells[4] = cells[0]
    bags = BagSet(tuple("abcde"), cells.reshape(-1, 8), np.arange(6) * 30, "e")
    assert [(pair.first, pair.second, pair.share, pair.exact) for pair in shared_cells(bags)] == [
        (0, 2, 1.0, True), (0, 4, 1.0, True), (2, 4, 1.0, True),
    ]  # fmt: skip


def test_part_of_a_patient_is_found_and_told_as_a_share() -> None:
    generator = np.random.default_rng(2)
    cells = generator.normal(size=(5, 40, 8)).astype(np.float32)
    cells[3, :10] = cells[1, :10]
    (pair,) = shared_cells(BagSet(tuple("abcde"), cells.reshape(-1, 8), np.arange(6) * 40, "e"))
    assert (pair.first, pair.second, pair.cells, pair.share) == (1, 3, 10, 0.25)


def test_patients_of_any_size_and_long_vectors_in_a_file_are_searched(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    sizes = np.array([17_000, 40, 300, 300, 5])
    cells = np.memmap(tmp_path / "cells", np.float32, mode="w+", shape=(int(sizes.sum()), 40))
    cells[:] = generator.normal(size=cells.shape)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    cells[starts[3] : starts[4]] = cells[starts[2] : starts[3]] + generator.normal(0, 0.02, (300, 40))
    cells[starts[4] : starts[5]] = cells[10:15]
    found = shared_cells(BagSet(tuple("abcde"), cells, starts, "e"))
    assert [(pair.first, pair.second, pair.exact) for pair in found] == [(0, 4, True), (2, 3, False)]
    assert found[1].share > 0.9


def test_missing_labels_and_facts_are_left_out() -> None:
    study = Study()
    spoil_site(study)
    study.truth[:30, 0] = np.nan
    (found,) = study.raised()
    assert found.patients == PATIENTS - 30
    study.truth[:, 0] = np.nan
    assert all(result.label != "m1" for result in check_shortcuts(study.cohort(), study.truth, TASKS))


def test_background_that_was_not_measured_is_told() -> None:
    cohort = Study().cohort()
    bare = Cohort("bare", tuple(PatientFacts(fact.patient) for fact in cohort.facts), cohort.bags)
    found = check_shortcuts(bare, Study().truth, TASKS)
    assert {result.check for result in found} == {Check.CELL_NUMBER, Check.BACKGROUND, Check.DUPLICATES}
    assert all(
        result.p is None and "measure it" in result.words for result in found if result.check is Check.BACKGROUND
    )
    assert acquisition_covariates(cohort) == ("background_r", "background_g", "background_b")


def test_background_missing_for_those_with_the_label_is_raised() -> None:
    study = Study()
    cohort = study.cohort()
    facts = tuple(
        PatientFacts(fact.patient, covariates={} if has else fact.covariates)
        for fact, has in zip(cohort.facts, study.truth[:, 0] == 1, strict=True)
    )
    found = check_shortcuts(Cohort("study", facts, cohort.bags), study.truth, TASKS[:1])
    assert [(result.check, result.label) for result in found if result.raised] == [(Check.BACKGROUND, "m1")]


def test_truth_must_fit() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        check_shortcuts(Study().cohort(), Study().truth[:5], TASKS)


def test_categories_agree_with_pearson_where_cells_are_many() -> None:
    from scipy.stats import chi2_contingency

    table = np.array([[40, 25, 30], [30, 45, 33]])
    rows, columns = (np.repeat(codes.ravel(), table.ravel()) for codes in np.indices(table.shape))
    told = categories_together(rows, columns, 40_000, 0)
    assert told.p == pytest.approx(chi2_contingency(table, correction=False).pvalue, rel=0.35)
    assert categories_together(rows, rows, 999, 0).effect == pytest.approx(1, abs=0.01)
    assert categories_together(rows, rows, 999, 0).p == 1 / 1000


def test_p_values_of_dealt_labels_are_not_too_small() -> None:
    generator = np.random.default_rng(5)
    features = generator.normal(size=(60, 3))
    p = np.array([predicts(features, (generator.permutation(60) < 9).astype(int), 199, seed).p for seed in range(200)])
    for level in (0.05, 0.2, 0.5):
        assert (p <= level).mean() < level + 3 * np.sqrt(level * (1 - level) / 200)


def test_features_that_tell_are_found() -> None:
    groups = np.arange(90) % 3
    features = np.random.default_rng(0).normal(size=(90, 2)) + 3 * np.eye(3)[groups][:, :2]
    told = predicts(features, groups, 999, 0)
    assert told.effect > 0.85
    assert told.p == 1 / 1000


def test_numbers_and_groups_have_their_known_answers() -> None:
    numbers, groups = np.arange(20.0), np.repeat([0, 1], 10)
    assert groups_differ(numbers, groups).effect == pytest.approx(14.2857 / 19, abs=1e-4)
    assert groups_differ(np.ones(20), groups) == (0.0, 1.0)
    assert numbers_together(numbers, -(numbers**3)).effect == pytest.approx(-1)
    assert numbers_together(numbers, np.ones(20)) == (0.0, 1.0)


def test_chance_stops_early_and_stays_valid() -> None:
    asked: list[int] = []

    def deal(count: int) -> np.ndarray:
        asked.append(count)
        return np.ones(count)

    assert chance_of(1.0, deal, 9999) == 1.0
    assert sum(asked) < 100
    assert chance_of(2.0, lambda count: np.zeros(count), 99) == 0.01
