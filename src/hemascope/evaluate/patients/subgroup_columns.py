"""Patients in groups: by age band, sex, stage, site, scanner, and by how many cells there are of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.evaluate.patients.answers import FACTS, PatientAnswers

AGE_BANDS = (40.0, 65.0)
"""Years at which a band begins, after the first."""

MOST_GROUPS = 12
"""A column of more different texts is no grouping but a name or a free text."""

MOST_NUMBERS = 6
"""A column of numbers groups patients where it has at most so many different ones: stage, sex as 0 and 1."""

BAG_SIZE = "bag size"

Columns = Mapping[str, NDArray[np.str_]]
"""Name of a grouping to P names of groups, "" where unknown."""


def subgroup_columns(answers: PatientAnswers, age_bands: Sequence[float] = AGE_BANDS) -> dict[str, NDArray[np.str_]]:
    """Return every grouping that the cohort tells of, in which there are two groups or more.

    Site, scanner, stain and specimen; covariates of text with at most ``MOST_GROUPS`` kinds; ``age`` in bands; other
    covariates of numbers with at most ``MOST_NUMBERS`` different ones; bag size in thirds.

    Parameters
    ----------
    answers
        Of P rows.
    age_bands
        Years at which a band begins, rising.
    """
    columns = {name: answers.facts[name] for name in FACTS}
    for name, values in answers.covariates.items():
        if values.dtype.kind != "f":
            columns[name] = values.astype(np.str_)
        elif name.casefold() == "age":
            columns[name] = bands(values, age_bands)
        else:
            columns[name] = _kinds(values.astype(np.float64))
    columns[BAG_SIZE] = thirds(answers.cells)
    return {name: column for name, column in columns.items() if 2 <= len(set(column.tolist()) - {""}) <= MOST_GROUPS}


def bands(values: ArrayLike, begins: Sequence[float]) -> NDArray[np.str_]:
    """Return the band of each of P numbers: ``under 40``, ``40 to under 65``, ``65 or over``; "" for NaN.

    Raises
    ------
    ValueError
        If there is no beginning of a band, or they do not rise.
    """
    starts = [float(start) for start in begins]
    if not starts or sorted(set(starts)) != starts:
        raise ValueError(f"bands need rising beginnings, not {begins}")
    between = [f"{low:g} to under {high:g}" for low, high in itertools.pairwise(starts)]
    names = np.array([f"under {starts[0]:g}", *between, f"{starts[-1]:g} or over", ""], np.str_)
    numbers = np.asarray(values, np.float64)
    places = np.searchsorted(starts, numbers, side="right")
    return names[np.where(np.isfinite(numbers), places, len(starts) + 1)]


def thirds(cells: ArrayLike) -> NDArray[np.str_]:
    """Return which third of the sizes each of P bags is in, named by the range: ``120 to 250 cells``.

    Bags of one size are in one group, so that there are fewer groups, of unequal sizes, where many are equal.
    """
    sizes = np.asarray(cells, np.intp)
    if not len(sizes):
        return np.empty(0, np.str_)
    limits = np.quantile(sizes, [1 / 3, 2 / 3])
    places = np.searchsorted(limits, sizes, side="left")
    names = np.full(len(sizes), "", "<U64")
    for place in np.unique(places):
        inside = sizes[places == place]
        low, high = int(inside.min()), int(inside.max())
        names[places == place] = f"{low} cells" if low == high else f"{low} to {high} cells"
    return names


def ordered_groups(groups: NDArray[np.str_]) -> list[str]:
    """Return the names of groups that occur: bands and sizes by their first number, the open band below first."""

    def place(name: str) -> tuple[bool, bool, float, str]:
        number = re.match(r"(?:under )?(\d+(?:\.\d+)?)", name)
        return number is None, not name.startswith("under "), float(number[1]) if number else 0.0, name

    return sorted({str(name) for name in groups if name}, key=place)


def _kinds(values: NDArray[np.float64]) -> NDArray[np.str_]:
    """Return numbers as text where few are different, and nothing otherwise."""
    known = np.isfinite(values)
    if len(np.unique(values[known])) > MOST_NUMBERS:
        return np.full(len(values), "", np.str_)
    return np.array([f"{value:g}" if there else "" for value, there in zip(values, known, strict=True)], np.str_)
