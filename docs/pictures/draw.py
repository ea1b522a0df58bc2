"""Draw the pictures of the documentation from a painted smear, and the summary in README.md with them.

Run it from the repository's root when the report or the shipped models have changed:

    .venv/bin/python docs/pictures/draw.py

It needs Chromium on the path (or its path in the environment variable CHROMIUM).
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
MADE_WITH = HERE / "made_with.json"
"""Digests of the models the pictures were drawn with; a test compares them with those that ship."""

README = HERE.parents[1] / "README.md"
SHOTS = {
    "report.png": (1240, 850, "section:not(#summary), nav { display: none }"),
    "fields.png": (
        1240,
        580,
        ".banner, header, section:not(#fields), #fields > :not(.cards):not(.layers), .layers label"
        " { display: none !important }"
        " .cards { grid-template-columns: 1fr 1fr } .card:not(:nth-of-type(5)):not(:nth-of-type(8)) { display: none }",
    ),
}
"""File to width and height of the window, and the style that leaves things out."""

COLORS = 256


def hemascope(*arguments: str, where: Path) -> str:
    """Return what the command prints on a terminal of 100 columns."""
    code = "import sys; from hemascope.cli.main import main; sys.argv[0] = 'hemascope'; main()"
    environment = {**os.environ, "COLUMNS": "100", "TERM": "dumb"}
    done = subprocess.run(  # noqa: S603 # this package's own command
        [sys.executable, "-c", code, *arguments],
        cwd=where,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout


def screenshot(page: Path, width: int, height: int) -> Image.Image:
    """Return a page as Chromium shows it."""
    with tempfile.TemporaryDirectory() as profile:
        shot = Path(profile) / "shot.png"
        subprocess.run(  # noqa: S603 # the browser the user names
            [
                os.environ.get("CHROMIUM", "chromium"),
                *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
                *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
                *("--hide-scrollbars", f"--user-data-dir={profile}", f"--screenshot={shot}"),
                f"--window-size={width},{height}",
                page.as_uri(),
            ],
            capture_output=True,
            check=True,
            timeout=120,
        )
        return Image.open(io.BytesIO(shot.read_bytes())).convert("RGB")


def trimmed(picture: Image.Image, margin: int = 24) -> Image.Image:
    """Return a picture without the empty part below."""
    pixels = np.asarray(picture)
    used = np.nonzero((pixels != pixels[-1, 0]).any(axis=(1, 2)))[0]
    return picture.crop((0, 0, picture.width, min(int(used[-1]) + margin, picture.height)))


def show_summary(text: str) -> None:
    """Put the summary into README.md."""
    shown = "\n".join(line.rstrip() for line in text.strip().splitlines())
    block = f"<!-- summary -->\n```text\n{shown}\n```\n<!-- /summary -->"
    README.write_text(
        re.sub(r"<!-- summary -->.*<!-- /summary -->", lambda _: block, README.read_text("utf-8"), flags=re.DOTALL),
        "utf-8",
    )


def describe_models() -> str:
    """Return the digests of the shipped models as JSON."""
    from hemascope.zoo.card import GRAPH_FILE, read_card
    from hemascope.zoo.shipped import CELL_CLASSIFIER, FINDER, shipped_folder

    digests = {name: read_card(shipped_folder(name)).files[GRAPH_FILE] for name in (FINDER, CELL_CLASSIFIER)}
    return json.dumps(digests, indent=2) + "\n"


def main() -> None:
    """Paint, analyze, draw."""
    with tempfile.TemporaryDirectory() as made:
        where = Path(made)
        hemascope("data", "synthesize", "--out", "smear", "--fields", "12", "--seed", "7", where=where)
        show_summary(hemascope("analyze", "smear/images", where=where))
        report = where / "hemascope-report" / "report.html"
        text = report.read_text("utf-8")
        for name, (width, height, style) in SHOTS.items():
            page = where / f"{name}.html"
            page.write_text(text.replace("</head>", f"<style>{style}</style></head>", 1), "utf-8")
            picture = trimmed(screenshot(page, width, height))
            picture.quantize(COLORS, Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE).save(
                HERE / name, optimize=True
            )
            print(name, picture.size, (HERE / name).stat().st_size)
    MADE_WITH.write_text(describe_models(), "utf-8")


if __name__ == "__main__":
    main()
