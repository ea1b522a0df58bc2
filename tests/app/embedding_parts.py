"""A real encoder, real fields, and a set of single cells, for the tests of `embed`."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hemascope.core.cell import CellCrop
from hemascope.core.embedding import EncoderSpec
from hemascope.core.ports import TensorGraph
from hemascope.core.provenance import ModelIdentity
from hemascope.embed.transforms import network_batch
from hemascope.synth.smear import paint_field
from hemascope.zoo.card import read_card
from hemascope.zoo.onnx_graph import OnnxGraph
from hemascope.zoo.shipped import CELL_CLASSIFIER, shipped_folder

DIMENSION = 256


class ClassifierEncoder:
    """The embedding inside the shipped classifier; an ``Encoder`` that counts what it is asked for."""

    def __init__(self, precision: str = "fp32") -> None:
        folder = shipped_folder(CELL_CLASSIFIER)
        card = read_card(folder)
        self._graph: TensorGraph = OnnxGraph(folder, card, 1)
        self.spec = EncoderSpec(
            DIMENSION, card.spec["crop_px"], card.spec["crop_um"], "absorption", "Romanowsky", precision
        )
        self.encoded = 0
        self.largest = 0

    @property
    def identity(self) -> ModelIdentity:
        return self._graph.identity

    def encode(self, crops: Sequence[CellCrop]) -> NDArray[np.float32]:
        self.encoded += len(crops)
        self.largest = max(self.largest, len(crops))
        if not crops:
            return np.empty((0, self.spec.dimension), np.float32)
        return self._graph.run(network_batch(crops, self.spec.crop_px, self.spec.transform))[1]


def write_fields(folder: Path, count: int = 3, size: tuple[int, int] = (240, 180), mpp: float = 0.2) -> list[Path]:
    """Write painted fields as PNG, without a scale."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for seed in range(count):
        painted = paint_field(seed + 3, width=size[0], height=size[1], mpp=mpp)
        paths.append(folder / f"{seed}.png")
        Image.fromarray(painted.field.pixels).save(paths[-1])
    return paths


def write_single_cells(root: Path, count: int = 6) -> Path:
    """Write a set of single cells of the layout of PBC; every second one is in the test split."""
    folder = root / "pbc_acevedo_128"
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(count):
        pixels = paint_field(number, width=128, height=128, mpp=0.28).field.pixels
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        split = "test" if number % 2 else "train"
        rows.append([f"images/{number}.png", "neutrophil", split, "band", "A", f"g{number}"])
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["path", "label", "split", "subtype", "acq", "group"], *rows])
    return root
