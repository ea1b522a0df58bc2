"""Mean recall by source, and the choice by the other sources."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.evaluate.transfer import (
    SourceAnswers,
    choose_by_others,
    counted_types,
    gained_recall,
    mean_recall,
    pick,
    score_source,
    score_sources,
)


def answers(right: int, of: int = 20, rare: int = 3) -> SourceAnswers:
    """Return a source of types 0 and 1, of which ``right`` of type 1 are told, and a rare type 2 that is told wrong."""
    labels = np.repeat([0, 1, 2], [of, of, rare])
    told = np.zeros_like(labels)
    told[of : of + right] = 1
    return SourceAnswers(labels, told, np.arange(len(labels)).astype(str))


def test_types_with_fewer_than_ten_cells_do_not_count() -> None:
    assert counted_types(answers(5).labels).tolist() == [0, 1]
    assert mean_recall(answers(5)) == pytest.approx((1 + 0.25) / 2)


def test_a_source_without_a_type_that_counts_has_no_recall() -> None:
    few = answers(2, of=4)
    assert np.isnan(mean_recall(few))
    assert score_source(few)["mean_recall"].value is None
    assert score_sources({"a": few, "b": answers(5)}).value is None


def test_a_source_is_scored_with_its_interval_and_counts() -> None:
    scores = score_source(answers(10))
    assert scores["mean_recall"].value == pytest.approx(0.75)
    assert scores["mean_recall"].low is not None
    assert scores["mean_recall"].low < 0.75
    assert scores["types"].value == 2
    assert scores["cells"].value == 40


def test_whole_groups_are_resampled() -> None:
    single = answers(10)
    grouped = SourceAnswers(single.labels, single.told, np.array([str(i // 10) for i in range(43)]))
    narrow, wide = score_source(single)["mean_recall"], score_source(grouped)["mean_recall"]
    assert narrow.low is not None
    assert wide.low is not None
    assert wide.low < narrow.low


def test_the_mean_of_sources_is_surer_than_one() -> None:
    several = score_sources({name: answers(10) for name in "abcd"})
    one = score_source(answers(10))["mean_recall"]
    assert several.value == pytest.approx(0.75)
    assert several.low is not None
    assert one.low is not None
    assert several.low > one.low


FIGURES = {
    "plain": {"a": 0.5, "b": 0.5, "c": 0.5},
    "good": {"a": 0.4, "b": 0.6, "c": 0.6},
    "lucky": {"a": 0.9, "b": 0.3, "c": 0.5},
}


def test_a_source_has_no_part_in_its_own_choice() -> None:
    chosen = choose_by_others(FIGURES)
    assert chosen == {"a": "good", "b": "lucky", "c": "lucky"}
    assert pick({n: dict.fromkeys("abc", n) for n in FIGURES}, chosen) == chosen


@given(st.floats(min_value=0, max_value=1))
def test_its_own_figure_never_changes_what_is_chosen_for_a_source(figure: float) -> None:
    changed = {name: {**by, "a": figure if name == "lucky" else by["a"]} for name, by in FIGURES.items()}
    assert choose_by_others(changed)["a"] == "good"


def test_of_equals_the_first_is_chosen() -> None:
    assert set(choose_by_others({"x": {"a": 1.0, "b": 1.0}, "y": {"a": 1.0, "b": 1.0}}).values()) == {"x"}


@pytest.mark.parametrize("figures", [{}, {"x": {"a": 1.0}}, {"x": {"a": 1.0, "b": 1.0}, "y": {"a": 1.0, "c": 1.0}}])
def test_a_choice_needs_two_sources_that_all_variants_share(figures: dict[str, dict[str, float]]) -> None:
    with pytest.raises(ValueError, match="at least two sources"):
        choose_by_others(figures)


def test_a_gain_is_paired_cell_by_cell() -> None:
    ours, theirs = {"a": answers(15), "b": answers(20)}, {"a": answers(5), "b": answers(20)}
    gain = gained_recall(ours, theirs)
    assert gain.value == pytest.approx((10 / 20 / 2 + 0) / 2)
    assert gain.low is not None
    assert gain.low > 0
    none = gained_recall(ours, ours)
    assert (none.value, none.low, none.high) == (0, 0, 0)


def test_a_gain_over_other_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="same cells"):
        gained_recall({"a": answers(5)}, {"a": answers(5, of=30)})
    with pytest.raises(ValueError, match="same cells"):
        gained_recall({"a": answers(5)}, {"b": answers(5)})
