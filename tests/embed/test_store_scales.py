"""Estimated scales are remembered, and a damaged memory is not believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hemascope.cells.classical import ClassicalSegmenter
from hemascope.core.ports import Segmenter
from hemascope.core.smear import Field
from hemascope.core.units import Scale, ScaleSource
from hemascope.embed.scale_memory import remember_scales


class Estimator:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, fields: Sequence[Field], segmenter: Segmenter) -> Scale:
        self.asked += 1
        return Scale(0.1 * len(fields), ScaleSource.ESTIMATED)


def field(name: str, digest: str) -> Field:
    return Field(name, np.zeros((4, 4, 3), np.uint8), None, None, digest)


def test_the_same_fields_are_asked_about_once(tmp_path: Path) -> None:
    asked, segmenter = Estimator(), ClassicalSegmenter()
    one, two = field("a", "1" * 64), field("b", "2" * 64)
    first = remember_scales(asked, tmp_path / "scales", "v1")([one, two], segmenter)
    renamed = replace(one, id="another name")
    assert remember_scales(asked, tmp_path / "scales", "v1")([renamed, two], segmenter) == first
    assert first == Scale(0.2, ScaleSource.ESTIMATED)
    assert asked.asked == 1


def test_other_fields_and_other_steps_are_asked_about(tmp_path: Path) -> None:
    asked, segmenter = Estimator(), ClassicalSegmenter()
    one, two = field("a", "1" * 64), field("b", "2" * 64)
    for fields, step in (([one], "v1"), ([two], "v1"), ([one, two], "v1"), ([one], "v2")):
        remember_scales(asked, tmp_path, step)(fields, segmenter)
    assert asked.asked == 4


def test_a_damaged_answer_is_asked_for_again(tmp_path: Path) -> None:
    asked, segmenter = Estimator(), ClassicalSegmenter()
    remembered = remember_scales(asked, tmp_path, "v1")
    right = remembered([field("a", "1" * 64)], segmenter)
    (path,) = tmp_path.iterdir()
    whole = path.read_text("utf-8")
    for text in ("", "{", "[]", whole.replace("0.1,", "0.2,"), whole.replace("estimated", "stated"), whole[:-5]):
        path.write_text(text, "utf-8")
        assert remembered([field("a", "1" * 64)], segmenter) == right
    assert asked.asked == 7
