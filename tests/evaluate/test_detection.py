"""Matching, precision and recall worked out by hand, and what holds for any boxes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labeled_fields import WHITE, field, found, square

from hemascope.core.geometry import Box
from hemascope.core.taxonomy import CellKind
from hemascope.data.adjudications import UnlabeledCell
from hemascope.evaluate.detection import average_precision, mean_average_precision, score_detection
from hemascope.evaluate.matching import FieldMatch, match_boxes, match_field

BOX = st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), *[st.integers(0, 60)] * 2, *[st.integers(1, 30)] * 2)
SCENES = st.tuples(st.lists(st.tuples(BOX, st.sampled_from([0.2, 0.5, 0.9])), max_size=8), st.lists(BOX, max_size=8))


def match(labels: list[Box], rows: list[tuple[Box, float]], **options: object) -> FieldMatch:
    return match_field(field(labels, **options), found(*rows), WHITE)  # type: ignore[arg-type]


def test_an_equal_box_matches_and_a_far_one_does_not() -> None:
    assert match_boxes([square(0, 0), square(50, 50)], [0.9, 0.8], [square(0, 0)]) == (0, None)


def test_a_label_is_matched_once_by_the_highest_score() -> None:
    assert match_boxes([square(1, 0), square(0, 0)], [0.8, 0.9], [square(0, 0)]) == (None, 0)


def test_the_second_box_takes_the_second_best_label() -> None:
    # The first takes the label at 0; the second overlaps both labels, more the taken one.
    labels = [Box(0, 0, 10, 10), Box(3, 0, 13, 10)]
    assert match_boxes([Box(0, 0, 10, 10), Box(1, 0, 11, 10)], [0.9, 0.8], labels) == (0, 1)


@pytest.mark.parametrize(("shift", "matches"), [(3.0, True), (10 / 3, True), (3.4, False)])
def test_the_threshold_is_half(shift: float, matches: bool) -> None:
    # Boxes of 10 shifted by s share (10 - s) / (10 + s): exactly half at s = 10 / 3.
    (partner,) = match_boxes([square(shift, 0)], [1.0], [square(0, 0)], threshold=0.5 - 1e-9)
    assert (partner == 0) is matches


def test_other_kinds_are_not_matched() -> None:
    record = field([square(0, 0)], kind=CellKind.RED_CELL)
    matched = match_field(record, found((square(0, 0), 0.9)), CellKind.RED_CELL)
    assert (matched.found, len(matched.misses)) == ((), 1)


def test_a_score_a_box_is_needed() -> None:
    with pytest.raises(ValueError, match="as many scores"):
        match_boxes([square(0, 0)], [], [])


@given(SCENES)
def test_matching_pairs_each_box_at_most_once_and_only_above_the_threshold(
    scene: tuple[list[tuple[Box, float]], list[Box]],
) -> None:
    rows, labels = scene
    partner = match_boxes([box for box, _ in rows], [score for _, score in rows], labels)
    taken = [index for index in partner if index is not None]
    assert len(taken) == len(set(taken))
    assert all(rows[i][0].iou(labels[index]) >= 0.5 for i, index in enumerate(partner) if index is not None)


@given(SCENES)
def test_no_pair_above_the_threshold_is_left_unmatched(scene: tuple[list[tuple[Box, float]], list[Box]]) -> None:
    result = match(scene[1], scene[0])
    assert not any(f.box.iou(b.box) >= 0.5 for f in result.false_positives for b in result.misses)


@given(SCENES)
def test_counts_add_up(scene: tuple[list[tuple[Box, float]], list[Box]]) -> None:
    result = match(scene[1], scene[0])
    scores = score_detection([result])
    assert scores.matched + len(result.misses) == scores.labeled == len(scene[1])
    assert scores.matched + len(result.false_positives) == scores.found == len(scene[0])


@given(SCENES)
def test_average_precision_lies_between_0_and_recall(scene: tuple[list[tuple[Box, float]], list[Box]]) -> None:
    result = match(scene[1], scene[0])
    value = average_precision([result]).value
    assert (value is None) == (not scene[1])
    if value is not None:
        assert -1e-12 <= value <= result.matched / len(scene[1]) + 1e-12


def test_average_precision_by_hand() -> None:
    # Scores 0.9 hit, 0.8 false, 0.7 hit; three labels: 1/3 * 1 + 1/3 * 2/3 + 0.
    labels = [square(0, 0), square(20, 0), square(40, 0)]
    result = match(labels, [(square(0, 0), 0.9), (square(0, 30), 0.8), (square(20, 0), 0.7)])
    assert average_precision([result]).value == pytest.approx(1 / 3 + 2 / 9)


def test_equal_scores_enter_together() -> None:
    # One hit and one false of one score: precision 1/2 at recall 1, whichever comes first.
    for rows in ([(square(0, 0), 0.5), (square(30, 0), 0.5)], [(square(30, 0), 0.5), (square(0, 0), 0.5)]):
        assert average_precision([match([square(0, 0)], rows)]).value == pytest.approx(0.5)


def test_average_precision_ranks_over_all_fields() -> None:
    # A false one of score 0.9 in the second field comes before the hit of 0.8 in the first.
    fields = [match([square(0, 0)], [(square(0, 0), 0.8)]), match([], [(square(0, 0), 0.9)], name="images/b.png")]
    assert average_precision(fields).value == pytest.approx(0.5)


def test_candidates_below_the_threshold_count_for_the_curve_alone() -> None:
    labels = [square(0, 0), square(20, 0)]
    found_ones = match(labels, [(square(0, 0), 0.9)])
    ranked = match(labels, [(square(0, 0), 0.9), (square(40, 0), 0.4), (square(20, 0), 0.3)])
    scores = score_detection([found_ones], [ranked])
    assert scores.recall.value == 0.5
    assert scores.precision.value == 1
    assert scores.average_precision.value == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_the_mean_over_kinds_is_the_mean_of_theirs() -> None:
    good = [match([square(0, 0)], [(square(0, 0), 0.9)])]
    half = [match([square(0, 0), square(20, 0)], [(square(0, 0), 0.9)])]
    assert mean_average_precision([good, half]).value == pytest.approx(0.75)
    with pytest.raises(ValueError, match="same fields"):
        mean_average_precision([good, [match([square(0, 0)], [], name="images/b.png")]])
    assert mean_average_precision([good, [match([], [])]]).value is None


def test_everything_right_is_1_with_exact_limits() -> None:
    scores = score_detection([match([square(0, 0), square(20, 0)], [(square(0, 0), 0.9), (square(20, 0), 0.8)])])
    assert (scores.recall.value, scores.precision.value, scores.average_precision.value) == (1, 1, pytest.approx(1))
    assert scores.recall.low == pytest.approx(0.025 ** (1 / 2))
    assert scores.recall.high == 1


def test_nothing_found_has_no_precision() -> None:
    scores = score_detection([match([square(0, 0)], [])])
    assert (scores.recall.value, scores.precision.value, scores.average_precision.value) == (0, None, 0)


def test_incomplete_labels_give_recall_only() -> None:
    scores = score_detection([match([square(0, 0)], [(square(0, 0), 0.9), (square(30, 0), 0.9)], complete=False)])
    estimates = scores.estimates()
    assert scores.recall.value == 1
    undefined = {"precision", "average_precision", "false_positives", "count_relative_error", "count_bias"}
    assert all(estimates[name].value is None for name in undefined)


def test_a_kind_without_labels_has_no_recall() -> None:
    estimates = score_detection([match([], [(square(0, 0), 0.9)], complete=False)]).estimates()
    assert {name for name, e in estimates.items() if e.value is not None} == {"fields", "found"}


def test_counting_errors_by_hand() -> None:
    three = match([square(0, 0), square(20, 0), square(40, 0)], [(square(0, 0), 0.9)])
    one = match([square(0, 0)], [(square(0, 0), 0.9), (square(20, 0), 0.9)], name="images/b.png")
    scores = score_detection([three, one])
    assert scores.count_absolute_error.value == pytest.approx((2 + 1) / 2)
    assert scores.count_relative_error.value == pytest.approx(3 / 4)
    assert scores.count_bias.value == pytest.approx((-2 + 1) / 4)


def unlabeled(x: float, y: float, **options: object) -> UnlabeledCell:
    fields = {"data_set": "made", "name": "images/a.png", "label_versions": frozenset(), "kind": WHITE, "note": "seen"}
    return UnlabeledCell(x=x, y=y, **{**fields, **options})  # type: ignore[arg-type]


def test_a_real_unlabeled_cell_is_set_aside() -> None:
    rows = found((square(0, 0), 0.9), (square(30, 30), 0.8), (square(50, 0), 0.7))
    result = match_field(field([square(0, 0)]), rows, WHITE, [unlabeled(35, 35)])
    scores = score_detection([result])
    assert (scores.false_positives, scores.adjudicated, len(result.false_positives)) == (2, 1, 1)
    assert scores.precision.value == pytest.approx(1 / 3)
    assert scores.precision_adjudicated.value == pytest.approx(1 / 2)
    assert scores.estimates()["false_positives_adjudicated"].value == 1


def test_setting_aside_a_confident_real_cell_mends_average_precision() -> None:
    rows = found((square(30, 30), 0.9), (square(0, 0), 0.8))
    result = match_field(field([square(0, 0)]), rows, WHITE, [unlabeled(35, 35)])
    assert average_precision([result]).value == pytest.approx(0.5)
    assert average_precision([result], adjudicate=True).value == pytest.approx(1.0)


@pytest.mark.parametrize(
    "cell",
    [
        unlabeled(35, 35, name="images/b.png"),
        unlabeled(35, 35, kind=CellKind.PLATELET),
        unlabeled(35, 35, label_versions=frozenset({"old"})),
        unlabeled(5, 5),
        unlabeled(60, 60),
    ],
)
def test_only_the_known_cell_excuses(cell: UnlabeledCell) -> None:
    result = match_field(field([square(0, 0)]), found((square(0, 0), 0.9), (square(30, 30), 0.8)), WHITE, [cell])
    assert not any(result.adjudicated)


def test_one_known_cell_excuses_one_box() -> None:
    rows = found((square(30, 30), 0.9), (square(31, 31), 0.8))
    assert match_field(field([]), rows, WHITE, [unlabeled(35, 35)]).adjudicated == (True, False)


def test_two_kinds_are_not_mixed() -> None:
    red = match_field(field([]), (), CellKind.RED_CELL)
    with pytest.raises(ValueError, match="one kind at a time"):
        score_detection([red, match([], [])])


def test_intervals_hold_their_value() -> None:
    generator = np.random.default_rng(0)
    fields = []
    for number in range(12):
        labels = [square(20 * i, 0) for i in range(5)]
        rows = [(box, float(generator.uniform())) for box in labels if generator.uniform() < 0.8]
        rows += [(square(0, 40), float(generator.uniform()))] * int(generator.integers(0, 2))
        fields.append(match(labels, rows, name=f"images/{number}.png"))
    scores = score_detection(fields)
    for estimate in (scores.recall, scores.precision, scores.average_precision, scores.count_relative_error):
        assert estimate.low is not None
        assert estimate.low <= estimate.value <= estimate.high
        assert estimate.low < estimate.high
