"""Differential counts in the place of embedded cells: trained, shipped, asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bag_cohorts import DISEASE, recipe_of
from typer.testing import CliRunner

from hemascope.app.bag_cohort import COUNTS, open_training_cohort, open_variant
from hemascope.app.bag_run import recipe_to_toml
from hemascope.cli.main import app
from hemascope.core.errors import CohortError
from hemascope.evaluate.patients.answers_file import read_answers

RECIPE = recipe_of(
    (DISEASE,), folds=3, epochs=20, learning_rate=0.1, aggregator={"kind": "mean", "width": 0, "head_width": 0}
)


def write_counted(folder: Path, variant: str = "") -> Path:
    """Write 30 patients whose counts tell the class, and whose cells tell nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    lines = [f"patient,path,{variant}disease,age,sex,count:blast,count:mast,count:other"]
    for place in range(30):
        np.save(folder / f"p{place}.npy", random.normal(size=(4, 8)).astype(np.float32))
        more = f"p{place}.npy," if variant else ""
        kind = place % 3
        counts = f"{90 * (kind == 1)},{90 * (kind == 2)},100"
        lines.append(f"p{place},p{place}.npy,{more}{DISEASE.outputs[kind]},{30 + place},{'fm'[place % 2]},{counts}")
    manifest = folder / "counted.csv"
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return manifest


def test_a_patient_is_one_row_of_shares_age_and_sex(tmp_path: Path) -> None:
    opened = open_training_cohort(RECIPE, write_counted(tmp_path), COUNTS)
    assert opened.cohort.bags.sizes.tolist() == [1] * 30
    place = opened.cohort.patients.index("p2")
    np.testing.assert_allclose(
        opened.cohort.bags.cells(place)[0], [0, 90 / 190, 100 / 190, 0, 0.32, 0, 1, 0], atol=1e-6
    )
    plain = open_training_cohort(RECIPE, write_counted(tmp_path))
    for mine, theirs in zip(opened.plan.folds, plain.plan.folds, strict=True):
        np.testing.assert_array_equal(mine.held_out, theirs.held_out)


def test_a_cohort_without_counts_or_with_embeddings_of_that_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="rename the column"):
        open_variant(write_counted(tmp_path / "named", "path:counts,"), COUNTS)
    manifest = write_counted(tmp_path)
    manifest.write_text(manifest.read_text().replace("count:", "number_"))
    with pytest.raises(CohortError, match="begins with 'count:'"):
        open_variant(manifest, COUNTS)


@pytest.mark.slow
def test_a_model_of_counts_is_trained_and_asked_by_command(tmp_path: Path) -> None:
    manifest, recipe, out = write_counted(tmp_path), tmp_path / "recipe.toml", tmp_path / "told.csv"
    recipe.write_text(recipe_to_toml(RECIPE))
    cohort = ["--cohort", str(manifest), "--variant", "counts", "--quiet"]
    run = tmp_path / "run"
    for asked in (
        ["train", "bags", str(recipe), "--run", str(run)],
        ["predict", str(run / "model"), "--out", str(out)],
    ):
        assert CliRunner().invoke(app, [*asked, *cohort], catch_exceptions=False).exit_code == 0
    held = read_answers(run / "predictions.csv", (DISEASE,)).of_split("out_of_fold")
    assert (held.probabilities["disease"].argmax(axis=1) == held.truth[:, 0]).all()
    assert len(read_answers(out, (DISEASE,))) == 30
