"""docs/models.md and the pictures are of the models that ship."""

from __future__ import annotations

import json

import pytest
from pages import README, ROOT, fences, read

from hemascope.zoo.card import GRAPH_FILE, ModelCard, read_card
from hemascope.zoo.shipped import CELL_CLASSIFIER, FINDER, RED_CELL_CLASSIFIER, shipped_folder

PAGE = read("docs/models.md")


@pytest.fixture(scope="module", params=[FINDER, CELL_CLASSIFIER])
def card(request: pytest.FixtureRequest) -> ModelCard:
    return read_card(shipped_folder(request.param))


def test_the_pictures_were_drawn_with_the_shipped_models(card: ModelCard) -> None:
    drawn = json.loads((ROOT / "docs" / "pictures" / "made_with.json").read_text("utf-8"))
    assert drawn[card.name] == card.files[GRAPH_FILE], "a model changed: run .venv/bin/python docs/pictures/draw.py"


def test_the_page_gives_the_numbers_of_the_cards() -> None:
    finder, classifier = (read_card(shipped_folder(name)).spec for name in (FINDER, CELL_CLASSIFIER))
    assert f"{finder['mpp']:g} um per pixel" in PAGE
    assert f"`radii` N x {finder['rays']} x H/{finder['stride']} x W/{finder['stride']}" in PAGE
    assert f"{classifier['crop_px']} x {classifier['crop_px']} px, {classifier['crop_um']:g} um" in PAGE
    assert f"`logits` N x {len(classifier['training_shares'])}" in PAGE


def test_the_page_names_every_set_a_model_saw(card: ModelCard) -> None:
    for name in card.training.data:
        assert name in PAGE or name == "synthetic"
        assert name in README.read_text("utf-8") or name == "synthetic"


def test_the_page_gives_the_command_a_model_was_trained_by(card: ModelCard) -> None:
    assert any(card.training.command in fence.text for fence in fences(PAGE))


def test_the_page_describes_the_red_cell_classifier() -> None:
    card = read_card(shipped_folder(RED_CELL_CLASSIFIER))
    assert f"{card.spec['crop_px']} x {card.spec['crop_px']} px, {card.spec['crop_um']:g} um" in PAGE
    assert f"`logits` N x {len(card.spec['types'])}" in PAGE
    assert any(card.training.command in fence.text for fence in fences(PAGE))
    assert all(name in PAGE for name in card.training.data)


def test_the_license_of_pbc_is_given_its_due() -> None:
    readme = README.read_text("utf-8")
    assert "CC BY 4.0" in readme
    assert "10.1016/j.dib.2020.105474" in readme
    assert "10.17632/snkd93bnjr.1" in readme


def test_the_example_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    [example] = [fence for fence in fences(README.read_text("utf-8")) if fence.language == "python"]
    exec(compile(example.text, "README.md", "exec"), {})  # the documentation's own code
    assert "um2" in capsys.readouterr().out
