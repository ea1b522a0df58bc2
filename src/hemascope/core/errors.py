"""One tree of errors; every message says what was wrong, where, and what to do.

::

    HemascopeError
    |-- InputError                 what the user gave
    |   |-- UnreadableImageError   one file: not an image, truncated, empty
    |   |-- ImageTooLargeError     one file: more pixels than the limit
    |   |-- NoImagesError          paths that hold no image at all
    |   |-- ScaleError             a scale that is missing, implausible or contradictory
    |   |-- RecipeError            a recipe or prior: unknown key, wrong type, wrong value
    |   `-- DataSetError           a public data set: absent, incomplete, malformed row
    |-- OutputError                a place that cannot be written
    |-- WeightsError               a model: missing, wrong digest, wrong layout
    `-- MissingExtraError          an optional dependency that is not installed
"""

from __future__ import annotations


class HemascopeError(Exception):
    """Base of every error this package raises on purpose."""


class InputError(HemascopeError):
    """Something the user gave cannot be used."""


class UnreadableImageError(InputError):
    """A file that is not an image, is truncated or is empty."""


class ImageTooLargeError(InputError):
    """An image with more pixels than the limit in force."""


class NoImagesError(InputError):
    """Paths in which no image was found."""


class ScaleError(InputError):
    """A scale that is missing where it is needed, implausible or contradictory."""


class RecipeError(InputError):
    """A recipe, prior or settings file with an unknown key or an invalid value."""


class DataSetError(InputError):
    """A public data set that is absent, incomplete or malformed."""


class OutputError(HemascopeError):
    """A place that cannot be written."""


class WeightsError(HemascopeError):
    """A model whose files are missing, damaged or of another layout."""


class MissingExtraError(HemascopeError):
    """An optional dependency that is not installed.

    Parameters
    ----------
    feature
        What the user asked for, such as ``"cells.parquet"``.
    extra
        The extra that brings it, such as ``"scverse"``.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra '{extra}'. Install it with: pip install 'hemascope[{extra}]'")
        self.feature = feature
        self.extra = extra
