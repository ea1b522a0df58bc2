"""The whole way: files in, artefacts out, whatever the files are."""

from __future__ import annotations

import csv
import errno
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shapely.geometry import shape

from hemascope import wiring
from hemascope.app.alike import sizes_alike
from hemascope.app.analyze import ARTEFACTS, AnalysisRequest, analyze
from hemascope.app.analyzer import Analyzer
from hemascope.app.provenance import gather_provenance
from hemascope.app.statements import statements
from hemascope.core.errors import NoImagesError, OutputError
from hemascope.core.report import FailedInput, FieldResult, FieldSummary, SmearReport
from hemascope.core.smear import Field, QcStatus, QcVerdict
from hemascope.core.taxonomy import CellKind
from hemascope.core.units import ScaleSource
from hemascope.export.report_json import ReportJsonSink
from hemascope.recipes import AnalysisRecipe
from hemascope.sources.discover import Source, discover
from hemascope.synth.smear import HardCase, paint_field
from hemascope.synth.write import write_smear

Run = Callable[..., SmearReport]


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return wiring.build_analyzer(mpp=0.1)


@pytest.fixture(scope="module")
def smear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_smear(tmp_path_factory.mktemp("smear") / "painted", 3, seed=11) / "images"


def run_on(sources: list[Source], out: Path, analyzer: Analyzer) -> SmearReport:
    recipe = AnalysisRecipe()
    provenance = gather_provenance(recipe, [analyzer.segmenter.identity], "hemascope analyze")
    request = AnalysisRequest(sources, out, wiring.load_prior(recipe.prior), provenance)
    return analyze(request, analyzer, wiring.build_sinks, lambda result: None)


def test_every_artefact_is_written_and_they_agree(smear: Path, tmp_path: Path, analyzer: Analyzer) -> None:
    report = run_on(discover([smear]), tmp_path / "out", analyzer)
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == set(ARTEFACTS)
    document = json.loads((tmp_path / "out" / "report.json").read_text())
    with (tmp_path / "out" / "cells.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    features = json.loads((tmp_path / "out" / "cells.geojson").read_text())["features"]
    total = sum(sum(summary.counts.values()) for summary in report.fields)
    assert len(document["fields"]) == 3
    assert len(rows) == len(features) == total > 30
    assert all(shape(feature["geometry"]).is_valid for feature in features)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "esearch use only" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_painted_white_cells_are_counted(smear: Path, tmp_path: Path, analyzer: Analyzer) -> None:
    truth = list(csv.DictReader((smear.parent / "boxes.csv").open(newline="")))
    whole = [row for row in truth if row["label"] == "WBC" and float(row["visible"]) > 0.5]
    report = run_on(discover([smear]), tmp_path / "out", analyzer)
    found = sum(summary.counts[CellKind.WHITE_CELL] for summary in report.fields)
    assert abs(found - len(whole)) <= 2


def test_one_bad_file_does_not_stop_the_others(smear: Path, tmp_path: Path, analyzer: Analyzer) -> None:
    bad = tmp_path / "broken.png"
    bad.write_bytes(b"no picture")
    report = run_on(discover([smear, bad]), tmp_path / "out", analyzer)
    assert len(report.fields) == 3
    assert [failed.path for failed in report.failed] == [str(bad)]
    assert "broken.png" in (tmp_path / "out" / "report.html").read_text()


def test_nothing_readable_writes_nothing(tmp_path: Path, analyzer: Analyzer) -> None:
    bad = tmp_path / "broken.png"
    bad.write_bytes(b"")
    with pytest.raises(NoImagesError, match=r"broken\.png"):
        run_on(discover([bad]), tmp_path / "out", analyzer)
    assert not (tmp_path / "out").exists()


def test_an_interrupted_run_leaves_what_was_there(smear: Path, tmp_path: Path, analyzer: Analyzer) -> None:
    out = tmp_path / "out"
    run_on(discover([smear]), out, analyzer)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    class Interrupted(Analyzer):
        def results(self, sources: object) -> Iterator[FieldResult | FailedInput]:
            yield from list(super().results(discover([smear])))[:1]
            raise KeyboardInterrupt

    stopping = Interrupted(analyzer.reader, analyzer.segmenter, analyzer.classifier, analyzer.judge, analyzer.scale)
    with pytest.raises(KeyboardInterrupt):
        run_on(discover([smear]), out, stopping)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    fresh = tmp_path / "fresh"
    with pytest.raises(KeyboardInterrupt):
        run_on(discover([smear]), fresh, stopping)
    assert not fresh.exists()


def test_a_later_run_removes_what_an_earlier_one_left(smear: Path, tmp_path: Path, analyzer: Analyzer) -> None:
    out = tmp_path / "out"
    run_on(discover([smear]), out, analyzer)
    (out / "notes.txt").write_text("mine")
    run_on([discover([smear])[0]], out, analyzer)
    assert (out / "notes.txt").read_text() == "mine"
    assert not (out / "geojson").exists()
    assert len(json.loads((out / "report.json").read_text())["fields"]) == 1


def test_a_place_that_cannot_be_written_is_said(smear: Path, tmp_path: Path, analyzer: Analyzer) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file, not a folder")
    with pytest.raises(OutputError, match="file"):
        run_on(discover([smear]), blocked / "out", analyzer)


def test_a_field_without_cells_is_reported_as_such(tmp_path: Path, analyzer: Analyzer) -> None:
    Image.fromarray(paint_field(1, case=HardCase.NO_CELLS).field.pixels).save(tmp_path / "empty.png")
    report = run_on(discover([tmp_path / "empty.png"]), tmp_path / "out", analyzer)
    assert report.differential.white_cells == 0
    assert report.fields[0].verdict.status is not QcStatus.PASS
    assert (tmp_path / "out" / "report.html").is_file()


def test_the_same_file_twice_counts_once(smear: Path, tmp_path: Path, analyzer: Analyzer) -> None:
    first = discover([smear])[0]
    copy = tmp_path / "copy.png"
    copy.write_bytes(first.path.read_bytes())
    report = run_on([first, *discover([copy])], tmp_path / "out", analyzer)
    assert report.excluded_fields == (report.fields[1].id,)
    assert "duplicate" in [reason.code for reason in report.fields[1].verdict.reasons]


def test_scale_comes_from_the_user_then_the_file_then_the_red_cells(smear: Path, tmp_path: Path) -> None:
    stated = next(iter(wiring.build_analyzer(mpp=0.12).results(discover([smear]))))
    read = next(iter(wiring.build_analyzer().results(discover([smear]))))
    bare = tmp_path / "bare"
    bare.mkdir()
    for path in sorted(smear.iterdir()):
        Image.fromarray(np.asarray(Image.open(path))).save(bare / path.name)
    estimated = next(iter(wiring.build_analyzer().results(discover([bare]))))
    scales = [r.field.scale for r in (stated, read, estimated) if isinstance(r, FieldResult) and r.field.scale]
    assert [s.source for s in scales] == [ScaleSource.STATED, ScaleSource.METADATA, ScaleSource.ESTIMATED]
    assert [s.mpp for s in scales] == pytest.approx([0.12, 0.1, 0.1], rel=0.12)


def test_crops_of_about_one_size_share_a_scale(tmp_path: Path) -> None:
    painted = paint_field(4, width=900, height=700, mpp=0.1).field.pixels
    for number, (width, height) in enumerate(((420, 400), (400, 420), (380, 410))):
        crop = painted[100 : 100 + height, 120 * number : 120 * number + width]
        Image.fromarray(crop).save(tmp_path / f"crop_{number}.png")
    Image.fromarray(painted[:60, :60]).save(tmp_path / "tiny.png")
    sources = discover([tmp_path])
    results = list(wiring.build_analyzer().results(sources))
    scales = {r.field.id: r.field.scale for r in results if isinstance(r, FieldResult)}
    crops = [scale for name, scale in scales.items() if "crop" in name and scale]
    assert len(crops) == 3
    assert all(scale.source is ScaleSource.ESTIMATED for scale in crops)


@pytest.mark.parametrize(("factor", "alike"), [(1.0, False), (1.5, True)])
def test_sizes_are_alike_within_a_factor(factor: float, alike: bool) -> None:
    one, other = (Field("f", np.zeros((height, 100, 3), np.uint8), None) for height in (100, 140))
    assert sizes_alike(one, other, factor) is alike
    assert sizes_alike(one, one, factor)


def test_an_estimated_scale_is_said(smear: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.bmp"
    Image.open(next(iter(sorted(smear.iterdir())))).convert("RGB").save(bare)
    report = run_on(discover([bare]), tmp_path / "out", wiring.build_analyzer())
    assert any("The scale of 1 of 1 fields was estimated" in statement for statement in report.statements)


@pytest.mark.parametrize("source", list(ScaleSource))
def test_a_scale_that_is_not_known_is_said(source: ScaleSource) -> None:
    field = FieldSummary("f", "", "", 10, 10, 0.1, source.value, QcVerdict(), {}, {})
    said = " ".join(statements([field], [], [], wiring.load_prior("even")))
    assert ("nothing can be said of macrocytosis" in said) == (source is ScaleSource.ESTIMATED)
    assert ("was assumed" in said) == (source is ScaleSource.ASSUMED)


def test_ambiguous_cells_are_counted_where_the_classifier_states_sets() -> None:
    bare = FieldSummary("f", "", "", 10, 10, 0.1, ScaleSource.STATED.value, QcVerdict(), {}, {})
    fields = [replace(bare, set_sizes={"1": 7, "2": 2}), replace(bare, set_sizes={"1": 1, "4": 1}), bare]
    assert any(
        s.startswith("For 3 of 11 nucleated cells more than one type cannot be excluded at 95%")
        for s in statements(fields, [], [], wiring.load_prior("even"))
    )
    assert "cannot be excluded" not in " ".join(statements([bare], [], [], wiring.load_prior("even")))


def test_a_marrow_film_is_said_to_be_unvalidated() -> None:
    field = FieldSummary("f", "", "", 10, 10, 0.1, ScaleSource.STATED.value, QcVerdict(), {}, {})
    blood, marrow = (statements([field], [], [], wiring.load_prior("even"), name) for name in ("blood", "marrow"))
    assert set(marrow) - set(blood) == {marrow[1]}
    assert marrow[1].startswith("Unvalidated on marrow")


def test_a_gray_field_is_said_to_be_untypable(smear: Path, tmp_path: Path, analyzer: Analyzer) -> None:
    Image.open(discover([smear])[0].path).convert("L").save(tmp_path / "gray.png")
    report = run_on(discover([tmp_path / "gray.png"]), tmp_path / "out", analyzer)
    assert any("hold no color" in statement for statement in report.statements)


def test_the_same_input_gives_the_same_cells(smear: Path, tmp_path: Path, analyzer: Analyzer) -> None:
    for name in ("one", "two"):
        run_on(discover([smear]), tmp_path / name, analyzer)
    assert (tmp_path / "one" / "cells.csv").read_bytes() == (tmp_path / "two" / "cells.csv").read_bytes()


def test_a_folder_of_the_users_own_is_never_removed(smear: Path, tmp_path: Path, analyzer: Analyzer) -> None:
    mine = tmp_path / "out" / "geojson"
    mine.mkdir(parents=True)
    (mine / "thesis.docx").write_text("years of work")
    with pytest.raises(OutputError, match="not ours"):
        run_on(discover([smear]), tmp_path / "out", analyzer)
    assert (mine / "thesis.docx").read_text() == "years of work"


def test_a_failed_write_names_the_place_the_user_asked_for(smear: Path, tmp_path: Path, analyzer: Analyzer) -> None:
    class FullDisk(ReportJsonSink):
        def __init__(self, path: Path) -> None:
            super().__init__(path)
            self.path = path

        def finish(self, report: SmearReport) -> Path:
            raise OutputError.at(self.path, OSError(errno.ENOSPC, "No space left on device"))

    recipe = AnalysisRecipe()
    request = AnalysisRequest(
        discover([smear]),
        tmp_path / "out",
        wiring.load_prior("even"),
        gather_provenance(recipe, [], "hemascope analyze"),
    )
    with pytest.raises(OutputError, match=r"out/report\.json: No space left.*free some disk space"):
        analyze(request, analyzer, lambda folder: [FullDisk(folder / "report.json")], lambda result: None)
    assert not (tmp_path / "out").exists()
