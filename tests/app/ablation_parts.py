"""A small cohort to compare recipes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.recipes.bags import BagTrainingRecipe

DISEASE = BagTask("disease", TaskKind.CLASSES, ("healthy", "sick"))
MARKERS = BagTask("markers", TaskKind.MARKERS, ("t", "gain"))
HEMOGLOBIN = BagTask("hemoglobin", TaskKind.NUMBER, ("hemoglobin",), "g/dL")
DIMENSION = 8


def small_recipe(tasks: Sequence[BagTask] = (DISEASE, MARKERS, HEMOGLOBIN), **values: object) -> BagTrainingRecipe:
    """Return a recipe that trains two networks for two epochs."""
    asked = [{"name": t.name, "kind": t.kind, "outputs": t.outputs, "unit": t.unit} for t in tasks]
    aggregator = {"kind": "mean", "width": 0, "attention_width": 4, "head_width": 0, "heads": 2, "dropout": 0.0}
    base = {"name": "small", "version": "1", "tasks": asked, "aggregator": aggregator}
    return BagTrainingRecipe.model_validate(base | {"learning_rate": 0.05, "epochs": 2, "folds": 2} | values)


def write_study(folder: Path, patients: int = 24, variants: Sequence[str] = ()) -> Path:
    """Write patients whose cells tell what is asked; further embeddings are the same cells the other way around.

    No file is written for the variant ``lost``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    names = [f"path:{name}," for name in variants]
    lines = [f"patient,path,{''.join(names)}disease,t,gain,hemoglobin"]
    for place in range(patients):
        truth = [place % 2, place // 2 % 2, place // 3 % 2]
        cells = random.normal(size=(3 + place % 3, DIMENSION)).astype(np.float32)
        cells[:, :3] += 2 * np.array(truth)
        np.save(folder / f"p{place}.npy", cells)
        for name in variants:
            if name != "lost":
                np.save(folder / f"p{place}-{name}.npy", cells[:, ::-1])
        files = [f"p{place}-{name}.npy," for name in variants]
        lines.append(
            f"p{place},p{place}.npy,{''.join(files)}{DISEASE.outputs[truth[0]]},{truth[1]},{truth[2]},{12 + truth[0]}"
        )
    manifest = folder / "study.csv"
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return manifest
