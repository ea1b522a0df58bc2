"""docs/encoders.md is the registry's: its table of encoders, and the register of what they have seen."""

from __future__ import annotations

from pages import block, read, rows

from hemascope.zoo.contamination import SOURCES, Seen
from hemascope.zoo.encoder_entry import EncoderEntry
from hemascope.zoo.registry import ENCODERS, TIMM

PAGE = read("docs/encoders.md")
EVERY = (*ENCODERS.values(), TIMM)
PUBLISHED = tuple(entry for entry in EVERY if entry.layout != "shipped")
"""What ours has seen stands in its card."""
ELSEWHERE = ("raabin", "lisc", "aml_matek", "aml_hehr", "bmc", "apl_aml")
"""Sets without a reader here that others report figures on."""


def described(entry: EncoderEntry) -> list[str]:
    numbers = ["" if value is None else str(value) for value in (entry.dimension, entry.parameters)]
    gated = ", gated" if entry.gated else ""
    return [
        f"`{entry.name}`",
        entry.title,
        numbers[0],
        str(entry.crop_px),
        f"`{entry.transform}`",
        entry.stain,
        entry.license + gated,
        numbers[1],
    ]


def seen(entry: EncoderEntry) -> list[str]:
    sets = (*SOURCES, *ELSEWHERE)
    answers = {answer: [name for name in sets if entry.sources.has_seen(name) is answer] for answer in Seen}
    return [f"`{entry.name}`", *(", ".join(answers[answer]) for answer in (Seen.YES, Seen.NO, Seen.UNKNOWN))]


def test_the_table_of_encoders_is_the_registry() -> None:
    assert rows(block(PAGE, "encoders")) == [described(entry) for entry in EVERY]


def test_the_register_is_what_the_program_answers() -> None:
    assert rows(block(PAGE, "seen")) == [seen(entry) for entry in PUBLISHED]


def test_the_evidence_is_that_of_the_registry() -> None:
    written = " ".join(block(PAGE, "evidence").split())
    for entry in PUBLISHED:
        assert f"`{entry.name}`" in written
        assert entry.sources.evidence in written
