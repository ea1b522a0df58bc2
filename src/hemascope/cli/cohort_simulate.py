"""`hemascope cohort simulate`: a cohort whose truth is known, as files that every tool reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hemascope.synth.cohort.simulated import Shortcut


def simulate(
    preset: Annotated[
        str,
        typer.Argument(metavar="PRESET", help="myeloma-720, myeloma-720-easy, myeloma-720-hard or eight-classes."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write; it must be absent or empty.")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed makes the same cohort.")] = 0,
    patients: Annotated[
        int | None, typer.Option("--patients", metavar="N", min=1, help="In all splits; else the preset's number.")
    ] = None,
    plant: Annotated[Shortcut | None, typer.Option("--plant", help="A shortcut that a model should not take.")] = None,
    label: Annotated[
        str | None,
        typer.Option("--label", metavar="NAME", help="Marker or class that the shortcut goes with; else the first."),
    ] = None,
) -> None:
    """Write manifest.csv, embeddings.h5ad and truth.json: which cells carry the signal, and the best possible answers.

    Simulated, not measured: figures say nothing about people. Research use only.
    """
    from hemascope.app.cohort_simulation import MANIFEST_FILE, SimulationRequest, write_simulated

    made = write_simulated(SimulationRequest(preset, out, seed, patients, plant, label or ""))
    cells = len(made.drawn.bags.values)
    typer.echo(f"{len(made.facts)} simulated patients with {cells} cells in {out / MANIFEST_FILE}")
    if made.planted is not None:
        told = f" with {made.planted.label}" if made.planted.label else ""
        typer.echo(f"planted: {made.planted.shortcut.value}{told}")
