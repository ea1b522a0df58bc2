"""`hemascope train finetune`: a laboratory's own outlines to a finder of its own."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemascope.cli.progress import progress_bar

if TYPE_CHECKING:
    from hemascope.evaluate.outline_agreement import Comparison
    from hemascope.recipes import FineTuneRecipe


def finetune(
    images: Annotated[str, typer.Argument(metavar="IMAGES", help="A folder or a glob of field images.")],
    outlines: Annotated[Path, typer.Argument(metavar="OUTLINES", help="Their outlines: a file or a folder of them.")],
    mpp: Annotated[
        float | None,
        typer.Option("--mpp", help="Micrometers per pixel of every image; otherwise read or estimated."),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="NAME=KIND", help="What a class in the outlines means; '*' for all others."),
    ] = None,
    incomplete: Annotated[
        bool,
        typer.Option("--incomplete", help="Not every cell is outlined: what is not is neither taught nor punished."),
    ] = False,
    val: Annotated[
        float | None, typer.Option("--val", metavar="FRACTION", help="Share of the images that validates.")
    ] = None,
    split: Annotated[
        Path | None, typer.Option("--split", help="CSV with the columns image and split (train or val), instead.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--from", help="Model folder to start from; default: the shipped finder.")
    ] = None,
    recipe: Annotated[Path | None, typer.Option("--recipe", help="Fine-tuning recipe (TOML).")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Steps at most; instead of the recipe's.")] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="Run folder with log and checkpoints; default: runs/NAME. Resumes.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the finished model; default: the run folder's 'model'.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Fine-tune the finder on a laboratory's own outlines, and show what it gained on images it did not learn from."""
    from hemascope import wiring
    from hemascope.app.finetune import FineTuneRequest, finetune_finder
    from hemascope.core.units import Scale, ScaleSource
    from hemascope.settings import read_settings
    from hemascope.sources.discover import discover
    from hemascope.sources.outline_classes import ClassTable
    from hemascope.sources.outline_shelf import OutlineShelf
    from hemascope.sources.raster import RasterReader
    from hemascope.zoo.shipped import FINDER, shipped_folder

    resolved = _resolve(recipe, steps, val)
    sources = discover([images])
    request = FineTuneRequest(
        sources=sources,
        reader=RasterReader(max_pixels=read_settings().max_pixels),
        shelf=OutlineShelf(outlines, sources, ClassTable.parse(classes or ())),
        start=start or shipped_folder(FINDER),
        open_model=wiring.folder_segmenter,
        scale=Scale(mpp, ScaleSource.STATED) if mpp is not None else None,
        split=split,
        complete=not incomplete,
        run=run,
        out=out,
        command=shlex.join(["hemascope", *sys.argv[1:]]),
    )
    with progress_bar("fine-tuning", resolved.steps, quiet=quiet) as bar:
        done = finetune_finder(request, resolved, lambda s, _, loss: bar.move_to(s, f"loss {loss:.3f}"))
    for note in done.notes:
        typer.echo(f"hemascope: {note}", err=True)
    _print_table(done.rows)
    typer.echo(f"Model: {done.model}")


def _resolve(recipe: Path | None, steps: int | None, val: float | None) -> FineTuneRecipe:
    """Return the recipe in force: flags before the file before the defaults."""
    from hemascope.recipes import FineTuneRecipe, load_recipe, override

    return override(load_recipe(recipe, FineTuneRecipe) if recipe else FineTuneRecipe(), steps=steps, val_share=val)


def _print_table(rows: Sequence[Comparison]) -> None:
    from rich.console import Console
    from rich.table import Table

    from hemascope.app.before_after import shown

    table = Table(title="Before and after, on the validation images (95% intervals over images)")
    for name in ("kind", "figure", "n", "before", "after", "gain"):
        table.add_column(name, justify="left" if name in ("kind", "figure") else "right")
    for row in rows:
        kind = row.kind.value.replace("_", " ")
        table.add_row(
            kind, row.name, f"{row.labeled:g}", shown(row.before), shown(row.after), shown(row.gain, sign="+")
        )
    Console().print(table)
