"""One tree of errors; every message says what was wrong, where, and what to do.

::

    HemascopeError
    |-- InputError                 what the user gave
    |   |-- UnreadableImageError   one file: not an image, truncated, empty
    |   |-- ImageTooLargeError     one file: more pixels than the limit
    |   |-- NoImagesError          paths that hold no image at all
    |   |-- ScaleError             a scale that is missing, implausible or contradictory
    |   |-- RecipeError            a recipe or prior: unknown key, wrong type, wrong value
    |   |-- DataSetError           a public data set: absent, incomplete, malformed row
    |   |-- OutlineError           outlines made elsewhere: malformed, of unknown class, of another image
    |   `-- CohortError            patients: a manifest, labels, splits or embeddings that do not fit together
    |-- OutputError                a place that cannot be written
    |-- WeightsError               a model: missing, wrong digest, wrong layout
    `-- MissingExtraError          an optional dependency that is not installed
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Self


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


class OutlineError(InputError):
    """Outlines made elsewhere that are malformed, of an unknown class, or of another image."""


class CohortError(InputError):
    """Patients whose manifest, labels, splits or embeddings are malformed or do not fit together."""


class OutputError(HemascopeError):
    """A place that cannot be written."""

    @classmethod
    def at(cls, path: Path, error: OSError) -> Self:
        """Return the error for ``path`` that could not be written because of ``error``, with what to do about it."""
        advice = _WRITE_ADVICE.get(error.errno or 0, "choose another place with --out")
        return cls(f"cannot write {path}: {error.strerror or error}; {advice}")


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


_WRITE_ADVICE = {
    errno.ENOSPC: "free some disk space, or choose another place with --out",
    errno.EDQUOT: "free some of your disk quota, or choose another place with --out",
    errno.EACCES: "allow writing there, or choose another place with --out",
    errno.EPERM: "allow writing there, or choose another place with --out",
    errno.EROFS: "that file system is read-only; choose another place with --out",
    errno.ENOENT: "create that folder first, or choose another place with --out",
    errno.ENOTDIR: "a part of that path is a file; choose another place with --out",
    errno.EISDIR: "a folder has that name; move it away, or choose another place with --out",
    errno.ENOTEMPTY: "a folder has that name; move it away, or choose another place with --out",
}
