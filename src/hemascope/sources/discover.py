"""From what the user named to a list of images: files, folders and globs."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hemascope.core.errors import InputError, NoImagesError

IMAGE_SUFFIXES: frozenset[str] = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".tif", ".tiff"})
"""File name endings, in lower case, by which an image is known in a folder or a glob."""

_KINDS = "JPEG, PNG, BMP and TIFF"


@dataclass(frozen=True, slots=True)
class Source:
    """One image file to read.

    Attributes
    ----------
    path
        The file, as reached from what the user named.
    field_id
        Path with ``/`` relative to the folder the user named, unique in the list; where two folders hold the
        same relative path, the names of the folders above come first.
    """

    path: Path
    field_id: str


@dataclass(frozen=True, slots=True)
class _Found:
    """A file, and how many of the last parts of its absolute path make up its id."""

    path: Path
    parts: int


def discover(arguments: Sequence[str | Path]) -> list[Source]:
    """Return the images named by ``arguments``, each file once, in the order of the arguments.

    A folder is searched through all its subfolders, in natural order (``2.png`` before ``10.png``), for names that
    end like an image; hidden files and folders are left out, and links to folders are not followed. A file named
    explicitly is always listed, whatever its name. A glob that the shell did not expand is expanded here.

    Parameters
    ----------
    arguments
        Files, folders or globs (``*``, ``?``, ``[...]``, ``**``).

    Raises
    ------
    InputError
        If a path does not exist or a folder cannot be listed.
    NoImagesError
        If nothing was named, or a folder or glob holds no image.
    """
    if not arguments:
        raise NoImagesError("no image was named; give image files, folders or globs")
    found: dict[str, _Found] = {}
    for argument in arguments:
        for file in _expand(str(argument)):
            found.setdefault(os.path.realpath(file.path), file)
    return _with_unique_ids(list(found.values()))


def natural_key(path: Path) -> tuple[tuple[tuple[int, int, str], ...], ...]:
    """Return a sort key under which numbers inside names compare as numbers, part by part of the path."""
    return tuple(tuple(_chunk(c) for c in re.split(r"([0-9]+)", part) if c) for part in path.parts)


def _chunk(text: str) -> tuple[int, int, str]:
    return (0, int(text), text) if re.fullmatch(r"[0-9]+", text) else (1, 0, text.casefold() + "\0" + text)


def _expand(argument: str) -> list[_Found]:
    path = Path(argument)
    if not argument:
        raise InputError("an empty path was given; name an image file, a folder or a glob")
    if path.is_dir():
        return _in_folder(path)
    if os.path.lexists(path):  # a broken or circular link too: the reader says what is wrong with it
        return [_Found(path, 1)]
    if glob.has_magic(argument):
        return _in_glob(argument)
    raise InputError(f"{argument} does not exist; check the spelling and the current folder")


def _in_folder(folder: Path) -> list[_Found]:
    files = sorted(_walk(folder), key=natural_key)
    if not files:
        raise NoImagesError(
            f"no image in the folder {folder}; it is searched for {_KINDS} files by the ending of their names: "
            "name the files themselves if theirs end otherwise"
        )
    return [_Found(file, len(file.relative_to(folder).parts)) for file in files]


def _walk(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder, onerror=_cannot_list):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(where, name) for name in names if _looks_like_image(name))


def _looks_like_image(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def _cannot_list(error: OSError) -> None:
    raise InputError(
        f"cannot list the folder {error.filename}: {error.strerror}; allow reading it, or name other folders"
    ) from error


def _in_glob(pattern: str) -> list[_Found]:
    base = _fixed_part(Path(pattern))
    files = [Path(match) for match in glob.glob(pattern, recursive=True)]  # noqa: PTH207 - absolute patterns too
    files = sorted((f for f in files if _looks_like_image(f.name) and not f.is_dir()), key=natural_key)
    if not files:
        raise NoImagesError(
            f"no image matches {pattern}; it must match {_KINDS} files by their names: "
            "check the pattern, or name a folder to search it whole"
        )
    return [_Found(file, len(file.relative_to(base).parts)) for file in files]


def _fixed_part(pattern: Path) -> Path:
    parts = pattern.parts
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:first])


def _with_unique_ids(found: list[_Found]) -> list[Source]:
    # abspath, not resolve: an id keeps the name by which the user reached the file, not what a link leads to.
    full = [Path(os.path.abspath(file.path)).parts for file in found]  # noqa: PTH100
    lengths = [file.parts for file in found]
    while True:
        ids = ["/".join(parts[-n:]).replace("//", "/") for parts, n in zip(full, lengths, strict=True)]
        counts = Counter(ids)
        clashes = [i for i, name in enumerate(ids) if counts[name] > 1 and lengths[i] < len(full[i])]
        if not clashes:
            return [Source(file.path, name) for file, name in zip(found, ids, strict=True)]
        for i in clashes:
            lengths[i] += 1
