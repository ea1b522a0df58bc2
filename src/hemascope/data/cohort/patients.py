"""Rows of a manifest put together: one record a patient, and what is wrong between the rows."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hemascope.core.errors import CohortError
from hemascope.core.patient import Fact, PatientFacts
from hemascope.data.cohort.manifest import PLACES, Manifest, SmearRow


@dataclass(frozen=True, slots=True)
class ManifestPatient:
    """A patient, and the rows that hold the cells.

    Attributes
    ----------
    facts
        What is known.
    rows
        The smears that count, by name: all but the excluded ones; of an excluded patient, all.
    """

    facts: PatientFacts
    rows: tuple[SmearRow, ...]


def patients_of(manifest: Manifest, labels: Collection[str] = ()) -> tuple[ManifestPatient, ...]:
    """Return the patients of a manifest by name, whatever the order of its rows.

    Parameters
    ----------
    manifest
        As read.
    labels
        Columns that are labels and so no covariates; all columns are both where it is empty.

    Raises
    ------
    CohortError
        If rows contradict each other: the first of ``manifest_faults``, and how many there are.
    """
    faults = manifest_faults(manifest)
    if faults:
        more = f" ({len(faults) - 1} more: hemascope cohort show lists them)" if len(faults) > 1 else ""
        raise CohortError(f"{faults[0]}{more}")
    numeric = {column for column in manifest.columns if _is_numeric(manifest, column)}
    groups = sorted(_by_patient(manifest.rows).items())
    return tuple(_patient(rows, numeric, frozenset(labels)) for _, rows in groups)


def manifest_faults(manifest: Manifest) -> list[str]:
    """Return what is wrong between the rows of a manifest, each a sentence that names lines and says what to do.

    Found are a patient in two splits, one id at two sites, labels or covariates that contradict each other, and a smear
    listed twice.
    """
    faults: list[str] = []
    for patient, rows in sorted(_by_patient(manifest.rows).items()):
        faults += _two_splits(manifest, patient, rows)
        faults += _two_sites(manifest, patient, rows)
        faults += _contradictions(manifest, patient, rows)
        faults += _listed_twice(manifest, patient, rows)
    return faults


def _by_patient(rows: Sequence[SmearRow]) -> dict[str, list[SmearRow]]:
    """Return the rows of each patient, in an order that does not depend on the manifest's."""
    groups: dict[str, list[SmearRow]] = {}
    for row in sorted(rows, key=lambda row: (row.smear, sorted(row.paths.items()))):
        groups.setdefault(row.patient, []).append(row)
    return groups


def _two_splits(manifest: Manifest, patient: str, rows: Sequence[SmearRow]) -> Iterator[str]:
    telling = [row for row in rows if row.split]
    found = sorted({row.split for row in telling})
    if len(found) > 1:
        yield (
            f"{manifest.where(*telling)}: patient {patient} is in the splits {' and '.join(found)}; a patient belongs "
            "to one: give all rows the same split"
        )


def _two_sites(manifest: Manifest, patient: str, rows: Sequence[SmearRow]) -> Iterator[str]:
    telling = [row for row in rows if "site" in row.places]
    found = sorted({row.places["site"] for row in telling})
    if len(found) > 1:
        yield (
            f"{manifest.where(*telling)}: the id {patient} is used at the sites {', '.join(found)}; if these are two "
            f"people give them ids of their own, such as '{found[0]}-{patient}', else give all rows one site"
        )


def _contradictions(manifest: Manifest, patient: str, rows: Sequence[SmearRow]) -> Iterator[str]:
    for column in manifest.columns:
        telling = [row for row in rows if column in row.told]
        found = sorted({row.told[column] for row in telling})
        if len(found) > 1:
            yield (
                f"{manifest.where(*telling)}: column '{column}' says {' and '.join(map(repr, found))} of patient "
                f"{patient}; correct it, or leave it empty where it is not of the patient"
            )


def _listed_twice(manifest: Manifest, patient: str, rows: Sequence[SmearRow]) -> Iterator[str]:
    seen: dict[tuple[str, str], SmearRow] = {}
    for row in rows:
        first = seen.setdefault((row.smear, row.paths[""]), row)
        if first is not row and row.paths[""]:
            yield (
                f"{manifest.where(first, row)}: patient {patient} has the smear '{row.smear or row.paths['']}' twice, "
                "so its cells would count twice; remove a row"
            )


def _patient(rows: Sequence[SmearRow], numeric: Collection[str], labels: Collection[str]) -> ManifestPatient:
    staying = tuple(row for row in rows if not row.excluded)
    kept = staying or tuple(rows)
    told: dict[str, str] = {}
    for row in rows:
        told |= row.told
    covariates: Mapping[str, Fact] = {
        column: float(text) if column in numeric else text for column, text in told.items() if column not in labels
    }
    facts = PatientFacts(
        patient=rows[0].patient,
        labels=told,
        covariates=covariates,
        split=next((row.split for row in rows if row.split), ""),
        excluded="" if staying else "; ".join(sorted({row.excluded for row in rows})),
        smears=tuple(row.smear or row.paths[""] for row in kept),
        **{place: " + ".join(sorted({row.places[place] for row in kept if place in row.places})) for place in PLACES},
    )
    return ManifestPatient(facts, kept)


def _is_numeric(manifest: Manifest, column: str) -> bool:
    """Return whether every text in a column is a finite number, and there is one."""
    texts = [row.told[column] for row in manifest.rows if column in row.told]
    return bool(texts) and all(_is_number(text) for text in texts)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
