"""Graphs of bags whose answers are known, and specifications for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hemascope.bags.model_spec import BagModelSpec, CellsSeen, NumberScale, TaskSpec, TaxonomyFacts
from hemascope.core.bag import Bag
from hemascope.core.bag_task import TaskKind
from hemascope.core.provenance import ModelIdentity

IDENTITY = ModelIdentity("known", "1", "", "numpy", "Apache-2.0")
SEEN = CellsSeen(patients=100, least=1, first_percentile=1, median=300, greatest=900)
DISEASE = TaskSpec(name="disease", kind=TaskKind.CLASSES, outputs=("leukemia", "lymphoma", "healthy"))
MARKERS = TaskSpec(name="markers", kind=TaskKind.MARKERS, outputs=("t(4;14)", "del(17p)"))
HEMOGLOBIN = TaskSpec(
    name="hemoglobin",
    kind=TaskKind.NUMBER,
    outputs=("hemoglobin",),
    unit="g/dL",
    scales=(NumberScale(mean=10, spread=2), NumberScale(mean=12, spread=1)),
)
DISEASES = TaxonomyFacts(
    name="three", version="1", sha256="0" * 64, task="disease", malignant=("leukemia", "lymphoma"), threshold=0.4
)


def spec_of(*tasks: TaskSpec, members: int = 2, dimension: int = 3, **changes: object) -> BagModelSpec:
    values: dict[str, object] = {
        "aggregator": "mean",
        "members": members,
        "encoder": "e" * 64,
        "encoder_name": "dinobloom-b",
        "dimension": dimension,
        "attended": ("all",),
        "tasks": tasks,
        "cells": SEEN,
    }
    return BagModelSpec.model_validate(values | changes)


class SaidGraph:
    """Says the same logits of every bag."""

    def __init__(self, logits: list[list[float]], shares: NDArray[np.float32] | None = None) -> None:
        self._logits = np.array(logits, np.float32)
        self._shares = shares

    identity = IDENTITY

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        members = len(self._logits)
        even = np.full((members, len(batch), 1), 1 / len(batch), np.float32)
        return self._logits, even if self._shares is None else self._shares, np.zeros((members, 2), np.float32)


class MeanGraph:
    """The mean of the cells through a map of each member's own; cells share attention by their first number."""

    def __init__(self, members: int, dimension: int, outputs: int) -> None:
        self._maps = np.random.default_rng(5).standard_normal((members, dimension, outputs)).astype(np.float32)

    identity = IDENTITY

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        mean = batch.mean(axis=0)
        weights = np.exp(batch[:, :1] - batch[:, :1].max())
        shares = np.repeat((weights / weights.sum())[None], len(self._maps), axis=0)
        return mean @ self._maps, shares.astype(np.float32), np.repeat(mean[None], len(self._maps), axis=0)


def bag_of(cells: int, dimension: int = 3, encoder: str = "e" * 64) -> Bag:
    values = np.random.default_rng(cells).standard_normal((cells, dimension)).astype(np.float32)
    return Bag("p1", tuple(f"c{number}" for number in range(cells)), values, encoder)
