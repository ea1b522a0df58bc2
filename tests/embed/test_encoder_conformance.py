"""The suite for encoders passes what conforms and names what does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hemascope.core.cell import CellCrop
from hemascope.core.embedding import EncoderSpec
from hemascope.core.provenance import ModelIdentity
from hemascope.evaluate.encoder_conformance import ENCODER_MEANINGS, EncoderRule, check_encoder, painted_crops
from hemascope.wiring import build_encoder

Change = Callable[[NDArray[np.float32], Sequence[CellCrop]], Any]


class Means:
    """An encoder of channel means and deviations, changed as a test wants."""

    def __init__(self, change: Change = lambda rows, crops: rows, strict: bool = True) -> None:
        self.identity: Any = ModelIdentity("means", "1", "", "numpy-cpu-fp32", "Apache-2.0")
        self.spec: Any = EncoderSpec(6, 16, None, "none", "any")
        self.change = change
        self.strict = strict

    def encode(self, crops: Sequence[CellCrop]) -> Any:
        for crop in crops:
            if self.strict and crop.pixels.shape != (16, 16, 3):
                raise ValueError(f"{crop.cell_id} is {crop.pixels.shape}")
        rows = [np.concatenate((c.pixels.mean(axis=(0, 1)), c.pixels.std(axis=(0, 1)))) for c in crops]
        return self.change(np.array(rows, np.float32).reshape(-1, 6), crops)


def violated(encoder: Means) -> set[EncoderRule]:
    return {violation.rule for violation in check_encoder(encoder)}


def spoil(rows: NDArray[np.float32], value: float) -> NDArray[np.float32]:
    rows[:1] = value
    return rows


def touch(rows: NDArray[np.float32], crops: Sequence[CellCrop]) -> NDArray[np.float32]:
    for crop in crops:
        crop.pixels[0, 0] = 1
    return rows


def unlock(rows: NDArray[np.float32], crops: Sequence[CellCrop]) -> NDArray[np.float32]:
    for crop in crops:
        crop.pixels.flags.writeable = True
        crop.pixels[0, 0] += 1
    return rows


def test_what_keeps_the_contract_passes() -> None:
    assert check_encoder(Means()) == ()


@pytest.mark.slow
def test_handcrafted_descriptors_conform() -> None:
    assert check_encoder(build_encoder("descriptors")) == ()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda rows, crops: rows.astype(np.float64), EncoderRule.FLOAT32),
        (lambda rows, crops: rows.tolist(), EncoderRule.SHAPE),
        (lambda rows, crops: rows[:, :5], EncoderRule.SHAPE),
        (lambda rows, crops: rows[:16], EncoderRule.SHAPE),
        (lambda rows, crops: spoil(rows, np.nan), EncoderRule.FINITE),
        (lambda rows, crops: spoil(rows, np.inf), EncoderRule.FINITE),
        (lambda rows, crops: rows + np.float32(np.random.default_rng().random()), EncoderRule.REPEATS),
        (lambda rows, crops: rows - rows.mean(axis=0) if len(rows) else rows, EncoderRule.ALONE),
        (lambda rows, crops: rows + np.arange(len(rows), dtype=np.float32)[:, None], EncoderRule.ALONE),
        (lambda rows, crops: rows * np.float32(1 + 0.01 * len(rows)), EncoderRule.ALONE),
        (lambda rows, crops: rows * np.float32(0), EncoderRule.TELLS_APART),
        (touch, EncoderRule.SHAPE),
        (unlock, EncoderRule.UNTOUCHED),
        (lambda rows, crops: rows if len(crops) else None, EncoderRule.EMPTY),
        (lambda rows, crops: rows if len(crops) else np.empty((0, 0), np.float32), EncoderRule.EMPTY),
    ],
)
def test_what_breaks_a_rule_is_named_with_it(change: Change, rule: EncoderRule) -> None:
    assert rule in violated(Means(change))


def test_crops_of_any_size_must_not_be_taken() -> None:
    assert violated(Means(strict=False)) == {EncoderRule.WRONG_SIZE}


@pytest.mark.parametrize(
    "identity",
    [
        None,
        ModelIdentity("", "1", "", "b", "MIT"),
        ModelIdentity("a", "1", "", "b", ""),
        ModelIdentity("a", "1", "ABC", "b", "MIT"),
    ],
)
def test_an_identity_is_whole(identity: ModelIdentity | None) -> None:
    encoder = Means()
    encoder.identity = identity
    assert violated(encoder) == {EncoderRule.IDENTITY}


@pytest.mark.parametrize("change", [None, {"transform": ""}, {"stain": ""}, {"precision": "fast"}])
def test_a_specification_is_whole(change: dict[str, str] | None) -> None:
    encoder = Means()
    encoder.spec = replace(encoder.spec, **change) if change else None
    assert violated(encoder) == {EncoderRule.SPEC}


def test_a_digest_that_moves_is_named() -> None:
    encoder = Means()

    def rename(rows: NDArray[np.float32], crops: Sequence[CellCrop]) -> NDArray[np.float32]:
        encoder.identity = replace(encoder.identity, version=encoder.identity.version + "+")
        return rows

    encoder.change = rename
    assert EncoderRule.STABLE in violated(encoder)


def test_only_the_rules_asked_for_are_judged() -> None:
    assert check_encoder(Means(strict=False), [EncoderRule.REPEATS]) == ()


def test_every_rule_is_explained() -> None:
    assert set(ENCODER_MEANINGS) == set(EncoderRule)


def test_the_crops_are_of_the_size_asked_for_and_differ() -> None:
    crops = painted_crops(Means().spec)
    assert len(crops) == 19
    assert {crop.pixels.shape for crop in crops} == {(16, 16, 3)}
    assert len({crop.pixels.tobytes() for crop in crops}) == len(crops)
    assert len({crop.cell_id for crop in crops}) == len(crops)
