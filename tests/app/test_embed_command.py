"""`hemascope embed` and `hemascope features` as a user types them, interrupted and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from embedding_parts import write_fields
from PIL import Image
from typer.testing import CliRunner

from hemascope.app.features import gather_features
from hemascope.cli.main import app
from hemascope.core.errors import InputError, OutputError
from hemascope.export.embeddings_table import EmbeddingsSink
from hemascope.sources.feature_files import find_feature_files

anndata = pytest.importorskip("anndata")

COMMAND = [sys.executable, "-c", "from hemascope.cli.main import main; main()"]
ENVIRONMENT = {**os.environ, "COLUMNS": "160", "NO_COLOR": "1"}
FIELDS = 12
INTERRUPTIBLE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
"""Whoever starts the tests in the background starts them deaf to SIGINT, and their children with them."""


def hemascope(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, env=ENVIRONMENT, timeout=240
    )


def embedding(fields: Path, out: Path) -> list[str]:
    return ["embed", str(fields), "--encoder", "descriptors", "--mpp", "0.2", "--out", str(out)]


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("painted")
    write_fields(folder, FIELDS)
    return folder


def stopped(fields: Path, out: Path, how: int) -> int:
    """Start a run, stop it when an image is done, and return its status."""
    command = [*COMMAND[:-1], INTERRUPTIBLE + COMMAND[-1], *embedding(fields, out)]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(out.glob("store/*/*.npz")):
        time.sleep(0.005)
    process.send_signal(how)
    return process.wait(timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_goes_on_where_it_was(fields: Path, tmp_path: Path, how: signal.Signals) -> None:
    out = tmp_path / "stopped"
    status = stopped(fields, out, how)
    assert status == (130 if how == signal.SIGINT else -how)
    done = len(list(out.glob("store/*/*.npz")))
    assert 1 <= done < FIELDS
    assert not (out / "embeddings.h5ad").exists()
    if how == signal.SIGINT:
        assert [path.name for path in out.iterdir()] == ["store"]
    again = hemascope(*embedding(fields, out))
    assert again.returncode == 0, again.stderr
    assert f"{FIELDS - done} images computed, {done} taken from" in again.stdout
    whole = hemascope(*embedding(fields, tmp_path / "whole"))
    assert f"{FIELDS} images computed, 0 taken from" in whole.stdout
    one = anndata.read_h5ad(out / "embeddings.h5ad")
    other = anndata.read_h5ad(tmp_path / "whole" / "embeddings.h5ad")
    assert one.n_obs > 0
    # Descriptors of one crop may differ in their last digit between two processes.
    np.testing.assert_allclose(one.X, other.X, rtol=1e-6)
    assert one.obs.equals(other.obs)


@pytest.mark.slow
def test_runs_at_once_share_a_store(fields: Path, tmp_path: Path) -> None:
    runs = [
        subprocess.Popen(
            [*COMMAND, *embedding(fields, tmp_path / name), "--store", str(tmp_path / "shared"), "--quiet"]
        )
        for name in ("a", "b")
    ]
    assert [run.wait(timeout=240) for run in runs] == [0, 0]
    one, other = (anndata.read_h5ad(tmp_path / name / "embeddings.h5ad") for name in ("a", "b"))
    np.testing.assert_allclose(one.X, other.X, rtol=1e-6)
    names = {path.name for path in (tmp_path / "shared").rglob("*") if path.is_file()}
    assert len(names) == FIELDS
    assert all(name.endswith(".npz") for name in names)


@pytest.mark.slow
def test_a_bad_file_among_others_and_quiet(fields: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    some = hemascope(*embedding(fields / "0.png", tmp_path / "out"), tmp_path / "bad.png")
    assert some.returncode == 1
    assert "bad.png" in some.stderr
    assert (tmp_path / "out" / "embeddings.h5ad").is_file()
    quiet = hemascope(*embedding(fields / "0.png", tmp_path / "out"), "--quiet", "--format", "zarr")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "csv"], "h5ad or zarr"),
        (["--backend", "openvino"], "runs no network"),
        (["--encoder", "nobody"], "nobody"),
        (["--kind", "cell"], "no kind of cell"),
        (["--mpp", "265"], "outside 0.01 to 2"),
    ],
)
def test_bad_options(fields: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(app, [*embedding(fields / "0.png", tmp_path / "out"), *arguments])
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)
    assert not (tmp_path / "out" / "embeddings.h5ad").exists()


def write_trident(path: Path, rows: int, encoder: str = "uni_v1", length: int = 6) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file["features"] = np.random.default_rng(rows).normal(size=(rows, length)).astype(np.float16)
        file["coords"] = np.arange(2 * rows, dtype=np.int64).reshape(rows, 2) * 512
        file["features"].attrs["encoder"] = encoder
        file["coords"].attrs.update({"patch_size": 256, "patch_size_level0": 512})


@pytest.mark.slow
def test_features_are_shown_and_put_together(tmp_path: Path) -> None:
    folder = tmp_path / "features"
    folder.mkdir()
    write_trident(folder / "a.h5", 3)
    write_trident(folder / "b.h5", 5)
    (folder / "c.h5").write_bytes(b"no HDF5")
    shown = hemascope("features", folder / "a.h5")
    assert shown.returncode == 0, shown.stderr
    assert "trident" in shown.stdout
    assert "uni_v1" in shown.stdout
    assert not list(tmp_path.glob("**/*.h5ad"))
    written = hemascope("features", folder, "--out", tmp_path / "out")
    assert written.returncode == 1
    assert "c.h5" in written.stderr
    table = anndata.read_h5ad(tmp_path / "out" / "embeddings.h5ad")
    assert table.shape == (8, 6)
    assert list(table.obs["field_id"].astype(str)) == ["a"] * 3 + ["b"] * 5
    np.testing.assert_array_equal(table.obsm["spatial"][0], [256, 512 + 256])
    assert table.uns["encoder"]["name"] == "uni_v1"
    assert table.uns["features"]["tool"] == "trident"
    assert "features" in json.loads(table.uns["provenance"])["command"]


@pytest.mark.parametrize(("encoder", "length", "said"), [("gigapath", 6, "made by"), ("uni_v1", 7, "vectors of 7")])
def test_features_that_do_not_belong_together_are_refused(tmp_path: Path, encoder: str, length: int, said: str) -> None:
    write_trident(tmp_path / "a.h5", 3)
    write_trident(tmp_path / "b.h5", 3, encoder, length)
    with pytest.raises(InputError, match=said):
        gather_features(find_feature_files([tmp_path]), EmbeddingsSink(tmp_path / "out"), "", lambda name: None)
    assert not any((tmp_path / "out").iterdir())
    looked = gather_features(find_feature_files([tmp_path]), None, "", lambda name: None)
    assert [row["encoder"] for row in looked.shown] == ["uni_v1", encoder]


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    for table_format in ("h5ad", "zarr"):
        (tmp_path / f"embeddings.{table_format}").mkdir()
        Image.new("RGB", (4, 4)).save(tmp_path / f"embeddings.{table_format}" / "picture.png")
        with pytest.raises(OutputError, match="not ours"):
            EmbeddingsSink(tmp_path, table_format)  # type: ignore[arg-type]
        assert (tmp_path / f"embeddings.{table_format}" / "picture.png").is_file()
