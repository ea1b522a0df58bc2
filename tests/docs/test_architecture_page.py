"""ARCHITECTURE.md draws the layers of the import contract and gives every room a sentence."""

from __future__ import annotations

import tomllib

from pages import ROOT, block, read, rows

PAGE = read("ARCHITECTURE.md")
CONTRACT = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"][0]["layers"]


def test_the_layers_are_those_of_the_contract() -> None:
    drawn = [line.strip() for line in block(PAGE, "layers").splitlines()]
    assert drawn == [layer.replace("hemascope.", "") for layer in CONTRACT]


def test_every_room_has_one_sentence() -> None:
    contract = {room for layer in CONTRACT for room in layer.replace("hemascope.", "").split(" | ")}
    described = [row[0].strip("`") for row in rows(block(PAGE, "rooms"))]
    assert sorted(described) == sorted(contract)


def test_every_room_that_exists_is_in_the_contract() -> None:
    package = ROOT / "src" / "hemascope"
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    files = {path.stem for path in package.glob("*.py")} - {"__init__"}
    contract = {room for layer in CONTRACT for room in layer.replace("hemascope.", "").split(" | ")}
    assert folders | files == contract
