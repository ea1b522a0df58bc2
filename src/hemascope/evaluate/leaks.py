"""Guards against groups that sit on both sides of a split."""

from __future__ import annotations

from collections.abc import Iterable

from hemascope.core.errors import DataSetError


def check_disjoint_groups(
    train_groups: Iterable[object], test_groups: Iterable[object], *, train: str = "train", test: str = "test"
) -> None:
    """Make sure that no group (near-duplicates, slide, patient) is both learned from and measured on.

    Parameters
    ----------
    train_groups, test_groups
        One label a record, of one kind: numbers and their spelling are the same group. Records of several sets need
        the set's name in the label.
    train, test
        What the two sides are, for the message.

    Raises
    ------
    DataSetError
        Naming a group on both sides: figures from such a split would leak.
    """
    shared = sorted({str(group) for group in train_groups} & {str(group) for group in test_groups})
    if shared:
        others = f" and {len(shared) - 1} more" if len(shared) > 1 else ""
        raise DataSetError(
            f"group '{shared[0]}'{others} sits both in {train} and in {test}; move every group whole to one side"
        )
