"""The part of a field around one object, with physical coordinates of every sample in it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_COARSEST_PITCH = 0.13
"""Objects are painted at least this finely (um), then averaged down; optics resolve about 0.2 um."""


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """Extent and scale of the field that is painted.

    Attributes
    ----------
    width, height
        In pixels.
    mpp
        Micrometers per pixel.
    """

    width: int
    height: int
    mpp: float

    @property
    def width_um(self) -> float:
        """Width in um."""
        return self.width * self.mpp

    @property
    def height_um(self) -> float:
        """Height in um."""
        return self.height * self.mpp


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A rectangle of whole pixels, each split into ``split`` x ``split`` samples.

    Attributes
    ----------
    left, top
        First column and row in the field.
    width, height
        In pixels.
    mpp
        Micrometers per pixel.
    split
        Samples along each side of a pixel; odd, so that one lies in the pixel's center.
    center
        ``(x, y)`` of the object in um from the field's top-left corner.
    """

    left: int
    top: int
    width: int
    height: int
    mpp: float
    split: int
    center: tuple[float, float]

    @property
    def pitch(self) -> float:
        """Distance between samples in um."""
        return self.mpp / self.split

    @property
    def sample_shape(self) -> tuple[int, int]:
        """Rows and columns of samples."""
        return self.height * self.split, self.width * self.split

    @property
    def window(self) -> tuple[slice, slice]:
        """Index ``[y, x]`` of the patch in arrays of the field."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    def coordinates(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return x and y of every sample in um from the object's center, two float32 arrays of one shape."""
        rows, columns = self.sample_shape
        x = (np.arange(columns) + 0.5) * self.pitch + self.left * self.mpp - self.center[0]
        y = (np.arange(rows) + 0.5) * self.pitch + self.top * self.mpp - self.center[1]
        grid_x, grid_y = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
        return grid_x, grid_y

    def sample_index(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> tuple[NDArray[np.float64], ...]:
        """Return column and row (not rounded; 0 is the center of the first sample) of points in um from the center."""
        column = (x + self.center[0] - self.left * self.mpp) / self.pitch - 0.5
        row = (y + self.center[1] - self.top * self.mpp) / self.pitch - 0.5
        return np.asarray(column, np.float64), np.asarray(row, np.float64)

    def averaged(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return pixels as the mean of their samples; H x W or H x W x C float32."""
        if self.split == 1:
            return samples
        pixels = cv2.resize(samples, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return np.asarray(pixels, np.float32)

    def at_pixel_centers(self, samples: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the H x W samples that lie in the centers of pixels."""
        return samples[self.split // 2 :: self.split, self.split // 2 :: self.split]


def patch_around(canvas: Canvas, center: tuple[float, float], reach_um: float) -> Patch | None:
    """Return the part of the field within ``reach_um`` of ``center`` (um), or None where they do not meet."""
    mpp = canvas.mpp
    left, right = (int(np.floor((center[0] + sign * reach_um) / mpp)) + (sign > 0) for sign in (-1, 1))
    top, bottom = (int(np.floor((center[1] + sign * reach_um) / mpp)) + (sign > 0) for sign in (-1, 1))
    left, right = max(left, 0), min(right, canvas.width)
    top, bottom = max(top, 0), min(bottom, canvas.height)
    if right <= left or bottom <= top:
        return None
    split = int(np.ceil(mpp / _COARSEST_PITCH)) // 2 * 2 + 1
    return Patch(left, top, right - left, bottom - top, mpp, split, center)
