"""Maps of changes against denoisers whose right answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_denoisers import CLASSES, IDENTITY, DisagreeingDenoiser, MixtureDenoiser, painted_pairs, region_denoiser

from hemascope.core.noise_schedule import cosine_schedule
from hemascope.denoise.gaussian import GaussianDenoiser
from hemascope.explain.counterfactual import ChangeMap, change_map, published_map, published_mask
from hemascope.explain.paired_noise import draw_pairs
from hemascope.explain.significance import beyond_chance
from hemascope.explain.views import VIEWS, seen, unseen

SAMPLE = np.random.default_rng(7).normal(size=(3, 16, 16)).astype(np.float32)


@given(view=st.integers(0, VIEWS - 1))
def test_every_view_is_undone(view: int) -> None:
    assert (unseen(seen(SAMPLE, view), view) == SAMPLE).all()


def test_no_two_views_are_alike() -> None:
    assert len({seen(SAMPLE, view).tobytes() for view in range(VIEWS)}) == VIEWS


def one_view(denoiser: GaussianDenoiser, pairs: int = 16):
    # The centers of a Gaussian denoiser have a place: only view 0 leaves its answer exact.
    noise = draw_pairs(denoiser, pairs, seed=1)
    return type(noise)(noise.steps, noise.noise, np.zeros_like(noise.views))


def test_the_map_of_gaussian_classes_is_their_weighted_difference_and_zero_elsewhere() -> None:
    denoiser, region = region_denoiser(0.5)
    noise = one_view(denoiser)
    change = change_map(denoiser, SAMPLE, 0, 1, noise)
    signal, strength = denoiser.schedule.signal[noise.steps], denoiser.schedule.noise[noise.steps]
    share = (signal * strength**2).sum() / signal.sum()
    assert change.mean[:2, region] == pytest.approx(-0.5 * share, rel=1e-4)
    assert np.abs(change.mean[:, ~region]).max() < 1e-5
    assert np.abs(change.mean[2]).max() < 1e-5


def test_the_marked_pixels_of_gaussian_classes_are_where_they_differ() -> None:
    denoiser, region = region_denoiser(0.5)
    change = change_map(denoiser, SAMPLE, 0, 1, one_view(denoiser))
    assert (beyond_chance(change, np.ones((16, 16), np.bool_), least=0.01) == region).all()


def test_the_way_back_is_the_opposite() -> None:
    denoiser, _ = region_denoiser()
    there, back = (change_map(denoiser, SAMPLE, a, 1 - a, one_view(denoiser)) for a in (0, 1))
    assert there.mean == pytest.approx(-back.mean)
    assert there.error == pytest.approx(back.error)


def test_toward_its_own_class_nothing_changes() -> None:
    denoiser, _ = region_denoiser()
    change = change_map(denoiser, SAMPLE, 1, 1, draw_pairs(denoiser, 4, 0))
    assert not change.mean.any()
    assert not change.error.any()


def test_views_are_undone_so_that_a_turned_sample_has_a_turned_map() -> None:
    centers = np.zeros((2, 3, 8, 8))
    centers[1] = 0.4  # the same everywhere: no view matters to it
    denoiser = GaussianDenoiser(CLASSES, centers, cosine_schedule(), IDENTITY)
    change = change_map(denoiser, SAMPLE[:, :8, :8], 0, 1, draw_pairs(denoiser, 16, 3))
    assert np.ptp(change.mean) < 1e-5
    assert change.mean.mean() > 0.1


def test_the_published_map_has_the_sign_and_the_place_of_the_change() -> None:
    denoiser, region = region_denoiser(0.5)
    blind = region_denoiser(0.0)[0]
    # Views move the centers of this denoiser; eight of them average to a map that is symmetric about its center.
    values = published_map(denoiser, SAMPLE, 0, 1, trials=64, seed=2)
    spread = np.mean([unseen(region.astype(float), view) for view in range(VIEWS)], axis=0)
    assert np.corrcoef(values[0].ravel(), -spread.ravel())[0, 1] > 0.9
    assert np.abs(published_map(blind, SAMPLE, 0, 1, trials=8)).max() < 1e-6
    marked = published_mask(values)
    assert marked.any()
    assert not marked[spread == 0].any()


def test_the_standard_error_covers_the_spread_from_seed_to_seed() -> None:
    plain, changed = painted_pairs(12, seed=5)
    denoiser = MixtureDenoiser((plain[:, :, ::4, ::4], changed[:, :, ::4, ::4]), width=0.2)
    sample = plain[0, :, ::4, ::4]
    maps = [change_map(denoiser, sample, 0, 1, draw_pairs(denoiser, 12, seed)) for seed in range(24)]
    between = np.std([m.mean for m in maps], axis=0, ddof=1)
    stated = np.sqrt(np.mean([m.error**2 for m in maps], axis=0))
    assert between.mean() / stated.mean() < 1.1
    assert between.mean() / stated.mean() > 0.3


def test_what_is_chance_alone_is_hardly_ever_marked() -> None:
    denoiser = DisagreeingDenoiser(region_denoiser(0.0)[0], size=0.5)
    inside = np.ones((16, 16), np.bool_)
    false = 0
    for seed in range(60):
        change = change_map(denoiser, SAMPLE, 0, 1, draw_pairs(denoiser, 16, seed))
        assert change.error.min() > 0
        false += bool(beyond_chance(change, inside).any())
    # At most 5% of such maps: 9 of 60 or more would be seen once in 1,000 times.
    assert false < 9


def test_few_of_the_marked_pixels_are_false_where_some_are_true() -> None:
    inner, region = region_denoiser(0.6)
    denoiser = DisagreeingDenoiser(inner, size=0.25)
    shares, found = [], []
    for seed in range(20):
        noise = draw_pairs(denoiser, 24, seed)
        noise = type(noise)(noise.steps, noise.noise, np.zeros_like(noise.views))
        marked = beyond_chance(change_map(denoiser, SAMPLE, 0, 1, noise), np.ones((16, 16), np.bool_))
        shares.append((marked & ~region).sum() / max(marked.sum(), 1))
        found.append(marked[region].mean())
    assert np.mean(shares) < 0.08
    assert np.mean(found) > 0.9


def test_a_change_too_little_to_matter_is_not_marked_however_sure_it_is() -> None:
    mean, error = np.full((3, 4, 4), 0.004), np.full((3, 4, 4), 1e-6)
    inside = np.ones((4, 4), np.bool_)
    assert beyond_chance(ChangeMap(mean, error, 30), inside).all()
    assert not beyond_chance(ChangeMap(mean, error, 30), inside, least=0.01).any()


def test_nothing_outside_is_marked() -> None:
    inside = np.zeros((4, 4), np.bool_)
    change = ChangeMap(np.ones((3, 4, 4)), np.zeros((3, 4, 4)), 8)
    assert not beyond_chance(change, inside).any()
    inside[1, 2] = True
    assert (beyond_chance(change, inside) == inside).all()


@settings(max_examples=25, deadline=None)
@given(pairs=st.integers(2, 40), seed=st.integers(0, 2**31), low=st.floats(0, 0.5), width=st.floats(0.1, 0.5))
def test_steps_are_spread_over_the_window(pairs: int, seed: int, low: float, width: float) -> None:
    denoiser, _ = region_denoiser(side=10)
    noise = draw_pairs(denoiser, pairs, seed, (low, low + width))
    places = noise.steps / (len(denoiser.schedule) - 1)
    assert len(noise) == pairs
    assert (np.diff(noise.steps) >= 0).all()
    assert places.min() >= low - 0.001
    assert places.max() <= low + width + 0.001
    assert np.bincount(noise.views, minlength=VIEWS).max() <= -(-pairs // VIEWS)


@pytest.mark.parametrize(("pairs", "window"), [(1, (0.1, 0.9)), (8, (0.5, 0.5)), (8, (-0.1, 0.5)), (8, (0.1, 1.1))])
def test_a_window_that_is_none_is_an_error(pairs: int, window: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="window"):
        draw_pairs(region_denoiser()[0], pairs, 0, window)


def test_a_sample_or_a_class_that_does_not_fit_is_an_error() -> None:
    denoiser, _ = region_denoiser()
    noise = draw_pairs(denoiser, 2, 0)
    with pytest.raises(ValueError, match=r"known is \(3, 16, 16\)"):
        change_map(denoiser, SAMPLE[:, :8], 0, 1, noise)
    with pytest.raises(ValueError, match="2 classes"):
        published_map(denoiser, SAMPLE, 0, 2, trials=2)
