"""The folder of a training of a model of patients: what it started from, and whether it is finished."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from hemascope.app.bag_cohort import TrainingCohort
from hemascope.app.bench_record import write_text
from hemascope.app.provenance import ANSWERING_PACKAGES
from hemascope.core.bag import BagSet
from hemascope.core.errors import OutputError, RecipeError
from hemascope.core.version import __version__
from hemascope.recipes.bags import BagTrainingRecipe

RECIPE_FILE, INPUTS_FILE, ENVIRONMENT_FILE, DONE_FILE = "recipe.toml", "inputs.json", "environment.json", "DONE"

_TRAINING_PACKAGES = (*ANSWERING_PACKAGES, "torch")


def start_bag_run(
    folder: Path, recipe: BagTrainingRecipe, opened: TrainingCohort, manifest: Path, variant: str
) -> None:
    """Make the run folder, or go on in it.

    Raises
    ------
    RecipeError
        If it holds a run of another recipe or of another cohort: going on would belong to neither.
    OutputError
        If it cannot be written.
    """
    inputs = describe_inputs(recipe, opened, manifest, variant)
    _check_same(folder, inputs)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / DONE_FILE).unlink(missing_ok=True)
        if opened.taxonomy and recipe.taxonomy.endswith(".toml"):
            source = Path(recipe.taxonomy)
            write_text(folder / source.name, source.read_text(encoding="utf-8"))
        write_text(folder / RECIPE_FILE, recipe_to_toml(recipe))
        write_text(folder / ENVIRONMENT_FILE, json.dumps(describe_environment(), indent=2) + "\n")
        write_text(folder / INPUTS_FILE, json.dumps(inputs, indent=2) + "\n")
    except OSError as error:
        raise OutputError.at(folder, error) from error


def _check_same(folder: Path, inputs: dict[str, Any]) -> None:
    saved = folder / INPUTS_FILE
    if not saved.is_file():
        return
    try:
        before = json.loads(saved.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(f"{saved} cannot be read ({error}); name another folder with --run") from error
    other = dict.fromkeys(name.removesuffix("_sha256") for name in inputs if before.get(name) != inputs[name])
    if other:
        raise RecipeError(
            f"{folder} holds a run of another recipe or cohort (other: {', '.join(other)}); name another folder with "
            "--run, or remove that one"
        )


def describe_inputs(recipe: BagTrainingRecipe, opened: TrainingCohort, manifest: Path, variant: str) -> dict[str, Any]:
    """Return what a training starts from, in plain types: digests, counts, and who is in which fold."""
    bags, plan = opened.cohort.bags, opened.plan
    taxonomy = opened.taxonomy
    return {
        "recipe_sha256": recipe.digest(),
        "cohort": opened.cohort.name,
        "manifest_sha256": hashlib.sha256(manifest.read_bytes()).hexdigest(),
        "variant": variant,
        "encoder": bags.encoder,
        "dimension": bags.dimension,
        "patients": len(bags),
        "cells": int(bags.starts[-1]),
        "cells_sha256": digest_of_cells(bags),
        "taxonomy": None if taxonomy is None else {"name": taxonomy.name, "version": taxonomy.version,
                                                   "sha256": taxonomy.sha256},
        "folds": [
            {"train": len(fold.train), "watch": _names(bags, fold.watch), "held_out": _names(bags, fold.held_out)}
            for fold in plan.folds
        ],
        "asked": {name: _names(bags, places) for name, places in plan.asked.items()},
    }  # fmt: skip


def _names(bags: BagSet, places: np.ndarray[Any, np.dtype[np.intp]]) -> list[str]:
    return [bags.patients[place] for place in places]


def digest_of_cells(bags: BagSet) -> str:
    """Return the sha256 of whose cells and which numbers they are, bag after bag."""
    digest = hashlib.sha256()
    for place, patient in enumerate(bags.patients):
        digest.update(f"{patient}\0{bags.sizes[place]}\0".encode())
        digest.update(np.ascontiguousarray(bags.cells(place)).data)
    return digest.hexdigest()


def describe_environment() -> dict[str, Any]:
    """Return what computes: versions and the machine, as far as they can change the last digits."""
    software = {"hemascope": __version__, "python": platform.python_version()}
    software |= {name: importlib.metadata.version(name) for name in _TRAINING_PACKAGES}
    return {
        "software": software,
        "system": platform.platform(),
        "processor": platform.machine(),
        "processors": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
    }


def finish_bag_run(folder: Path) -> None:
    """Write the mark of a finished run; the last thing that is written.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    write_text(folder / DONE_FILE, "")


def recipe_to_toml(recipe: BagTrainingRecipe) -> str:
    """Return a recipe as TOML text that reads back as the same recipe."""
    values = recipe.model_dump(mode="json")
    tables = {name: value for name, value in values.items() if isinstance(value, dict)}
    rows = {
        name: value for name, value in values.items()
        if isinstance(value, list) and value and all(isinstance(part, dict) for part in value)
    }  # fmt: skip
    lines = _assignments({name: value for name, value in values.items() if name not in tables and name not in rows})
    for name, value in tables.items():
        lines += ["", f"[{name}]", *_assignments(value)]
    for name, parts in rows.items():
        for part in parts:
            lines += ["", f"[[{name}]]", *_assignments(part)]
    return "\n".join(lines) + "\n"


def _assignments(values: dict[str, Any]) -> list[str]:
    """Return ``key = value`` lines; JSON writes text, numbers, truth and lists as TOML does, and TOML has no null."""
    return [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items() if value is not None]
