"""Training one network of patients: it learns what was planted, resumes to the same weights, and forgets nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from bag_cohorts import DISEASE, HEMOGLOBIN, MARKERS, TASKS, KilledError, planted, recipe_of

from hemascope.core.bag_task import BagTask
from hemascope.core.errors import RecipeError
from hemascope.nets.bags.net import BagNet
from hemascope.train.bags.figures import figures_of
from hemascope.train.bags.fit import BagNetFacts, fit_bag_net
from hemascope.train.bags.number_scale import scale_of_numbers
from hemascope.train.bags.predict import answers_of
from hemascope.train.optimize import RunLog

TRAIN, VALIDATION = np.arange(28), np.arange(28, 40)


def ignore(epoch: int, epochs: int, loss: float) -> None:
    """Show no progress."""


def fitted(
    run: Path, tasks: tuple[BagTask, ...] = TASKS, seed: int = 1, **values: object
) -> tuple[BagNet, BagNetFacts]:
    bags, truth = planted()
    kept = [
        column for task, column in zip((DISEASE, MARKERS, MARKERS, HEMOGLOBIN), range(4), strict=True) if task in tasks
    ]
    recipe = recipe_of(tasks, **values)
    return fit_bag_net(recipe, tasks, bags, truth[:, kept], TRAIN, VALIDATION, run, ignore, seed=seed)


@pytest.mark.parametrize("imbalance", ["none", "focal", "class_weights", "balanced_sampling"])
def test_all_tasks_are_learned_together(tmp_path: Path, imbalance: str) -> None:
    net, facts = fitted(tmp_path, imbalance=imbalance)
    bags, truth = planted(seed=7)
    logits = answers_of(net, bags).logits
    assert facts.figures["auc"] > 0.95
    assert figures_of(TASKS, logits, truth)["auc"] > 0.93
    told = facts.means["hemoglobin"] + facts.spreads["hemoglobin"] * logits[:, 5]
    assert np.corrcoef(told, truth[:, 3])[0, 1] > 0.7


def test_half_precision_learns_the_same(tmp_path: Path) -> None:
    whole, _ = fitted(tmp_path / "whole")
    half, told = fitted(tmp_path / "half", precision="bfloat16")
    assert next(half.parameters()).dtype == torch.float32
    assert told.figures["auc"] > 0.95
    assert not torch.equal(next(whole.parameters()), next(half.parameters()))


@pytest.mark.parametrize("kind", ["transformer", "class_attention", "mean", "max", "clam", "transmil", "evidence"])
def test_every_aggregator_can_be_trained(tmp_path: Path, kind: str) -> None:
    aggregator = recipe_of().aggregator.model_copy(update={"kind": kind, "heads": 4, "head_width": 4})
    _, facts = fitted(tmp_path, aggregator=aggregator.model_dump(), epochs=4, learning_rate=3e-3)
    rows = RunLog(tmp_path).rows()
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert ("cells" in rows[0]["parts"]) == (kind == "clam")
    assert np.isfinite(facts.figures["loss"])


def test_a_killed_and_resumed_training_ends_in_the_same_weights(tmp_path: Path) -> None:
    bags, truth = planted()
    recipe = recipe_of(epochs=12, plateau_patience=1, imbalance="balanced_sampling")
    through, facts = fit_bag_net(recipe, TASKS, bags, truth, TRAIN, VALIDATION, tmp_path / "a", ignore, seed=3)

    def kill(epoch: int, epochs: int, loss: float) -> None:
        if epoch == 8:
            raise KilledError

    with pytest.raises(KilledError):
        fit_bag_net(recipe, TASKS, bags, truth, TRAIN, VALIDATION, tmp_path / "b", kill, seed=3)
    epochs: list[int] = []
    resumed, told = fit_bag_net(
        recipe, TASKS, bags, truth, TRAIN, VALIDATION, tmp_path / "b", lambda e, *_: epochs.append(e), seed=3
    )
    assert epochs == list(range(6, 13))
    assert told == facts
    for one, other in zip(through.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_a_finished_training_is_not_trained_again(tmp_path: Path) -> None:
    first, facts = fitted(tmp_path, epochs=3)
    again, told = fitted(tmp_path, epochs=3)
    assert facts == told
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True))
    assert len(RunLog(tmp_path).rows()) == 3


def test_seeds_make_members_differ(tmp_path: Path) -> None:
    bags, _ = planted()
    one, other = (answers_of(fitted(tmp_path / str(seed), seed=seed, epochs=2)[0], bags).logits for seed in (1, 2))
    assert not np.allclose(one, other)


def test_it_stops_when_validation_gets_no_better_and_keeps_the_best(tmp_path: Path) -> None:
    net, facts = fitted(tmp_path, (HEMOGLOBIN,), epochs=100, patience=4, learning_rate=0.05)
    losses = [row["validation"]["loss"] for row in RunLog(tmp_path).rows()]
    assert facts.epochs < 100
    assert facts.epochs == facts.best_epoch + 4
    assert facts.figures["loss"] == min(losses) == losses[facts.best_epoch - 1]
    bags, truth = planted()
    logits = torch.from_numpy(answers_of(net, bags, VALIDATION).logits[:, 0])
    target = (truth[VALIDATION, 3] - facts.means["hemoglobin"]) / facts.spreads["hemoglobin"]
    loss = 0.3 * torch.nn.functional.smooth_l1_loss(logits, torch.from_numpy(target).float())
    assert float(loss) == pytest.approx(facts.figures["loss"], abs=2e-6)


def test_the_rate_falls_where_the_loss_does_not(tmp_path: Path) -> None:
    fitted(tmp_path, (MARKERS,), epochs=40, learning_rate=0.1, plateau_patience=2, plateau_factor=0.5)
    rows = RunLog(tmp_path).rows()
    rates, losses = [row["rate"] for row in rows], [row["validation"]["loss"] for row in rows]
    least, slow, rate, expected = np.inf, 0, 0.1, []
    for loss in losses:
        slow = 0 if loss < least else slow + 1
        least = min(least, loss)
        if slow > 2:
            rate, slow = rate / 2, 0
        expected.append(rate)
    assert rates == pytest.approx(expected)
    assert rates[-1] < 0.1


def test_numbers_are_standardized_by_training_patients_alone() -> None:
    truth = np.array([[10.0], [14.0], [np.nan], [12.0], [99.0]])
    scale = scale_of_numbers((HEMOGLOBIN,), truth[:4])
    assert (scale.means, scale.spreads) == ({"hemoglobin": 12.0}, {"hemoglobin": 2.0})
    np.testing.assert_allclose(scale.standardized(truth)[:, 0], [-1, 1, np.nan, 0, 43.5])
    assert truth[0, 0] == 10


def test_numbers_without_a_spread_are_left_in_their_unit() -> None:
    for truth in (np.full((3, 1), np.nan), np.full((3, 1), 5.0)):
        assert scale_of_numbers((HEMOGLOBIN,), truth).spreads == {"hemoglobin": 1.0}


def test_answers_do_not_depend_on_blocks_or_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    net, _ = fitted(tmp_path, epochs=2)
    bags, _ = planted()
    whole = answers_of(net, bags)
    monkeypatch.setattr("hemascope.train.bags.predict.BLOCK_CELLS", 11)
    parts = answers_of(net, bags)
    backward = answers_of(net, bags, np.arange(40)[::-1])
    np.testing.assert_allclose(parts.logits, whole.logits, atol=1e-5)
    np.testing.assert_allclose(backward.logits[::-1], whole.logits, atol=1e-5)
    np.testing.assert_allclose(parts.attention, whole.attention, atol=1e-6)
    assert whole.attention.shape == (len(bags.values), 1)


def test_answering_leaves_a_network_in_training(tmp_path: Path) -> None:
    net, _ = fitted(tmp_path, epochs=1)
    bags, _ = planted()
    net.train()
    first = answers_of(net, bags).logits
    assert net.training
    np.testing.assert_array_equal(first, answers_of(net, bags).logits)


@pytest.mark.parametrize(
    ("train", "validation", "message"),
    [([], [1], "must be some"), ([1], [], "must be some"), ([1, 2], [2], "trained on and validates")],
)
def test_splits_that_make_no_sense_are_refused(
    tmp_path: Path, train: list[int], validation: list[int], message: str
) -> None:
    bags, truth = planted()
    with pytest.raises(ValueError, match=message):
        fit_bag_net(recipe_of(), TASKS, bags, truth, np.array(train), np.array(validation), tmp_path, ignore, seed=0)


def test_the_figure_is_the_mean_over_tasks_of_the_mean_over_outputs() -> None:
    logits = np.array([[3, 0, 0, 1, 5], [0, 3, 0, 2, 5], [0, 3, 1, 3, 5], [0, 0, 3, 4, 5]], np.float32)
    truth = np.array([[0, 0, 1], [1, 0, 1], [2, 1, 1], [np.nan, 1, np.nan]])
    # healthy 1, sick 0.75 (one of two tied), ill 1; the marker t 1, gain undefined.
    assert figures_of((DISEASE, MARKERS), logits, truth)["auc"] == pytest.approx((np.mean([1, 1, 1]) + 1) / 2)
    assert figures_of((HEMOGLOBIN,), logits[:, :1], truth[:, :1]) == {}


def test_a_training_that_diverges_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="diverged in epoch 1"):
        fitted(tmp_path, learning_rate=1e30, max_gradient=0)
