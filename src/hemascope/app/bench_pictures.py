"""False positives and misses as pictures, so that a person can say which were right after all."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path, PurePosixPath

from PIL import Image, ImageDraw, ImageOps

from hemascope.app.bench_record import draft_of, write_text
from hemascope.core.geometry import Box
from hemascope.evaluate.matching import FieldMatch

_MARGIN = 0.75
"""Context around the box on each side, in units of its longer side."""

_SIDE = 256
"""Longer side of a picture in pixels."""

_COLORS = {"false_positive": "#d55e00", "real_unlabeled": "#0060a8", "miss": "#882255"}


@dataclass(frozen=True, slots=True)
class Mistake:
    """One found object without a label, or one label that was not found.

    Attributes
    ----------
    family
        ``<data set>.<kind>``, as in the keys of the benchmark.
    what
        ``false_positive``, ``real_unlabeled`` (known to be a real cell that the labels leave out) or ``miss``.
    field
        Name of the image in its set.
    x0, y0, x1, y1
        The box in pixels of the image.
    score
        The finder's confidence; None for a miss.
    picture
        The picture's name, relative to the listing.
    """

    family: str
    what: str
    field: str
    x0: float
    y0: float
    x1: float
    y1: float
    score: float | None
    picture: str


def list_mistakes(family: str, matches: Sequence[FieldMatch]) -> list[tuple[Mistake, Path]]:
    """Return every mistake of one kind with the image it is in.

    Found objects without a label are listed only where the kind is labeled completely.
    """
    listed = []
    for match in matches:
        for number, (what, box, score) in enumerate(_mistakes(match), 1):
            stem = PurePosixPath(match.record.name).stem
            picture = f"{family}/{what}_{stem}_{number:03d}.png"
            corners = (box.x0, box.y0, box.x1, box.y1)
            listed.append((Mistake(family, what, match.record.name, *corners, score, picture), match.record.path))
    return listed


def write_mistakes(joined: Mapping[str, Sequence[FieldMatch]], folder: Path) -> Path:
    """Write a picture of every mistake, and the listing ``mistakes.csv`` of them all; return the listing's path.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    rows = [row for family, matches in joined.items() for row in list_mistakes(family, matches)]
    for path in dict.fromkeys(path for _, path in rows):
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file).convert("RGB")
        for mistake in (mistake for mistake, where in rows if where == path):
            _write_picture(image, mistake, folder / mistake.picture)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Mistake)])
    writer.writerows(astuple(mistake) for mistake, _ in rows)
    listing = folder / "mistakes.csv"
    write_text(listing, text.getvalue())
    return listing


def _mistakes(match: FieldMatch) -> Iterator[tuple[str, Box, float | None]]:
    if match.kind in match.record.labeled_kinds:
        yield from (("false_positive", found.box, found.score) for found in match.false_positives)
        yield from (("real_unlabeled", found.box, found.score) for found in match.unlabeled)
    yield from (("miss", labeled.box, None) for labeled in match.misses)


def _write_picture(image: Image.Image, mistake: Mistake, path: Path) -> None:
    """Write the box with what surrounds it, enlarged, with the box drawn."""
    margin = _MARGIN * max(mistake.x1 - mistake.x0, mistake.y1 - mistake.y0, 8)
    left, top = max(int(mistake.x0 - margin), 0), max(int(mistake.y0 - margin), 0)
    right, bottom = min(int(mistake.x1 + margin) + 1, image.width), min(int(mistake.y1 + margin) + 1, image.height)
    zoom = _SIDE / max(right - left, bottom - top)
    size = (max(round((right - left) * zoom), 1), max(round((bottom - top) * zoom), 1))
    view = image.crop((left, top, right, bottom)).resize(size, Image.Resampling.BICUBIC)
    corners = (
        (mistake.x0 - left) * zoom,
        (mistake.y0 - top) * zoom,
        (mistake.x1 - left) * zoom,
        (mistake.y1 - top) * zoom,
    )
    ImageDraw.Draw(view).rectangle(corners, outline=_COLORS[mistake.what], width=2)
    with draft_of(path) as draft:
        view.save(draft, format="PNG")
