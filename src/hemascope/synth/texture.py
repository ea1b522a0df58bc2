"""Textures without a seam: smooth noise and scattered grains."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.synth.patch import Patch

_SHIFT = 4
"""Fractional bits of the coordinates given to the drawing routines: a sixteenth of a pixel."""


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], grain: float) -> NDArray[np.float32]:
    """Return noise of mean 0 and standard deviation 1 whose details are about ``grain`` wide.

    Parameters
    ----------
    rng
        Source of randomness.
    shape
        ``(height, width)`` in pixels.
    grain
        Standard deviation of the Gaussian that smooths white noise, in pixels, above 0.

    Returns
    -------
    H x W float32.
    """
    # Coarse noise is made on a coarse grid: a wide kernel on a fine grid would cost seconds on large fields.
    step = max(1, int(grain / 2.5))
    sigma = grain / step
    height, width = (-(-side // step) + 4 for side in shape)
    noise: NDArray[np.float32] = rng.standard_normal((height, width), dtype=np.float32)
    if sigma > 0.3:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), np.float32)
        noise *= np.float32(max(2 * np.sqrt(np.pi) * sigma, 1.0))
    if step > 1:
        fine = cv2.resize(noise, (width * step, height * step), interpolation=cv2.INTER_CUBIC)
        noise = np.asarray(fine, np.float32)
    return np.ascontiguousarray(noise[2 * step :, 2 * step :][: shape[0], : shape[1]])


def patch_noise(rng: np.random.Generator, patch: Patch, grain_um: float) -> NDArray[np.float32]:
    """Return smooth noise on the samples of a patch, with details of ``grain_um`` um."""
    return smooth_noise(rng, patch.sample_shape, max(grain_um / patch.pitch, 0.3))


def grains(
    rng: np.random.Generator,
    patch: Patch,
    count: int,
    radius_um: tuple[float, float],
    reach_um: float,
    allowed: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Return round grains scattered evenly over a disk around the center of a patch.

    Parameters
    ----------
    rng
        Source of randomness.
    patch
        Where to paint.
    count
        Grains thrown; those that miss ``allowed`` are not painted.
    radius_um
        Smallest and largest radius of a grain in um.
    reach_um
        Radius of the disk in um.
    allowed
        Samples on which a grain's center may lie; all where None.

    Returns
    -------
    Samples as float32, 0 (none) to 1 (inside a grain).
    """
    distance = reach_um * np.sqrt(rng.random(count))
    angle = rng.uniform(0, 2 * np.pi, count)
    radii = rng.uniform(*radius_um, count) / patch.pitch
    strength = rng.integers(140, 256, count)
    columns, rows = patch.sample_index(distance * np.cos(angle), distance * np.sin(angle))
    canvas = np.zeros(patch.sample_shape, np.uint8)
    height, width = patch.sample_shape
    for column, row, radius, level in zip(columns, rows, radii, strength, strict=True):
        j, i = int(np.floor(column + 0.5)), int(np.floor(row + 0.5))
        if not (0 <= i < height and 0 <= j < width) or (allowed is not None and not allowed[i, j]):
            continue
        center = (int(column * 2**_SHIFT), int(row * 2**_SHIFT))
        cv2.circle(canvas, center, max(int(radius * 2**_SHIFT), 8), int(level), -1, cv2.LINE_AA, _SHIFT)
    soft = cv2.GaussianBlur(canvas.astype(np.float32), (0, 0), max(0.06 / patch.pitch, 0.3))
    return np.asarray(soft, np.float32) / np.float32(255)
