"""``hemascope bench``: measure on public data sets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hemascope.app.bench_fields import Progress
    from hemascope.app.bench_record import BenchmarkRun
    from hemascope.app.bench_request import BenchmarkParts

_PIPE_WIDTH = 180


def bench(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="detection, segmentation, classification, redcells, conformal, attributes, "
            "fewshot, transfer, generative, blasts, leukemia, malaria, encoders, diffusion-cost, synthetic, "
            "counterfactuals, cohorts, shortcuts, bag-speed, speed or report.",
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", envvar="HEMASCOPE_DATA", help="Folder with a folder for every set."),
    ] = None,
    split: Annotated[str, typer.Option("--split", metavar="S", help="A value of the split column, or all.")] = "test",
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures here as JSON.")
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures",
            metavar="DIR",
            help="Write every false positive and miss (detection), or plots (generative), here.",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="At most this many images of each set.")
    ] = None,
    segmenter: Annotated[
        str,
        typer.Option(
            "--segmenter", metavar="METHOD", help="network or a model's folder (classical as baseline), or classical."
        ),
    ] = "network",
    folds: Annotated[
        Path | None,
        typer.Option(
            "--folds", metavar="DIR", help="Run folders of a cross-validation, put together (detection, redcells)."
        ),
    ] = None,
    large: Annotated[
        bool, typer.Option("--large", help="Time one image of 10,000 x 10,000 pixels too (speed).")
    ] = False,
    beside: Annotated[
        list[str] | None,
        typer.Option(
            "--beside",
            metavar="METHOD",
            help="Measure this finder too, such as stardist:FOLDER@0.25; a Python file (bag-speed).",
        ),
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option("--encoder", metavar="NAME", help="An encoder by name or folder; may be given again (of cells)."),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", metavar="FILE", help="Recipe of a benchmark that trains (leukemia, malaria)."),
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option("--runs", metavar="DIR", help="Run folders of a benchmark that trains; it resumes from there."),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            "--protocol", metavar="P", help="in-domain, pixels, low-data, left-out, shift or all (generative)."
        ),
    ] = "all",
    denoiser: Annotated[
        Path | None,
        typer.Option("--denoiser", metavar="DIR", help="Folder of a denoiser of images; else the shipped one."),
    ] = None,
) -> None:
    """Measure recall, accuracy, speed or whole runs on public data sets, with 95% intervals and counts."""
    from hemascope import wiring

    run_bench(
        wiring.benchmark_parts(), name, data, split=split, json_file=json_file, pictures=pictures, limit=limit,
        segmenter=segmenter, folds=folds, large=large, beside=tuple(beside or ()),
        encoders=tuple(encoder or ()), recipe=recipe, runs=runs, protocol=protocol, denoiser=denoiser,
    )  # fmt: skip


def run_bench(
    parts: BenchmarkParts,
    name: str,
    data: Path | None,
    *,
    split: str = "test",
    json_file: Path | None = None,
    pictures: Path | None = None,
    limit: int | None = None,
    segmenter: str = "network",
    folds: Path | None = None,
    large: bool = False,
    beside: tuple[str, ...] = (),
    encoders: tuple[str, ...] = (),
    recipe: Path | None = None,
    runs: Path | None = None,
    protocol: str = "all",
    denoiser: Path | None = None,
) -> BenchmarkRun:
    """Run a benchmark, print its tables and write its JSON; raise ``HemascopeError`` with what to do about it."""
    from hemascope.app.bench import run_benchmark
    from hemascope.app.bench_record import write_document
    from hemascope.app.bench_request import BenchmarkRequest
    from hemascope.data.root import data_root

    root = data_root(data) if data is not None else None
    request = BenchmarkRequest(
        name, root, split, segmenter, limit, pictures, folds, large, beside, encoders, recipe, runs, protocol, denoiser
    )
    with _progress_bar() as progress:
        run = run_benchmark(request, parts, progress)
    if json_file is not None:
        write_document(run.document(), json_file)
    print_run(run)
    return run


def print_run(run: BenchmarkRun) -> None:
    """Print the tables of a run."""
    from rich.console import Console
    from rich.table import Table

    from hemascope.app.benchmark_table import benchmark_tables

    console = Console()
    if not console.is_terminal:  # a file or a pipe has no width of its own
        console = Console(width=_PIPE_WIDTH)
    for plain in benchmark_tables(run.document()):
        table = Table(title=plain.title, title_justify="left", show_lines=False)
        for column in plain.columns:
            table.add_column(column, overflow="fold")
        for row in plain.rows:
            table.add_row(*row)
        if plain.rows:
            console.print(table)
    counts = ", ".join(f"{name} {count}" for name, count in run.n.items())
    console.print(f"Split {run.split}; {counts}.", highlight=False)
    console.print(f"This machine: {run.calibration_gflops} GFLOPS in a float32 matrix product.", highlight=False)


@contextmanager
def _progress_bar() -> Iterator[Progress]:
    """Show a bar for whatever is under way, on the error stream so that tables can be piped."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("starting", total=None)

        def show(title: str, done: int, total: int) -> None:
            bars.update(task, description=title, completed=done, total=total)

        yield show
