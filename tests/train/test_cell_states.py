"""States of cells: found without labels, stated in a graph as in the network, and worth more than means."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from hemascope.core.bag import BagSet
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.core.errors import CohortError
from hemascope.nets.bags.build import build_bag_net
from hemascope.nets.bags.cell_states import CellStates
from hemascope.recipes.bags import AggregatorRecipe, BagTrainingRecipe, TaskRecipe
from hemascope.stats.ranking import auroc
from hemascope.train.bags.cell_states import find_states, start_from_cells
from hemascope.train.bags.fit import fit_bag_net
from hemascope.train.bags.predict import answers_of
from hemascope.train.onnx_export import quiet_exporter

RECIPE = AggregatorRecipe(kind="cell_states", states=4, state_dimensions=3, dropout=0.0)


def clustered(patients: int, seed: int) -> tuple[BagSet, np.ndarray, np.ndarray]:
    """Three states in two of ten dimensions, the others louder and shifted by patient; the third marks patients."""
    generator = np.random.default_rng(seed)
    marked = generator.random(patients) < 0.5
    values, states = [], []
    for has in marked:
        kinds = generator.choice(3, size=60, p=[0.5, 0.35, 0.15] if has else [0.5, 0.48, 0.02])
        cells = np.hstack([np.array([[0, 0], [7, 0], [0, 7]])[kinds], 3 * np.tile(generator.normal(size=8), (60, 1))])
        values.append(cells + generator.normal(size=(60, 10)) * np.array([1, 1] + [3] * 8))
        states.append(kinds)
    names = tuple(f"p{place}" for place in range(patients))
    bags = BagSet(names, np.concatenate(values).astype(np.float32), np.arange(patients + 1) * 60, "drawn")
    return bags, marked.astype(np.float64)[:, None], np.concatenate(states)


def test_states_are_those_that_cells_were_drawn_from() -> None:
    bags, _, states = clustered(60, 0)
    net = build_bag_net(RECIPE, 10, 1)
    assert isinstance(net, CellStates)
    start_from_cells(net, bags, np.arange(60), seed=0)
    told = net.states_of(torch.from_numpy(bags.values)).argmax(dim=1).numpy()
    right = sum(np.bincount(states[told == state]).max() for state in np.unique(told))
    assert right / len(states) > 0.97


def test_only_training_patients_are_looked_at() -> None:
    bags, _, _ = clustered(30, 0)
    changed = bags.values.copy()
    changed[20 * 60 :] = 99.0
    other = BagSet(bags.patients, changed, bags.starts, bags.encoder)
    nets = [build_bag_net(RECIPE, 10, 1) for _ in range(2)]
    for net, cells in zip(nets, (bags, other), strict=True):
        start_from_cells(net, cells, np.arange(20), seed=0)
    for name, value in nets[0].named_buffers():
        assert torch.equal(value, dict(nets[1].named_buffers())[name]), name


def test_probabilities_are_those_of_the_mixture() -> None:
    bags, _, _ = clustered(30, 1)
    found = find_states(bags, 4, 3, seed=0)
    net = build_bag_net(RECIPE, 10, 1)
    assert isinstance(net, CellStates)
    net.set_states(*(torch.from_numpy(part) for part in (found.projection, found.means, found.factors, found.offsets)))
    seen = bags.values[:50] @ found.projection
    logs = [
        offset - 0.5 * (((seen - mean) @ factor) ** 2).sum(axis=1)
        for mean, factor, offset in zip(found.means, found.factors, found.offsets, strict=True)
    ]
    by_hand = np.exp(np.stack(logs, axis=1) - np.max(logs, axis=0)[:, None])
    told = net.states_of(torch.from_numpy(bags.values[:50])).numpy()
    assert told == pytest.approx(by_hand / by_hand.sum(axis=1, keepdims=True), abs=1e-4)


def test_marks_patients_and_attends_to_what_marks_them(tmp_path: Path) -> None:
    bags, truth, states = clustered(160, 3)
    recipe = BagTrainingRecipe(
        name="states", version="1", tasks=(TaskRecipe(name="m", kind=TaskKind.MARKERS, outputs=("m",)),),
        aggregator=RECIPE, learning_rate=1e-2, epochs=30,
    )  # fmt: skip
    tasks = (BagTask("m", TaskKind.MARKERS, ("m",)),)
    net, _ = fit_bag_net(
        recipe, tasks, bags, truth, np.arange(80), np.arange(80, 110), tmp_path, lambda *_: None, seed=0
    )
    answers = answers_of(net, bags, np.arange(110, 160))
    assert auroc(answers.logits[:, 0], truth[110:, 0] == 1) > 0.93
    assert auroc(answers.attention[:, 0], states[110 * 60 :] == 2) > 0.9


def test_too_few_cells_are_an_error() -> None:
    bags, _, _ = clustered(1, 0)
    few = BagSet(("p0",), bags.values[:3], np.array([0, 3]), "drawn")
    with pytest.raises(CohortError, match="too few"):
        find_states(few, 4, 3, seed=0)


def test_a_mixture_that_has_not_converged_warns_nobody() -> None:
    values = np.random.default_rng(0).normal(size=(600, 4)).astype(np.float32)
    noise = BagSet(tuple("abc"), values, np.array([0, 200, 400, 600], np.intp), "digest")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        find_states(noise, 12, 3, seed=0)


def test_the_exporter_is_quiet_and_then_as_before(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    with quiet_exporter(), warnings.catch_warnings(record=True) as told:
        logger.warning("torchvision is not installed")
    assert not caplog.records
    assert not told
    assert logger.level == before
