from __future__ import annotations

import csv
import errno
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from hemascope.cli.data import app
from hemascope.core.errors import InputError, OutputError, ScaleError
from hemascope.core.taxonomy import CellKind, CellType
from hemascope.synth import write
from hemascope.synth.smear import SmearStyle, paint_field
from hemascope.synth.write import write_smear

SIZE: dict[str, Any] = {"width": 160, "height": 120, "mpp": 0.25}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def smear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_smear(tmp_path_factory.mktemp("synth") / "smear", 3, 5, **SIZE)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_same_seed_writes_the_same_bytes(smear: Path, tmp_path: Path) -> None:
    assert contents(write_smear(tmp_path / "again", 3, 5, **SIZE)) == contents(smear)


def test_a_field_does_not_depend_on_how_many_there_are(smear: Path, tmp_path: Path) -> None:
    one = write_smear(tmp_path / "one", 1, 5, **SIZE)
    assert (one / "images/field_00000.png").read_bytes() == (smear / "images/field_00000.png").read_bytes()


def test_the_scale_stands_in_the_picture(smear: Path) -> None:
    with Image.open(smear / "images/field_00000.png") as picture:
        assert picture.mode == "RGB"
        assert picture.size == (160, 120)
        across, down = picture.info["dpi"]
    assert 25_400 / across == pytest.approx(0.25, rel=1e-6)
    assert across == down


def test_a_field_can_be_painted_again_from_its_seed(tmp_path: Path) -> None:
    style = SmearStyle()
    folder = write_smear(tmp_path / "clean", 2, 1, style=style, **SIZE)
    for row in rows(folder / "labels.csv"):
        painted = paint_field(int(row["seed"]), style=style, **SIZE)
        assert np.array_equal(np.asarray(Image.open(folder / row["path"])), painted.field.pixels)
        mask = cv2.imread(str(folder / row["mask"]), cv2.IMREAD_UNCHANGED)
        assert mask is not None
        assert mask.dtype == np.uint16
        assert np.array_equal(mask, painted.instances)
        nucleus = cv2.imread(str(folder / row["nucleus_mask"]), cv2.IMREAD_UNCHANGED)
        assert nucleus is not None
        assert np.array_equal(nucleus, painted.nucleus * np.uint8(255))


def test_tables_agree_with_each_other(smear: Path) -> None:
    boxes = rows(smear / "boxes.csv")
    for row in rows(smear / "labels.csv"):
        mine = [box for box in boxes if box["path"] == row["path"]]
        counts = dict(part.split("=") for part in row["label"].split(";"))
        for label in ("WBC", "RBC", "Platelets"):
            assert int(counts[label]) == sum(box["label"] == label for box in mine)
        assert row["wbc_type"] == ",".join(sorted(box["cell_type"] for box in mine if box["label"] == "WBC"))
        cells = json.loads((smear / row["outlines"]).read_text(encoding="utf-8"))["cells"]
        assert len(cells) == len(mine)
        for cell, box in zip(cells, mine, strict=True):
            assert min(x for x, _ in cell["outline"]) == pytest.approx(float(box["xmin"]), abs=0.011)
            assert max(y for _, y in cell["outline"]) == pytest.approx(float(box["ymax"]), abs=0.011)


def test_truth_says_it_is_generated(smear: Path) -> None:
    truth = json.loads((smear / "truth.json").read_text(encoding="utf-8"))
    assert truth["generated"] is True
    assert "painted by a program" in truth["statement"]
    assert (truth["seed"], truth["mpp"], truth["format_version"]) == (5, 0.25, 1)
    assert set(truth["versions"]) == {"hemascope", "numpy", "opencv"}
    styles = [field["style"] for field in truth["fields"]]
    assert len(styles) == 3
    assert styles[0] != styles[1]


def test_the_package_reads_what_it_writes(smear: Path) -> None:
    reader = pytest.importorskip("hemascope.data.synthetic", reason="the reader of this format is another room")
    records = reader.read_synthetic(smear)
    assert [record.split for record in records] == ["test", "train", "train"]
    boxes = rows(smear / "boxes.csv")
    assert sum(len(record.boxes) for record in records) == len(boxes)
    white = sum(len(record.of_kind(CellKind.WHITE_CELL)) for record in records)
    assert white == sum(box["label"] == "WBC" for box in boxes)


def test_asked_types_are_written(tmp_path: Path) -> None:
    folder = write_smear(tmp_path / "out", 2, 0, white_cells={CellType.BASOPHIL: 2}, **SIZE)
    assert [row["wbc_type"] for row in rows(folder / "labels.csv")] == ["basophil,basophil"] * 2


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert (write_smear(tmp_path / "empty", 1, 0, **SIZE) / "truth.json").is_file()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"not empty; choose another place"):
        write_smear(tmp_path, 1, 0, **SIZE)
    assert contents(tmp_path) == {"notes.txt": b"mine"}


def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="is a file"):
        write_smear(tmp_path / "out", 1, 0, **SIZE)
    with pytest.raises(OutputError, match="out is a file, not a folder"):
        write_smear(tmp_path / "out" / "deeper", 1, 0, **SIZE)


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_nothing_is_left_when_it_stops_half_way(tmp_path: Path, problem: BaseException) -> None:
    def stop(done: int) -> None:
        if done == 2:
            raise problem

    with pytest.raises(OutputError if isinstance(problem, OSError) else KeyboardInterrupt):
        write_smear(tmp_path / "out", 3, 0, progress=stop, **SIZE)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_filled_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def meanwhile(done: int) -> None:
        out.mkdir()
        (out / "other.txt").write_text("theirs")

    with pytest.raises(OutputError, match="a folder has that name"):
        write_smear(out, 1, 0, progress=meanwhile, **SIZE)
    assert contents(tmp_path) == {"out/other.txt": b"theirs"}


def test_bad_numbers_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 fields"):
        write_smear(tmp_path / "out", 0, 0, **SIZE)
    with pytest.raises(InputError, match="seed of -3"):
        write_smear(tmp_path / "out", 1, -3, **SIZE)
    with pytest.raises(ScaleError, match="outside"):
        write_smear(tmp_path / "out", 1, 0, mpp=9.0)
    assert list(tmp_path.iterdir()) == []


def test_every_split_is_dealt_out() -> None:
    assert set(write.SPLITS) == {"train", "val", "test"}
    assert write.SPLITS[0] == "test"


def test_command_writes_a_folder(tmp_path: Path) -> None:
    asked = ["synthesize", "--out", str(tmp_path / "out"), "--fields", "2", "--seed", "4"]
    result = CliRunner().invoke(app, [*asked, "--size", "100x80", "--mpp", "0.3", "--style", "clean"])
    assert result.exit_code == 0, result.output
    truth = json.loads((tmp_path / "out/truth.json").read_text(encoding="utf-8"))
    assert (truth["width"], truth["height"], truth["seed"], truth["mpp"]) == (100, 80, 4, 0.3)
    assert "2 synthetic fields" in result.output


@pytest.mark.parametrize(
    "wrong", [["--size", "big"], ["--fields", "0"], ["--seed", "-1"], ["--style", "odd"], ["--mpp", "wide"]]
)
def test_command_refuses_bad_usage(tmp_path: Path, wrong: list[str]) -> None:
    result = CliRunner().invoke(app, ["synthesize", "--out", str(tmp_path / "out"), *wrong])
    assert result.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_command_raises_for_the_entry_point_to_report(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    result = CliRunner().invoke(app, ["synthesize", "--out", str(tmp_path)])
    assert isinstance(result.exception, OutputError)
