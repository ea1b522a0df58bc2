"""Subtypes and attributes through the whole analyzer, with heads that were really trained, and without any."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from painted_attributes import LEVELS, build, level_encoder, silent, write_sets

from hemascope import wiring
from hemascope.app import analyzer as analyzer_module
from hemascope.app.analyze import AnalysisRequest, analyze
from hemascope.app.analyzer import Analyzer
from hemascope.app.attribute_cells import EncodedCells, open_answered_cells
from hemascope.app.attribute_teller import HeadsTeller
from hemascope.app.attribute_training import FittedHeads, fit_choice, train_attributes
from hemascope.app.provenance import gather_provenance
from hemascope.classify.attribute_heads import Question
from hemascope.core.cell import CellCrop
from hemascope.core.errors import WeightsError
from hemascope.core.prediction import ATTRIBUTES, SUBTYPES, AbstentionReason, CellPrediction
from hemascope.core.provenance import ModelIdentity
from hemascope.core.report import FieldResult
from hemascope.core.smear import Field
from hemascope.core.taxonomy import UNIDENTIFIED, CellKind, CellType
from hemascope.core.units import Scale, ScaleSource
from hemascope.data import pbc_full
from hemascope.recipes import AnalysisRecipe, AttributeTrainingRecipe, override
from hemascope.reporting.subtypes import SUBTYPE_LIMITS
from hemascope.sources.discover import discover
from hemascope.synth.smear import paint_field
from hemascope.synth.write import write_smear
from hemascope.zoo import shipped

HEADS = ModelIdentity("cell_attributes", "1", "4" * 64, "numpy-cpu-fp32", "Apache-2.0")
PLAIN = AnalysisRecipe(attributes=False, red_cells=False, segmenter="classical", generative="off")


class TypesInTurn:
    """Types cells in the order of ``CellType``, and leaves each ninth unidentified."""

    identity = ModelIdentity("in_turn", "1", "", "none", "Apache-2.0")

    def __init__(self, size: tuple[int, float]) -> None:
        self.crop_size = size

    def classify(self, crops: Sequence[CellCrop]) -> list[CellPrediction]:
        return [
            CellPrediction(crop.cell_id, np.eye(8)[k % 9 % 8], 0.5, AbstentionReason.ANOMALY if k % 9 == 8 else None)
            for k, crop in enumerate(crops)
        ]


class Recorded(HeadsTeller):
    """Keeps what it was given."""

    def tell(self, crops, cell_types):  # type: ignore[no-untyped-def]
        self.given = getattr(self, "given", [])
        self.given.append((crops, cell_types))
        return super().tell(crops, cell_types)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sets(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def fitted(sets: Path) -> FittedHeads:
    return fit_choice("level", EncodedCells(build, silent), open_answered_cells(sets), (10.0,))


@pytest.fixture(scope="module")
def field() -> Field:
    """A painted field with many white cells."""
    row = np.concatenate([paint_field(seed=seed).field.pixels for seed in (5, 6, 7, 8, 9)], axis=1)
    pixels = np.concatenate([row, row[:, ::-1], row[::-1]])
    return Field("painted", pixels, Scale(0.1, ScaleSource.STATED))


@pytest.fixture(scope="module")
def plain() -> Analyzer:
    return wiring.build_analyzer(PLAIN, mpp=0.1)


def with_heads(plain: Analyzer, fitted: FittedHeads, size: tuple[int, float] = (16, 32.0)) -> Analyzer:
    teller = Recorded([level_encoder("level")], fitted.heads, HEADS)
    return replace(plain, classifier=TypesInTurn(size), attributes=teller)


def told(result: FieldResult) -> list[tuple[str, object]]:
    return [(str(cell.label), cell.attributes) for cell in result.cells if cell.label]


def test_each_type_is_asked_its_own_questions(plain: Analyzer, fitted: FittedHeads, field: Field) -> None:
    analyzer = with_heads(plain, fitted)
    result = analyzer.analyze(field)
    labels = {cell.label for cell in result.cells if cell.cell.kind is CellKind.WHITE_CELL}
    assert labels == {t.value for t in CellType if t is not CellType.PLATELET} | {UNIDENTIFIED}
    for cell in result.cells:
        looks = cell.attributes
        if cell.label in (None, UNIDENTIFIED, CellType.ERYTHROBLAST):
            assert looks is None
            continue
        assert looks is not None
        assert looks.cell_id == cell.cell.id
        immature = cell.label == CellType.IMMATURE_GRANULOCYTE
        assert tuple(looks.attributes) == (() if immature else ATTRIBUTES)
        names = SUBTYPES.get(CellType(str(cell.label)), ())
        assert looks.subtype.value in names if names else looks.subtype is None  # type: ignore[union-attr]
    assert [model.name for model in analyzer.models][-2:] == ["level", "cell_attributes"]
    assert "attributes" in result.seconds


def test_answers_are_those_of_the_picture(plain: Analyzer, fitted: FittedHeads, field: Field) -> None:
    analyzer = with_heads(plain, fitted)
    result = analyzer.analyze(field)
    assert isinstance(analyzer.attributes, Recorded)
    [(crops, types)] = analyzer.attributes.given
    looks = {cell.cell.id: cell.attributes for cell in result.cells}
    seen = set()
    for crop, cell_type in zip(crops[16, 32.0], types, strict=True):
        level = int(crop.pixels[8, 8, 0]) // 40
        seen.add(level)
        found = looks[crop.cell_id]
        assert found is not None
        for name, answer in found.attributes.items():
            values = pbc_full.ATTRIBUTES[name]
            assert answer.value == values[level % len(values)]
            assert 0.5 < answer.probability <= 1
        if level < len(SUBTYPES.get(cell_type, ())):
            assert found.subtype is not None
            assert found.subtype.value == SUBTYPES[cell_type][level]
    assert len(seen & set(range(LEVELS))) >= 2


def test_crops_are_cut_once_where_sizes_agree(plain: Analyzer, fitted: FittedHeads, field: Field) -> None:
    cut: list[Sequence[CellCrop]] = []

    class Kept(TypesInTurn):
        def classify(self, crops: Sequence[CellCrop]) -> list[CellPrediction]:
            cut.append(crops)
            return super().classify(crops)

    answers = []
    for size in ((16, 32.0), (24, 20.0)):
        analyzer = replace(with_heads(plain, fitted), classifier=Kept(size))
        answers.append(told(analyzer.analyze(field)))
        assert isinstance(analyzer.attributes, Recorded)
        [(crops, types)] = analyzer.attributes.given
        assert list(crops) == [(16, 32.0)]
        assert all(crop.pixels.shape == (16, 16, 3) and float(crop.width) == 32.0 for crop in crops[16, 32.0])
        reused = {id(crop) for crop in crops[16, 32.0]} <= {id(crop) for crop in cut[-1]}
        assert reused is (size == (16, 32.0))
        assert len(types) == len(crops[16, 32.0])
    assert answers[0] == answers[1]


def test_parts_and_the_whole_answer_alike(
    plain: Analyzer, fitted: FittedHeads, field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = told(with_heads(plain, fitted).analyze(field))
    monkeypatch.setattr(analyzer_module, "WHITE_CELLS_AT_ONCE", 2)
    analyzer = with_heads(plain, fitted)
    assert told(analyzer.analyze(field)) == whole
    assert isinstance(analyzer.attributes, Recorded)
    assert max(len(types) for _, types in analyzer.attributes.given) == 2


def test_heads_that_answer_other_questions_are_refused(fitted: FittedHeads) -> None:
    first = fitted.heads.heads[0]
    other = replace(first, question=Question("mood", first.question.values, first.question.cell_types))
    with pytest.raises(WeightsError, match=r"does not know \(mood\)"):
        HeadsTeller([level_encoder("level")], replace(fitted.heads, heads=(other,)), HEADS)


def run(analyzer: Analyzer, images: Path, out: Path) -> tuple[dict[str, object], list[dict[str, str]], str]:
    recipe = AnalysisRecipe()
    provenance = gather_provenance(recipe, analyzer.models, "hemascope analyze")
    request = AnalysisRequest(discover([images]), out, wiring.load_prior(recipe.prior), provenance)
    analyze(request, analyzer, wiring.build_sinks, lambda result: None)
    with (out / "cells.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return json.loads((out / "report.json").read_text()), rows, (out / "report.html").read_text()


def test_every_artefact_tells_the_same(plain: Analyzer, fitted: FittedHeads, tmp_path: Path) -> None:
    images = write_smear(tmp_path / "painted", 2, seed=11) / "images"
    document, rows, page = run(with_heads(plain, fitted), images, tmp_path / "out")
    told = [row["subtype"] for row in rows if row["subtype"]]
    counted = [field for field in document["fields"] if field["verdict"]["status"] != "fail"]  # type: ignore[attr-defined, index]
    ids = {field["id"] for field in counted}
    assert told
    for cell_type, rates in document["subtypes"].items():  # type: ignore[attr-defined]
        for name, rate in rates.items():
            here = [row for row in rows if row["subtype"] == name and row["field_id"] in ids]
            assert rate["count"] == len(here)
            assert {row["type"] for row in here} <= {cell_type}
    assert SUBTYPE_LIMITS in document["statements"]  # type: ignore[operator]
    assert "<h3>Subtypes" in page
    assert {model["name"] for model in document["provenance"]["models"]} >= {"level", "cell_attributes"}  # type: ignore[index]


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models that ship, but for one that tells attributes."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for model in shipped.WEIGHTS.iterdir():
        if model.name != shipped.CELL_ATTRIBUTES:
            (folder / model.name).symlink_to(model)
    monkeypatch.setattr(shipped, "WEIGHTS", folder)
    return folder


def test_without_a_model_all_is_as_before(zoo: Path, tmp_path: Path) -> None:
    analyzer = wiring.build_analyzer(override(PLAIN, attributes=True), mpp=0.1)
    assert analyzer.attributes is None
    assert [model.name for model in analyzer.models][1:] == ["cell_classifier"]
    images = write_smear(tmp_path / "painted", 1, seed=11) / "images"
    document, rows, page = run(analyzer, images, tmp_path / "out")
    assert not any(row[name] for row in rows for name in ("subtype", "subtype_probability", *ATTRIBUTES))
    assert document["subtypes"] == {}
    assert SUBTYPE_LIMITS not in document["statements"]  # type: ignore[operator]
    assert "Subtypes" not in page


@pytest.mark.slow
def test_a_model_that_ships_is_found_and_can_be_left_out(
    zoo: Path, sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="packing heads needs the extra 'train'")
    recipe = AttributeTrainingRecipe(name="cell_attributes", version="1", choices=("descriptors",), penalties=(0.01,))
    folder = train_attributes(
        recipe, wiring.build_protocol_encoder, sets, tmp_path / "model", "hemascope train attributes a.toml", silent
    )
    shutil.copytree(folder, zoo / shipped.CELL_ATTRIBUTES)
    analyzer = wiring.build_analyzer(override(PLAIN, attributes=True), mpp=0.1)
    assert analyzer.attributes is not None
    assert [model.name for model in analyzer.models][-2:] == ["descriptors", "cell_attributes"]
    assert analyzer.attributes.crop_sizes == ((128, 32.0),)
    images = write_smear(tmp_path / "painted", 1, seed=11) / "images"
    _, rows, _ = run(analyzer, images, tmp_path / "out")
    mature = {cell_type.value for cell_type in pbc_full.ATTRIBUTED_TYPES}
    assert [bool(row["granularity"]) for row in rows] == [row["type"] in mature for row in rows]
    assert wiring.build_analyzer(PLAIN, mpp=0.1).attributes is None
    (zoo / shipped.CELL_ATTRIBUTES / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(WeightsError, match=r"model\.safetensors"):
        wiring.build_attribute_teller()


def test_the_model_that_ships_stands_on_encoders_that_ship() -> None:
    card = shipped.shipped_card(shipped.CELL_ATTRIBUTES)
    if card is None:
        pytest.skip("no attribute model ships with this version")
    teller = wiring.build_attribute_teller()
    assert teller is not None
    assert teller.cell_types == {*pbc_full.ATTRIBUTED_TYPES, CellType.IMMATURE_GRANULOCYTE}
    names = str(card.spec["encoder_choice"]).split("+")
    assert all(name == "descriptors" or shipped.shipped_card(name.replace("-", "_")) for name in names)
