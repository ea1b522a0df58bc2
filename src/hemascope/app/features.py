"""The use case `features`: feature files of other tools, shown and put together into one table."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hemascope.app.embed import BagSink
from hemascope.core.errors import InputError
from hemascope.core.report import FailedInput
from hemascope.core.version import __version__
from hemascope.sources.feature_files import FeatureFile, read_features, slide_names

OnFile = Callable[[str], None]
"""Called after every file with its name."""


@dataclass(slots=True)
class GatheredFeatures:
    """What was read.

    Attributes
    ----------
    shown
        A row a file: title of a column to text.
    failed
        Files that could not be read.
    path
        The table; None where none was asked for.
    """

    shown: list[dict[str, str]] = field(default_factory=list)
    failed: list[FailedInput] = field(default_factory=list)
    path: Path | None = None


def gather_features(paths: Sequence[Path], sink: BagSink | None, command: str, on_file: OnFile) -> GatheredFeatures:
    """Read feature files one after another, and write them as one table.

    Parameters
    ----------
    paths
        The files.
    sink
        Takes what they hold; None to only look.
    command
        What was asked, as the user would type it.
    on_file
        Called after every file.

    Raises
    ------
    InputError
        If no file could be read, or files that are to share a table were made by different encoders or mean different
        things by a row.
    OutputError
        If the table cannot be written.
    """
    gathered = GatheredFeatures()
    first: FeatureFile | None = None
    try:
        for path, name in zip(paths, slide_names(paths), strict=True):
            on_file(name[-32:])
            try:
                read = read_features(path, name)
            except InputError as error:
                gathered.failed.append(FailedInput(str(path), type(error).__name__, str(error)))
                continue
            gathered.shown.append(_shown(read))
            if sink is not None:
                first = first or read
                _check_alike(first, read)
                sink.add(read.bag)
        if not gathered.shown:
            raise InputError(f"none of the {len(paths)} files could be read; the first: {gathered.failed[0].message}")
        if sink is not None and first is not None:
            gathered.path = sink.finish(_facts(first, gathered, command))
    except BaseException:
        if sink is not None:
            sink.abandon()
        raise
    return gathered


def _check_alike(first: FeatureFile, other: FeatureFile) -> None:
    for what, one, two in (
        ("made by", first.encoder or "an unnamed encoder", other.encoder or "an unnamed encoder"),
        ("written by", first.tool, other.tool),
        ("of level", first.level, other.level),
    ):
        if one != two:
            raise InputError(
                f"{other.path} is {what} {two}, {first.path} {what} {one}: one table cannot hold both; name them apart"
            )


def _shown(read: FeatureFile) -> dict[str, str]:
    rows, length = read.bag.embeddings.values.shape
    return {
        "name": read.bag.name,
        "tool": read.tool,
        "level": read.level,
        "rows": str(rows),
        "numbers": str(length),
        "type": read.stored,
        "encoder": read.encoder or "not named",
        "tile px": "" if read.tile_px is None else f"{read.tile_px:g}",
        "tile um": "" if read.tile_um is None else f"{read.tile_um:g}",
        "centers": "none" if read.bag.centers is None else read.bag.unit,
        "notes": "; ".join(read.notes),
    }


def _facts(first: FeatureFile, gathered: GatheredFeatures, command: str) -> dict[str, object]:
    """Return what the table says of its making."""
    return {
        "encoder": {"name": first.encoder, "dimension": first.bag.embeddings.values.shape[1]},
        "features": {
            "tool": first.tool, "level": first.level, "tile_px": first.tile_px, "tile_um": first.tile_um,
        },
        "provenance": json.dumps({"command": command, "software": {"hemascope": __version__}}, sort_keys=True),
        "failed": [failed.message for failed in gathered.failed],
    }  # fmt: skip
