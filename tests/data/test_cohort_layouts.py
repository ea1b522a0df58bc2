"""Folders of other makers, generated in their layouts, as rows of a manifest."""

from __future__ import annotations

from pathlib import Path

import pytest
from cohort_sets import write_aml_hehr, write_apl_aml, write_caitomorph

from hemascope.core.errors import CohortError
from hemascope.data.cohort.layout_folder import LayoutFolder
from hemascope.data.cohort.layouts import read_layout
from hemascope.data.cohort.manifest import SmearRow


def rows_of(name: str, folder: Path, table: Path | None = None, encoder: str = "") -> dict[str, SmearRow]:
    rows = read_layout(name, LayoutFolder(folder, table, encoder))
    return {row.smear or row.patient: row for row in rows}


def test_aml_hehr_with_features(tmp_path: Path) -> None:
    root = write_aml_hehr(tmp_path / "set", features=True)
    rows = rows_of("aml-hehr", root)
    assert list(rows) == ["data/PML_RARA/AAA", "data/control/BBB", "data/NPM1/CCC"]
    first = rows["data/PML_RARA/AAA"]
    assert first.paths[""] == str(root / "data" / "PML_RARA" / "AAA" / "fnl34_bn_features_layer_7.npy")
    assert first.told["bag_label"] == "PML_RARA"
    assert first.told["pb_promyelocyte"] == "80"
    assert first.places == {"specimen": "blood"}
    assert "leucocytes_per_ul" not in rows["data/control/BBB"].told


def test_aml_hehr_with_images_and_a_patient_who_is_not_there(tmp_path: Path) -> None:
    root = write_aml_hehr(tmp_path / "set")
    with (root / "metadata.csv").open("a", encoding="utf-8") as table:
        table.write("DDD,1,50,CBFB_MYH11,9,1,100,1,1\n")
    rows = rows_of("aml-hehr", root)
    assert rows["NPM1/CCC"].paths[""] == str(root / "NPM1" / "CCC")
    assert rows["DDD"].excluded == "no images of this patient in the folder"


def test_aml_hehr_under_the_archives_own_name_of_its_table(tmp_path: Path) -> None:
    root = write_aml_hehr(tmp_path / "set")
    (root / "metadata.csv").rename(root / "metadata_with_data_dictionary.csv_metadata.csv")
    assert len(rows_of("aml-hehr", root)) == 3


@pytest.mark.parametrize("on_kaggle", [True, False])
def test_apl_aml(tmp_path: Path, on_kaggle: bool) -> None:
    root = write_apl_aml(tmp_path / "set", on_kaggle=on_kaggle)
    above, gap = ("", "_") if on_kaggle else ("All/", " ")
    rows = rows_of("apl-aml", root)
    assert sorted(rows) == [
        f"{above}Patient_00/Signed{gap}slides",
        f"{above}Patient_00/Unsigned{gap}slides",
        f"{above}Patient_01/Signed{gap}slides",
        f"{above}Patient_82/Signed{gap}slides",
    ]
    last = rows[f"{above}Patient_82/Signed{gap}slides"]
    assert last.split == "test"
    assert last.told == {"Diagnosis": "APL", "Cohort": "Validation", "Age at Diagnosis": "43", "Gender": "Female"}
    assert rows[f"{above}Patient_01/Signed{gap}slides"].split == "train"


@pytest.mark.parametrize("plain", [True, False])
def test_caitomorph(tmp_path: Path, plain: bool) -> None:
    root = write_caitomorph(tmp_path / "set")
    if plain:
        for folder in sorted((root / "patients").iterdir()):
            folder.rename(root / folder.name)
    rows = rows_of("caitomorph", root)
    assert list(rows) == (["p1", "p2"] if plain else ["patients/p1", "patients/p2"])
    assert {row.split for row in rows.values()} == {"test"}
    assert [row.told["diagnosis_fine"] for row in rows.values()] == ["AML", "SCD"]


def job(root: Path, *encoders: str, scale: str = "20x_256px_0px_overlap") -> Path:
    for encoder in encoders:
        folder = root / scale / f"features_{encoder}"
        folder.mkdir(parents=True)
        for slide in ("S.1", "S.2"):
            (folder / f"{slide}.h5").write_bytes(b"")
    (root / scale / "slide_features_titan").mkdir(parents=True, exist_ok=True)
    return root


def clinical(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_trident_without_a_table(tmp_path: Path) -> None:
    root = job(tmp_path / "job", "uni_v1")
    rows = rows_of("trident", root)
    assert list(rows) == ["S.1", "S.2"]
    assert rows["S.1"].patient == "S.1"
    assert rows["S.1"].paths == {"": str(root / "20x_256px_0px_overlap" / "features_uni_v1" / "S.1.h5")}


def test_trident_with_several_encoders_and_a_clinical_table(tmp_path: Path) -> None:
    root = job(tmp_path / "job", "uni_v1", "conch_v15")
    table = clinical(
        tmp_path / "clinical.csv",
        "PATIENT,FILENAME,site,split,hrd\nP1,a/S.1.svs,Ulm,train,1\nP1,S.2,Ulm,train,1\nP2,S.3.ndpi,Bonn,,0\n",
    )
    rows = rows_of("trident", root, table, "uni_v1")
    assert [row.patient for row in rows.values()] == ["P1", "P1", "P2"]
    assert Path(rows["S.1"].paths["conch_v15"]).parent.name == "features_conch_v15"
    assert rows["S.1"].places == {"site": "Ulm"}
    assert rows["S.1"].split == "train"
    assert rows["S.1"].told == {"hrd": "1"}
    assert rows["S.3"].excluded == "no features by uni_v1"


def test_trident_at_two_scales(tmp_path: Path) -> None:
    root = job(job(tmp_path / "job", "uni_v1"), "uni_v1", scale="40x_256px_0px_overlap")
    with pytest.raises(
        CohortError, match="several encoders; choose one with --encoder: 20x_256px_0px_overlap/uni_v1, 40x"
    ):
        rows_of("trident", root)
    chosen = rows_of("trident", root, encoder="40x_256px_0px_overlap/uni_v1")["S.1"]
    assert "40x_256px" in chosen.paths[""]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("case,slide\nP1,S.1\n", "no column patient or patient_id or case_id"),
        ("patient,name\nP1,S.1\n", "no column smear or slide"),
        ("patient,slide\nP1,S.1\nP2,S.1.svs\n", "line 3: slide 'S.1' stands there before"),
        ("patient,slide\n,S.1\n", "line 2: slide or patient is empty"),
        ("patient,slide\nP1\n", "line 2: not as many columns"),
    ],
)
def test_clinical_tables_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    root = job(tmp_path / "job", "uni_v1")
    with pytest.raises(CohortError, match=r"clinical\.csv") as caught:
        rows_of("trident", root, clinical(tmp_path / "clinical.csv", text))
    assert said in str(caught.value)


def test_folders_without_the_layout(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CohortError, match=r"holds no metadata\.csv or"):
        rows_of("aml-hehr", tmp_path / "empty")
    with pytest.raises(CohortError, match="holds no folder features_ENCODER"):
        rows_of("trident", tmp_path / "empty")
    with pytest.raises(CohortError, match="is no folder"):
        rows_of("trident", tmp_path / "none")
    with pytest.raises(CohortError, match="choose one of aml-hehr, apl-aml, caitomorph, trident"):
        rows_of("other", tmp_path / "empty")
    clinical(tmp_path / "empty" / "metadata.csv", "patient_id,bag_label\nAAA,NPM1\n")
    with pytest.raises(CohortError, match="holds no patient in the layout aml-hehr"):
        rows_of("aml-hehr", tmp_path / "empty")
    clinical(tmp_path / "empty" / "metadata.csv", "patient_id,bag_label\nAAA,NPM1\nAAA,NPM1\n")
    with pytest.raises(CohortError, match="line 3: patient AAA stands there before"):
        rows_of("caitomorph", tmp_path / "empty")
