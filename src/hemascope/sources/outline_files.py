"""One file to outlines, whatever its format; a folder to the files in it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hemascope.core.errors import OutlineError
from hemascope.core.outline import FieldOutlines
from hemascope.sources.coco_outlines import looks_like_coco, read_coco
from hemascope.sources.discover import natural_key
from hemascope.sources.geojson_outlines import looks_like_geojson, read_geojson
from hemascope.sources.json_values import MAX_BYTES, parse_json
from hemascope.sources.label_classes import class_file_of, is_class_file, read_classes
from hemascope.sources.label_outlines import label_outlines, read_labels
from hemascope.sources.outline_classes import ClassTable
from hemascope.sources.outline_names import JSON_SUFFIXES, base_name, outline_suffix


@dataclass(frozen=True, slots=True)
class OutlineFile:
    """What one file holds.

    Attributes
    ----------
    path
        The file.
    sha256
        Of its bytes and, where a second file gives the classes, of both digests.
    fields
        One record a field.
    """

    path: Path
    sha256: str
    fields: tuple[FieldOutlines, ...]


def files_in(path: Path) -> list[Path]:
    """Return the files of outlines at ``path``: the file itself, or those of a folder and its subfolders.

    Of a folder that `hemascope analyze` wrote it is ``cells.geojson``. Hidden files and tables of classes are left out.

    Raises
    ------
    OutlineError
        If there is nothing, or nothing that can hold outlines.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise OutlineError(f"{path} does not exist; name a file of outlines or a folder of them")
    if (path / "report.json").is_file() and (path / "cells.geojson").is_file():
        return [path / "cells.geojson"]
    found = [Path(where, name) for where, folders, names in os.walk(path) for name in _visible(folders, names)]
    found = sorted((f for f in found if outline_suffix(f.name) and not is_class_file(f)), key=natural_key)
    if not found:
        raise OutlineError(f"{path} holds no file of outlines: GeoJSON, COCO JSON, or label images as TIFF or PNG")
    return found


def read_file(path: Path, classes: ClassTable) -> OutlineFile:
    """Return what the file at ``path`` outlines; its content decides the format, not its name.

    Raises
    ------
    OutlineError
        If it cannot be read, is malformed or has a class that is not known; the message names the file.
    """
    digests: list[str] = []

    def read(file: Path) -> bytes:
        data = _bytes(file)
        digests.append(hashlib.sha256(data).hexdigest())
        return data

    try:
        fields = _read(path, classes, read)
    except OutlineError as error:
        raise OutlineError(f"{path} {error}") from error
    whole = digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()
    return OutlineFile(path, whole, tuple(fields))


def _read(path: Path, classes: ClassTable, read: Callable[[Path], bytes]) -> list[FieldOutlines]:
    data = read(path)
    if outline_suffix(path.name) in JSON_SUFFIXES or data[:1] in (b"{", b"["):
        document = parse_json(data)
        if looks_like_coco(document):
            return read_coco(document, classes)
        if looks_like_geojson(document):
            return read_geojson(document, classes)
        raise OutlineError("is neither GeoJSON (a FeatureCollection or features) nor COCO (images and annotations)")
    labels = read_labels(data)
    beside = class_file_of(path)
    class_of = read_classes(beside, labels, base_name(path.name), read) if beside else {}
    return [label_outlines(labels, class_of, classes)]


def _bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise OutlineError("is no ordinary file; save the outlines to a file first")
        if path.stat().st_size > MAX_BYTES:
            raise OutlineError(f"takes more than {MAX_BYTES >> 20} MB; write one file an image")
        return path.read_bytes()
    except OSError as error:
        raise OutlineError(f"cannot be opened ({error.strerror or error}); check the path") from error


def _visible(folders: list[str], names: list[str]) -> list[str]:
    folders[:] = sorted(name for name in folders if not name.startswith("."))
    return [name for name in names if not name.startswith(".")]
