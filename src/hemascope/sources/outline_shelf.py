"""Outlines made elsewhere, by the field they belong to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hemascope.core.errors import OutlineError
from hemascope.core.outline import FieldOutlines, ImportedOutline
from hemascope.core.ports import FieldReader
from hemascope.core.smear import Field
from hemascope.sources.discover import Source
from hemascope.sources.outline_classes import ClassTable
from hemascope.sources.outline_files import OutlineFile, files_in, read_file
from hemascope.sources.outline_names import Fit, ImageNames

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Entry:
    """The outlines of one field, still in their file.

    Attributes
    ----------
    path, position
        The file, and the place in ``OutlineFile.fields``.
    name
        The field as the file names it, or the file's own name.
    fit
        The images it may belong to.
    error
        Why the file could not be read, or "".
    """

    path: Path
    position: int
    name: str
    fit: Fit
    error: str = ""


class OutlineShelf:
    """Gives each field its outlines.

    Every file is read once to learn which fields it holds, and again when its field comes: only one is held in memory.

    Parameters
    ----------
    path
        A file of outlines, or a folder of them.
    sources
        The images; those in ``path`` are not taken for label images.
    classes
        What the names of classes mean.

    Attributes
    ----------
    name, sha256
        Of what was read: the file, or the folder with the digest of all digests.
    remarks
        What holds outlines of no image, in words.

    Raises
    ------
    OutlineError
        If there is nothing to read, a single file cannot be read, or nothing fits any image.
    """

    def __init__(self, path: Path, sources: Sequence[Source], classes: ClassTable) -> None:
        self._classes = classes
        self._held: OutlineFile | None = None
        self._digests: dict[str, str] = {}
        images = {os.path.realpath(source.path) for source in sources}
        files = [file for file in files_in(path) if os.path.realpath(file) not in images]
        names = ImageNames(sources)
        entries = [entry for file in files for entry in self._entries(file, names, alone=len(files) == 1)]
        if len(sources) == 1 and len(entries) == 1 and not entries[0].fit.sources:
            entries = [replace(entries[0], fit=Fit((0, 0), sources))]
        self._entry_of = _assigned(entries)
        if not self._entry_of:
            raise OutlineError(_nothing_fits(path, entries, sources))
        self.name = path.resolve().name
        listed = "\n".join(f"{digest} {file}" for file, digest in sorted(self._digests.items()))
        self.sha256 = (
            next(iter(self._digests.values()))
            if len(self._digests) == 1
            else hashlib.sha256(listed.encode("utf-8", "surrogatepass")).hexdigest()
        )
        self.remarks = _remarks(entries, self._entry_of.values())

    def of(self, field: Field) -> FieldOutlines:
        """Return the outlines of ``field`` that lie in it, with notes on where they come from.

        Raises
        ------
        OutlineError
            If there are none, their file is faulty, or they were made on another image.
        """
        entry = self._entry(field)
        held = self._read(entry.path)
        found = held.fields[entry.position]
        if found.size not in (None, (field.width, field.height)):
            raise OutlineError(
                f"{entry.path} has outlines made on {found.size[0]} x {found.size[1]} pixels, but {field.id} has "
                f"{field.width} x {field.height}; export them at the full size of the image"
            )
        inside, notes = _within(found.outlines, field, entry.path)
        origin = f"outlines: {len(inside)} from {entry.path.name} (sha256 {held.sha256[:12]})"
        return replace(found, outlines=inside, notes=(origin, *(f"outlines: {n}" for n in (*found.notes, *notes))))

    def _entries(self, file: Path, names: ImageNames, *, alone: bool) -> list[_Entry]:
        try:
            read = self._read(file)
        except OutlineError as error:
            if alone:
                raise
            return [_Entry(file, 0, file.name, names.find_file(file), str(error))]
        self._digests[file.as_posix()] = read.sha256
        own = names.find_file(file)
        return [
            _Entry(file, i, f.field or file.name, names.find(f.field) if f.field else own)
            for i, f in enumerate(read.fields)
        ]

    def _read(self, path: Path) -> OutlineFile:
        if self._held is None or self._held.path != path:
            self._held = None  # the old one goes before the new one comes
            self._held = read_file(path, self._classes)
        return self._held

    def _entry(self, field: Field) -> _Entry:
        entries = self._entry_of.get(field.id, [])
        if not entries:
            raise OutlineError(f"{field.id} has no outlines in {self.name}; outline it, or leave the image out")
        if len(entries) > 1:
            files = ", ".join(dict.fromkeys(str(entry.path) for entry in entries))
            raise OutlineError(f"{field.id} has outlines more than once, in {files}; keep one")
        entry = entries[0]
        if len(entry.fit.sources) > 1:
            images = ", ".join(source.field_id for source in entry.fit.sources[:_SHOWN])
            raise OutlineError(
                f"{entry.path}: '{entry.name}' fits {len(entry.fit.sources)} images equally well ({images}); put it "
                "into a folder named like the image's folder"
            )
        if entry.error:
            raise OutlineError(entry.error)
        return entry


class OutlinedReader:
    """Reads images together with their outlines, so that one without them is reported like one that cannot be read.

    Parameters
    ----------
    reader
        Reads the images.
    shelf
        Holds the outlines.
    """

    def __init__(self, reader: FieldReader, shelf: OutlineShelf) -> None:
        self._reader = reader
        self._shelf = shelf

    def read(self, path: Path, field_id: str) -> Field:
        """Return the field, what was said of its outlines among its notes; raise ``InputError`` as both parts do."""
        field = self._reader.read(path, field_id)
        return replace(field, notes=(*field.notes, *self._shelf.of(field).notes))


def _assigned(entries: Iterable[_Entry]) -> dict[str, list[_Entry]]:
    """Return for each field id the entries that fit it best."""
    found: dict[str, list[_Entry]] = {}
    for entry in entries:
        for source in entry.fit.sources:
            others = found.setdefault(source.field_id, [])
            if not others or entry.fit.quality > others[0].fit.quality:
                others[:] = [entry]
            elif entry.fit.quality == others[0].fit.quality:
                others.append(entry)
    return found


def _within(
    outlines: Sequence[ImportedOutline], field: Field, path: Path
) -> tuple[tuple[ImportedOutline, ...], list[str]]:
    """Return the outlines with at least one square pixel in the field, and notes on the others."""
    inside = tuple(o for o in outlines if o.outline.clipped(field.width, field.height).area >= 1)
    outside = len(outlines) - len(inside)
    if outside > len(inside):
        raise OutlineError(
            f"{path}: {outside} of {len(outlines)} outlines lie outside {field.id} ({field.width} x {field.height} "
            "pixels): they were made on another image or at another size; export them at the full size of the image"
        )
    notes = [f"outlines outside the image or smaller than a pixel, left out: {outside}"] if outside else []
    cut = sum(_reaches_out(o, field) for o in inside)
    return inside, [*notes, *([f"outlines beyond the border, cut there: {cut}"] if cut else [])]


def _reaches_out(found: ImportedOutline, field: Field) -> bool:
    box = found.outline.bounds
    return box.x0 < 0 or box.y0 < 0 or box.x1 > field.width or box.y1 > field.height


def _remarks(entries: Iterable[_Entry], assigned: Iterable[Sequence[_Entry]]) -> tuple[str, ...]:
    used = {id(entry) for group in assigned for entry in group}
    left = [entry for entry in entries if id(entry) not in used]
    if not left:
        return ()
    names = ", ".join(entry.name for entry in left[:_SHOWN]) + (" and others" if len(left) > _SHOWN else "")
    broken = sum(bool(entry.error) for entry in left)
    reason = (
        f" ({broken} of them cannot be read; the first: {next(e.error for e in left if e.error)})" if broken else ""
    )
    return (f"Outlines of {len(left)} images that were not among those analyzed were not used: {names}{reason}.",)


def _nothing_fits(path: Path, entries: Sequence[_Entry], sources: Sequence[Source]) -> str:
    broken = [entry.error for entry in entries if entry.error]
    if broken:
        return f"{broken[0]} ({len(broken)} of {len(entries)} such files in {path}, and no other fits an image)"
    if not entries:
        return f"{path} holds no outlines beside the images themselves"
    named = ", ".join(entry.name for entry in entries[:_SHOWN])
    images = ", ".join(source.field_id for source in sources[:_SHOWN])
    return (
        f"the outlines in {path} ({named}) fit none of the images ({images}) by their names; name each file like its "
        "image: field_1.geojson or field_1_labels.tif for field_1.png"
    )
