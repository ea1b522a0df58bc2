"""Cohorts opened from every kind of file, and everything that is refused, by row and file."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemascope.app.cohort import open_cohort
from hemascope.app.cohort_summary import summarize_cohort
from hemascope.core.embedding import Embeddings
from hemascope.core.errors import CohortError
from hemascope.core.feature_bag import FeatureBag
from hemascope.export.embeddings_table import EmbeddingsSink

RANDOM = np.random.default_rng(0)


def cells(count: int, dimension: int = 4) -> np.ndarray:
    return RANDOM.normal(size=(count, dimension)).astype(np.float32)


def arrays(folder: Path, **sizes: int) -> dict[str, np.ndarray]:
    found = {name: cells(count) for name, count in sizes.items()}
    for name, values in found.items():
        np.save(folder / f"{name}.npy", values)
    return found


def manifest(folder: Path, *lines: str) -> Path:
    path = folder / "study.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def table(
    folder: Path, fields: dict[str, int], digest: str = "abc", table_format: str = "h5ad", **columns: str
) -> Path:
    pytest.importorskip("anndata")
    pytest.importorskip("zarr" if table_format == "zarr" else "h5py")
    sink = EmbeddingsSink(folder, table_format)  # type: ignore[arg-type]
    for name, count in fields.items():
        told = {"field_id": np.full(count, name)} | {key: np.full(count, text) for key, text in columns.items()}
        ids = tuple(f"{name}#{number}" for number in range(1, count + 1))
        sink.add(FeatureBag(name, Embeddings(ids, cells(count), digest), told))
    return sink.finish({"encoder": {"digest": digest}})


def trident(path: Path, values: np.ndarray, encoder: str) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=values).attrs["encoder"] = encoder
        file.create_dataset("coords", data=np.zeros((len(values), 2), np.int64)).attrs["patch_size_level0"] = 512


def test_arrays(tmp_path: Path) -> None:
    values = arrays(tmp_path, a=3, b=2, c=4)
    path = manifest(tmp_path, "patient,smear,path,age", "P2,,b.npy,50", "P1,s2,c.npy,60", "P1,s1,a.npy,60")
    cohort = open_cohort(path)
    assert cohort.name == "study"
    assert cohort.patients == ("P1", "P2")
    assert cohort.facts[0].smears == ("s1", "s2")
    assert cohort.bags.sizes.tolist() == [7, 2]
    np.testing.assert_array_equal(cohort.bags.cells(0), np.concatenate([values["a"], values["c"]]))
    np.testing.assert_array_equal(cohort.bags.cells(1), values["b"])
    assert cohort.bags.bag(0).cell_ids[3] == "s2#1"
    assert cohort.bags.encoder == ""


@pytest.mark.parametrize("table_format", ["h5ad", "zarr"])
def test_one_table_of_many_patients(tmp_path: Path, table_format: str) -> None:
    made = table(tmp_path, {"P1/a.png": 2, "P2/a.png": 3, "P1/b.png": 1}, table_format=table_format)
    path = manifest(tmp_path, "patient,smear,path", f"one,P1,{made.name}", f"two,P2,{made.name}")
    cohort = open_cohort(path)
    assert cohort.bags.encoder == "abc"
    assert cohort.bags.bag(0).cell_ids == ("P1/a.png#1", "P1/a.png#2", "P1/b.png#1")
    assert cohort.bags.sizes.tolist() == [3, 3]


def test_a_table_of_one_smear_is_taken_whole(tmp_path: Path) -> None:
    made = table(tmp_path, {"field_1.png": 2, "field_2.png": 3})
    cohort = open_cohort(manifest(tmp_path, "patient,smear,path", f"one,slide 7,{made.name}"))
    assert cohort.bags.sizes.tolist() == [5]


def test_rows_by_a_column_of_patients(tmp_path: Path) -> None:
    made = table(tmp_path, {"x.png": 2}, patient="P1")
    assert open_cohort(manifest(tmp_path, "patient,path", f"P1,{made.name}")).bags.sizes.tolist() == [2]
    with pytest.raises(CohortError, match="holds no cell of patient P2"):
        open_cohort(manifest(tmp_path, "patient,path", f"P2,{made.name}"))


def test_features_of_trident_and_variants(tmp_path: Path) -> None:
    uni = cells(3)
    trident(tmp_path / "S1.h5", uni, "uni_v1")
    trident(tmp_path / "S1b.h5", cells(3, 6), "conch")
    path = manifest(tmp_path, "patient,path,path:conch", "P1,S1.h5,S1b.h5")
    cohort = open_cohort(path)
    assert cohort.bags.encoder == "uni_v1"
    np.testing.assert_array_equal(cohort.bags.values, uni)
    assert open_cohort(path, "conch").bags.dimension == 6
    assert open_cohort(path, "conch").bags.encoder == "conch"
    with pytest.raises(CohortError, match="no column 'path:other'"):
        open_cohort(path, "other")


def test_those_who_are_excluded(tmp_path: Path) -> None:
    arrays(tmp_path, a=3, b=2)
    lines = ("patient,path,excluded", "P1,a.npy,", "P2,b.npy,borderline", "P3,,after chemotherapy")
    cohort = open_cohort(manifest(tmp_path, *lines))
    assert cohort.patients == ("P1",)
    assert {fact.patient: fact.excluded for fact in cohort.excluded} == {
        "P2": "borderline",
        "P3": "after chemotherapy",
    }
    every = open_cohort(manifest(tmp_path, *lines), include_excluded=True)
    assert every.patients == ("P1", "P2")
    assert every.facts[1].excluded == "borderline"
    assert [fact.patient for fact in every.excluded] == ["P3"]
    with pytest.raises(CohortError, match="every patient is excluded"):
        open_cohort(manifest(tmp_path, "patient,path,excluded", "P1,a.npy,x"))


def test_a_large_cohort_is_mapped_from_a_file(tmp_path: Path) -> None:
    values = arrays(tmp_path, a=30, b=20, c=10)
    path = manifest(tmp_path, "patient,path", "P1,a.npy", "P2,b.npy", "P3,c.npy")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    cohort = open_cohort(path, scratch=scratch, max_bytes=500)
    assert isinstance(cohort.bags.values, np.memmap)
    assert cohort.bags.cell_ids is None
    np.testing.assert_array_equal(cohort.bags.values, np.concatenate([values[name] for name in "abc"]))
    assert cohort.bags.bag(2).cell_ids[0] == "P3#1"
    assert not any(scratch.iterdir())


def test_the_same_ids_on_two_smears_are_told_apart(tmp_path: Path) -> None:
    first = table(tmp_path / "one", {"f.png": 1})
    second = table(tmp_path / "two", {"f.png": 1})
    lines = [f"P1,{name},{made.relative_to(tmp_path)}" for name, made in (("a", first), ("b", second))]
    cohort = open_cohort(manifest(tmp_path, "patient,smear,path", *lines))
    assert cohort.bags.bag(0).cell_ids == ("1/f.png#1", "2/f.png#1")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("P1,a,a.npy", "P2,b,none.npy"), r"line 3: .*none\.npy is not there"),
        (("P1,a,a.npy", "P2,b,a.npy"), r"lines 2 and 3: patients P1 and P2 both have .*a\.npy"),
        (("P1,a,empty.npy",), r"line 2: .*empty\.npy holds no cell of patient P1, smear 'a'"),
        (("P1,a,a.npy", "P2,b,nan.npy"), r"line 3: patient P2: .*nan\.npy: 1 of 2 rows hold NaN"),
        (("P1,a,a.npy", "P2,b,wide.npy"), r"lines 2 and 3: .*a\.npy holds 4 numbers a cell .* 7 numbers a cell"),
        (("P1,a,notes.txt",), r"line 2: patient P1: .*notes\.txt is no file of embeddings"),
        (("P1,a,images",), r"line 2: patient P1: .*images is a folder; .* embed them first"),
        (("P1,a,broken.h5ad",), r"line 2: patient P1: .*broken\.h5ad: no AnnData table"),
        (("P1,a,broken.h5",), r"line 2: patient P1: .*broken\.h5: cannot be read as HDF5"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, lines: tuple[str, ...], said: str) -> None:
    pytest.importorskip("anndata")
    arrays(tmp_path, a=3, empty=0)
    np.save(tmp_path / "nan.npy", np.full((2, 4), [[1], [np.nan]], np.float32))
    np.save(tmp_path / "wide.npy", cells(2, 7))
    for name in ("notes.txt", "broken.h5ad", "broken.h5"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    (tmp_path / "images").mkdir()
    path = manifest(tmp_path, "patient,smear,path", *lines)
    with pytest.raises(CohortError, match=said) as caught:
        open_cohort(path)
    assert "study.csv" in str(caught.value)
    assert any(said.split(":")[0].replace("lines", "").split()[-1] in fault for fault in summarize_cohort(path).faults)


def test_another_encoder(tmp_path: Path) -> None:
    one, two = table(tmp_path / "one", {"P1.png": 2}), table(tmp_path / "two", {"P2.png": 2}, digest="xyz")
    lines = [f"{name},{name},{made.relative_to(tmp_path)}" for name, made in (("P1", one), ("P2", two))]
    path = manifest(tmp_path, "patient,smear,path", *lines)
    with pytest.raises(CohortError, match=r"lines 2 and 3: .* by abc, .* by xyz; a cohort is of one encoder"):
        open_cohort(path)
    (fault,) = summarize_cohort(path).faults
    assert "line 3" in fault
    assert "by xyz, not 4 by abc" in fault


def test_rows_that_take_the_same_cells(tmp_path: Path) -> None:
    made = table(tmp_path, {"P1/a.png": 2, "P1/b.png": 2})
    path = manifest(tmp_path, "patient,smear,path", f"P1,P1,{made.name}", f"P2,P1/b,{made.name}")
    with pytest.raises(CohortError, match=r"lines 2 and 3: both take cells of .*embeddings\.h5ad, 2 of them the same"):
        open_cohort(path)


def test_nan_in_a_table(tmp_path: Path) -> None:
    anndata = pytest.importorskip("anndata")
    made = table(tmp_path, {"P1.png": 2})
    read = anndata.read_h5ad(made)
    read.X[1, 0] = np.nan
    read.write_h5ad(made)
    with pytest.raises(CohortError, match=r"line 2: patient P1: .*1 of 2 cells hold NaN or infinity, .* P1.png#2"):
        open_cohort(manifest(tmp_path, "patient,smear,path", f"P1,P1,{made.name}"))


def test_a_patient_in_two_splits(tmp_path: Path) -> None:
    arrays(tmp_path, a=1, b=1)
    path = manifest(tmp_path, "patient,path,split", "P1,a.npy,train", "P1,b.npy,test")
    with pytest.raises(CohortError, match=r"study\.csv, lines 2 and 3: patient P1 is in the splits test and train"):
        open_cohort(path)


def test_one_id_at_two_sites(tmp_path: Path) -> None:
    arrays(tmp_path, a=1, b=1)
    path = manifest(tmp_path, "patient,path,site", "P1,a.npy,Ulm", "P1,b.npy,Bonn")
    with pytest.raises(CohortError, match=r"study\.csv, lines 2 and 3: the id P1 is used at the sites Bonn, Ulm"):
        open_cohort(path)


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    cuts=st.lists(st.booleans(), min_size=12, max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_however_a_patient_is_split_over_smears_the_bag_is_the_same(
    sizes: list[int], cuts: list[bool], order: object
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lines, whole = [], []
        for patient, size in enumerate(sizes):
            values = cells(size)
            whole.append(values)
            edges = [0, *(place for place in range(1, size) if cuts[patient + place]), size]
            for part, (start, end) in enumerate(itertools.pairwise(edges)):
                np.save(root / f"{patient}-{part}.npy", values[start:end])
                lines.append(f"P{patient},s{part},{patient}-{part}.npy")
        order.shuffle(lines)  # type: ignore[attr-defined]
        cohort = open_cohort(manifest(root, "patient,smear,path", *lines))
    assert cohort.patients == tuple(f"P{patient}" for patient in range(len(sizes)))
    for place, values in enumerate(whole):
        np.testing.assert_array_equal(cohort.bags.cells(place), values)


PIECES = [
    "patient",
    "path",
    "split",
    "excluded",
    "path:x",
    "a",
    "P1",
    "train",
    '"',
    "\r",
    "\n",
    "",
    "nan",
    "../a",
    "\0",
]
TABLES = st.lists(st.lists(st.sampled_from(PIECES), max_size=4), max_size=5)


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=60) | TABLES.map(lambda rows: "\n".join(["patient,path", *map(",".join, rows)]).encode()))
def test_whatever_a_manifest_holds_the_error_names_it(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.csv"
        path.write_bytes(data)
        with pytest.raises(CohortError, match=r"study\.csv"):
            open_cohort(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_table_cut_short_is_named(tmp_path: Path, share: float) -> None:
    made = table(tmp_path, {f"P{number}.png": 40 for number in range(5)})
    data = made.read_bytes()
    made.write_bytes(data[: int(share * len(data))])
    with pytest.raises(CohortError, match=r"line 2: patient P1: .*embeddings\.h5ad"):
        open_cohort(manifest(tmp_path, "patient,smear,path", f"P1,P1,{made.name}"))


@pytest.mark.parametrize("name", ["X", "X/0.0", "obs"])
def test_a_store_that_lacks_a_part_is_named(tmp_path: Path, name: str) -> None:
    made = table(tmp_path, {"P1.png": 4}, table_format="zarr")
    (made / name).rename(tmp_path / "gone")
    with pytest.raises(CohortError, match=r"line 2: patient P1: .*embeddings\.zarr"):
        open_cohort(manifest(tmp_path, "patient,smear,path", f"P1,P1,{made.name}"))
