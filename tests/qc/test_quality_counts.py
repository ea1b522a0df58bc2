from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fields import dimmed, field, smear, with_bar

from hemascope.core.errors import ScaleError
from hemascope.evaluate.quality import Degradation, FindingCounts, count_findings, count_verdicts, degradations

FIELD = field(dimmed(smear(), 0.9))


def named(name: str) -> Degradation:
    return next(d for d in degradations() if d.name == name)


@pytest.mark.parametrize("degradation", degradations(), ids=lambda d: d.name)
def test_every_degradation_is_deterministic_and_keeps_the_shape(degradation: Degradation) -> None:
    before = FIELD.pixels.copy()
    once, again = (degradation.apply(FIELD.pixels, 0.1) for _ in range(2))
    assert once.shape == before.shape
    assert once.dtype == np.uint8
    assert np.array_equal(once, again)
    assert not np.array_equal(once, before)
    assert np.array_equal(FIELD.pixels, before)


def test_findings_are_counted_on_fields_that_did_not_raise_them() -> None:
    barred = replace(FIELD, pixels=with_bar(FIELD.pixels, (0, 0, 0)))
    assert count_findings([FIELD, barred, FIELD], named("black scale bar")) == FindingCounts(2, 2, 0)
    assert count_findings([FIELD], named("brightness x 0.2")) == FindingCounts(1, 1, 1)
    assert count_findings([FIELD], Degradation("none", "frame", lambda pixels, mpp: pixels)) == FindingCounts(1, 0, 0)
    assert count_verdicts([FIELD, barred, FIELD]) == {"pass": 2, "warn": 1, "painted_lines": 1}


def test_a_field_without_a_scale_is_refused() -> None:
    with pytest.raises(ScaleError, match=r"field: .* scale"):
        count_findings([replace(FIELD, scale=None)], degradations()[0])
