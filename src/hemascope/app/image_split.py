"""A laboratory's images to those that teach and those that choose: by image, never by cell."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Sequence
from pathlib import Path

from hemascope.core.errors import InputError
from hemascope.core.smear import Field

SPLITS = ("train", "val")


def split_images(fields: Sequence[Field], val_share: float, seed: int, table: Path | None) -> dict[str, str]:
    """Return ``train`` or ``val`` for the id of every image.

    Without a table they are ordered by the SHA-256 of the seed and their own digest, and the first ``val_share`` of
    them, rounded up, validate: the same whatever their names and order.

    Parameters
    ----------
    table
        CSV with the columns ``image`` (id or file name) and ``split``; images of one slide should share theirs.

    Raises
    ------
    InputError
        If there are fewer than two images, the table is malformed or lacks one, or a split stays empty.
    """
    if len(fields) < 2:
        raise InputError(f"{len(fields)} image cannot be split into training and validation; outline two or more")
    splits = _from_table(fields, table) if table else _dealt(fields, val_share, seed)
    for name in SPLITS:
        if name not in splits.values():
            raise InputError(f"no image is in the split '{name}'; give it one in {table}")
    return splits


def _dealt(fields: Sequence[Field], val_share: float, seed: int) -> dict[str, str]:
    ordered = sorted(fields, key=lambda field: hashlib.sha256(f"{seed}:{field.sha256}".encode()).digest())
    count = min(max(math.ceil(val_share * len(fields)), 1), len(fields) - 1)
    return {field.id: "val" if index < count else "train" for index, field in enumerate(ordered)}


def _from_table(fields: Sequence[Field], table: Path) -> dict[str, str]:
    try:
        text = table.read_text(encoding="utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} cannot be read as a CSV table in UTF-8 ({error})") from error
    named: dict[str, str] = {}
    for line, row in enumerate(rows, start=2):
        if "image" not in row or "split" not in row:
            raise InputError(f"{table} lacks the columns 'image' and 'split' in its first row; name them so")
        image, split = (row["image"] or "").strip(), (row["split"] or "").strip().lower()
        if split not in SPLITS:
            raise InputError(f"{table} has the split '{split}' in row {line}; give train or val")
        if named.setdefault(image, split) != split:
            raise InputError(f"{table} puts {image} into both splits; give it one")
    return {field.id: _split_of(field, named, table) for field in fields}


def _split_of(field: Field, named: dict[str, str], table: Path) -> str:
    for name in (field.id, field.path.name if field.path else field.id):
        if name in named:
            return named[name]
    raise InputError(f"{table} has no row for the image {field.id}; add one, with train or val")
