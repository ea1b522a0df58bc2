"""Labeled fields at the scale the finder works at: outlines, tissue, and what the labels leave open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import DataSetError
from hemascope.core.geometry import Box, box_iou
from hemascope.core.optics import absorption, transmittance
from hemascope.core.taxonomy import CellKind
from hemascope.data.catalog import check_split_groups, open_fields
from hemascope.data.folds import Fold, split_by_fold
from hemascope.data.records import FieldRecord, LabeledBox
from hemascope.recipes import FieldSource, SegmenterTrainingRecipe
from hemascope.train.images import read_rgb
from hemascope.train.outlines import outline_from_box, outlines_from_mask, outlines_from_points, read_gray
from hemascope.train.painted_fields import LEAST_VISIBLE, paint_random_field, painted_tissue, painting_seeds
from hemascope.train.star_targets import Shape, foreground
from hemascope.train.tissue_maps import TissueMap, tissue_from_mask, tissue_from_outlines

KIND_INDEX = {kind: index for index, kind in enumerate(CellKind)}
WHITE = KIND_INDEX[CellKind.WHITE_CELL]


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
    tissue
        Nuclei and white cells.
    """

    name: str
    image: NDArray[np.uint8]
    shapes: tuple[Shape, ...]
    unknown: NDArray[np.bool_]
    tissue: TissueMap


def to_working_scale(pixels: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Return transmittance * 255 of an image resized by ``factor``."""
    height, width = pixels.shape[:2]
    size = (max(round(width * factor), 8), max(round(height * factor), 8))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(pixels, size, interpolation=method), np.uint8)
    return np.round(transmittance(resized) * 255).astype(np.uint8)


def _bounds(points: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.concatenate([points.min(axis=0), points.max(axis=0)]), np.float32)


def _scaled(box: Box, factor: float, stained: NDArray[np.bool_]) -> Box:
    scaled = Box(box.x0 * factor, box.y0 * factor, box.x1 * factor, box.y1 * factor)
    return scaled.clipped(stained.shape[1], stained.shape[0])


def _shape(
    labeled: LabeledBox, factor: float, stained: NDArray[np.bool_], masks: list[NDArray[np.float32]]
) -> Shape | None:
    box = _scaled(labeled.box, factor, stained)
    if min(box.width, box.height) < 1:
        return None
    kind = KIND_INDEX[labeled.kind]
    if labeled.kind is CellKind.WHITE_CELL and masks:
        corners = np.array([[box.x0, box.y0, box.x1, box.y1]])
        overlap = box_iou(corners, np.stack([_bounds(m) for m in masks]))[0]
        if overlap.max() > 0.6:
            return Shape(masks[int(overlap.argmax())], kind)
    return Shape(outline_from_box(box, stained, labeled.kind), kind)


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


def load_field(record: FieldRecord, mpp: float, working_mpp: float, *, nuclei: bool = True) -> TrainingField:
    """Return one labeled field at the working scale.

    Parameters
    ----------
    nuclei
        Whether a threshold may tell the nuclei of white cells that have a box and no mask.
    """
    factor = mpp / working_mpp
    image = to_working_scale(read_rgb(record.path), factor)
    stained = foreground(absorption(image.astype(np.float32) / np.float32(255)))
    mask = read_gray(record.mask) if record.mask else None
    masks = outlines_from_mask(mask, factor) if mask is not None else []
    found = (_shape(labeled, factor, stained, masks) for labeled in record.boxes)
    points = [(point.x * factor, point.y * factor) for point in record.points]
    shapes = (
        *(shape for shape in found if shape is not None),
        *(
            Shape(outline, KIND_INDEX[point.kind], known)
            for point, (outline, known) in zip(record.points, outlines_from_points(points, stained), strict=True)
        ),
    )
    unknown = unknown_places(shapes, stained, record.labeled_kinds)
    if mask is not None:
        boxes = [_scaled(b.box, factor, stained) for b in record.of_kind(CellKind.WHITE_CELL)]
        tissue = tissue_from_mask(mask, boxes, image.shape[:2], unknown[WHITE])
    else:
        white = [shape.points for shape in shapes if shape.kind == WHITE]
        tissue = tissue_from_outlines(white, image, unknown[WHITE], nuclei=nuclei)
    return TrainingField(record.name, image, shapes, unknown, tissue)


def open_source(source: FieldSource, root: Path, split: str, fold: Fold | None) -> tuple[FieldRecord, ...]:
    """Return the records of one split of a data set that weights may be trained on.

    Parameters
    ----------
    fold
        Whose splits to take instead of the set's own.

    Raises
    ------
    DataSetError
        If the set cannot be read, or a group sits in two splits.
    """
    version = source.label_version if source.data_set == "bccd" else None
    records = open_fields(source.data_set, root, version=version)
    records = split_by_fold(records, fold) if fold else records
    check_split_groups(records)
    return tuple(r for r in records if r.split == split and r.may_train)


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
    shape = (image.shape[0], image.shape[1])
    tissue = TissueMap(painted_tissue(painted, shape), np.ones((2, *shape), np.uint8))
    return TrainingField(f"synthetic-{seed}", image, shapes, np.zeros((len(CellKind), *shape), bool), tissue)


def load_source(
    source: FieldSource, root: Path, split: str, recipe: SegmenterTrainingRecipe, fold: Fold | None = None
) -> list[TrainingField]:
    """Return the training fields of one source; generated ones differ between the splits by their seeds."""
    if source.data_set == "synthetic":
        return [paint_training_field(seed, recipe) for seed in painting_seeds(split, recipe)]
    records = open_source(source, root, split, fold)
    return [load_field(r, scale_of(source, r), recipe.mpp, nuclei=source.nuclei) for r in records]
