"""What is written when a model of patients is asked: answers, reasons not to answer, malignancy, attention."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from bag_cohorts import planted
from numpy.typing import NDArray

from hemascope.app.predict_patients import predict_cohort
from hemascope.bags.ensemble import BagEnsemble
from hemascope.bags.model_spec import BagModelSpec, CellsSeen, TaskSpec, TaxonomyFacts
from hemascope.bags.taxonomy import load_taxonomy
from hemascope.core.bag_task import TaskKind
from hemascope.core.cohort import Cohort
from hemascope.core.patient import PatientFacts
from hemascope.core.provenance import ModelIdentity
from hemascope.evaluate.patients.answers_file import read_answers

TABLE = load_taxonomy("leukemia_letter")
LABELS = ("AML", "healthy", "in between", "")


class EvenGraph:
    """One member that finds every class as likely and every cell as important."""

    identity = ModelIdentity("even", "1", "ab", "numpy", "Apache-2.0")

    def run(self, cells: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        shares = np.full((1, len(cells), 1), 1 / len(cells), np.float32)
        return np.zeros((1, len(TABLE.coarse)), np.float32), shares, np.zeros((1, 2), np.float32)


def asked(folder: Path) -> tuple[BagModelSpec, list[dict[str, str]], list[dict[str, str]]]:
    bags = planted(4)[0]
    spec = BagModelSpec(
        aggregator="mean",
        members=1,
        encoder=bags.encoder,
        dimension=bags.dimension,
        attended=("all",),
        tasks=(TaskSpec(name="disease", kind=TaskKind.CLASSES, outputs=TABLE.coarse),),
        cells=CellsSeen(patients=9, least=1, first_percentile=float(np.sort(bags.sizes)[1]), median=5, greatest=9),
        taxonomy=TaxonomyFacts(
            name=TABLE.name, version=TABLE.version, sha256=TABLE.sha256, task="disease", malignant=TABLE.malignant
        ),
    )
    facts = tuple(
        PatientFacts(name, {"disease": label} if label else {}, excluded="borderline" if label == "in between" else "")
        for name, label in zip(bags.patients, LABELS, strict=True)
    )
    out, shares = folder / "answers.csv", folder / "attention.csv"
    predict_cohort(BagEnsemble(EvenGraph(), spec), Cohort("four", facts, bags), out, shares, lambda *_: None)
    with out.open(encoding="utf-8") as file, shares.open(encoding="utf-8") as other:
        return spec, list(csv.DictReader(file)), list(csv.DictReader(other))


def test_labels_of_the_laboratory_become_truth_where_the_table_knows_them(tmp_path: Path) -> None:
    _, rows, _ = asked(tmp_path)
    assert [row["truth.disease"] for row in rows] == ["acute_leukemia", "healthy", "", ""]
    assert [row["label.disease"] for row in rows] == list(LABELS)
    assert [row["split"] for row in rows] == ["new", "new", "excluded", "new"]


def test_malignancy_is_the_sum_over_malignant_classes(tmp_path: Path) -> None:
    _, rows, _ = asked(tmp_path)
    expected = len(TABLE.malignant) / len(TABLE.coarse)
    np.testing.assert_allclose([float(row["malignancy"]) for row in rows], expected)


def test_a_reason_stands_beside_an_answer_that_is_withheld(tmp_path: Path) -> None:
    spec, rows, _ = asked(tmp_path)
    for row in rows:
        assert ("too few" in row["abstained.disease"]) == (int(row["cells"]) < spec.cells.first_percentile)
    assert any(row["abstained.disease"] for row in rows)
    assert read_answers(tmp_path / "answers.csv", spec.bag_tasks).probabilities["disease"].shape == (4, 8)


def test_every_cell_has_its_share(tmp_path: Path) -> None:
    _, rows, shares = asked(tmp_path)
    for row in rows:
        own = [share for share in shares if share["patient"] == row["patient"]]
        assert [share["cell"] for share in own] == [f"{row['patient']}#{n}" for n in range(1, int(row["cells"]) + 1)]
        np.testing.assert_allclose([float(share["attention.all"]) for share in own], 1 / len(own), rtol=1e-6)
