"""`hemascope ablate` as a user types it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from hemascope.cli.main import app
from hemascope.core.errors import RecipeError

RECIPE = """
name = "tiny"
version = "1"
epochs = 2
folds = 2
learning_rate = 0.05

[aggregator]
kind = "mean"
width = 0
attention_width = 4
head_width = 0

[[tasks]]
name = "disease"
kind = "classes"
outputs = ["healthy", "sick"]
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Sixteen patients whose counts and cells tell the class, and a recipe beside the manifest."""
    random = np.random.default_rng(0)
    lines = ["patient,path,disease,age,sex,count:blast,count:other"]
    for place in range(16):
        sick = place % 2
        np.save(tmp_path / f"p{place}.npy", (random.normal(size=(4, 8)) + 2 * sick).astype(np.float32))
        lines.append(f"p{place},p{place}.npy,{'sick' if sick else 'healthy'},50,f,{80 * sick},{100 - 80 * sick}")
    (tmp_path / "study.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "tiny.toml").write_text(RECIPE, encoding="utf-8")
    return tmp_path / "study.csv"


@pytest.mark.slow
def test_tables_are_printed_and_the_page_is_named(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(study.parent)
    (study.parent / "again.toml").write_text(RECIPE.replace("tiny", "again"), encoding="utf-8")
    asked = ["ablate", "tiny.toml", "--cohort", "study.csv", "--only", "counts", "--beside", "again.toml"]
    done = CliRunner().invoke(app, [*asked, "--resamples", "100", "--folds", "3"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "16 patients (out-of-fold), the same in every row" in done.output
    assert "counts: counts, age and sex" in done.output
    assert "0.000 [0.000, 0.000]" in done.output
    assert "Research use only" in done.output
    out = Path("runs/tiny-ablation")
    assert done.output.strip().endswith(str(out / "ablation.md"))
    assert {path.name for path in out.iterdir()} == {
        "runs", "ablation.json", "ablation.csv", "ablation.md", "ablation_disease_accuracy.png",
        "ablation_disease_macro_AUROC.png",
    }  # fmt: skip
    assert len(list((out / "runs" / "own").glob("fold-*"))) == 3


@pytest.mark.parametrize("only", ["colors", "", "aggregators,colors", "recipes"])
def test_an_unknown_group_is_refused_before_anything_is_trained(study: Path, only: str) -> None:
    asked = ["ablate", str(study.parent / "tiny.toml"), "--cohort", str(study), "--only", only]
    with pytest.raises(RecipeError, match="--only takes some of aggregators, tasks"):
        CliRunner().invoke(app, [*asked, "--out", str(study.parent / "out")], catch_exceptions=False)
    assert not (study.parent / "out").exists()
