"""Images are dealt out whole, and the same way every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.app.image_split import split_images
from hemascope.core.errors import InputError
from hemascope.core.smear import Field

PIXELS = np.zeros((1, 1, 3), np.uint8)


def fields(count: int) -> list[Field]:
    return [Field(f"slide/{i}.png", PIXELS, None, Path(f"slide/{i}.png"), f"{i:064x}") for i in range(count)]


@given(st.integers(2, 40), st.floats(0.01, 0.99), st.integers(0, 9))
def test_every_image_has_a_split_and_no_split_is_empty(count: int, share: float, seed: int) -> None:
    splits = split_images(fields(count), share, seed, None)
    assert len(splits) == count
    val = sum(split == "val" for split in splits.values())
    assert 1 <= val <= count - 1
    assert abs(val - share * count) <= 1
    assert split_images(fields(count)[::-1], share, seed, None) == splits


def test_a_table_decides(tmp_path: Path) -> None:
    table = tmp_path / "split.csv"
    table.write_text("image,split\nslide/0.png,val\n1.png,Train\n", "utf-8")
    assert split_images(fields(2), 0.5, 0, table) == {"slide/0.png": "val", "slide/1.png": "train"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,split\n", "no row|columns"),
        ("image,split\n0.png,test\n", "row 2"),
        ("image,split\n0.png,val\n0.png,train\n", "both splits"),
        ("image,split\n0.png,val\n", "no row for the image slide/1.png"),
        ("image,split\n0.png,val\n1.png,val\n", "no image is in the split 'train'"),
        ("image;split\n0.png;val\n", "columns"),
    ],
)
def test_a_faulty_table_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    table = tmp_path / "split.csv"
    table.write_text(text, "utf-8")
    with pytest.raises(InputError, match=said):
        split_images(fields(2), 0.5, 0, table)


def test_a_table_that_is_not_there_and_a_single_image_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        split_images(fields(2), 0.5, 0, tmp_path / "none.csv")
    with pytest.raises(InputError, match="two or more"):
        split_images(fields(1), 0.5, 0, None)
