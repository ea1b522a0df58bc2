"""A generator whose cells are known: disks of one color a class on free background, and a set in the layout of PBC."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hemascope.app.protocol_encoder import CropAnswers, ProtocolEncoder
from hemascope.app.synthesize import Generator
from hemascope.core.cell import CellCrop
from hemascope.core.noise_schedule import cosine_schedule
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.data.pbc_acevedo import WIDTH_UM
from hemascope.denoise.pixel import PixelDenoiser
from hemascope.zoo.contamination import Seen

CLASSES = tuple(cell_type.value for cell_type in CellType)
SIDE, WIDTH = 16, 24.0
SPREAD = 0.15
"""Deviation of every pixel of a sample about its class."""


def color_of(place: int) -> NDArray[np.float32]:
    """Return the color of a class in -1..1."""
    return np.array([place & 1, (place >> 1) & 1, (place >> 2) & 1], np.float32) - np.float32(0.6)


def disk_of(place: int) -> NDArray[np.float32]:
    """Return the mean sample of a class, 3 x SIDE x SIDE."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    return np.where(np.hypot(x, y) < SIDE / 4, color_of(place)[:, None, None], np.float32(1)).astype(np.float32)


class DiskGraph:
    """Knows disks exactly; a ``DenoiserGraph`` that gives velocities. Without a class it knows their mean."""

    identity = ModelIdentity("disks", "1", "d1" * 32, "numpy-cpu-fp32", "Apache-2.0")

    def __init__(self) -> None:
        self._means = np.stack([disk_of(place) for place in range(len(CLASSES))])
        self._schedule = cosine_schedule()
        self.asked = 0

    def run(
        self, noised: NDArray[np.float32], times: NDArray[np.float32], conditions: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        self.asked += len(noised)
        steps = np.rint(times * len(self._schedule)).astype(np.intp)
        signal, noise = (v[steps, None, None, None] for v in (self._schedule.signal, self._schedule.noise))
        shares = np.where(conditions.any(axis=1, keepdims=True), conditions, 1 / len(CLASSES))
        mean = np.tensordot(shares, self._means, 1)
        gain = signal * SPREAD**2 / (signal**2 * SPREAD**2 + noise**2)
        clean = mean + gain * (noised - signal * mean)
        return np.asarray(signal * (noised - signal * clean) / noise - noise * clean, np.float32)


def disk_generator() -> Generator:
    """Return a generator of disks that says it learned from PBC."""
    spec = {
        "sample": "pixels", "prediction": "velocity", "classes": CLASSES, "crop_px": SIDE, "crop_um": WIDTH,
        "schedule": "cosine", "mask_um": 22.0,
    }  # fmt: skip
    credit = ("pbc_acevedo_128 (CC-BY-4.0): Acevedo A, Boldú L. A dataset.",)
    return Generator(PixelDenoiser(DiskGraph(), spec), credit, {"pbc_acevedo_128": "CC-BY-4.0"})


def write_disks(root: Path, train: int = 12, others: int = 6) -> Path:
    """Write a PBC of disks of every class: ``train`` train cells, ``others`` val and as many test cells each."""
    folder = root / "pbc_acevedo_128"
    (folder / "images").mkdir(parents=True)
    lines = ["path,label,patient_id,split,subtype,acq,group"]
    side = 32
    inner = round(side * WIDTH / WIDTH_UM)
    for place, name in enumerate(CLASSES):
        label = "ig" if name == "immature_granulocyte" else name
        for number, split in enumerate(["train"] * train + ["val"] * others + ["test"] * others):
            rng = np.random.default_rng((place, number))
            sample = disk_of(place) + rng.normal(0, SPREAD, (3, SIDE, SIDE))
            levels = np.clip((sample.transpose(1, 2, 0) + 1) * 127.5, 0, 255).astype(np.uint8)
            image = np.full((side, side, 3), 255, np.uint8)
            first = (side - inner) // 2
            image[first : first + inner, first : first + inner] = cv2.resize(levels, (inner, inner))
            path = f"images/{name}_{number}.png"
            Image.fromarray(image).save(folder / path)
            lines.append(f"{path},{label},,{split},,A,{path}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


def color_encoder(name: str = "color", seen: Seen = Seen.NO) -> ProtocolEncoder:
    """Return an encoder of the colors of twelve places about a crop's middle."""

    def answer(crops: Sequence[CellCrop]) -> CropAnswers:
        parts = [cv2.resize(crop.pixels[4:12, 4:12], (2, 2), interpolation=cv2.INTER_AREA) for crop in crops]
        values = np.stack(parts).reshape(len(crops), -1).astype(np.float32)
        return CropAnswers(values / np.float32(50), None)

    identity = ModelIdentity(name, "1", "", "numpy", "Apache-2.0")
    return ProtocolEncoder(name, identity, SIDE, 32.0, answer, lambda _: seen, lambda _: seen)
