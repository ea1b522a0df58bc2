"""The suite for models of patients: a model that keeps the contract passes, and each broken promise is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from known_graphs import DISEASE, HEMOGLOBIN, IDENTITY, MARKERS, MeanGraph, spec_of

from hemascope.bags.ensemble import BagEnsemble
from hemascope.core.bag import Bag
from hemascope.core.bag_prediction import BagPrediction
from hemascope.core.bag_task import BagTask
from hemascope.core.provenance import ModelIdentity
from hemascope.evaluate.bag_conformance import ALWAYS, BAG_MEANINGS, BagRule, check_bag_model


def conforming() -> BagEnsemble:
    return BagEnsemble(MeanGraph(2, 3, 6), spec_of(DISEASE, MARKERS, HEMOGLOBIN))


Change = Callable[[BagPrediction, Bag], BagPrediction]


class Changed:
    """A conforming model whose answers are changed."""

    def __init__(self, change: Change, *, checks: bool = True, identity: ModelIdentity = IDENTITY) -> None:
        self._model, self._change, self._checks = conforming(), change, checks
        self.identity = identity
        self.encoder = self._model.encoder
        self.tasks: tuple[BagTask, ...] = self._model.tasks

    def predict(self, bag: Bag) -> BagPrediction:
        known = bag if self._checks else replace(bag, encoder=self.encoder, values=np.ones((len(bag), 3), np.float32))
        return self._change(self._model.predict(known), bag)


def of_the_first_cell(answer: BagPrediction, bag: Bag) -> BagPrediction:
    moved = answer.members["hemoglobin"] + bag.values[0, 0]
    return replace(answer, members={**answer.members, "hemoglobin": moved}, numbers={"hemoglobin": moved.mean()})


def of_the_number_of_cells(answer: BagPrediction, bag: Bag) -> BagPrediction:
    moved = answer.members["hemoglobin"] + len(bag)
    return replace(answer, members={**answer.members, "hemoglobin": moved}, numbers={"hemoglobin": moved.mean()})


def with_disease(answer: BagPrediction, told: list[float]) -> BagPrediction:
    return replace(answer, probabilities={**answer.probabilities, "disease": np.array(told)})


def refusing(answer: BagPrediction, bag: Bag) -> BagPrediction:
    if len(bag) in (1, 5000):
        raise ValueError("not so many")
    return answer


def spoiling(answer: BagPrediction, bag: Bag) -> BagPrediction:
    bag.values.flags.writeable = True
    bag.values[0, 0] = 7
    return answer


class Counting:
    """Adds how often it was asked."""

    def __init__(self) -> None:
        self._asked = 0

    def __call__(self, answer: BagPrediction, bag: Bag) -> BagPrediction:
        self._asked += 1
        return replace(answer, embedding=answer.embedding + np.float32(1e-6 * self._asked))


def test_an_ensemble_over_the_mean_keeps_every_rule() -> None:
    assert check_bag_model(conforming(), 3, frozenset(BagRule)) == ()


def test_every_rule_has_a_sentence() -> None:
    assert set(BAG_MEANINGS) == set(BagRule)
    assert set(BagRule) - {BagRule.DUPLICATES} == ALWAYS


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (of_the_first_cell, BagRule.ORDER),
        (of_the_number_of_cells, BagRule.DUPLICATES),
        (lambda answer, bag: replace(answer, patient="somebody"), BagRule.ANSWERS),
        (lambda answer, bag: replace(answer, numbers={}), BagRule.ANSWERS),
        (lambda answer, bag: with_disease(answer, [0.5, 0.5]), BagRule.ANSWERS),
        (lambda answer, bag: with_disease(answer, [0.5, 0.5, 0.5]), BagRule.PROBABILITIES),
        (lambda answer, bag: with_disease(answer, [1.5, -0.5, 0]), BagRule.PROBABILITIES),
        (lambda answer, bag: with_disease(answer, [0, 0, 1]), BagRule.MEMBERS),
        (lambda answer, bag: replace(answer, numbers={"hemoglobin": 1.0}), BagRule.MEMBERS),
        (lambda answer, bag: replace(answer, attention=answer.attention * 2), BagRule.ATTENTION),
        (lambda answer, bag: replace(answer, attended=("one", "two")), BagRule.ATTENTION),
        (lambda answer, bag: replace(answer, embedding=answer.embedding * np.nan), BagRule.FINITE),
        (Counting(), BagRule.REPEATS),
        (spoiling, BagRule.UNTOUCHED),
        (refusing, BagRule.ONE_CELL),
        (refusing, BagRule.MANY_CELLS),
    ],
)
def test_a_broken_promise_is_found(change: Change, rule: BagRule) -> None:
    assert rule in {violation.rule for violation in check_bag_model(Changed(change), 3, frozenset(BagRule))}


def test_a_model_that_takes_anything_is_found() -> None:
    found = check_bag_model(Changed(lambda answer, bag: answer, checks=False), 3)
    assert {BagRule.WRONG_ENCODER, BagRule.WRONG_DIMENSION} <= {violation.rule for violation in found}


def test_a_model_without_a_name_or_tasks_is_not_asked_further() -> None:
    nameless = Changed(refusing, identity=replace(IDENTITY, name=""))
    assert [violation.rule for violation in check_bag_model(nameless, 3)] == [BagRule.IDENTITY]
    idle = Changed(refusing)
    idle.tasks = ()
    assert [str(violation) for violation in check_bag_model(idle, 3)] == ["tasks: tasks are no tuple of BagTask: ()"]


def test_only_the_rules_asked_for_are_told() -> None:
    assert check_bag_model(Changed(of_the_first_cell), 3, {BagRule.ATTENTION}) == ()
