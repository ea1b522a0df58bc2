"""Small cohorts of bags in which a direction of the embedding carries what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag import BagSet
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.recipes.bags import BagTrainingRecipe

DIMENSION = 8
DISEASE = BagTask("disease", TaskKind.CLASSES, ("healthy", "sick", "ill"))
MARKERS = BagTask("markers", TaskKind.MARKERS, ("t", "gain"))
HEMOGLOBIN = BagTask("hemoglobin", TaskKind.NUMBER, ("hemoglobin",), "g/dL")
TASKS = (DISEASE, MARKERS, HEMOGLOBIN)


class KilledError(Exception):
    """Stands for the end of a process."""


def recipe_of(tasks: Sequence[BagTask] = TASKS, **values: object) -> BagTrainingRecipe:
    """Return a recipe of a small gated attention that learns quickly."""
    return BagTrainingRecipe.model_validate(
        {
            "name": "small",
            "version": "0",
            "tasks": [{"name": t.name, "kind": t.kind, "outputs": t.outputs, "unit": t.unit} for t in tasks],
            "aggregator": {
                "kind": "gated_attention", "width": 32, "attention_width": 8, "head_width": 0, "dropout": 0.1,
            },
            "learning_rate": 2e-2, "batch": 8, "cell_cap": 6, "epochs": 30, "patience": 30, "folds": 4,
            **values,
        }
    )  # fmt: skip


def planted(patients: int = 40, seed: int = 0) -> tuple[BagSet, NDArray[np.float64]]:
    """Return bags of 3 to 9 cells and the truth of ``TASKS``: half of the cells are moved by what is true."""
    rng = np.random.default_rng(seed)
    truth = np.stack(
        [rng.permutation(np.arange(patients) % 3), rng.random(patients) < 0.4, rng.random(patients) < 0.3], axis=1
    ).astype(np.float64)
    truth = np.column_stack([truth, 12 + truth[:, 0] + rng.normal(0, 0.3, patients)])
    sizes = rng.integers(3, 10, patients)
    cells = []
    for size, row in zip(sizes, truth, strict=True):
        values = rng.normal(0, 0.5, (size, DIMENSION))
        moved = -(-size // 2)
        values[:moved, int(row[0])] += 3
        values[:moved, 3:5] += 3 * row[1:3]
        cells.append(values)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)
    names = tuple(f"p{number}" for number in range(patients))
    return BagSet(names, np.concatenate(cells).astype(np.float32), starts, "small-encoder"), truth


def write_cohort(folder: Path, patients: int = 40, *, splits: bool = False, excluded: int = 0) -> Path:
    """Write the cohort of ``planted`` as a manifest and a file a patient; the last ``excluded`` are borderline."""
    bags, truth = planted(patients)
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["patient,path,site,age,split,excluded,disease,t,gain,hemoglobin"]
    for place, name in enumerate(bags.patients):
        np.save(folder / f"{name}.npy", bags.cells(place))
        left_out = place >= patients - excluded
        split = ("train", "train", "train", "val", "test")[place % 5] if splits else ""
        disease = "between" if left_out else DISEASE.outputs[int(truth[place, 0])]
        reason = "borderline" if left_out else ""
        markers = "" if place == 1 else f"{truth[place, 1]:.0f}"
        lines.append(
            f"{name},{name}.npy,here,{40 + place},{split},{reason},{disease},{markers},{truth[place, 2]:.0f},"
            f"{truth[place, 3]:.4f}"
        )
    manifest = folder / "planted.csv"
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return manifest
