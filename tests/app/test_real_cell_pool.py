"""Tables of embedded cells as pools, and patients made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hemascope.app.real_cell_pool import read_cell_pool
from hemascope.core.embedding import Embeddings
from hemascope.core.errors import InputError
from hemascope.core.feature_bag import FeatureBag
from hemascope.export.embeddings_table import EmbeddingsSink
from hemascope.synth.cohort.real_cells import draw_real_cells, law_of_types
from hemascope.synth.cohort.truth import BagSizes

pytest.importorskip("anndata")


def write(folder: Path, labels: list[str]) -> Path:
    count = len(labels)
    values = np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)
    columns = {"label": np.array(labels), "group": np.array([f"g{place // 2}" for place in range(count)])}
    sink = EmbeddingsSink(folder)
    sink.add(FeatureBag("cells", Embeddings(tuple(f"c{place}" for place in range(count)), values, "e1"), columns))
    return sink.finish({"encoder": {"digest": "e1"}})


def test_a_table_becomes_a_pool_and_patients(tmp_path: Path) -> None:
    labels = [["neutrophil", "", "blast"][place % 3] for place in range(300)]
    pool = read_cell_pool(write(tmp_path, labels))
    assert pool.names == ("blast", "neutrophil")
    assert pool.encoder == "e1"
    assert len(pool.values) == 200
    assert [pool.names[kind] for kind in pool.types[:2]] == ["neutrophil", "blast"]
    assert pool.groups[0] != pool.groups[1]
    law = law_of_types(pool.names, {"neutrophil": 1}, {"left": "blast"}, {"left": 0.5}, BagSizes(10, 0.1, 8, 12), 1)
    made = draw_real_cells(law, pool, {"train": 6, "test": 4})
    rows = {row.tobytes() for row in pool.values}
    assert all(row.tobytes() in rows for row in made.drawn.bags.values)


def test_without_groups_every_cell_is_its_own(tmp_path: Path) -> None:
    path = write(tmp_path, ["a", "b"] * 5)
    assert len(set(read_cell_pool(path).groups)) == 5
    assert len(set(read_cell_pool(path, group="slide").groups)) == 10


def test_tables_that_are_no_pool(tmp_path: Path) -> None:
    path = write(tmp_path, ["a"] * 4)
    with pytest.raises(InputError, match="names 1 types"):
        read_cell_pool(path)
    with pytest.raises(InputError, match="no column 'kind'"):
        read_cell_pool(path, label="kind")
    with pytest.raises(InputError, match="no AnnData table"):
        read_cell_pool(tmp_path / "gone.h5ad")
