"""The benchmark of training speed: files of others, turns, what is timed; never how long it took."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hemascope.app.bag_speed_peer import EpochTime, load_peer
from hemascope.app.bench_bag_speed import DIMENSION, bag_speed_tables, simulated_bags, take_turns
from hemascope.core.errors import InputError

PEER = """
NAME, VERSION, COMMIT = "mine", "1", "abc"
seen = []

def prepare(dimension, classes, threads):
    seen.append((dimension, classes, threads))

def train_epoch(bags, labels):
    assert all(bag.ndim == 2 for bag in bags)
    seen.append((len(bags), len(labels)))
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "peer.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_others_is_driven(tmp_path: Path) -> None:
    peer = load_peer(write(tmp_path, PEER))
    assert (peer.name, peer.version, peer.commit) == ("mine", "1", "abc")
    peer.prepare(4, 2, 1)
    took = peer.train_epoch([np.zeros((3, 4), np.float32)], np.array([1]))
    assert took.wall >= 0
    assert peer.module.seen == [(4, 2, 1), (1, 1)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("NAME = 'x'", "lacks VERSION, COMMIT, prepare, train_epoch"),
        ("import nothing_of_that_name", "cannot be imported"),
        (PEER.replace("def prepare(dimension, classes, threads):", "def prepare(dimension):"), "prepare failed"),
    ],
)
def test_a_file_that_does_not_do_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=words):
        load_peer(path).prepare(4, 2, 1)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.py is no Python file"):
        load_peer(tmp_path / "gone.py")


def test_everybody_takes_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []

    def epoch(name: str) -> EpochTime:
        order.append(name)
        return EpochTime(float(len(order)), 1.0)

    times = take_turns({name: (lambda n=name: epoch(n)) for name in "abc"}, 2, lambda *_: None)
    assert sorted(order[:3]) == sorted(order[3:6]) == sorted(order[6:]) == ["a", "b", "c"]
    assert order[3] != order[6]
    assert all(found.shape == (2, 2) and found[0].min() > 3 for found in times.values())


def test_bags_have_the_sizes_of_the_preset() -> None:
    bags, markers = simulated_bags(40)
    assert bags.values.shape[1] == DIMENSION
    assert bags.values.dtype == np.float32
    assert markers.shape == (40, 4)
    assert bags.sizes.min() >= 68


@pytest.mark.slow
def test_our_training_is_timed_as_it_is_run() -> None:
    pytest.importorskip("torch")
    from hemascope.app.bag_speed_own import time_epoch, training_recipes

    generator = np.random.default_rng(0)
    bags, markers = simulated_bags(6)
    small = bags.select(np.arange(6))
    for recipe in training_recipes().values():
        truth = markers if len(recipe.tasks[0].outputs) == 4 else generator.integers(2, size=(6, 1)).astype(float)
        took = time_epoch(recipe, small, truth, 1)
        assert took.wall > 0
        assert took.processor > 0


def test_tables_have_a_column_a_peer() -> None:
    document = {
        "metrics": {
            "train.gated_attention.patients_per_second": 90.0,
            "train.gated_attention.over_mine": 4.5,
            "train.mine.patients_per_second": 20.0,
            "answer.transformer.milliseconds": 31.2,
        },
        "intervals": {},
        "n": {"patients": 432, "threads": 2, "rounds": 3},
        "provenance": {"own": ["gated_attention"], "peers": {"mine": {"version": "1", "commit": "abcdef"}}},
    }
    training, answers = bag_speed_tables(document)
    assert training.rows[0] == ("gated_attention", "90.0", "4.5", "-")
    assert training.rows[1][0] == "mine (1, abcdef)"
    assert answers.rows == (("transformer", "31.2"),)
