from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_files import ramps, saved, tiff
from PIL import Image

from hemascope.core.smear import Field
from hemascope.core.units import ScaleSource
from hemascope.sources.metadata_scale import micrometers, scale_of_ome
from hemascope.sources.raster import RasterReader

RGB = ramps()


def read(folder: Path, data: bytes) -> Field:
    path = folder / "field.img"
    path.write_bytes(data)
    return RasterReader().read(path, "field")


def ome(x: str, y: str, unit: str = "µm") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Image ID="Image:0"><Pixels ID="Pixels:0" PhysicalSizeX="{x}" PhysicalSizeXUnit="{unit}" '
        f'PhysicalSizeY="{y}" PhysicalSizeYUnit="{unit}"/></Image></OME>'
    )


@pytest.mark.parametrize(
    ("data", "mpp"),
    [
        (tiff(RGB, photometric="rgb", resolution=(100_000, 100_000), resolutionunit="CENTIMETER"), 0.1),
        (tiff(RGB, photometric="rgb", resolution=(254_000, 254_000), resolutionunit="INCH"), 0.1),
        (tiff(RGB, imagej=True, resolution=(10, 10), metadata={"unit": "um"}), 0.1),
        (tiff(RGB, imagej=True, resolution=(4, 4), metadata={"unit": "micron"}), 0.25),
        (tiff(RGB, imagej=True, resolution=(4, 4), metadata={"unit": "\\u00B5m"}), 0.25),
        (tiff(RGB, imagej=True, resolution=(0.005, 0.005), metadata={"unit": "nm"}), 0.2),
        (tiff(RGB, ome=True, metadata={"axes": "YXS", "PhysicalSizeX": 0.12, "PhysicalSizeY": 0.12}), 0.12),
        (saved(RGB, "PNG", dpi=(254_000, 254_000)), 0.1),
        (saved(RGB, "JPEG", dpi=(50_800, 50_800)), 0.5),
        (saved(RGB, "BMP", dpi=(254_000, 254_000)), 0.1),
        (saved(RGB, "TIFF", compression="tiff_lzw", resolution_unit=3, resolution=40_000), 0.25),
    ],
    ids=[
        "tiff cm",
        "tiff inch",
        "imagej um",
        "imagej micron",
        "imagej escaped",
        "imagej nm",
        "ome",
        "png",
        "jfif",
        "bmp",
        "lzw",
    ],
)
def test_a_scale_is_read(data: bytes, mpp: float, tmp_path: Path) -> None:
    scale = read(tmp_path, data).scale
    assert scale is not None
    assert scale.source is ScaleSource.METADATA
    assert scale.mpp == pytest.approx(mpp, rel=1e-3)


def test_exif_density_counts_where_jfif_has_none(tmp_path: Path) -> None:
    tags = Image.Exif()
    tags[282], tags[283], tags[296] = 100_000.0, 100_000.0, 3
    scale = read(tmp_path, saved(RGB, "JPEG", exif=tags)).scale
    assert scale is not None
    assert scale.mpp == pytest.approx(0.1)


@pytest.mark.parametrize("dpi", [1, 72, 96, 300, 600, 1200])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF"])
def test_print_densities_are_no_scale(kind: str, dpi: int, tmp_path: Path) -> None:
    field = read(tmp_path, saved(RGB, kind, dpi=(dpi, dpi)))
    assert field.scale is None
    assert field.notes == ()


def test_a_saturated_jfif_density_is_no_scale(tmp_path: Path) -> None:
    assert read(tmp_path, saved(RGB, "JPEG", dpi=(65535, 65535))).scale is None


def test_pixels_that_are_not_square_give_no_scale_but_a_note(tmp_path: Path) -> None:
    field = read(tmp_path, tiff(RGB, photometric="rgb", resolution=(100_000, 97_000), resolutionunit="CENTIMETER"))
    assert field.scale is None
    assert any("not square" in note for note in field.notes)
    almost = read(tmp_path, tiff(RGB, photometric="rgb", resolution=(100_000, 99_000), resolutionunit="CENTIMETER"))
    assert almost.scale is not None


@pytest.mark.parametrize(
    ("unit", "um"), [("µm", 1), ("μm", 1), ("\\u00B5m", 1), ("Micron", 1), (" nm ", 1e-3), ("mm", 1e3), ("pixel", None)]
)
def test_units(unit: str, um: float | None) -> None:
    assert micrometers(unit) == um


@pytest.mark.parametrize(
    ("xml", "note"),
    [
        (ome("0.1", "0.2"), "not square"),
        (ome("many", "0.1"), "cannot be read"),
        (ome("0.1", "0.1", "reference frame"), "cannot be read"),
        (ome("-1", "-1"), "not a positive number"),
        (ome("nan", "nan"), "not a positive number"),
        (ome("50", "50"), "outside"),
        ("<OME><Pixels", "malformed"),
        ('<!DOCTYPE a [<!ENTITY x "x">]><OME>&x;</OME>', "declares entities"),
    ],
)
def test_bad_ome_gives_a_note(xml: str, note: str) -> None:
    result = scale_of_ome(xml)
    assert result.scale is None
    assert note in result.notes[0]


def test_ome_units_and_absence() -> None:
    result = scale_of_ome(ome("110", "110", "nm"))
    assert result.scale is not None
    assert result.scale.mpp == pytest.approx(0.11)
    assert scale_of_ome("<OME><Image><Pixels/></Image></OME>").notes == ()


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200), st.text(max_size=20), st.text(max_size=20))
def test_no_ome_text_raises(junk: str, x: str, unit: str) -> None:
    for xml in (junk, "<OME>" + junk + "</OME>", ome(x, x, unit)):
        assert isinstance(scale_of_ome(xml).notes, tuple)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=80), unit=st.integers(0, 70000))
def test_malformed_tiff_tags_never_cost_the_pixels(text: str, unit: int, tmp_path: Path) -> None:
    extra = [(282, 5, 1, (unit, 0), True), (283, 5, 1, (1, unit), True), (296, 3, 1, unit % 65536, True)]
    data = tiff(RGB, photometric="rgb", description="ImageJ=1\n" + text, metadata=None, extratags=extra)
    np.testing.assert_array_equal(read(tmp_path, data).pixels, RGB)
