"""Prediction sets of single cells: what calibration leaves in a model's card, and a cell's set from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.core.prediction import SET_COVERAGE, PredictionSet
from hemascope.core.taxonomy import CellType
from hemascope.stats.conformal import conformal_quantile, nonconformity

COVERAGES = (0.90, 0.95, 0.99)
"""What a card holds limits for."""

METHOD = "lac by type"
"""Score 1 - p, compared with cells of the same type alone: smallest sets, valid whatever the shares of the types."""

_TYPES = tuple(CellType)


@dataclass(frozen=True, slots=True, eq=False)
class ConformalLimits:
    """The greatest score 1 - p at which each type stays in the set.

    Attributes
    ----------
    limits
        Coverage to one limit a type, in the order of ``CellType``; infinity where the calibration cells of a type were
        too few to ever exclude it.
    """

    limits: Mapping[float, NDArray[np.float64]]

    def at(self, coverage: float) -> NDArray[np.float64]:
        """Return the limits at a coverage; raise ``ValueError`` naming those there are if there are none."""
        for stated, limits in self.limits.items():
            if math.isclose(stated, coverage):
                return limits
        raise ValueError(f"no limits at {coverage:g}, but at {', '.join(f'{c:g}' for c in self.limits)}")


def conformal_spec(probabilities: ArrayLike, labels: ArrayLike, groups: ArrayLike) -> dict[str, object]:
    """Return what a model's card holds of the calibration of prediction sets, in plain JSON types.

    Parameters
    ----------
    probabilities
        N x types in the order of ``CellType``, calibrated, under the shares of the validation split and no other prior.
    labels
        N places in ``CellType``.
    groups
        N labels of near-duplicates, slides or patients; a group counts once.

    Returns
    -------
    ``method``; ``cells`` and ``groups``, how many; and ``limits``, coverage to type to the greatest 1 - p, null where a
    type has too few cells for that coverage (it then is in every set).

    Raises
    ------
    ValueError
        If shapes disagree or a row is no distribution.
    """
    scores, truth, names = nonconformity(probabilities), np.asarray(labels, np.intp), np.asarray(groups)
    if scores.shape != (len(truth), len(_TYPES)) or names.shape != truth.shape:
        raise ValueError(f"{scores.shape} probabilities need {len(_TYPES)} types, and a label and a group a row")
    limits: dict[str, dict[str, float | None]] = {}
    for coverage in COVERAGES:
        by_type = [
            conformal_quantile(scores[truth == k, k], 1 - coverage, names[truth == k]) for k in range(len(_TYPES))
        ]
        limits[f"{coverage:.2f}"] = {
            cell_type.value: limit if math.isfinite(limit) else None
            for cell_type, limit in zip(_TYPES, by_type, strict=True)
        }
    return {"method": METHOD, "cells": len(truth), "groups": len(np.unique(names)), "limits": limits}


def read_conformal(spec: Mapping[str, Any] | None) -> ConformalLimits | None:
    """Return the limits in a card, or None where it states none.

    Raises
    ------
    ValueError
        If the method is unknown, a type is missing, or a limit is no number.
    """
    if spec is None:
        return None
    if spec.get("method") != METHOD or not isinstance(spec.get("limits"), Mapping):
        raise ValueError(f"prediction sets by the method '{spec.get('method')}' are not known, only '{METHOD}'")
    found: dict[float, NDArray[np.float64]] = {}
    for coverage, by_type in spec["limits"].items():
        missing = [t.value for t in _TYPES if t.value not in by_type]
        if missing:
            raise ValueError(f"prediction sets at {coverage} state no limit for {', '.join(missing)}")
        values = [by_type[t.value] for t in _TYPES]
        found[float(coverage)] = np.array([math.inf if v is None else float(v) for v in values], np.float64)
    return ConformalLimits(found)


def prediction_sets(
    calibrated: NDArray[np.float64],
    limits: ConformalLimits | None,
    coverage: float = SET_COVERAGE,
    shown: NDArray[np.float64] | None = None,
) -> list[PredictionSet | None]:
    """Return the set of each cell, or None for each where there are no limits.

    The type told is always in it: a set is then never empty and never contradicts the label, and its coverage can only
    grow.

    Parameters
    ----------
    calibrated
        N x types, under the prior of calibration: only with those do the limits hold.
    limits
        Of a card; see ``read_conformal``.
    coverage
        One of those stated in the card.
    shown
        N x types under the prior in force, by which the types of a set are ordered; None for ``calibrated``.

    Raises
    ------
    ValueError
        If the card states no limits at that coverage.
    """
    if limits is None:
        return [None] * len(calibrated)
    held = contained(calibrated, limits.at(coverage))
    order = calibrated if shown is None else shown
    held[np.arange(len(held)), order.argmax(axis=1)] = True
    ranks = np.argsort(-order, axis=1, kind="stable")
    return [
        PredictionSet(tuple(_TYPES[k] for k in row if inside[k]), coverage, METHOD)
        for row, inside in zip(ranks, held, strict=True)
    ]


def contained(calibrated: NDArray[np.float64], limits: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which types conform, N x types; a row may hold none, where a cell conforms with no type."""
    held: NDArray[np.bool_] = nonconformity(calibrated) <= limits
    return held
