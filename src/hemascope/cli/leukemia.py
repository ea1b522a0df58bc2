"""``hemascope leukemia``: what a trained leukemia classifier looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="HMSCAM, the leukemia classifier. Research use only.")


@app.callback()
def leukemia() -> None:
    """HMSCAM, the leukemia classifier. Research use only."""


@app.command("attention")
def attention(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A trial's folder of a run of 'hemascope bench leukemia'.")
    ],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Fields, each seen as a square.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the pictures.")] = Path("attention"),
) -> None:
    """Write the spatial attention and the Grad-CAM of fields as pictures."""
    from importlib.util import find_spec

    from hemascope.app.leukemia_overlays import write_overlays
    from hemascope.core.errors import MissingExtraError

    if find_spec("torch") is None:
        raise MissingExtraError("hemascope leukemia attention", "train")
    for path in write_overlays(model, images, out):
        typer.echo(str(path))
