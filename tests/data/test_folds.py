"""Folds: every group whole, every record left out once, the same wherever they are computed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.core.errors import InputError
from hemascope.data.folds import Fold, split_by_fold
from hemascope.data.records import FieldRecord


def records(sizes: list[int]) -> list[FieldRecord]:
    named = [(group, number) for group, size in enumerate(sizes) for number in range(size)]
    return [FieldRecord("set", Path("x"), f"{g}/{n}", "train", f"group {g}", ()) for g, n in named]


@given(st.lists(st.integers(1, 6), min_size=12, max_size=40), st.integers(2, 6))
def test_every_record_is_left_out_once_and_groups_stay_whole(sizes: list[int], count: int) -> None:
    left_out: list[str] = []
    for index in range(1, count + 1):
        split = split_by_fold(records(sizes), Fold(index, count))
        groups = {kind: {r.group for r in split if r.split == kind} for kind in ("train", "val", "test")}
        assert all(groups.values())
        assert not groups["train"] & groups["val"] | groups["train"] & groups["test"] | groups["val"] & groups["test"]
        left_out += [r.name for r in split if r.split == "test"]
    assert sorted(left_out) == sorted(r.name for r in records(sizes))


def test_parts_are_even_and_do_not_depend_on_the_order() -> None:
    whole = records([4] * 25)
    first = {r.name: r.split for r in split_by_fold(whole, Fold(2, 5))}
    assert sum(split == "test" for split in first.values()) == 20
    assert {r.name: r.split for r in split_by_fold(whole[::-1], Fold(2, 5))} == first


@pytest.mark.parametrize("text", ["0/5", "6/5", "1/1", "a/5", "3", "1/", "-1/5"])
def test_what_is_no_fold_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="fold"):
        Fold.parse(text)
    assert str(Fold.parse("2/5")) == "2/5"
