"""Every relative link leads somewhere, and every page can be reached."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import CARDS, HAND_WRITTEN, ROOT, anchors, without_code

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def links(page: Path) -> list[str]:
    found = LINK.findall(without_code(page.read_text("utf-8")))
    return [link for link in found if not link.startswith(("http://", "https://", "mailto:"))]


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


@pytest.mark.parametrize("name", names([*HAND_WRITTEN, *CARDS]))
def test_every_relative_link_leads_somewhere(name: str) -> None:
    page = ROOT / name
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name} links to {link}, which is not there"
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), f"{name} links to {link}, which has no such heading"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        waiting += [(page.parent / path).resolve() for link in links(page) if (path := link.partition("#")[0])]
    assert set(HAND_WRITTEN) <= reached


def test_every_picture_is_shown_and_small() -> None:
    pictures = sorted((ROOT / "docs" / "pictures").glob("*.png"))
    shown = {(ROOT / link).resolve() for link in links(ROOT / "README.md") if link.endswith(".png")}
    assert set(pictures) == shown
    assert all(picture.stat().st_size < 300_000 for picture in pictures)


@pytest.mark.parametrize("name", names(sorted((ROOT / "docs" / "decisions").glob("*.md"))))
def test_every_decision_says_why_and_what_would_change_it(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert re.match(r"# \d{4} ", text)
    assert text[2:6] == Path(name).name[:4]
    assert {"context", "choice", "alternatives", "what-would-change-our-minds"} <= anchors(text)


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
