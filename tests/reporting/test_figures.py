"""Numbers for readers."""

import pytest

from hemascope.core.rates import Rate
from hemascope.reporting.figures import PLOT_WIDTH, implications, interval, number, plot_span, position


@pytest.mark.parametrize(
    ("value", "text"), [(None, "\N{EN DASH}"), (0.0, "0.0"), (0.42, "0.42"), (4.2, "4.2"), (1234.5, "1,234")]
)
def test_digits_follow_the_size(value: float | None, text: str) -> None:
    assert number(value) == text


def test_limits_in_words() -> None:
    assert interval(Rate(5, 100, 5.0, 1.64, 11.28, "%")) == "1.6 to 11.3"
    assert interval(Rate(0, 0, None, None, None, "%")) == "nothing counted"
    assert interval(Rate(5, 100, 5.0, 0.05, 211.2, "per field")) == "0.05 to 211"


@pytest.mark.parametrize(("high", "span"), [(4, 5), (11, 20), (61, 80), (100, 100)])
def test_the_axis_holds_every_interval(high: float, span: int) -> None:
    assert plot_span([Rate(1, 9, 1, 0.1, high, "%"), Rate(0, 0, None, None, None, "%")]) == span
    assert 0 < position(0, span) < position(high, span) < PLOT_WIDTH


def test_what_a_count_implies() -> None:
    # Ruemke: 0 of 100 leaves up to 3.6%; a true 1% is missed with 36.6% at 100 cells.
    first, second = implications(100)
    assert "3.6%" in first
    assert "40% and 60%" in first
    assert "37%" in second
    assert "1 white cell was" in implications(1)[0]
    assert "no differential" in implications(0)[0]
