"""How much the sizes of red cells differ: coefficients of variation with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.core.morphology import BIN_UM, Diameters, SizeSpread
from hemascope.core.rates import Estimate
from hemascope.reporting.red_cell_counts import add_diameters
from hemascope.stats.resample import RESAMPLES, bootstrap_interval, percentile_interval

LEAST_FIELDS = 5
"""Fewest fields that are resampled as wholes; below it cells are, which takes them for independent."""

LEAST_CELLS = 20
"""Fewest red cells for an interval."""

_Moments = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Number, sum and sum of squares."""


def size_spread(fields: Sequence[Diameters], absolute: bool) -> SizeSpread:
    """Return the spread of diameters over all fields.

    Parameters
    ----------
    fields
        Whole red cells of each field.
    absolute
        Whether every scale behind them is.
    """
    known = [part for part in fields if part.cells]
    whole = add_diameters(known)
    if not whole.cells:
        return SizeSpread(0, absolute, None, None, None, None, ())
    return SizeSpread(
        cells=whole.cells,
        absolute=absolute,
        mean_um=whole.total / whole.cells,
        median_um=median_diameter(whole),
        diameter_cv=_estimate(known, whole, lambda part: (part.cells, part.total, part.squares), 1),
        area_cv=_estimate(known, whole, lambda part: (part.cells, part.squares, part.fourths), 2),
        bins=whole.bins,
    )


def median_diameter(diameters: Diameters) -> float:
    """Return the median in um, interpolated in its bin; at least one cell must have been measured."""
    reached = np.cumsum(diameters.bins)
    half = diameters.cells / 2
    place = int(np.searchsorted(reached, half))
    before = reached[place] - diameters.bins[place]
    return float((place + (half - before) / diameters.bins[place]) * BIN_UM)


def _estimate(
    fields: Sequence[Diameters],
    whole: Diameters,
    moments: Callable[[Diameters], tuple[float, float, float]],
    power: int,
) -> Estimate | None:
    """Return the coefficient of variation of diameter^power, or None where fewer than two cells give none."""
    if whole.cells < 2:
        return None
    value = float(_variation(_columns([moments(whole)]))[0])
    interval, method = None, "no interval: too few cells"
    if len(fields) >= LEAST_FIELDS and whole.cells >= LEAST_CELLS:
        number, total, squares = _columns([moments(part) for part in fields])
        interval = bootstrap_interval(
            np.arange(len(fields)), lambda weights: _variation((weights @ number, weights @ total, weights @ squares))
        )
        method = "bootstrap over fields"
    elif whole.cells >= LEAST_CELLS:
        interval = percentile_interval(_resampled_cells(whole, power))
        method = "bootstrap over cells"
    low, high = interval or (None, None)
    return Estimate(value, low, high, "%", method)


def _columns(rows: Sequence[tuple[float, float, float]]) -> _Moments:
    number, total, squares = np.array(rows, np.float64).T
    return number, total, squares


def _variation(moments: _Moments) -> NDArray[np.float64]:
    """Return 100 s / mean with the unbiased variance s^2; NaN for fewer than two cells."""
    number, total, squares = moments
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / number
        variance = np.maximum(squares / number - mean**2, 0) * number / (number - 1)
        return np.where(number > 1, 100 * np.sqrt(variance) / mean, np.nan)


def _resampled_cells(whole: Diameters, power: int) -> NDArray[np.float64]:
    """Return the coefficient of variation in resamples of cells, each taken at the center of its bin."""
    counts = np.array(whole.bins, np.float64)
    used = np.flatnonzero(counts)
    values = ((used + 0.5) * BIN_UM) ** power
    drawn = np.random.default_rng(0).multinomial(whole.cells, counts[used] / whole.cells, size=RESAMPLES)
    number = np.full(RESAMPLES, float(whole.cells))
    return _variation((number, drawn @ values, drawn @ values**2))
