"""`hemascope data`: data sets, and smears painted by this package."""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Data sets, and smears painted with known truth.", no_args_is_help=True)


class StyleName(StrEnum):
    """How painted fields look."""

    RANDOM = "random"
    CLEAN = "clean"


@app.callback()
def data() -> None:
    """Handle data sets, and paint smears with known truth."""


def _size(text: str) -> tuple[int, int]:
    """Read ``640x480``; raise ``typer.BadParameter`` for anything else."""
    found = re.fullmatch(r"(\d{1,6})x(\d{1,6})", text.strip().lower())
    if found is None:
        raise typer.BadParameter(f"'{text}' is no size; give width x height in pixels, such as 640x480")
    return int(found[1]), int(found[2])


@app.command()
def synthesize(
    out: Annotated[Path, typer.Option("--out", help="Folder to write; it must be absent or empty.")],
    fields: Annotated[int, typer.Option("--fields", min=1, help="Number of fields.")] = 20,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed paints the same fields.")] = 0,
    mpp: Annotated[float, typer.Option("--mpp", help="Scale in um per pixel.")] = 0.1,
    size: Annotated[str, typer.Option("--size", help="Width x height in pixels.")] = "640x480",
    style: Annotated[
        StyleName, typer.Option("--style", help="random: another laboratory for each field; clean: sharp, evenly lit.")
    ] = StyleName.RANDOM,
) -> None:
    """Paint stained blood smear fields with known truth: images, masks, boxes and cell types.

    Generated, not photographed: figures measured on them say nothing about real smears.
    """
    width, height = _size(size)
    # Imported here: drawing libraries must not slow down --help.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from hemascope.synth.smear import SmearStyle
    from hemascope.synth.write import write_smear

    columns = (TextColumn("Painting fields"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("fields", total=fields)
        folder = write_smear(
            out,
            fields,
            seed,
            width=width,
            height=height,
            mpp=mpp,
            style=SmearStyle() if style is StyleName.CLEAN else SmearStyle.sample,
            progress=lambda done: bar.update(task, completed=done),
        )
    typer.echo(f"{fields} synthetic fields in {folder}; truth.json says how they were made")


@app.command()
def outlines(
    name: Annotated[str, typer.Argument(metavar="SET", help="A set with mask images: wbc_seg or bccd.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write; it must be absent or empty.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", envvar="HEMASCOPE_DATA", help="Folder with a folder for every set."),
    ] = None,
) -> None:
    """Write the images and masks of a public set as images, QuPath outlines and a split, to fine-tune the finder on.

    Its test split is left out.
    """
    from hemascope.app.mask_outlines import write_outlines
    from hemascope.data.catalog import open_fields
    from hemascope.data.root import data_root

    version = "original" if name == "bccd" else None
    count = write_outlines(open_fields(name, data_root(data), version=version), out)
    typer.echo(f"{count} images of {name} with outlines and split.csv in {out}")
