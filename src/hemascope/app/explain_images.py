"""The use case `explain`: cells of images, or images of single cells, to pictures of what would have to change."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from hemascope.app.analyzer import Analyzer
from hemascope.app.closest_cells import Explaining
from hemascope.app.explain_cells import AskedCell
from hemascope.cells.crop import cut_square
from hemascope.core.cell import CellCrop
from hemascope.core.errors import InputError, NoImagesError, OutputError, ScaleError
from hemascope.core.explanation import Counterfactual
from hemascope.core.provenance import Provenance
from hemascope.core.report import FailedInput, FieldResult
from hemascope.core.smear import Field
from hemascope.core.units import Microns
from hemascope.export.explanation_models import explanation_record
from hemascope.reporting.counterfactuals import LIMITS, draw_panel, sentences
from hemascope.sources.discover import Source

EXPLANATIONS_FILE = "explanations.json"

OnStep = Callable[[str], None]
"""Called with what is done."""


@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """What to explain, and where to.

    Attributes
    ----------
    sources
        The images, in order.
    out
        Folder; absent or empty.
    single
        Whether each image shows one cell, in its middle: then nothing is searched for.
    provenance
        What makes the result.
    """

    sources: Sequence[Source]
    out: Path
    single: bool
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Explained:
    """What came of it.

    Attributes
    ----------
    explanations
        In order, those of one cell together.
    pictures
        Their files, in the same order.
    failed
        Images that could not be read.
    """

    explanations: tuple[Counterfactual, ...]
    pictures: tuple[Path, ...]
    failed: tuple[FailedInput, ...]


def explain_images(request: ExplainRequest, analyzer: Analyzer, explaining: Explaining, on_step: OnStep) -> Explained:
    """Explain cells, and write for each a picture, its numbers, and one list of all.

    Parameters
    ----------
    request
        What to explain.
    analyzer
        Finds and types cells; of images of single cells, its reader and classifier alone answer.
    explaining
        What explains, how many cells, and what is asked.
    on_step
        Called after every image and every explanation.

    Raises
    ------
    NoImagesError
        If no image could be read.
    InputError
        If no cell could be asked about.
    OutputError
        If the folder is not empty or cannot be written.
    """
    if request.out.exists() and (not request.out.is_dir() or any(request.out.iterdir())):
        raise OutputError(f"{request.out} is not empty; name a new folder with --out")
    failed: list[FailedInput] = []
    asked = list(_asked_cells(request, analyzer, explaining, failed, on_step))
    if len(failed) == len(request.sources):
        raise NoImagesError(f"none of the {len(failed)} images could be used; the first: {failed[0].message}")
    if not asked:
        raise InputError("no cell could be asked about: none was found whole, or all are of the type asked about")
    found = []
    for explanation in explaining.explainer.explain(asked):
        found.append(explanation)
        on_step(f"{explanation.cell_id[-32:]}: {explanation.target.value}")
    with _whole_folder(request.out) as folder:
        names = [_write(folder, number, explanation) for number, explanation in enumerate(found, 1)]
        _write_list(folder, names, found, request.provenance)
    return Explained(tuple(found), tuple(request.out / name for name in names), tuple(failed))


def _asked_cells(
    request: ExplainRequest, analyzer: Analyzer, explaining: Explaining, failed: list[FailedInput], on_step: OnStep
) -> Iterator[AskedCell]:
    if request.single:
        yield from _single_cells(request, analyzer, explaining, failed, on_step)
        return
    closest = explaining.closest()
    for result in analyzer.results(request.sources):
        if isinstance(result, FieldResult):
            closest.add(result)
            on_step(result.field.id[-32:])
        else:
            failed.append(result)
    yield from closest.cells()


def _single_cells(
    request: ExplainRequest, analyzer: Analyzer, explaining: Explaining, failed: list[FailedInput], on_step: OnStep
) -> Iterator[AskedCell]:
    explainer = explaining.explainer
    for source in request.sources:
        try:
            read = analyzer.reader.read(source.path, source.field_id)
            scale = analyzer.scale or read.scale
            if scale is None:
                raise ScaleError(f"{source.path}: the scale of an image of a single cell must be stated with --mpp")
        except InputError as error:
            failed.append(FailedInput(str(source.path), type(error).__name__, str(error)))
            continue
        crop, seen = (
            _centered(read, scale.mpp, size) for size in (explainer.denoiser.crop_size, explainer.classifier.crop_size)
        )
        [prediction] = explainer.classifier.classify([seen])
        best, targets, _ = explaining.question.of(prediction)
        on_step(read.id[-32:])
        if targets:
            yield AskedCell(best, targets, crop, seen)


def _centered(read: Field, mpp: float, size: tuple[int, float]) -> CellCrop:
    side, width = size
    pixels = cut_square(read.pixels, (read.width / 2, read.height / 2), width / mpp, side)
    return CellCrop(read.id, pixels, Microns(width))


def _write(folder: Path, number: int, found: Counterfactual) -> str:
    """Write the picture and the arrays of an explanation; return the name of the picture."""
    stem = f"{number:03d}.{found.current.value}-to-{found.target.value}"
    written, encoded = cv2.imencode(".png", cv2.cvtColor(draw_panel(found), cv2.COLOR_RGB2BGR))
    assert written  # noqa: S101  (a picture of bytes always can be)
    (folder / f"{stem}.png").write_bytes(encoded.tobytes())
    with (folder / f"{stem}.npz").open("wb") as file:
        np.savez_compressed(
            file, crop=found.crop, change=found.change, error=found.error, marked=found.marked,
            density=found.density, edited=found.edited,
        )  # fmt: skip
    return f"{stem}.png"


def _write_list(folder: Path, names: Sequence[str], found: Sequence[Counterfactual], provenance: Provenance) -> None:
    records = [
        {"picture": name, "arrays": name.replace(".png", ".npz"), "says": list(sentences(one))}
        | explanation_record(one).model_dump(mode="json")
        for name, one in zip(names, found, strict=True)
    ]
    document = {
        "kind": "hemascope.explanations",
        "schema_version": 1,
        "limits": LIMITS,
        "explanations": records,
        "provenance": asdict(provenance),
    }
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / EXPLANATIONS_FILE).write_text(text + "\n", encoding="utf-8", newline="\n")


@contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """Give a hidden folder that becomes ``out`` when all went well."""
    made: Path | None = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        made.chmod(0o755)
        yield made
        if out.exists():
            out.rmdir()
        made.replace(out)
    except OSError as error:
        raise OutputError.at(out, error) from error
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
