"""A data folder in the layout of chula_rbc12: painted red cells of three types, told apart by size, shape and color."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

TYPES = ("normal", "elliptocyte", "burr")
BLOCKS = 10
SIDE = 160
CELLS = ((40, 40), (120, 40), (40, 120), (120, 120))


def write_red_cells(root: Path) -> Path:
    """Write one field for each of ``BLOCKS`` blocks into ``root``, and return it; the last two are val and test."""
    folder = root / "chula_rbc12"
    (folder / "fields").mkdir(parents=True)
    rng = np.random.default_rng(0)
    labels, points = ["path,label,split,kind"], ["path,x,y,class_id,label"]
    for block in range(BLOCKS):
        name = f"fields/{5 * block}.png"
        pixels = np.full((SIDE, SIDE, 3), 230, np.uint8)
        for number, (x, y) in enumerate(CELLS):
            kind = TYPES[(block + number) % len(TYPES)]
            _paint(pixels, kind, x, y)
            points.append(f"{name},{x + 2}.0,{y - 1}.0,0,{kind}")
        noisy = np.clip(pixels + rng.normal(0, 3, pixels.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / name), noisy[..., ::-1])
        split = {BLOCKS - 2: "val", BLOCKS - 1: "test"}.get(block, "train")
        labels.append(f"{name},,{split},rbc12_field")
    points.append("fields/0.png,80.0,80.0,10,uncategorised")
    (folder / "labels.csv").write_text("\n".join(labels) + "\n")
    (folder / "points.csv").write_text("\n".join(points) + "\n")
    return root


def _paint(pixels: np.ndarray, kind: str, x: int, y: int) -> None:
    color = {"normal": (200, 120, 130), "elliptocyte": (170, 90, 110), "burr": (140, 110, 150)}[kind]
    axes = (26, 11) if kind == "elliptocyte" else (18, 18)
    cv2.ellipse(pixels, (x, y), axes, 30, 0, 360, color, -1)
