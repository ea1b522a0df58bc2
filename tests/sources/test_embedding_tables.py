"""Tables of embeddings and plain arrays, read as they were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hemascope.core.embedding import Embeddings
from hemascope.core.errors import InputError
from hemascope.core.feature_bag import FeatureBag
from hemascope.export.embeddings_table import EmbeddingsSink
from hemascope.sources.array_features import read_array
from hemascope.sources.embedding_tables import EmbeddingTable

anndata = pytest.importorskip("anndata")

FIELDS = {"P1/s1/a.png": 3, "P2/b.png": 2, "P1/s2/c.png": 4, "P10/d.tif": 1}


def written(folder: Path, table_format: str = "h5ad", **columns: list[str]) -> tuple[Path, np.ndarray]:
    """Write a table of a few fields; a column holds a text for every field."""
    sink = EmbeddingsSink(folder, table_format)  # type: ignore[arg-type]
    random, every = np.random.default_rng(0), []
    for place, (name, rows) in enumerate(FIELDS.items()):
        values = random.normal(size=(rows, 5)).astype(np.float32)
        told = {"field_id": np.full(rows, name)} | {key: np.full(rows, texts[place]) for key, texts in columns.items()}
        sink.add(FeatureBag(name, Embeddings(tuple(f"{name}#{i}" for i in range(rows)), values, "digest"), told))
        every.append(values)
    return sink.finish({"encoder": {"name": "plain", "digest": "abc"}}), np.concatenate(every)


@pytest.mark.parametrize("table_format", ["h5ad", "zarr"])
def test_rows_by_smear_come_out_as_they_went_in(tmp_path: Path, table_format: str) -> None:
    pytest.importorskip("zarr" if table_format == "zarr" else "h5py")
    path, values = written(tmp_path, table_format)
    with EmbeddingTable(path) as table:
        assert (len(table), table.dimension, table.encoder, table.tells_whose) == (10, 5, "abc", False)
        assert table.ids[3] == "P2/b.png#0"
        for smear, rows in {
            "P1": [0, 1, 2, 5, 6, 7, 8],
            "P1/s2/": [5, 6, 7, 8],
            "P2/b": [3, 4],
            "P10/d.tif": [9],
        }.items():
            found = table.rows_of("whoever", smear)
            assert found.tolist() == rows
            np.testing.assert_array_equal(table.values(found), values[rows])
        assert not len(table.rows_of("whoever", "P"))
        assert not len(table.rows_of("P1", ""))
        assert table.values(np.empty(0, np.intp)).shape == (0, 5)


def test_rows_by_columns_of_patient_and_smear(tmp_path: Path) -> None:
    path, _ = written(tmp_path, patient=["P1", "P2", "P1", "P10"], smear=["s", "s", "t", "s"])
    with EmbeddingTable(path) as table:
        assert table.tells_whose
        assert table.rows_of("P1", "s").tolist() == [0, 1, 2]
        assert table.rows_of("P1", "").tolist() == [0, 1, 2, 5, 6, 7, 8]
        assert not len(table.rows_of("P2", "t"))
        assert not len(table.rows_of("P3", ""))


def test_a_patient_decides_where_smears_are_named_otherwise(tmp_path: Path) -> None:
    path, _ = written(tmp_path, patient=["P1", "P2", "P1", "P10"])
    with EmbeddingTable(path) as table:
        assert table.rows_of("P1", "slide 7").tolist() == [0, 1, 2, 5, 6, 7, 8]
        assert table.rows_of("P1", "P1/s2").tolist() == [5, 6, 7, 8]
        assert not len(table.rows_of("P2", "P1/s2"))


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    (tmp_path / "a.h5ad").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"a\.h5ad: no AnnData table"):
        EmbeddingTable(tmp_path / "a.h5ad")
    sparse = pytest.importorskip("scipy.sparse").csr_matrix(np.eye(3, dtype=np.float32))
    anndata.AnnData(X=sparse).write_h5ad(tmp_path / "b.h5ad")
    with pytest.raises(InputError, match=r"b\.h5ad: no AnnData table whose X is a plain array"):
        EmbeddingTable(tmp_path / "b.h5ad")


def test_a_table_that_names_no_encoder(tmp_path: Path) -> None:
    anndata.AnnData(X=np.eye(3, dtype=np.float64)).write_h5ad(tmp_path / "a.h5ad")
    with EmbeddingTable(tmp_path / "a.h5ad") as table:
        assert table.encoder == ""
        assert table.values(np.arange(3)).dtype == np.float32


def test_arrays_and_maps(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    np.save(tmp_path / "a.npy", values)
    np.testing.assert_array_equal(read_array(tmp_path / "a.npy"), values)
    maps = np.stack([values - 1, values + 1], axis=2)[..., None].astype(np.float16)
    np.save(tmp_path / "b.npy", maps)
    np.testing.assert_allclose(read_array(tmp_path / "b.npy"), values, atol=2e-3)


def test_arrays_that_cannot_be_used(tmp_path: Path) -> None:
    values = np.ones((4, 6), np.float32)
    values[2, 3] = np.nan
    np.save(tmp_path / "nan.npy", values)
    with pytest.raises(InputError, match="1 of 4 rows hold NaN or infinity, the first of them row 2"):
        read_array(tmp_path / "nan.npy")
    np.save(tmp_path / "flat.npy", np.ones(4))
    with pytest.raises(InputError, match="not one row of numbers a cell"):
        read_array(tmp_path / "flat.npy")
    np.save(tmp_path / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="no plain numpy array"):
        read_array(tmp_path / "object.npy")
