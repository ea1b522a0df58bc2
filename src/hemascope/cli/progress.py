"""One look for every progress bar: on stderr, with rate and time left, silent where asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Bar:
    """A running progress bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def advance(self, note: str = "") -> None:
        """Move on by one, with a short note beside the bar."""
        self._progress.update(self._task, advance=1, note=note)

    def move_to(self, done: int, note: str = "") -> None:
        """Move to ``done``, with a short note beside the bar."""
        self._progress.update(self._task, completed=done, note=note)

    def move_within(self, done: int, total: int, note: str = "") -> None:
        """Move to ``done`` of a total that is known only now, with a short note beside the bar."""
        self._progress.update(self._task, completed=done, total=total, note=note)


@contextmanager
def progress_bar(title: str, total: int, *, quiet: bool = False) -> Iterator[Bar]:
    """Show a progress bar while the block runs.

    Parameters
    ----------
    title
        What is going on.
    total
        Steps to go.
    quiet
        Show nothing.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
    )
    console = Console(stderr=True, quiet=quiet)
    with Progress(*columns, console=console, transient=not console.is_terminal, disable=quiet) as progress:
        yield Bar(progress, progress.add_task(title, total=total, note=""))
