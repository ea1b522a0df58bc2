"""What a cohort tells of a patient beside the cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Fact = str | float
"""Text, or a number."""


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """One patient of a cohort.

    Attributes
    ----------
    patient
        Name, unique in the cohort; a pseudonym.
    labels
        Column to what it says, as text; a column that says nothing of this patient is absent.
    covariates
        Column to text or number: age, sex, stage, background color; absent where missing.
    site, scanner, stain, specimen
        Where and how the smears were made; "" where the cohort does not tell.
    split
        ``train``, ``val``, ``test``, or "" where the cohort leaves that to cross-validation.
    excluded
        Why this patient is left out, such as ``after chemotherapy``; "" for one that stays.
    smears
        Names of the smears.
    """

    patient: str
    labels: Mapping[str, str] = field(default_factory=dict)
    covariates: Mapping[str, Fact] = field(default_factory=dict)
    site: str = ""
    scanner: str = ""
    stain: str = ""
    specimen: str = ""
    split: str = ""
    excluded: str = ""
    smears: tuple[str, ...] = ()
