"""Which image a file of outlines belongs to, by the names of both."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from hemascope.sources.discover import IMAGE_SUFFIXES, Source

JSON_SUFFIXES = (".geojson", ".json", ".geojson.gz", ".json.gz")
LABEL_SUFFIXES = (".png", ".tif", ".tiff")

_LABEL_ENDING = re.compile(
    r"[_-](cp_masks?|labels?|masks?|seg|segmentation|instances?|outlines?|cells?)$", re.IGNORECASE
)


def outline_suffix(name: str) -> str:
    """Return the ending by which a file of outlines is known, in lower case, or ""."""
    lower = name.lower()
    found = [suffix for suffix in (*JSON_SUFFIXES, *LABEL_SUFFIXES) if lower.endswith(suffix)]
    return max(found, key=len, default="")


def base_name(name: str) -> str:
    """Return what remains of a file's name without its endings: ``a`` for ``a_labels.tif`` and ``a.png.geojson``."""
    name = PurePosixPath(name.replace("\\", "/")).name
    stem = name[: len(name) - len(outline_suffix(name))] if outline_suffix(name) else name
    stem = _without_image_suffix(stem)
    return _LABEL_ENDING.sub("", stem) or stem


class Fit(NamedTuple):
    """How well a name fits, and what: no image, one, or several equally well.

    Attributes
    ----------
    quality
        Whether the names are the same to the letter, and how many folders above them are; higher is better.
    sources
        The images.
    """

    quality: tuple[int, int]
    sources: Sequence[Source]


NO_FIT = Fit((-1, 0), ())


class ImageNames:
    """Finds images by names that other files use for them.

    Parameters
    ----------
    sources
        The images.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._ids = {_clean(source.field_id): source for source in sources}
        self._by_stem: dict[str, list[tuple[tuple[str, ...], Source]]] = {}
        for source in sources:
            parts = Path(os.path.abspath(source.path)).parts  # noqa: PTH100 - as named, not what a link leads to
            self._by_stem.setdefault(_without_image_suffix(parts[-1]), []).append((parts, source))

    def find(self, name: str) -> Fit:
        """Return the images that ``name``, a path or its end, fits best.

        A name with the ending of an image fits one of the same name better than one of another ending; folders are
        compared from the last on.
        """
        if name in self._ids:
            return Fit((2, 0), [self._ids[name]])
        parts = tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))
        if not parts:
            return NO_FIT
        scored = [
            ((int(parts[-1] == image[-1]), _shared(parts[:-1], image[:-1])), source)
            for image, source in self._by_stem.get(_without_image_suffix(parts[-1]), [])
        ]
        best = max((score for score, _ in scored), default=NO_FIT.quality)
        return Fit(best, [source for score, source in scored if score == best])

    def find_file(self, path: Path) -> Fit:
        """Return the images that a file of outlines fits best by its own name."""
        folder = Path(os.path.abspath(path)).parent.as_posix()  # noqa: PTH100 - as named, not what a link leads to
        name = path.name[: len(path.name) - len(outline_suffix(path.name))]
        fit = self.find(f"{folder}/{name}")
        return fit if fit.sources else self.find(f"{folder}/{base_name(path.name)}")


def _without_image_suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix
    return name[: -len(suffix)] if suffix.lower() in IMAGE_SUFFIXES and name != suffix else name


def _shared(first: Sequence[str], second: Sequence[str]) -> int:
    """Return how many of the last parts are the same."""
    count = 0
    for a, b in zip(reversed(first), reversed(second), strict=False):
        if a != b:
            break
        count += 1
    return count


def _clean(field_id: str) -> str:
    """Return an id as our exports write it: bytes of a name that are no UTF-8 are spelled out."""
    return field_id.encode("utf-8", "backslashreplace").decode("utf-8")
