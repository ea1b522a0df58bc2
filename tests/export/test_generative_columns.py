"""What a generative model says of cells, read back from every table, from GeoJSON and from report.json."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from painted_results import field_result, report_of

from hemascope.core.prediction import CellPrediction, GenerativeJudgement
from hemascope.core.report import FieldResult
from hemascope.core.taxonomy import CellType
from hemascope.export.cells_table import CellsCsvSink
from hemascope.export.columns import COLUMNS, rows
from hemascope.export.geojson import feature
from hemascope.export.report_json import ReportJsonSink
from hemascope.export.report_models import ReportRecord
from hemascope.reporting.generative_counts import count_judgements

NAMES = tuple(f"generative_{name}" for name in ("type", "confidence", "zeta", "anomaly", "passes"))
PLACES = [next(k for k, column in enumerate(COLUMNS) if column.name == name) for name in NAMES]


@pytest.fixture(scope="module")
def judged() -> list[FieldResult]:
    return [field_result(1, "a.png", judged=True, white=6), field_result(2, "b.png", judged=True, white=5)]


def judgements(results: list[FieldResult]) -> list[GenerativeJudgement | None]:
    return [cell.prediction.judgement if cell.prediction else None for result in results for cell in result.cells]


def test_csv_holds_each_number_or_nothing(tmp_path: Path, judged: list[FieldResult]) -> None:
    sink = CellsCsvSink(tmp_path / "cells.csv")
    for result in judged:
        sink.add(result)
    with sink.finish(report_of(judged)).open(newline="") as file:
        table = list(csv.DictReader(file))
    for row, found in zip(table, judgements(judged), strict=True):
        if found is None:
            assert {row[name] for name in NAMES} == {""}
            continue
        assert (row["generative_type"], row["generative_passes"]) == (found.cell_type.value, str(found.passes))
        for name in ("confidence", "zeta", "anomaly"):
            assert float(row[f"generative_{name}"]) == pytest.approx(getattr(found, name), rel=1e-5)
    assert sum(found is not None for found in judgements(judged)) == 11


def test_parquet_and_anndata_hold_the_same(tmp_path: Path, judged: list[FieldResult]) -> None:
    anndata, pq = pytest.importorskip("anndata"), pytest.importorskip("pyarrow.parquet")
    from hemascope.export.anndata_table import CellsAnnDataSink
    from hemascope.export.parquet import CellsParquetSink

    wanted = [found.cell_type.value if found else None for found in judgements(judged)]
    numbers = [found.anomaly if found else None for found in judgements(judged)]
    paths = []
    for sink in (CellsParquetSink(tmp_path / "cells.parquet"), CellsAnnDataSink(tmp_path / "cells.h5ad")):
        for result in judged:
            sink.add(result)
        paths.append(sink.finish(report_of(judged)))
    table = pq.read_table(paths[0])
    assert table.column("generative_type").to_pylist() == wanted
    assert table.column("generative_anomaly").to_pylist() == numbers
    obs = anndata.read_h5ad(paths[1]).obs
    assert [value if isinstance(value, str) else None for value in obs["generative_type"]] == wanted
    assert obs["generative_passes"].notna().tolist() == [found is not None for found in wanted]


def test_geojson_holds_numbers_as_measurements(judged: list[FieldResult]) -> None:
    for result in judged:
        for cell in result.cells:
            properties = feature(result, cell)["properties"]
            found = cell.prediction.judgement if cell.prediction else None
            assert isinstance(properties, dict)
            measured = {name for name in properties["measurements"] if name.startswith("generative_")}
            assert measured == (set(NAMES[1:]) if found else set())
            assert properties["metadata"].get("generative_type") == (found.cell_type.value if found else None)


def test_report_json_counts_what_was_said(tmp_path: Path, judged: list[FieldResult], docs: Path) -> None:
    content = json.loads(ReportJsonSink(tmp_path / "report.json").finish(report_of(judged)).read_text("utf-8"))
    schema = json.loads((docs / "report.schema.json").read_text("utf-8"))
    jsonschema.validate(content, schema, cls=jsonschema.Draft202012Validator)
    counts = [count_judgements(result) for result in judged]
    assert [field["generative"]["unlike"] for field in content["fields"]] == [count.unlike for count in counts]
    assert content["generative"]["judged"] == 11
    assert content["generative"]["disputed"]["count"] == sum(count.disputed for count in counts)
    assert (content["generative"]["use"], content["generative"]["abstains"]) == ("beside", False)


def test_a_report_from_before_there_was_a_generative_model_is_read(
    tmp_path: Path, results: list[FieldResult], docs: Path
) -> None:
    content = json.loads(ReportJsonSink(tmp_path / "report.json").finish(report_of(results)).read_text("utf-8"))
    assert content.pop("generative") is None
    for field in content["fields"]:
        assert field.pop("generative") == {"judged": 0, "unlike": 0, "disputed": 0}
    schema = json.loads((docs / "report.schema.json").read_text("utf-8"))
    jsonschema.validate(content, schema, cls=jsonschema.Draft202012Validator)
    assert ReportRecord.model_validate(content).generative is None


def test_columns_are_empty_where_nothing_was_asked(results: list[FieldResult]) -> None:
    assert all(row[place] is None for result in results for row in rows(result) for place in PLACES)


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.sampled_from(CellType), st.floats(0, 1), finite, st.floats(0, 1e9), st.integers(0, 10**6))
def test_a_judgement_keeps_its_numbers(kind: CellType, sure: float, score: float, odd: float, passes: int) -> None:
    judgement = GenerativeJudgement(kind, sure, score, odd, passes)
    assert judgement.badly_explained == (odd > 1)
    likely = CellType.MONOCYTE
    prediction = CellPrediction("c", [float(t is likely) for t in CellType], 0.5, judgement=judgement)  # type: ignore[arg-type]
    assert prediction.disputed == (kind is not likely)
    assert not CellPrediction("c", prediction.probabilities, 0.5).disputed


@given(
    st.one_of(
        st.tuples(st.floats().filter(lambda p: not 0 <= p <= 1), st.just(0.0), st.just(0.0), st.just(1)),
        st.tuples(st.just(0.5), st.sampled_from([float("nan"), float("inf")]), st.just(0.0), st.just(1)),
        st.tuples(st.just(0.5), st.just(0.0), st.floats(max_value=-1e-9), st.just(1)),
        st.tuples(st.just(0.5), st.just(0.0), st.just(0.0), st.integers(max_value=-1)),
    )
)
def test_a_judgement_out_of_range_is_refused(numbers: tuple[float, float, float, int]) -> None:
    with pytest.raises(ValueError, match=r"judgement|confidence"):
        GenerativeJudgement(CellType.MONOCYTE, *numbers)
