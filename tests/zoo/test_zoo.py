from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from hemascope.core.errors import WeightsError
from hemascope.zoo.card import CARD_FILE, GRAPH_FILE, TENSORS_FILE, read_card
from hemascope.zoo.onnx_graph import OnnxGraph, verified_bytes
from hemascope.zoo.shipped import CELL_CLASSIFIER, FINDER, RED_CELL_CLASSIFIER, WEIGHTS, shipped_folder

MODELS = (FINDER, CELL_CLASSIFIER, RED_CELL_CLASSIFIER, "hemascope_s")
BUDGET = 60_000_000


@pytest.mark.parametrize("name", MODELS)
def test_every_shipped_file_has_the_digest_its_card_says(name: str) -> None:
    folder = shipped_folder(name)
    card = read_card(folder)
    assert set(card.files) >= {GRAPH_FILE, TENSORS_FILE}
    assert {path.name for path in folder.iterdir()} == {*card.files, CARD_FILE, "README.md"}
    for file, digest in card.files.items():
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("name", MODELS)
def test_every_shipped_model_has_a_card_for_readers_with_credits(name: str) -> None:
    folder = shipped_folder(name)
    text = (folder / "README.md").read_text(encoding="utf-8")
    card = read_card(folder)
    assert "Not for" in text
    assert card.training.command in text
    for credit in card.attribution:
        assert credit in text


@pytest.mark.parametrize("name", MODELS)
def test_a_shipped_graph_says_nothing_of_the_machine_it_was_made_on(name: str) -> None:
    data = (shipped_folder(name) / GRAPH_FILE).read_bytes()
    for trace in (b"stack_trace", b"site-packages", b".py", b"/src/"):
        assert trace not in data


def test_data_that_asks_for_credit_gets_it() -> None:
    assert "10.1016/j.dib.2020.105474" in (shipped_folder(CELL_CLASSIFIER) / "README.md").read_text(encoding="utf-8")


def test_all_weights_stay_within_the_budget() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file()) < BUDGET


def test_an_unknown_model_is_named_with_what_there_is() -> None:
    with pytest.raises(WeightsError, match=CELL_CLASSIFIER):
        shipped_folder("crystal_ball")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped_folder(CELL_CLASSIFIER), tmp_path / "model"))


def test_damaged_weights_do_not_run(copied: Path) -> None:
    path = copied / GRAPH_FILE
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="sha256"):
        OnnxGraph(copied, read_card(copied))


def test_missing_weights_are_said(copied: Path) -> None:
    (copied / GRAPH_FILE).unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        OnnxGraph(copied, read_card(copied))


def test_a_file_that_is_no_graph_is_said_even_with_the_right_digest(copied: Path) -> None:
    (copied / GRAPH_FILE).write_bytes(b"not a graph")
    card = json.loads((copied / CARD_FILE).read_text())
    card["files"][GRAPH_FILE] = hashlib.sha256(b"not a graph").hexdigest()
    (copied / CARD_FILE).write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="cannot load"):
        OnnxGraph(copied, read_card(copied))


@pytest.mark.parametrize("text", ["", "{", "{}", '{"kind": "something else"}'])
def test_a_malformed_card_is_said(copied: Path, text: str) -> None:
    (copied / CARD_FILE).write_text(text)
    with pytest.raises(WeightsError, match="not a model card"):
        read_card(copied)


def test_bytes_come_back_only_with_their_digest(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert verified_bytes(path, hashlib.sha256(b"abc").hexdigest()) == b"abc"
    with pytest.raises(WeightsError, match="its card says nothing"):
        verified_bytes(path, "")
