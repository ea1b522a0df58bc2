"""The benchmark of prediction sets on painted cells whose type is their brightness."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hemascope import wiring
from hemascope.app.bench_conformal import METHODS, Typist, measure_away, measure_home, run
from hemascope.app.bench_record import Measures
from hemascope.app.bench_request import BenchmarkRequest
from hemascope.app.conformal_tables import conformal_tables
from hemascope.app.protocol_encoder import CropAnswers, ProtocolEncoder
from hemascope.app.target_cells import PBC, TARGETS, TypedCell, class_numbers
from hemascope.classify.calibrated import GivenLogits, calibrate
from hemascope.core.cell import CellCrop
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.zoo.contamination import Seen

TYPES = tuple(CellType)


def silent(title: str, done: int, total: int) -> None:
    """Show nothing."""


def answer(crops: Sequence[CellCrop]) -> CropAnswers:
    """Take the level of gray for the type: 0 is 20, 1 is 50, and so on."""
    level = np.array([crop.pixels.mean() for crop in crops], np.float32)[:, None]
    logits = -np.abs(level - np.arange(20, 260, 30, dtype=np.float32)) / 8
    return CropAnswers(np.concatenate([level, level**2], axis=1), logits)


ENCODER = ProtocolEncoder(
    "gray", ModelIdentity("gray", "1", "", "none", "Apache-2.0"), 8, 4.0, answer, lambda _: Seen.NO, lambda _: Seen.NO
)


def painted(folder: Path, source: str, per_type: int, noise: float, seed: int) -> list[TypedCell]:
    rng = np.random.default_rng(seed)
    cells = []
    for k, cell_type in enumerate(TYPES):
        for number in range(per_type):
            level = int(np.clip(20 + 30 * k + rng.normal(0, noise), 0, 255))
            path = folder / f"{seed}_{level}.png"
            folder.mkdir(exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), level, np.uint8)).save(path)
            name = f"{seed}-{k}-{number}"
            cells.append(TypedCell(source, name, path, (4.0, 4.0), 0.5, cell_type, name, "test"))
    return cells


@pytest.fixture(scope="module")
def typist(tmp_path_factory: pytest.TempPathFactory) -> tuple[Typist, list[TypedCell], CropAnswers]:
    known = painted(tmp_path_factory.mktemp("val"), PBC, 30, 14, 0)
    answers = ENCODER.answer_cells(known, silent)
    assert answers.logits is not None
    head = calibrate(GivenLogits(tuple(t.value for t in TYPES)), answers.logits, class_numbers(known))
    return Typist(ENCODER, "own_head", lambda a: a.logits, head), known, answers


def test_at_home_sets_are_covered_as_stated(typist, tmp_path: Path) -> None:
    told, known, answers = typist
    measures = Measures()
    measure_home(measures, told, told.told(known, answers), painted(tmp_path, PBC, 30, 14, 1), silent)
    for method in METHODS:
        prefix = f"{PBC}.gray.resplits.{method.name}"
        assert measures.metrics[f"{prefix}.coverage"] == pytest.approx(0.95, abs=0.01)
        assert f"{prefix}.coverage" in measures.intervals
    prefix = f"{PBC}.gray.validation_to_test"
    sizes = [measures.metrics[f"{prefix}.{stated}.size"] for stated in ("0.90", "0.95", "0.99")]
    assert sizes == sorted(sizes)
    assert measures.metrics[f"{prefix}.0.95.coverage"] > 0.9
    assert measures.metrics[f"{PBC}.gray.cells"] == 240


def test_elsewhere_coverage_is_lost_and_comes_back_by_recalibration(typist, tmp_path: Path) -> None:
    told, known, answers = typist
    measures = Measures()
    name = TARGETS[0]
    measure_away(
        measures, told, told.told(known, answers), answers.embeddings, name, painted(tmp_path, name, 20, 45, 2), silent
    )
    found = {key.removeprefix(f"{name}.gray."): value for key, value in measures.metrics.items()}
    assert found["pbc.lac.by_type.coverage"] < 0.85
    assert found["half.lac.marginal.coverage"] == pytest.approx(0.95, abs=0.01)
    assert found["half.aps.marginal.coverage"] == pytest.approx(0.95, abs=0.01)
    assert found["few.lac.marginal.coverage"] == pytest.approx(0.95, abs=0.02)
    assert found["half.lac.marginal.size"] > found["pbc.lac.marginal.size"]


@pytest.mark.data
@pytest.mark.slow
def test_the_shipped_classifier_on_a_few_cells_of_every_source() -> None:
    if "HEMASCOPE_DATA" not in os.environ:
        pytest.skip("HEMASCOPE_DATA names no folder of public sets")
    request = BenchmarkRequest("conformal", Path(os.environ["HEMASCOPE_DATA"]), limit=48)
    outcome = run(request, wiring.benchmark_parts(), silent)
    document = {
        "metrics": outcome.measures.metrics,
        "intervals": outcome.measures.intervals,
        "provenance": outcome.notes,
    }
    tables = conformal_tables(document)
    assert len(tables) == 3
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)
    assert outcome.measures.metrics["mean.cell_classifier.half.lac.marginal.off"] < 0.06
