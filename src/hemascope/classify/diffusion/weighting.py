"""Which steps of noise are tried, and what the error at each is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Kind = Literal["uniform", "published", "fitted"]
Grid = Literal["published", "spread"]
"""How steps are drawn: evenly spaced and shuffled, or by density with every prefix spread over all steps."""

GOLDEN = (5**0.5 - 1) / 2
"""Step of the sequence that fills 0 to 1 most evenly at every length (Kronecker's, with the golden ratio)."""


@dataclass(frozen=True, slots=True)
class StepCurve:
    """A positive function of the step: the exponential of a polynomial, constant beyond the steps it was fitted on.

    Attributes
    ----------
    coefficients
        Of the polynomial in step / steps of the schedule, the constant first.
    first, last
        Least and greatest step / steps it was fitted on, 0 to 1.

    Raises
    ------
    ValueError
        If there is no coefficient, one is not finite, or the range is empty.
    """

    coefficients: tuple[float, ...]
    first: float = 0.0
    last: float = 1.0

    def __post_init__(self) -> None:
        if not self.coefficients or not np.isfinite(self.coefficients).all():
            raise ValueError(f"a curve needs finite coefficients, not {self.coefficients}")
        if not 0 <= self.first < self.last <= 1:
            raise ValueError(f"a curve needs a range within 0 to 1, not {self.first} to {self.last}")

    def at(self, steps: ArrayLike, step_count: int) -> NDArray[np.float64]:
        """Return the curve's positive values at ``steps`` of a schedule of ``step_count`` steps."""
        times = np.clip(np.asarray(steps, np.float64) / step_count, self.first, self.last)
        return np.asarray(np.exp(np.polynomial.polynomial.polyval(times, self.coefficients)), np.float64)


@dataclass(frozen=True, slots=True)
class TimestepWeighting:
    """What the squared error at each step counts, and how often each step is tried.

    Attributes
    ----------
    kind
        ``uniform``: 1. ``published``: see ``published_weights``. ``fitted``: by ``curve``.
    curve
        The weight over the steps, of ``fitted``; None for the others.
    density
        How often a step is tried, up to a factor; None for evenly. It changes the noise of the estimate, not its
        expectation: errors are divided by it.

    Raises
    ------
    ValueError
        If the kind is unknown, or there is not a curve exactly for ``fitted``.
    """

    kind: Kind = "uniform"
    curve: StepCurve | None = None
    density: StepCurve | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("uniform", "published", "fitted"):
            raise ValueError(f"there is no weighting '{self.kind}'; choose uniform, published or fitted")
        if (self.kind == "fitted") != (self.curve is not None):
            raise ValueError(f"a weighting has a curve exactly if it is fitted; this one is {self.kind}")

    def weights(self, steps: ArrayLike, step_count: int) -> NDArray[np.float64]:
        """Return the positive weights of ``steps`` in a schedule of ``step_count`` steps."""
        if self.kind == "published":
            return published_weights(steps, step_count)
        if self.curve is not None:
            return self.curve.at(steps, step_count)
        return np.ones(np.shape(steps))

    def draw(
        self, count: int, step_count: int, generator: np.random.Generator, grid: Grid = "spread"
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return ``count`` steps and the weights of their errors.

        The mean of weighted errors over them has the expectation of the mean over all steps of ``weights`` times error.

        Parameters
        ----------
        count
            1 or more.
        step_count
            Steps T of the schedule.
        generator
            Of the shuffling, or of where the sequence starts.
        grid
            ``published``: evenly spaced from step 1 to T - 1, shuffled; the density is not used. ``spread``: drawn by
            the density through a sequence whose every prefix is spread over all steps, so few trials see them all.
        """
        if grid == "published":
            steps = generator.permutation(np.linspace(1, step_count - 1, count).astype(np.intp))
            return steps, self.weights(steps, step_count)
        every = np.arange(step_count)
        density = np.ones(step_count) if self.density is None else self.density.at(every, step_count)
        shares = density / density.sum()
        places = (generator.random() + GOLDEN * np.arange(count)) % 1
        steps = np.minimum(np.searchsorted(np.cumsum(shares), places, side="right"), step_count - 1)
        return steps, self.weights(steps, step_count) / (shares[steps] * step_count)

    def as_dict(self) -> dict[str, object]:
        """Return plain values that ``weighting_from`` takes, as they stand in a card."""
        curves = {"curve": self.curve, "density": self.density}
        return {"kind": self.kind, **{name: _curve_values(curve) for name, curve in curves.items() if curve}}


def published_weights(steps: ArrayLike, step_count: int = 1000) -> NDArray[np.float64]:
    r"""Return CytoDiffusion's weights :math:`1 / P(u)` with :math:`u = 1 - t/T`.

    :math:`P(u) = 0.927 + 9.837u - 4.684u^2 + 6.019u^3 - 9.340u^4` was fitted there to the median over cells of the
    deviation of the error between classes, on its own denoiser and data.
    """
    u = 1 - np.asarray(steps, np.float64) / step_count
    return np.asarray(1 / np.polynomial.polynomial.polyval(u, (0.927, 9.837, -4.684, 6.019, -9.340)), np.float64)


def weighting_from(values: Mapping[str, object]) -> TimestepWeighting:
    """Return the weighting that ``TimestepWeighting.as_dict`` gave ``values`` of; raise ``ValueError`` for others."""
    unknown = set(values) - {"kind", "curve", "density"}
    if unknown:
        raise ValueError(f"a weighting has no {', '.join(sorted(unknown))}")
    return TimestepWeighting(
        kind=str(values.get("kind")),  # type: ignore[arg-type]  # checked by the record
        curve=_curve_from(values.get("curve")),
        density=_curve_from(values.get("density")),
    )


def _curve_values(curve: StepCurve) -> dict[str, object]:
    return {"coefficients": list(curve.coefficients), "first": curve.first, "last": curve.last}


def _curve_from(values: object) -> StepCurve | None:
    if values is None:
        return None
    if not isinstance(values, Mapping) or set(values) != {"coefficients", "first", "last"}:
        raise ValueError(f"a curve over steps needs coefficients, first and last; this one is {values}")
    coefficients = tuple(float(value) for value in values["coefficients"])
    return StepCurve(coefficients, float(values["first"]), float(values["last"]))
