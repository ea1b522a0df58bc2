"""Whether attention falls on the cells that are truly informative, and how concentrated it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.evaluate.estimate import Estimate
from hemascope.stats.clustered_auroc import clustered_auroc
from hemascope.stats.delong import logit_interval
from hemascope.stats.ranking import auroc
from hemascope.stats.resample import ratio_of_sums

TOP_SHARE = 0.2
"""Of the cells of a patient that count as highly attended."""


@dataclass(frozen=True, slots=True)
class AttentionScores:
    """How attention is spread, and whether it is right; intervals by the bootstrap over patients, but for one.

    Attributes
    ----------
    patients
        All of them.
    judged
        Those whose bag holds informative cells and others.
    auroc
        Mean over the judged of the area under the ROC curve of attention for informative cells, each bag by itself.
    auroc_pooled
        Of the cells of all bags together, attention times the cells of its bag: 1 is what each would have if all had
        the same. It also asks whether bags without informative cells have no favorites. Its interval is that of
        clustered records (Obuchowski, Biometrics 1997;53:567).
    top_overlap
        Mean over the judged of the share of highly attended cells that is informative.
    top_jaccard
        Mean over the judged of the cells that are both, of those that are either: another figure than the overlap.
    entropy
        Mean over bags of two cells or more: 1 where all cells have the same attention, 0 where one has all.
    top_share
        Mean over bags of the attention that the highly attended cells have.
    """

    patients: int
    judged: int
    auroc: Estimate
    auroc_pooled: Estimate
    top_overlap: Estimate
    top_jaccard: Estimate
    entropy: Estimate
    top_share: Estimate


def score_attention(
    attention: Sequence[ArrayLike],
    patients: Sequence[str],
    informative: Sequence[ArrayLike] | None = None,
    top: float = TOP_SHARE,
) -> AttentionScores:
    """Return the figures of attention in the bags of P patients.

    Parameters
    ----------
    attention
        For each patient, N shares of its cells, 0 or more, which sum to 1.
    patients
        P names.
    informative
        For each patient, N truths whether the cell carries the signal; None where nobody knows.
    top
        Share of the cells that count as highly attended, above 0 up to 1; one cell at least.

    Raises
    ------
    ValueError
        If there are not as many bags as patients, a bag is empty or its shares do not sum to 1, the truths do not fit,
        or ``top`` is out of range.
    """
    if not 0 < top <= 1:
        raise ValueError(f"a share of cells lies above 0 and at most at 1, not at {top}")
    bags = [_checked(values, name) for values, name in zip(attention, patients, strict=True)]
    truths = [np.zeros(len(bag), bool) for bag in bags] if informative is None else _truths(informative, bags)
    names = np.asarray(patients, np.str_)
    judged = np.array([flags.any() and not flags.all() for flags in truths], bool)
    right = [(bag, flags) for bag, flags in zip(bags, truths, strict=True) if flags.any() and not flags.all()]
    overlaps = [_overlap(bag, flags, top) for bag, flags in right]
    several = np.array([len(bag) > 1 for bag in bags], bool)
    return AttentionScores(
        patients=len(bags),
        judged=len(right),
        auroc=_mean([auroc(bag, flags) for bag, flags in right], names[judged]),
        auroc_pooled=_pooled(bags, truths, names) if informative is not None else Estimate(None),
        top_overlap=_mean([overlap for overlap, _ in overlaps], names[judged]),
        top_jaccard=_mean([jaccard for _, jaccard in overlaps], names[judged]),
        entropy=_mean([normalized_entropy(bag) for bag in bags if len(bag) > 1], names[several]),
        top_share=_mean([float(np.sort(bag)[-_count(len(bag), top) :].sum()) for bag in bags], names),
    )


def normalized_entropy(attention: ArrayLike) -> float:
    r"""Return :math:`-\sum_i a_i \log a_i / \log N` of N shares that sum to 1; NaN for one cell."""
    shares = np.asarray(attention, np.float64)
    if len(shares) < 2:
        return float("nan")
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum() / np.log(len(shares)))


def _pooled(bags: list[NDArray[np.float64]], truths: list[NDArray[np.bool_]], names: NDArray[np.str_]) -> Estimate:
    if not bags:
        return Estimate(None)
    relative = np.concatenate([bag * len(bag) for bag in bags])
    owners = np.repeat(names, [len(bag) for bag in bags])
    area, variance = clustered_auroc(relative, np.concatenate(truths), owners)
    if np.isnan(area):
        return Estimate(None)
    return Estimate(area, *(logit_interval(area, variance) or (None, None)))


def _overlap(bag: NDArray[np.float64], flags: NDArray[np.bool_], top: float) -> tuple[float, float]:
    """Return the share of the top cells that is informative, and their Jaccard index; of equals, the first."""
    chosen = np.zeros(len(bag), bool)
    chosen[np.argsort(-bag, kind="stable")[: _count(len(bag), top)]] = True
    both = int((chosen & flags).sum())
    return both / int(chosen.sum()), both / int((chosen | flags).sum())


def _count(cells: int, top: float) -> int:
    return max(1, round(cells * top))


def _mean(values: Sequence[float], names: NDArray[np.str_]) -> Estimate:
    return Estimate.resampled(names, ratio_of_sums(np.asarray(values, np.float64), np.ones(len(values))))


def _checked(values: ArrayLike, patient: str) -> NDArray[np.float64]:
    shares = np.asarray(values, np.float64)
    if shares.ndim != 1 or not len(shares) or not (shares >= 0).all() or abs(shares.sum() - 1) > 1e-4:
        raise ValueError(f"patient {patient}: attention is one share a cell, 0 or more, which sum to 1")
    return shares


def _truths(informative: Sequence[ArrayLike], bags: list[NDArray[np.float64]]) -> list[NDArray[np.bool_]]:
    truths = [np.asarray(flags, bool) for flags in informative]
    if [flags.shape for flags in truths] != [bag.shape for bag in bags]:
        raise ValueError("need one truth a cell in every bag")
    return truths
