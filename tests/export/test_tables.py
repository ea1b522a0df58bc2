"""The three cell tables: one list of columns, three independent readers."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from painted_results import report_of

from hemascope.core.cell import Morphometry
from hemascope.core.report import FieldResult
from hemascope.export import parquet
from hemascope.export.anndata_table import CellsAnnDataSink
from hemascope.export.cells_table import CellsCsvSink
from hemascope.export.columns import COLUMNS, rows
from hemascope.export.parquet import CellsParquetSink

NAMES = [column.name for column in COLUMNS]


def write(sink: CellsCsvSink | CellsParquetSink | CellsAnnDataSink, results: list[FieldResult]) -> Path:
    for result in results:
        sink.add(result)
    return sink.finish(report_of(results))


def expected(results: list[FieldResult]) -> list[dict[str, object]]:
    return [dict(zip(NAMES, row, strict=True)) for result in results for row in rows(result)]


def test_every_measure_is_a_column() -> None:
    measures = [column.name for column in COLUMNS if column.role == "measure"]
    assert measures == list(Morphometry.__dataclass_fields__)
    assert len(set(NAMES)) == len(NAMES)


def test_docs_describe_exactly_these_columns(docs: Path) -> None:
    text = (docs / "report.md").read_text(encoding="utf-8")
    section = text.split("<!-- columns -->")[1]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == NAMES


def test_csv_holds_one_row_a_cell(tmp_path: Path, results: list[FieldResult]) -> None:
    path = write(CellsCsvSink(tmp_path / "cells.csv"), results)
    with path.open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    wanted = expected(results)
    assert len(read) == len(wanted)
    for row, truth in zip(read, wanted, strict=True):
        assert list(row) == NAMES
        assert row["field_id"] == truth["field_id"]
        assert row["touches_border"] == str(truth["touches_border"]).lower()
        for column in COLUMNS:
            value = truth[column.name]
            if value is None:
                assert row[column.name] == ""
            elif column.dtype == "number":
                assert float(row[column.name]) == pytest.approx(value, rel=1e-5)


def test_red_cells_and_clumps_have_their_columns(tmp_path: Path, results: list[FieldResult]) -> None:
    table = pd.read_csv(write(CellsCsvSink(tmp_path / "cells.csv"), results))
    first = table[table["field_id"] == results[0].field.id]
    cells = results[0].cells
    assert list(first["red_cell_type"].dropna()) == [cell.red_cell.label for cell in cells if cell.red_cell]
    assert set(table.loc[table["red_cell_type"].notna(), "kind"]) == {"red_cell"}
    assert list(first.loc[first["platelet_clump"].notna(), "cell_id"]) == list(results[0].clumps[0].cell_ids)
    assert set(first["platelet_clump"].dropna()) == {1}
    assert table.loc[table["field_id"] != results[0].field.id, "platelet_clump"].isna().all()


def test_a_prediction_set_begins_with_the_most_likely_type(tmp_path: Path, results: list[FieldResult]) -> None:
    table = pd.read_csv(write(CellsCsvSink(tmp_path / "cells.csv"), results))
    white = table[table["kind"] == "white_cell"]
    sets = white["prediction_set"].str.split("|")
    assert list(sets.str[0]) == list(white["most_likely_type"])
    assert list(sets.str.len()) == [
        len(cell.prediction.prediction_set.types)
        for result in results
        for cell in result.cells
        if cell.prediction and cell.prediction.prediction_set
    ]
    assert sets.str.len().max() > 1
    assert table.loc[table["kind"] != "white_cell", "prediction_set"].isna().all()


def test_a_classifier_without_sets_leaves_the_column_empty_in_every_table(
    tmp_path: Path, results: list[FieldResult]
) -> None:
    bare = [
        replace(
            result,
            cells=tuple(
                replace(cell, prediction=replace(cell.prediction, prediction_set=None)) if cell.prediction else cell
                for cell in result.cells
            ),
        )
        for result in results
    ]
    assert pd.read_csv(write(CellsCsvSink(tmp_path / "cells.csv"), bare))["prediction_set"].isna().all()
    assert pq.read_table(write(CellsParquetSink(tmp_path / "cells.parquet"), bare))["prediction_set"].null_count > 0
    table = anndata.read_h5ad(write(CellsAnnDataSink(tmp_path / "cells.h5ad"), bare))
    assert table.obs["prediction_set"].isna().all()
    assert len(table) == sum(len(result.cells) for result in bare)


def test_parquet_holds_the_same_in_row_groups(
    tmp_path: Path, results: list[FieldResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_ROW_GROUP", 30)
    path = write(CellsParquetSink(tmp_path / "cells.parquet"), results)
    table = pq.read_table(path)
    assert table.schema.equals(parquet.cells_schema())
    assert pq.ParquetFile(path).num_row_groups >= 2
    assert table.to_pylist() == expected(results)


def test_anndata_follows_scverse(tmp_path: Path, results: list[FieldResult]) -> None:
    path = write(CellsAnnDataSink(tmp_path / "cells.h5ad"), results)
    table, wanted = anndata.read_h5ad(path), pd.DataFrame(expected(results))
    assert table.X.dtype == np.float32
    assert list(table.obs_names) == list(wanted["cell_id"])
    assert list(table.var_names) == [column.name for column in COLUMNS if column.role == "measure"]
    np.testing.assert_allclose(table[:, "area_um2"].X[:, 0], wanted["area_um2"], rtol=1e-6)
    np.testing.assert_allclose(table.obsm["spatial"], wanted[["center_x_px", "center_y_px"]], rtol=1e-12)
    white = (table.obs["kind"] == "white_cell").to_numpy()
    np.testing.assert_allclose(table.obsm["probabilities"][white].sum(axis=1), 1, rtol=1e-9)
    assert np.isnan(table.obsm["probabilities"][~white]).all()
    typed = table.obs["red_cell_type"].notna().to_numpy()
    assert 0 < typed.sum() < len(table)
    shapes = table.obsm["red_cell_probabilities"]
    assert np.isnan(shapes[~typed]).all()
    np.testing.assert_allclose(shapes[typed].sum(axis=1), 1, rtol=1e-9)
    assert [table.uns["red_cell_types"][best] for best in shapes[typed].argmax(axis=1)] == list(
        table.obs["red_cell_type"][typed]
    )
    np.testing.assert_allclose(table.obs["red_cell_confidence"][typed], shapes[typed].max(axis=1))
    assert json.loads(table.uns["provenance"])["command"] == "hemascope analyze images"
    assert set(table.obs["field_qc"]) == {"pass", "warn", "fail"}
    assert table.var.loc["area_um2", "unit"] == "um^2"


@pytest.mark.parametrize("some", [slice(0, 0), slice(3, 4)])
def test_tables_without_cells_can_be_read(tmp_path: Path, results: list[FieldResult], some: slice) -> None:
    write(CellsCsvSink(tmp_path / "cells.csv"), results[some])
    assert list(pd.read_csv(tmp_path / "cells.csv").columns) == NAMES
    assert pq.read_table(write(CellsParquetSink(tmp_path / "cells.parquet"), results[some])).num_rows == 0
    assert anndata.read_h5ad(write(CellsAnnDataSink(tmp_path / "cells.h5ad"), results[some])).shape == (0, 9)
    assert len(list(tmp_path.iterdir())) == 3
