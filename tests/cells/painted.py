"""Small painted fields with known cells, for tests of finding and measuring."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.smear import Field
from hemascope.core.units import Scale, ScaleSource

BACKGROUND = (240, 225, 215)
HEMOGLOBIN = (205, 140, 140)
CYTOPLASM = (190, 185, 215)
NUCLEUS = (90, 50, 130)


def blank(width: int = 400, height: int = 300) -> NDArray[np.uint8]:
    return np.full((height, width, 3), BACKGROUND, np.uint8)


def disk(pixels: NDArray[np.uint8], center: tuple[float, float], radius: float, color: tuple[int, int, int]) -> None:
    shift = 4
    at = (round((center[0] - 0.5) * 2**shift), round((center[1] - 0.5) * 2**shift))
    cv2.circle(pixels, at, round(radius * 2**shift), color, -1, cv2.LINE_AA, shift)


def field(pixels: NDArray[np.uint8], mpp: float = 0.1) -> Field:
    return Field("painted", pixels, Scale(mpp, ScaleSource.STATED))


def red_cell(pixels: NDArray[np.uint8], center: tuple[float, float], mpp: float = 0.1) -> None:
    disk(pixels, center, 3.75 / mpp, HEMOGLOBIN)


def white_cell(pixels: NDArray[np.uint8], center: tuple[float, float], mpp: float = 0.1) -> None:
    disk(pixels, center, 6.0 / mpp, CYTOPLASM)
    disk(pixels, center, 4.0 / mpp, NUCLEUS)


def platelet(pixels: NDArray[np.uint8], center: tuple[float, float], mpp: float = 0.1) -> None:
    disk(pixels, center, 1.3 / mpp, NUCLEUS)
