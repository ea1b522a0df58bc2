"""Joined probabilities by known answers: sure cells stay, unsure ones follow the denoiser, the sum stays 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hemascope.classify.diffusion.cascade import Cascade
from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.classify.diffusion.elimination import NoElimination
from hemascope.classify.diffusion.trials import draw_trials
from hemascope.classify.second_look import SecondLook, fit_second_look, read_second_look
from hemascope.core.cell import CellCrop
from hemascope.core.embedding import EncoderSpec
from hemascope.core.errors import WeightsError
from hemascope.core.noise_schedule import cosine_schedule
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.core.units import Microns
from hemascope.denoise.gaussian import GaussianDenoiser

IDENTITY = ModelIdentity("gaussian", "1", "3" * 64, "numpy", "Apache-2.0")
TYPES = list(CellType)
SHARES = st.floats(0, 1)


class LevelEncoder:
    """The level of a crop as a vector along one of seven axes."""

    identity = ModelIdentity("level", "1", "", "numpy", "Apache-2.0")

    def __init__(self, side: int = 16) -> None:
        self.spec = EncoderSpec(7, side, 32.0, "level", "any")

    def encode(self, crops: Sequence[CellCrop]) -> NDArray[np.float32]:
        return 8 * np.eye(7, dtype=np.float32)[[int(crop.pixels[0, 0, 0]) for crop in crops]]


def gaussian(known: Sequence[CellType]) -> DiffusionClassifier:
    denoiser = GaussianDenoiser([kind.value for kind in known], 8 * np.eye(7), cosine_schedule(), IDENTITY)
    return DiffusionClassifier(denoiser, draw_trials(denoiser, 16), NoElimination())


KNOWN = [kind for kind in TYPES if kind is not CellType.PLATELET][::-1]
LOOK = SecondLook((LevelEncoder(),), Cascade(gaussian(KNOWN), temperature=1.0, threshold=0.9, mass=1.0))


def crops_at(levels: Sequence[int]) -> list[CellCrop]:
    return [CellCrop(f"c#{k}", np.full((16, 16, 3), level, np.uint8), Microns(32.0)) for k, level in enumerate(levels)]


def test_the_denoiser_is_heard_where_the_classifier_is_unsure() -> None:
    even = np.full((7, 8), 1 / 8)
    after = LOOK.joined(even, crops_at(range(7)))
    assert [TYPES[k] for k in after.argmax(axis=1)] == KNOWN
    assert after.max(axis=1) == pytest.approx(7 / 8, abs=0.01)
    # A type that the denoiser does not know keeps its probability.
    assert after[:, TYPES.index(CellType.PLATELET)] == pytest.approx(1 / 8)


def test_a_sure_cell_stays_as_it_is() -> None:
    sure = np.where(np.arange(8) == 2, 0.965, 0.005)[None]
    np.testing.assert_allclose(LOOK.joined(sure, crops_at([0])), sure, rtol=1e-12)
    assert LOOK.joined(np.empty((0, 8)), []).shape == (0, 8)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.lists(st.floats(0, 1), min_size=8, max_size=8)), min_size=1, max_size=5)
)
def test_probabilities_stay_probabilities(cells: list[tuple[int, list[float]]]) -> None:
    raw = np.array([row for _, row in cells]) + 1e-6
    before = raw / raw.sum(axis=1, keepdims=True)
    before[0, :4] = 0
    before[0] /= before[0].sum()
    after = LOOK.joined(before, crops_at([level for level, _ in cells]))
    assert (after >= 0).all()
    assert after.sum(axis=1) == pytest.approx(1)
    alone = LOOK.joined(before[:1], crops_at([cells[0][0]]))
    np.testing.assert_allclose(alone, after[:1], rtol=1e-6, atol=1e-9)


def test_what_is_no_cascade_is_refused() -> None:
    good = {"temperature": 1.5, "threshold": 0.8, "share": 0.5}
    look = read_second_look(good, [LevelEncoder()], gaussian(KNOWN))
    assert (look.cascade.temperature, look.cascade.threshold, look.cascade.share) == (1.5, 0.8, 0.5)
    with pytest.raises(WeightsError, match="states no cascade"):
        read_second_look({}, [LevelEncoder()], gaussian(KNOWN))
    with pytest.raises(WeightsError, match="temperature"):
        read_second_look(good | {"temperature": 0}, [LevelEncoder()], gaussian(KNOWN))
    with pytest.raises(WeightsError, match="several sizes"):
        read_second_look(good, [LevelEncoder(), LevelEncoder(32)], gaussian(KNOWN))


@pytest.mark.parametrize("loud", [0.01, 2, 500])
def test_three_numbers_are_fitted_to_cells_that_both_were_asked_of(loud: float) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 2000)
    truth = np.eye(4)[labels]
    sure = rng.random(2000) < 0.85
    # The classifier knows most cells and guesses at the rest; the second model knows more, and is too loud or too low.
    first = np.log(np.where(sure[:, None], 0.97 * truth + 0.01 * (1 - truth), 0.25))
    chances = np.exp(2.0 * truth) / np.exp(2.0 * truth).sum(axis=1, keepdims=True)
    told = np.array([rng.choice(4, p=row) for row in chances])
    second = loud * 2.0 * np.eye(4)[told]
    found = fit_second_look(first, second, labels)
    unsure = np.exp(first.max(axis=1)) < found["threshold"]
    assert 0.1 < unsure.mean() <= 0.2
    assert not (unsure & sure).any()
    assert found["temperature"] == pytest.approx(loud, rel=0.1)
    assert found["share"] == pytest.approx(1, abs=0.15)
    assert read_second_look(found, [LevelEncoder()], gaussian(KNOWN)).cascade.share == found["share"]
    deaf = fit_second_look(first, rng.normal(size=second.shape), labels)
    assert deaf["share"] / deaf["temperature"] <= 0.1 + 1e-6
    assert fit_second_look(first, second, labels, passed_on=0.0)["share"] == 0
    with pytest.raises(ValueError, match="labels"):
        fit_second_look(first, second, labels[1:])
