"""Light: level, clipping, contrast, evenness."""

from __future__ import annotations

import cv2
import numpy as np

from hemascope.qc.view import View

_BLACK, _WHITE = 4, 254


def background_level(view: View) -> float:
    """Return the median over the background of the brightest channel, 0 to 255."""
    background = view.rgb[~view.cells]
    return float(np.median(background.max(axis=1))) if background.size else 0.0


def clipped_dark(view: View) -> float:
    """Return the fraction of pixels whose brightest channel is at most 4: black, whatever was there."""
    return float((_brightest(view) <= _BLACK).mean())


def clipped_background(view: View) -> float:
    """Return the fraction of background pixels whose every channel is at least 254."""
    darkest = cv2.min(cv2.min(view.rgb[..., 0], view.rgb[..., 1]), view.rgb[..., 2])
    return float((darkest[~view.cells] >= _WHITE).mean()) if not view.cells.all() else 0.0


def light_evenness(view: View) -> float:
    """Return darkest over brightest background, 0 to 1, at the 2nd and 98th percentile of the fitted surface."""
    low, high = np.percentile(view.light[::4, ::4], (2, 98))
    return float(low / high)


def _brightest(view: View) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(cv2.max(cv2.max(view.rgb[..., 0], view.rgb[..., 1]), view.rgb[..., 2]), np.uint8)
