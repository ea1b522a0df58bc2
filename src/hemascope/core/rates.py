"""Numbers with their intervals, as reports carry them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """A count over a denominator, with its exact 95% interval.

    Attributes
    ----------
    count, total
        Numerator and denominator as counted.
    value
        The rate in its unit (percent, per 100, per 1,000 or per field); None where ``total`` is 0.
    low, high
        Limits of the 95% interval in the same unit; None where ``total`` is 0.
    unit
        ``%``, ``per 100 white cells``, ``per 1,000 red cells`` or ``per field``.
    """

    count: int
    total: int
    value: float | None
    low: float | None
    high: float | None
    unit: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured value with its 95% interval.

    Attributes
    ----------
    value
        In ``unit``.
    low, high
        Limits of the interval; None where too little is known for one.
    unit
        ``%``, ``um`` or ``10^9/L``.
    method
        How value and interval were found, in words.
    """

    value: float
    low: float | None
    high: float | None
    unit: str
    method: str
