"""`hemascope synthesize`: cells drawn from a model, marked as such."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemascope.cli.progress import progress_bar

if TYPE_CHECKING:
    from hemascope.app.synthesize import Check, Generator

app = typer.Typer(no_args_is_help=True, help="Synthetic cells, drawn from a model and marked as such.")

ENCODER = "hemascope-s"
"""What the check compares cells by, beside their pixels."""


@app.callback()
def synthesize() -> None:
    """Draw synthetic cells from a model, marked as such."""


@app.command("cells")
def cells(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write; it must be absent or empty.")],
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="NAME", help="A cell type, such as neutrophil; may be given again. Else all."),
    ] = None,
    count: Annotated[int, typer.Option("-n", min=1, max=10_000, help="Cells of each type.")] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed makes the same cells.")] = 0,
    guidance: Annotated[
        float,
        typer.Option("--guidance", min=0, max=20, help="1: as learned; above: more typical and less various."),
    ] = 1.5,
    steps: Annotated[int, typer.Option("--steps", min=2, max=1000, help="From noise to cell.")] = 25,
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar="DIR", help="Folder of a denoiser of images; else the shipped one."),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            "--check", metavar="DIR", help="Folder of the public sets: are the cells copies of training cells?"
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Draw cells of the types asked for: PNG files that say what they are, a table, a sheet to look at, a card.

    Made, not photographed: never test on them.
    """
    from hemascope import wiring
    from hemascope.app.synthesize import SynthesisRequest, passes_of
    from hemascope.app.synthesize import synthesize as write_cells

    request = SynthesisRequest(
        classes=tuple(classes or ()), count=count, seed=seed, out=out, guidance=guidance, steps=steps,
        command=shlex.join(["hemascope", *sys.argv[1:]]),
    )  # fmt: skip
    generator = wiring.build_generator(model)
    comparison = _comparison(generator, check, quiet=quiet) if check is not None else None
    with progress_bar("drawing cells", passes_of(request, generator), quiet=quiet) as bar:
        folder = write_cells(request, generator, bar.move_to, comparison)
    if not quiet:
        made = len(dict.fromkeys(request.classes)) or len(generator.denoiser.classes)
        typer.echo(f"{made * count} synthetic cells in {folder}; README.md there says what they are.")
        if comparison is not None:
            _print_check(folder)


def _comparison(generator: Generator, data: Path, *, quiet: bool) -> Check:
    from hemascope import wiring
    from hemascope.app.synthetic_check import training_check
    from hemascope.data.root import data_root

    def progress(title: str, done: int, total: int) -> None:
        if not quiet and done == total:
            typer.echo(f"{title}: {total}", err=True)

    return training_check(generator, wiring.build_protocol_encoder(ENCODER), data_root(data), progress)


def _print_check(folder: Path) -> None:
    """Print what the check found, as it stands in its file."""
    import json

    from hemascope.app.synthetic_check import CHECK_FILE, PAIRS_FILE

    found = json.loads((folder / CHECK_FILE).read_text("utf-8"))
    for way, figures in found.items():
        if not isinstance(figures, dict) or "ratio_below_real" not in figures:
            continue
        near, ratio = (figures[name]["value"] for name in ("median_over_real", "ratio_below_real"))
        typer.echo(
            f"Nearest training cell by {way}: median distance {near:.2f} times that of held-out real cells; "
            f"{ratio:.1%} look copied, where 1% of real cells would."
        )
    typer.echo(f"The nearest pairs: {folder / PAIRS_FILE}")
