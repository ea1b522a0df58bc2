"""Judgements of a denoiser whose answers are known, and the calibration that makes them numbers to believe."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hemascope.classify.diffusion.answers import DiffusionAnswers
from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.classify.diffusion.elimination import NoElimination, PublishedRule
from hemascope.classify.diffusion.trials import draw_trials
from hemascope.classify.diffusion.zeta import zeta
from hemascope.classify.judge import EmbeddingJudge, JudgeCalibration, fit_calibration, read_calibration
from hemascope.core.errors import WeightsError
from hemascope.core.noise_schedule import cosine_schedule
from hemascope.core.prediction import CellPrediction
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.denoise.gaussian import GaussianDenoiser
from hemascope.embed.descriptor_encoder import DescriptorEncoder
from hemascope.evaluate.judge_conformance import check_judge, painted_cells

CALIBRATION = JudgeCalibration(2.0, -1.0, 0.5, 1.5)
IDENTITY = ModelIdentity("gaussian", "1", "3" * 64, "numpy", "Apache-2.0")
SIZE = (128, 32.0)


def exact(centers: NDArray[np.float64], names: tuple[str, ...] = tuple(CellType)) -> DiffusionClassifier:
    denoiser = GaussianDenoiser(names[: len(centers)], centers, cosine_schedule(), IDENTITY)
    return DiffusionClassifier(denoiser, draw_trials(denoiser, 32), NoElimination())


@pytest.fixture(scope="module")
def standard() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Descriptors of painted crops: their mean and spread."""
    crops, _ = painted_cells((SIZE,))
    rows = DescriptorEncoder().encode(crops[SIZE])
    return rows.mean(axis=0), rows.std(axis=0) + 1e-3


@pytest.fixture(scope="module")
def judge(standard: tuple[NDArray[np.float32], NDArray[np.float32]]) -> EmbeddingJudge:
    """A type for each painted crop, with the crop itself as its center."""
    crops, _ = painted_cells((SIZE,))
    mean, spread = standard
    centers = (DescriptorEncoder().encode(crops[SIZE]) - mean) / spread
    classifier = replace(exact(centers), prepare=lambda rows: ((rows - mean) / spread).astype(np.float32))
    return EmbeddingJudge([DescriptorEncoder()], classifier, CALIBRATION)


def test_it_keeps_the_contract(judge: EmbeddingJudge) -> None:
    assert check_judge(judge) == ()


def test_each_cell_is_told_by_its_own_center(judge: EmbeddingJudge) -> None:
    crops, predictions = painted_cells((SIZE,))
    found = judge.judge(crops, predictions)
    assert [one.cell_type for one in found] == list(CellType)
    scores = np.array([one.zeta for one in found])
    assert [one.confidence for one in found] == CALIBRATION.confidence(scores).tolist()
    # All centers are explained equally well: by the noise alone.
    assert max(one.anomaly for one in found) - min(one.anomaly for one in found) < 1e-4
    assert {one.passes for one in found} == {32 * 8}
    assert [identity.name for identity in judge.identities] == ["descriptors", "gaussian"]
    assert judge.crop_sizes == (SIZE,)


def test_a_cell_far_from_all_centers_is_strange() -> None:
    rng = np.random.default_rng(0)
    centers = 6 * np.eye(8)
    known = (centers[rng.integers(0, 8, 400)] + rng.normal(size=(400, 8))).astype(np.float32)
    classifier = exact(centers)
    truth = classifier.answer(known).told
    calibration = fit_calibration(classifier.answer(known), truth)
    near = calibration.anomaly(classifier.answer(centers.astype(np.float32)).explained)
    far = calibration.anomaly(classifier.answer(np.full((1, 8), 9.0, np.float32)).explained)
    assert near.max() < 0.2
    assert far[0] > 2
    beyond = calibration.anomaly(classifier.answer(known).explained) > 1
    assert beyond.mean() == pytest.approx(0.01, abs=0.0026)


def answers(errors: NDArray[np.float64]) -> DiffusionAnswers:
    count = len(errors)
    told = errors.argmin(axis=1)
    ones = np.ones(count, np.intp)
    return DiffusionAnswers(
        errors / errors.mean(axis=1, keepdims=True), errors, -errors, told, np.ones(errors.shape, bool), ones, ones
    )


def test_confidence_is_the_share_that_is_right() -> None:
    rng = np.random.default_rng(1)
    errors = 1 + rng.gamma(2.0, 0.1, (20_000, 5))
    given = answers(errors)
    scores = zeta(given.errors)
    right = rng.random(len(scores)) < 1 / (1 + np.exp(-(6 * scores + 0.5)))
    truth = np.where(right, given.told, (given.told + 1) % 5)
    fitted = fit_calibration(given, truth)
    assert fitted.slope == pytest.approx(6, rel=0.15)
    assert fitted.intercept == pytest.approx(0.5, abs=0.1)
    stated = fitted.confidence(scores)
    for low, high in ((0.0, 0.55), (0.55, 0.65), (0.65, 1.0)):
        inside = (stated >= low) & (stated < high)
        if inside.sum() > 500:
            assert right[inside].mean() == pytest.approx(stated[inside].mean(), abs=0.03)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from(["all", "none", "mixed"]))
def test_whatever_the_cells_the_calibration_is_sound(count: int, seed: int, right: str) -> None:
    rng = np.random.default_rng(seed)
    given = answers(1 + rng.gamma(1.0, 0.2, (count, 4)))
    wrong = (given.told + 1) % 4
    truth = {"all": given.told, "none": wrong, "mixed": np.where(rng.random(count) < 0.5, given.told, wrong)}[right]
    fitted = fit_calibration(given, truth)
    scores = np.sort(zeta(given.errors))
    stated = fitted.confidence(scores)
    assert ((stated >= 0) & (stated <= 1)).all()
    assert (np.diff(stated) >= 0).all()
    assert (fitted.anomaly(given.explained) >= 0).all()
    assert read_calibration(fitted.as_dict()) == fitted


def test_numbers_that_make_no_calibration_are_refused() -> None:
    with pytest.raises(WeightsError, match="anomaly_threshold"):
        read_calibration({"slope": 1, "intercept": 0, "anomaly_floor": 0})
    with pytest.raises(WeightsError, match="above the floor"):
        read_calibration({"slope": 1, "intercept": 0, "anomaly_floor": 2, "anomaly_threshold": 1})
    with pytest.raises(ValueError, match="slope"):
        JudgeCalibration(-1.0, 0.0, 0.0, 1.0)
    with pytest.raises(ValueError, match="truth"):
        fit_calibration(answers(np.ones((2, 3))), np.zeros(3, np.intp))


def test_types_of_another_version_and_rules_that_give_up_are_refused() -> None:
    with pytest.raises(WeightsError, match="knows blast"):
        EmbeddingJudge([DescriptorEncoder()], exact(np.eye(2), ("blast", "monocyte")), CALIBRATION)
    hasty = replace(exact(np.eye(2)), rule=PublishedRule())
    with pytest.raises(ValueError, match="NoElimination"):
        EmbeddingJudge([DescriptorEncoder()], hasty, CALIBRATION)


def test_a_missing_crop_is_named(judge: EmbeddingJudge) -> None:
    crops, predictions = painted_cells((SIZE,))
    with pytest.raises(ValueError, match=r"8 crops of 128 px and 32\.0 um"):
        judge.judge({SIZE: crops[SIZE][:3]}, predictions)
    assert judge.judge({SIZE: ()}, []) == []
    assert CellPrediction("c", predictions[0].probabilities, 0.5).judgement is None
