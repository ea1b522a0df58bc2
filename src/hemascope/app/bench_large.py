"""The part of the benchmark ``speed`` about one large image: a process of its own, so that its memory is its own."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from hemascope.app.bench_record import Measures
from hemascope.app.bench_speed import peak_mib_of_children
from hemascope.core.errors import InputError
from hemascope.evaluate.estimate import Estimate
from hemascope.synth.smear import paint_field

SIDE = 10_000
"""Pixels of the image along each side: a scan of about a square millimeter at 0.1 um a pixel."""

MPP = 0.1
_PIECE = 1000


def write_large_image(path: Path, side: int = SIDE) -> None:
    """Write a square JPEG put together from painted fields, each turned differently."""
    rng = np.random.default_rng(0)
    pieces = [paint_field(seed, width=_PIECE, height=_PIECE, mpp=MPP).field.pixels for seed in range(4)]
    whole = np.empty((side, side, 3), np.uint8)
    for y in range(0, side, _PIECE):
        for x in range(0, side, _PIECE):
            piece = np.rot90(pieces[int(rng.integers(len(pieces)))], int(rng.integers(4)))
            whole[y : y + _PIECE, x : x + _PIECE] = piece[: side - y, : side - x]
    Image.fromarray(whole).save(path, quality=90)


def measure_large_image(folder: Path, segmenter: str, side: int = SIDE) -> Measures:
    """Return seconds and peak memory of `hemascope analyze` on one large image, everything written.

    Parameters
    ----------
    folder
        An empty folder to work in.
    segmenter
        As for ``--segmenter``.

    Raises
    ------
    InputError
        If the analysis fails.
    """
    image = folder / "large.jpg"
    write_large_image(image, side)
    program = "from hemascope.cli.main import main; main()"
    options = ["--mpp", str(MPP), "--segmenter", segmenter, "--out", str(folder / "out"), "--quiet"]
    started = time.perf_counter()
    done = subprocess.run(  # noqa: S603 # this interpreter, with arguments of our own
        [sys.executable, "-c", program, "analyze", str(image), *options], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise InputError(f"the large image could not be analyzed: {done.stderr.strip()[-300:]}")
    seconds = time.perf_counter() - started
    name = f"generated_{side}x{side}"
    measures = Measures()
    measures.add(f"{name}.analyze", {"seconds_per_field": Estimate(seconds)})
    measures.add(f"{name}.memory", {"peak_mib": Estimate(peak_mib_of_children())})
    return measures
