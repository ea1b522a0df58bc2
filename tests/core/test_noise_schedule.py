"""Noise schedules: known values, and what every schedule keeps."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope.core.noise_schedule import SCHEDULES, NoiseSchedule, scaled_linear_schedule


@pytest.mark.parametrize("name", SCHEDULES)
def test_power_is_kept_and_falls_to_almost_nothing(name: str) -> None:
    schedule = SCHEDULES[name]()
    assert schedule.name == name
    np.testing.assert_allclose(schedule.signal**2 + schedule.noise**2, 1)
    assert (np.diff(schedule.snr) < 0).all()
    assert schedule.signal[0] > 0.99
    assert schedule.signal[-1] < 0.1


def test_scaled_linear_is_that_of_stable_diffusion() -> None:
    signal = scaled_linear_schedule().signal
    assert signal[0] ** 2 == pytest.approx(1 - 0.00085)
    assert signal[-1] ** 2 == pytest.approx(0.00466, abs=1e-5)


def test_noised_mixes_sample_and_noise_by_step() -> None:
    schedule = NoiseSchedule("mine", np.array([0.8, 0.6]))
    samples, noise = np.ones((2, 1, 2, 2), np.float32), np.full((2, 1, 2, 2), 2.0, np.float32)
    mixed = schedule.noised(samples, noise, np.array([0, 1]))
    np.testing.assert_allclose(mixed[0], 0.8 + 0.6 * 2)
    np.testing.assert_allclose(mixed[1], 0.6 + 0.8 * 2, rtol=1e-6)
    assert mixed.dtype == np.float32


@pytest.mark.parametrize("signal", [[0.5, 0.6], [1.0, 0.5], [0.5, 0.0], [0.5]])
def test_a_signal_that_does_not_fall_is_refused(signal: list[float]) -> None:
    with pytest.raises(ValueError, match="falls"):
        NoiseSchedule("bad", np.array(signal))
