"""From a maker's folder to an open cohort, as a user types it: manifest, embeddings, manifest again, cohort."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cohort_sets import write_aml_hehr, write_apl_aml, write_caitomorph
from typer.testing import CliRunner

from hemascope.app.cohort import open_cohort
from hemascope.cli.main import app
from hemascope.core.errors import CohortError

RUNNER = CliRunner()


def typed(*arguments: str | Path) -> str:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def embedded(layout: str, root: Path, out: Path) -> Path:
    """Type what the documentation says for a set of images."""
    manifest = out / "manifest.csv"
    told = typed("cohort", "manifest", layout, root, "--out", manifest)
    assert "--single" in told
    with pytest.raises(CohortError, match="is a folder; if it holds images, embed them first"):
        open_cohort(manifest)
    typed("embed", root, "--single", "--encoder", "descriptors", "--mpp", "0.5", "--out", out, "--quiet")
    told = typed("cohort", "manifest", layout, root, "--out", manifest, "--features", out / "embeddings.h5ad")
    assert "--single" not in told
    return manifest


def test_aml_hehr_from_scemilas_features(tmp_path: Path) -> None:
    root = write_aml_hehr(tmp_path / "set", features=True)
    typed("cohort", "manifest", "aml-hehr", root, "--out", tmp_path / "study" / "manifest.csv")
    cohort = open_cohort(tmp_path / "study" / "manifest.csv", labels=["bag_label"])
    assert cohort.patients == ("AAA", "BBB", "CCC")
    assert cohort.bags.sizes.tolist() == [3, 4, 2]
    assert cohort.bags.dimension == 512
    maps = np.load(root / "data" / "control" / "BBB" / "fnl34_bn_features_layer_7.npy")
    np.testing.assert_allclose(cohort.bags.cells(1), maps.mean(axis=(2, 3)), atol=1e-6)
    assert cohort.facts[1].labels["bag_label"] == "control"
    assert cohort.facts[1].covariates["age"] == 61.0


def test_aml_hehr_from_images(tmp_path: Path) -> None:
    pytest.importorskip("anndata")
    root = write_aml_hehr(tmp_path / "set")
    cohort = open_cohort(embedded("aml-hehr", root, tmp_path / "study"))
    assert cohort.bags.sizes.tolist() == [3, 4, 2]
    assert cohort.bags.bag(2).cell_ids == ("NPM1/CCC/image_0.tif", "NPM1/CCC/image_1.tif")
    assert len(cohort.bags.encoder) == 64


def test_apl_aml_joins_signed_and_unsigned_slides(tmp_path: Path) -> None:
    pytest.importorskip("anndata")
    cohort = open_cohort(embedded("apl-aml", write_apl_aml(tmp_path / "set"), tmp_path / "study"))
    assert cohort.patients == ("Patient_00", "Patient_01", "Patient_82")
    assert cohort.bags.sizes.tolist() == [3, 2, 2]
    assert [fact.split for fact in cohort.facts] == ["train", "train", "test"]


def test_caitomorph_and_what_is_shown_of_it(tmp_path: Path) -> None:
    pytest.importorskip("anndata")
    manifest = embedded("caitomorph", write_caitomorph(tmp_path / "set"), tmp_path / "study")
    shown = typed("cohort", "show", manifest, "--label", "diagnosis_coarse", "--taxonomy", "leukemia_letter")
    assert "2 patients, 2 smears" in shown
    assert "cells a patient: median 2.5, quartiles 2.25 to 2.75, range 2 to 3" in shown
    assert "diagnosis_coarse: acute_leukemia (1), healthy (1)" in shown
    assert "split: test (2)" in shown


def test_a_job_of_trident_with_two_encoders(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    random = np.random.default_rng(0)
    for encoder, dimension in (("uni_v1", 6), ("conch_v15", 4)):
        folder = tmp_path / "job" / "20x_256px_0px_overlap" / f"features_{encoder}"
        folder.mkdir(parents=True)
        for slide, tiles in (("S1", 3), ("S2", 2), ("S3", 5)):
            with h5py.File(folder / f"{slide}.h5", "w") as file:
                file["features"] = random.normal(size=(tiles, dimension)).astype(np.float32)
                file["features"].attrs["encoder"] = encoder
                file["coords"] = np.zeros((tiles, 2), np.int64)
    table, manifest = tmp_path / "clinical.csv", tmp_path / "study.csv"
    table.write_text("patient,slide,hrd\nP1,S1.svs,1\nP1,S2.svs,1\nP2,S3.svs,0\nP3,S4.svs,0\n", encoding="utf-8")
    told = typed(
        "cohort", "manifest", "trident", tmp_path / "job", "--table", table, "--encoder", "uni_v1", "--out", manifest
    )
    assert told.startswith("3 patients, 4 rows, 1 of them excluded")
    cohort = open_cohort(manifest, labels=["hrd"])
    assert cohort.bags.sizes.tolist() == [5, 5]
    assert cohort.bags.encoder == "uni_v1"
    assert open_cohort(manifest, "conch_v15").bags.dimension == 4
    assert [fact.excluded for fact in cohort.excluded] == ["no features by uni_v1"]
    assert "excluded: 1 no features by uni_v1" in typed("cohort", "show", manifest, "--variant", "conch_v15")


def test_faults_are_listed(tmp_path: Path) -> None:
    manifest = tmp_path / "study.csv"
    np.save(tmp_path / "a.npy", np.ones((2, 3), np.float32))
    lines = ["patient,path,disease,excluded", "P1,a.npy,AML,", "P2,b.npy,gout,", "P3,c.npy,CML,", "P4,,x,borderline"]
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    asked = ["cohort", "show", str(manifest), "--label", "disease", "--taxonomy", "leukemia_letter"]
    result = RUNNER.invoke(app, asked)
    assert result.exit_code == 1
    assert "3 patients, 3 smears" in result.output
    assert "excluded: 1 borderline" in result.output
    assert "study.csv, line 3: patient P2: label 'gout' is not in the table of diseases" in result.stderr
    assert "b.npy is not there" in result.stderr
    assert "c.npy is not there" in result.stderr
    assert "3 faults" in result.stderr


def test_faults_between_rows_are_listed_before_any_file_is_read(tmp_path: Path) -> None:
    manifest = tmp_path / "study.csv"
    manifest.write_text("patient,path,split\nP1,a.npy,train\nP1,b.npy,test\n", encoding="utf-8")
    result = RUNNER.invoke(app, ["cohort", "show", str(manifest)])
    assert result.exit_code == 1
    assert "lines 2 and 3: patient P1 is in the splits test and train" in result.stderr
    assert "is not there" not in result.stderr


def test_a_label_that_no_column_has(tmp_path: Path) -> None:
    manifest = tmp_path / "study.csv"
    manifest.write_text("patient,path,age\nP1,a.npy,5\n", encoding="utf-8")
    result = RUNNER.invoke(app, ["cohort", "show", str(manifest), "--label", "disease"])
    assert isinstance(result.exception, CohortError)
    assert "no column 'disease'; it has age" in str(result.exception)
