"""Subtypes and attributes stand in every table in the same words, and reports without them can be read."""

import json
from pathlib import Path

import anndata
import jsonschema
import pandas as pd
import pyarrow.parquet as pq
import pytest
from painted_results import field_result, report_of

from hemascope.core.prediction import ATTRIBUTES, SUBTYPES
from hemascope.core.report import FieldResult
from hemascope.core.smear import QcStatus
from hemascope.data import pbc_full
from hemascope.export.anndata_table import CellsAnnDataSink
from hemascope.export.cells_table import CellsCsvSink
from hemascope.export.geojson import feature
from hemascope.export.parquet import CellsParquetSink
from hemascope.export.report_json import ReportJsonSink
from hemascope.export.report_models import ReportRecord

WORDS = ["subtype", *ATTRIBUTES]


@pytest.fixture(scope="module")
def told() -> list[FieldResult]:
    return [
        field_result(5, "told.png", white=40, told=True),
        field_result(6, "failed.png", white=20, told=True, status=QcStatus.FAIL),
    ]


def test_names_and_subtypes_are_those_of_the_set() -> None:
    assert tuple(pbc_full.ATTRIBUTES) == ATTRIBUTES
    assert {cell_type: tuple(names.values()) for cell_type, names in pbc_full.SUBTYPES.items()} == SUBTYPES


def test_every_table_has_the_same_words(tmp_path: Path, told: list[FieldResult]) -> None:
    paths = []
    for sink in (
        CellsCsvSink(tmp_path / "cells.csv"),
        CellsParquetSink(tmp_path / "cells.parquet"),
        CellsAnnDataSink(tmp_path / "cells.h5ad"),
    ):
        for result in told:
            sink.add(result)
        paths.append(sink.finish(report_of(told)))
    table = pd.read_csv(paths[0], keep_default_na=False)
    cells = [cell for result in told for cell in result.cells]
    for name in ATTRIBUTES:
        wanted = [
            cell.attributes.attributes[name].value if cell.attributes and name in cell.attributes.attributes else ""
            for cell in cells
        ]
        assert list(table[name]) == wanted
        assert 0 < sum(map(bool, wanted)) < len(wanted)
    wanted = [cell.attributes.subtype.value if cell.attributes and cell.attributes.subtype else "" for cell in cells]
    assert list(table["subtype"]) == wanted
    assert set(table.loc[table["subtype"] != "", "type"]) == {"neutrophil", "immature_granulocyte"}
    assert set(table.loc[table["subtype"] != "", "subtype_probability"]) == {"0.8125"}
    assert set(table.loc[table["subtype"] == "", "subtype_probability"]) == {""}
    columns = pq.read_table(paths[1]).to_pandas()
    obs = anndata.read_h5ad(paths[2]).obs
    for name in WORDS:
        assert list(columns[name].fillna("")) == list(table[name])
        assert list(obs[name].astype(object).fillna("")) == list(table[name])
    subtypes = [
        feature(result, cell)["properties"]["metadata"].get("subtype", "") for result in told for cell in result.cells
    ]  # type: ignore[index]
    assert subtypes == wanted


def test_the_report_counts_subtypes_of_fields_that_count(tmp_path: Path, told: list[FieldResult], docs: Path) -> None:
    report = report_of(told)
    content = json.loads(ReportJsonSink(tmp_path / "report.json").finish(report).read_text("utf-8"))
    schema = json.loads((docs / "report.schema.json").read_text("utf-8"))
    jsonschema.validate(content, schema, cls=jsonschema.Draft202012Validator)
    labels = [c.attributes.subtype.value for c in told[0].cells if c.attributes and c.attributes.subtype]
    assert content["fields"][0]["subtypes"] == {name: labels.count(name) for name in set(labels)}
    bands = content["subtypes"]["neutrophil"]["band"]
    assert (bands["count"], bands["unit"]) == (labels.count("band"), "%")
    assert bands["total"] == labels.count("band") + labels.count("segmented")
    assert list(content["subtypes"]["immature_granulocyte"]) == ["promyelocyte", "myelocyte", "metamyelocyte"]


def test_a_report_from_before_there_were_subtypes_is_read(
    tmp_path: Path, results: list[FieldResult], docs: Path
) -> None:
    content = json.loads(ReportJsonSink(tmp_path / "report.json").finish(report_of(results)).read_text("utf-8"))
    del content["subtypes"]
    for field in content["fields"]:
        del field["subtypes"]
    schema = json.loads((docs / "report.schema.json").read_text("utf-8"))
    jsonschema.validate(content, schema, cls=jsonschema.Draft202012Validator)
    assert ReportRecord.model_validate(content).subtypes == {}
