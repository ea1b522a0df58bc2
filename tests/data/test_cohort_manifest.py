"""Manifests: rows to patients, whatever their order, and every fault named by its line."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemascope.core.errors import CohortError
from hemascope.core.patient import PatientFacts
from hemascope.data.cohort.manifest import SmearRow, manifest_text, read_manifest
from hemascope.data.cohort.patients import manifest_faults, patients_of


def manifest(folder: Path, text: str) -> Path:
    path = folder / "study.csv"
    path.write_text(text, encoding="utf-8")
    return path


def facts(folder: Path, text: str) -> dict[str, PatientFacts]:
    return {p.facts.patient: p.facts for p in patients_of(read_manifest(manifest(folder, text)))}


def test_what_a_manifest_tells(tmp_path: Path) -> None:
    text = (
        "patient,smear,path,specimen,site,scanner,stain,split,excluded,diagnosis,t(4;14),age\n"
        "P2,s1,b.h5,marrow,Ulm,A,MGG,test,,MM,1,61\n"
        "P1,s1,a.h5,blood,Bonn,B,Wright,validation,,NA,,\n"
        "P3,s1,,,,,,,after chemotherapy,MM,0,70.5\n"
    )
    found = facts(tmp_path, text)
    assert list(found) == ["P1", "P2", "P3"]
    assert found["P2"] == PatientFacts(
        patient="P2",
        labels={"diagnosis": "MM", "t(4;14)": "1", "age": "61"},
        covariates={"diagnosis": "MM", "t(4;14)": 1.0, "age": 61.0},
        site="Ulm",
        scanner="A",
        stain="MGG",
        specimen="marrow",
        split="test",
        smears=("s1",),
    )
    assert found["P1"].labels == {}
    assert found["P1"].split == "val"
    assert found["P3"].excluded == "after chemotherapy"
    assert found["P3"].covariates["age"] == 70.5


def test_named_labels_are_no_covariates(tmp_path: Path) -> None:
    read = read_manifest(manifest(tmp_path, "patient,path,diagnosis,age\nP1,a.h5,MM,61\n"))
    (patient,) = patients_of(read, labels=["diagnosis"])
    assert patient.facts.covariates == {"age": 61.0}
    assert patient.facts.labels["diagnosis"] == "MM"


def test_smears_of_a_patient_are_joined(tmp_path: Path) -> None:
    text = "patient,smear,path,stain,age,split\nP1,s2,b.h5,Wright,,test\nP1,s1,a.h5,MGG,61,\n"
    found = facts(tmp_path, text)["P1"]
    assert found.split == "test"
    assert found.smears == ("s1", "s2")
    assert found.stain == "MGG + Wright"
    assert found.covariates == {"age": 61.0}


def test_an_excluded_smear_leaves_the_patient(tmp_path: Path) -> None:
    text = "patient,smear,path,excluded\nP1,s1,a.h5,torn\nP1,s2,b.h5,\nP2,s1,c.h5,torn\nP2,s2,d.h5,old\n"
    found = {p.facts.patient: p for p in patients_of(read_manifest(manifest(tmp_path, text)))}
    assert found["P1"].facts.excluded == ""
    assert [row.smear for row in found["P1"].rows] == ["s2"]
    assert found["P2"].facts.excluded == "old; torn"
    assert found["P2"].facts.smears == ("s1", "s2")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("patient,smear\nP1,a\n", "no column 'path'"),
        ("patient,path,age,age\nP1,a,1,2\n", "column 'age' has no name of its own"),
        ("patient,path,\nP1,a,1\n", "column '' has no name of its own"),
        ("patient,path\n", "holds no patient"),
        ("", "no column 'patient'"),
        ("patient,path\nP1,a,b\n", "line 2: has 3 columns where the first line has 2"),
        ("patient,path\nP1,a\n,b\n", "line 3: names no patient"),
        ("patient,path\nP1,\n", "line 2: patient P1 has no file"),
        ("patient,path,split\nP1,a,trian\n", "line 2: split 'trian' is none of train, val, test"),
        ('patient,path\nP1,"a\n', "not a UTF-8 CSV table"),
        ("patient,path\nP1,a\0\n", "line 2: holds a zero byte"),
    ],
)
def test_malformed_manifests(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CohortError, match=r"study\.csv") as caught:
        read_manifest(manifest(tmp_path, text))
    assert said in str(caught.value)


def test_no_text_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "study.csv").write_bytes(b"patient,path\nP\xff,a\n")
    with pytest.raises(CohortError, match="not a UTF-8 CSV table"):
        read_manifest(tmp_path / "study.csv")
    with pytest.raises(CohortError, match="cannot be read"):
        read_manifest(tmp_path / "other.csv")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "patient,path,split\nP1,a,train\nP2,b,train\nP1,c,test\n",
            "lines 2 and 4: patient P1 is in the splits test and train",
        ),
        ("patient,path,site\nP1,a,Ulm\nP1,c,Bonn\n", "lines 2 and 3: the id P1 is used at the sites Bonn, Ulm"),
        ("patient,path,age\nP1,a,60\nP1,b,\nP1,c,61\n", "lines 2 and 4: column 'age' says '60' and '61' of patient P1"),
        ("patient,smear,path\nP1,s,a\nP1,s,a\n", "lines 2 and 3: patient P1 has the smear 's' twice"),
    ],
)
def test_rows_that_contradict_each_other(tmp_path: Path, text: str, said: str) -> None:
    read = read_manifest(manifest(tmp_path, text))
    assert len(manifest_faults(read)) == 1
    with pytest.raises(CohortError, match=r"study\.csv") as caught:
        patients_of(read)
    assert said in str(caught.value)


def test_several_faults_are_counted(tmp_path: Path) -> None:
    text = "patient,path,split,site\nP1,a,train,Ulm\nP1,b,test,Bonn\nP2,c,,Ulm\nP2,d,,Bonn\n"
    read = read_manifest(manifest(tmp_path, text))
    assert len(manifest_faults(read)) == 3
    with pytest.raises(CohortError, match="2 more: hemascope cohort show lists them"):
        patients_of(read)


def test_variants(tmp_path: Path) -> None:
    read = read_manifest(manifest(tmp_path, "patient,path,path:uni,path:plain\nP1,a.h5,u.h5,\n"))
    assert read.variants == ("uni", "plain")
    assert read.columns == ()
    assert read.file(read.rows[0]) == tmp_path / "a.h5"
    assert read.file(read.rows[0], "uni") == tmp_path / "u.h5"
    with pytest.raises(CohortError, match="line 2: patient P1 has nothing in column 'path:plain'"):
        read.file(read.rows[0], "plain")
    with pytest.raises(CohortError, match="no column 'path:other'; variants it has: uni, plain"):
        read.file(read.rows[0], "other")


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=6)
ROWS = st.lists(
    st.builds(
        SmearRow,
        patient=st.sampled_from(["P1", "P2", "P10", 'ä,"b']),
        paths=st.fixed_dictionaries({"": TEXT}),
        smear=TEXT,
        places=st.fixed_dictionaries({"stain": st.sampled_from(["MGG", "Wright"])}),
        excluded=st.sampled_from(["", "", "torn"]),
        told=st.just({"class, of it": "A", "age": "61"}),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row.smear,
)


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, order=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows: list[SmearRow], order: object) -> None:
    shuffled = list(rows)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as folder:
        first = patients_of(read_manifest(manifest(Path(folder), manifest_text(rows))))
        second = patients_of(read_manifest(manifest(Path(folder), manifest_text(shuffled))))
    assert [p.facts for p in first] == [p.facts for p in second]
    assert [[row.smear for row in p.rows] for p in first] == [[row.smear for row in p.rows] for p in second]


@settings(max_examples=40, deadline=None)
@given(rows=ROWS)
def test_what_is_written_is_read(rows: list[SmearRow]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        read = read_manifest(manifest(Path(folder), manifest_text(rows)))
    assert [(r.patient, r.smear, r.paths, r.places, r.excluded, r.told) for r in read.rows] == [
        (r.patient, r.smear, r.paths, r.places, r.excluded, r.told) for r in rows
    ]
