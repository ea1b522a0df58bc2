"""Data sets with attributes and subtypes, painted so that every answer can be seen, and encoders that see it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from hemascope.app.protocol_encoder import CropAnswers, ProtocolEncoder
from hemascope.core.errors import RecipeError
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.data.pbc_full import ATTRIBUTED_TYPES, ATTRIBUTES, SUBTYPES
from hemascope.zoo.contamination import Seen

SPLITS = ("train", "train", "train", "val", "val", "test")
LEVELS = 6
"""A painted cell is an even gray in one of six levels; answers follow the level."""


def level_encoder(name: str, sha256: str = "1" * 64) -> ProtocolEncoder:
    def answer(crops) -> CropAnswers:
        levels = np.array([crop.pixels[8, 8, 0] // 40 for crop in crops], np.int64)
        return CropAnswers(np.eye(LEVELS, dtype=np.float32)[levels], None)

    identity = ModelIdentity(name, "1", sha256, "numpy", "Apache-2.0")
    return ProtocolEncoder(name, identity, 16, 32.0, answer, lambda _: Seen.NO, lambda _: Seen.NO)


def blind_encoder(name: str) -> ProtocolEncoder:
    def answer(crops) -> CropAnswers:
        return CropAnswers(np.array([[crop.pixels[8, 8, 1] % 3] for crop in crops], np.float32), None)

    identity = ModelIdentity(name, "1", "2" * 64, "numpy", "Apache-2.0")
    return ProtocolEncoder(name, identity, 16, 32.0, answer, lambda _: Seen.NO, lambda _: Seen.NO)


def build(name: str) -> ProtocolEncoder:
    if name not in ("level", "blind"):
        raise RecipeError(f"no encoder '{name}'")
    return level_encoder(name) if name == "level" else blind_encoder(name)


def paint(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (36, 36), (40 * level + 20, 100 + level, 100)).save(path)


def write_sets(top: Path) -> Path:
    """Write both sets: in the full one the level answers every question, in the reduced one the subtype."""
    full = [",".join(("path,label,patient_id,split,subtype,acq,has_attributes", *ATTRIBUTES))]
    for number, cell_type in enumerate(ATTRIBUTED_TYPES):
        for level in range(LEVELS):
            for copy, split in enumerate(SPLITS):
                name = f"images/{cell_type.value}/{number}_{level}_{copy}.png"
                paint(top / "pbc_acevedo" / name, level)
                told = ",".join(values[level % len(values)] for values in ATTRIBUTES.values())
                full.append(f"{name},{cell_type.value},,{split},,A,1,{told}")
    (top / "pbc_acevedo" / "labels.csv").write_text("\n".join(full) + "\n")
    reduced = ["path,label,patient_id,split,subtype,acq,group"]
    for cell_type, label in ((CellType.NEUTROPHIL, "neutrophil"), (CellType.IMMATURE_GRANULOCYTE, "ig")):
        for level, code in enumerate((*SUBTYPES[cell_type], "OTHER")):
            for copy, split in enumerate(SPLITS):
                name = f"images/{label}/{code}_{copy}.png"
                paint(top / "pbc_acevedo_128" / name, level)
                reduced.append(f"{name},{label},,{split},{code},A,{code}_{copy}")
    (top / "pbc_acevedo_128" / "labels.csv").write_text("\n".join(reduced) + "\n")
    return top


def silent(title: str, done: int, total: int) -> None:
    assert 0 <= done <= total
