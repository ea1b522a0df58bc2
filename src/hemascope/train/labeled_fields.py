"""Labeled fields, at the scale the finder works at, with an outline for every labeled object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.cells.star_decode import unit_rays
from hemascope.core.errors import DataSetError
from hemascope.core.geometry import Box, box_iou
from hemascope.core.optics import absorption, transmittance
from hemascope.core.taxonomy import CellKind
from hemascope.data.catalog import check_split_groups, open_fields
from hemascope.data.records import FieldRecord, LabeledBox
from hemascope.recipes import FieldSource, SegmenterTrainingRecipe
from hemascope.synth.smear import SmearStyle, SyntheticField, paint_field
from hemascope.train.images import read_rgb
from hemascope.train.star_targets import Shape, foreground

KIND_INDEX = {kind: index for index, kind in enumerate(CellKind)}
LEAST_VISIBLE = 0.2
"""Share of a generated cell that must lie in the field and uncovered for it to be taught."""
MASK_LEVEL = 100
"""Gray level in the masks of bccd above which a pixel is cytoplasm (128 or 155) or nucleus (255)."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingField:
    """One field to draw views from.

    Attributes
    ----------
    name
        Path within its data set, or the seed it was painted from.
    image
        H x W x 3 uint8, transmittance * 255, at the working scale.
    shapes
        Every labeled object, in pixels of ``image``.
    unknown
        kinds x H x W: where an unlabeled object of that kind may lie.
    """

    name: str
    image: NDArray[np.uint8]
    shapes: tuple[Shape, ...]
    unknown: NDArray[np.bool_]


def to_working_scale(pixels: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Return transmittance * 255 of an image resized by ``factor``."""
    height, width = pixels.shape[:2]
    size = (max(round(width * factor), 8), max(round(height * factor), 8))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(pixels, size, interpolation=method), np.uint8)
    return np.round(transmittance(resized) * 255).astype(np.uint8)


def outline_from_box(box: Box, stained: NDArray[np.bool_], points: int = 48) -> NDArray[np.float32]:
    """Return an outline for an object of which only the box is known.

    The ellipse inscribed in the box, with every ray moved to where the stained area ends if that is within
    0.75 to 1.1 of the ellipse: ovals that lie across their box get their shape, cells in contact keep the ellipse.
    A cell that the border cuts fills its box further, up to the corners.

    Parameters
    ----------
    box
        Pixels of ``stained``.
    stained
        H x W foreground.
    """
    cx, cy = box.center
    rays = unit_rays(points)
    half = np.array([max(box.width / 2, 0.5), max(box.height / 2, 0.5)])
    ellipse = 1 / np.sqrt((rays[:, 0] / half[0]) ** 2 + (rays[:, 1] / half[1]) ** 2)
    height, width = stained.shape
    is_cut = box.x0 < 2 or box.y0 < 2 or box.x1 > width - 2 or box.y1 > height - 2
    shares = np.linspace(0.75, 1.45, 29) if is_cut else np.linspace(0.75, 1.1, 15)
    sample = np.array([cx, cy]) + rays[:, None] * (ellipse[:, None] * shares)[..., None]
    xs = np.clip(sample[..., 0].astype(int), 0, width - 1)
    ys = np.clip(sample[..., 1].astype(int), 0, height - 1)
    outside = ~stained[ys, xs]
    found = outside.any(axis=1)
    share = np.where(found, shares[np.argmax(outside, axis=1)], shares[-1] if is_cut else 1.0)
    smooth = np.convolve(np.concatenate([share[-2:], share, share[:2]]), np.ones(5) / 5, mode="valid")
    outline = np.array([cx, cy]) + rays * (ellipse * smooth)[:, None]
    low, high = np.array([box.x0, box.y0]), np.array([box.x1, box.y1])
    return np.asarray(np.clip(outline, low, high), np.float32)


def outlines_from_mask(path: Path, factor: float) -> list[NDArray[np.float32]]:
    """Return the outlines in a mask image, scaled by ``factor``."""
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise DataSetError(f"{path}: missing or not an image; restore this file of the data set")
    binary = (np.asarray(mask) > MASK_LEVEL).astype(np.uint8)
    contours, _ = cv2.findContours(binary, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [((c[:, 0, :] + 0.5) * factor).astype(np.float32)[:: max(len(c) // 64, 1)] for c in contours if len(c) > 20]


def _bounds(points: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.concatenate([points.min(axis=0), points.max(axis=0)]), np.float32)


def _shape(
    labeled: LabeledBox, factor: float, stained: NDArray[np.bool_], masks: list[NDArray[np.float32]]
) -> Shape | None:
    box = labeled.box
    scaled = Box(box.x0 * factor, box.y0 * factor, box.x1 * factor, box.y1 * factor)
    scaled = scaled.clipped(stained.shape[1], stained.shape[0])
    if min(scaled.width, scaled.height) < 1:
        return None
    kind = KIND_INDEX[labeled.kind]
    if labeled.kind is CellKind.WHITE_CELL and masks:
        corners = np.array([[scaled.x0, scaled.y0, scaled.x1, scaled.y1]])
        overlap = box_iou(corners, np.stack([_bounds(m) for m in masks]))[0]
        if overlap.max() > 0.6:
            return Shape(masks[int(overlap.argmax())], kind)
    return Shape(outline_from_box(scaled, stained), kind)


def unknown_places(
    shapes: Sequence[Shape], stained: NDArray[np.bool_], labeled: frozenset[CellKind]
) -> NDArray[np.bool_]:
    """Return kinds x H x W: where an unlabeled object of a kind may lie, for kinds not labeled completely.

    That is every stained place without a label, and every place without one for a kind that is not labeled at all.
    """
    covered = np.zeros(stained.shape, np.uint8)
    present = {shape.kind for shape in shapes}
    for shape in shapes:
        cv2.fillPoly(covered, [np.round(shape.points).astype(np.int32)], 1)
    reachable = cv2.dilate(stained.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    free = covered == 0
    return np.stack(
        [free & (kind not in labeled) & (reachable | (KIND_INDEX[kind] not in present)) for kind in CellKind]
    )


def scale_of(source: FieldSource, record: FieldRecord) -> float:
    """Return the um per pixel that a recipe assumes for a record.

    Raises
    ------
    DataSetError
        If it gives none.
    """
    mpp = source.mpp.get(record.source) if isinstance(source.mpp, Mapping) else source.mpp
    if mpp is None:
        raise DataSetError(
            f"{source.data_set}: {record.name} ({record.source or 'no subset'}) has no mpp in the recipe"
        )
    return mpp


def load_field(record: FieldRecord, mpp: float, working_mpp: float) -> TrainingField:
    """Return one labeled field at the working scale."""
    factor = mpp / working_mpp
    image = to_working_scale(read_rgb(record.path), factor)
    stained = foreground(absorption(image.astype(np.float32) / np.float32(255)))
    masks = outlines_from_mask(record.mask, factor) if record.mask else []
    found = (_shape(labeled, factor, stained, masks) for labeled in record.boxes)
    shapes = tuple(shape for shape in found if shape is not None)
    unknown = unknown_places(shapes, stained, record.labeled_kinds)
    return TrainingField(record.name, image, shapes, unknown)


def load_fields(source: FieldSource, root: Path, split: str, working_mpp: float) -> list[TrainingField]:
    """Return the fields of one split of a data set that weights may be trained on.

    Raises
    ------
    DataSetError
        If the set cannot be read, or a group sits in two splits.
    """
    version = source.label_version if source.data_set == "bccd" else None
    records = open_fields(source.data_set, root, version=version)
    check_split_groups(records)
    chosen = (r for r in records if r.split == split and r.may_train)
    return [load_field(r, scale_of(source, r), working_mpp) for r in chosen]


def paint_random_field(seed: int) -> SyntheticField:
    """Return one generated field of 60 x 50 um, of random style and scale."""
    rng = np.random.default_rng(seed)
    mpp = float(np.exp(rng.uniform(np.log(0.08), np.log(0.2))))
    return paint_field(seed, width=round(60 / mpp), height=round(50 / mpp), mpp=mpp, style=SmearStyle.sample(rng))


def painting_seeds(split: str, recipe: SegmenterTrainingRecipe) -> range:
    """Return the seeds of the generated fields of a split: never the same for two splits or recipe seeds."""
    first = recipe.seed * 10_000_000
    if split == "train":
        return range(first, first + recipe.synthetic_fields)
    return range(first + 1_000_000, first + 1_000_000 + recipe.synthetic_fields // 10)


def paint_training_field(seed: int, recipe: SegmenterTrainingRecipe) -> TrainingField:
    """Return one generated field at the working scale, with its exact truth."""
    painted = paint_random_field(seed)
    factor = (painted.field.scale.mpp if painted.field.scale else recipe.mpp) / recipe.mpp
    image = to_working_scale(painted.field.pixels, factor)
    shapes = tuple(
        Shape(cell.outline.points * np.float32(factor), KIND_INDEX[cell.kind])
        for cell in painted.cells
        if cell.visible > LEAST_VISIBLE
    )
    unknown = np.zeros((len(CellKind), *image.shape[:2]), bool)
    return TrainingField(f"synthetic-{seed}", image, shapes, unknown)


def load_source(source: FieldSource, root: Path, split: str, recipe: SegmenterTrainingRecipe) -> list[TrainingField]:
    """Return the training fields of one source; generated ones differ between the splits by their seeds."""
    if source.data_set != "synthetic":
        return load_fields(source, root, split, recipe.mpp)
    return [paint_training_field(seed, recipe) for seed in painting_seeds(split, recipe)]
