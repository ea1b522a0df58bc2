"""How well a denoiser of embeddings explains a cell, as calibrated judgements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.diffusion.answers import DiffusionAnswers
from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.classify.diffusion.elimination import NoElimination
from hemascope.classify.diffusion.zeta import zeta
from hemascope.core.cell import CellCrop
from hemascope.core.errors import WeightsError
from hemascope.core.ports import Encoder
from hemascope.core.prediction import CellPrediction, GenerativeJudgement
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType

STRANGE = 0.01
"""Default share of validation cells beyond the threshold of anomaly."""
_NEWTON_STEPS = 50


@dataclass(frozen=True, slots=True)
class JudgeCalibration:
    """What turns scores into probabilities and units; fitted on validation cells.

    Attributes
    ----------
    slope, intercept
        The probability that the type told is right is ``1 / (1 + exp(-(slope * zeta + intercept)))``.
    anomaly_floor, anomaly_threshold
        Mean errors of the type told that count as anomaly 0 and 1.

    Raises
    ------
    ValueError
        If a number is not finite, the slope is negative, or the threshold is not above the floor.
    """

    slope: float
    intercept: float
    anomaly_floor: float
    anomaly_threshold: float

    def __post_init__(self) -> None:
        if not np.isfinite([self.slope, self.intercept, self.anomaly_floor, self.anomaly_threshold]).all():
            raise ValueError(f"a calibration needs finite numbers, not {self}")
        if self.slope < 0 or self.anomaly_threshold <= self.anomaly_floor:
            raise ValueError(f"a slope of 0 or more, and a threshold above the floor, not {self}")

    def confidence(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return N probabilities for N values of zeta."""
        return _sigmoid(self.slope * scores + self.intercept)

    def anomaly(self, explained: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return N anomalies, 0 or more, for N mean errors of the type told."""
        units = (explained - self.anomaly_floor) / (self.anomaly_threshold - self.anomaly_floor)
        return np.asarray(np.maximum(units, 0.0), np.float64)

    def as_dict(self) -> dict[str, float]:
        """Return plain numbers that ``read_calibration`` takes, as they stand in a card."""
        return asdict(self)


def read_calibration(values: Mapping[str, Any]) -> JudgeCalibration:
    """Return the calibration that ``as_dict`` gave ``values`` of.

    Raises
    ------
    WeightsError
        If a number is missing or out of its range.
    """
    try:
        return JudgeCalibration(**{field.name: float(values[field.name]) for field in fields(JudgeCalibration)})
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"a model card states no calibration of judgements ({type(error).__name__}: {error}); install hemascope "
            "again, or train the denoiser again"
        ) from error


def fit_calibration(
    answers: DiffusionAnswers, truth: NDArray[np.intp], *, strange: float = STRANGE
) -> JudgeCalibration:
    """Return the calibration by validation cells, all answered with every class to the last trial.

    The confidence is Platt's logistic curve over zeta (Platt, Advances in Large Margin Classifiers 1999), with his
    smoothed targets, so that it stays finite where every cell is right. The floor of anomaly is the least error of a
    cell, its threshold the error that a share ``strange`` of the cells exceeds.

    Parameters
    ----------
    answers
        To N cells.
    truth
        N numbers of the right classes.
    strange
        Above 0, below 1.

    Raises
    ------
    ValueError
        If there is not one truth a cell, no cell, or a share out of range.
    """
    if len(truth) != len(answers) or not len(truth) or not 0 < strange < 1:
        raise ValueError(f"need a truth for each of {len(answers)} cells, a cell, and a share, not {strange}")
    slope, intercept = _fit_logistic(zeta(answers.errors, corrected=True), answers.told == truth)
    least, threshold = float(answers.explained.min()), float(np.quantile(answers.explained, 1 - strange))
    return JudgeCalibration(slope, intercept, least, max(threshold, least * (1 + 1e-6) + 1e-12))


class EmbeddingJudge:
    """Judges cells by a denoiser of what encoders say of them; a ``CellJudge``.

    Every class is tried to the last trial: classes given up early would distort scores.

    Parameters
    ----------
    encoders
        Whose embeddings stand side by side in a sample, in order.
    classifier
        The denoiser with its trials, and the way from embeddings to samples; its classes are types of cells.
    calibration
        What turns scores into probabilities and units.

    Raises
    ------
    WeightsError
        If a class is no type of cells.
    ValueError
        If the classifier gives classes up.
    """

    def __init__(
        self, encoders: Sequence[Encoder], classifier: DiffusionClassifier, calibration: JudgeCalibration
    ) -> None:
        name = classifier.denoiser.identity.name
        strange = [name for name in classifier.classes if name not in list(CellType)]
        if strange:
            raise WeightsError(f"{name} knows {', '.join(strange)}, which are no types of this version; train it again")
        if not isinstance(classifier.rule, NoElimination):
            raise ValueError("a judge tries every class to the last trial: give it NoElimination")
        self._encoders = tuple(encoders)
        self._classifier = classifier
        self._calibration = calibration
        self._types = tuple(CellType(name) for name in classifier.classes)

    @property
    def identities(self) -> tuple[ModelIdentity, ...]:
        """What answers: the encoders, then the denoiser."""
        return (*(encoder.identity for encoder in self._encoders), self._classifier.denoiser.identity)

    @property
    def crop_sizes(self) -> tuple[tuple[int, float], ...]:
        """Side in pixels and width in um of the encoders' crops, each size once."""
        return tuple(dict.fromkeys(_size(encoder) for encoder in self._encoders))

    def judge(
        self, crops: Mapping[tuple[int, float], Sequence[CellCrop]], predictions: Sequence[CellPrediction]
    ) -> list[GenerativeJudgement]:
        """Return one judgement a cell, in order; an empty list for no cells.

        Raises
        ------
        ValueError
            If there is not one crop of each size a cell.
        """
        wrong = [size for size in self.crop_sizes if len(crops.get(size, ())) != len(predictions)]
        if wrong:
            raise ValueError(f"need {len(predictions)} crops of {wrong[0][0]} px and {wrong[0][1]} um, one a cell")
        if not predictions:
            return []
        rows = np.concatenate([encoder.encode(crops[_size(encoder)]) for encoder in self._encoders], axis=1)
        prepare = self._classifier.prepare
        answers = self._classifier.answer(rows if prepare is None else prepare(rows))
        scores = zeta(answers.errors, corrected=True)
        confidences, anomalies = self._calibration.confidence(scores), self._calibration.anomaly(answers.explained)
        columns = (answers.told, confidences, scores, anomalies, answers.passes)
        return [
            GenerativeJudgement(self._types[told], confidence, score, anomaly, passes)
            for told, confidence, score, anomaly, passes in zip(*(values.tolist() for values in columns), strict=True)
        ]


def _size(encoder: Encoder) -> tuple[int, float]:
    spec = encoder.spec
    if spec.crop_um is None:
        raise WeightsError(f"{encoder.identity.name} states no width of its crops in um; name another encoder")
    return spec.crop_px, spec.crop_um


def _fit_logistic(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope, 0 or more, and intercept of the logistic curve of greatest smoothed likelihood."""
    hits, misses = int(right.sum()), int((~right).sum())
    targets = np.where(right, (hits + 1) / (hits + 2), 1 / (misses + 2))
    level = float(targets.mean())
    flat = (0.0, float(np.log(level / (1 - level))))
    center, spread = float(scores.mean()), float(scores.std())
    if spread <= 1e-12 * max(1.0, abs(center)):
        return flat
    design = np.stack([(scores - center) / spread, np.ones(len(scores))], axis=1)
    line = np.array(flat)
    for _ in range(_NEWTON_STEPS):
        chances = _sigmoid(design @ line)
        bend = (design * (chances * (1 - chances))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(bend, design.T @ (targets - chances))
        line = line + step * min(1.0, 4.0 / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < 1e-9:
            break
    slope = float(line[0]) / spread
    return (slope, float(line[1]) - slope * center) if slope > 0 else flat


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)), np.float64)
