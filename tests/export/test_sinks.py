"""What every sink owes: whole or nothing, no trace when abandoned, errors that name the path."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from painted_results import report_of

from hemascope.core.errors import MissingExtraError, OutputError
from hemascope.core.ports import ResultSink
from hemascope.core.report import FieldResult
from hemascope.export.anndata_table import CellsAnnDataSink
from hemascope.export.cells_table import CellsCsvSink
from hemascope.export.geojson import CellsGeoJsonSink
from hemascope.export.parquet import CellsParquetSink
from hemascope.export.report_json import ReportJsonSink
from hemascope.export.spool import Spool

SINKS: list[Callable[[Path], ResultSink]] = [
    CellsCsvSink,
    CellsParquetSink,
    CellsAnnDataSink,
    CellsGeoJsonSink,
    ReportJsonSink,
]
every_sink = pytest.mark.parametrize("make", SINKS)


@every_sink
def test_nothing_is_seen_before_the_end_and_nothing_stays_when_abandoned(
    make: Callable[[Path], ResultSink], tmp_path: Path, results: list[FieldResult]
) -> None:
    target = tmp_path / "artefact"
    target.write_text("of an earlier run")
    sink = make(target)
    for result in results:
        sink.add(result)
    assert target.read_text() == "of an earlier run"
    sink.abandon()
    sink.abandon()
    assert [path.name for path in tmp_path.iterdir()] == ["artefact"]
    assert target.read_text() == "of an earlier run"


@every_sink
def test_a_finished_sink_leaves_only_its_artefact(
    make: Callable[[Path], ResultSink], tmp_path: Path, results: list[FieldResult]
) -> None:
    sink = make(tmp_path / "artefact")
    sink.add(results[0])
    assert sink.finish(report_of(results[:1])) == tmp_path / "artefact"
    sink.abandon()
    assert [path.name for path in tmp_path.iterdir()] == ["artefact"]


@every_sink
def test_a_folder_that_is_absent_is_named(
    make: Callable[[Path], ResultSink], tmp_path: Path, results: list[FieldResult]
) -> None:
    target = tmp_path / "absent" / "artefact"
    sink = make(target)
    with pytest.raises(OutputError, match=r"absent.artefact.*--out"):
        _run(sink, results[0])
    sink.abandon()
    assert list(tmp_path.iterdir()) == []


@every_sink
def test_a_target_that_is_a_folder_is_refused_and_cleaned_up(
    make: Callable[[Path], ResultSink], tmp_path: Path, results: list[FieldResult]
) -> None:
    target = tmp_path / "artefact"
    target.mkdir()
    sink = make(target)
    sink.add(results[0])
    with pytest.raises(OutputError, match="artefact"):
        sink.finish(report_of(results[:1]))
    assert [path.name for path in tmp_path.iterdir()] == ["artefact"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told(tmp_path: Path, results: list[FieldResult], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(spool: Spool, name: str) -> IO[str]:
        return spool._open.setdefault(name, Path("/dev/full").open("w", encoding="utf-8"))

    monkeypatch.setattr(Spool, "text", full)
    sink = CellsCsvSink(tmp_path / "cells.csv")
    with pytest.raises(OutputError, match=r"cells\.csv: No space left on device; free some disk space"):
        _run(sink, *[results[0]] * 50)
    sink.abandon()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("make", "module"), [(CellsParquetSink, "pyarrow"), (CellsAnnDataSink, "anndata")])
def test_an_absent_extra_is_named(
    make: Callable[[Path], ResultSink], module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", _no_spec_of(module))
    with pytest.raises(MissingExtraError, match=r"hemascope\[scverse\]"):
        make(tmp_path / "cells")


def _run(sink: ResultSink, *results: FieldResult) -> None:
    for result in results:
        sink.add(result)
    sink.finish(report_of(list(results)))


def _no_spec_of(module: str) -> Callable[[str], object]:
    return lambda name: None if name == module else object()


def test_advice_follows_the_cause() -> None:
    error = OutputError.at(Path("x") / "y", OSError(errno.EROFS, os.strerror(errno.EROFS)))
    assert "read-only" in str(error)
    assert "--out" in str(OutputError.at(Path("x"), OSError("odd")))
