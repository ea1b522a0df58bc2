"""The benchmark ``generative`` from end to end on small made sets: rows, who takes part, costs, plots and tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from generative_sets import ColorDenoiser, color_encoder, parts_with, quiet, write_pbc
from test_bench_protocols import write_targets

from hemascope.app import bench_generative, bench_generative_pixels
from hemascope.app.bench_generative_shift import Told, compared_with, reference_row
from hemascope.app.bench_request import BenchmarkRequest, Outcome
from hemascope.app.generative_tables import generative_tables
from hemascope.app.generative_task import Embedding, line_up, of_all_types
from hemascope.app.pixel_choices import Tried, choose, fit_weighting
from hemascope.classify.diffusion.trials import draw_trials
from hemascope.core.errors import InputError
from hemascope.zoo.contamination import Seen

PBC = "pbc_acevedo_128"


def tables(outcome: Outcome) -> dict[str, list[tuple[str, ...]]]:
    """Return title to rows of the tables of an outcome."""
    document = {
        "metrics": outcome.measures.metrics, "intervals": outcome.measures.intervals, "n": outcome.n,
        "provenance": outcome.notes, "baselines": outcome.baselines,
    }  # fmt: skip
    return {table.title: list(table.rows) for table in generative_tables(document)}


def run(root: Path, protocol: str, *names: str, **more: Path) -> Outcome:
    """Return the outcome of one protocol."""
    plain = color_encoder("descriptors"), color_encoder("fresh"), color_encoder("used", Seen.YES)
    networks = color_encoder("taught", logits=True), color_encoder("cells", Seen.YES, logits=True)
    parts = parts_with(*plain, *networks)
    request = BenchmarkRequest("generative", root, protocol=protocol, encoders=names, **more)  # type: ignore[arg-type]
    return bench_generative.run(request, parts, quiet)


@pytest.mark.slow
def test_in_domain_rows_stand_side_by_side_with_plots(tmp_path: Path) -> None:
    write_pbc(tmp_path)
    outcome = run(tmp_path, "in-domain", pictures=tmp_path / "plots")
    metrics = outcome.measures.metrics
    rows = (
        "cells.network",
        "cells.gaussian",
        "cells+descriptors.mixture",
        "cells.embedding_denoiser",
        "cells.mahalanobis",
    )
    for row in rows:
        accuracy = metrics[f"{PBC}.in_domain.{row}.balanced_accuracy"]
        assert accuracy is not None
        assert 0.7 < accuracy < 1  # an eighth of the test cells has another type's color
        assert f"{PBC}.in_domain.{row}.aurc" in outcome.measures.intervals
    assert metrics[f"{PBC}.in_domain.cells.network.gain"] == 0
    assert f"{PBC}.in_domain.cells.embedding_denoiser.zeta_corrected_auc" in metrics
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {"risk_coverage.png", "psychometric.png"}
    shown = tables(outcome)["PBC, eight types, all labels"]
    assert shown[0][:3] == ("cells", "network", "discriminative")
    assert ("cells", "gaussian", "generative") in [row[:3] for row in shown]


@pytest.mark.slow
def test_only_encoders_without_labels_learn_from_few(tmp_path: Path) -> None:
    write_pbc(tmp_path)
    outcome = run(tmp_path, "low-data", "fresh", "used")
    metrics = outcome.measures.metrics
    for row in ("linear_probe", "gaussian", "mixture", "embedding_denoiser"):
        accuracy = metrics[f"{PBC}.low_data.fresh+descriptors.{row}.20.balanced_accuracy"]
        assert accuracy is not None
        assert accuracy > 0.7
    assert not any(".50." in key or "used" in key for key in metrics)  # 24 cells of a type; labels were seen
    table = tables(outcome)["Balanced accuracy from few labels, mean of draws with interval (deviation)"]
    assert {row[0] for row in table} == {"descriptors", "fresh", "fresh+descriptors"}


@pytest.mark.slow
def test_rows_of_other_laboratories_gain_over_the_first_network(tmp_path: Path) -> None:
    write_pbc(tmp_path)
    write_targets(tmp_path)
    outcome = run(tmp_path, "shift", "used", "cells", "taught")
    metrics = outcome.measures.metrics
    facts = outcome.notes["protocols"]["shift"]  # type: ignore[index]
    assert facts["reference"] == "taught.network"
    assert facts["encoders"] == ["descriptors", "taught"]  # the others may have seen a target
    assert metrics["mean.shift.taught.network.even.gain"] == 0
    assert metrics["mean.shift.taught.network_adapted.white.gain"] == 0
    assert "mean.shift.taught.jittered_denoiser_adapted.white.gain" in outcome.measures.intervals
    for row in ("taught.gaussian.white", "taught+descriptors.mixture.even"):
        recall = metrics[f"mean.shift.{row}.mean_recall"]
        assert recall is not None
        assert recall > 0.8
        assert f"mean.shift.{row}.gain" in outcome.measures.intervals
    shown = tables(outcome)["Learned on PBC alone, asked about other laboratories"]
    named = [row[:4] for row in shown]
    assert named[0] == ("taught", "network", "even", "discriminative")
    assert ("taught", "jittered denoiser", "white", "generative") in named


@pytest.mark.slow
def test_adaptive_trials_cost_less_than_fixed_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_generative_pixels, "TRIALS", 16)
    write_pbc(tmp_path)
    outcome = run(tmp_path, "pixels")
    metrics = outcome.measures.metrics
    facts = outcome.notes["protocols"]["pixels"]  # type: ignore[index]
    fixed, adaptive = (metrics[f"{PBC}.pixels.{way}.passes"] for way in ("fixed", "adaptive"))
    assert fixed == facts["fixed_trials"] * 8
    assert adaptive is not None
    assert adaptive <= fixed
    accuracy = metrics[f"{PBC}.pixels.fixed.balanced_accuracy"]
    assert accuracy is not None
    assert accuracy > 0.7  # the denoiser names its classes in another order
    assert metrics[f"{PBC}.pixels.cascade.0.passes"] == 0
    assert f"{PBC}.pixels.cost.time_ratio" in outcome.measures.intervals
    assert [row[0] for row in tables(outcome)["Denoiser of images: every trial, and trials as needed, in turns"]] == [
        "fixed", "adaptive", "adaptive / fixed",
    ]  # fmt: skip


def test_a_pilot_weighs_steps_by_what_they_say_of_the_type() -> None:
    denoiser, labels = ColorDenoiser(), np.arange(40) % 8
    trials = draw_trials(denoiser, 40)
    rng = np.random.default_rng(2)
    errors = rng.normal(5, 0.5, (40, 8, 40))
    telling = trials.steps > 500
    errors[np.arange(40)[:, None], labels[:, None], np.flatnonzero(telling)] -= 2.0
    fitted = fit_weighting(Tried(errors, trials, labels, np.arange(40).astype(str)), denoiser)
    count = len(denoiser.schedule)
    early, late = fitted.weights(np.array([100, 800]), count)
    assert late > 5 * early
    assert np.mean(draw_trials(denoiser, 200, weighting=fitted).steps > 500) > 0.6


def test_the_least_trials_are_chosen_from_which_on_the_accuracy_stays() -> None:
    denoiser = ColorDenoiser()
    labels = np.arange(40) % 8
    trials = draw_trials(denoiser, 12, antithetic=False)
    rng = np.random.default_rng(1)
    errors = rng.normal(5, 0.1, (40, 8, 12))
    errors[np.arange(40), labels, 3:] -= 5.0  # nothing is known before the fourth trial
    errors[np.arange(40), labels, :3] += 1.0
    choice = choose(Tried(errors, trials, labels, np.arange(40).astype(str)), denoiser)
    assert 4 <= choice.facts["fixed_trials"] <= 5
    assert choice.plateau == 1


def test_an_unknown_protocol_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no protocol 'best'"):
        run(tmp_path, "best")


def test_who_stands_beside_whom() -> None:
    described, fresh = color_encoder("descriptors"), color_encoder("fresh")
    assert [one.name for one in line_up([described, fresh])] == ["descriptors", "fresh", "fresh+descriptors"]
    assert Embedding((fresh, described)).name == "fresh+descriptors"
    assert of_all_types(described)


def test_gains_are_over_the_first_network_under_the_same_prior() -> None:
    told: Told = {"descriptors.linear_probe.even": {}, "a.network.even": {}, "b.network.even": {}}
    assert reference_row(told) == "a.network"
    assert reference_row({"descriptors.linear_probe.even": {}}) == "descriptors.linear_probe"
    assert compared_with("a.gaussian.white", "a.network") == "a.network.white"
    assert compared_with("a.denoiser_adapted.white", "a.network") == "a.network_adapted.white"
