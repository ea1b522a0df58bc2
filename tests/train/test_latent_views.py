"""Looks at crops: turned and mirrored exactly, and color as brightness, contrast, saturation and hue say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hemascope.train.latent_views import HUE, PLAIN, STRENGTH, Look, draw_look, look_of_view, take_looks

IMAGES = torch.rand((2, 3, 9, 9), generator=torch.Generator().manual_seed(3))


def looked(**values: object) -> torch.Tensor:
    return take_looks(IMAGES, [Look(**values)])  # type: ignore[arg-type]


def test_a_plain_look_changes_nothing() -> None:
    assert take_looks(IMAGES, [PLAIN]) is IMAGES
    assert look_of_view(0) == PLAIN


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"mirrored": True}, IMAGES.flip(3)),
        ({"transposed": True}, IMAGES.transpose(2, 3)),
        ({"degrees": 90.0}, IMAGES.rot90(1, (2, 3))),
        ({"degrees": 180.0}, IMAGES.flip(2, 3)),
        ({"brightness": 0.75}, IMAGES * 0.75),
    ],
)
def test_known_looks(values: dict[str, object], expected: torch.Tensor) -> None:
    torch.testing.assert_close(looked(**values), expected, rtol=0, atol=1e-5)


def test_a_look_turns_what_it_has_mirrored() -> None:
    both = looked(mirrored=True, degrees=90.0)
    torch.testing.assert_close(both, IMAGES.flip(3).rot90(1, (2, 3)), rtol=0, atol=1e-5)


def test_no_saturation_leaves_the_gray_value_and_contrast_the_mean() -> None:
    gray = (IMAGES * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    torch.testing.assert_close(looked(saturation=0.0), gray.expand(-1, 3, -1, -1), rtol=0, atol=2e-3)
    flat = looked(contrast=0.0)
    torch.testing.assert_close(flat, gray.mean((2, 3), keepdim=True).expand_as(IMAGES), rtol=0, atol=1e-5)


def test_a_turn_of_hue_keeps_grays_and_changes_colors() -> None:
    gray = torch.full((1, 3, 4, 4), 0.6)
    torch.testing.assert_close(take_looks(gray, [Look(hue=0.1)]), gray, rtol=0, atol=1e-3)
    assert (looked(hue=0.1) - IMAGES).abs().max() > 0.05


def test_each_image_may_have_its_own_look() -> None:
    each = take_looks(IMAGES, [Look(mirrored=True), PLAIN])
    torch.testing.assert_close(each[0], IMAGES[0].flip(2), rtol=0, atol=1e-5)
    torch.testing.assert_close(each[1], IMAGES[1], rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="as many looks"):
        take_looks(IMAGES, [PLAIN] * 3)


@given(st.integers(1, 2**31))
def test_a_view_names_one_look_within_the_published_strengths(view: int) -> None:
    look = look_of_view(view)
    assert look == look_of_view(view)
    assert look != PLAIN
    for factor in (look.brightness, look.contrast, look.saturation):
        assert abs(factor - 1) <= STRENGTH
    assert abs(look.hue) <= HUE
    assert 0 <= look.degrees < 360
    changed = take_looks(IMAGES, [look])
    assert changed.shape == IMAGES.shape
    assert 0 <= float(changed.min()) <= float(changed.max()) <= 1


def test_looks_are_drawn_in_all_directions() -> None:
    rng = np.random.default_rng(0)
    looks = [draw_look(rng) for _ in range(400)]
    assert {look.mirrored for look in looks} == {look.transposed for look in looks} == {True, False}
    assert min(look.degrees for look in looks) < 20 < 340 < max(look.degrees for look in looks)
