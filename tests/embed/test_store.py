"""The store of embeddings: what comes out is what went in, or nothing."""

from __future__ import annotations

import multiprocessing
import os
import string
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemascope.core.errors import OutputError
from hemascope.embed.store import DamagedShardError, Shard, ShardStore, json_digest, shard_key

KEY = shard_key("encoder", "step", "image")


def shard(rows: int = 3, length: int = 4, seed: int = 0) -> Shard:
    rng = np.random.default_rng(seed)
    columns = {
        "number": np.arange(1, rows + 1, dtype=np.int32),
        "kind": np.array(["white_cell"] * rows, np.str_),
        "score": rng.random(rows),
        "touches_border": rng.random(rows) > 0.5,
    }
    return Shard(rng.normal(size=(rows, length)).astype(np.float32), columns)


def same(one: Shard, other: Shard) -> bool:
    return (
        one.values.dtype == other.values.dtype
        and np.array_equal(one.values, other.values)
        and one.columns.keys() == other.columns.keys()
        and all(np.array_equal(column, other.columns[name]) for name, column in one.columns.items())
    )


@settings(max_examples=30)
@given(rows=st.integers(0, 9), length=st.integers(1, 40), seed=st.integers(0, 99))
def test_what_is_written_is_read(rows: int, length: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = ShardStore(Path(folder) / "store")
        made = shard(rows, length, seed)
        assert store.read(KEY) is None
        assert KEY not in store
        path = store.write(KEY, made)
        assert path == Path(folder) / "store" / KEY[:2] / f"{KEY}.npz"
        read = store.read(KEY)
        assert read is not None
        assert same(read, made)
        assert KEY in store
        assert [p.name for p in path.parent.iterdir()] == [path.name]


@given(st.lists(st.text(string.printable, max_size=8), min_size=3, max_size=3, unique=True))
def test_each_of_the_three_digests_decides_the_key(parts: list[str]) -> None:
    a, b, c = parts
    keys = {shard_key(*x) for x in ((a, b, c), (a, c, b), (b, a, c), (c, b, a), (a, b, a), (a, b, b))}
    assert len(keys) == 6


def test_a_key_does_not_depend_on_the_order_of_facts() -> None:
    assert json_digest({"a": 1, "b": 2.5}) == json_digest({"b": 2.5, "a": 1})
    assert json_digest({"a": 1}) != json_digest({"a": 1.5})
    assert json_digest({"name": "caf\udce9"}) != json_digest({"name": "caf"})


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    one = ShardStore(tmp_path / "a").write(KEY, shard()).read_bytes()
    assert ShardStore(tmp_path / "b").write(KEY, shard()).read_bytes() == one


def test_the_format_is_plain_numpy(tmp_path: Path) -> None:
    path = ShardStore(tmp_path).write(KEY, shard())
    with np.load(path, allow_pickle=False) as file:
        assert set(file.files) == {
            "values", "key", "sha256", "column.number", "column.kind", "column.score", "column.touches_border",
        }  # fmt: skip
        assert file["values"].shape == (3, 4)
        assert str(file["key"]) == KEY


@settings(max_examples=60)
@given(position=st.integers(0, 5_000), value=st.integers(0, 255))
def test_a_changed_byte_is_noticed_or_changes_nothing(position: int, value: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = ShardStore(Path(folder))
        path = store.write(KEY, shard())
        data = bytearray(path.read_bytes())
        data[position % len(data)] = value
        path.write_bytes(bytes(data))
        try:
            read = store.read(KEY)
        except DamagedShardError:
            return
        assert read is not None
        assert same(read, shard())


@pytest.mark.parametrize("length", [0, 1, 100, -1, -30])
def test_a_shard_cut_short_is_noticed(tmp_path: Path, length: int) -> None:
    store = ShardStore(tmp_path)
    path = store.write(KEY, shard())
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DamagedShardError, match=KEY):
        store.read(KEY)
    store.write(KEY, shard())
    assert store.read(KEY) is not None


def test_a_shard_under_another_name_is_noticed(tmp_path: Path) -> None:
    store = ShardStore(tmp_path)
    other = shard_key("another encoder", "step", "image")
    path = store.write(KEY, shard())
    store.path(other).parent.mkdir(parents=True, exist_ok=True)
    path.rename(store.path(other))
    with pytest.raises(DamagedShardError, match="written as"):
        store.read(other)


def test_a_shard_that_is_a_folder_is_damaged(tmp_path: Path) -> None:
    store = ShardStore(tmp_path)
    store.path(KEY).mkdir(parents=True)
    with pytest.raises(DamagedShardError):
        store.read(KEY)


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    store = ShardStore(tmp_path)
    store.path(KEY).parent.mkdir(parents=True)
    np.savez(store.path(KEY), values=np.array([{"a": 1}], dtype=object), key=np.array(KEY), sha256=np.array(""))
    with pytest.raises(DamagedShardError):
        store.read(KEY)


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "/x"])
def test_what_is_no_digest_is_no_key(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="sha256"):
        ShardStore(tmp_path).path(key)


def test_only_plain_rows_are_taken() -> None:
    values = np.zeros((2, 3), np.float32)
    for columns in ({"a": np.zeros(3)}, {"a": np.zeros((2, 2))}, {"a": np.array([{}, {}], dtype=object)}):
        with pytest.raises(ValueError, match="column 'a'"):
            Shard(values, columns)
    with pytest.raises(ValueError, match="float32"):
        Shard(values.astype(np.float64))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_forbids_writing(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="allow writing there"):
        ShardStore(tmp_path / "store").write(KEY, shard())


def test_a_file_in_the_place_of_the_folder_is_no_place(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("not a folder")
    store = ShardStore(tmp_path / "store")
    assert store.read(KEY) is None
    with pytest.raises(OutputError):
        store.write(KEY, shard())


def write_many(folder: str, times: int) -> None:
    store = ShardStore(Path(folder))
    for _ in range(times):
        store.write(KEY, shard(40, 50))


def test_writers_at_once_leave_one_whole_shard(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(str(tmp_path), 20)) for _ in range(2)]
    for writer in writers:
        writer.start()
    store = ShardStore(tmp_path)
    while any(writer.is_alive() for writer in writers):
        read = store.read(KEY)
        assert read is None or same(read, shard(40, 50))
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{KEY}.npz"]
