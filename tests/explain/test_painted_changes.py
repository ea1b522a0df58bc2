"""Painted cells with a known difference: the map lies where the change is, and its change does what it says."""

import numpy as np
import pytest
from known_denoisers import SIDE, MixtureDenoiser, painted_pairs

from hemascope.explain.counterfactual import change_map
from hemascope.explain.edit import edit_toward
from hemascope.explain.faithfulness import leaning_gains, placed_changes
from hemascope.explain.paired_noise import PairedNoise, draw_pairs
from hemascope.explain.significance import beyond_chance

CELLS = 8
INSIDE = np.ones((SIDE, SIDE), np.bool_)


def still(noise: PairedNoise) -> PairedNoise:
    return PairedNoise(noise.steps, noise.noise, np.zeros_like(noise.views))


@pytest.fixture(scope="module")
def painted() -> tuple[MixtureDenoiser, np.ndarray, np.ndarray]:
    """A denoiser that knows 40 painted cells with a small and with a grown nucleus."""
    plain, changed = painted_pairs(40, seed=3)
    return MixtureDenoiser((plain, changed), width=0.05), plain, changed


def test_the_map_lies_where_the_nucleus_grew(painted: tuple[MixtureDenoiser, np.ndarray, np.ndarray]) -> None:
    denoiser, plain, changed = painted
    overlaps, pointed = [], []
    for cell in range(CELLS):
        true = np.abs(changed[cell] - plain[cell]).max(axis=0)
        change = change_map(denoiser, plain[cell], 0, 1, still(draw_pairs(denoiser, 32, cell)))
        marked = beyond_chance(change, INSIDE, least=0.04)
        overlaps.append((marked & (true > 0.08)).sum() / (marked | (true > 0.08)).sum())
        place = np.unravel_index(np.argmax(np.abs(change.mean).max(axis=0)), INSIDE.shape)
        pointed.append(true[place] > 0.08)
        assert (change.mean.mean(axis=0)[marked & (true > 0.08)] < 0).all()  # a rim of chromatin is darker
    assert np.mean(overlaps) > 0.85
    assert all(pointed)


def test_the_change_at_its_place_does_more_than_elsewhere(
    painted: tuple[MixtureDenoiser, np.ndarray, np.ndarray],
) -> None:
    denoiser, plain, _ = painted
    for cell in range(3):
        change = change_map(denoiser, plain[cell], 0, 1, still(draw_pairs(denoiser, 32, cell)))
        marked = beyond_chance(change, INSIDE, least=0.04)
        changes = placed_changes(change.mean.astype(np.float32), marked, INSIDE)
        gains = leaning_gains(denoiser, plain[cell], (0, 1), changes, still(draw_pairs(denoiser, 8, 99)))
        others = [gain for name, gain in gains.items() if name not in ("marked", "whole")]
        assert len(others) == 4
        assert gains["marked"] > max(0, *others)


def test_an_edited_cell_is_the_cell_with_a_grown_nucleus(
    painted: tuple[MixtureDenoiser, np.ndarray, np.ndarray],
) -> None:
    denoiser, plain, changed = painted
    for cell in range(3):
        edited = edit_toward(denoiser, plain[cell], 0, 1, reach=0.5, guidance=1.0)
        before = np.abs(changed[cell] - plain[cell]).mean()
        assert np.abs(changed[cell] - edited).mean() < 0.15 * before


def test_places_have_the_same_area_and_the_same_change() -> None:
    rng = np.random.default_rng(0)
    change = rng.normal(size=(3, SIDE, SIDE)).astype(np.float32)
    marked = np.zeros((SIDE, SIDE), np.bool_)
    marked[2:6, 3:9] = True
    places = placed_changes(change, marked, INSIDE)
    area = {name: int((np.abs(placed).max(axis=0) > 0).sum()) for name, placed in places.items()}
    assert {name: n for name, n in area.items() if name != "whole"} == dict.fromkeys(
        ("marked", "elsewhere", "moved_1", "moved_2", "moved_5"), 24
    )
    assert area["whole"] == SIDE**2
    assert not (np.abs(places["elsewhere"]).max(axis=0)[marked] > 0).any()
    for name in ("moved_1", "moved_2", "moved_5"):
        assert sorted(places[name].ravel()) == sorted(places["marked"].ravel())
        assert not np.array_equal(places[name], places["marked"])


def test_without_a_mark_there_is_nothing_to_apply() -> None:
    with pytest.raises(ValueError, match="nothing is marked"):
        placed_changes(np.ones((3, SIDE, SIDE), np.float32), ~INSIDE, INSIDE)
