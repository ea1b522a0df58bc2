"""The red cell classifier from recipe to model folder, on painted fields: small, but every part is the real one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from red_cell_set import BLOCKS, CELLS, write_red_cells

from hemascope.app.training import train_red_cell_classifier
from hemascope.classify.red_cells import NetworkRedCellClassifier, RedCellSpec
from hemascope.core.cell import CellCrop
from hemascope.core.errors import DataSetError
from hemascope.core.taxonomy import RedCellType
from hemascope.core.units import Microns
from hemascope.data.folds import Fold
from hemascope.evaluate.red_cell_answers import ANSWERS_FILE, RedCellAnswers, RedCellPlace, read_answers
from hemascope.recipes import CropSource, RedCellTrainingRecipe
from hemascope.train.images import read_rgb
from hemascope.train.optimize import RunLog
from hemascope.train.red_cells import augment_by, load_red_cells, train_red_cells
from hemascope.zoo.card import read_card
from hemascope.zoo.onnx_graph import OnnxGraph


def ignore(step: int, steps: int, loss: float) -> None:
    """Show no progress."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_red_cells(tmp_path_factory.mktemp("red"))


def recipe(steps: int = 4, **values: object) -> RedCellTrainingRecipe:
    return RedCellTrainingRecipe.model_validate(
        {
            "name": "small",
            "version": "0",
            "sources": (CropSource(data_set="chula_rbc12", mpp=0.2),),
            "crop_px": 24,
            "widths": (8, 16),
            "blocks": (1, 1),
            "steps": steps,
            "batch": 8,
            "ema": 0.8,
            "validate_every": 10,
            "checkpoint_every": 2,
            **values,
        }
    )


def test_crops_are_cut_at_the_typed_points(root: Path) -> None:
    [cells] = load_red_cells(recipe(crop_px=64), root, "test")
    assert len(cells.places) == len(cells.crops.images) == len(CELLS)
    place = cells.places[0]
    assert (place.field, place.group) == (f"fields/{5 * (BLOCKS - 1)}.png", f"block_{BLOCKS - 1:05d}")
    assert place.type is list(RedCellType)[cells.crops.labels[0]]
    pixels = read_rgb(root / "chula_rbc12" / place.field)
    ours, theirs = cells.crops.images[0][32, 32] / 255, pixels[int(place.y), int(place.x)] / 230
    assert ours == pytest.approx(theirs, abs=0.06)


def test_what_has_no_type_is_not_learned(root: Path) -> None:
    [cells] = load_red_cells(recipe(), root, "train")
    assert len(cells.places) == (BLOCKS - 2) * len(CELLS)


def test_a_fold_leaves_its_blocks_out_of_training(root: Path) -> None:
    seen = {s: {p.group for p in load_red_cells(recipe(), root, s, Fold(2, 5))[0].places} for s in ("train", "test")}
    assert not seen["train"] & seen["test"]
    left_out = [p.group for k in range(1, 6) for p in load_red_cells(recipe(), root, "test", Fold(k, 5))[0].places]
    assert len(left_out) == BLOCKS * len(CELLS)


def test_fields_need_a_scale(root: Path) -> None:
    with pytest.raises(DataSetError, match="mpp"):
        load_red_cells(recipe(sources=({"data_set": "chula_rbc12"},)), root, "train")


def test_a_set_without_typed_red_cells_is_said(root: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(root, tmp_path / "copied"))
    table = copied / "chula_rbc12" / "points.csv"
    table.write_text("path,x,y,class_id,label\nfields/0.png,80.0,80.0,10,uncategorised\n")
    with pytest.raises(DataSetError, match="no typed red cells in split 'train'"):
        load_red_cells(recipe(), copied, "train")


def test_augmentation_depends_on_the_seed_alone() -> None:
    images = np.random.default_rng(0).integers(0, 255, (4, 24, 24, 3)).astype(np.uint8)
    first, again, other = (augment_by(recipe())(images, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    assert first.shape == (4, 3, 24, 24)


def test_it_learns_and_resumes_where_it_was(root: Path, tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    def kill_at_three(step: int, steps: int, loss: float) -> None:
        if step == 3:
            raise KilledError

    whole = train_red_cells(recipe(40), root, tmp_path / "whole", ignore, log_every=1)
    losses = [row["loss"] for row in RunLog(tmp_path / "whole").rows() if "loss" in row]
    assert np.mean(losses[-8:]) < 0.8 * np.mean(losses[:8])
    with pytest.raises(KilledError):
        train_red_cells(recipe(40), root, tmp_path / "resumed", kill_at_three)
    resumed = train_red_cells(recipe(40), root, tmp_path / "resumed", ignore)
    for name, value in whole.state_dict().items():
        assert torch.allclose(value.float(), resumed.state_dict()[name].float(), atol=1e-4), name


@pytest.mark.slow
def test_a_fold_goes_from_recipe_to_graph_and_answers(root: Path, tmp_path: Path) -> None:
    asked, command, run = recipe(30), "hemascope train red-cells small.toml --fold 1/5", tmp_path / "run"
    folder = train_red_cell_classifier(asked, root, run, None, command, ignore, Fold(1, 5))
    card = read_card(folder)
    assert folder == run / "model"
    assert card.spec["types"] == [t.value for t in RedCellType]
    assert card.validation["graph_difference"] < 1e-3
    assert card.validation["nll_after_calibration"] <= card.validation["nll_before_calibration"] + 1e-6
    assert "arXiv:2012.01321" in (folder / "README.md").read_text()
    answers = read_answers(run / ANSWERS_FILE)
    assert (answers.recipe_sha256, answers.fold) == (asked.digest(), "1/5")
    [left_out] = load_red_cells(asked, root, "test", Fold(1, 5))
    assert answers.places == left_out.places
    spec = RedCellSpec(card.spec["crop_px"], card.spec["crop_um"], card.spec["temperature"])
    classifier = NetworkRedCellClassifier(OnnxGraph(folder, card), spec)
    views = [CellCrop(str(n), image, Microns(12.8)) for n, image in enumerate(left_out.crops.images)]
    told = np.stack([prediction.probabilities for prediction in classifier.classify(views)])
    # The views are normalized already, and once more by the classifier: nearly the same.
    assert told == pytest.approx(answers.probabilities, abs=0.05)


def answers() -> RedCellAnswers:
    place = RedCellPlace("fields/1.jpg", "block_00000", 3.5, 4.0, RedCellType.BURR_CELL)
    return RedCellAnswers("abc", "1/5", (place,), np.full((1, len(RedCellType)), 1 / len(RedCellType)))


def test_answers_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / ANSWERS_FILE
    path.write_text(answers().text())
    read = read_answers(path)
    assert (read.recipe_sha256, read.fold, read.places) == ("abc", "1/5", answers().places)
    assert read.probabilities == pytest.approx(answers().probabilities)


@pytest.mark.parametrize(
    "change",
    [{"kind": "other"}, {"types": ["normal"]}, {"cells": []}, {"cells": [{"field": "x"}]}, {"fold": None, "cells": 3}],
)
def test_answers_that_are_none_are_said(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / ANSWERS_FILE
    path.write_text(json.dumps(json.loads(answers().text()) | change))
    with pytest.raises(DataSetError, match=ANSWERS_FILE):
        read_answers(path)


def test_missing_answers_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="train red-cells with --fold"):
        read_answers(tmp_path / ANSWERS_FILE)
