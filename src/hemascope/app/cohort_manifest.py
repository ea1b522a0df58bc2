"""The use case of writing a manifest for a folder of another maker."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hemascope.core.errors import CohortError
from hemascope.data.cohort.layout_folder import LayoutFolder
from hemascope.data.cohort.layouts import read_layout
from hemascope.data.cohort.manifest import SmearRow, manifest_text
from hemascope.embed.store import write_whole


@dataclass(frozen=True, slots=True)
class WrittenManifest:
    """What was written.

    Attributes
    ----------
    path
        The manifest.
    patients, smears
        How many.
    excluded
        Rows with a reason to be left out.
    images
        Rows whose path is a folder of images, which must be embedded first.
    """

    path: Path
    patients: int
    smears: int
    excluded: int
    images: int


def write_manifest(layout: str, at: LayoutFolder, out: Path, features: Path | None = None) -> WrittenManifest:
    """Write the manifest of a folder.

    Parameters
    ----------
    layout
        One of ``data.cohort.layouts.LAYOUTS``.
    at
        The folder, and what to take of it.
    out
        The manifest; replaced if it is there.
    features
        A table of embeddings of all images below the folder, as ``hemascope embed FOLDER`` writes it; takes the place
        of folders of images.

    Raises
    ------
    CohortError
        If the folder has not that layout, or the table is not there.
    OutputError
        If the manifest cannot be written.
    """
    if features is not None and not features.exists():
        raise CohortError(
            f"{features} is not there; write it with hemascope embed {at.folder} --encoder NAME --out DIR"
        )
    rows = [_placed(row, out, features) for row in read_layout(layout, at)]
    write_whole(out, manifest_text(rows).encode())
    return WrittenManifest(
        out,
        len({row.patient for row in rows}),
        len(rows),
        sum(1 for row in rows if row.excluded),
        _count_folders(rows, out),
    )


def _placed(row: SmearRow, out: Path, features: Path | None) -> SmearRow:
    """Return a row whose paths start at the manifest's folder."""
    paths = dict(row.paths)
    if features is not None and paths[""] and Path(paths[""]).is_dir():
        paths[""] = str(features)
    return replace(row, paths={name: _relative(path, out) for name, path in paths.items()})


def _relative(path: str, out: Path) -> str:
    if not path:
        return ""
    try:
        return Path(os.path.relpath(path, out.absolute().parent)).as_posix()
    except ValueError:  # on another drive
        return Path(path).absolute().as_posix()


def _count_folders(rows: Sequence[SmearRow], out: Path) -> int:
    home = out.absolute().parent
    return sum(1 for row in rows if row.paths[""] and (home / row.paths[""]).is_dir() and not _is_zarr(row.paths[""]))


def _is_zarr(path: str) -> bool:
    return path.lower().endswith(".zarr")
