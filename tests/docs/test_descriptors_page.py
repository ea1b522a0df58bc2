"""The page of descriptors lists what the code lists."""

from __future__ import annotations

import re

from pages import read

from hemascope.embed.descriptors.describe import DESCRIPTORS
from hemascope.embed.descriptors.page import markdown_tables

PAGE = read("docs/descriptors.md")


def test_the_tables_are_those_of_the_list() -> None:
    found = re.search(r"<!-- descriptors -->\n(.*)\n<!-- /descriptors -->", PAGE, re.DOTALL)
    assert found is not None
    assert found[1].strip() == markdown_tables(DESCRIPTORS)


def test_every_name_stands_on_the_page_once() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
    assert rows == [row.name for row in DESCRIPTORS]
