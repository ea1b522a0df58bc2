"""Recipes to aggregators."""

from __future__ import annotations

from collections.abc import Callable

from hemascope.nets.bags.by_output import ClassAttention
from hemascope.nets.bags.cell_states import CellStates
from hemascope.nets.bags.clam import ClusteredAttention
from hemascope.nets.bags.evidence import Evidence
from hemascope.nets.bags.gated_attention import GatedAttention
from hemascope.nets.bags.net import BagNet, BagOutput, Plan
from hemascope.nets.bags.plain import MaxPooling, MeanPooling
from hemascope.nets.bags.transformer import Transformer
from hemascope.nets.bags.transmil import TransMil

__all__ = ["BagNet", "BagOutput", "build_bag_net"]

_NETS: dict[str, Callable[[Plan, int, int], BagNet]] = {
    "gated_attention": GatedAttention,
    "transformer": Transformer,
    "class_attention": ClassAttention,
    "mean": MeanPooling,
    "max": MaxPooling,
    "clam": ClusteredAttention,
    "transmil": TransMil,
    "evidence": Evidence,
    "cell_states": CellStates,
}


def build_bag_net(recipe: Plan, dimension: int, outputs: int) -> BagNet:
    """Return an untrained aggregator.

    Parameters
    ----------
    recipe
        Which, and how wide; a ``hemascope.recipes.bags.AggregatorRecipe``.
    dimension
        D of a cell's embedding.
    outputs
        O, as ``hemascope.core.bag_task.output_slices`` counts them.
    """
    return _NETS[recipe.kind](recipe, dimension, outputs)
