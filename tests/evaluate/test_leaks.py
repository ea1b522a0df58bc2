"""A group on both sides of a split is named."""

from __future__ import annotations

import pytest

from hemascope.core.errors import DataSetError
from hemascope.evaluate.leaks import check_disjoint_groups


def test_disjoint_groups_pass() -> None:
    check_disjoint_groups(["1", "2", "2"], ["3"])
    check_disjoint_groups([], ["3"])


def test_a_shared_group_is_named_with_both_sides() -> None:
    with pytest.raises(DataSetError, match="group '2' sits both in few-shot and in test"):
        check_disjoint_groups(["1", "2"], ["2", "4"], train="few-shot")
    with pytest.raises(DataSetError, match="'2' and 2 more"):
        check_disjoint_groups([1, 2, 3, 4], ["2", "4", "3"])
