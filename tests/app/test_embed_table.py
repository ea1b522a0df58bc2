"""Bags of features, and the table of them: whole or not there, and nothing that does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hemascope.core.embedding import Embeddings
from hemascope.core.errors import InputError
from hemascope.core.feature_bag import FeatureBag
from hemascope.export.embeddings_table import EmbeddingsSink

anndata = pytest.importorskip("anndata")


def bag(name: str = "a", rows: int = 3, length: int = 4, *, unit: str = "px", located: bool = True) -> FeatureBag:
    values = np.random.default_rng(rows).normal(size=(rows, length)).astype(np.float32)
    ids = tuple(f"{name}#{number}" for number in range(1, rows + 1))
    columns = {"field_id": np.full(rows, name), "score": np.linspace(0, 1, rows), "flag": np.arange(rows) > 0}
    centers = np.arange(2.0 * rows).reshape(rows, 2) if located else None
    return FeatureBag(name, Embeddings(ids, values, "digest"), columns, centers, unit)


@pytest.mark.parametrize("table_format", ["h5ad", "zarr"])
def test_rows_come_out_as_they_went_in(tmp_path: Path, table_format: str) -> None:
    if table_format == "zarr":
        pytest.importorskip("zarr")
    sink = EmbeddingsSink(tmp_path / "new" / "out", table_format)  # type: ignore[arg-type]
    bags = [bag("a", 3), bag("b", 0), bag("caf\udce9", 5)]
    for one in bags:
        sink.add(one)
    path = sink.finish({"text": "x", "none": None, "nested": {"number": 2.5, "none": None}, "list": ["one", "two"]})
    assert [p.name for p in path.parent.iterdir()] == [f"embeddings.{table_format}"]
    table = anndata.read_h5ad(path) if table_format == "h5ad" else anndata.read_zarr(path)
    np.testing.assert_array_equal(table.X, np.concatenate([one.embeddings.values for one in bags]))
    assert list(table.obs_names) == ["a#1", "a#2", "a#3", *(f"caf\\udce9#{i}" for i in range(1, 6))]
    assert list(table.obs["flag"][:3]) == [False, True, True]
    np.testing.assert_array_equal(table.obsm["spatial"][3:], bags[2].centers)
    assert table.var_names[0] == "embedding_0"
    assert table.uns["text"] == "x"
    assert table.uns["nested"] == {"number": 2.5}
    assert list(table.uns["list"]) == ["one", "two"]


def test_what_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    sink = EmbeddingsSink(tmp_path)
    sink.add(bag())
    assert any(tmp_path.iterdir())
    sink.abandon()
    sink.abandon()
    assert not any(tmp_path.iterdir())


def test_a_table_that_cannot_be_written_leaves_the_earlier_one(tmp_path: Path) -> None:
    first = EmbeddingsSink(tmp_path)
    first.add(bag())
    before = first.finish({}).read_bytes()
    second = EmbeddingsSink(tmp_path)
    second.add(bag(rows=5))
    with pytest.raises(Exception, match="object"):
        second.finish({"unwritable": object()})
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("embeddings.h5ad", before)]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (bag("b", length=5), "vectors of 5 numbers, those before have 4"),
        (bag("b", unit="um"), "tells other things"),
        (bag("b", located=False), "tells other things"),
    ],
)
def test_bags_that_do_not_fit_are_refused(tmp_path: Path, other: FeatureBag, said: str) -> None:
    sink = EmbeddingsSink(tmp_path)
    sink.add(bag("a"))
    with pytest.raises(InputError, match=said):
        sink.add(other)
    sink.abandon()


def test_a_bag_is_checked() -> None:
    values = np.zeros((2, 3), np.float32)
    embeddings = Embeddings(("a", "b"), values, "")
    with pytest.raises(ValueError, match="column 'x'"):
        FeatureBag("a", embeddings, {"x": np.zeros(3)})
    with pytest.raises(ValueError, match="centers are"):
        FeatureBag("a", embeddings, {}, np.zeros((2, 3)))
    with pytest.raises(ValueError, match="px or um"):
        FeatureBag("a", embeddings, {}, np.zeros((2, 2)), "mm")
    with pytest.raises(ValueError, match="finite"):
        FeatureBag("a", Embeddings(("a",), np.full((1, 3), np.nan, np.float32), ""))
    assert len(FeatureBag("a", embeddings)) == 2
