"""`hemascope models` as a user meets it: what it prints, and how it ends."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from hemascope.app.models import FileCheck, list_models, show_model, verify_models
from hemascope.cli import main as command
from hemascope.core.errors import RecipeError
from hemascope.settings import read_settings
from hemascope.zoo.card import CARD_FILE, GRAPH_FILE
from hemascope.zoo.registry import ENCODERS
from hemascope.zoo.shipped import CELL_CLASSIFIER, FINDER, shipped_folder


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of pulled models that holds a copy of a shipped one."""
    place = tmp_path / "models"
    monkeypatch.setenv("HEMASCOPE_MODELS", str(place))
    shutil.copytree(shipped_folder(CELL_CLASSIFIER), place / "copied")
    return place


def run(*words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a command as a terminal would, and return its exit status."""
    monkeypatch.setattr(sys, "argv", ["hemascope", *words])
    with pytest.raises(SystemExit) as end:
        command.main()
    return int(end.value.code or 0)


def test_the_list_names_what_ships_what_was_pulled_and_what_can_be(models: Path) -> None:
    rows = {(row.name, row.state): row for row in list_models(models)}
    assert (FINDER, "shipped") in rows
    assert (CELL_CLASSIFIER, "installed") in rows
    assert rows["dinobloom_b", "to pull"].dimension == 768
    assert rows["dinobloom_b", "to pull"].size is None
    assert rows["uni", "to pull"].license == "CC-BY-NC-ND-4.0"
    shipped = rows[FINDER, "shipped"]
    assert shipped.size == sum(path.stat().st_size for path in shipped_folder(FINDER).rglob("*") if path.is_file())


def test_a_damaged_card_is_listed_as_damaged(models: Path) -> None:
    (models / "copied" / CARD_FILE).write_text("{")
    assert ("copied", "damaged") in {(row.name, row.state) for row in list_models(models)}


def test_what_is_half_done_is_no_model(models: Path) -> None:
    shutil.copytree(models / "copied", models / ".dinobloom_s.partial")
    assert [row.name for row in list_models(models) if row.state == "installed"] == [CELL_CLASSIFIER]


def test_a_folder_that_is_not_there_holds_no_models(tmp_path: Path) -> None:
    assert {row.state for row in list_models(tmp_path / "none")} == {"shipped", "to pull"}


def test_the_list_is_printed(models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert run("models", "list", monkeypatch=monkeypatch) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in (*ENCODERS, FINDER, "timm:NAME") if name != "hemascope-s")


@pytest.mark.parametrize("name", [*ENCODERS, "timm:resnet18.a1_in1k"])
def test_a_model_is_shown_whole(name: str, models: Path) -> None:
    shown = dict(show_model(name, models))
    assert shown["name"] == name
    assert shown["terms"]
    assert shown["license"]
    assert "sha256" in shown


def test_terms_that_must_be_accepted_are_shown_as_such(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("models", "show", "virchow2", monkeypatch=monkeypatch) == 0
    printed = capsys.readouterr().out
    assert "non-commercial" in printed
    assert "--accept-terms is needed" in printed


def test_a_pull_without_accepting_shows_the_terms_and_is_a_wrong_command(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("models", "pull", "uni", monkeypatch=monkeypatch) == 2
    said = capsys.readouterr().err
    assert "Terms: CC-BY-NC-ND-4.0" in said
    assert "--accept-terms" in said
    assert not (models / "uni").exists()


def test_an_unknown_name_is_a_wrong_command(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for verb in ("show", "pull", "export"):
        assert run("models", verb, "crystal_ball", monkeypatch=monkeypatch) == 2
    with pytest.raises(RecipeError, match="crystal_ball"):
        show_model("crystal_ball", models)


def test_whole_models_are_verified(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = verify_models(models)
    assert {check.model for check in checks} >= {FINDER, CELL_CLASSIFIER, "copied"}
    assert all(check.fault == "" for check in checks)
    assert run("models", "verify", monkeypatch=monkeypatch) == 0


def test_every_way_to_be_damaged_is_found(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("lacks", "differs"):
        shutil.copytree(models / "copied", models / name)
    (models / "lacks" / GRAPH_FILE).unlink()
    (models / "differs" / GRAPH_FILE).write_bytes(b"x")
    (models / "copied" / CARD_FILE).write_text("{}")
    faults = {(check.model, check.file) for check in verify_models(models) if check.fault}
    assert faults == {("lacks", GRAPH_FILE), ("differs", GRAPH_FILE), ("copied", CARD_FILE)}
    assert run("models", "verify", monkeypatch=monkeypatch) == 1
    assert "differs/model.onnx" in capsys.readouterr().err


def test_a_check_without_a_fault_is_a_file_that_is_whole() -> None:
    assert not FileCheck("a", "b", "").fault


def test_where_models_lie_is_a_setting(tmp_path: Path) -> None:
    assert read_settings({"HEMASCOPE_MODELS": str(tmp_path)}).models == tmp_path
    assert read_settings({"XDG_CACHE_HOME": str(tmp_path)}).models == tmp_path / "hemascope" / "models"
    assert read_settings({}).models.parts[-2:] == ("hemascope", "models")
    assert read_settings({"HEMASCOPE_HUB_TOKEN": "t"}).hub_token == "t"


def test_an_older_card_is_still_one(models: Path) -> None:
    card = json.loads((models / "copied" / CARD_FILE).read_text())
    card.pop("origin")
    (models / "copied" / CARD_FILE).write_text(json.dumps(card))
