"""Feature files of TRIDENT, STAMP and Slideflow, as they write them, and what can be wrong in one."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from feature_writers import write_slideflow, write_stamp, write_trident
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hemascope.core.errors import InputError
from hemascope.sources.feature_files import find_feature_files, read_features, slide_names
from hemascope.sources.torch_tensor import read_tensor

h5py = pytest.importorskip("h5py")


def numbers(rows: int = 5, length: int = 8, dtype: Any = np.float32) -> NDArray[Any]:
    return np.random.default_rng(rows).normal(size=(rows, length)).astype(dtype)


def corners(rows: int = 5, step: int = 512) -> NDArray[np.int64]:
    return np.stack([np.arange(rows) * step, np.arange(rows) * 2 * step], axis=1).astype(np.int64)


# TRIDENT


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_trident(tmp_path: Path, dtype: Any) -> None:
    values = numbers(dtype=dtype)
    read = read_features(write_trident(tmp_path / "slide_7.h5", values, corners()))
    assert (read.tool, read.level, read.encoder, read.tile_px) == ("trident", "tile", "uni_v1", 256.0)
    assert read.stored == np.dtype(dtype).name
    assert read.bag.name == "slide_7"
    assert read.bag.embeddings.values.dtype == np.float32
    np.testing.assert_array_equal(read.bag.embeddings.values, values.astype(np.float32))
    assert read.bag.unit == "px"
    np.testing.assert_array_equal(read.bag.centers, corners() + 256.0)
    assert read.bag.embeddings.cell_ids[:2] == ("slide_7#1", "slide_7#2")


def test_a_batch_of_one_slide_is_that_slide(tmp_path: Path) -> None:
    read = read_features(write_trident(tmp_path / "a.h5", numbers()[np.newaxis], corners()[np.newaxis]))
    np.testing.assert_array_equal(read.bag.embeddings.values, numbers())
    assert read.bag.centers is not None
    assert read.bag.centers.shape == (5, 2)


def test_trident_vector_of_a_slide(tmp_path: Path) -> None:
    read = read_features(write_trident(tmp_path / "a.h5", numbers(1)[0], corners(), encoder=None))
    assert (read.level, read.encoder, len(read.bag), read.bag.centers) == ("slide", "", 1, None)


@pytest.mark.parametrize("shape", [(0,), (0, 8)])
def test_trident_slide_without_tissue(tmp_path: Path, shape: tuple[int, ...]) -> None:
    read = read_features(write_trident(tmp_path / "a.h5", np.empty(shape, np.float32), np.empty((0, 2), np.int64)))
    assert (len(read.bag), read.level) == (0, "tile")


def test_without_the_size_of_tiles_no_centers_are_made_up(tmp_path: Path) -> None:
    read = read_features(write_trident(tmp_path / "a.h5", numbers(), corners(), side=None))
    assert read.bag.centers is None
    assert "centers are not known" in read.notes[0]


# STAMP


def test_stamp(tmp_path: Path) -> None:
    values, places = numbers(dtype=np.float16), corners(step=256).astype(np.float32)
    read = read_features(write_stamp(tmp_path / "a.h5", values, places))
    assert (read.tool, read.level, read.encoder, read.stored) == ("stamp", "tile", "uni-a1b2c3d4", "float16")
    assert (read.tile_um, read.tile_px, read.bag.unit) == (256.0, 224.0, "um")
    np.testing.assert_array_equal(read.bag.centers, places + 128.0)
    np.testing.assert_array_equal(read.bag.embeddings.values, values.astype(np.float32))


def test_stamp_before_2_1_named_the_size_differently(tmp_path: Path) -> None:
    attributes = {"stamp_version": "2.0.0", "extractor": "ctranspath", "unit": "um", "tile_size": 256.0}
    read = read_features(write_stamp(tmp_path / "a.h5", numbers(), corners(step=256), attributes))
    assert (read.tile_um, read.tile_px, read.notes) == (256.0, None, ())


@pytest.mark.parametrize("attributes", [{"extractor": "xiyuewang-ctranspath"}, {"tile_size": 224}])
def test_stamp_1_counted_pixels(tmp_path: Path, attributes: dict[str, object]) -> None:
    read = read_features(write_stamp(tmp_path / "a.h5", numbers(), corners(step=224), attributes))
    assert (read.tile_um, read.tile_px, read.bag.unit) == (256.0, 224.0, "um")
    assert "STAMP 1" in read.notes[0]
    assert read.bag.centers is not None
    np.testing.assert_allclose(read.bag.centers[1], [256 + 128, 512 + 128])


@pytest.mark.parametrize("level", ["slide", "patient"])
@pytest.mark.parametrize("shape", [(8,), (1, 8)])
def test_stamp_vectors_of_slides_and_patients(tmp_path: Path, level: str, shape: tuple[int, ...]) -> None:
    attributes = {"version": "2.5.0", "encoder": "titan", "precision": "torch.float32", "feat_type": level}
    read = read_features(write_stamp(tmp_path / "a.h5", numbers(1).reshape(shape), None, attributes))
    assert (read.level, read.encoder, len(read.bag), read.bag.centers) == (level, "titan", 1, None)


def test_stamp_without_unit_is_refused(tmp_path: Path) -> None:
    path = write_stamp(tmp_path / "a.h5", numbers(), corners(step=100), {"extractor": "x"})
    with pytest.raises(InputError, match="tile_size_um"):
        read_features(path)


# Slideflow


def test_slideflow(tmp_path: Path) -> None:
    read = read_features(write_slideflow(tmp_path / "TCGA-1.2.pt", numbers(), corners()))
    assert (read.tool, read.level, read.stored, read.bag.name) == ("slideflow", "tile", "float32", "TCGA-1.2")
    assert (read.tile_px, read.tile_um) == (299.0, 302.0)
    assert read.encoder == "slideflow.model.extractors.vit.UNIFeatures"
    np.testing.assert_array_equal(read.bag.embeddings.values, numbers())
    np.testing.assert_array_equal(read.bag.centers, corners())


def test_slideflow_without_zip_archives(tmp_path: Path) -> None:
    path = write_slideflow(tmp_path / "a.pt", numbers(), None)
    np.save(tmp_path / "a.index.npy", corners())
    np.testing.assert_array_equal(read_features(path).bag.centers, corners())


def test_slideflow_without_index_or_settings_says_so(tmp_path: Path) -> None:
    read = read_features(write_slideflow(tmp_path / "a.pt", numbers(), None, config=False))
    assert read.bag.centers is None
    assert len(read.notes) == 2
    assert "a.index.npz" in read.notes[1]


def test_slideflow_with_a_damaged_index_is_refused(tmp_path: Path) -> None:
    path = write_slideflow(tmp_path / "a.pt", numbers(), corners())
    (tmp_path / "a.index.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InputError, match=r"a\.index\.npz"):
        read_features(path)
    np.savez(tmp_path / "a.index", other=corners())
    with pytest.raises(InputError, match="arr_0"):
        read_features(path)


# Tensors


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_a_tensor_is_what_torch_reads(tmp_path: Path, name: str) -> None:
    torch = pytest.importorskip("torch")
    whole = torch.randn(7, 5).to(getattr(torch, name))
    for tensor in (whole, whole.t(), whole[2:, 1:4], whole[:0], whole.unsqueeze(0), whole.clone().requires_grad_()):
        torch.save(tensor, tmp_path / "a.pt")
        read = read_tensor(tmp_path / "a.pt")
        np.testing.assert_array_equal(read, tensor.detach().to(torch.float64).numpy())


def test_what_is_no_tensor_of_numbers_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    objects = [
        {"features": torch.zeros(2, 3)}, [torch.zeros(2, 3)], np.zeros((2, 3), np.float32), torch.arange(6),
        torch.zeros(2, 3).to_sparse(), torch.nn.Linear(2, 3), torch.zeros(1).expand(1 << 20),
    ]  # fmt: skip
    for held in objects:
        torch.save(held, tmp_path / "a.pt")
        with pytest.raises(InputError, match="save the tensor alone"):
            read_features(tmp_path / "a.pt")
    torch.save(torch.zeros(2, 3), tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(InputError, match=r"torch 1\.6"):
        read_features(tmp_path / "a.pt")


class Harmful:
    """What a hostile file holds: unpickling it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_nothing_that_a_file_says_is_run(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps(Harmful(tmp_path / "harm"), protocol))
        archive.writestr("a/data/0", b"\0" * 24)
    with pytest.raises(InputError, match="no plain tensor"):
        read_features(path)
    assert not (tmp_path / "harm").exists()


def test_tensors_that_ask_for_too_much_are_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save(torch.zeros(2, 3), tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as archive:
        held = {info.filename: archive.read(info) for info in archive.infolist()}
    pkl = next(name for name in held if name.endswith("data.pkl"))
    greedy = held[pkl].replace(b"K\x02K\x03", b"J\xff\xff\xff\x7fK\x03")  # 2^31 - 1 rows
    assert greedy != held[pkl]
    for name, data, method in (("a.pt", greedy, zipfile.ZIP_STORED), ("b.pt", held[pkl], zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(tmp_path / name, "w", method) as archive:
            for inside, content in (held | {pkl: data}).items():
                archive.writestr(inside, content)
        with pytest.raises(InputError, match=r"more numbers|packed"):
            read_features(tmp_path / name)


@given(position=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_damaged_tensor_never_crashes(tmp_path_factory: pytest.TempPathFactory, position: int, value: int) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path_factory.getbasetemp() / "damaged.pt"
    torch.save(torch.zeros(2, 3), path)
    data = bytearray(path.read_bytes())
    data[position % len(data)] = value
    path.write_bytes(bytes(data))
    try:
        read = read_tensor(path)
    except InputError:
        return
    assert read.dtype.kind == "f"


# What is wrong


def wrong_shapes() -> list[tuple[NDArray[Any], NDArray[Any], str]]:
    with_nan = numbers()
    with_nan[3, 2] = np.nan
    large = numbers(dtype=np.float64)
    large[1] = 1e300
    return [
        (with_nan, corners(), "1 of 5 rows hold NaN or infinity, the first of them row 3"),
        (large, corners(), "row 1"),
        (numbers(), corners(4), "coordinates have shape"),
        (numbers(), corners()[:, :1], "coordinates have shape"),
        (np.stack([numbers(), numbers()]), corners(), r"not \(N, D\)"),
        (numbers().astype(np.int32), corners(), "int32"),
    ]


@pytest.mark.parametrize(("values", "places", "said"), wrong_shapes())
def test_wrong_arrays_are_refused(tmp_path: Path, values: NDArray[Any], places: NDArray[Any], said: str) -> None:
    for path in (
        write_trident(tmp_path / "trident.h5", values, places),
        write_stamp(tmp_path / "stamp.h5", values, places),
    ):
        with pytest.raises(InputError, match=said) as caught:
            read_features(path)
        assert path.name in str(caught.value)


def test_missing_keys_are_named(tmp_path: Path) -> None:
    for path in (
        write_trident(tmp_path / "a.h5", numbers(), None),
        write_stamp(tmp_path / "b.h5", numbers(), None),
    ):
        with pytest.raises(InputError, match="lacks the key 'coords'"):
            read_features(path)
    with h5py.File(tmp_path / "patches.h5", "w") as file:
        file["coords"] = corners()
    with pytest.raises(InputError, match="holds coords, but neither"):
        read_features(tmp_path / "patches.h5")


def test_keys_of_another_kind_are_refused(tmp_path: Path) -> None:
    write_trident(tmp_path / "other.h5", numbers(), corners())
    with h5py.File(tmp_path / "group.h5", "w") as file:
        file.create_group("features")
        file["coords"] = corners()
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["features"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "features")
        file["coords"] = corners()
    with h5py.File(tmp_path / "text.h5", "w") as file:
        file["features"] = ["a", "b"]
        file["coords"] = corners(2)
    with h5py.File(tmp_path / "huge.h5", "w") as file:
        file.create_dataset("features", (1 << 40, 1024), np.float32, chunks=(1, 1024))
        file["coords"] = corners()
    for name in ("group", "link", "text", "huge"):
        with pytest.raises(InputError, match="'features'"):
            read_features(tmp_path / f"{name}.h5")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    whole = write_trident(tmp_path / "a.h5", numbers(), corners()).read_bytes()
    for data in (b"", b"no HDF5", whole[:600], whole[: len(whole) // 2]):
        (tmp_path / "cut.h5").write_bytes(data)
        with pytest.raises(InputError, match=r"cut\.h5"):
            read_features(tmp_path / "cut.h5")
    with pytest.raises(InputError, match="feature files end in"):
        read_features(tmp_path / "a.csv")
    with pytest.raises(InputError, match=r"absent\.h5"):
        read_features(tmp_path / "absent.h5")


# Many files


def test_files_are_found_in_folders_and_named_apart(tmp_path: Path) -> None:
    for name in ("a/slide.h5", "b/slide.h5", "b/other.pt", "b/.hidden.h5", "b/other.index.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_feature_files([tmp_path / "a" / "slide.h5", tmp_path])
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["a/slide.h5", "b/other.pt", "b/slide.h5"]
    assert slide_names(found) == ["a/slide", "other", "b/slide"]
    with pytest.raises(InputError, match="does not exist"):
        find_feature_files([tmp_path / "c"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no feature file in the folder"):
        find_feature_files([tmp_path / "empty"])
