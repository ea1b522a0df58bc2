"""The answer about the patient: what is computed of it, and how the page, the tables and report.json tell it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from painted_patient import ASKED, TABLE, TASKS, bag_cells, findings_of, prediction
from painted_results import field_result, report_of

from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.core.patient_findings import PATIENT_USE, PatientFindings
from hemascope.core.report import FieldResult
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import CellKind
from hemascope.export.cells_table import CellsCsvSink
from hemascope.export.report_json import ReportJsonSink
from hemascope.export.report_models import ReportRecord
from hemascope.reporting.html import HtmlReportSink
from hemascope.reporting.patient import (
    MOST_ATTENDED,
    AskedModel,
    BagCell,
    abstain_patient,
    compute_patient,
    patient_statements,
)
from hemascope.reporting.patient_view import ATTENTION_LIMITS, WHY_CLOSED, view_patient

CELLS = tuple(BagCell(f"a#{n}", "a", n, "lymphocyte" if n % 2 else "monocyte") for n in range(40))


@pytest.fixture(scope="module")
def fields() -> list[FieldResult]:
    """The last one failed quality control."""
    return [
        field_result(1, "a.png", white=6),
        field_result(2, "b.png", white=5),
        field_result(3, "c.png", white=4, status=QcStatus.FAIL),
    ]


@pytest.fixture
def docs() -> Path:
    return Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def found(fields: list[FieldResult]) -> PatientFindings:
    return findings_of(fields)


def page(folder: Path, results: list[FieldResult], found: PatientFindings | None) -> str:
    sink = HtmlReportSink(folder / "report.html")
    for result in results:
        sink.add(result)
    return sink.finish(replace(report_of(results), patient=found)).read_text("utf-8")


def section(text: str) -> str:
    return text.split('<section id="patient">')[1].split("</section>")[0]


def test_answers_with_what_members_say() -> None:
    found = compute_patient(ASKED, CELLS, prediction(40))
    disease, fish, hemoglobin = found.answers
    assert [(o.title, o.probability, o.low, o.high) for o in disease.outputs] == [
        ("Acute leukemia", 0.25, 0.1, 0.4),
        ("MPN", 0.5, 0.4, 0.6),
        ("Healthy & well", 0.25, 0.2, 0.3),
    ]
    assert [(o.name, o.title) for o in fish.outputs] == [("del17p", "del17p"), ("gain_1q", "gain 1q")]
    assert hemoglobin.number is not None
    assert (hemoglobin.number.value, hemoglobin.number.low, hemoglobin.number.high) == (9.5, 9.0, 10.0)
    assert hemoglobin.number.unit == "g/dL"
    assert (found.members, found.cells, found.fields) == (2, 40, 1)
    assert found.taxonomy == TABLE.table


def test_malignancy_is_summed_within_each_member() -> None:
    found = compute_patient(ASKED, CELLS, prediction(40)).malignancy
    assert found is not None
    assert (found.probability, found.low, found.high) == pytest.approx((0.75, 0.7, 0.8))
    assert (found.classes, found.threshold) == (("Acute leukemia", "MPN"), 0.4)


def test_rounding_does_not_make_a_share_of_more_than_all() -> None:
    over = np.array([0.5 + 1e-9, 0.5 + 1e-9, -1e-12])
    said = prediction(40, probabilities={"disease": over, "fish": np.array([1 + 1e-9, 0.0])}, members={})
    found = compute_patient(ASKED, CELLS, said)
    assert found.malignancy is not None
    assert found.malignancy.probability == 1
    assert (found.answers[0].outputs[2].probability, found.answers[1].outputs[0].probability) == (0, 1)
    assert found.answers[1].outputs[0].low == found.answers[1].outputs[0].high == 1
    assert found.members == 1


def test_attention_by_cell_and_by_type() -> None:
    found = compute_patient(ASKED, CELLS, prediction(40), lambda place: bytes([place]))
    assert found.attended == "all answers"
    assert sum(found.attention.values()) == pytest.approx(1)
    assert [cell.place for cell in found.most_attended] == list(range(MOST_ATTENDED))
    assert found.most_attended[3].picture == b"\x03"
    assert found.most_attended[3].share == found.attention["a#3"]
    # Even places are monocytes: of 1, 1/e, 1/e^2, ... they have 1 / (1 + 1/e).
    assert [(kind.label, kind.cells) for kind in found.by_type] == [("monocyte", 20), ("lymphocyte", 20)]
    assert found.by_type[0].share == pytest.approx(1 / (1 + np.exp(-1)))


def test_pictures_are_asked_for_the_shown_cells_alone() -> None:
    asked: list[int] = []
    compute_patient(ASKED, CELLS, prediction(40), lambda place: bytes(asked.append(place) or b""))  # type: ignore[func-returns-value]
    assert sorted(asked) == list(range(MOST_ATTENDED))


@pytest.mark.parametrize("prefix", ["", "disease."])
def test_attention_of_the_likeliest_class(prefix: str) -> None:
    names = tuple(prefix + name for name in ("acute_leukemia", "mpn", "healthy"))
    said = prediction(40, names)
    found = compute_patient(ASKED, CELLS, said)
    assert found.attended == "MPN"
    assert found.attention["a#0"] == pytest.approx(said.attention[0, 1])


def test_attention_of_markers_is_their_mean() -> None:
    said = prediction(40, ("del17p", "gain_1q"))
    found = compute_patient(AskedModel(ASKED.model, ASKED.encoder, TASKS[1:2]), CELLS, said)
    assert found.attended == "all answers, the mean over 2"
    assert found.attention["a#0"] == pytest.approx(said.attention[0].mean())
    assert found.malignancy is None


def test_a_task_without_an_answer_says_why() -> None:
    said = prediction(40, abstained={"disease": "the likeliest class has less than 0.6", "hemoglobin": "too sparse"})
    disease, fish, hemoglobin = compute_patient(ASKED, CELLS, said).answers
    assert (disease.abstained, fish.abstained) == ("the likeliest class has less than 0.6", "")
    assert (hemoglobin.abstained, len(disease.outputs)) == ("too sparse", 3)
    assert compute_patient(ASKED, CELLS, said).malignancy is None
    missing = compute_patient(ASKED, CELLS, prediction(40, probabilities={}, numbers={}))
    assert all(answer.abstained.startswith("the model gave no") for answer in missing.answers)


def test_where_nothing_was_asked_every_task_says_why() -> None:
    found = abstain_patient(ASKED, "no nucleated cell was found")
    assert {answer.abstained for answer in found.answers} == {"no nucleated cell was found"}
    assert (found.cells, found.members, found.attention, found.malignancy) == (0, 0, {}, None)


def test_a_table_must_be_that_of_a_task() -> None:
    for task in ("fish", "", "hemoglobin"):
        with pytest.raises(ValueError, match=f"'{task}' does not answer with the classes"):
            replace(ASKED, diseases=replace(TABLE, task=task))
    other = BagTask("disease", TaskKind.CLASSES, ("acute_leukemia", "healthy"))
    with pytest.raises(ValueError, match="does not answer"):
        replace(ASKED, tasks=(other,))


def test_a_class_without_a_title_is_shown_by_its_name() -> None:
    asked = replace(ASKED, diseases=replace(TABLE, titles={}))
    assert compute_patient(asked, CELLS, prediction(40)).answers[0].outputs[0].title == "acute leukemia"


def test_the_likeliest_class_stands_first_and_alone_is_marked() -> None:
    view = view_patient(compute_patient(ASKED, CELLS, prediction(40)), {"a": 0})
    assert [(row.title, row.first) for row in view.tasks[0].rows] == [
        ("MPN", True),
        ("Acute leukemia", False),
        ("Healthy & well", False),
    ]
    assert [row.title for row in view.tasks[1].rows] == ["del17p", "gain 1q"]
    assert view.tasks[2].sentence == "9.5 g/dL; members say 9.0 to 10.0 g/dL."
    assert view.malignancy is not None
    assert "reaches the threshold of 0.40" in view.malignancy.sentence
    assert [(cell.anchor, cell.share, cell.times) for cell in view.cells] == [
        ("c0-0", "63%", "25"),
        ("c0-1", "23%", "9.3"),
        ("c0-2", "8.6%", "3.4"),
        ("c0-3", "3.1%", "1.3"),
    ]


@pytest.mark.parametrize(("cells", "share"), [(40, "2.5%"), (500, "0.20%"), (30_000, "<0.01%")])
def test_even_attention_is_shown_as_such(cells: int, share: str) -> None:
    many = tuple(BagCell(f"a#{n}", "a", n, "lymphocyte") for n in range(cells))
    found = compute_patient(ASKED, many, prediction(cells, attention=np.full((cells, 1), 1 / cells)))
    view = view_patient(found, {"a": 0})
    assert {(cell.share, cell.times) for cell in view.cells} == {(share, "1.0")}
    assert len(view.cells) == MOST_ATTENDED


def test_no_class_is_marked_where_there_is_no_answer() -> None:
    view = view_patient(compute_patient(ASKED, CELLS, prediction(40, abstained={"disease": "in doubt"})), {})
    assert not any(row.first for row in view.tasks[0].rows)
    assert view.cells[0].anchor == ""


def test_the_section_is_marked_and_closed(tmp_path: Path, fields: list[FieldResult], found: PatientFindings) -> None:
    text = page(tmp_path, fields, found)
    said = section(text)
    before, inside = said.split("</summary>")
    assert "research use only, not for diagnosis" in before
    assert WHY_CLOSED.replace("'", "&#39;") in before
    assert '<details class="patient">' in before
    asked = "was asked about 11 nucleated cells of 2 fields, taken as one patient."
    assert f"The model patients 3 (2 networks together) {asked}" in before
    assert PATIENT_USE.replace("'", "&#39;") in inside
    assert ATTENTION_LIMITS in inside
    assert "Healthy &amp; well" in inside
    assert "Acute leukemia, MPN" in inside
    assert inside.count("data:image/webp") == 3
    assert '<a href="#patient">' in text


def test_the_page_outside_the_closed_part_gives_nothing_away(
    tmp_path: Path, fields: list[FieldResult], found: PatientFindings
) -> None:
    text = page(tmp_path, fields, found)
    start, end = text.index('<details class="patient">'), text.index("</section>", text.index('id="patient"'))
    outside = text[:start] + text[end:]
    summary = text[start:end].split("<summary>")[1].split("</summary>")[0]
    for word in ("MPN", "Acute leukemia", "del17p", "gain 1q", "g/dL", "alignan"):
        assert word not in outside
        assert word not in summary
    assert all("MPN" not in line and "leukemia" not in line for line in patient_statements(found))


def test_links_of_attended_cells_lead_to_them(
    tmp_path: Path, fields: list[FieldResult], found: PatientFindings
) -> None:
    text = page(tmp_path, fields, found)
    for cell in view_patient(found, {"a.png": 0, "b.png": 1}).cells:
        assert f'id="{cell.anchor}"' in text
        assert f'href="#{cell.anchor}"' in section(text)


def test_without_a_model_there_is_no_section(tmp_path: Path, fields: list[FieldResult]) -> None:
    text = page(tmp_path, fields, None)
    assert 'id="patient"' not in text
    assert "#patient" not in text


def test_an_abstention_is_told_with_its_reason(tmp_path: Path, fields: list[FieldResult]) -> None:
    reason = "no nucleated cell was found in a field that did not fail quality control"
    said = section(page(tmp_path, fields, abstain_patient(ASKED, reason)))
    assert said.count(f"<strong>No answer:</strong> {reason}.") == 3
    assert "<table" not in said
    said = section(page(tmp_path, fields, findings_of(fields, abstained={"disease": "in doubt"})))
    assert "<strong>No answer:</strong> in doubt. What follows was computed and is no answer." in said
    assert 'class="answers withheld"' in said


def test_tables_hold_the_attention_of_cells_that_were_seen(
    tmp_path: Path, fields: list[FieldResult], found: PatientFindings
) -> None:
    report = replace(report_of(fields), patient=found)
    sink = CellsCsvSink(tmp_path / "cells.csv")
    for result in fields:
        sink.add(result)
    with sink.finish(report).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(result.cells) for result in fields)
    for row in rows:
        seen = row["kind"] == CellKind.WHITE_CELL and row["field_qc"] != "fail"
        assert bool(row["attention"]) == seen
        if seen:
            assert float(row["attention"]) == pytest.approx(found.attention[row["cell_id"]], rel=1e-5)
    assert sum(float(row["attention"] or 0) for row in rows) == pytest.approx(1, abs=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == ["cells.csv"]


def test_the_rest_of_the_tables_stays_as_it_was(tmp_path: Path, found: PatientFindings) -> None:
    results = [field_result(2, '"x",\n<b>.png', typed=True), field_result(3, "=cmd|'/c calc'!A1")]
    tables = []
    for report in (report_of(results), replace(report_of(results), patient=found)):
        sink = CellsCsvSink(tmp_path / "cells.csv")
        for result in results:
            sink.add(result)
        with sink.finish(report).open(newline="") as file:
            tables.append([{k: v for k, v in row.items() if k != "attention"} for row in csv.DictReader(file)])
    assert tables[0] == tables[1]


def test_names_that_are_no_unicode_have_their_attention(tmp_path: Path) -> None:
    odd = field_result(1, "latin-\udce9.png", white=3)
    found = findings_of([odd])
    sink = CellsCsvSink(tmp_path / "cells.csv")
    sink.add(odd)
    with sink.finish(replace(report_of([odd]), patient=found)).open(newline="") as file:
        told = [float(row["attention"]) for row in csv.DictReader(file) if row["attention"]]
    assert told == pytest.approx(list(found.attention.values()), rel=1e-5)


def test_parquet_and_anndata_hold_the_same(tmp_path: Path, fields: list[FieldResult], found: PatientFindings) -> None:
    anndata, pq = pytest.importorskip("anndata"), pytest.importorskip("pyarrow.parquet")
    from hemascope.export.anndata_table import CellsAnnDataSink
    from hemascope.export.parquet import CellsParquetSink, cells_schema

    report = replace(report_of(fields), patient=found)
    wanted = [found.attention.get(cell.cell.id) for result in fields for cell in result.cells]
    paths = []
    for sink in (CellsParquetSink(tmp_path / "cells.parquet"), CellsAnnDataSink(tmp_path / "cells.h5ad")):
        for result in fields:
            sink.add(result)
        paths.append(sink.finish(report))
    table = pq.read_table(paths[0])
    assert table.schema.equals(cells_schema())
    assert table.column("attention").to_pylist() == wanted
    obs = anndata.read_h5ad(paths[1]).obs["attention"]
    assert [None if np.isnan(value) else value for value in obs] == wanted
    assert {path.name for path in tmp_path.iterdir()} == {"cells.parquet", "cells.h5ad"}


def test_report_json_holds_the_findings_and_keeps_to_its_schema(
    tmp_path: Path, fields: list[FieldResult], found: PatientFindings, docs: Path
) -> None:
    report = replace(report_of(fields), patient=found)
    content = json.loads(ReportJsonSink(tmp_path / "report.json").finish(report).read_text("utf-8"))
    schema = json.loads((docs / "report.schema.json").read_text("utf-8"))
    jsonschema.validate(content, schema, cls=jsonschema.Draft202012Validator)
    said = content["patient"]
    assert (said["use"], said["research_use_only"]) == (PATIENT_USE, True)
    assert said["answers"][0]["outputs"][1] == {
        "name": "mpn", "title": "MPN", "probability": 0.5, "low": 0.4, "high": 0.6,
    }  # fmt: skip
    assert said["malignancy"]["probability"] == 0.75
    assert said["encoder"]["name"] == "hemascope_s"
    assert [cell["cell_id"] for cell in said["most_attended"]] == [c.cell_id for c in found.most_attended]
    assert "picture" not in said["most_attended"][0]
    assert "attention" not in said
    assert ReportRecord.model_validate(content).patient is not None


def test_a_report_without_a_patient_is_valid(tmp_path: Path, fields: list[FieldResult], docs: Path) -> None:
    content = json.loads(ReportJsonSink(tmp_path / "report.json").finish(report_of(fields)).read_text("utf-8"))
    assert content.pop("patient") is None
    schema = json.loads((docs / "report.schema.json").read_text("utf-8"))
    jsonschema.validate(content, schema, cls=jsonschema.Draft202012Validator)
    assert ReportRecord.model_validate(content).patient is None


def test_only_cells_that_count_are_in_the_bag(fields: list[FieldResult], found: PatientFindings) -> None:
    assert len(bag_cells(fields)) == found.cells == 11
    assert {cell.field_id for cell in found.most_attended} == {"a.png", "b.png"}
