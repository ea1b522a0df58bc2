"""A table of diseases: what a laboratory writes, the fine class that means, and the coarse class above it."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from hemascope.core.errors import CohortError


class Origin(StrEnum):
    """Where a name or a grouping comes from."""

    LETTER = "letter"
    """The letter that the table follows says so."""
    LISTING = "listing"
    """A third party's listing of the letter's test set says so."""
    OURS = "ours"
    """Whoever made the table says so."""


@dataclass(frozen=True, slots=True)
class CoarseClass:
    """A class that a model answers with.

    Attributes
    ----------
    name
        As models and tables write it: ``acute_leukemia``.
    title
        As people write it: ``Acute leukemia``.
    malignant
        Whether its probability counts toward malignancy.
    acute
        Whether it is an acute leukemia, which must not be missed.
    named
        Where the name comes from.
    """

    name: str
    title: str
    malignant: bool = False
    acute: bool = False
    named: Origin = Origin.OURS


@dataclass(frozen=True, slots=True)
class FineClass:
    """A disease inside a coarse class.

    Attributes
    ----------
    name
        ``AML``.
    coarse
        Name of the coarse class it belongs to.
    named, grouped
        Where the name comes from, and where that it belongs there.
    """

    name: str
    coarse: str
    named: Origin = Origin.OURS
    grouped: Origin = Origin.OURS


@dataclass(frozen=True, slots=True)
class DiseaseRow:
    """What one label means.

    Attributes
    ----------
    label
        As the laboratory writes it.
    fine
        Fine class; None where the label names a coarse class alone.
    coarse
        Coarse class.
    named, grouped
        Where the label comes from, and where that it means this.
    """

    label: str
    fine: str | None
    coarse: str
    named: Origin
    grouped: Origin


@dataclass(frozen=True)
class DiseaseTaxonomy:
    """Labels, fine classes and coarse classes, of one version.

    Labels are found whatever their case and spaces. Names of fine classes, and names and titles of coarse ones,
    are labels too.

    Attributes
    ----------
    name, version, source
        What it is called, which version, and where it comes from, in words.
    coarse_classes, fine_classes
        In the order of a model's outputs.
    labels
        What a laboratory writes, to the name of a fine or of a coarse class.

    Raises
    ------
    ValueError
        If a class is named twice, a fine class is in two coarse classes or in none, only some coarse classes have fine
        ones, what is acute is not malignant, a label leads nowhere, or two labels differ in case and spaces alone but
        not in what they mean.
    """

    name: str
    version: str
    source: str
    coarse_classes: tuple[CoarseClass, ...]
    fine_classes: tuple[FineClass, ...]
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    _index: Mapping[str, DiseaseRow] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _refuse_twice("coarse class", [c.name for c in self.coarse_classes])
        _refuse_two_homes(self.fine_classes)
        _refuse_twice("fine class", [_key(f.name) for f in self.fine_classes])
        for fine in self.fine_classes:
            if fine.coarse not in self.coarse:
                raise ValueError(f"fine class '{fine.name}' is in no coarse class: there is no '{fine.coarse}'")
        empty = [name for name in self.coarse if not self.children_of(name)]
        if self.fine_classes and empty:
            raise ValueError(f"a coarse class has no fine class: {', '.join(empty)}")
        tame = [c.name for c in self.coarse_classes if c.acute and not c.malignant]
        if tame:
            raise ValueError(f"what is acute is malignant too, but not: {', '.join(tame)}")
        object.__setattr__(self, "labels", dict(self.labels))
        object.__setattr__(self, "_index", _by_key(self._all_rows()))

    @property
    def coarse(self) -> tuple[str, ...]:
        """Names of the coarse classes, in order."""
        return tuple(c.name for c in self.coarse_classes)

    @property
    def fine(self) -> tuple[str, ...]:
        """Names of the fine classes, in order."""
        return tuple(f.name for f in self.fine_classes)

    @property
    def malignant(self) -> tuple[str, ...]:
        """Names of the malignant coarse classes, in order."""
        return tuple(c.name for c in self.coarse_classes if c.malignant)

    @property
    def acute(self) -> tuple[str, ...]:
        """Names of the coarse classes of acute leukemia, in order."""
        return tuple(c.name for c in self.coarse_classes if c.acute)

    @property
    def parents(self) -> dict[str, str]:
        """Fine class to coarse class."""
        return {f.name: f.coarse for f in self.fine_classes}

    @property
    def titles(self) -> dict[str, str]:
        """Coarse class to how people write it."""
        return {c.name: c.title for c in self.coarse_classes}

    @property
    def rows(self) -> tuple[DiseaseRow, ...]:
        """What every label means; those of the laboratory first, then fine classes, then coarse ones."""
        return tuple(self._index.values())

    @property
    def known_labels(self) -> tuple[str, ...]:
        """Every label there is, as the table writes it."""
        return tuple(row.label for row in self.rows)

    @property
    def sha256(self) -> str:
        """Digest of all that the table says, whatever the file it was read from looks like."""
        said = {
            "name": self.name,
            "version": self.version,
            "source": self.source,
            "coarse": [asdict(c) for c in self.coarse_classes],
            "fine": [asdict(f) for f in self.fine_classes],
            "labels": dict(self.labels),
        }
        text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def row_of(self, label: str) -> DiseaseRow:
        """Return what a label means.

        Raises
        ------
        CohortError
            If the table does not know it; names the nearest that it knows.
        """
        found = self._index.get(_key(label))
        if found is not None:
            return found
        near = difflib.get_close_matches(_key(label), list(self._index), n=3, cutoff=0.0)
        names = ", ".join(f"'{self._index[key].label}'" for key in near)
        raise CohortError(
            f"label '{label}' is not in the table of diseases {self.name} {self.version}; the nearest are {names}: "
            f"correct the manifest, or add the label to a table of your own (see docs/taxonomy.md)"
        )

    def coarse_of(self, label: str) -> str:
        """Return the coarse class that a label means; raise ``CohortError`` as ``row_of``."""
        return self.row_of(label).coarse

    def fine_of(self, label: str) -> str | None:
        """Return the fine class that a label means, None where it names a coarse class alone; raise as ``row_of``."""
        return self.row_of(label).fine

    def children_of(self, coarse: str) -> tuple[str, ...]:
        """Return the fine classes of a coarse class, in order; an empty tuple where it has none."""
        return tuple(f.name for f in self.fine_classes if f.coarse == coarse)

    def _all_rows(self) -> Iterable[DiseaseRow]:
        """Yield every label: the laboratory's, the fine classes, the coarse ones under both their names."""
        fine = {_key(f.name): f for f in self.fine_classes}
        coarse = {_key(c.name): c for c in self.coarse_classes}
        for label, meaning in self.labels.items():
            if found := fine.get(_key(meaning)):
                yield DiseaseRow(label, found.name, found.coarse, Origin.OURS, Origin.OURS)
            elif above := coarse.get(_key(meaning)):
                yield DiseaseRow(label, None, above.name, Origin.OURS, Origin.OURS)
            else:
                raise ValueError(f"label '{label}' leads to '{meaning}', which is no fine and no coarse class")
        for row in self.fine_classes:
            yield DiseaseRow(row.name, row.name, row.coarse, row.named, row.grouped)
        for known in self.coarse_classes:
            for label in dict.fromkeys((known.title, known.name)):
                yield DiseaseRow(label, None, known.name, known.named, known.named)


def _by_key(rows: Iterable[DiseaseRow]) -> dict[str, DiseaseRow]:
    """Return the rows by key; a fine class goes before the coarse class of the same name.

    Raises
    ------
    ValueError
        If two labels that look alike mean different things.
    """
    found: dict[str, DiseaseRow] = {}
    for row in rows:
        known = found.setdefault(_key(row.label), row)
        if known.coarse != row.coarse or (row.fine is not None and known.fine != row.fine):
            raise ValueError(f"label '{row.label}' means both {_said(known)} and {_said(row)}")
    return found


def _said(row: DiseaseRow) -> str:
    return row.coarse if row.fine is None else f"{row.fine} ({row.coarse})"


def _refuse_two_homes(fine_classes: Iterable[FineClass]) -> None:
    homes: dict[str, str] = {}
    for fine in fine_classes:
        home = homes.setdefault(_key(fine.name), fine.coarse)
        if home != fine.coarse:
            raise ValueError(f"fine class '{fine.name}' is in two coarse classes: {home} and {fine.coarse}")


def _refuse_twice(what: str, names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{what} named twice: {', '.join(twice)}")


def _key(label: str) -> str:
    """Return a label without what lookup does not heed: case, and spaces at the ends or more than one."""
    return " ".join(label.split()).casefold()
