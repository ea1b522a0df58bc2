"""Measures of a mask's shape, in pixels; none depends on where it lies or how it is turned."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.embed.descriptors.regions import Mask

Contour = NDArray[np.int32]

FOURIER_POINTS = 64
"""Points to which a contour is resampled."""


def contours_of(mask: Mask) -> list[Contour]:
    """Return the outer contours of a mask, N x 2 (x, y) of pixel centers, the longest first."""
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return sorted((np.asarray(contour.reshape(-1, 2), np.int32) for contour in found), key=len, reverse=True)


def perimeter_of(contours: list[Contour]) -> float:
    """Return the length of smooth outlines around pixels: contours through pixel centers, moved out by half a pixel.

    The chain of pixel centers is smoothed over five points, which takes the stairs out; a shape grown by half a pixel
    on all sides is longer by pi for each part.
    """
    total = 0.0
    for contour in contours:
        points = contour.astype(np.float64)
        if len(points) > 8:
            points = np.mean([np.roll(points, shift, axis=0) for shift in (-2, -1, 0, 1, 2)], axis=0)
        total += float(np.hypot(*(points - np.roll(points, 1, axis=0)).T).sum()) + math.pi
    return total


def ellipse_axes(mask: Mask) -> tuple[float, float, float, float]:
    """Return major and minor axis of the ellipse with a mask's second moments, and the mask's centroid x, y."""
    y, x = np.nonzero(mask)
    if len(x) == 0:
        return 0.0, 0.0, 0.0, 0.0
    # Each pixel is a square of side 1, whose own second moment is 1/12.
    xx, yy, xy = x.var() + 1 / 12, y.var() + 1 / 12, ((x - x.mean()) * (y - y.mean())).mean()
    spread = math.hypot(xx - yy, 2 * xy)
    major, minor = (xx + yy + spread) / 2, max((xx + yy - spread) / 2, 0.0)
    return 4 * math.sqrt(major), 4 * math.sqrt(minor), float(x.mean()), float(y.mean())


def circularity(area: float, perimeter: float) -> float:
    """Return 4 pi A / P^2, clipped to 1; 0 without perimeter."""
    return min(4 * math.pi * area / perimeter**2, 1.0) if perimeter > 0 else 0.0


def eccentricity(major: float, minor: float) -> float:
    """Return sqrt(1 - b^2 / a^2); 0 for a disk."""
    return math.sqrt(max(1 - (minor / major) ** 2, 0.0)) if major > 0 else 0.0


def hull_of(contours: list[Contour], shape: tuple[int, ...]) -> Mask:
    """Return the convex hull of all contours together, as a mask."""
    hull = np.zeros(shape, np.uint8)
    if contours:
        cv2.fillConvexPoly(hull, cv2.convexHull(np.concatenate(contours)[:, None, :]), 1)
    return hull.astype(bool)


def rectangularity(contours: list[Contour], area: float) -> float:
    """Return a mask's area over that of the smallest rectangle around it, at most 1."""
    if not contours:
        return 0.0
    _, (width, height), _ = cv2.minAreaRect(np.concatenate(contours)[:, None, :])
    return min(area / ((width + 1) * (height + 1)), 1.0)


def radius_variation(contour: Contour, center: tuple[float, float]) -> float:
    """Return the standard deviation of the distances from a center to a contour, over their mean."""
    radii = np.hypot(contour[:, 0] - center[0], contour[:, 1] - center[1])
    mean = float(radii.mean())
    return float(radii.std()) / mean if mean > 0 else 0.0


def hu_moments(mask: Mask, count: int) -> list[float]:
    """Return the first Hu moments of a mask, each as sign(h) |h|^(1/degree) (Hu, IRE Trans Inf Theory 1962;8:179).

    The roots bring all to one order of magnitude: degrees 1, 2, 3, 3, 6, 4, 6 in second order moments.
    """
    moments = cv2.HuMoments(cv2.moments(mask.astype(np.uint8), binaryImage=True)).ravel()
    degrees = (1, 2, 3, 3, 6, 4, 6)
    return [math.copysign(abs(m) ** (1 / d), m) for m, d in zip(moments[:count].tolist(), degrees, strict=False)]


def fourier_magnitudes(contour: Contour, orders: tuple[int, ...]) -> list[float]:
    """Return magnitudes of a contour's Fourier coefficients over that of order 1 (Zahn, Roskies 1972; Granlund 1972).

    The contour is resampled to 64 points at equal distance; magnitudes do not depend on where it starts, how it is
    turned or mirrored; dividing takes its size out.
    """
    closed = np.concatenate([contour, contour[:1]]).astype(np.float64)
    steps = np.hypot(*np.diff(closed, axis=0).T)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    if length[-1] <= 0:
        return [0.0] * len(orders)
    wanted = np.arange(FOURIER_POINTS) * length[-1] / FOURIER_POINTS
    path = np.interp(wanted, length, closed[:, 0]) + 1j * np.interp(wanted, length, closed[:, 1])
    magnitudes = np.abs(np.fft.fft(path))
    first = max(float(magnitudes[1]), float(magnitudes[-1]), 1e-9)
    # Which way around the contour runs depends on the library: the greater of the two first orders is order 1.
    sign = 1 if magnitudes[1] >= magnitudes[-1] else -1
    return [float(magnitudes[sign * order % FOURIER_POINTS]) / first for order in orders]
