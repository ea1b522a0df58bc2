"""`hemascope analyze`: field images in, a report out."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemascope.cli.progress import progress_bar

if TYPE_CHECKING:
    from hemascope.app.answer_patient import PatientAnswering
    from hemascope.app.shared_encoders import SharedEncoders
    from hemascope.core.report import FailedInput, FieldResult, SmearReport
    from hemascope.recipes import AnalysisRecipe
    from hemascope.sources.discover import Source
    from hemascope.sources.outline_shelf import OutlineShelf

SOME_FAILED = 1


def analyze(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Images, folders or globs of field images.")],
    mpp: Annotated[
        float | None,
        typer.Option("--mpp", help="Micrometers per pixel of every field; otherwise read or estimated."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the report and its data.")] = Path("hemascope-report"),
    prior: Annotated[
        str | None, typer.Option("--prior", help="Assumed shares of cell types: adult_blood, even, or a .toml file.")
    ] = None,
    segmenter: Annotated[
        str | None, typer.Option("--segmenter", help="network (default), a model folder, or classical (no weights).")
    ] = None,
    grading: Annotated[
        str | None, typer.Option("--grading", help="Table for grading red cells: icsh_2015, or a .toml file.")
    ] = None,
    red_cell_count: Annotated[
        float | None,
        typer.Option(
            "--red-cell-count", min=0.1, max=20, help="Red cells of this blood in 10^12/L, to estimate platelets from."
        ),
    ] = None,
    outlines: Annotated[
        Path | None,
        typer.Option("--outlines", help="Outlines made elsewhere instead of a finder's: a file or a folder of them."),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="NAME=KIND", help="What a class in them means; '*' for all others."),
    ] = None,
    specimen: Annotated[
        str | None, typer.Option("--specimen", help="blood (default), or marrow: runs, and is marked unvalidated.")
    ] = None,
    no_red_cells: Annotated[bool, typer.Option("--no-red-cells", help="Do not type red cells.")] = False,
    no_attributes: Annotated[
        bool, typer.Option("--no-attributes", help="Do not tell subtypes and attributes of white cells.")
    ] = False,
    no_generative: Annotated[
        bool, typer.Option("--no-generative", help="Do not ask how well a generative model explains white cells.")
    ] = False,
    explain: Annotated[
        int | None, typer.Option("--explain", min=0, help="Explain this many cells whose two best types are closest.")
    ] = None,
    explain_as: Annotated[
        list[str] | None, typer.Option("--explain-as", metavar="TYPE", help="A type to explain them toward besides.")
    ] = None,
    explain_model: Annotated[
        str | None, typer.Option("--explain-model", metavar="DIR", help="Model folder of the denoiser that explains.")
    ] = None,
    patient_model: Annotated[
        str | None,
        typer.Option(
            "--patient-model",
            metavar="DIR",
            help="Model of patients, asked about all fields as those of one patient. Research use only.",
        ),
    ] = None,
    patient_encoder: Annotated[
        str | None,
        typer.Option("--patient-encoder", help="Its encoder, by name or folder, where it is not found by itself."),
    ] = None,
    recipe: Annotated[Path | None, typer.Option("--recipe", help="Analysis recipe (TOML).")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON on standard output.")] = False,
) -> None:
    """Find, outline and type every cell in field images, and write a report.

    Exit status: 0 every file was analyzed; 1 some could not be, or the report could not be written; 2 the command
    was wrong or no image was found; 130 interrupted.
    """
    from hemascope import wiring
    from hemascope.app.analyze import AnalysisRequest
    from hemascope.app.analyze import analyze as run_analysis
    from hemascope.app.provenance import gather_provenance
    from hemascope.recipes import override
    from hemascope.sources.discover import discover

    segmenter = wiring.segmenter_name(segmenter)
    flags = {
        "prior": prior, "segmenter": segmenter, "grading": grading, "specimen": specimen,
        "red_cells": False if no_red_cells else None, "attributes": False if no_attributes else None,
        "generative": "off" if no_generative else None,
        "explain": explain, "explain_as": explain_as or None, "explain_model": explain_model,
        "patient_model": patient_model, "patient_encoder": patient_encoder,
    }  # fmt: skip
    resolved = _resolve(recipe, flags)
    sources = discover(paths)
    shelf = _outlines(outlines, classes or (), sources, segmenter)
    if shelf:
        resolved = override(resolved, segmenter="outlines")
    shared = wiring.shared_encoders()
    patient = _patient(resolved, shared)
    analyzer = wiring.build_analyzer(resolved, mpp=mpp, outlines=shelf, shared=shared)
    explaining = wiring.build_explaining(resolved, analyzer.classifier)
    explained_by = (explaining.explainer.denoiser.identity,) if explaining else ()
    command = shlex.join(["hemascope", *sys.argv[1:]])
    models = (*analyzer.models, *explained_by, *(patient.models if patient else ()))
    provenance = gather_provenance(resolved, tuple(dict.fromkeys(models)), command)
    request = AnalysisRequest(
        sources,
        out,
        wiring.load_prior(resolved.prior),
        provenance,
        shelf.remarks if shelf else (),
        grading=wiring.load_grading(resolved.grading),
        red_cell_count=red_cell_count,
        specimen=resolved.specimen,
        explaining=explaining,
        patient=patient,
    )
    with progress_bar("analyzing", len(sources), quiet=quiet or as_json) as bar:
        report = run_analysis(request, analyzer, wiring.build_sinks, lambda result: bar.advance(_note(result)))
    for remark in request.remarks:
        typer.echo(f"hemascope: {remark}", err=True)
    for failed in report.failed:
        typer.echo(f"hemascope: {failed.message}", err=True)
    if as_json:
        typer.echo(json.dumps(json.loads((out / "report.json").read_text(encoding="utf-8"))))
    elif not quiet:
        _print_summary(report, out)
    if report.failed:
        raise typer.Exit(SOME_FAILED)


def _resolve(recipe: Path | None, flags: Mapping[str, object]) -> AnalysisRecipe:
    """Return the recipe in force: flags before the file before the defaults."""
    from hemascope.recipes import AnalysisRecipe, load_recipe, override

    base = load_recipe(recipe, AnalysisRecipe) if recipe else AnalysisRecipe()
    return override(base, **flags)


def _patient(recipe: AnalysisRecipe, shared: SharedEncoders) -> PatientAnswering | None:
    """Return what answers for the patient, where that is asked for."""
    from hemascope import wiring
    from hemascope.core.errors import RecipeError

    if recipe.patient_model is None:
        if recipe.patient_encoder is not None:
            raise RecipeError("--patient-encoder is for a model of patients: name that with --patient-model")
        return None
    return wiring.build_patient_answering(Path(recipe.patient_model), recipe.patient_encoder, shared=shared)


def _outlines(
    path: Path | None, classes: Sequence[str], sources: Sequence[Source], segmenter: str | None
) -> OutlineShelf | None:
    """Return the imported outlines that were asked for, if any."""
    from hemascope.core.errors import OutlineError
    from hemascope.sources.outline_classes import ClassTable
    from hemascope.sources.outline_shelf import OutlineShelf

    if path is None:
        if classes:
            raise OutlineError("--class says what imported classes mean: name the outlines with --outlines")
        return None
    if segmenter is not None:
        raise OutlineError("--outlines takes the place of a segmenter: leave out --segmenter, or --outlines")
    return OutlineShelf(path, sources, ClassTable.parse(classes))


def _note(result: FieldResult | FailedInput) -> str:
    from hemascope.core.report import FailedInput

    if isinstance(result, FailedInput):
        return "not readable"
    return f"{result.field.id[-32:]}: {len(result.cells)} cells"


def _print_summary(report: SmearReport, out: Path) -> None:
    from rich.console import Console

    from hemascope.cli.summary import (
        count_line,
        differential_table,
        generative_line,
        patient_line,
        red_cell_line,
        scale_line,
    )

    console = Console()
    console.print(differential_table(report))
    console.print(count_line(report), highlight=False)
    console.print(red_cell_line(report), highlight=False)
    if judged := generative_line(report):
        console.print(judged, highlight=False)
    if answered := patient_line(report):
        console.print(answered, highlight=False)
    console.print(scale_line(report), highlight=False)
    for statement in report.statements[:1]:
        console.print(statement, style="bold", highlight=False)
    console.print(f"Report: {out / 'report.html'}", highlight=False, soft_wrap=True)
