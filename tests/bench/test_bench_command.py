"""What ``hemascope bench`` prints and writes."""

import json
from pathlib import Path

import pytest
from color_parts import parts
from typer.testing import CliRunner

from hemascope.app.bench_record import BenchmarkRun
from hemascope.cli.bench import bench, print_run, run_bench
from hemascope.core.errors import DataSetError


def test_tables_are_printed_and_figures_written(
    kept_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.json"
    run_bench(parts(), "detection", kept_root, json_file=path)
    printed = capsys.readouterr().out
    assert "4 / 4" in printed
    assert "1.000 [0.398, 1.000]" in printed
    assert "classical" in printed
    assert json.loads(path.read_text())["metrics"]["bccd.white_cell.recall"] == 1.0


def test_speed_prints_ratios(runs: dict[str, BenchmarkRun], capsys: pytest.CaptureFixture[str]) -> None:
    print_run(runs["speed"])
    assert "network / classical" in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="is not there; set HEMASCOPE_DATA or --data"):
        run_bench(parts(), "detection", tmp_path / "none")


def test_nothing_is_written_when_a_set_is_absent(root: Path, tmp_path: Path) -> None:
    (root / "aybu_fields" / "labels.csv").unlink()
    path = tmp_path / "run.json"
    with pytest.raises(DataSetError, match=r"aybu_fields.*cannot be read"):
        run_bench(parts(), "detection", root, json_file=path)
    assert not path.exists()


def test_help_names_every_option() -> None:
    import typer

    app = typer.Typer()
    app.command()(bench)
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    for option in ("--data", "--split", "--json", "--pictures", "--limit", "--segmenter", "HEMASCOPE_DATA"):
        assert option in shown
