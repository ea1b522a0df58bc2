"""Images that show one cell each: none is searched for, and each is one row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hemascope.app.embed_crops import LabeledCrops
from hemascope.app.embed_request import EmbedRequest, request_images
from hemascope.app.embed_single_cells import SingleCells
from hemascope.core.cell import CellCrop
from hemascope.core.embedding import EncoderSpec
from hemascope.core.errors import DataSetError, InputError, OutlineError
from hemascope.core.report import FailedInput
from hemascope.data.catalog import open_crops
from hemascope.sources.discover import discover
from hemascope.sources.raster import RasterReader

SPEC = EncoderSpec(4, 32, 20.0, "plain", "Romanowsky")


def image(path: Path, height: int, width: int) -> None:
    """Write white, with a black square of 8 x 8 in the middle."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[height // 2 - 4 : height // 2 + 4, width // 2 - 4 : width // 2 + 4] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def crops(folder: Path, mpp: float | None) -> list[CellCrop]:
    images = SingleCells(RasterReader(), discover([folder]), 32, 20.0, mpp)
    return [
        crop
        for group in images.groups()
        for one in group
        if not isinstance(one, FailedInput)
        for crop in one.crop().crops
    ]


def dark(crop: CellCrop) -> float:
    """Return the share of the view that the square covers."""
    return float((crop.pixels < 128).all(axis=2).mean())


def test_an_image_is_taken_whole_or_at_its_scale(tmp_path: Path) -> None:
    image(tmp_path / "P1" / "a.png", 32, 64)
    (whole,) = crops(tmp_path, None)
    assert whole.pixels.shape == (32, 32, 3)
    assert dark(whole) == pytest.approx((8 / 32) ** 2, abs=0.01)
    (scaled,) = crops(tmp_path, 1.25)  # 20 um are 16 pixels
    assert dark(scaled) == pytest.approx((8 / 16) ** 2, abs=0.05)
    assert scaled.cell_id == "P1/a.png"


def test_scales_do_not_share_what_is_stored(tmp_path: Path) -> None:
    image(tmp_path / "a.png", 32, 32)
    steps = set()
    for mpp in (None, 0.5, 1.0):
        ((one,),) = SingleCells(RasterReader(), discover([tmp_path]), 32, 20.0, mpp).groups()
        assert not isinstance(one, FailedInput)
        steps.add(one.step)
    assert len(steps) == 3


def test_a_file_that_is_no_image_is_an_error_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"a\.png"):
        crops(tmp_path, None)


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    image(tmp_path / "a.png", 32, 32)
    images = SingleCells(RasterReader(), discover([tmp_path]), 32, 20.0)
    (tmp_path / "a.png").unlink()
    ((gone,),) = images.groups()
    assert isinstance(gone, FailedInput)
    assert "cannot open" in gone.message


def unused(*_: object, **__: object) -> object:
    raise AssertionError("no analyzer is needed for single cells")


def test_options_that_contradict_each_other(tmp_path: Path) -> None:
    image(tmp_path / "a.png", 32, 32)
    plain = {"out": tmp_path, "command": "", "paths": (str(tmp_path),), "single_cells": True}
    taken = request_images(EmbedRequest(**plain), SPEC, unused)  # type: ignore[arg-type]
    assert isinstance(taken, SingleCells)
    with pytest.raises(OutlineError, match="--single takes each image as one cell"):
        request_images(EmbedRequest(**plain, segmenter="classical"), SPEC, unused)  # type: ignore[arg-type]
    with pytest.raises(DataSetError, match="and --single"):
        request_images(
            EmbedRequest(tmp_path, "", data_set="pbc_acevedo", single_cells=True),
            SPEC,
            unused,  # type: ignore[arg-type]
        )


@pytest.mark.data
def test_at_the_scale_of_a_public_set_crops_are_those_of_the_set(public_data: Path) -> None:
    records = open_crops("pbc_acevedo_128", public_data, "test")[:3]
    theirs = LabeledCrops(records, 64, 20.0)
    for record, group in zip(records, ([one] for some in theirs.groups() for one in some), strict=True):
        (known,) = group
        assert not isinstance(known, FailedInput)
        (expected,) = known.crop().crops
        side = Image.open(record.path).width
        (found,) = crops_at(record.path, 64, record.width_um / side)
        np.testing.assert_array_equal(found.pixels, expected.pixels)


def crops_at(path: Path, side: int, mpp: float) -> list[CellCrop]:
    ((one,),) = SingleCells(RasterReader(), discover([path]), side, 20.0, mpp).groups()
    assert not isinstance(one, FailedInput)
    return list(one.crop().crops)
