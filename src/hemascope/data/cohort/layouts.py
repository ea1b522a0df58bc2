"""Folders of other makers as rows of a manifest.

What each looks like was read from code that reads it; ``docs/cohorts.md`` says which code, and what of it is assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from hemascope.core.errors import CohortError
from hemascope.data.cohort.image_folders import aml_hehr, apl_aml, caitomorph
from hemascope.data.cohort.layout_folder import LayoutFolder
from hemascope.data.cohort.manifest import SmearRow
from hemascope.data.cohort.trident_job import trident

LAYOUTS: Mapping[str, Callable[[LayoutFolder], list[SmearRow]]] = {
    "aml-hehr": aml_hehr,
    "apl-aml": apl_aml,
    "caitomorph": caitomorph,
    "trident": trident,
}
"""Name of a layout to what reads it."""


def read_layout(name: str, at: LayoutFolder) -> list[SmearRow]:
    """Return a folder as rows of a manifest, with absolute paths.

    Parameters
    ----------
    name
        One of ``LAYOUTS``.
    at
        Where, and what to take.

    Raises
    ------
    CohortError
        If there is no such layout, or the folder or its table does not have it.
    """
    if name not in LAYOUTS:
        raise CohortError(
            f"there is no layout '{name}'; choose one of {', '.join(LAYOUTS)}, or write a manifest by hand"
        )
    if not at.folder.is_dir():
        raise CohortError(f"{at.folder} is no folder; name the root of the set")
    rows = LAYOUTS[name](replace(at, folder=at.folder.absolute()))
    if not any(row.paths.get("") for row in rows):
        raise CohortError(f"{at.folder} holds no patient in the layout {name} (see docs/cohorts.md); name its root")
    return rows
