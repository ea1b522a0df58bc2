"""An analysis with a model of patients: all fields one bag, each cell embedded once, answers that may be missing."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from patient_parts import PooledModel

from hemascope import wiring
from hemascope.app.analyze import AnalysisRequest, analyze
from hemascope.app.analyzer import Analyzer
from hemascope.app.answer_patient import PatientAnswering, PatientCells
from hemascope.app.picture_file import PictureFile
from hemascope.app.provenance import gather_provenance
from hemascope.bags.taxonomy import load_taxonomy
from hemascope.core.bag import Bag
from hemascope.core.bag_prediction import BagPrediction
from hemascope.core.cell import CellCrop
from hemascope.core.errors import CohortError, OutputError
from hemascope.core.ports import BagModel, Encoder
from hemascope.core.provenance import TableIdentity
from hemascope.core.report import FieldResult, SmearReport
from hemascope.core.smear import Field, QcReason, QcStatus
from hemascope.core.taxonomy import CellKind
from hemascope.core.units import Scale, ScaleSource
from hemascope.embed.descriptor_encoder import DescriptorEncoder
from hemascope.recipes import AnalysisRecipe
from hemascope.reporting.patient import AskedDiseases
from hemascope.sources.discover import discover
from hemascope.synth.smear import paint_field
from hemascope.synth.write import write_smear

PLAIN = AnalysisRecipe(attributes=False, red_cells=False, segmenter="classical", generative="off")
LETTER = load_taxonomy("leukemia_letter")
DISEASES = AskedDiseases(
    TableIdentity(LETTER.name, LETTER.version, LETTER.sha256), "disease", LETTER.malignant, LETTER.titles, 0.5
)
UM = 24.0


class CountingEncoder(DescriptorEncoder):
    """Descriptors, and how many crops each call was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[int] = []

    def encode(self, crops: Sequence[CellCrop]) -> NDArray[np.float32]:
        self.given.append(len(crops))
        return super().encode(crops)


def answering(encoder: Encoder | None = None, **changes: object) -> PatientAnswering:
    encoder = encoder or DescriptorEncoder()
    model: BagModel = PooledModel(encoder)
    base = PatientAnswering(model, encoder, UM, DISEASES)
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def plain() -> Analyzer:
    return wiring.build_analyzer(PLAIN, mpp=0.1)


@pytest.fixture(scope="module")
def fields(plain: Analyzer) -> list[FieldResult]:
    scale = Scale(0.1, ScaleSource.STATED)
    return [
        plain.analyze(Field(f"f{seed}", paint_field(seed=seed).field.pixels, scale, sha256=f"{seed:064x}"))
        for seed in (5, 6, 7)
    ]


@pytest.fixture(scope="module")
def smear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_smear(tmp_path_factory.mktemp("smear") / "painted", 3, seed=11) / "images"


def white(results: Sequence[FieldResult]) -> list[str]:
    return [c.cell.id for result in results for c in result.cells if c.cell.kind is CellKind.WHITE_CELL]


def failed(result: FieldResult) -> FieldResult:
    reason = QcReason("duplicate", QcStatus.FAIL, "the same file")
    return replace(result, verdict=replace(result.verdict, reasons=(reason,)))


def gathered(asked: PatientAnswering, results: Sequence[FieldResult], folder: Path) -> PatientCells:
    cells = asked.gather(folder)
    for result in results:
        cells.add(result)
    return cells


def run_on(folder: Path, out: Path, analyzer: Analyzer, patient: PatientAnswering | None) -> SmearReport:
    models = (*analyzer.models, *(patient.models if patient else ()))
    provenance = gather_provenance(PLAIN, models, "hemascope analyze")
    request = AnalysisRequest(discover([folder]), out, wiring.load_prior(PLAIN.prior), provenance, patient=patient)
    return analyze(request, analyzer, wiring.build_sinks, lambda result: None)


def test_all_fields_form_one_bag(fields: list[FieldResult], tmp_path: Path) -> None:
    asked = answering()
    found = gathered(asked, fields, tmp_path).findings()
    assert isinstance(asked.model, PooledModel)
    (bag,) = asked.model.asked
    assert list(bag.cell_ids) == white(fields)
    assert (found.cells, found.fields) == (len(white(fields)), 3)
    assert found.attention.keys() == set(white(fields))
    assert sum(found.attention.values()) == pytest.approx(1)
    assert found.malignancy is not None
    assert found.malignancy.probability == pytest.approx(
        sum(output.probability for output in found.answers[0].outputs[:6])
    )
    assert found.answers[0].outputs[0].title == "Acute leukemia"
    assert found.most_attended[0].picture[:4] == b"RIFF"


def test_the_order_of_fields_does_not_change_the_answer(fields: list[FieldResult], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one = gathered(answering(), fields, tmp_path).findings()
    other = gathered(answering(), fields[::-1], tmp_path / "other").findings()
    assert one.attention == pytest.approx(other.attention)
    assert [c.cell_id for c in one.most_attended] == [c.cell_id for c in other.most_attended]
    assert [c.picture for c in one.most_attended] == [c.picture for c in other.most_attended]


def test_cells_of_failed_fields_are_left_out(fields: list[FieldResult], tmp_path: Path) -> None:
    found = gathered(answering(), [fields[0], failed(fields[1]), fields[2]], tmp_path).findings()
    assert found.attention.keys() == set(white([fields[0], fields[2]]))
    assert found.fields == 2


def test_every_cell_is_embedded_once(fields: list[FieldResult], tmp_path: Path) -> None:
    encoder = CountingEncoder()
    gathered(answering(encoder), [*fields, failed(fields[0])], tmp_path).findings()
    assert sum(encoder.given) == len(white(fields))


def test_without_a_nucleated_cell_there_is_no_answer(fields: list[FieldResult], tmp_path: Path) -> None:
    asked = answering()
    none = replace(fields[0], cells=tuple(c for c in fields[0].cells if c.cell.kind is not CellKind.WHITE_CELL))
    kinds: list[list[FieldResult]] = [[], [none], [failed(result) for result in fields]]
    for results in kinds:
        found = gathered(asked, results, tmp_path).findings()
        assert {answer.abstained for answer in found.answers} == {
            "no nucleated cell was found in a field that did not fail quality control"
        }
        assert (found.cells, found.malignancy, found.most_attended) == (0, None, ())
    assert isinstance(asked.model, PooledModel)
    assert asked.model.asked == []


def test_a_model_of_another_encoder_is_refused_before_anything_is_read() -> None:
    encoder = DescriptorEncoder()
    with pytest.raises(CohortError, match="takes embeddings of the encoder 123456789abcdef, but descriptors is"):
        PatientAnswering(PooledModel(encoder, digest="123456789abcdef"), encoder, UM)


def test_a_taxonomy_of_other_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="does not answer with the classes"):
        answering(diseases=replace(DISEASES, task="hemoglobin"))


def test_the_whole_way(smear: Path, tmp_path: Path, plain: Analyzer) -> None:
    asked = answering()
    report = run_on(smear, tmp_path / "out", plain, asked)
    assert report.patient is not None
    content = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert content["patient"]["cells"] == report.patient.cells > 0
    assert {model["name"] for model in content["provenance"]["models"]} >= {"pooled", "descriptors"}
    assert content["provenance"]["tables"][-1]["sha256"] == LETTER.sha256
    assert any("not part of a message to a laboratory system" in line for line in content["statements"])
    with (tmp_path / "out" / "cells.csv").open(newline="") as file:
        shares = {row["cell_id"]: float(row["attention"]) for row in csv.DictReader(file) if row["attention"]}
    assert shares == pytest.approx(dict(report.patient.attention), rel=1e-5)
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert '<details class="patient">' in page
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_a_model_changes_nothing_else(smear: Path, tmp_path: Path, plain: Analyzer) -> None:
    without = run_on(smear, tmp_path / "a", plain, None)
    beside = run_on(smear, tmp_path / "b", plain, answering())
    assert without.patient is None
    assert (beside.differential, beside.generative) == (without.differential, without.generative)
    assert beside.statements[:-1] == without.statements


def test_an_interrupted_run_leaves_no_pictures(smear: Path, tmp_path: Path, plain: Analyzer) -> None:
    class Interrupted(PooledModel):
        def predict(self, bag: Bag) -> BagPrediction:
            raise KeyboardInterrupt

    encoder = DescriptorEncoder()
    with pytest.raises(KeyboardInterrupt):
        run_on(smear, tmp_path / "out", plain, PatientAnswering(Interrupted(encoder), encoder, UM))
    assert not (tmp_path / "out").exists()


def test_pictures_come_back_by_their_number(tmp_path: Path) -> None:
    pictures = [b"one", b"", b"three" * 1000]
    file = PictureFile(tmp_path / "pictures")
    for picture in pictures:
        file.add(picture)
    assert [file.read(number) for number in (2, 0, 1)] == [pictures[2], pictures[0], pictures[1]]
    with pytest.raises(IndexError):
        file.read(3)
    file.close()
    file.close()
    assert not list(tmp_path.iterdir())


def test_pictures_that_cannot_be_kept_say_so(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nowhere"):
        PictureFile(tmp_path / "nowhere" / "pictures").add(b"one")
