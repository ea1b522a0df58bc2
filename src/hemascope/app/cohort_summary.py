"""The use case of looking at a cohort: what is in it, and everything that is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hemascope.app.cohort_features import FeatureShelf
from hemascope.core.disease_taxonomy import DiseaseTaxonomy
from hemascope.core.errors import CohortError
from hemascope.core.patient import PatientFacts
from hemascope.data.cohort.manifest import Manifest, read_manifest
from hemascope.data.cohort.patients import ManifestPatient, manifest_faults, patients_of


@dataclass(frozen=True, slots=True)
class ColumnSummary:
    """What a column says of the patients that stay.

    Attributes
    ----------
    name
        Of the column.
    counts
        Text to patients, the most frequent first.
    missing
        Patients of whom it says nothing.
    numbers
        Least, median and most, where every text is a number; None otherwise.
    """

    name: str
    counts: Mapping[str, int]
    missing: int
    numbers: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class CohortSummary:
    """What is in a cohort.

    Attributes
    ----------
    patients, smears
        Those that stay.
    cells
        Cells of each patient whose files could be read.
    dimension, encoder
        Numbers a cell, and what made them; 0 and "" where no file could be read.
    columns
        Sites, scanners, stains, specimens and splits, then labels and covariates.
    excluded
        Reason to patients.
    faults
        What is wrong, each a sentence; empty where the cohort can be opened.
    """

    patients: int
    smears: int
    cells: tuple[int, ...]
    dimension: int
    encoder: str
    columns: tuple[ColumnSummary, ...]
    excluded: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    @property
    def sizes(self) -> tuple[float, float, float, float, float]:
        """Least, lower quartile, median, upper quartile and most cells a patient; NaN where none could be read."""
        if not self.cells:
            return (np.nan,) * 5
        least, lower, median, upper, most = np.percentile(self.cells, [0, 25, 50, 75, 100])
        return float(least), float(lower), float(median), float(upper), float(most)


def summarize_cohort(
    manifest: Path, variant: str = "", labels: Collection[str] = (), taxonomy: DiseaseTaxonomy | None = None
) -> CohortSummary:
    """Return what is in a cohort, reading every file and going on where one is wrong.

    Parameters
    ----------
    manifest, variant
        As for ``open_cohort``.
    labels
        Columns that must be there; all further columns are told.
    taxonomy
        Must know what those columns say.

    Raises
    ------
    CohortError
        If the manifest itself cannot be read, or lacks one of ``labels``.
    """
    read = read_manifest(manifest)
    absent = [name for name in labels if name not in read.columns]
    if absent:
        raise CohortError(f"{manifest} has no column '{absent[0]}'; it has {', '.join(read.columns) or 'no others'}")
    faults = manifest_faults(read)
    if faults:
        return CohortSummary(len({row.patient for row in read.rows}), len(read.rows), (), 0, "", (), {}, tuple(faults))
    every = patients_of(read)
    staying = [patient for patient in every if not patient.facts.excluded]
    unknown = [] if taxonomy is None else _unknown_labels(read, labels, taxonomy)
    cells, made, wrong = _cells(read, variant, staying)
    facts = [patient.facts for patient in staying]
    dimension, encoder = made or (0, "")
    return CohortSummary(
        patients=len(staying),
        smears=sum(len(patient.rows) for patient in staying),
        cells=tuple(cells),
        dimension=dimension,
        encoder=encoder,
        columns=_columns(read, facts),
        excluded=dict(Counter(p.facts.excluded for p in every if p.facts.excluded).most_common()),
        faults=(*unknown, *wrong),
    )


def _cells(
    manifest: Manifest, variant: str, patients: Sequence[ManifestPatient]
) -> tuple[list[int], tuple[int, str] | None, list[str]]:
    """Return the cells of each patient that can be read, length and encoder of the first, and what is wrong."""
    cells: list[int] = []
    faults: list[str] = []
    first: tuple[int, str] | None = None
    with FeatureShelf(manifest, variant) as shelf:
        for patient in patients:
            count = 0
            for row in patient.rows:
                try:
                    found = shelf.read(row)
                except CohortError as error:
                    faults.append(str(error))
                    continue
                made = (found.values.shape[1], found.encoder)
                first = first or made
                if made != first:
                    faults.append(
                        f"{manifest.where(row)}: {found.file} holds {made[0]} numbers a cell by "
                        f"{made[1] or 'an unnamed encoder'}, not {first[0]} by {first[1] or 'an unnamed encoder'} as "
                        "those before; embed all smears with one encoder"
                    )
                count += len(found.values)
            if count:
                cells.append(count)
    return cells, first, faults


def _unknown_labels(manifest: Manifest, labels: Collection[str], taxonomy: DiseaseTaxonomy) -> list[str]:
    """Return what the taxonomy says of labels that it does not know, by row; those who are excluded may have any."""
    faults = []
    for row in manifest.rows:
        for text in (row.told[name] for name in labels if name in row.told and not row.excluded):
            try:
                taxonomy.row_of(text)
            except CohortError as error:
                faults.append(f"{manifest.where(row)}: patient {row.patient}: {error}")
    return faults


def _columns(manifest: Manifest, facts: Sequence[PatientFacts]) -> tuple[ColumnSummary, ...]:
    own = {name: [getattr(fact, name) for fact in facts] for name in ("site", "scanner", "stain", "specimen", "split")}
    told = {name: [fact.labels.get(name, "") for fact in facts] for name in manifest.columns}
    numeric = {name for name in told if any(isinstance(fact.covariates.get(name), float) for fact in facts)}
    filled = {name: texts for name, texts in own.items() if any(texts)}
    return tuple(_column(name, texts, name in numeric) for name, texts in (filled | told).items())


def _column(name: str, texts: Sequence[str], numeric: bool) -> ColumnSummary:
    known = [text for text in texts if text]
    counts = dict(Counter(known).most_common())
    numbers = None
    if numeric and len(counts) > 2:  # two are a marker, told by counts
        values = np.array([float(text) for text in known])
        numbers = float(values.min()), float(np.median(values)), float(values.max())
    return ColumnSummary(name, counts, len(texts) - len(known), numbers)
