"""Which class each number of a label image has: a table or a second image beside it.

Looked for beside ``cells_labels.tif`` are ``cells_labels_classes`` and ``cells_classes`` as ``.csv``, ``.json``,
``.png`` or ``.tif``, then ``classes.csv`` and ``classes.json`` for all label images of the folder.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hemascope.core.errors import OutlineError
from hemascope.sources.json_values import parse_json, text, whole
from hemascope.sources.label_outlines import Labels, classes_by_image, read_labels
from hemascope.sources.outline_names import base_name

ENDING = "_classes"
_TABLES = (".csv", ".json")
_IMAGES = (".png", ".tif", ".tiff")

ReadBytes = Callable[[Path], bytes]


def is_class_file(path: Path) -> bool:
    """Return whether ``path`` has the name of a table or an image of classes."""
    stem = path.stem.casefold()
    return (stem == "classes" and path.suffix.lower() in _TABLES) or (
        stem.endswith(ENDING) and path.suffix.lower() in (*_TABLES, *_IMAGES)
    )


def class_file_of(path: Path) -> Path | None:
    """Return what gives the classes of the label image at ``path``, or None.

    Raises
    ------
    OutlineError
        If there are two of the same rank.
    """
    stems = dict.fromkeys((path.stem + ENDING, base_name(path.name) + ENDING))
    for names in (*([s + e for e in (*_TABLES, *_IMAGES)] for s in stems), [f"classes{e}" for e in _TABLES]):
        found = [path.parent / name for name in names if (path.parent / name).is_file()]
        if len(found) > 1:
            raise OutlineError(f"has two files of classes, {found[0].name} and {found[1].name}; keep one")
        if found:
            return found[0]
    return None


def read_classes(path: Path, labels: Labels, image: str, read: ReadBytes) -> dict[int, str]:
    """Return the class of each number.

    Parameters
    ----------
    path
        From ``class_file_of``.
    labels
        H x W, the label image.
    image
        Its name without endings, to pick its rows from a table over several images.
    read
        Gives the bytes of a file.

    Raises
    ------
    OutlineError
        If the file is malformed. The message is a clause without the label image's name.
    """
    try:
        if path.suffix.lower() in _IMAGES:
            return classes_by_image(labels, read_labels(read(path)))
        parse = _from_csv if path.suffix.lower() == ".csv" else _from_json
        return parse(read(path), image)
    except OutlineError as error:
        raise OutlineError(f"has classes in {path.name}, which {error}") from error


def _from_csv(data: bytes, image: str) -> dict[int, str]:
    """Read the columns ``label`` and ``class``, and ``image`` where there is one."""
    try:
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise OutlineError(f"is no CSV table in UTF-8 ({error}); save it as one") from error
    found: dict[int, str] = {}
    for line, row in enumerate(rows, start=2):
        if "label" not in row or "class" not in row:
            raise OutlineError("lacks the columns 'label' and 'class' in its first row; name them so")
        if "image" in row and base_name(row["image"] or "") != image:
            continue
        label = (row["label"] or "").strip()
        if not label.isdecimal():
            raise OutlineError(f"has '{label}' for a label in row {line}; give a whole number")
        _give(found, int(label), row["class"] or "")
    return found


def _from_json(data: bytes, image: str) -> dict[int, str]:
    """Read ``{label: class}``, or ``{image: {label: class}}``."""
    table = parse_json(data)
    if not isinstance(table, dict):
        raise OutlineError('is no table of labels and classes; write {"1": "wbc"}')
    if table and all(isinstance(value, dict) for value in table.values()):
        nested = [value for name, value in table.items() if base_name(name) == image]
        if len(nested) > 1:
            raise OutlineError(f"names {image} twice; give each image one table")
        table = nested[0] if nested else {}
    found: dict[int, str] = {}
    for label, name in table.items():
        if not label.isdecimal():
            raise OutlineError(f"has '{label[:60]}' for a label; give a whole number")
        _give(found, int(label), _class_name(name, label))
    return found


def _class_name(value: Any, label: str) -> str:
    number = whole(value)
    name = str(number) if number is not None else text(value)
    if not name:
        raise OutlineError(f"gives the label {label} no class in words or numbers; give it one")
    return name


def _give(found: dict[int, str], label: int, name: str) -> None:
    if found.setdefault(label, name) != name:
        raise OutlineError(f"gives the label {label} two classes, '{found[label]}' and '{name}'; give it one")
