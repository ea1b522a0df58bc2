"""Tables of diseases from files, and probabilities that agree at every level."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hemascope.bags.taxonomy import TABLES, agree, load_taxonomy, malignancy, roll_up
from hemascope.core.disease_taxonomy import Origin
from hemascope.core.errors import CohortError, RecipeError

LETTER = load_taxonomy("leukemia_letter")
EIGHT = ("acute_leukemia", "mds", "mds_mpn", "mpn", "lymphoma", "plasma_cell_neoplasm", "reactive", "healthy")
SMALL = """
name = "ward"
version = "3"
source = "our ward"
coarse = [
  { name = "acute_leukemia", title = "Acute leukemia", malignant = true, acute = true },
  { name = "healthy", title = "Healthy", malignant = false },
]
fine = [{ name = "AML", coarse = "acute_leukemia" }, { name = "healthy", coarse = "healthy" }]
"""


def rows(patients: int, classes: int, seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), patients)


def written(text: str, tmp_path: Path) -> Path:
    path = tmp_path / "ward.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_shipped_table_is_the_letter_s() -> None:
    assert LETTER.coarse == EIGHT
    assert (LETTER.malignant, LETTER.acute) == (EIGHT[:6], EIGHT[:1])
    named = {f.name for f in LETTER.fine_classes if f.named is Origin.LETTER}
    assert named == {
        "AML", "ALL", "MDS", "MDS/MPN", "ET", "PV", "CML", "other MPN", "CLL", "B-cell neoplasm", "multiple myeloma",
        "reactive", "healthy",
    }  # fmt: skip
    assert {f.name for f in LETTER.fine_classes if f.named is Origin.LISTING} == {"CMML"}
    assert {f.name for f in LETTER.fine_classes if f.grouped is Origin.OURS} == {"ALL", "CMML", "multiple myeloma"}


def test_the_shipped_table_invents_no_label() -> None:
    assert LETTER.labels == {}
    assert not any(f.named is Origin.OURS for f in LETTER.fine_classes)
    assert not any(c.named is Origin.OURS for c in LETTER.coarse_classes)


@pytest.mark.parametrize(
    ("label", "coarse"),
    [("aml", 0), ("ALL", 0), ("mds", 1), ("MDS/MPN", 2), ("CMML", 2), ("ET", 3), ("other  MPN", 3), ("cll", 4),
     ("b-cell neoplasm", 4), ("Multiple Myeloma", 5), ("Plasma cell neoplasm", 5), ("Reactive changes", 6),
     ("healthy", 7)],
)  # fmt: skip
def test_labels_of_the_letter(label: str, coarse: int) -> None:
    assert LETTER.coarse_of(label) == EIGHT[coarse]


def test_a_laboratory_adds_its_labels(tmp_path: Path) -> None:
    text = (TABLES / "leukemia_letter.toml").read_text("utf-8").replace('version = "1"', 'version = "ward 1"')
    ours = load_taxonomy(written(f'{text}"AML, our wording" = "AML"\n"unclear, acute" = "acute_leukemia"\n', tmp_path))
    assert ours.fine_of("aml,  our wording") == "AML"
    assert (ours.fine_of("unclear, acute"), ours.coarse_of("unclear, acute")) == (None, "acute_leukemia")
    assert ours.fine == LETTER.fine
    assert ours.sha256 != LETTER.sha256
    with pytest.raises(CohortError, match="leukemia_letter 1; the nearest are"):
        LETTER.coarse_of("AML, our wording")


def test_layout_does_not_change_the_digest(tmp_path: Path) -> None:
    plain = load_taxonomy(written(SMALL, tmp_path)).sha256
    assert load_taxonomy(str(written(f"# with a remark\n\n{SMALL}[labels]\n", tmp_path))).sha256 == plain


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'{SMALL}extra = "key"', "extra"),
        (SMALL.replace('title = "Healthy"', 'titel = "Healthy"'), "titel"),
        (SMALL.replace("fine = [", 'fine = [{ name = "AML", coarse = "healthy" }, '), "'AML' is in two coarse classes"),
        (f'{SMALL}[labels]\n"x" = "CLL"', "leads to 'CLL'"),
        (SMALL.replace('name = "ward"', 'name = ""'), "name"),
        (SMALL.replace("malignant = false", "malignant = false, acute = true"), "malignant too"),
        (SMALL.replace("malignant = false", 'malignant = false, named = "rumor"'), "named"),
        ("name = ", "not a TOML file"),
    ],
)
def test_tables_that_cannot_stand(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=said):
        load_taxonomy(written(text, tmp_path))


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="choose one of leukemia_letter, or name a"):
        load_taxonomy("leukemia")
    with pytest.raises(RecipeError, match="cannot be read"):
        load_taxonomy(tmp_path / "nowhere.toml")


def test_a_coarse_class_is_the_sum_of_its_fine_classes() -> None:
    fine = np.zeros((1, len(LETTER.fine)))
    for name, value in {"AML": 0.2, "ALL": 0.1, "CMML": 0.3, "MDS/MPN": 0.05, "healthy": 0.35}.items():
        fine[0, LETTER.fine.index(name)] = value
    assert roll_up(fine, LETTER)[0] == pytest.approx([0.3, 0, 0.35, 0, 0, 0, 0, 0.35])


@given(st.integers(1, 5), st.integers(0, 99))
def test_rolling_up_keeps_the_sum(patients: int, seed: int) -> None:
    coarse = roll_up(rows(patients, len(LETTER.fine), seed), LETTER)
    assert coarse.shape == (patients, 8)
    assert coarse.sum(axis=1) == pytest.approx(np.ones(patients))


@given(st.integers(1, 5), st.integers(0, 99))
def test_two_heads_agree(patients: int, seed: int) -> None:
    coarse, fine = rows(patients, 8, seed), rows(patients, len(LETTER.fine), seed + 1)
    kept, agreed = agree(coarse, fine, LETTER)
    assert np.array_equal(kept, coarse)
    assert roll_up(agreed, LETTER) == pytest.approx(coarse, abs=1e-12)
    assert agreed.min() >= 0
    again = agree(kept, agreed, LETTER)[1]
    assert again == pytest.approx(agreed, abs=1e-12)


def test_inside_a_coarse_class_the_fine_head_decides() -> None:
    coarse, fine = np.zeros((1, 8)), np.zeros((1, len(LETTER.fine)))
    coarse[0, [0, 2, 7]] = 0.6, 0.1, 0.3
    aml, chronic, healthy = (LETTER.fine.index(name) for name in ("AML", "CLL", "healthy"))
    fine[0, [aml, LETTER.fine.index("ALL"), chronic, healthy]] = 0.3, 0.1, 0.5, 0.1
    agreed = agree(coarse, fine, LETTER)[1][0]
    assert agreed[aml] == pytest.approx(0.45)
    assert agreed[chronic] == 0
    # The fine head said nothing of MDS/MPN: its two fine classes share what the coarse head gives it.
    assert agreed[[LETTER.fine.index("MDS/MPN"), LETTER.fine.index("CMML")]] == pytest.approx([0.05, 0.05])
    assert agreed.sum() == pytest.approx(1)


def test_malignancy_is_the_sum_of_six_classes() -> None:
    coarse = np.array([[0.1, 0.2, 0.05, 0.05, 0.1, 0.1, 0.3, 0.1], [0, 0, 0, 0, 0, 0, 0.5, 0.5]])
    assert malignancy(coarse, LETTER) == pytest.approx([0.6, 0])


def test_without_fine_classes_there_is_nothing_to_roll_up() -> None:
    with pytest.raises(ValueError, match="has no fine classes"):
        roll_up(np.ones((1, 0)), replace(LETTER, fine_classes=()))


def test_columns_must_fit() -> None:
    with pytest.raises(ValueError, match="14 fine classes"):
        roll_up(np.ones((2, 8)), LETTER)
    with pytest.raises(ValueError, match="8 coarse classes"):
        malignancy(np.ones((2, 6)), LETTER)
    with pytest.raises(ValueError, match="8 coarse classes"):
        agree(np.ones((2, 7)), np.ones((2, 14)), LETTER)
    with pytest.raises(ValueError, match="2 rows of coarse classes do not fit 3"):
        agree(np.ones((2, 8)), np.ones((3, 14)), LETTER)
