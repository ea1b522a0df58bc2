"""What a report says of red cells and platelets in words, and what its provenance names."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hemascope import wiring
from hemascope.app.analyze import AnalysisRequest, analyze
from hemascope.app.provenance import gather_provenance
from hemascope.app.statements import RED_CELL_TRAINING, morphology_statements
from hemascope.cli.summary import red_cell_line
from hemascope.core.morphology import PlateletCounts, RedCellCounts
from hemascope.core.report import FieldSummary, SmearReport
from hemascope.core.smear import QcVerdict
from hemascope.core.taxonomy import RedCellType
from hemascope.recipes import AnalysisRecipe, Grading
from hemascope.reporting.morphology import compute_red_cells
from hemascope.reporting.platelets import compute_platelets
from hemascope.reporting.red_cell_counts import measure_diameters
from hemascope.sources.discover import discover
from hemascope.synth.write import write_smear

ICSH = wiring.load_grading("icsh_2015")


def field(normal: int, target: int, clumps: int = 0) -> FieldSummary:
    labels = {t.value: 0 for t in RedCellType} | {"normal": normal, "target_cell": target}
    areas = (np.pi * (np.linspace(7, 8, normal + target) / 2) ** 2).tolist()
    counts = RedCellCounts(normal + target, labels, {k: float(v) for k, v in labels.items()}, measure_diameters(areas))
    found = {"white_cell": 0, "red_cell": normal + target, "platelet": 50}
    platelets = PlateletCounts(clumps, 3 * clumps, 3 if clumps else 0)
    return FieldSummary(
        "f", "", "", 10, 10, 0.1, "stated", QcVerdict(), found, {}, red_cells=counts, platelets=platelets
    )


def said(summary: FieldSummary, table: Grading = ICSH) -> list[str]:
    return list(morphology_statements(compute_red_cells([summary], table), compute_platelets([summary], table)))


def test_the_table_is_called_unverified_until_every_row_is() -> None:
    assert any(
        "'icsh_2015', version 1. Of its 14 rows, 14 are marked as not verified" in s for s in said(field(2000, 9))
    )
    values = ICSH.model_dump()
    values["findings"] = {name: {**row, "verified": True} for name, row in values["findings"].items()}
    assert not any("not verified" in s for s in said(field(2000, 9), Grading.model_validate(values)))


def test_where_the_types_come_from_is_said_only_where_cells_were_typed() -> None:
    assert RED_CELL_TRAINING in said(field(2000, 9))
    assert RED_CELL_TRAINING not in said(field(0, 0))


def test_too_few_cells_and_clumps_are_said() -> None:
    assert any("509 red cells were typed, fewer than 1,000" in s for s in said(field(500, 9)))
    assert any("clumped in 1 field:" in s for s in said(field(500, 9, clumps=2)))
    assert not any("clumped" in s or "fewer than" in s for s in said(field(1500, 9)))


def report(summary: FieldSummary) -> SmearReport:
    return SmearReport(
        "t", (summary,), (), None, (), (), None,  # type: ignore[arg-type]
        red_cells=compute_red_cells([summary], ICSH), platelets=compute_platelets([summary], ICSH),
    )  # fmt: skip


def test_the_line_in_the_terminal() -> None:
    line = red_cell_line(report(field(900, 300, clumps=2)))
    assert "1200 typed" in line
    assert "target cell 3+ (25.0%)" in line
    assert "Platelet clumps: 2 in 1 fields." in line
    assert "grades need 1000" in red_cell_line(report(field(500, 9)))
    assert "no finding reaches a grade" in red_cell_line(report(field(2000, 9)))
    assert "not typed" in red_cell_line(report(field(0, 0)))
    assert red_cell_line(replace(report(field(1, 1)), red_cells=None)) == ""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmearReport, Path]:
    folder = tmp_path_factory.mktemp("morphology")
    images = write_smear(folder / "painted", 2, seed=3) / "images"
    recipe = AnalysisRecipe(segmenter="classical")
    provenance = gather_provenance(recipe, [], "hemascope analyze")
    request = AnalysisRequest(
        discover([images]), folder / "out", wiring.load_prior("even"), provenance, grading=ICSH, red_cell_count=5.0
    )
    return analyze(request, wiring.build_analyzer(recipe), wiring.build_sinks, lambda result: None), folder / "out"


def test_a_run_measures_red_cells_and_names_its_table(run: tuple[SmearReport, Path]) -> None:
    found, _ = run
    assert found.red_cells is not None
    assert found.platelets is not None
    assert [(t.name, t.version, t.sha256) for t in found.provenance.tables] == [("icsh_2015", "1", ICSH.digest())]
    assert found.red_cells.size.cells > 20
    assert found.red_cells.size.absolute
    assert 5 < (found.red_cells.size.mean_um or 0) < 10
    assert found.platelets.by_red_cells is not None
    ratio = found.differential.platelets_per_1000_red_cells.value or 0
    assert found.platelets.by_red_cells.value == pytest.approx(5 * ratio)


def test_the_artefacts_say_the_same(run: tuple[SmearReport, Path]) -> None:
    found, out = run
    assert found.red_cells is not None
    document = json.loads((out / "report.json").read_text())
    assert document["red_cells"]["size"]["cells"] == found.red_cells.size.cells
    assert document["provenance"]["tables"][0]["sha256"] == ICSH.digest()
    with (out / "cells.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    whole = [c for c in cells if c["kind"] == "red_cell" and c["touches_border"] == "false" and c["field_qc"] != "fail"]
    assert len(whole) == found.red_cells.size.cells
