import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.core.errors import ScaleError
from hemascope.core.units import MAX_MPP, MIN_MPP, Scale, ScaleSource


@given(mpp=st.floats(MIN_MPP, MAX_MPP), length=st.floats(0, 1e5))
def test_lengths_survive_the_way_to_microns_and_back(mpp: float, length: float) -> None:
    scale = Scale(mpp, ScaleSource.STATED)
    assert scale.pixels(scale.microns(length)) == pytest.approx(length)


@pytest.mark.parametrize("mpp", [0, -0.1, 264.6, float("nan"), float("inf")])
def test_an_implausible_scale_is_refused_with_what_to_do(mpp: float) -> None:
    with pytest.raises(ScaleError, match="--mpp"):
        Scale(mpp, ScaleSource.STATED)


@pytest.mark.parametrize(
    ("source", "absolute"),
    [("metadata", True), ("stated", True), ("estimated", False), ("assumed", False)],
)
def test_only_a_known_scale_is_absolute(source: str, absolute: bool) -> None:
    assert Scale(0.1, ScaleSource(source)).is_absolute is absolute
