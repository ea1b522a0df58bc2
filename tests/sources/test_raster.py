from __future__ import annotations

import hashlib
import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_files import HEIGHT, WIDTH, deep_png, exif, png_chunk, ramps, saved, stored_as, tiff
from PIL import Image

from hemascope.core.errors import ImageTooLargeError, InputError, UnreadableImageError
from hemascope.core.smear import Field
from hemascope.sources.pixels import eight_bit, on_white
from hemascope.sources.raster import RasterReader

RGB = ramps()
GRAY = RGB[..., 0]
DEEP = RGB.astype(np.uint16) * 257
ALPHA = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
WHITE_BLENDED = (RGB.astype(float) * ALPHA[..., None] + 255 * (255.0 - ALPHA[..., None])) / 255
READER = RasterReader()


def read(folder: Path, data: bytes, name: str = "field.img") -> Field:
    path = folder / name
    path.write_bytes(data)
    return READER.read(path, "a/field")


LOSSLESS = {
    "png": saved(RGB, "PNG"),
    "bmp": saved(RGB, "BMP"),
    "tiff": saved(RGB, "TIFF"),
    "tiff lzw": saved(RGB, "TIFF", compression="tiff_lzw"),
    "tiff lzw predictor": saved(RGB, "TIFF", compression="tiff_lzw", tiffinfo={317: 2}),
    "tiff deflate": saved(RGB, "TIFF", compression="tiff_adobe_deflate"),
    "tiff packbits": saved(RGB, "TIFF", compression="packbits"),
    "tiff tiled": tiff(RGB, photometric="rgb", tile=(16, 16)),
    "tiff planes": tiff(np.moveaxis(RGB, 2, 0).copy(), photometric="rgb", planarconfig="separate"),
    "tiff big-endian": tiff(RGB, photometric="rgb", byteorder=">"),
    "bigtiff": tiff(RGB, photometric="rgb", bigtiff=True),
    "tiff 16": tiff(DEEP, photometric="rgb"),
    "tiff 16 deflate predictor": tiff(DEEP, photometric="rgb", compression="zlib", predictor=True),
    "tiff 16 planes": tiff(np.moveaxis(DEEP, 2, 0).copy(), photometric="rgb", planarconfig="separate"),
    "png 16": deep_png(DEEP, 2),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_give_back_their_pixels(kind: str, tmp_path: Path) -> None:
    field = read(tmp_path, LOSSLESS[kind])
    np.testing.assert_array_equal(field.pixels, RGB)
    assert field.id == "a/field"
    assert field.scale is None
    assert field.sha256 == hashlib.sha256(LOSSLESS[kind]).hexdigest()
    assert not field.pixels.flags.writeable


GRAYS = {
    "png": saved(GRAY, "PNG"),
    "bmp": saved(GRAY, "BMP"),
    "tiff": saved(GRAY, "TIFF"),
    "png 16": saved(GRAY.astype(np.uint16) * 257, "PNG"),
    "tiff 16": tiff(GRAY.astype(np.uint16) * 257, photometric="minisblack"),
    "tiff 16 lzw": saved(GRAY.astype(np.uint16) * 257, "TIFF", compression="tiff_lzw"),
    "tiff white is zero": tiff(255 - GRAY, photometric="miniswhite"),
}


@pytest.mark.parametrize("kind", GRAYS)
def test_gray_is_repeated_and_said(kind: str, tmp_path: Path) -> None:
    field = read(tmp_path, GRAYS[kind])
    np.testing.assert_array_equal(field.pixels, np.dstack([GRAY] * 3))
    assert any("gray" in note for note in field.notes)


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_is_read_close_to_its_pixels(progressive: bool, tmp_path: Path) -> None:
    field = read(tmp_path, saved(RGB, "JPEG", quality=100, subsampling=0, progressive=progressive))
    assert np.abs(field.pixels.astype(int) - RGB).max() <= 3


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb_with_a_note(kind: str, tmp_path: Path) -> None:
    field = read(tmp_path, saved(Image.fromarray(RGB).convert("CMYK"), kind, quality=100))
    assert np.abs(field.pixels.astype(int) - RGB).max() <= 4
    assert any("CMYK" in note for note in field.notes)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_palette_becomes_rgb_with_a_note(kind: str, tmp_path: Path) -> None:
    picture = Image.fromarray(RGB).quantize(64)
    field = read(tmp_path, saved(picture, kind))
    np.testing.assert_array_equal(field.pixels, np.asarray(picture.convert("RGB")))
    assert any("palette" in note for note in field.notes)


@pytest.mark.parametrize(
    "data",
    [
        saved(np.dstack([RGB, ALPHA]), "PNG"),
        saved(np.dstack([RGB, ALPHA]), "TIFF", compression="tiff_lzw"),
        tiff(np.dstack([RGB, ALPHA]), photometric="rgb", extrasamples=["unassalpha"]),
        deep_png(np.dstack([RGB, ALPHA]).astype(np.uint16) * 257, 6),
    ],
    ids=["png", "tiff lzw", "tiff", "png 16"],
)
def test_alpha_is_composited_on_white(data: bytes, tmp_path: Path) -> None:
    field = read(tmp_path, data)
    assert np.abs(field.pixels - WHITE_BLENDED).max() <= 0.51
    assert any("composited on white" in note for note in field.notes)


def test_premultiplied_alpha_is_not_multiplied_again(tmp_path: Path) -> None:
    stored = np.rint(RGB.astype(float) * ALPHA[..., None] / 255).astype(np.uint8)
    field = read(tmp_path, tiff(np.dstack([stored, ALPHA]), photometric="rgb", extrasamples=["assocalpha"]))
    assert np.abs(field.pixels - WHITE_BLENDED).max() <= 1.01


@pytest.mark.parametrize("alpha", [0, 255])
def test_constant_alpha_changes_nothing(alpha: int, tmp_path: Path) -> None:
    field = read(tmp_path, saved(np.dstack([RGB, np.full_like(ALPHA, alpha)]), "PNG"))
    np.testing.assert_array_equal(field.pixels, RGB)
    assert any("alpha" in note for note in field.notes)


def test_channels_that_are_no_alpha_are_dropped(tmp_path: Path) -> None:
    data = tiff(np.dstack([RGB, ALPHA]), photometric="rgb", extrasamples=["unspecified"])
    np.testing.assert_array_equal(read(tmp_path, data).pixels, RGB)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png", "png 16", "tiff", "tiff lzw", "tiff 16", "tiff 16 lzw"])
def test_every_orientation_comes_out_upright(kind: str, orientation: int, tmp_path: Path) -> None:
    stored, tags = stored_as(RGB, orientation), exif(orientation)
    deep = stored.astype(np.uint16) * 257
    extra = [(274, 3, 1, orientation, True)]
    data = {
        "jpeg": lambda: saved(stored, "JPEG", quality=100, subsampling=0, exif=tags),
        "png": lambda: saved(stored, "PNG", exif=tags),
        "png 16": lambda: deep_png(deep, 2, png_chunk(b"eXIf", tags.tobytes().removeprefix(b"Exif\0\0"))),
        "tiff": lambda: tiff(stored, photometric="rgb", extratags=extra),
        "tiff lzw": lambda: saved(stored, "TIFF", compression="tiff_lzw", exif=tags),
        "tiff 16": lambda: tiff(deep, photometric="rgb", extratags=extra),
        "tiff 16 lzw": lambda: saved(deep[..., 0], "TIFF", compression="tiff_lzw", exif=tags),
    }[kind]()
    field = read(tmp_path, data)
    truth = RGB if kind != "tiff 16 lzw" else np.dstack([GRAY] * 3)
    assert field.pixels.shape == truth.shape
    assert np.abs(field.pixels.astype(int) - truth).max() <= (3 if kind == "jpeg" else 0)
    assert any("upright" in note for note in field.notes) is (orientation != 1)


@pytest.mark.parametrize(("shift", "bits"), [(0, 16), (2, 14), (4, 12), (6, 10), (8, 8)])
def test_camera_bits_come_out_as_bright_as_they_were(shift: int, bits: int, tmp_path: Path) -> None:
    field = read(tmp_path, tiff(DEEP >> shift, photometric="rgb"))
    assert np.abs(field.pixels.astype(int) - RGB).max() <= 1
    expected = "16-bit:" if bits == 16 else f"holding {bits}-bit"
    assert any(expected in note for note in field.notes)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 65535), min_size=1, max_size=50))
def test_sixteen_bits_round_to_the_nearest(values: list[int]) -> None:
    samples = np.array([*values, 65535], np.uint16).reshape(1, -1, 1)
    out, _ = eight_bit(samples)
    np.testing.assert_array_equal(out, np.rint(samples / 257.0))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 255), st.integers(1, 255), st.integers(1, 600))
def test_compositing_by_bands_matches_the_formula(color: int, alpha: int, height: int) -> None:
    pixels = np.full((height, 2, 3), color, np.uint8)
    mask = np.full((height, 2), alpha, np.uint8)
    out, _ = on_white(pixels, mask)
    assert np.abs(out - (color * alpha + 255 * (255 - alpha)) / 255).max() <= 0.5


def test_three_by_three_pixels_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, saved(RGB[:3, :3].copy(), "PNG")).pixels.shape == (3, 3, 3)


def test_a_pyramid_gives_its_full_page(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(RGB, photometric="rgb")
        writer.write(RGB[::2, ::2].copy(), photometric="rgb", subfiletype=1)
    field = read(tmp_path, buffer.getvalue())
    np.testing.assert_array_equal(field.pixels, RGB)
    assert any("smaller page" in note for note in field.notes)


def test_a_camera_preview_behind_the_picture_is_left_out(tmp_path: Path) -> None:
    data = saved(RGB, "MPO", save_all=True, append_images=[Image.fromarray(255 - RGB)], quality=100, subsampling=0)
    field = read(tmp_path, data)
    assert np.abs(field.pixels.astype(int) - RGB).max() <= 3
    assert any("first of 2 pictures" in note for note in field.notes)


ONE_BIT = Image.fromarray(RGB).convert("1")
REFUSED = {
    "nothing in it": (b"", "empty"),
    "text": (b"Dear colleague, here is the smear.\n", "it is text"),
    "gif": (saved(RGB, "GIF"), "GIF"),
    "webp": (saved(RGB, "WEBP"), "WebP"),
    "pdf": (b"%PDF-1.7\n\x00\xff", "PDF"),
    "zip": (b"PK\x03\x04\x00\x00", "ZIP"),
    "heic": (b"\0\0\0\x18ftypheic\0\0", "HEIC"),
    "noise": (bytes(range(200, 256)), "begins with c8 c9"),
    "one-bit png": (saved(ONE_BIT, "PNG"), "one bit"),
    "one-bit bmp": (saved(ONE_BIT, "BMP"), "one bit"),
    "one-bit tiff": (saved(ONE_BIT, "TIFF", compression="group4"), "one bit"),
    "float": (tiff(RGB.astype(np.float32), photometric="rgb"), "floating-point samples of 32 bits"),
    "signed": (tiff(RGB.astype(np.int16), photometric="rgb"), "signed samples of 16 bits"),
    "stack": (tiff(np.stack([GRAY] * 3), photometric="minisblack"), "stack of 3 pages"),
    "six channels": (tiff(np.dstack([RGB, RGB]), photometric="rgb"), "6 channels"),
    "animated": (saved(RGB, "PNG", save_all=True, append_images=[Image.fromarray(255 - RGB)]), "2 frames"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_field_is_refused_with_file_reason_and_advice(kind: str, tmp_path: Path) -> None:
    data, reason = REFUSED[kind]
    with pytest.raises(UnreadableImageError) as caught:
        read(tmp_path, data, "smear.jpg")
    message = str(caught.value)
    assert str(tmp_path / "smear.jpg") in message
    assert reason in message
    assert ";" in message or "save" in message or "export" in message


def _bmp_bomb() -> bytes:
    return (
        b"BM"
        + struct.pack("<IHHI", 54, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 60000, 60000, 1, 24, 0, 0, 0, 0, 0, 0)
    )


def _png_bomb(side: int) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", b"x") + png_chunk(b"IEND", b"")


def _tiff_bomb() -> bytes:
    tags = [(256, 60000), (257, 60000), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 60000), (279, 10)]
    entries = b"".join(struct.pack("<HHII", code, 4, 1, value) for code, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0"


def _jpeg_bomb() -> bytes:
    data = bytearray(saved(RGB, "JPEG"))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", 60000, 60000)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [_png_bomb(60000), _png_bomb(11000), _tiff_bomb(), _bmp_bomb(), _jpeg_bomb()],
    ids=["png", "png under Pillow's guard", "tiff", "bmp", "jpeg"],
)
def test_bombs_are_refused_by_their_header(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(ImageTooLargeError, match=r"bomb\.png has .* pixels, more than the limit of 120,000,000"):
        read(tmp_path, data, "bomb.png")


def test_the_limit_can_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "field.png"
    path.write_bytes(LOSSLESS["png"])
    assert RasterReader(HEIGHT * WIDTH).read(path, "x").width == WIDTH
    with pytest.raises(ImageTooLargeError, match="40 x 30"):
        RasterReader(HEIGHT * WIDTH - 1).read(path, "x")


def test_a_huge_file_is_not_even_loaded(tmp_path: Path) -> None:
    path = tmp_path / "huge.tif"
    with path.open("wb") as file:
        file.truncate(2 << 30)  # sparse: takes no space on the disk
    with pytest.raises(ImageTooLargeError, match="MB"):
        READER.read(path, "x")


def test_places_that_are_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    os.mkfifo(tmp_path / "pipe.png")
    reasons = {"folder.png": "is a folder", "loop.png": "leads back to itself", "pipe.png": "no ordinary file"}
    for name, reason in {**reasons, "absent.png": "does not exist", "x" * 300: "too long", "a\0b": "name"}.items():
        with pytest.raises(UnreadableImageError, match=reason):
            READER.read(tmp_path / name, "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(LOSSLESS["png"])
    path.chmod(0)
    with pytest.raises(UnreadableImageError, match=r"secret\.png.*not permitted"):
        READER.read(path, "x")


WHOLE = {
    **LOSSLESS,
    "gray 16 lzw": GRAYS["tiff 16 lzw"],
    "jpeg": saved(RGB, "JPEG"),
    "jpeg progressive": saved(RGB, "JPEG", progressive=True),
    "jpeg cmyk": saved(Image.fromarray(RGB).convert("CMYK"), "JPEG"),
}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(kind=st.sampled_from(sorted(WHOLE)), where=st.floats(0, 1, exclude_max=True), from_end=st.integers(1, 40))
def test_a_cut_file_is_refused_or_has_all_its_pixels(kind: str, where: float, from_end: int, tmp_path: Path) -> None:
    data = WHOLE[kind]
    whole = read(tmp_path, data).pixels
    for length in (int(where * len(data)), len(data) - from_end):
        try:
            pixels = read(tmp_path, data[:length]).pixels
        except InputError:
            continue
        np.testing.assert_array_equal(pixels, whole)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    start=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0\x08\0\0\0", b"MM\0+"]),
    data=st.binary(max_size=300),
    suffix=st.sampled_from([".jpg", ".png", ".bmp", ".tif"]),
)
def test_random_bytes_raise_only_input_errors(start: bytes, data: bytes, suffix: str, tmp_path: Path) -> None:
    try:
        field = read(tmp_path, start + data, "noise" + suffix)
    except InputError as error:
        assert "noise" + suffix in str(error)  # noqa: PT017 - reading may succeed
    else:
        assert field.pixels.size > 0


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    kind=st.sampled_from(sorted(WHOLE)),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_damaged_bytes_raise_only_input_errors(kind: str, changes: list[tuple[float, int]], tmp_path: Path) -> None:
    data = bytearray(WHOLE[kind])
    for where, value in changes:
        data[int(where * len(data))] = value
    try:
        field = read(tmp_path, bytes(data))
    except InputError as error:
        assert "field.img" in str(error)  # noqa: PT017 - reading may succeed
    else:
        assert field.pixels.size > 0
