"""Small made sets, encoders and a denoiser for the benchmark ``generative``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hemascope.app.bench_request import BenchmarkParts
from hemascope.app.protocol_encoder import CropAnswers, ProtocolEncoder
from hemascope.core.cell import CellCrop
from hemascope.core.noise_schedule import cosine_schedule
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.denoise.gaussian import GaussianDenoiser
from hemascope.zoo.contamination import Seen

TYPES = [cell_type.value for cell_type in CellType]
SIDE = 16


def quiet(_title: str, _done: int, _total: int) -> None:
    """Show nothing."""


def write_pbc(root: Path, train: int = 24, others: int = 8) -> None:
    """Write a PBC of three splits; every type has a color of its own, and a few cells are of another type's color."""
    lines = ["path,label,patient_id,split,subtype,acq,group"]
    rng = np.random.default_rng(0)
    for place, kind in enumerate(TYPES):
        for number in range(train + 2 * others):
            split = "train" if number < train else "val" if number < train + others else "test"
            odd = split != "train" and number % others == 0
            name = f"images/{kind}_{number}.png"
            path = root / "pbc_acevedo_128" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image_of((place + 3 * odd) % len(TYPES), rng)).save(path)
            label = "ig" if kind == "immature_granulocyte" else kind
            lines.append(f"{name},{label},,{split},,A,{name}")
    (root / "pbc_acevedo_128" / "labels.csv").write_text("\n".join(lines) + "\n")


def color_of(place: int) -> NDArray[np.float64]:
    """Return the color of a type."""
    return np.array([60 + 120 * (place & 1), 60 + 60 * (place & 2), 60 + 30 * (place & 4)], np.float64)


def image_of(place: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a bright image with a disk of the type's color."""
    y, x = np.mgrid[:32, :32] - 16
    image = np.where(np.hypot(x, y)[..., None] < 8, color_of(place), 240)
    return np.clip(image + rng.normal(0, 14, image.shape), 0, 255).astype(np.uint8)


def middles(crops: Sequence[CellCrop]) -> NDArray[np.float32]:
    """Return N x 3 mean colors of the crops' middles."""
    half = SIDE // 2
    values = [crop.pixels[half - 2 : half + 2, half - 2 : half + 2].mean(axis=(0, 1)) for crop in crops]
    return np.stack(values).astype(np.float32) / 50


def color_encoder(name: str, seen: Seen = Seen.NO, *, logits: bool = False) -> ProtocolEncoder:
    """Return an encoder of colors; its logits, where it has some, are minus the distances from the types' colors."""
    centers = np.stack([color_of(place) for place in range(len(TYPES))]) / 50

    def answer(crops: Sequence[CellCrop]) -> CropAnswers:
        values = middles(crops)
        near = -((values[:, None] - centers) ** 2).sum(axis=2)
        return CropAnswers(values, near.astype(np.float32) if logits else None)

    identity = ModelIdentity(name, "1", "", "numpy", "Apache-2.0")
    return ProtocolEncoder(name, identity, SIDE, 1.2, answer, lambda _: seen, lambda _: seen, lambda _: seen)


class ColorDenoiser(GaussianDenoiser):
    """A denoiser of images of one color: sample 3 x 2 x 2, a class's color everywhere; a ``CellDenoiser``."""

    def __init__(self) -> None:
        centers = np.stack([np.broadcast_to(color_of(k)[:, None, None] / 20, (3, 2, 2)) for k in range(len(TYPES))])
        identity = ModelIdentity("colors", "1", "", "numpy", "Apache-2.0")
        super().__init__(TYPES[::-1], centers[::-1].copy(), cosine_schedule(), identity)  # another order on purpose

    @property
    def crop_size(self) -> tuple[int, float]:
        """Side in pixels and width in um."""
        return SIDE, 1.2

    def samples(self, crops: Sequence[CellCrop], view: int) -> NDArray[np.float32]:
        """Return the mean color of each crop's middle as an image; all looks are alike."""
        return np.broadcast_to((middles(crops) * 50 / 20)[:, :, None, None], (len(crops), 3, 2, 2)).copy()


def parts_with(*encoders: ProtocolEncoder) -> BenchmarkParts:
    """Return parts that hold encoders, the last of them for every folder, and a denoiser of images."""
    known = {encoder.name: encoder for encoder in encoders}

    def absent(*_: object) -> Any:
        raise AssertionError("this benchmark needs encoders and a denoiser alone")

    return BenchmarkParts(
        absent, absent, absent, absent, absent, absent,
        protocol_encoder=lambda name: known.get(name, encoders[-1]),
        pixel_denoiser=lambda _: ColorDenoiser(),
    )  # fmt: skip
