"""Names of classes in other people's files, and what they mean here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hemascope.core.errors import OutlineError
from hemascope.core.outline import OutlineClass
from hemascope.core.taxonomy import DISPLAY_NAMES, CellType, RedCellType

ANY = "*"
"""Stands for every name that is not known, and for objects without one."""

_WHITE = """
wbc, white blood cell, leukocyte, leucocyte, nucleated cell, granulocyte, segmented neutrophil, band neutrophil, band,
segmented, immature granulocyte, promyelocyte, myelocyte, metamyelocyte, blast, myeloblast, lymphoblast, monoblast,
atypical lymphocyte, reactive lymphocyte, plasma cell, normoblast, nrbc, nucleated red cell, nucleated red blood cell,
unidentified
"""
_RED = """
rbc, red blood cell, erythrocyte, reticulocyte, echinocyte, acanthocyte, sickle cell, teardrop, hypochromic cell,
elliptocyte, fragmented red cell
"""
_PLATELET = "plt, thrombocyte, giant platelet"
_NUCLEUS = "nuclei, nuc, cell nucleus"
_IGNORE = "ignore*, region, region*, background, artifact, artefact, debris"


def canonical(name: str) -> str:
    """Return ``name`` without case, and with one space for every run of spaces, ``_`` and ``-``."""
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()


def _table() -> dict[str, OutlineClass]:
    lists = {
        OutlineClass.WHITE_CELL: _WHITE,
        OutlineClass.RED_CELL: _RED,
        OutlineClass.PLATELET: _PLATELET,
        OutlineClass.NUCLEUS: _NUCLEUS,
        OutlineClass.IGNORE: _IGNORE,
    }
    table = {canonical(name): meaning for meaning, text in lists.items() for name in text.split(",")}
    table |= {canonical(meaning): meaning for meaning in OutlineClass}
    for kind, types in ((OutlineClass.WHITE_CELL, CellType), (OutlineClass.RED_CELL, RedCellType)):
        table |= {canonical(name): kind for name in (*types, *(DISPLAY_NAMES[t] for t in types))}
    # "normal" alone and "platelet" among the cell types say nothing of a red or a white cell.
    del table["normal"]
    return table | {"platelet": OutlineClass.PLATELET}


CLASS_NAMES: Mapping[str, OutlineClass] = _table()
"""Canonical name to meaning; a final ``s`` is looked past."""


@dataclass(frozen=True, slots=True)
class ClassTable:
    """What names mean: those the user gave before those of ``CLASS_NAMES``.

    Attributes
    ----------
    given
        Canonical name, or ``*`` for whatever is not known, to meaning.
    """

    given: Mapping[str, OutlineClass] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> ClassTable:
        """Return the table for texts such as ``Blast=white_cell``, ``7=rbc`` or ``*=platelet``.

        Raises
        ------
        OutlineError
            If a text has no ``=`` or names no meaning, or a name is given two meanings.
        """
        given: dict[str, OutlineClass] = {}
        for text in texts:
            name, equals, meaning = text.rpartition("=")
            found = _lookup(CLASS_NAMES, meaning)
            if not equals or found is None:
                raise OutlineError(
                    f"--class '{text}' is not NAME=KIND; a kind is one of {', '.join(OutlineClass)}, for example "
                    "--class Blast=white_cell"
                )
            key = canonical(name)
            if given.setdefault(key, found) is not found:
                raise OutlineError(f"--class gives '{name}' two meanings: {given[key]} and {found}; give it one")
        return cls(given)

    def meaning(self, name: str) -> OutlineClass | None:
        """Return what ``name`` means, or None where nobody said.

        A derived class of QuPath, ``Leukocyte: Neutrophil``, means what its first known part means.
        """
        parts = [name, *name.split(":")] if ":" in name else [name]
        for table in (self.given, CLASS_NAMES):
            for part in parts:
                found = _lookup(table, part)
                if found is not None:
                    return found
        return self.given.get(ANY)


def _lookup(table: Mapping[str, OutlineClass], name: str) -> OutlineClass | None:
    key = canonical(name)
    return table.get(key) or (table.get(key[:-1]) if key.endswith("s") else None)
