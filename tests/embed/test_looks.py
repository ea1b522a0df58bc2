"""The mean over four looks: what it is the mean of, and that turning a crop does not change it."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope import wiring
from hemascope.core.cell import CellCrop
from hemascope.core.units import Microns
from hemascope.embed.looks import LooksEncoder
from hemascope.evaluate.encoder_conformance import check_encoder


@pytest.fixture(scope="module")
def crops() -> list[CellCrop]:
    rng = np.random.default_rng(0)
    images = rng.integers(60, 240, (3, 16, 16, 3)).astype(np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    return [CellCrop(f"f#{number}", image, Microns(32.0)) for number, image in enumerate(images)]


def test_the_mean_is_over_the_crop_mirrored_and_transposed(crops: list[CellCrop]) -> None:
    bare, looks = wiring.build_encoder("hemascope_s"), wiring.build_encoder("hemascope_s.looks")
    assert isinstance(looks, LooksEncoder)
    each = looks.encode_looks(crops)
    np.testing.assert_allclose(each[0], bare.encode(crops), atol=1e-5)
    mirrored = [CellCrop(crop.cell_id, np.ascontiguousarray(crop.pixels[:, ::-1]), crop.width) for crop in crops]
    np.testing.assert_allclose(each[1], bare.encode(mirrored), atol=1e-5)
    np.testing.assert_allclose(looks.encode(crops), each.mean(axis=0), atol=1e-6)


def test_a_transposed_crop_has_an_embedding_nearer_its_own_than_one_look_gives(crops: list[CellCrop]) -> None:
    bare, looks = wiring.build_encoder("hemascope_s"), wiring.build_encoder("hemascope_s.looks")
    turned = [
        CellCrop(crop.cell_id, np.ascontiguousarray(crop.pixels.transpose(1, 0, 2)), crop.width) for crop in crops
    ]

    def moved(encoder: object) -> float:
        return float(np.abs(encoder.encode(crops) - encoder.encode(turned)).mean())  # type: ignore[attr-defined]

    assert moved(looks) < moved(bare)


def test_it_goes_by_a_name_of_its_own(crops: list[CellCrop]) -> None:
    looks = wiring.build_encoder("hemascope_s.looks")
    assert looks.identity.name == "hemascope_s.looks"
    assert looks.encode([]).shape == (0, looks.spec.dimension)


def test_it_keeps_the_contract_of_encoders() -> None:
    assert check_encoder(wiring.build_encoder("hemascope_s.looks")) == ()
