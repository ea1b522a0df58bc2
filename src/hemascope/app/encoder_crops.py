"""Crops that backends are compared on: real ones, or painted ones where no data are at hand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.app.target_cells import DEFAULT_UM, PBC, TypedCell, class_numbers, cut_cells, locate_cells
from hemascope.core.errors import WeightsError
from hemascope.data.synthetic import read_synthetic
from hemascope.data.typed_boxes import typed_white_cells
from hemascope.embed.transforms import network_batch
from hemascope.synth.write import write_smear
from hemascope.zoo.card import ModelCard

GENERATED_FIELDS = 14
GENERATED_MPP = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class EncoderCrops:
    """Crops as a network sees them.

    Attributes
    ----------
    name
        Data set.
    inputs, labels
        N x 3 x S x S float32 and N class numbers: the crops asked about.
    known, known_labels, known_split
        Others, which 8-bit ranges and neighbors are taken from, and their split.
    transform_seconds
        From pixels to network input, a crop.
    """

    name: str
    inputs: NDArray[np.float32]
    labels: NDArray[np.intp]
    known: NDArray[np.float32]
    known_labels: NDArray[np.intp]
    known_split: str
    transform_seconds: float


def load_crops(root: Path | None, split: str, card: ModelCard, count: int, known: int, scratch: Path) -> EncoderCrops:
    """Return crops for a model, spread evenly over a split and over the train split.

    Parameters
    ----------
    root
        Folder of the public sets; None to paint some.
    card
        Says side, width and transform.
    count, known
        At most so many to ask about, and so many others.
    scratch
        Where painted fields go.

    Raises
    ------
    WeightsError
        If the card does not say what crops the model takes.
    DataSetError
        If the set is absent or malformed.
    """
    try:
        side, width = int(card.spec["crop_px"]), float(card.spec["crop_um"] or DEFAULT_UM)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{card.name}: its card states no crop ({error}); name another model folder") from error
    transform = str(card.spec.get("transform", "absorption"))
    cells = locate_cells(PBC, root) if root else _painted(scratch)
    asked = _spread([c for c in cells if split in ("all", c.split)], count)
    others = _spread([c for c in cells if c.split == "train" and c not in asked], known)
    pixels = list(cut_cells(asked, side, width))
    started = time.perf_counter()
    inputs = network_batch(pixels, side, transform)
    seconds = (time.perf_counter() - started) / max(len(pixels), 1)
    rest = network_batch(list(cut_cells(others, side, width)), side, transform)
    name = PBC if root else "synthetic"
    return EncoderCrops(name, inputs, class_numbers(asked), rest, class_numbers(others), "train", seconds)


def _spread(cells: Sequence[TypedCell], count: int) -> list[TypedCell]:
    places = np.unique(np.linspace(0, len(cells) - 1, min(count, len(cells))).round().astype(int))
    return [cells[place] for place in places]


def _painted(scratch: Path) -> tuple[TypedCell, ...]:
    folder = scratch / "smear"
    if not folder.is_dir():
        write_smear(folder, GENERATED_FIELDS, seed=0, mpp=GENERATED_MPP)
    return tuple(
        TypedCell("synthetic", f"{r.name}#{n}", r.path, box.center, GENERATED_MPP, cell_type, r.group, r.split)
        for r in read_synthetic(folder)
        for n, (box, cell_type) in enumerate(typed_white_cells(r), 1)
    )
