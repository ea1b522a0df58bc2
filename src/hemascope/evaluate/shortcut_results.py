"""What a check of a cohort says: how strong an association is, whether by chance, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Check(StrEnum):
    """What is checked."""

    SITE = "site"
    SCANNER = "scanner"
    STAIN = "stain"
    SPECIMEN = "specimen"
    CELL_NUMBER = "cell_number"
    BACKGROUND = "background"
    DUPLICATES = "duplicates"
    SPLITS = "splits"


ADVICE = {
    Check.SITE: "cells tell the site too, so a model may answer by it: leave one site out, report figures within sites",
    Check.SCANNER: "cells tell the scanner too: leave one scanner out, report figures within scanners",
    Check.STAIN: "cells tell the stain too: normalize it, report figures within stains",
    Check.SPECIMEN: "cells tell the specimen too: train on one kind, or report figures within each",
    Check.CELL_NUMBER: "cap or draw equally many cells of everyone, and show figures by number of cells",
    Check.BACKGROUND: "pictures without a cell tell the label: normalize stain and light, and see whether the model "
    "still answers within patients of like background",
    Check.DUPLICATES: "keep one of the two, or give both one name so that they stay in one split",
    Check.SPLITS: "deal sites to splits evenly; where the test is of other sites on purpose, say so beside its figures",
}
"""What to do about a check that was raised."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of one label.

    Attributes
    ----------
    check
        Which.
    label
        Column of the label; "" where the check is of no label.
    against
        What it was held against: names of columns, or of patients.
    patients
        How many could be looked at.
    measure
        What ``effect`` is.
    effect
        How strong the association is; None where it could not be checked.
    p, p_adjusted
        Of chance alone, and after Holm over all p values; None where there is none.
    raised
        Whether it must be looked into.
    words
        What was found, as a sentence.
    """

    check: Check
    label: str
    against: str
    patients: int
    measure: str
    effect: float | None
    p: float | None = None
    p_adjusted: float | None = None
    raised: bool = False
    words: str = ""

    @property
    def advice(self) -> str:
        """What to do where it was raised."""
        return ADVICE[self.check]
