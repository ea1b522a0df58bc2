"""The page is what the committed runs say, and nothing else."""

import json
from pathlib import Path

import pytest

from hemascope.app.bench_record import BenchmarkRun, write_document
from hemascope.app.benchmark_page import main, read_runs, render_page, write_page
from hemascope.app.benchmark_table import benchmark_tables
from hemascope.core.errors import InputError

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def folder(runs: dict[str, BenchmarkRun], tmp_path: Path) -> Path:
    for name, run in runs.items():
        write_document(run.document(), tmp_path / "benchmarks" / f"{name}.json")
    return tmp_path / "benchmarks"


def test_the_committed_page_is_that_of_the_committed_runs() -> None:
    page = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    assert page == render_page(read_runs(DOCS / "benchmarks")), (
        "run: python -m hemascope.app.benchmark_page docs/benchmarks"
    )


def test_every_committed_run_says_how_it_was_made() -> None:
    for stem, document in read_runs(DOCS / "benchmarks").items():
        provenance = document["provenance"]
        assert provenance["command"].startswith("hemascope bench"), stem
        assert provenance["commit"], stem
        assert provenance["started"], stem
        assert document["n"], stem


def test_the_page_shows_each_run_with_its_command_and_figures(folder: Path, tmp_path: Path) -> None:
    page = render_page(read_runs(folder))
    for name in ("detection", "classification", "speed", "report"):
        assert f"## {name}" in page
        assert f"`hemascope bench {name} --data DIR --split test --segmenter network`" in page
    assert "| bccd | White cell | network | 4 / 4 | 1.000 [0.398, 1.000] | 0 (0) |" in page
    assert "| bccd | Red cell | classical | 1 / 2 | 0.500 |" in page
    assert str(tmp_path) not in page


def test_every_row_has_a_cell_a_column(folder: Path) -> None:
    for document in read_runs(folder).values():
        for table in benchmark_tables(document):
            assert {len(row) for row in table.rows} <= {len(table.columns)}, table.title


def test_a_changed_figure_changes_the_page(folder: Path) -> None:
    before = render_page(read_runs(folder))
    document = json.loads((folder / "detection.json").read_text())
    document["metrics"]["bccd.white_cell.recall"] = 0.123
    (folder / "detection.json").write_text(json.dumps(document))
    assert render_page(read_runs(folder)) != before


def test_the_page_is_written_beside_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    assert main([str(folder)]) == 0
    assert (tmp_path / "benchmarks.md").read_text() == render_page({})
    assert str(tmp_path / "benchmarks.md") in capsys.readouterr().out


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"benchmark": "detection"}'])
def test_what_is_no_run_is_named(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "odd.json").write_text(text)
    with pytest.raises(InputError, match=r"odd\.json is no benchmark run"):
        write_page(folder)
    assert main([str(folder)]) == 1
    assert "odd.json" in capsys.readouterr().err
    assert not (tmp_path / "benchmarks.md").exists()


def test_one_folder_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
