"""A generative model through the whole analysis, with a model folder that was really fitted, and without any."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from painted_judge import TRIALS, write_judge

from hemascope import wiring
from hemascope.app import judge_cells
from hemascope.app.analyze import AnalysisRequest, analyze
from hemascope.app.analyzer import Analyzer
from hemascope.app.embedding_judge import open_second_look
from hemascope.app.judge_cells import Judging
from hemascope.app.provenance import gather_provenance
from hemascope.core.cell import CellCrop
from hemascope.core.errors import WeightsError
from hemascope.core.prediction import AbstentionReason, CellPrediction, GenerativeJudgement
from hemascope.core.provenance import ModelIdentity
from hemascope.core.report import FieldResult
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind, CellType
from hemascope.core.units import Scale, ScaleSource
from hemascope.embed.descriptor_encoder import DescriptorEncoder
from hemascope.evaluate.judge_conformance import check_judge
from hemascope.recipes import AnalysisRecipe, override
from hemascope.sources.discover import discover
from hemascope.synth.smear import paint_field
from hemascope.synth.write import write_smear
from hemascope.zoo import shipped

PLAIN = AnalysisRecipe(attributes=False, red_cells=False, segmenter="classical", generative="off")
CASCADE = {"temperature": 1.0, "threshold": 1.1, "share": 1.0}


class EvenJudge:
    """Says of each cell in turn: alike, strange, disputed; keeps what it was given."""

    identities = (ModelIdentity("even", "1", "", "none", "Apache-2.0"),)

    def __init__(self, size: tuple[int, float]) -> None:
        self.crop_sizes = (size,)
        self.given: list[Sequence[CellCrop]] = []

    def judge(self, crops, predictions: Sequence[CellPrediction]) -> list[GenerativeJudgement]:  # type: ignore[no-untyped-def]
        self.given.append(crops[self.crop_sizes[0]])
        return [self.one(prediction) for prediction in predictions]

    def one(self, prediction: CellPrediction) -> GenerativeJudgement:
        place = int(prediction.cell_id.rpartition("#")[2]) % 3
        other = next(kind for kind in CellType if kind is not prediction.most_likely)
        return GenerativeJudgement(
            other if place == 2 else prediction.most_likely, 0.9, 1.0, 2.0 if place == 1 else 0.4, 8
        )


@pytest.fixture(scope="module")
def field() -> Field:
    row = np.concatenate([paint_field(seed=seed).field.pixels for seed in (5, 6, 7)], axis=1)
    return Field("painted", np.concatenate([row, row[:, ::-1]]), Scale(0.1, ScaleSource.STATED))


@pytest.fixture(scope="module")
def plain() -> Analyzer:
    return wiring.build_analyzer(PLAIN, mpp=0.1)


@pytest.fixture(scope="module")
def before(plain: Analyzer, field: Field) -> FieldResult:
    return plain.analyze(field)


def answers(result: FieldResult) -> dict[str, CellPrediction]:
    return {cell.cell.id: cell.prediction for cell in result.cells if cell.prediction}


def test_beside_the_classifier_it_changes_nothing(plain: Analyzer, field: Field, before: FieldResult) -> None:
    judge = EvenJudge(plain.classifier.crop_size)
    found = answers(replace(plain, generative=Judging(judge)).analyze(field))
    assert len(found) >= 6
    assert found.keys() == answers(before).keys()
    for cell_id, old in answers(before).items():
        new = found[cell_id]
        assert new.judgement == judge.one(old)
        assert new.judgement is not None
        assert (new.label, new.abstention, new.prediction_set) == (old.label, old.abstention, old.prediction_set)
        np.testing.assert_array_equal(new.probabilities, old.probabilities)


def test_it_can_leave_cells_unidentified(plain: Analyzer, field: Field, before: FieldResult) -> None:
    judge = EvenJudge(plain.classifier.crop_size)
    found = answers(replace(plain, generative=Judging(judge, abstains=True)).analyze(field))
    reasons = {0: None, 1: AbstentionReason.ANOMALY, 2: AbstentionReason.DISPUTED}
    seen = set()
    for cell_id, old in answers(before).items():
        place = int(cell_id.rpartition("#")[2]) % 3
        wanted = old.abstention or reasons[place]
        assert found[cell_id].abstention == wanted
        seen.add(wanted)
    assert seen >= {AbstentionReason.ANOMALY, AbstentionReason.DISPUTED}
    lenient = Judging(judge, abstains=True, max_anomaly=3.0)
    for cell_id, new in answers(replace(plain, generative=lenient).analyze(field)).items():
        if int(cell_id.rpartition("#")[2]) % 3 == 1:
            assert new.abstention == answers(before)[cell_id].abstention


@pytest.mark.parametrize("size", [None, (24, 20.0)])
def test_crops_are_cut_once_where_sizes_agree_and_in_parts_where_not(
    plain: Analyzer, field: Field, size: tuple[int, float] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge_cells, "CELLS_AT_ONCE", 2)
    judge = EvenJudge(size or plain.classifier.crop_size)
    result = replace(plain, generative=Judging(judge)).analyze(field)
    white = [cell.cell.id for cell in result.cells if cell.cell.kind is CellKind.WHITE_CELL]
    assert [crop.cell_id for part in judge.given for crop in part] == white
    assert max(map(len, judge.given)) == 2
    side, width = judge.crop_sizes[0]
    assert all(c.pixels.shape == (side, side, 3) and float(c.width) == width for part in judge.given for c in part)
    assert [p.judgement is not None for p in answers(result).values()] == [True] * len(white)


def test_predictions_of_other_cells_are_refused(plain: Analyzer, field: Field, before: FieldResult) -> None:
    judging = Judging(EvenJudge(plain.classifier.crop_size))
    white = [cell.cell for cell in before.cells if cell.cell.kind is CellKind.WHITE_CELL]
    with pytest.raises(ValueError, match="in order"):
        judging.weigh(field, white, {}, list(answers(before).values())[::-1])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_judge(tmp_path_factory.mktemp("judge") / "model", CASCADE)


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models that ship, but for the one that judges."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for model in shipped.WEIGHTS.iterdir():
        if model.name != shipped.EMBEDDING_DENOISER:
            (folder / model.name).symlink_to(model)
    monkeypatch.setattr(shipped, "WEIGHTS", folder)
    return folder


def run(recipe: AnalysisRecipe, images: Path, out: Path) -> tuple[dict, list[dict[str, str]], str]:  # type: ignore[type-arg]
    analyzer = wiring.build_analyzer(recipe, mpp=0.1)
    provenance = gather_provenance(recipe, analyzer.models, "hemascope analyze")
    request = AnalysisRequest(discover([images]), out, wiring.load_prior(recipe.prior), provenance)
    analyze(request, analyzer, wiring.build_sinks, lambda result: None)
    with (out / "cells.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return json.loads((out / "report.json").read_text()), rows, (out / "report.html").read_text()


@pytest.mark.slow
def test_a_model_that_ships_judges_every_cell_in_every_artefact(zoo: Path, written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, zoo / shipped.EMBEDDING_DENOISER)
    images = write_smear(tmp_path / "painted", 2, seed=11) / "images"
    beside = override(PLAIN, generative="beside")
    document, rows, page = run(beside, images, tmp_path / "out")
    white = [row for row in rows if row["kind"] == "white_cell"]
    assert white
    for row in rows:
        names = ("generative_type", "generative_confidence", "generative_zeta", "generative_anomaly")
        assert [bool(row[name]) for name in names] == [row["kind"] == "white_cell"] * 4
    assert {row["generative_passes"] for row in white} == {str(TRIALS * len(CellType))}
    unlike = sum(float(row["generative_anomaly"]) > 1 for row in white)
    disputed = sum(row["generative_type"] != row["most_likely_type"] for row in white)
    assert sum(f["generative"]["unlike"] for f in document["fields"]) == unlike
    assert sum(f["generative"]["disputed"] for f in document["fields"]) == disputed
    assert document["generative"]["use"] == "beside"
    assert "it changed no type, and left no cell unidentified." in " ".join(document["statements"])
    assert {"cell_classifier", "descriptors", "embedding_denoiser"} <= {
        m["name"] for m in document["provenance"]["models"]
    }
    assert '<section id="map">' in page

    _, without, page = run(PLAIN, images, tmp_path / "off")
    assert [row["most_likely_type"] for row in without] == [row["most_likely_type"] for row in rows]
    assert not any(row["generative_type"] for row in without)
    assert '<section id="map">' not in page

    document, joined, _ = run(override(beside, generative="cascade", min_confidence=0.0), images, tmp_path / "cascade")
    assert document["generative"]["use"] == "cascade"
    changed = [
        a["confidence"] != b["confidence"] for a, b in zip(joined, rows, strict=True) if a["kind"] == "white_cell"
    ]
    assert any(changed)


def test_the_shipped_layout_keeps_the_contract(zoo: Path, written: Path) -> None:
    shutil.copytree(written, zoo / shipped.EMBEDDING_DENOISER)
    judge = wiring.build_cell_judge()
    assert judge is not None
    assert judge.crop_sizes == ((128, 32.0),)
    assert check_judge(judge) == ()


@pytest.mark.slow
def test_a_cell_is_described_once_for_all_who_ask(
    zoo: Path, written: Path, field: Field, monkeypatch: pytest.MonkeyPatch, before: FieldResult
) -> None:
    shutil.copytree(written, zoo / shipped.EMBEDDING_DENOISER)
    described: list[str] = []
    encode = DescriptorEncoder.encode

    def counted(self: DescriptorEncoder, crops: Sequence[CellCrop]):  # type: ignore[no-untyped-def]
        described.extend(crop.cell_id for crop in crops)
        return encode(self, crops)

    monkeypatch.setattr(DescriptorEncoder, "encode", counted)
    result = wiring.build_analyzer(override(PLAIN, generative="beside", attributes=True), mpp=0.1).analyze(field)
    assert sorted(described) == sorted(cell.cell.id for cell in result.cells if cell.cell.kind is CellKind.WHITE_CELL)
    assert [cell.label for cell in result.cells] == [cell.label for cell in before.cells]


def test_without_a_model_nothing_is_judged(zoo: Path) -> None:
    assert wiring.build_cell_judge() is None
    assert wiring.build_analyzer(override(PLAIN, generative="beside"), mpp=0.1).generative is None
    with pytest.raises(WeightsError, match="embedding_denoiser"):
        wiring.build_analyzer(override(PLAIN, generative="cascade"), mpp=0.1)


def test_damaged_and_foreign_folders_are_refused(zoo: Path, written: Path, tmp_path: Path) -> None:
    folder = tmp_path / "judge"
    shutil.copytree(written, folder)
    card = json.loads((folder / "model.json").read_text())
    named = wiring.shared_encoders().named
    card["spec"]["cascade"] = None
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="no cascade"):
        open_second_look(folder, named)
    card["spec"]["encoders"] = ["0" * 64]
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="other weights"):
        wiring.build_cell_judge(folder)
    card["spec"]["encoder_choice"] = ""
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="no denoiser of embeddings"):
        wiring.build_cell_judge(folder)
    folder = tmp_path / "other"
    shutil.copytree(written, folder)
    (folder / "space.safetensors").write_bytes(b"broken")
    with pytest.raises(WeightsError, match=r"space\.safetensors"):
        wiring.build_cell_judge(folder)
