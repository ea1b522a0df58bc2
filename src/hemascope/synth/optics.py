"""From densities to an image: light, lens, camera."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.synth.style import SmearStyle

Image = NDArray[np.float32]


def photograph(density: Image, mpp: float, style: SmearStyle, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the picture of a field.

    Parameters
    ----------
    density
        H x W x 3 float32, natural logarithm of background over transmitted light; overwritten.
    mpp
        Micrometers per pixel.
    style
        Light, lens and camera.
    rng
        Source of the direction of light and of the noise.

    Returns
    -------
    H x W x 3 uint8 RGB.
    """
    # Beer-Lambert: every layer passes exp(-density) of the light that reaches it.
    density *= np.float32(-style.strength)
    image = np.exp(density, out=density)
    image = _through_lens(image, mpp, style, rng)
    _lit(image, style, rng)
    return _recorded(image, style, rng)


def _through_lens(image: Image, mpp: float, style: SmearStyle, rng: np.random.Generator) -> Image:
    sigma = style.defocus / mpp
    if sigma > 0.2:
        image = _blurred(image, sigma)
    if style.fringe > 0:
        turn = rng.uniform(0, 2 * np.pi)
        dx, dy = style.fringe / mpp * np.cos(turn), style.fringe / mpp * np.sin(turn)
        for channel, sign in ((0, 1.0), (2, -1.0)):
            image[..., channel] = _shifted(np.ascontiguousarray(image[..., channel]), sign * dx, sign * dy)
    if style.sharpening > 0:
        soft = cv2.GaussianBlur(image, (0, 0), max(0.15 / mpp, 0.6))
        image = image + np.float32(style.sharpening) * (image - soft)
    return image


def _blurred(image: Image, sigma: float) -> Image:
    """Return a Gaussian blur; a wide one is done on a smaller image, where it costs little and looks the same."""
    shrink = max(1, int(sigma / 4))
    if shrink == 1:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), np.float32)
    height, width = image.shape[:2]
    size = (max(width // shrink, 1), max(height // shrink, 1))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / shrink, borderType=cv2.BORDER_REFLECT)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _shifted(channel: NDArray[np.float32], dx: float, dy: float) -> NDArray[np.float32]:
    height, width = channel.shape
    move = np.array(((1, 0, dx), (0, 1, dy)), np.float32)
    moved = cv2.warpAffine(channel, move, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.float32)


def _lit(image: Image, style: SmearStyle, rng: np.random.Generator) -> None:
    """Multiply by the light of the lamp, in gray levels, in place: falls to the corners, along a slope, by channel."""
    height, width = image.shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    turn = rng.uniform(0, 2 * np.pi)
    middle = 0.25 * rng.standard_normal(2)
    shift = np.array((1.0, -0.8, 0.3), np.float32) * (1 if rng.random() < 0.75 else -1)
    away = ((x - np.float32(middle[0])) ** 2 + (y - np.float32(middle[1])) ** 2) / 2
    slope = x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))
    for channel in range(3):
        light = 1 - np.float32(style.vignetting) * away + np.float32(style.slope) * slope
        light += np.float32(style.color_shift) * shift[channel] * (away - np.float32(0.4))
        level = np.float32(style.stain.background[channel] * style.exposure)
        image[..., channel] *= np.maximum(light, 0) * level


def _recorded(image: Image, style: SmearStyle, rng: np.random.Generator) -> NDArray[np.uint8]:
    if style.noise > 0:
        # Half of the noise is one gray value for all channels, as in cameras that interpolate their colors.
        gray = rng.standard_normal(image.shape[:2], dtype=np.float32)
        image += np.float32(0.7 * style.noise) * gray[..., None]
        image += np.float32(0.7 * style.noise) * rng.standard_normal(image.shape, dtype=np.float32)
    np.clip(image, 0, 255, out=image)
    pixels = np.round(image).astype(np.uint8)
    if style.jpeg_quality >= 100:
        return pixels
    _, packed = cv2.imencode(".jpg", pixels[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, style.jpeg_quality))
    return np.ascontiguousarray(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])
