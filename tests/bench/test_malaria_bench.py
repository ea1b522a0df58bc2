"""The malaria benchmark at tiny scale: it runs, resumes, and refuses what it cannot use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="needs the extra 'train'")

from hemascope.app import bench_malaria, malaria_trials
from hemascope.app.bench import BENCHMARKS
from hemascope.app.bench_request import BenchmarkRequest, Outcome
from hemascope.app.malaria_table import malaria_tables
from hemascope.core.errors import DataSetError, InputError, OutputError, RecipeError
from hemascope.recipes import load_recipe
from hemascope.recipes.cell_bags import CellBagRecipe

RECIPES = Path(__file__).parents[2] / "recipes"
RECIPE = """
name = "tiny"
version = "1"
bag = 4
epochs = 1
number_epochs = 60
width = 2
number_width = 4
attention_width = 2
folds = 2
repeats = 2
draws = 3
"""


def write_malaria(root: Path, patients: int = 8) -> Path:
    """Write the set: half of the patients have malaria, half of the cells of these a dark spot."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:50, :50] - 24.5
    disk = np.hypot(x, y) < 23
    lines = ["path,index,label,patient_id,patient_label,split,original_name"]
    images: list[NDArray[np.uint8]] = []
    for patient in range(patients):
        sick = patient % 2 == 0
        for cell in range(5 + patient % 2):
            infected = sick and cell < 3
            gray = rng.normal(150, 2, (50, 50))
            gray[20:24, 20:24] -= 70 * infected
            label = "parasitized" if infected else "uninfected"
            split = "test" if patient < 4 else "train"
            kind = "malaria" if sick else "healthy"
            lines.append(f"cells.npz#images,{len(images)},{label},C{patient},{kind},{split},x")
            images.append(np.where(disk, gray, 0).astype(np.uint8))
    folder = root / "malaria_nih_gray50"
    folder.mkdir(parents=True)
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    np.savez_compressed(folder / "cells.npz", images=np.stack(images))
    return root


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("malaria")
    write_malaria(folder / "sets")
    (folder / "tiny.toml").write_text(RECIPE)
    return folder


def run(made: Path, **changes: object) -> Outcome:
    given = {"recipe": made / "tiny.toml", "runs": made / "runs"} | changes
    request = BenchmarkRequest("malaria", made / "sets", **given)  # type: ignore[arg-type]
    return BENCHMARKS["malaria"](request, None, lambda *_: None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def outcome(made: Path) -> Outcome:
    return run(made)


def test_every_row_stands_beside_its_controls(outcome: Outcome) -> None:
    figures = outcome.measures.metrics
    for row in ("network.gated_attention", "network.evidence", "descriptors.evidence", bench_malaria.HEADLINE):
        for name in ("patient_auroc", "patient_auroc_set_test", "cell_auroc.within", "cell_auroc.pooled"):
            assert 0 <= float(figures[f"{row}.{name}"] or 0) <= 1
    assert figures["control.cells_before_drawing.patient_auroc"] == 1  # here healthy patients have one cell more
    assert {"control.gray_histogram.patient_auroc", "control.gray_percentiles.patient_auroc"} <= figures.keys()
    assert "both.many_draws.patient_auroc" in figures
    assert outcome.n == {"patients": 8, "malaria": 4, "cells": 44, "cells_of_a_bag": 4}


def test_dark_spots_find_the_marked_cells(outcome: Outcome) -> None:
    assert float(outcome.measures.metrics["descriptors.evidence.cell_auroc.within"] or 0) > 0.8


def test_the_tables_show_rows_draws_and_controls(outcome: Outcome) -> None:
    rows, many, controls = malaria_tables(
        {"metrics": outcome.measures.metrics, "intervals": outcome.measures.intervals}
    )
    assert (len(rows.rows), len(many.rows), len(controls.rows)) == (5, 3, 5)


def test_a_second_run_trains_nothing_and_says_the_same(
    made: Path, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(malaria_trials, "_train", lambda *_: pytest.fail("trained again"))
    assert run(made).measures == outcome.measures


def test_a_broken_answer_is_named(made: Path, outcome: Outcome, tmp_path: Path) -> None:
    del outcome
    [folder] = (made / "runs").iterdir()
    broken = tmp_path / folder.name
    broken.mkdir()
    (broken / "descriptors-repeat-1-fold-1.npz").write_bytes(b"no archive")
    with pytest.raises(OutputError, match=r"descriptors-repeat-1-fold-1\.npz holds answers that cannot be read"):
        run(made, runs=tmp_path)


def test_what_it_cannot_use_is_refused(made: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name its recipe"):
        run(made, recipe=None)
    with pytest.raises(InputError, match="leave out --split"):
        run(made, split="val")
    (tmp_path / "big.toml").write_text(RECIPE.replace("bag = 4", "bag = 6"))
    with pytest.raises(DataSetError, match="fewer than the 6 of a bag"):
        run(made, recipe=tmp_path / "big.toml")
    (tmp_path / "wrong.toml").write_text(RECIPE + "bags = 3\n")
    with pytest.raises(RecipeError, match="bags"):
        run(made, recipe=tmp_path / "wrong.toml")


def test_the_shipped_recipe_takes_every_patient() -> None:
    recipe = load_recipe(RECIPES / "malaria.toml", CellBagRecipe)
    assert (recipe.bag, recipe.folds, recipe.repeats) == (13, 5, 3)
