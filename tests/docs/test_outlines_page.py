"""docs/outlines.md names every class that is known."""

from __future__ import annotations

from pages import block, read, rows

from hemascope.core.outline import OutlineClass
from hemascope.sources.outline_classes import CLASS_NAMES


def test_the_table_of_classes_is_that_of_the_program() -> None:
    described = {row[0].strip("`"): set(row[1].split(", ")) for row in rows(block(read("docs/outlines.md"), "classes"))}
    known = {c.value: {name for name, meaning in CLASS_NAMES.items() if meaning is c} for c in OutlineClass}
    assert described == known
