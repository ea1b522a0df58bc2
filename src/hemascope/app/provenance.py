"""What made a result, gathered from the running program."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
from collections.abc import Sequence

from hemascope.core.provenance import ModelIdentity, Provenance
from hemascope.core.version import __version__
from hemascope.recipes import Recipe

ANSWERING_PACKAGES = ("numpy", "scipy", "pillow", "opencv-python-headless", "onnxruntime")
"""Packages whose version can change the last digit of a result."""


def gather_provenance(recipe: Recipe, models: Sequence[ModelIdentity], command: str) -> Provenance:
    """Return the provenance of a run that starts now.

    Parameters
    ----------
    recipe
        Resolved.
    models
        The models that answer.
    command
        What was asked, as the user would type it.
    """
    software = {"hemascope": __version__, "python": platform.python_version()}
    software |= {name: importlib.metadata.version(name) for name in ANSWERING_PACKAGES}
    return Provenance(
        software=software,
        models=tuple(models),
        recipe=recipe.model_dump(mode="json"),
        recipe_sha256=recipe.digest(),
        command=command,
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
