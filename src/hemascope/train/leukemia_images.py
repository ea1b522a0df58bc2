"""Fields of leukemia to arrays of one size, and to batches changed at random."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hemascope.core.optics import transmittance
from hemascope.data.records import FieldRecord
from hemascope.data.taleqani import subtype_number
from hemascope.data.taleqani_views import View, view_of
from hemascope.recipes import LeukemiaTrainingRecipe
from hemascope.train.augment import ColorJitter, affine_matrices, jitter_color, resample
from hemascope.train.images import read_rgb, shift_range, to_input


@dataclass(frozen=True, slots=True, eq=False)
class LeukemiaImages:
    """Fields in memory.

    Attributes
    ----------
    pixels
        N x S x S x 3 uint8 at the size of the set, as they were taken; views are made of these.
    subtypes
        N places in ``taleqani.SUBTYPES``, int64.
    groups
        N stain clusters.
    splits
        N splits.
    """

    pixels: NDArray[np.uint8]
    subtypes: NDArray[np.int64]
    groups: NDArray[np.str_]
    splits: NDArray[np.str_]

    def chosen(self, where: NDArray[np.bool_] | NDArray[np.intp]) -> LeukemiaImages:
        """Return some of them."""
        return LeukemiaImages(self.pixels[where], self.subtypes[where], self.groups[where], self.splits[where])

    @property
    def malignant(self) -> NDArray[np.int64]:
        """N numbers, 0 benign, 1 malignant."""
        return (self.subtypes > 0).astype(np.int64)


def load_images(records: Sequence[FieldRecord]) -> LeukemiaImages:
    """Return the fields of records, all of one size; raise ``DataSetError`` for a file that is no image."""
    return LeukemiaImages(
        np.stack([read_rgb(record.path) for record in records]),
        np.array([subtype_number(record) for record in records], np.int64),
        np.array([record.group for record in records], np.str_),
        np.array([record.split for record in records], np.str_),
    )


def prepare(pixels: NDArray[np.uint8], view: View, side: int) -> NDArray[np.uint8]:
    """Return a view of each field as ``side`` x ``side`` transmittance * 255, normalized by its own background.

    What ``hsv`` blackens becomes background first: black would be opaque.

    Parameters
    ----------
    pixels
        N x H x W x 3 uint8.
    """
    out = np.empty((len(pixels), side, side, 3), np.uint8)
    for index, field in enumerate(pixels):
        seen = view_of(field, view)
        passed = np.ascontiguousarray(transmittance(seen if view == "background" else view_of(field, "whole")))
        if view == "hsv":
            passed[(seen == 0).all(axis=2)] = 1.0
        out[index] = np.round(cv2.resize(passed, (side, side), interpolation=cv2.INTER_AREA) * 255)
    return out


def views_of_recipe(recipe: LeukemiaTrainingRecipe, view: View) -> tuple[View, ...]:
    """Return the views a network sees: the one asked for, and the color-thresholded copy where the recipe has it."""
    both: tuple[View, ...] = ("whole", "hsv")
    return both if recipe.segmentation == "both" and view == "whole" else (view,)


def class_weights(labels: NDArray[np.int64], draw: NDArray[np.float64], classes: int) -> Tensor:
    """Return the weights of the classes in the loss that even out how often each is drawn; their mean is 1.

    Sampler and loss together never count a class twice: where the sampler draws subtypes evenly, only the rest of
    imbalance, benign against three malignant subtypes, is left to the loss.

    Parameters
    ----------
    labels
        N classes.
    draw
        N probabilities of being drawn, sum 1.
    """
    shares = np.bincount(labels, weights=draw, minlength=classes)
    weights = np.divide(1.0, shares, out=np.zeros(classes), where=shares > 0)
    return torch.tensor(weights / weights[weights > 0].mean(), dtype=torch.float32)


def draw_chances(images: LeukemiaImages, *, weighted: bool) -> NDArray[np.float64]:
    """Return how likely each field is drawn, sum 1: every class alike, clusters of a class by the root of their size.

    Parameters
    ----------
    weighted
        False draws every field alike.
    """
    if not weighted:
        return np.full(len(images.subtypes), 1 / len(images.subtypes))
    sizes = Counter(images.groups.tolist())
    chances = np.array([1 / np.sqrt(sizes[group]) for group in images.groups.tolist()])
    for subtype in np.unique(images.subtypes):
        chances[images.subtypes == subtype] /= chances[images.subtypes == subtype].sum()
    normalized: NDArray[np.float64] = chances / chances.sum()
    return normalized


def augment(images: NDArray[np.uint8], generator: torch.Generator, recipe: LeukemiaTrainingRecipe) -> Tensor:
    """Return network input: turned, mirrored and scaled a little, under another stain and light.

    Parameters
    ----------
    images
        N x S x S x 3 uint8, transmittance * 255.
    """
    usual = ColorJitter()
    strengths = (usual.density, usual.channel, usual.mix, usual.light)
    color = ColorJitter(*(recipe.color * strength for strength in strengths))
    matrices = affine_matrices(len(images), generator, log_scale=recipe.log_scale, shift=0.1)
    return shift_range(jitter_color(resample(to_input(images), matrices), generator, color))
