"""A folder of painted fields with their truth, in the shape of a data set; written whole or not at all."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hemascope.core.errors import InputError, OutputError
from hemascope.core.geometry import Polygon
from hemascope.core.taxonomy import CellKind, CellType
from hemascope.core.version import __version__
from hemascope.synth.smear import SmearStyle, SyntheticCell, SyntheticField, paint_field

FORMAT = "hemascope synthetic smear"
FORMAT_VERSION = 1
STATEMENT = (
    "Every image in this folder was painted by a program: no specimen, no patient, no microscope. "
    "Figures measured on it are synthetic and say nothing about real smears."
)
SPLITS = ("test", "train", "train", "val", "train", "train", "train")
"""Dealt out in turn, so that even one field is in the test split."""

_LABELS = {CellKind.WHITE_CELL: "WBC", CellKind.RED_CELL: "RBC", CellKind.PLATELET: "Platelets"}
_METERS_PER_INCH = 0.0254
_MAX_LABEL = 2**16 - 1

StyleSource = Callable[[np.random.Generator], SmearStyle]


@dataclass(frozen=True, slots=True)
class _Written:
    """One field as it stands in the tables."""

    name: str
    split: str
    seed: int
    painted: SyntheticField


def write_smear(
    folder: Path,
    count: int,
    seed: int,
    *,
    width: int = 640,
    height: int = 480,
    mpp: float = 0.1,
    style: StyleSource | SmearStyle = SmearStyle.sample,
    white_cells: Mapping[CellType, int] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Paint fields and write them with their truth; see docs/synthetic.md for the files.

    Parameters
    ----------
    folder
        Absent or empty; it appears when everything in it is complete.
    count
        Fields, at least 1.
    seed
        At least 0; the same seed, arguments and versions give the same files.
    width, height, mpp, white_cells
        As of ``paint_field``, for every field.
    style
        One style for all, or what draws one for each field.
    progress
        Called with the number of fields done after each.

    Returns
    -------
    The folder.

    Raises
    ------
    InputError
        If an argument cannot be used.
    ScaleError
        If ``mpp`` is no plausible scale.
    OutputError
        If the folder holds something, is a file or cannot be written.
    """
    if count < 1:
        raise InputError(f"{count} fields cannot be written; give 1 or more")
    if seed < 0:
        raise InputError(f"a seed of {seed} cannot be used; give a whole number of 0 or more")
    folder = folder.absolute()
    _refuse_if_taken(folder)
    made: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        entries = []
        for number in range(count):
            field_seed, field_style = _drawn(seed, number, style)
            painted = paint_field(
                field_seed, width=width, height=height, mpp=mpp, style=field_style, white_cells=white_cells
            )
            entry = _Written(f"field_{number:05d}", SPLITS[number % len(SPLITS)], field_seed, painted)
            entries.append(_write_field(made, entry))
            if progress is not None:
                progress(number + 1)
        _write_tables(made, entries)
        _write_truth(made, seed, mpp, (width, height), entries)
        made.chmod(0o755)
        # Renaming over an empty folder works, over one that was filled meanwhile it fails: nothing is ever replaced.
        made.replace(folder)
    except OSError as error:
        raise OutputError.at(folder, error) from error
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
    return folder


def _refuse_if_taken(folder: Path) -> None:
    try:
        in_the_way = next((part for part in (folder, *folder.parents) if part.is_file()), None)
        if in_the_way is not None:
            raise OutputError(f"{in_the_way} is a file, not a folder; choose another place with --out")
        if folder.is_dir() and any(folder.iterdir()):
            raise OutputError(f"{folder} is not empty; choose another place with --out, or move that folder away")
    except OSError as error:
        raise OutputError.at(folder, error) from error


def _drawn(seed: int, number: int, style: StyleSource | SmearStyle) -> tuple[int, SmearStyle]:
    """Return seed and style of one field; they depend on no other field."""
    sequence = np.random.SeedSequence((seed, number))
    field_seed = int(sequence.generate_state(1)[0])
    if isinstance(style, SmearStyle):
        return field_seed, style
    return field_seed, style(np.random.default_rng(sequence.spawn(1)[0]))


def _write_field(folder: Path, entry: _Written) -> dict[str, Any]:
    """Write the pictures and outlines of one field and return its rows; the pixels need not be kept."""
    painted = entry.painted
    for part in ("images", "masks", "nucleus_masks", "outlines"):
        (folder / part).mkdir(exist_ok=True)
    if len(painted.cells) > _MAX_LABEL:
        raise InputError(
            f"{len(painted.cells):,} cells in one field do not fit a 16-bit mask; paint smaller fields with --size"
        )
    assert painted.field.scale is not None  # noqa: S101  (paint_field always states it)
    dots_per_inch = 1e6 / painted.field.scale.mpp * _METERS_PER_INCH
    picture = Image.fromarray(painted.field.pixels)
    picture.save(folder / f"images/{entry.name}.png", dpi=(dots_per_inch, dots_per_inch))
    _write_png(folder / f"masks/{entry.name}.png", painted.instances.astype(np.uint16))
    _write_png(folder / f"nucleus_masks/{entry.name}.png", painted.nucleus.astype(np.uint8) * np.uint8(255))
    cells = [
        {
            "kind": cell.kind.value,
            "cell_type": cell.cell_type.value if cell.cell_type else None,
            "visible": round(cell.visible, 4),
            "outline": _points(cell.outline),
            "nuclei": [_points(part) for part in cell.nuclei],
        }
        for cell in painted.cells
    ]
    (folder / f"outlines/{entry.name}.json").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    path = f"images/{entry.name}.png"
    return {
        "labels": _label_row(entry, path),
        "boxes": [_box_row(path, cell) for cell in painted.cells],
        "truth": {
            "path": path,
            "seed": entry.seed,
            "sha256_pixels": painted.field.sha256,
            "style": painted.style.to_dict(),
        },
    }


def _label_row(entry: _Written, path: str) -> dict[str, Any]:
    counts = {label: len(entry.painted.of_kind(kind)) for kind, label in _LABELS.items()}
    types = [cell.cell_type.value for cell in entry.painted.cells if cell.cell_type]
    return {
        "path": path,
        "label": ";".join(f"{label}={count}" for label, count in counts.items()),
        "split": entry.split,
        "seed": entry.seed,
        "wbc_type": ",".join(sorted(types)),
        "mask": f"masks/{entry.name}.png",
        "nucleus_mask": f"nucleus_masks/{entry.name}.png",
        "outlines": f"outlines/{entry.name}.json",
    }


def _box_row(path: str, cell: SyntheticCell) -> dict[str, Any]:
    box = cell.outline.bounds
    return {
        "path": path,
        "label": _LABELS[cell.kind],
        "xmin": f"{box.x0:.2f}",
        "ymin": f"{box.y0:.2f}",
        "xmax": f"{box.x1:.2f}",
        "ymax": f"{box.y1:.2f}",
        "cell_type": cell.cell_type.value if cell.cell_type else "",
        "visible": f"{cell.visible:.4f}",
    }


_BOX_COLUMNS = ("path", "label", "xmin", "ymin", "xmax", "ymax", "cell_type", "visible")


def _write_tables(folder: Path, entries: list[dict[str, Any]]) -> None:
    boxes = [row for entry in entries for row in entry["boxes"]]
    for name, columns, rows in (
        ("labels.csv", tuple(entries[0]["labels"]), [entry["labels"] for entry in entries]),
        ("boxes.csv", _BOX_COLUMNS, boxes),
    ):
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def _write_truth(folder: Path, seed: int, mpp: float, size: tuple[int, int], entries: list[dict[str, Any]]) -> None:
    truth = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "statement": STATEMENT,
        "generated": True,
        "seed": seed,
        "mpp": mpp,
        "width": size[0],
        "height": size[1],
        "versions": {"hemascope": __version__, "numpy": np.__version__, "opencv": cv2.__version__},
        "fields": [entry["truth"] for entry in entries],
    }
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")


def _points(polygon: Polygon) -> list[list[float]]:
    return [[round(float(x), 2), round(float(y), 2)] for x, y in polygon.points]


def _write_png(path: Path, pixels: NDArray[np.uint16] | NDArray[np.uint8]) -> None:
    Image.fromarray(pixels).save(path)
