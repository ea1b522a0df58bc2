"""A field in numbers that a morphologist would recognize: its nucleated cells by size, shape and chromatin, no hue.

Every length is in pixels of the field and every density relative to the cell's own, so a stronger or bluer stain
changes little. It is what a network on the same fields must beat.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.optics import transmittance
from hemascope.data.taleqani import SCALE_BAR_PX
from hemascope.data.taleqani_views import nucleated_mask

CELL_DESCRIPTORS = (
    "log_area",  # ln of the area in pixels
    "roundness",  # 4 pi area / perimeter^2
    "solidity",  # area of the outline / area of its convex hull
    "aspect",  # height / width of the bounding box
    "density_spread",  # deviation / mean of optical density, the mean over channels
    "density_high",  # 90% quantile / median
    "density_low",  # 10% quantile / median
    "gradient",  # mean gradient of green density / mean density
    "grain",  # mean absolute Laplacian of green density / mean density
    "inner_spread",  # mean over channels of the deviation of density 2 pixels inside / mean density
    "channel_agreement",  # correlation of red and green density
    "hue_spread",  # deviation of red density / (green density + 0.02)
)
"""Numbers of one cell, without unit but for the first."""

POOLED = ("mean", "deviation", "p10", "p50", "p90")
"""What is told of each over the cells of a field."""

FIELD_DESCRIPTORS = ("log_cells", "nucleated_share", "other_share", "log_density_ratio", "other_density")
"""Ln of the number of cells; shares of the field's area: nucleated cells, and other things that take light, mostly red
cells; ln of the mean optical density of the cells over that of those; and theirs. The red cells of a smear are its own
yardstick of stain and thickness."""

DESCRIPTOR_NAMES = (*(f"{p}_{name}" for p in POOLED for name in CELL_DESCRIPTORS), *FIELD_DESCRIPTORS)
"""In the order of ``describe_field``."""

LEAST_AREA_PX = 60
"""Of a cell, at 224 pixels for about 130 um: smaller things are platelets and dirt."""

_LEAST_RADIUS_PX = 3.0

_LEAST_OTHER_PX = 50
_USUAL_DENSITY = 0.1
"""Of red cells here, in nats, where a field shows too few of them."""


def describe_field(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the ``DESCRIPTOR_NAMES`` of a field; those of cells are 0 where it has none.

    Parameters
    ----------
    pixels
        H x W x 3 uint8 at the size of the set, 224 x 224. The scale bar is not looked at.
    """
    density = -np.log(np.maximum(transmittance(pixels), np.float32(1 / 255)))
    density = np.asarray(cv2.GaussianBlur(density, (0, 0), 0.7), np.float32)
    mask = nucleated_mask(pixels)
    width, height = SCALE_BAR_PX
    density[-height:, -width:], mask[-height:, -width:] = 0, False
    labels = part_cells(mask)
    cells = describe_cells(density, labels)
    total = density.mean(axis=2)
    other = (total > max(0.05, 0.35 * float(np.percentile(total[~mask], 95)))) & ~mask
    yardstick = float(total[other].mean()) if other.sum() > _LEAST_OTHER_PX else _USUAL_DENSITY
    own = float(total[labels > 0].mean()) if len(cells) else yardstick
    field = [
        np.log(max(len(cells), 1)),
        mask.mean(),
        other.mean(),
        np.log((own + 1e-3) / (yardstick + 1e-3)),
        yardstick,
    ]
    if not len(cells):
        return np.array([0.0] * (len(POOLED) * len(CELL_DESCRIPTORS)) + field)
    pooled = [cells.mean(axis=0), cells.std(axis=0), *np.quantile(cells, (0.1, 0.5, 0.9), axis=0)]
    return np.concatenate([*pooled, field])


def part_cells(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return H x W int32: 0 outside, else the number of the nearest center of a cell; touching cells are parted.

    Centers are the maxima of the smoothed distance to the outside.
    """
    filled = _fill_holes(mask)
    distance = cv2.distanceTransform(filled, cv2.DIST_L2, 5)
    smooth = cv2.GaussianBlur(distance, (0, 0), 1.5)
    peaks = (smooth >= cv2.dilate(smooth, np.ones((9, 9), np.uint8))) & (distance > _LEAST_RADIUS_PX)
    if not peaks.any():
        return np.zeros(mask.shape, np.int32)
    _, nearest = cv2.distanceTransformWithLabels(
        1 - peaks.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP
    )
    return np.asarray(nearest * filled, np.int32)


def describe_cells(density: NDArray[np.float32], labels: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return cells x ``CELL_DESCRIPTORS`` of an H x W x 3 optical density; small things are left out."""
    green = density[..., 1]
    gradient = cv2.magnitude(cv2.Sobel(green, cv2.CV_32F, 1, 0), cv2.Sobel(green, cv2.CV_32F, 0, 1))
    grain = np.abs(cv2.Laplacian(green, cv2.CV_32F))
    maps = np.dstack([density, gradient, grain])
    rows = []
    for number in range(1, int(labels.max()) + 1):
        x, y, w, h = cv2.boundingRect((labels == number).astype(np.uint8))
        cell = np.asarray(labels[y : y + h, x : x + w] == number)
        if cell.sum() >= LEAST_AREA_PX:
            rows.append(_describe_cell(maps[y : y + h, x : x + w], cell))
    return np.array(rows, np.float64).reshape(-1, len(CELL_DESCRIPTORS))


def _describe_cell(maps: NDArray[np.float32], cell: NDArray[np.bool_]) -> list[float]:
    area, shape = float(cell.sum()), cell.astype(np.uint8)
    outlines, _ = cv2.findContours(shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=cv2.contourArea)
    perimeter = max(cv2.arcLength(outline, closed=True), 1.0)
    hull = max(cv2.contourArea(cv2.convexHull(outline)), 1.0)
    inner = cv2.erode(
        cv2.copyMakeBorder(shape, 2, 2, 2, 2, cv2.BORDER_CONSTANT), np.ones((3, 3), np.uint8), None, (-1, -1), 2
    )
    inside = inner[2:-2, 2:-2] > 0
    inside = inside if inside.sum() > 15 else cell
    values = maps[cell].astype(np.float64)
    red, green, total = values[:, 0], values[:, 1], values[:, :3].mean(axis=1)
    mean = max(float(total.mean()), 1e-6)
    low, middle, high = np.quantile(total, (0.1, 0.5, 0.9))
    spread = float(red.std() * green.std())
    agreement = float(((red - red.mean()) * (green - green.mean())).mean()) / spread if spread > 1e-9 else 0.0
    return [
        float(np.log(area)),
        4 * np.pi * area / perimeter**2,
        cv2.contourArea(outline) / hull,
        cell.shape[0] / cell.shape[1],
        float(total.std()) / mean,
        float(high / max(middle, 1e-6)),
        float(low / max(middle, 1e-6)),
        float(values[:, 3].mean()) / mean,
        float(values[:, 4].mean()) / mean,
        float(maps[inside][:, :3].std(axis=0).mean()) / mean,
        agreement,
        float((red / (green + 0.02)).std()),
    ]


def _fill_holes(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the mask with its holes filled, 0 or 1."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    return filled
