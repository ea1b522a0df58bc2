"""`hemascope models`: what there is, what it asks, fetching it, and whether it is whole."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hemascope.app.download import OnBytes

app = typer.Typer(help="Models: list, show, pull, verify, export.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name in `hemascope models list`.")]


@app.callback()
def models() -> None:
    """Handle models: those that ship, and encoders of others."""


@app.command("list")
def list_() -> None:
    """List the models that ship, those that were pulled, and those that can be."""
    from rich.console import Console
    from rich.table import Table

    from hemascope.app.models import list_models
    from hemascope.settings import read_settings

    table = Table(title="Models")
    for column in ("name", "task", "state", "dimension", "license", "MB"):
        table.add_column(column, justify="right" if column in ("dimension", "MB") else "left", no_wrap=column == "name")
    for row in list_models(read_settings().models):
        size = "" if row.size is None else f"{row.size / 1e6:.1f}"
        table.add_row(row.name, row.task, row.state, str(row.dimension or ""), row.license, size)
    Console().print(table)


@app.command()
def show(name: Name) -> None:
    """Show everything that is known of an encoder, its terms among it."""
    from hemascope.app.models import show_model
    from hemascope.settings import read_settings

    for key, value in show_model(name, read_settings().models):
        typer.echo(f"{key}: {value}")


@app.command()
def pull(
    name: Name,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="The published file on this machine; not fetched.")
    ] = None,
    accept_terms: Annotated[bool, typer.Option("--accept-terms", help="I accept the terms that are shown.")] = False,
    sha256: Annotated[str | None, typer.Option("--sha256", help="Digest the published file must have.")] = None,
    no_graph: Annotated[
        bool, typer.Option("--no-graph", help="Convert the tensors alone; `models export` writes the graph later.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Model folder to make; default: NAME in HEMASCOPE_MODELS.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Fetch published weights, check them, and make a model folder of them, whole or not at all."""
    from hemascope.app.pull import PullRequest, pull_model
    from hemascope.settings import read_settings
    from hemascope.zoo.installed import folder_of
    from hemascope.zoo.registry import encoder_entry

    settings, entry = read_settings(), encoder_entry(name)
    typer.echo(f"{entry.title}\nTerms: {entry.terms}", err=True)
    request = PullRequest(
        entry=entry,
        folder=out or folder_of(entry, settings.models),
        source=source,
        accepted=accept_terms,
        sha256=sha256 or "",
        with_graph=not no_graph,
        command=shlex.join(["hemascope", "models", "pull", name]),
        token=settings.hub_token,
    )
    with _bytes_bar(f"fetching {entry.file}", quiet or source is not None) as on_bytes:
        card = pull_model(request, on_bytes)
    if card.origin is not None and not card.origin.verified:
        typer.echo(f"hemascope: no digest of {entry.file} was known; it has sha256 {card.origin.sha256}", err=True)
    typer.echo(f"Model: {request.folder}")


@app.command()
def verify() -> None:
    """Compare every file of the models that ship or were pulled with the digest in its card."""
    from hemascope.app.models import verify_models
    from hemascope.core.errors import WeightsError
    from hemascope.settings import read_settings

    checks = verify_models(read_settings().models)
    for check in checks:
        typer.echo(f"{check.model}/{check.file}: {check.fault or 'as its card says'}")
    wrong = [f"{check.model}/{check.file}" for check in checks if check.fault]
    if wrong:
        raise WeightsError(f"{len(wrong)} of {len(checks)} files are damaged: {', '.join(wrong)}; get them again")


@app.command()
def export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An encoder that was pulled, or its model folder.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Model folder to make; default: the one the tensors lie in.")
    ] = None,
) -> None:
    """Write the graph of an encoder's tensors, proven equal to the network, with its card."""
    from hemascope.app.pull import export_model
    from hemascope.settings import read_settings

    typer.echo(f"Model: {export_model(name, read_settings().models, out)}")


@contextmanager
def _bytes_bar(title: str, quiet: bool) -> Iterator[OnBytes]:
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
