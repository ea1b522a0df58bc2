"""What the names of classes in other people's files mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.core.errors import OutlineError
from hemascope.core.outline import OutlineClass
from hemascope.core.taxonomy import CellKind
from hemascope.sources.outline_classes import CLASS_NAMES, ClassTable, canonical

TABLE = ClassTable()


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("WBC", OutlineClass.WHITE_CELL),
        ("white_cell", OutlineClass.WHITE_CELL),
        ("White-Blood  Cells", OutlineClass.WHITE_CELL),
        ("Leukocytes", OutlineClass.WHITE_CELL),
        ("Neutrophil", OutlineClass.WHITE_CELL),
        ("Erythroblast", OutlineClass.WHITE_CELL),
        ("Nucleated red cell", OutlineClass.WHITE_CELL),
        ("rbc", OutlineClass.RED_CELL),
        ("Erythrocyte", OutlineClass.RED_CELL),
        ("Teardrop cell", OutlineClass.RED_CELL),
        ("Platelets", OutlineClass.PLATELET),
        ("thrombocyte", OutlineClass.PLATELET),
        ("Nuclei", OutlineClass.NUCLEUS),
        ("nucleus", OutlineClass.NUCLEUS),
        ("Ignore*", OutlineClass.IGNORE),
        ("Leukocyte: Neutrophil", OutlineClass.WHITE_CELL),
        ("Case 7: RBC", OutlineClass.RED_CELL),
    ],
)
def test_names_are_known_in_any_spelling(name: str, meaning: OutlineClass) -> None:
    assert TABLE.meaning(name) is meaning


@pytest.mark.parametrize("name", ["", "cell", "normal", "Smudge cell", "Positive", "*", "s", ":"])
def test_other_names_are_not_guessed(name: str) -> None:
    assert TABLE.meaning(name) is None


def test_what_the_user_says_comes_first() -> None:
    table = ClassTable.parse(["Nucleus=wbc", "Smudge cell=IGNORE", "a=b=platelet", "*=Erythrocytes"])
    assert table.meaning("nucleus") is OutlineClass.WHITE_CELL
    assert table.meaning("smudge_cells") is OutlineClass.IGNORE
    assert table.meaning("a=b") is OutlineClass.PLATELET
    assert table.meaning("platelet") is OutlineClass.PLATELET
    assert table.meaning("whatever") is table.meaning("") is OutlineClass.RED_CELL


@pytest.mark.parametrize("text", ["Blast", "Blast=", "Blast=thing", "=", "Blast=*"])
def test_a_text_that_says_nothing_is_an_error(text: str) -> None:
    with pytest.raises(OutlineError, match="NAME=KIND"):
        ClassTable.parse([text])


def test_two_meanings_for_one_name_are_an_error() -> None:
    assert ClassTable.parse(["a=rbc", "A=red_cell"]).meaning("a") is OutlineClass.RED_CELL
    with pytest.raises(OutlineError, match="two meanings"):
        ClassTable.parse(["a=rbc", "A=wbc"])


def test_kinds_and_their_words() -> None:
    assert [c.kind for c in OutlineClass] == [*CellKind, None, None]
    assert all(TABLE.meaning(kind) is OutlineClass(kind) for kind in CellKind)


@given(st.sampled_from(sorted(CLASS_NAMES)), st.sampled_from([" ", "_", "-", "  "]), st.booleans())
def test_spelling_makes_no_difference(name: str, space: str, upper: bool) -> None:
    spelled = name.replace(" ", space)
    assert TABLE.meaning(spelled.upper() if upper else spelled) is CLASS_NAMES[canonical(name)]
