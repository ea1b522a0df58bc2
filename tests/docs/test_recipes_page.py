"""docs/recipes.md names every key of every recipe with its default, and its examples are recipes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pages import fences, read, rows, section
from pydantic_core import PydanticUndefined

from hemascope.core.morphology import FINDINGS
from hemascope.core.taxonomy import CellType
from hemascope.recipes import (
    AnalysisRecipe,
    AttributeTrainingRecipe,
    CellTrainingRecipe,
    CropAugmentation,
    CropSource,
    DenoiserSize,
    DenoiserTrainingRecipe,
    EmbeddingDenoiserRecipe,
    EncoderSize,
    EncoderTrainingRecipe,
    FieldSource,
    FineTuneRecipe,
    GradeLimits,
    Grading,
    GradingRow,
    LatentSize,
    LatentTrainingRecipe,
    LeukemiaTrainingRecipe,
    Prior,
    Recipe,
    RedCellTrainingRecipe,
    SegmenterTrainingRecipe,
    load_recipe,
)
from hemascope.recipes.bags import AggregatorRecipe, BagTrainingRecipe, TaskRecipe

PAGE = read("docs/recipes.md")
MODELS: list[type[Recipe]] = [
    AnalysisRecipe,
    Prior,
    Grading,
    GradingRow,
    GradeLimits,
    CellTrainingRecipe,
    EncoderTrainingRecipe,
    DenoiserTrainingRecipe,
    EmbeddingDenoiserRecipe,
    DenoiserSize,
    LatentTrainingRecipe,
    LatentSize,
    EncoderSize,
    CropAugmentation,
    RedCellTrainingRecipe,
    CropSource,
    AttributeTrainingRecipe,
    SegmenterTrainingRecipe,
    FineTuneRecipe,
    LeukemiaTrainingRecipe,
    FieldSource,
    BagTrainingRecipe,
    TaskRecipe,
    AggregatorRecipe,
]
HOMES = {Recipe.__module__, BagTrainingRecipe.__module__}
"""Where the recipes are that this page describes; tables of diseases have a page of their own."""


def shown(default: Any) -> str:
    if default is PydanticUndefined:
        return "required"
    if isinstance(default, Recipe):
        return "its defaults"
    return "none" if default is None else json.dumps(default)


@pytest.mark.parametrize("model", MODELS)
def test_every_key_stands_there_with_its_default(model: type[Recipe]) -> None:
    described = [(row[0].strip("`"), row[1].strip("`")) for row in rows(section(PAGE, model.__name__))]
    assert sorted(described) == sorted((name, shown(field.default)) for name, field in model.model_fields.items())


def leaves(kind: type[Recipe]) -> set[type[Recipe]]:
    below = [sub for sub in kind.__subclasses__() if sub.__module__ in HOMES]
    return set().union(*map(leaves, below)) if below else {kind}


def test_no_recipe_is_left_out() -> None:
    assert leaves(Recipe) == set(MODELS)


@pytest.mark.parametrize(
    ("title", "model"), [("AnalysisRecipe", AnalysisRecipe), ("Prior", Prior), ("Grading", Grading)]
)
def test_the_examples_are_read(title: str, model: type[Recipe], tmp_path: Path) -> None:
    [example] = fences(section(PAGE, title))
    path = tmp_path / "example.toml"
    path.write_text(example.text, "utf-8")
    assert tomllib.loads(example.text).keys() <= load_recipe(path, model).model_dump().keys()


def test_every_type_is_named_for_a_prior() -> None:
    assert all(f"`{cell_type.value}`" in section(PAGE, "Prior") for cell_type in CellType)


def test_every_finding_is_named_for_a_grading() -> None:
    assert all(f"`{finding}`" in section(PAGE, "Grading") for finding in FINDINGS)
