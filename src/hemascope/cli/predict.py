"""`hemascope predict`: a model of patients asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hemascope.cli.progress import progress_bar


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder that `hemascope train bags` wrote.")],
    features: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FEATURES]...", help="Files of embedded cells, one a patient, instead of a cohort."),
    ] = None,
    cohort: Annotated[
        Path | None, typer.Option("--cohort", metavar="MANIFEST", help="A CSV table with one row a smear.")
    ] = None,
    variant: Annotated[
        str | None, typer.Option("--variant", metavar="NAME", help="Embeddings in the column path:NAME; or: counts.")
    ] = None,
    taxonomy: Annotated[
        str | None,
        typer.Option("--taxonomy", metavar="TABLE", help="Table of diseases by name or path; else the model's."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the answers go.")] = Path("predictions.csv"),
    attention: Annotated[
        Path | None, typer.Option("--attention", metavar="FILE", help="Where the share of every cell goes.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Ask a model of patients: probabilities, numbers, and why there is no answer. Research use only."""
    from hemascope.app.bag_cohort import open_variant
    from hemascope.app.predict_patients import cohort_of_features, predict_cohort
    from hemascope.bags.taxonomy import load_taxonomy
    from hemascope.core.errors import InputError
    from hemascope.wiring.patients import build_bag_model

    if (cohort is None) == (not features):
        raise InputError("name a cohort with --cohort, or files of embedded cells, and not both")
    table = load_taxonomy(taxonomy) if taxonomy else None
    ensemble = build_bag_model(model)
    if cohort is not None:
        labels = [column for task in ensemble.tasks for column in task.columns]
        asked = open_variant(cohort, variant or "", labels)
    else:
        asked = cohort_of_features(features or [])
    with progress_bar("answering for patients", len(asked), quiet=quiet) as bar:
        predict_cohort(ensemble, asked, out, attention, lambda done, _, patient: bar.move_to(done, patient), table)
    if not quiet:
        typer.echo("Research use only: not for diagnosis.")
    typer.echo(str(out))
