"""The contract of a judge of cells, kept by one that only looks at a pixel, and broken in every way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from hemascope.core.cell import CellCrop
from hemascope.core.ports import CellJudge
from hemascope.core.prediction import CellPrediction, GenerativeJudgement
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.evaluate.judge_conformance import MEANINGS, JudgeRule, check_judge, painted_cells

SIZE = (16, 32.0)


class PixelJudge:
    """Judges by one pixel."""

    identities = (ModelIdentity("pixel", "1", "", "numpy", "Apache-2.0"),)
    crop_sizes = (SIZE,)

    def judge(self, crops, predictions: Sequence[CellPrediction]) -> list[GenerativeJudgement]:  # type: ignore[no-untyped-def]
        if len(crops.get(SIZE, ())) != len(predictions):
            raise ValueError("need one crop a cell")
        return [self.one(crop) for crop in crops[SIZE]]

    def one(self, crop: CellCrop) -> GenerativeJudgement:
        level = int(crop.pixels[8, 8, 0])
        return GenerativeJudgement(list(CellType)[level % 8], level / 255, 0.1 * level, level / 100, 8)


def broken(**changed: object) -> CellJudge:
    judge: CellJudge = type("Broken", (PixelJudge,), changed)()
    return judge


def answer(change: Callable[[list[GenerativeJudgement]], object]) -> Callable[..., object]:
    return lambda self, crops, predictions: change(PixelJudge.judge(self, crops, predictions))


def counting() -> Callable[..., object]:
    calls = []

    def judge(self, crops, predictions):  # type: ignore[no-untyped-def]
        calls.append(1)
        found = PixelJudge.judge(self, crops, predictions)
        return found if len(calls) % 2 else found[::-1]

    return judge


def painting(self, crops, predictions):  # type: ignore[no-untyped-def]
    for cut in crops.values():
        for crop in cut:
            crop.pixels.flags.writeable = True
            crop.pixels[0, 0] ^= 1
    return PixelJudge.judge(self, crops, predictions)


def trusting(self, crops, predictions):  # type: ignore[no-untyped-def]
    return [self.one(crop) for crop in crops.get(SIZE, ())][: len(predictions)]


def test_a_judge_that_keeps_the_contract() -> None:
    assert check_judge(PixelJudge()) == ()
    assert set(MEANINGS) == set(JudgeRule)


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        (JudgeRule.IDENTITIES, {"identities": ()}),
        (JudgeRule.IDENTITIES, {"identities": PixelJudge.identities * 2}),
        (JudgeRule.CROP_SIZES, {"crop_sizes": (SIZE, SIZE)}),
        (JudgeRule.CROP_SIZES, {"crop_sizes": ((0, 32.0),)}),
        (JudgeRule.ANSWERS, {"judge": answer(tuple)}),
        (JudgeRule.ANSWERS, {"judge": answer(lambda found: found[1:])}),
        (JudgeRule.ANSWERS, {"judge": answer(lambda found: found[10])}),
        (JudgeRule.UNTOUCHED, {"judge": painting}),
        (JudgeRule.REPEATS, {"judge": counting()}),
        (JudgeRule.ALONE, {"judge": answer(lambda found: found[::-1])}),
        (
            JudgeRule.EMPTY,
            {"judge": answer(lambda found: found or ["nothing"])},
        ),
        (JudgeRule.MISSING, {"judge": trusting}),
    ],
)
def test_a_broken_rule_is_found(rule: JudgeRule, changed: dict[str, object]) -> None:
    assert rule in {violation.rule for violation in check_judge(broken(**changed))}


def test_the_painted_cells_are_of_every_size_and_type() -> None:
    crops, predictions = painted_cells((SIZE, (128, 32.0)))
    assert {size: {crop.pixels.shape for crop in cut} for size, cut in crops.items()} == {
        SIZE: {(16, 16, 3)},
        (128, 32.0): {(128, 128, 3)},
    }
    assert {prediction.most_likely for prediction in predictions} == set(CellType)
