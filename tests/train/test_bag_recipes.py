"""The two shipped recipes of models of patients: they load, and say what the papers say."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from hemascope.app.bag_cohort import tasks_of
from hemascope.bags.taxonomy import load_taxonomy
from hemascope.core.bag_task import TaskKind
from hemascope.nets.bags.build import build_bag_net
from hemascope.recipes import load_recipe
from hemascope.recipes.bags import BagTrainingRecipe

RECIPES = Path(__file__).parents[2] / "recipes"
NAMES = ("caltomorph", "myeloma")


def shipped(name: str) -> BagTrainingRecipe:
    return load_recipe(RECIPES / f"{name}.toml", BagTrainingRecipe)


@pytest.mark.parametrize("name", NAMES)
def test_every_value_says_where_it_comes_from(name: str) -> None:
    text = (RECIPES / f"{name}.toml").read_text(encoding="utf-8")
    plain = ("name", "version", "source")
    for line in text.splitlines():
        key, assigns, rest = line.partition(" = ")
        if assigns and not line.startswith("#") and key not in plain:
            assert re.search(r"# (paper|prior|ours)", rest), line


def test_caltomorph_asks_for_eight_diseases_and_hemoglobin() -> None:
    recipe = shipped("caltomorph")
    disease, hemoglobin = tasks_of(recipe, load_taxonomy(recipe.taxonomy))
    assert len(disease.outputs) == 8
    assert (hemoglobin.kind, hemoglobin.unit) == (TaskKind.NUMBER, "g/dL")
    assert (recipe.folds, recipe.members, recipe.cell_cap, recipe.aggregator.width) == (5, 1, 500, 512)


def test_myeloma_asks_for_four_markers_with_one_attention() -> None:
    recipe = shipped("myeloma")
    [task] = tasks_of(recipe, None)
    assert task.outputs == ("del17p", "t4_14", "t11_14", "gain1q")
    assert (recipe.learning_rate, recipe.weight_decay, recipe.batch) == (2e-4, 1e-4, 16)
    assert (recipe.plateau_factor, recipe.plateau_patience, recipe.patience) == (0.5, 5, 15)
    assert (recipe.imbalance, recipe.monitor, recipe.aggregator.dropout) == ("none", "auc", 0.2)


@pytest.mark.parametrize("name", NAMES)
def test_their_networks_take_embeddings_of_768_numbers(name: str) -> None:
    recipe = shipped(name)
    tasks = tasks_of(recipe, load_taxonomy(recipe.taxonomy) if recipe.taxonomy else None)
    outputs = sum(len(task.outputs) for task in tasks)
    net = build_bag_net(recipe.aggregator, 768, outputs).eval()
    told = net(torch.zeros(5, 768), torch.from_numpy(np.array([0, 2, 5])))
    assert told.logits.shape == (2, outputs)
