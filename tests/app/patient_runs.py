"""Run folders as training writes them, with answers drawn from a stated world."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from hemascope.bags.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy("leukemia_letter")
CLASSES = TAXONOMY.coarse
MARKERS = ("del(17p)", "t(4;14)")
FINE = ("AML", "ALL")

RECIPE = """
name = "painted"
version = "1"
taxonomy = "leukemia_letter"
task_of_taxonomy = "disease"

[[tasks]]
name = "disease"
kind = "classes"

[[tasks]]
name = "cytogenetics"
kind = "markers"
outputs = ["del(17p)", "t(4;14)"]

[[tasks]]
name = "hemoglobin"
kind = "number"
unit = "g/dL"

[aggregator]
kind = "gated_attention"
"""


def write_run(
    folder: Path, out_of_fold: int = 160, test: int = 120, unclear: int = 12, seed: int = 0, skill: float = 2.0
) -> Path:
    """Write a finished run: a patient's logits are noise plus ``skill`` at the true class."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    rows = [_row(random, f"p{place:04d}", "out_of_fold", place % 4, skill) for place in range(out_of_fold)]
    rows += [_row(random, f"t{place:04d}", "test", -1, skill) for place in range(test)]
    rows += [_unclear(random, f"u{place:04d}") for place in range(unclear)]
    write_rows(folder / "predictions.csv", rows)
    np.savez(
        folder / "patients.npz",
        patients=np.array([row["patient"] for row in rows]),
        splits=np.array([row["split"] for row in rows]),
        embedding=np.array([_vector(random, row) for row in rows], np.float32),
    )
    (folder / "DONE").touch()
    return folder


def write_rows(path: Path, rows: list[dict[str, object]]) -> Path:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _row(random: np.random.Generator, patient: str, split: str, fold: int, skill: float) -> dict[str, object]:
    truth = int(random.integers(len(CLASSES)))
    logits = random.normal(size=len(CLASSES)) + skill * (np.arange(len(CLASSES)) == truth)
    row = _facts(random, patient, split, fold) | _disease(logits)
    row["truth.disease"] = CLASSES[truth]
    children = TAXONOMY.children_of(CLASSES[truth])
    row["label.disease"] = str(random.choice(children)) if children else CLASSES[truth]
    for marker, share in zip(MARKERS, (0.3, 0.4), strict=True):
        there = bool(random.random() < share)
        stated = 1 / (1 + np.exp(-(random.normal() + skill * (there - 0.5))))
        row[f"probability.cytogenetics.{marker}"] = f"{stated:.6f}"
        row[f"truth.{marker}"] = "" if random.random() < 0.1 else str(int(there))
    level = random.normal(11, 2)
    row["number.hemoglobin"] = f"{level + random.normal(0, 1):.3f}"
    row["truth.hemoglobin"] = f"{level:.3f}"
    row["covariate.ratio_myeloblast"] = f"{min(0.6 * (truth == 0) + 0.1 * random.random(), 1):.4f}"
    return row


def _unclear(random: np.random.Generator, patient: str) -> dict[str, object]:
    """Return a patient between MDS and acute leukemia, without a settled class."""
    logits = random.normal(size=len(CLASSES)) + 3 * np.isin(CLASSES, ("acute_leukemia", "mds"))
    row = _facts(random, patient, "borderline", -1) | _disease(logits)
    for marker in MARKERS:
        row[f"probability.cytogenetics.{marker}"] = "0.2"
    return row | {"number.hemoglobin": "9.5", "label.disease": "MDS-AML borderline"}


def _facts(random: np.random.Generator, patient: str, split: str, fold: int) -> dict[str, object]:
    return {
        "patient": patient,
        "split": split,
        "fold": "" if fold < 0 else fold,
        "cells": int(random.integers(100, 600)),
        "site": str(random.choice(["north", "south"])),
        "scanner": str(random.choice(["A", "B"])),
        "covariate.age": f"{random.uniform(20, 90):.0f}",
        "covariate.sex": str(random.choice(["female", "male"])),
    }


def _disease(logits: np.ndarray) -> dict[str, object]:
    shares = np.exp(logits) / np.exp(logits).sum()
    return {f"probability.disease.{name}": f"{share:.8f}" for name, share in zip(CLASSES, shares, strict=True)}


def _vector(random: np.random.Generator, row: dict[str, object]) -> np.ndarray:
    vector = random.normal(size=16)
    if row.get("truth.disease"):
        vector[CLASSES.index(str(row["truth.disease"]))] += 4
    return vector
