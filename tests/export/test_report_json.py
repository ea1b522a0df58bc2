"""report.json against its committed schema, by a validator that knows nothing of pydantic."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from painted_results import report_of

from hemascope.core.report import FailedInput, FieldResult, SmearReport
from hemascope.core.smear import QcVerdict
from hemascope.export.report_json import ReportJsonSink
from hemascope.export.report_models import ReportRecord, report_schema


def write(folder: Path, report: SmearReport) -> Path:
    return ReportJsonSink(folder / "report.json").finish(report)


@pytest.fixture
def schema(docs: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((docs / "report.schema.json").read_text(encoding="utf-8"))
    return content


def test_the_committed_schema_is_the_models(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema == report_schema()


def test_a_report_is_valid_and_whole(
    tmp_path: Path, results: list[FieldResult], schema: dict[str, Any], read_json: Any
) -> None:
    report = report_of(results, (FailedInput("b.png", "UnreadableImageError", "b.png is empty; remove it"),))
    content = read_json(write(tmp_path, report))
    jsonschema.validate(content, schema, cls=jsonschema.Draft202012Validator)
    assert (content["kind"], content["schema_version"]) == ("hemascope.report", 2)
    assert content["failed"][0]["message"] == "b.png is empty; remove it"
    assert len(content["fields"]) == len(results)
    assert content["fields"][1]["verdict"]["status"] == "warn"
    assert content["excluded_fields"] == [results[2].field.id]
    neutrophils = content["differential"]["types"]["neutrophil"]
    assert neutrophils["count"] == report.differential.types["neutrophil"].count
    assert neutrophils["low"] <= neutrophils["value"] <= neutrophils["high"]
    assert content["provenance"]["recipe"]["limits"] == [1, 2]
    assert report.red_cells is not None
    assert report.platelets is not None
    target = content["red_cells"]["types"]["target_cell"]
    assert target["rate"]["count"] == report.red_cells.types["target_cell"].rate.count
    assert (target["grade"], target["loinc"]) == (None, "10381-2")
    assert "fewer than the 1,000" in target["reason"]
    assert content["red_cells"]["grading"]["sha256"] == content["provenance"]["tables"][0]["sha256"]
    assert content["platelets"]["clump_fields"] == [results[0].field.id]
    assert sum(field["red_cells"]["judged"] for field in content["fields"]) == content["red_cells"]["judged"]
    assert ReportRecord.model_validate(content).title == report.title


def test_an_empty_report_is_valid_with_null_rates(tmp_path: Path, schema: dict[str, Any], read_json: Any) -> None:
    content = read_json(write(tmp_path, report_of([])))
    jsonschema.validate(content, schema, cls=jsonschema.Draft202012Validator)
    assert content["differential"]["types"]["neutrophil"]["value"] is None
    assert content["red_cells"]["types"]["target_cell"]["rate"]["value"] is None


def test_a_report_without_morphology_is_valid(tmp_path: Path, schema: dict[str, Any], read_json: Any) -> None:
    content = read_json(write(tmp_path, replace(report_of([]), red_cells=None, platelets=None)))
    jsonschema.validate(content, schema, cls=jsonschema.Draft202012Validator)
    assert (content["red_cells"], content["platelets"]) == (None, None)


def test_nan_and_infinity_become_null(
    tmp_path: Path, results: list[FieldResult], schema: dict[str, Any], read_json: Any
) -> None:
    odd = replace(results[0], verdict=QcVerdict((), {"a": math.nan, "b": math.inf, "c": 1.5}))
    report = report_of([odd])
    recipe: dict[str, object] = {"limits": [math.nan, {"deep": -math.inf}]}
    report = replace(report, provenance=replace(report.provenance, recipe=recipe))
    content = read_json(write(tmp_path, report))
    jsonschema.validate(content, schema, cls=jsonschema.Draft202012Validator)
    assert content["fields"][0]["verdict"]["measures"] == {"a": None, "b": None, "c": 1.5}
    assert content["provenance"]["recipe"] == {"limits": [None, {"deep": None}]}


@pytest.mark.parametrize(("key", "value"), [("schema_version", 1), ("kind", "other"), ("surprise", 1)])
def test_another_layout_is_refused(
    key: str, value: object, tmp_path: Path, results: list[FieldResult], schema: dict[str, Any], read_json: Any
) -> None:
    content = read_json(write(tmp_path, report_of(results))) | {key: value}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema, cls=jsonschema.Draft202012Validator)
