"""``cells.h5ad``: the cell table as AnnData, for the extra ``scverse``."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hemascope.core.errors import MissingExtraError
from hemascope.core.prediction import ATTRIBUTES
from hemascope.core.report import FieldResult, SmearReport
from hemascope.core.taxonomy import CellType, RedCellType
from hemascope.export.columns import COLUMNS, clean_text
from hemascope.export.parquet import CellsParquetSink
from hemascope.export.spool import Spool, writing

if TYPE_CHECKING:
    import anndata
    import pandas as pd

_NAME = "cells.h5ad"
_CATEGORIES = ("field_id", "field_path", "field_sha256", "field_qc", "scale_source", "kind", "type", "most_likely_type",
               "abstention", "prediction_set", "generative_type", "subtype", *ATTRIBUTES, "red_cell_type")  # fmt: skip


class CellsAnnDataSink:
    """Writes ``cells.h5ad``: rows are spooled to Parquet as fields come, and turned into AnnData at the end.

    Only ``finish`` needs memory for the whole table, about 600 bytes a cell.

    Parameters
    ----------
    path
        Where the file is to stand.

    Raises
    ------
    MissingExtraError
        If anndata or pyarrow is not installed.
    """

    def __init__(self, path: Path) -> None:
        if importlib.util.find_spec("anndata") is None or importlib.util.find_spec("pyarrow") is None:
            raise MissingExtraError(_NAME, "scverse")
        self._spool = Spool(path)
        self._table: CellsParquetSink | None = None

    def add(self, result: FieldResult) -> None:
        """Take the cells of ``result``; raise ``OutputError`` if they cannot be spooled."""
        self._rows().add(result)

    def finish(self, report: SmearReport) -> Path:
        """Write the file whole and return its path; raise ``OutputError`` if that fails."""
        import pandas as pd

        try:
            table = self._rows().finish(report)
            with writing(self._spool.target):
                _to_anndata(pd.read_parquet(table), report).write_h5ad(self._spool.folder / _NAME, compression="gzip")
        except BaseException:
            self.abandon()
            raise
        return self._spool.place(_NAME)

    def abandon(self) -> None:
        """Remove what was written."""
        if self._table is not None:
            self._table.abandon()
            self._table = None
        self._spool.remove()

    def _rows(self) -> CellsParquetSink:
        """Return the table that rows are spooled to."""
        if self._table is None:
            self._table = CellsParquetSink(self._spool.folder / "rows.parquet")
        return self._table


def _to_anndata(table: pd.DataFrame, report: SmearReport) -> anndata.AnnData:
    """Return ``table`` in the places scverse expects: measures in X, facts in obs, centers in obsm['spatial']."""
    import anndata
    import pandas as pd

    measures = [column.name for column in COLUMNS if column.role == "measure"]
    facts = [column.name for column in COLUMNS if column.role == "fact" and column.name != "cell_id"]
    chances = [column.name for column in COLUMNS if column.role == "probability"]
    shapes = [column.name for column in COLUMNS if column.role == "red_cell_probability"]
    obs = table[facts].set_axis(pd.Index(table["cell_id"].astype(str), name=None))
    for name in _CATEGORIES:
        obs[name] = obs[name].astype(object).astype("category")
    return anndata.AnnData(
        X=table[measures].to_numpy(np.float32, na_value=np.nan),
        obs=obs,
        var=pd.DataFrame({"unit": [_unit(name) for name in measures]}, index=pd.Index(measures)),
        obsm={
            "spatial": table[["center_x_px", "center_y_px"]].to_numpy(np.float64),
            "probabilities": table[chances].to_numpy(np.float64, na_value=np.nan),
            "red_cell_probabilities": table[shapes].to_numpy(np.float64, na_value=np.nan),
        },
        uns={
            "cell_types": np.array([cell_type.value for cell_type in CellType]),
            "red_cell_types": np.array([red_cell_type.value for red_cell_type in RedCellType]),
            "provenance": clean_text(json.dumps(asdict(report.provenance), sort_keys=True, default=str)),
            "title": clean_text(report.title),
            "statements": np.array([clean_text(line) for line in report.statements], dtype=object),
        },
    )


def _unit(name: str) -> str:
    """Return the unit in a measure's name, "" where it has none."""
    return {"um2": "um^2", "um": "um"}.get(name.rsplit("_", 1)[-1], "")
