"""No figure of the README without the committed run it comes from."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from pages import README, ROOT, block, rows

NAMES = ("detection", "classification", "speed", "report")
"""Runs whose keys stand in the table as they are."""
OTHERS = (
    *("detection_folds", "segmentation", "segmentation_finetuned", "redcells", "conformal", "fewshot", "transfer"),
    *("blasts", "attributes", "leukemia", "encoders"),
    *("generative", "synthetic", "counterfactuals", "diffusion_cost"),
    *("cohorts", "malaria", "shortcuts", "bag_speed"),
)
"""Runs whose keys stand there after the run's name and a colon: they share keys with others."""
RUNS = {name: ROOT / "docs" / "benchmarks" / f"{name}.json" for name in (*NAMES, *OTHERS)}
NONE = "not measured yet"


@cache
def committed() -> dict[str, tuple[float | None, list[float] | None]]:
    """Return every key of every committed run with its value and interval."""
    figures: dict[str, tuple[float | None, list[float] | None]] = {}
    for name, path in RUNS.items():
        if path.is_file():
            run: dict[str, Any] = json.loads(path.read_text("utf-8"))
            start = "" if name in NAMES else f"{name}:"
            figures |= {start + key: (value, run["intervals"].get(key)) for key, value in run["metrics"].items()}
    return figures


def shown(key: str, value: float | None, interval: list[float] | None) -> str:
    """Return how a figure is written: counts whole, seconds with two digits, all else with three."""
    if value is None:
        return NONE
    if isinstance(value, int):
        return str(value)
    digits = 2 if key.endswith("seconds_per_field") else 3
    limits = f" [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]" if interval else ""
    return f"{value:.{digits}f}{limits}"


TABLE = [(row[2].strip("`"), row[3]) for row in rows(block(README.read_text("utf-8"), "figures"))]


def test_figures_are_written_in_one_way() -> None:
    assert shown("bccd.white_cell.misses", 1, None) == "1"
    assert shown("bccd.red_cell.recall", 0.9, [0.85, 0.94321]) == "0.900 [0.850, 0.943]"
    assert shown("bccd.total.seconds_per_field", 0.214, [0.2, 0.23]) == "0.21 [0.20, 0.23]"
    assert shown("pbc_acevedo_128.ece", None, None) == NONE


@pytest.mark.parametrize(("key", "figure"), TABLE)
def test_a_figure_is_that_of_the_committed_run(key: str, figure: str) -> None:
    if not all(path.is_file() for path in RUNS.values()):
        pytest.skip("not every benchmark run is committed yet: make bench writes them to docs/benchmarks")
    assert key in committed(), f"README.md names {key}, which no committed run has"
    assert figure == shown(key, *committed()[key])


def test_without_a_run_there_is_no_figure() -> None:
    invented = [(key, figure) for key, figure in TABLE if key not in committed() and figure != NONE]
    assert not invented


def test_the_readme_says_what_it_is_not_near_its_top() -> None:
    assert "Research software, not for diagnosis" in "\n".join(README.read_text("utf-8").splitlines()[:12])
