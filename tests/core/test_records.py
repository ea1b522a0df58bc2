import numpy as np
import pytest

from hemascope.core.errors import HemascopeError, MissingExtraError
from hemascope.core.optics import MIN_BACKGROUND, absorption, background_color, transmittance
from hemascope.core.prediction import AbstentionReason, CellPrediction
from hemascope.core.smear import Field, QcReason, QcStatus, QcVerdict
from hemascope.core.taxonomy import DISPLAY_NAMES, UNIDENTIFIED, CellKind, CellType, RedCellType
from hemascope.core.units import Scale, ScaleSource


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (4, 4, 1)])
def test_a_field_is_rgb_and_nothing_else(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="H x W x 3"):
        Field("f", np.zeros(shape, np.uint8), None)


def test_a_field_is_uint8() -> None:
    with pytest.raises(ValueError, match="uint8"):
        Field("f", np.zeros((4, 4, 3), np.float32), None)  # type: ignore[arg-type]


def test_a_field_gets_a_scale_without_being_changed() -> None:
    field = Field("f", np.zeros((4, 6, 3), np.uint8), None)
    scaled = field.with_scale(Scale(0.1, ScaleSource.STATED))
    assert field.scale is None
    assert scaled.scale is not None
    assert scaled.scale.mpp == 0.1
    assert (scaled.width, scaled.height) == (6, 4)
    with pytest.raises(ValueError, match="read-only"):
        scaled.pixels[0, 0, 0] = 1


def test_a_verdict_is_as_bad_as_its_worst_reason() -> None:
    warn, fail = QcReason("a", QcStatus.WARN, ""), QcReason("b", QcStatus.FAIL, "")
    assert QcVerdict().status is QcStatus.PASS
    assert QcVerdict((warn,)).status is QcStatus.WARN
    assert QcVerdict((warn, fail)).status is QcStatus.FAIL


def test_an_abstaining_prediction_is_unidentified_but_keeps_its_best_guess() -> None:
    probabilities = np.array([0.1, 0, 0, 0, 0.2, 0, 0.7, 0])
    prediction = CellPrediction("c", probabilities, 2.0, AbstentionReason.ANOMALY)
    assert prediction.label == UNIDENTIFIED
    assert prediction.most_likely is CellType.NEUTROPHIL
    assert prediction.uncertainty == pytest.approx(0.3)
    assert CellPrediction("c", probabilities, 0.5).label == "neutrophil"


def test_every_name_has_a_name_for_readers() -> None:
    assert {*CellType, *CellKind, *RedCellType, UNIDENTIFIED} == set(DISPLAY_NAMES)


def test_a_missing_extra_says_how_to_get_it() -> None:
    error = MissingExtraError("cells.parquet", "scverse")
    assert isinstance(error, HemascopeError)
    assert "pip install 'hemascope[scverse]'" in str(error)


def test_background_is_what_lets_most_light_pass() -> None:
    pixels = np.full((100, 100, 3), (200, 180, 240), np.uint8)
    pixels[20:60, 20:60] = (90, 30, 120)
    assert background_color(pixels).tolist() == [200, 180, 240]
    passed = transmittance(pixels)
    assert passed[0, 0].tolist() == [1, 1, 1]
    assert passed[30, 30] == pytest.approx([90 / 200, 30 / 180, 120 / 240])


def test_white_balance_drops_out_of_the_network_input() -> None:
    rng = np.random.default_rng(0)
    light = np.ones((64, 64, 3), np.float32)
    light[10:40, 10:40] = rng.uniform(0.3, 0.8, (30, 30, 3))
    one = absorption(transmittance((light * (250, 240, 230)).astype(np.uint8)))
    other = absorption(transmittance((light * (180, 240, 200)).astype(np.uint8)))
    assert np.abs(one - other).max() < 0.03
    assert one[0, 0].tolist() == [0, 0, 0]


def test_a_black_image_has_no_background_to_divide_by() -> None:
    black = np.zeros((8, 8, 3), np.uint8)
    assert background_color(black).tolist() == [MIN_BACKGROUND] * 3
    assert transmittance(black).max() == 0
