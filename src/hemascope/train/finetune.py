"""Teach a trained finder a laboratory's own outlines: what they leave open is neither taught nor punished."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes

from hemascope.core.geometry import Polygon
from hemascope.core.optics import absorption
from hemascope.core.outline import OutlinedField
from hemascope.core.taxonomy import CellKind
from hemascope.nets.star_net import ShippedStarNet, StarNet
from hemascope.recipes import FineTuneRecipe, SegmenterTrainingRecipe
from hemascope.train.field_batches import draw_batch
from hemascope.train.images import shift_range, to_input
from hemascope.train.labeled_fields import (
    KIND_INDEX,
    WHITE,
    TrainingField,
    paint_training_field,
    to_working_scale,
    unknown_places,
)
from hemascope.train.loop import SCORE, OnStep, train_by_steps
from hemascope.train.optimize import RunLog
from hemascope.train.package import load_model
from hemascope.train.segmenter import MAX_GRADIENT, augment, finder_losses
from hemascope.train.star_targets import Shape, foreground
from hemascope.train.tissue_maps import TissueMap
from hemascope.zoo.card import ModelCard, read_card

_FINE = 4
"""Outlines are painted on a grid this much finer than the map."""

_MIRRORED = 48
"""Pixels beyond the border at the working scale: more than a cell that the border cuts."""

_REPLAY_SEED = 77_000_000
"""First seed of the generated fields that keep the finder from forgetting; no other split paints from it."""


def start_from(folder: Path) -> tuple[StarNet, ModelCard]:
    """Return the network in a model folder, and its card.

    Raises
    ------
    WeightsError
        If the folder holds no weights of this network, or their digest is wrong.
    """
    card = read_card(folder)
    size = {**card.training.recipe, **card.spec}
    net = StarNet(len(CellKind), int(size.get("rays", 32)), tuple(size.get("widths", (24, 40, 64, 96, 128))))
    load_model(ShippedStarNet(net), folder)
    return net.to(memory_format=torch.channels_last), card  # type: ignore[call-overload]


def taught_kinds(fields: Sequence[OutlinedField]) -> frozenset[CellKind]:
    """Return the kinds that are outlined anywhere: the others are left as they are."""
    return frozenset(outline.kind for known in fields for outline in known.outlines)


def training_field(
    known: OutlinedField, working_mpp: float, taught: frozenset[CellKind], *, complete: bool
) -> TrainingField:
    """Return an outlined field at the scale the network works at.

    Parameters
    ----------
    known
        The field and its outlines.
    taught
        Kinds outlined anywhere; the centers of all others are unknown everywhere.
    complete
        Whether every cell of these kinds is outlined; else what is stained and not outlined is unknown.

    Raises
    ------
    ValueError
        If the scale of the field is not known.
    """
    if known.field.scale is None:
        raise ValueError(f"{known.field.id}: teaching a field needs its scale")
    image = to_working_scale(known.field.pixels, known.field.scale.mpp / working_mpp)
    height, width = image.shape[:2]
    # Width and height are rounded apart: each axis has its own factor.
    factor = np.array((width / known.field.width, height / known.field.height), np.float32)
    shapes = tuple(Shape(o.outline.points * factor, KIND_INDEX[o.kind]) for o in known.outlines)
    stained = foreground(absorption(image.astype(np.float32) / np.float32(255)))
    unknown = unknown_places(shapes, _without_holes(stained), taught if complete else frozenset())
    for kind in CellKind:
        if kind not in taught:
            unknown[KIND_INDEX[kind]] = True
    return TrainingField(
        known.field.id, image, shapes, unknown, _tissue(known, factor, unknown[WHITE], (height, width))
    )


def _without_holes(stained: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the stained area with pale centers filled, also of cells that the border cuts: a center may lie there."""
    height, width = stained.shape
    filled = np.asarray(binary_fill_holes(np.pad(stained, _MIRRORED, mode="symmetric")), np.bool_)
    return filled[_MIRRORED : _MIRRORED + height, _MIRRORED : _MIRRORED + width]


def _tissue(
    known: OutlinedField, factor: NDArray[np.float32], unknown: NDArray[np.bool_], shape: tuple[int, int]
) -> TissueMap:
    """Return nuclei and white cells as outlined; a nucleus is unknown in a cell of which none is outlined."""
    found = TissueMap.empty(shape, unknown)
    white = known.of_kind(CellKind.WHITE_CELL)
    bare = _painted([o.outline for o in white if o.nucleus is None], factor, shape)
    found.values[1] = _painted([o.outline for o in white], factor, shape)
    found.values[0] = _painted([part for o in white if o.nucleus for part in o.nucleus.parts], factor, shape)
    found.known[:, found.values[1] > 0] = 1
    found.known[0][(bare > 0) & (found.values[0] == 0)] = 0
    return found


def _painted(polygons: Sequence[Polygon], factor: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.uint8]:
    fine = np.zeros((shape[0] * _FINE, shape[1] * _FINE), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(fine, [np.round(polygon.points * factor * _FINE - 0.5).astype(np.int32)], 255)
    share = cv2.resize(fine, shape[::-1], interpolation=cv2.INTER_AREA)
    return (np.asarray(share) > 127).astype(np.uint8)


def replayed_fields(recipe: FineTuneRecipe, card: ModelCard) -> list[TrainingField]:
    """Return generated fields with full truth, of every kind: what keeps the finder from forgetting the rest."""
    if not recipe.synthetic_fields or not recipe.synthetic_share:
        return []
    painting = SegmenterTrainingRecipe(name=recipe.name, version=recipe.version, sources=(), mpp=card.spec["mpp"])
    first = _REPLAY_SEED + recipe.seed * recipe.synthetic_fields
    return [paint_training_field(first + i, painting) for i in range(recipe.synthetic_fields)]


def fine_tune(
    recipe: FineTuneRecipe,
    net: StarNet,
    train: Sequence[TrainingField],
    validation: Sequence[TrainingField],
    replay: Sequence[TrainingField],
    run: Path,
    on_step: OnStep,
) -> StarNet:
    """Train on from ``net``; resumes from the newest checkpoint in ``run``.

    Parameters
    ----------
    net
        The trained network, changed in place.
    train, validation
        Outlined fields; of the second only losses are taken, to stop and to keep the best.
    replay
        Generated fields; ``recipe.synthetic_share`` of each batch comes from them.
    run
        The run folder: ``log.jsonl``, which begins with the validation of ``net``, and ``checkpoints`` go there.
    on_step
        Called after every step with the step, the number of steps and the loss.

    Returns
    -------
    The moving average of the network where it did best on the validation fields, in evaluation mode.
    """
    sets = [train, replay] if replay else [train]
    shares = [1 - recipe.synthetic_share, recipe.synthetic_share] if replay else [1.0]

    def loss_of(step: int, seed: int) -> dict[str, torch.Tensor]:
        images, targets = draw_batch(
            sets, shares, batch=recipe.batch, size=recipe.crop_px, rays=net.rays, seed=recipe.seed, step=step
        )
        return finder_losses(net, augment(images, torch.Generator().manual_seed(seed)), targets)

    @torch.no_grad()
    def validate(average: StarNet) -> dict[str, float]:
        average.eval()
        images, targets = draw_batch(
            [validation],
            [1.0],
            batch=recipe.validation_views,
            size=recipe.crop_px,
            rays=average.rays,
            seed=recipe.seed + 1,
            step=0,
        )
        parts = finder_losses(average, shift_range(to_input(images)), targets)
        figures = {name: float(part) for name, part in parts.items()}
        return figures | {SCORE: sum(figures.values())}

    if not RunLog(run).rows():
        RunLog(run).write(0, validation=validate(net))
    return train_by_steps(recipe, run, net, loss_of, validate, on_step, max_gradient=MAX_GRADIENT)


def has_improved(run: Path) -> bool:
    """Return whether a validation of a run was better than that of the finder it started from, in step 0."""
    scores = [float(row["validation"][SCORE]) for row in RunLog(run).rows() if "validation" in row]
    return bool(scores) and min(scores) < scores[0]
