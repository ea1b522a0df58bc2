"""`hemascope explain`: what would have to change for cells to be of another type."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from hemascope.cli.progress import progress_bar

SOME_FAILED = 1


def explain(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Images, folders or globs of images.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write; it must be absent or empty.")],
    toward: Annotated[
        list[str] | None,
        typer.Option("--as", metavar="TYPE", help="Type to explain toward; without it, the second likeliest."),
    ] = None,
    single: Annotated[
        bool, typer.Option("--single", help="Each image shows one cell, in its middle; needs a scale.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most this many cells of fields, the closest.")] = 12,
    mpp: Annotated[
        float | None, typer.Option("--mpp", help="Micrometers per pixel of every image; otherwise read or estimated.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="DIR", help="Model folder of a denoiser; otherwise the shipped one."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Show what would have to change for cells to be of another type, as a denoiser of their images sees it.

    Exit status: 0 every image was used; 1 some could not be, or the result could not be written; 2 the command was
    wrong or no cell could be asked about.
    """
    from hemascope import wiring
    from hemascope.app.explain_images import ExplainRequest, explain_images
    from hemascope.app.provenance import gather_provenance
    from hemascope.recipes import AnalysisRecipe, override
    from hemascope.reporting.counterfactuals import LIMITS, sentences
    from hemascope.sources.discover import discover

    recipe = override(
        AnalysisRecipe(), prior="even", red_cells=False, attributes=False, generative="off",
        explain=limit, explain_as=toward or None, explain_model=model,
    )  # fmt: skip
    sources = discover(paths)
    analyzer = wiring.build_analyzer(recipe, mpp=mpp)
    explaining = wiring.build_explaining(recipe, analyzer.classifier, second=not toward)
    assert explaining is not None  # noqa: S101  (the limit is 1 or more)
    models = (*analyzer.models, explaining.explainer.denoiser.identity)
    provenance = gather_provenance(recipe, models, shlex.join(["hemascope", *sys.argv[1:]]))
    request = ExplainRequest(sources, out, single, provenance)
    most = len(sources) + (0 if single else limit) * max(1, len(toward or ()))
    with progress_bar("explaining", most, quiet=quiet) as bar:
        explained = explain_images(request, analyzer, explaining, bar.advance)
    for failed in explained.failed:
        typer.echo(f"hemascope: {failed.message}", err=True)
    if not quiet:
        for found, picture in zip(explained.explanations, explained.pictures, strict=True):
            typer.echo(f"{picture}: {found.cell_id}, {found.current.value}")
            typer.echo("\n".join(f"  {sentence}" for sentence in sentences(found) if sentence))
        typer.echo(LIMITS)
    if explained.failed:
        raise typer.Exit(SOME_FAILED)
