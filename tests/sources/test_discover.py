from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemascope.core.errors import InputError, NoImagesError
from hemascope.sources.discover import discover, natural_key


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def ids(*arguments: str | Path) -> list[str]:
    return [source.field_id for source in discover(arguments)]


def test_a_folder_is_searched_whole_in_natural_order(tmp_path: Path) -> None:
    make(
        tmp_path,
        "f10.png",
        "f2.PNG",
        "sub/a.tiff",
        "sub/.hidden.png",
        ".cache/b.png",
        "notes.txt",
        "._f2.png",
        "c.JPEG",
    )
    assert ids(tmp_path) == ["c.JPEG", "f2.PNG", "f10.png", "sub/a.tiff"]
    assert [s.path for s in discover([tmp_path])][1] == tmp_path / "f2.PNG"


def test_a_named_file_is_listed_whatever_its_name(tmp_path: Path) -> None:
    make(tmp_path, "smear.dat", ".hidden.png")
    assert ids(tmp_path / "smear.dat", str(tmp_path / ".hidden.png")) == ["smear.dat", ".hidden.png"]


def test_globs_are_expanded_to_images(tmp_path: Path) -> None:
    make(tmp_path, "run1/a.png", "run2/a.png", "run2/labels.csv", "run2/deep/b.bmp")
    assert ids(f"{tmp_path}/run*/*") == ["run1/a.png", "run2/a.png"]
    assert ids(f"{tmp_path}/**/*.bmp") == ["run2/deep/b.bmp"]


def test_a_name_with_brackets_is_a_file_first(tmp_path: Path) -> None:
    make(tmp_path, "smear[1].png")
    assert ids(tmp_path / "smear[1].png") == ["smear[1].png"]


def test_equal_names_get_the_folders_above(tmp_path: Path) -> None:
    make(tmp_path, "a/run/x.png", "b/run/x.png", "b/run/y.png")
    assert ids(tmp_path / "a/run", tmp_path / "b/run") == ["a/run/x.png", "b/run/x.png", "y.png"]


def test_the_same_file_is_read_once(tmp_path: Path) -> None:
    make(tmp_path, "a/x.png")
    (tmp_path / "a/link.png").symlink_to(tmp_path / "a/x.png")
    relative = os.path.relpath(tmp_path / "a/x.png")
    found = discover([relative, tmp_path / "a", str(tmp_path / "a/*.png")])
    assert [source.field_id for source in found] == ["x.png"]


def test_links_to_folders_are_not_followed_and_loops_end(tmp_path: Path) -> None:
    make(tmp_path, "a/x.png")
    (tmp_path / "a/again").symlink_to(tmp_path / "a")
    assert ids(tmp_path / "a") == ["x.png"]


def test_a_folder_named_like_an_image_is_a_folder(tmp_path: Path) -> None:
    make(tmp_path, "stack.png/x.png")
    assert ids(tmp_path) == ["stack.png/x.png"]


def test_a_circular_link_is_left_to_the_reader(tmp_path: Path) -> None:
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    assert ids(tmp_path / "loop.png") == ["loop.png"]


def test_nothing_found_says_where_and_what_to_do(tmp_path: Path) -> None:
    make(tmp_path, "notes.txt")
    with pytest.raises(NoImagesError, match=r"no image in the folder .*name the files"):
        discover([tmp_path])
    with pytest.raises(NoImagesError, match=r"no image matches .*\*\.png"):
        discover([f"{tmp_path}/*.png"])
    with pytest.raises(InputError, match=r"absent does not exist; check"):
        discover([tmp_path / "absent"])
    with pytest.raises(NoImagesError, match="no image was named"):
        discover([])
    with pytest.raises(InputError, match="empty path"):
        discover([""])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
def test_a_folder_that_cannot_be_listed_is_not_skipped(tmp_path: Path) -> None:
    make(tmp_path, "open/x.png", "closed/y.png")
    (tmp_path / "closed").chmod(0)
    try:
        with pytest.raises(InputError, match="cannot list the folder"):
            discover([tmp_path])
    finally:
        (tmp_path / "closed").chmod(0o700)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 10**6), unique=True))
def test_numbers_sort_as_numbers(numbers: list[int]) -> None:
    names = [Path(f"Field_{n}.png") for n in numbers]
    assert sorted(names, key=natural_key) == [Path(f"Field_{n}.png") for n in sorted(numbers)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1), min_size=2))
def test_any_names_can_be_compared(names: list[str]) -> None:
    assert len(sorted((Path(name) for name in names), key=natural_key)) == len(names)
