"""Objects of a file, one after another, to the outlines of a field: what every format shares."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import Nucleus
from hemascope.core.errors import OutlineError
from hemascope.core.geometry import Polygon
from hemascope.core.outline import FieldOutlines, ImportedOutline, OutlineClass
from hemascope.core.taxonomy import CellKind
from hemascope.sources.outline_classes import ClassTable

Ring = NDArray[np.float64]
"""The outer boundary of one part of an object: N x 2, ``x, y`` in pixels of the field."""

MIN_AREA = 1e-3
"""Square pixels: an outline of less is a point or a line."""

_NAMES_SHOWN = 8


class Gathering:
    """Collects the objects of one field, and counts what had to be changed or left out.

    Parameters
    ----------
    classes
        What the names of classes mean.
    """

    def __init__(self, classes: ClassTable) -> None:
        self._classes = classes
        self._found: list[ImportedOutline] = []
        self._nuclei: list[Sequence[Polygon]] = []
        self._seen: set[tuple[str, bytes]] = set()
        self._notes: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()
        self._named: Counter[tuple[str, str]] = Counter()

    def note(self, what: str, count: int = 1) -> None:
        """Count something to be said of the field, such as ``"holes filled"``."""
        if count:
            self._notes[what] += count

    def add(
        self,
        parts: Sequence[Ring],
        class_name: str,
        *,
        nucleus: Sequence[Ring] = (),
        score: float | None = None,
        kind: CellKind | None = None,
    ) -> None:
        """Take one object.

        Parameters
        ----------
        parts
            Its outer boundaries; the largest is its outline.
        class_name
            As the file has it; "" where it has none.
        nucleus
            Outer boundaries of the parts of its nucleus.
        score
            As the file has it.
        kind
            What the object is, where the file says so in our own terms; else its class decides.
        """
        meaning = OutlineClass(kind) if kind else self._classes.meaning(class_name)
        if meaning is None:
            self._unknown[class_name] += 1
            return
        self._named[class_name, meaning.value] += 1
        if meaning is OutlineClass.IGNORE:
            return
        outlines = self._polygons(parts)
        if not outlines:
            self.note("objects without an area, left out")
            return
        key = (meaning.value, np.sort(np.round(outlines[0].points * 100), axis=0).tobytes())
        if key in self._seen:
            self.note("objects that repeat another exactly, left out")
            return
        self._seen.add(key)
        if meaning.kind is None:
            self._nuclei.append(outlines)
            return
        self.note("objects of several parts, the largest taken", int(len(outlines) > 1))
        inside = self._polygons(nucleus)
        if inside and meaning.kind is not CellKind.WHITE_CELL:
            self.note("nuclei of red cells and platelets, left out")
            inside = []
        self._found.append(
            ImportedOutline(
                outlines[0], meaning.kind, Nucleus(tuple(inside)) if inside else None, self._score(score), class_name
            )
        )

    def finish(self, field: str = "", size: tuple[int, int] | None = None) -> FieldOutlines:
        """Return what was gathered, nuclei within their cells.

        Raises
        ------
        OutlineError
            If there were classes of unknown meaning. The message is a clause without the file's name.
        """
        if self._unknown:
            raise OutlineError(_unknown_classes(self._unknown))
        outlines = self._with_nuclei()
        return FieldOutlines(field, tuple(outlines), size, (*self._class_notes(), *_counted(self._notes)))

    def _polygons(self, rings: Sequence[Ring]) -> list[Polygon]:
        """Return the rings that enclose something, the largest first."""
        polygons = [Polygon(ring.astype(np.float32)) for ring in rings if len(ring) >= 3]
        return sorted((p for p in polygons if p.area >= MIN_AREA), key=lambda p: -p.area)

    def _score(self, score: float | None) -> float | None:
        if score is not None and not (math.isfinite(score) and 0 <= score <= 1):
            self.note("scores outside 0 to 1, left out")
            return None
        return score

    def _with_nuclei(self) -> list[ImportedOutline]:
        """Return the cells, each nucleus that came as an object of its own given to the smallest white cell around."""
        white = [i for i, found in enumerate(self._found) if found.kind is CellKind.WHITE_CELL]
        white.sort(key=lambda i: self._found[i].outline.area)
        boxes = [self._found[i].outline.bounds for i in white]
        given: dict[int, list[Polygon]] = {}
        for parts in self._nuclei:
            x, y = parts[0].centroid
            around = (
                i
                for i, box in zip(white, boxes, strict=True)
                if box.x0 <= x <= box.x1 and box.y0 <= y <= box.y1 and contains(self._found[i].outline, x, y)
            )
            owner = next(around, None)
            if owner is None:
                self.note("nuclei in no white cell, left out")
            else:
                given.setdefault(owner, []).extend(parts)
        return [_with_nucleus(found, given.get(i, [])) for i, found in enumerate(self._found)]

    def _class_notes(self) -> tuple[str, ...]:
        if not self._named:
            return ()
        named = [f"{_quoted(name)} as {meaning} {n}" for (name, meaning), n in self._named.most_common()]
        more = f" and {len(named) - _NAMES_SHOWN} more" if len(named) > _NAMES_SHOWN else ""
        return (f"classes taken: {', '.join(named[:_NAMES_SHOWN])}{more}",)


def contains(polygon: Polygon, x: float, y: float) -> bool:
    """Return whether the point lies inside (even-odd rule: a ray to the right crosses an odd number of sides)."""
    px, py = polygon.points.astype(np.float64).T
    qx, qy = np.roll(px, -1), np.roll(py, -1)
    crossed = (py > y) != (qy > y)
    at = px[crossed] + (y - py[crossed]) / (qy[crossed] - py[crossed]) * (qx[crossed] - px[crossed])
    return bool(np.count_nonzero(at > x) % 2)


def _with_nucleus(found: ImportedOutline, parts: Sequence[Polygon]) -> ImportedOutline:
    if not parts:
        return found
    both = (*(found.nucleus.parts if found.nucleus else ()), *parts)
    return replace(found, nucleus=Nucleus(tuple(sorted(both, key=lambda part: -part.area))))


def _unknown_classes(unknown: Counter[str]) -> str:
    shown = ", ".join(f"{_quoted(name)} ({count})" for name, count in unknown.most_common(_NAMES_SHOWN))
    more = f" and {len(unknown) - _NAMES_SHOWN} more" if len(unknown) > _NAMES_SHOWN else ""
    example = next(iter(unknown)) or "*"
    return (
        f"has objects whose class is not known: {shown}{more}; say what they are, for example with "
        f"--class '{example}=white_cell' (or {', '.join(list(OutlineClass)[1:])}; '*' stands for all the rest)"
    )


def _counted(notes: Counter[str]) -> list[str]:
    return [f"{what}: {count}" for what, count in notes.items()]


def _quoted(name: str) -> str:
    return f"'{name[:60]}'" if name else "no class"
