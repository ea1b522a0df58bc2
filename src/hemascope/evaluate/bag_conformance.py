"""Whether a model of patients keeps the contract of its port: a list of rules, tried on drawn bags.

::

    from hemascope.evaluate.bag_conformance import check_bag_model

    for violation in check_bag_model(mine, dimension=768):
        print(violation)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag import Bag
from hemascope.core.bag_prediction import BagPrediction
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.core.errors import CohortError
from hemascope.core.ports import BagModel
from hemascope.evaluate.identity_faults import identity_faults

CELLS = 37
"""Of the bag that most rules are tried on."""

MANY_CELLS = 5000

TOLERANCE = 1e-3
"""Greatest difference of answers that must be equal: of probabilities, and of numbers and vectors beside their size."""


class BagRule(StrEnum):
    """What a model of patients promises."""

    IDENTITY = "identity"
    TASKS = "tasks"
    ANSWERS = "answers"
    PROBABILITIES = "probabilities"
    MEMBERS = "members"
    ATTENTION = "attention"
    FINITE = "finite"
    REPEATS = "repeats"
    UNTOUCHED = "untouched"
    ORDER = "order"
    DUPLICATES = "duplicates"
    ONE_CELL = "one_cell"
    MANY_CELLS = "many_cells"
    WRONG_ENCODER = "wrong_encoder"
    WRONG_DIMENSION = "wrong_dimension"


BAG_MEANINGS: dict[BagRule, str] = {
    BagRule.IDENTITY: "It names what answers: name, version, backend, license in words, and a digest or none.",
    BagRule.TASKS: "It says what it answers: one task or more, each once.",
    BagRule.ANSWERS: "Every task is answered for the patient that was asked, in the shape its outputs have.",
    BagRule.PROBABILITIES: "Probabilities are 0 to 1; those of classes sum to 1.",
    BagRule.MEMBERS: "An answer is the mean of what the members say.",
    BagRule.ATTENTION: "Shares of cells are 0 or more, each named column sums to 1.",
    BagRule.FINITE: "No number in an answer is infinite or none.",
    BagRule.REPEATS: "The same bag gives the same answer, bit by bit.",
    BagRule.UNTOUCHED: "It does not change the cells, and takes cells that cannot be written to.",
    BagRule.ORDER: "The order of the cells does not matter, and attention follows the cells.",
    BagRule.DUPLICATES: "Every cell twice gives the same answer: only what is common among cells counts, not how many.",
    BagRule.ONE_CELL: "A bag of one cell is answered, with all attention on it.",
    BagRule.MANY_CELLS: "A bag of 5,000 cells is answered.",
    BagRule.WRONG_ENCODER: "Cells of another encoder are refused with CohortError.",
    BagRule.WRONG_DIMENSION: "Cells of another length are refused with CohortError.",
}
"""Every rule in a sentence."""

ALWAYS = frozenset(BagRule) - {BagRule.DUPLICATES}
"""Rules that every model must keep; a mean or attention of the cells alone keeps ``DUPLICATES`` too."""


@dataclass(frozen=True, slots=True)
class BagViolation:
    """One rule that was not kept.

    Attributes
    ----------
    rule
        Which.
    message
        What was seen.
    """

    rule: BagRule
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"


def check_bag_model(
    model: BagModel, dimension: int, rules: Collection[BagRule] = ALWAYS, seed: int = 0
) -> tuple[BagViolation, ...]:
    """Return every violation of ``rules``; none where the model conforms.

    Parameters
    ----------
    model
        Any object that may be one.
    dimension
        D of a cell it takes.
    rules
        ``ALWAYS`` where left out.
    seed
        Of the cells, which are drawn from a standard normal distribution.
    """
    cells = np.random.default_rng(seed).standard_normal((MANY_CELLS, dimension)).astype(np.float32)
    found = [*_identity(model.identity), *_tasks(model.tasks)]
    if not found:
        found = [*_one_bag(model, cells[:CELLS]), *_sizes(model, cells), *_refusals(model, cells[:CELLS])]
    return tuple(violation for violation in found if violation.rule in rules)


def _identity(identity: object) -> Iterator[BagViolation]:
    for fault in identity_faults(identity):
        yield BagViolation(BagRule.IDENTITY, fault)


def _tasks(tasks: object) -> Iterator[BagViolation]:
    if not isinstance(tasks, tuple) or not tasks or not all(isinstance(task, BagTask) for task in tasks):
        yield BagViolation(BagRule.TASKS, f"tasks are no tuple of BagTask: {tasks!r}")
    elif len({task.name for task in tasks}) != len(tasks):
        yield BagViolation(BagRule.TASKS, "a task is named twice")


def _one_bag(model: BagModel, cells: NDArray[np.float32]) -> Iterator[BagViolation]:
    kept = cells.copy()
    bag = _bag(model, cells)
    bag.values.flags.writeable = False
    try:
        answer = model.predict(bag)
    except Exception as error:  # noqa: BLE001  (whatever is raised is what the rule is about)
        yield BagViolation(BagRule.ANSWERS, f"{len(cells)} cells raised {type(error).__name__}: {error}")
        return
    if not np.array_equal(bag.values, kept):
        yield BagViolation(BagRule.UNTOUCHED, "the cells changed")
    yield from _answer(model, answer, bag)
    if _difference(answer, model.predict(bag)) > 0:
        yield BagViolation(BagRule.REPEATS, "a second look at the same bag gave another answer")
    order = np.random.default_rng(1).permutation(len(cells))
    turned = model.predict(_bag(model, cells[order]))
    apart = max(_difference(answer, turned), float(np.abs(answer.attention[order] - turned.attention).max()))
    if not apart <= TOLERANCE:
        yield BagViolation(BagRule.ORDER, f"another order of the cells moves the answer by {apart:.2g}")
    apart = _difference(answer, model.predict(_bag(model, np.concatenate([cells, cells]))))
    if not apart <= TOLERANCE:
        yield BagViolation(BagRule.DUPLICATES, f"every cell twice moves the answer by {apart:.2g}")


def _sizes(model: BagModel, cells: NDArray[np.float32]) -> Iterator[BagViolation]:
    for rule, count in ((BagRule.ONE_CELL, 1), (BagRule.MANY_CELLS, len(cells))):
        bag = _bag(model, cells[:count])
        try:
            answer = model.predict(bag)
        except Exception as error:  # noqa: BLE001
            yield BagViolation(rule, f"raised {type(error).__name__}: {error}")
            continue
        for fault in _answer(model, answer, bag):
            yield BagViolation(rule, str(fault))


def _refusals(model: BagModel, cells: NDArray[np.float32]) -> Iterator[BagViolation]:
    shorter = cells[:, 1:] if cells.shape[1] > 1 else np.concatenate([cells, cells], axis=1)
    for rule, bag in (
        (BagRule.WRONG_ENCODER, _bag(model, cells, f"not {model.encoder}")),
        (BagRule.WRONG_DIMENSION, _bag(model, shorter)),
    ):
        try:
            model.predict(bag)
        except CohortError:
            continue
        except Exception as error:  # noqa: BLE001
            yield BagViolation(rule, f"raised {type(error).__name__}, not CohortError: {error}")
        else:
            yield BagViolation(rule, "was not refused")


def _bag(model: BagModel, cells: NDArray[np.float32], encoder: str | None = None) -> Bag:
    ids = tuple(f"cell #{number}" for number in range(len(cells)))
    return Bag("patient/1", ids, cells.copy(), model.encoder if encoder is None else encoder)


def _answer(model: BagModel, answer: BagPrediction, bag: Bag) -> Iterator[BagViolation]:
    """Look at one answer alone."""
    if answer.patient != bag.patient:
        yield BagViolation(BagRule.ANSWERS, f"the answer is for {answer.patient}, asked was {bag.patient}")
    for task in model.tasks:
        yield from _of_task(task, answer)
    attention = answer.attention
    if attention.shape != (len(bag), len(answer.attended)) or not answer.attended:
        yield BagViolation(
            BagRule.ATTENTION, f"{attention.shape} shares for {len(bag)} cells and {len(answer.attended)} names"
        )
    elif not (np.abs(attention.sum(axis=0) - 1) <= 1e-6).all() or (attention < 0).any():
        yield BagViolation(BagRule.ATTENTION, f"shares sum to {attention.sum(axis=0)}, the least is {attention.min()}")
    if not all(np.isfinite(part).all() for part in _numbers(answer)) or not np.isfinite(attention).all():
        yield BagViolation(BagRule.FINITE, "a number is not finite")


def _of_task(task: BagTask, answer: BagPrediction) -> Iterator[BagViolation]:
    told, members = answer.probabilities.get(task.name), answer.members.get(task.name)
    if task.kind is TaskKind.NUMBER:
        number = answer.numbers.get(task.name)
        if number is None or members is None or members.ndim != 1:
            yield BagViolation(BagRule.ANSWERS, f"task {task.name} has no number, or not one a member")
        elif not abs(number - members.mean()) <= TOLERANCE * max(1.0, abs(number)):
            yield BagViolation(BagRule.MEMBERS, f"{task.name} is {number}, its members say {members}")
        return
    if told is None or told.shape != (len(task.outputs),) or members is None or members.shape[1:] != told.shape:
        yield BagViolation(BagRule.ANSWERS, f"task {task.name} has not {len(task.outputs)} probabilities, or members")
        return
    if not ((told >= 0) & (told <= 1)).all() or (task.kind is TaskKind.CLASSES and not abs(told.sum() - 1) <= 1e-6):
        yield BagViolation(BagRule.PROBABILITIES, f"task {task.name} has {told}")
    if not np.abs(told - members.mean(axis=0)).max() <= TOLERANCE:
        yield BagViolation(BagRule.MEMBERS, f"{task.name} is {told}, its members say {members.mean(axis=0)}")


def _numbers(answer: BagPrediction) -> list[NDArray[np.float64]]:
    numbers = np.array([answer.numbers[name] for name in sorted(answer.numbers)])
    return [*(answer.probabilities[name] for name in sorted(answer.probabilities)), numbers, answer.embedding]


def _difference(one: BagPrediction, other: BagPrediction) -> float:
    """Return the greatest difference, beside the size of the number; infinite where the answers are of other shapes."""
    pairs = list(zip(_numbers(one), _numbers(other), strict=True))
    if any(mine.shape != theirs.shape for mine, theirs in pairs):
        return float("inf")
    apart = [np.abs(mine - theirs) / max(1.0, np.abs(mine).max()) for mine, theirs in pairs if mine.size]
    return float(max(part.max() for part in apart))
