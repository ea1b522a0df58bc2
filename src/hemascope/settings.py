"""Facts of this machine: a setting must not change results.

Read from the environment: ``HEMASCOPE_THREADS`` and ``HEMASCOPE_MAX_PIXELS``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

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
    """

    threads: int = 0
    max_pixels: int = MAX_PIXELS


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
        threads=_whole(values, "HEMASCOPE_THREADS", 0), max_pixels=_whole(values, "HEMASCOPE_MAX_PIXELS", MAX_PIXELS)
    )


def _whole(values: Mapping[str, str], name: str, default: int) -> int:
    text = values.get(name)
    if text is None:
        return default
    if not text.isdecimal():
        raise RecipeError(f"{name} is '{text}', which is no whole number; set it to one, or unset it")
    return int(text)
