"""Facts of this machine: a setting must not change results.

Read from the environment: ``HEMASCOPE_THREADS``, ``HEMASCOPE_MAX_PIXELS``, ``HEMASCOPE_MODELS`` and
``HEMASCOPE_HUB_TOKEN``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hemascope.core.errors import RecipeError

MAX_PIXELS = 120_000_000
"""A little over 10,000 x 10,000: larger files are refused before they are decoded."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What this machine allows.

    Attributes
    ----------
    threads
        Threads a network may use; 0 lets the runtime decide.
    max_pixels
        Largest image that is decoded.
    models
        Folder of the models that were pulled.
    hub_token
        What lets this user in at huggingface.co, or ""; goes to no other place and is never shown.
    """

    threads: int = 0
    max_pixels: int = MAX_PIXELS
    models: Path = Path.home() / ".cache" / "hemascope" / "models"
    hub_token: str = field(default="", repr=False)


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings in force.

    Parameters
    ----------
    environment
        Variable to value; that of the process where None.

    Raises
    ------
    RecipeError
        If a variable holds no whole number, or a negative one.
    """
    values = os.environ if environment is None else environment
    return Settings(
        threads=_whole(values, "HEMASCOPE_THREADS", 0),
        max_pixels=_whole(values, "HEMASCOPE_MAX_PIXELS", MAX_PIXELS),
        models=_models(values),
        hub_token=values.get("HEMASCOPE_HUB_TOKEN", ""),
    )


def _models(values: Mapping[str, str]) -> Path:
    """Return where pulled models lie: as named, or in the user's cache."""
    named = values.get("HEMASCOPE_MODELS")
    if named:
        return Path(named).expanduser()
    cache = values.get("XDG_CACHE_HOME") or values.get("LOCALAPPDATA") or "~/.cache"
    return Path(cache).expanduser() / "hemascope" / "models"


def _whole(values: Mapping[str, str], name: str, default: int) -> int:
    text = values.get(name)
    if text is None:
        return default
    if not text.isdecimal():
        raise RecipeError(f"{name} is '{text}', which is no whole number; set it to one, or unset it")
    return int(text)
