"""Recall, precision, average precision and counting errors of one kind over many fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.matching import FieldMatch
from hemascope.stats.resample import Statistic, ratio_of_sums


@dataclass(frozen=True, slots=True)
class DetectionScores:
    """How one kind was found over many fields.

    Attributes
    ----------
    fields
        Number of fields.
    labeled, found, matched
        Numbers of objects.
    false_positives
        Found objects without a label, known real ones included; None where the kind is not labeled completely.
    adjudicated
        How many of these are known to be real cells without a label.
    recall
        Labels found / labels, with the exact interval.
    precision
        Matched / found, with the exact interval; undefined where the kind is not labeled completely.
    average_precision
        Area under the precision envelope over recall, all points, candidates below the finder's threshold among them
        where it tells them; interval from the bootstrap over groups of fields.
    precision_adjudicated, average_precision_adjudicated
        The same with the known real cells set aside.
    count_absolute_error
        Mean over fields of |found - labeled|, in cells a field; interval from the bootstrap over groups of fields.
    count_relative_error
        The same over the mean labeled count.
    count_bias
        Mean of found - labeled over the mean labeled count: above 0 where too many are found.
    """

    fields: int
    labeled: int
    found: int
    matched: int
    false_positives: int | None
    adjudicated: int
    recall: Estimate
    precision: Estimate
    average_precision: Estimate
    precision_adjudicated: Estimate
    average_precision_adjudicated: Estimate
    count_absolute_error: Estimate
    count_relative_error: Estimate
    count_bias: Estimate

    def estimates(self) -> dict[str, Estimate]:
        """Return every figure under its name in the benchmark."""
        unknown = self.false_positives is None
        false = self.false_positives if self.false_positives is not None else 0
        return {
            "fields": Estimate(self.fields),
            "labeled": Estimate(self.labeled or None),
            "found": Estimate(self.found),
            "matched": Estimate(self.matched if self.labeled else None),
            "misses": Estimate(self.labeled - self.matched if self.labeled else None),
            "false_positives": Estimate(None if unknown else false),
            "false_positives_adjudicated": Estimate(None if unknown else false - self.adjudicated),
            "recall": self.recall,
            "precision": self.precision,
            "average_precision": self.average_precision,
            "precision_adjudicated": self.precision_adjudicated,
            "average_precision_adjudicated": self.average_precision_adjudicated,
            "count_absolute_error": self.count_absolute_error,
            "count_relative_error": self.count_relative_error,
            "count_bias": self.count_bias,
        }


def score_detection(matches: Sequence[FieldMatch], ranked: Sequence[FieldMatch] | None = None) -> DetectionScores:
    """Return the scores of one kind over fields of one labeling.

    A kind is taken as completely labeled only where every field labels it completely; otherwise what is found
    without a label may well be real, so precision, average precision and counting errors are undefined.

    Parameters
    ----------
    matches
        One a field: what was found.
    ranked
        One a field, the candidates below the finder's threshold included, for the average precision; ``matches`` where
        the finder does not tell.

    Raises
    ------
    ValueError
        If the matches are of several kinds.
    """
    kinds = {match.kind for match in matches}
    if len(kinds) > 1:
        raise ValueError(f"score one kind at a time, not {', '.join(sorted(kinds))}")
    labeled = sum(len(match.labeled) for match in matches)
    found = sum(len(match.found) for match in matches)
    matched = sum(match.matched for match in matches)
    real = sum(len(match.unlabeled) for match in matches)
    complete = bool(matches) and all(match.kind in match.record.labeled_kinds for match in matches)
    curve = matches if ranked is None else ranked
    absolute, relative, bias = count_errors(matches) if complete else (Estimate(None),) * 3
    return DetectionScores(
        fields=len(matches),
        labeled=labeled,
        found=found,
        matched=matched,
        false_positives=found - matched if complete else None,
        adjudicated=real,
        recall=Estimate.share(matched, labeled),
        precision=Estimate.share(matched, found) if complete else Estimate(None),
        average_precision=average_precision(curve) if complete else Estimate(None),
        precision_adjudicated=Estimate.share(matched, found - real) if complete else Estimate(None),
        average_precision_adjudicated=average_precision(curve, adjudicate=True) if complete else Estimate(None),
        count_absolute_error=absolute,
        count_relative_error=relative,
        count_bias=bias,
    )


def average_precision(matches: Sequence[FieldMatch], *, adjudicate: bool = False) -> Estimate:
    """Return the average precision over fields, with its bootstrap interval over groups of fields.

    All-point interpolation: the area under the precision envelope (the highest precision at this or any higher
    recall) as a step function of recall (PASCAL VOC since 2010). Found objects of equal score enter together.

    Parameters
    ----------
    matches
        One a field, of one kind.
    adjudicate
        Whether to set known real cells without a label aside.
    """
    if not any(match.labeled for match in matches):
        return Estimate(None)
    return Estimate.resampled(_groups(matches), _area_of(matches, adjudicate=adjudicate))


def mean_average_precision(kinds: Sequence[Sequence[FieldMatch]]) -> Estimate:
    """Return the mean of the average precisions of several kinds, with its bootstrap interval over groups of fields.

    Parameters
    ----------
    kinds
        One a kind: one match a field, the same fields in the same order; each kind is labeled somewhere.

    Raises
    ------
    ValueError
        If the fields differ between the kinds.
    """
    names = [[match.record.name for match in matches] for matches in kinds]
    if any(other != names[0] for other in names):
        raise ValueError("the kinds must be matched in the same fields, in the same order")
    if not all(any(match.labeled for match in matches) for matches in kinds):
        return Estimate(None)
    areas = [_area_of(matches, adjudicate=False) for matches in kinds]

    def mean(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.mean([area(weights) for area in areas], axis=0), np.float64)

    return Estimate.resampled(_groups(kinds[0]), mean)


def _groups(matches: Sequence[FieldMatch]) -> list[str]:
    """Return what is resampled together: fields of one slide, neighboring captures."""
    return [match.record.group for match in matches]


def _area_of(matches: Sequence[FieldMatch], *, adjudicate: bool) -> Statistic:
    labeled = np.array([len(match.labeled) for match in matches], np.float64)
    rows = [
        (found.score, partner is not None, index)
        for index, match in enumerate(matches)
        for found, partner, real in zip(match.found, match.partner, match.adjudicated, strict=True)
        if not (adjudicate and real)
    ]
    scores = np.array([row[0] for row in rows], np.float64)
    hits = np.array([row[1] for row in rows], np.float64)
    fields = np.array([row[2] for row in rows], np.intp)
    return _precision_area(scores, hits, fields, labeled)


def _precision_area(
    scores: NDArray[np.float64], hits: NDArray[np.float64], fields: NDArray[np.intp], labeled: NDArray[np.float64]
) -> Statistic:
    """Return average precision as a statistic of how often each field was drawn."""
    order = np.argsort(-scores, kind="stable")
    scores, hits, fields = scores[order], hits[order], fields[order]
    last_of_score = np.append(scores[1:] != scores[:-1], True) if len(scores) else np.zeros(0, bool)

    def area(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        total = weights @ labeled
        drawn = weights[:, fields]
        true = np.cumsum(drawn * hits, axis=1)[:, last_of_score]
        all_found = np.cumsum(drawn, axis=1)[:, last_of_score]
        precision = np.divide(true, all_found, out=np.zeros_like(true), where=all_found > 0)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        gained = np.diff(true, axis=1, prepend=0.0)
        summed = (gained * envelope).sum(axis=1)
        mean: NDArray[np.float64] = np.divide(summed, total, out=np.full_like(total, np.nan), where=total > 0)
        return mean

    return area


def count_errors(matches: Sequence[FieldMatch]) -> tuple[Estimate, Estimate, Estimate]:
    """Return the absolute error a field, that over the mean count, and the signed error over the mean count.

    Intervals are from the bootstrap over groups of fields. Undefined where nothing is labeled.
    """
    labeled = np.array([len(match.labeled) for match in matches], np.float64)
    found = np.array([len(match.found) for match in matches], np.float64)
    if not labeled.sum():
        return Estimate(None), Estimate(None), Estimate(None)
    groups = _groups(matches)
    error = found - labeled
    return (
        Estimate.resampled(groups, ratio_of_sums(np.abs(error), np.ones_like(labeled))),
        Estimate.resampled(groups, ratio_of_sums(np.abs(error), labeled)),
        Estimate.resampled(groups, ratio_of_sums(error, labeled)),
    )
