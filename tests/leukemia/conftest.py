"""A small set in the layout of taleqani_all, its classes told apart by the size and number of violet cells."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

CLUSTERS = 4
FIELDS = 3
SIDE = 96
RED_CELLS = 3
CELLS = {"Benign": (3, 6), "Early": (3, 9), "Pre": (9, 9), "Pro": (9, 6)}
"""Class to number and radius of its cells."""


def paint_field(cells: int, radius: int, seed: int, background: tuple[int, int, int] = (240, 238, 244)) -> np.ndarray:
    """Return a field with violet cells and gray red cells on a grid, and a scale bar."""
    generator = np.random.default_rng(seed)
    pixels = np.full((SIDE, SIDE, 3), background, np.uint8)
    places = [(x, y) for x in (14, 38, 62, 84) for y in (14, 38, 62)]
    for index, place in enumerate(generator.permutation(len(places))[: cells + RED_CELLS]):
        x, y = places[place]
        color = (120, 70, 190) if index < cells else (190, 196, 200)
        cv2.circle(pixels, (x, y), radius if index < cells else 5, color, cv2.FILLED)
    noisy = pixels + generator.normal(0, 3, pixels.shape)
    noisy[-8:, -30:] = 0
    return np.clip(noisy, 0, 255).astype(np.uint8)


def write_taleqani(root: Path) -> Path:
    """Write the set into ``root`` and return ``root``; the first cluster of every class is the test split."""
    folder = root / "taleqani_all"
    lines = ["path,label,patient_id,split,malignant,all_subtype,stain_cluster"]
    for number, (name, (cells, radius)) in enumerate(CELLS.items()):
        (folder / "images" / name).mkdir(parents=True)
        for cluster in range(CLUSTERS):
            for field in range(FIELDS):
                path = f"images/{name}/{cluster}-{field}.png"
                tint = (240 - 8 * cluster, 238, 244)
                pixels = paint_field(cells, radius, 1000 * number + 10 * cluster + field, tint)
                cv2.imwrite(str(folder / path), pixels[..., ::-1])
                split = "test" if cluster == 0 else "train"
                lines.append(f"{path},{name},,{split},{int(number > 0)},,{name}-stain{cluster}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of sets that holds the small set."""
    return write_taleqani(tmp_path_factory.mktemp("leukemia"))
