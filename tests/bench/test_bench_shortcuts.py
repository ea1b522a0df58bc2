"""The benchmark of checks: what counts as caught, what a shortcut pays, and the tables of a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hemascope.app import bench_shortcuts
from hemascope.app.bench_shortcuts import (
    CAUGHT_BY,
    SHOWN,
    checks_of,
    is_caught,
    is_of,
    naive_gain,
    patient_features,
    planted_cohorts,
    shortcut_tables,
)
from hemascope.synth.cohort.presets import myeloma_720
from hemascope.synth.cohort.simulated import Shortcut, simulate_cohort

PATIENTS = {"train": 120, "val": 30, "test": 30}


def test_what_is_planted_counts_as_caught_only_by_its_own_check() -> None:
    clean = simulate_cohort(myeloma_720("easy"), PATIENTS)
    cohorts = planted_cohorts(clean, "gain1q", 0)
    assert set(cohorts) == set(SHOWN)
    for planted in cohorts.values():
        results = checks_of(planted)
        assert is_caught(planted, results)
        assert planted.planted is not None
        right = [result for result in results if is_of(planted.planted, result)]
        assert not is_caught(planted, [replace(result, raised=False) for result in right])
        assert not is_caught(planted, [result for result in results if result not in right])
    assert not is_caught(clean, checks_of(clean))
    copies = cohorts["duplicates_exact"]
    assert not is_caught(copies, checks_of(copies)[1:])  # one pair of patients was not named


def test_features_are_the_mean_cell_and_the_number_of_cells() -> None:
    simulated = simulate_cohort(myeloma_720("easy"), {"train": 5})
    features = patient_features(simulated)
    assert features[3, :-1] == pytest.approx(simulated.drawn.bags.cells(3).mean(axis=0), abs=1e-5)
    assert np.exp(features[:, -1]) == pytest.approx(simulated.drawn.bags.sizes, rel=1e-5)


def test_a_shortcut_pays_where_it_is_and_costs_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_shortcuts, "NAIVE_PATIENTS", {"train": 200, "test": 150})
    told = naive_gain(Shortcut.CELLS)
    assert told["with_shortcut"].value > told["learned_clean"].value > told["without"].value


def test_tables_show_every_shortcut() -> None:
    metrics = {f"planted.{name}.caught": 1.0 for name in SHOWN}
    metrics |= {"planted.others_raised": 0.0, "clean.raised": 0.02}
    metrics |= {
        f"naive.{name}.{key}": 0.8 for name in CAUGHT_BY for key in ("with_shortcut", "without", "learned_clean")
    }
    document = {
        "metrics": metrics, "intervals": {}, "n": {"planted_each": 20, "clean": 100, "patients": 720},
        "provenance": {"alpha": 0.01},
    }  # fmt: skip
    checks, paid = shortcut_tables(document)
    assert [row[2] for row in checks.rows] == ["1.000"] * 5 + ["0.000", "0.020"]
    assert len(paid.rows) == 3
