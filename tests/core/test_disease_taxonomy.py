"""The table of diseases: what a label means, what the table refuses, and a digest that heeds content alone."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.core.disease_taxonomy import CoarseClass, DiseaseTaxonomy, FineClass, Origin
from hemascope.core.errors import CohortError

COARSE = (
    CoarseClass("acute", "Acute leukemia", malignant=True, acute=True, named=Origin.LETTER),
    CoarseClass("mpn", "MPN", malignant=True),
    CoarseClass("healthy", "Healthy"),
)
FINE = (
    FineClass("AML", "acute", Origin.LETTER, Origin.LETTER),
    FineClass("ALL", "acute", Origin.LETTER, Origin.OURS),
    FineClass("CML", "mpn", Origin.LISTING, Origin.OURS),
    FineClass("healthy", "healthy"),
)
LABELS = {"Leukemia, acute, myeloid": "AML", "acute, unclear": "acute"}


def table(
    coarse: tuple[CoarseClass, ...] = COARSE,
    fine: tuple[FineClass, ...] = FINE,
    labels: Mapping[str, str] = LABELS,
) -> DiseaseTaxonomy:
    return DiseaseTaxonomy("three", "1", "a test", coarse, fine, labels)


@pytest.mark.parametrize(
    ("label", "fine", "coarse"),
    [
        ("AML", "AML", "acute"),
        ("aml", "AML", "acute"),
        ("  leukemia,  ACUTE,\tmyeloid ", "AML", "acute"),
        ("acute, unclear", None, "acute"),
        ("Acute Leukemia", None, "acute"),
        ("acute", None, "acute"),
        ("CML", "CML", "mpn"),
        ("MPN", None, "mpn"),
        ("Healthy", "healthy", "healthy"),
    ],
)
def test_what_a_label_means(label: str, fine: str | None, coarse: str) -> None:
    assert (table().fine_of(label), table().coarse_of(label)) == (fine, coarse)


def test_classes_in_order() -> None:
    known = table()
    assert known.coarse == ("acute", "mpn", "healthy")
    assert known.fine == ("AML", "ALL", "CML", "healthy")
    assert (known.malignant, known.acute) == (("acute", "mpn"), ("acute",))
    assert known.children_of("acute") == ("AML", "ALL")
    assert known.titles["acute"] == "Acute leukemia"


def test_every_row_says_where_it_comes_from() -> None:
    rows = {row.label: row for row in table().rows}
    assert (rows["ALL"].named, rows["ALL"].grouped) == (Origin.LETTER, Origin.OURS)
    assert rows["CML"].named is Origin.LISTING
    assert rows["acute, unclear"].named is Origin.OURS
    assert len(rows) == len(table().known_labels)


@pytest.mark.parametrize("label", ["AMLL", "acute leukaemia", "Leukemia acute myeloid", "A ML", "", "acute_leukemia"])
def test_a_label_outside_the_table_names_the_nearest(label: str) -> None:
    with pytest.raises(CohortError, match="three 1; the nearest are '"):
        table().coarse_of(label)


def test_the_nearest_is_near() -> None:
    with pytest.raises(CohortError, match="nearest are 'Acute leukemia'"):
        table().coarse_of("acute leukaemia")


@given(st.sampled_from(table().known_labels), st.text(" \t", max_size=3), st.sampled_from([str.upper, str.lower, str]))
def test_case_and_spaces_do_not_matter(label: str, space: str, case: type[str]) -> None:
    written = space + case(label).replace(" ", " " + space) + space
    assert table().row_of(written) == table().row_of(label)


def test_the_digest_heeds_content() -> None:
    known = table()
    assert known.sha256 == table(labels=dict(reversed(LABELS.items()))).sha256
    others = [
        replace(known, version="2"),
        table(labels={}),
        table(labels={**LABELS, "more": "CML"}),
        table(fine=tuple(reversed(FINE))),
        table(coarse=(COARSE[0], replace(COARSE[1], malignant=False), COARSE[2])),
        table(fine=(*FINE[:2], replace(FINE[2], named=Origin.OURS), FINE[3])),
    ]
    assert len({known.sha256, *(other.sha256 for other in others)}) == 1 + len(others)


def test_a_table_does_not_change_with_what_it_was_made_from() -> None:
    labels = dict(LABELS)
    known = table(labels=labels)
    labels["more"] = "CML"
    with pytest.raises(CohortError):
        known.coarse_of("more")


def test_a_table_can_be_sent_to_another_process() -> None:
    known = table()
    sent = pickle.loads(pickle.dumps(known))
    assert sent == known
    assert sent.coarse_of("cml") == "mpn"
    assert len({known, sent}) == 1


@pytest.mark.parametrize(
    ("fine", "said"),
    [
        ((*FINE, FineClass("AML", "mpn")), "'AML' is in two coarse classes: acute and mpn"),
        ((*FINE, FineClass("aml", "mpn")), "'aml' is in two coarse classes"),
        ((*FINE, FineClass("AML", "acute")), "fine class named twice"),
        ((*FINE, FineClass("CLL", "lymphoma")), "no coarse class: there is no 'lymphoma'"),
        (FINE[:3], "has no fine class: healthy"),
        ((*FINE, FineClass("MPN", "acute")), "label 'MPN' means both MPN \\(acute\\) and mpn"),
    ],
)
def test_fine_classes_that_cannot_stand(fine: tuple[FineClass, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        table(fine=fine)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"x": "lymphoma"}, "'x' leads to 'lymphoma'"),
        ({"x": "AML", "X ": "CML"}, "'X ' means both AML \\(acute\\) and CML \\(mpn\\)"),
        ({"aml": "ALL"}, "'AML' means both ALL \\(acute\\) and AML \\(acute\\)"),
        ({"cml": "acute"}, "'CML' means both acute and CML \\(mpn\\)"),
    ],
)
def test_labels_that_cannot_stand(labels: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        table(labels=labels)


def test_coarse_classes_that_cannot_stand() -> None:
    with pytest.raises(ValueError, match="coarse class named twice: mpn"):
        table(coarse=(*COARSE, CoarseClass("mpn", "Again")))
    with pytest.raises(ValueError, match="malignant too, but not: healthy"):
        table(coarse=(*COARSE[:2], CoarseClass("healthy", "Healthy", acute=True)))


def test_a_table_without_fine_classes() -> None:
    known = table(fine=(), labels={"acute, unclear": "acute"})
    assert known.fine_of("Acute leukemia") is None
    assert known.children_of("acute") == ()
