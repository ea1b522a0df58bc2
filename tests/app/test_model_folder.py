"""A model folder in the place of the shipped finder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hemascope import wiring
from hemascope.core.errors import RecipeError, WeightsError
from hemascope.core.units import ScaleSource
from hemascope.recipes import AnalysisRecipe, override
from hemascope.synth.smear import paint_field
from hemascope.zoo.shipped import CELL_CLASSIFIER, FINDER, shipped_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped_folder(FINDER), tmp_path / "ours"))


def test_a_copy_of_the_shipped_finder_finds_the_same_cells(folder: Path) -> None:
    field = paint_field(3, width=200, height=160, mpp=0.2).field
    name = wiring.segmenter_name(str(folder))
    assert name == f"network:{folder}"
    ours = wiring.build_segmenter(override(AnalysisRecipe(), segmenter=name).segmenter)
    found = ours.find(field)
    assert found
    assert found == wiring.build_segmenter("network").find(field)


def test_the_shipped_finder_estimates_the_scale_for_another(folder: Path) -> None:
    # Thresholds that let nothing pass: this finder alone could tell no scale.
    card = json.loads((folder / "model.json").read_text("utf-8"))
    card["spec"]["thresholds"] = dict.fromkeys(card["spec"]["thresholds"], 0.9999)
    (folder / "model.json").write_text(json.dumps(card), "utf-8")
    analyzer = wiring.build_analyzer(AnalysisRecipe(segmenter=f"network:{folder}", red_cells=False))
    scale = analyzer.estimate([paint_field(3, mpp=0.1).field], analyzer.segmenter)
    assert scale.source is ScaleSource.ESTIMATED
    assert scale.mpp == pytest.approx(0.1, rel=0.12)


@pytest.mark.parametrize("name", ["network", "classical", "stardist:model@0.25", "no_such_folder", None])
def test_other_names_stay(name: str | None) -> None:
    assert wiring.segmenter_name(name) == name


def test_a_name_that_is_no_folder_is_refused() -> None:
    with pytest.raises(RecipeError, match="segmenter"):
        override(AnalysisRecipe(), segmenter="no_such_folder")


def test_files_are_compared_with_the_digests_of_the_card(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=r"model\.onnx"):
        wiring.folder_segmenter(folder)


@pytest.mark.parametrize("key", ["mpp", "rays", "thresholds"])
def test_a_card_that_lacks_something_is_refused(folder: Path, key: str) -> None:
    card = json.loads((folder / "model.json").read_text("utf-8"))
    del card["spec"][key]
    (folder / "model.json").write_text(json.dumps(card), "utf-8")
    with pytest.raises(WeightsError, match=f"holds no finder.*{key}"):
        wiring.folder_segmenter(folder)


def test_what_is_no_finder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="a model to classify"):
        wiring.folder_segmenter(shipped_folder(CELL_CLASSIFIER))
    with pytest.raises(WeightsError, match="name another model folder"):
        wiring.folder_segmenter(tmp_path)
