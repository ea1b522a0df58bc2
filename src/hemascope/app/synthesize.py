"""The use case `synthesize cells`: classes and a seed to a folder of generated cells, written whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.app.generated_views import as_pictures
from hemascope.app.synthetic_files import (
    CARD_FILE,
    LABELS_FILE,
    SHEET_FILE,
    Origin,
    card_text,
    draw_sheet,
    provenance_text,
    sheet_groups,
    write_class,
    write_labels,
    write_picture,
)
from hemascope.core.errors import InputError, OutputError
from hemascope.core.ports import CellDenoiser
from hemascope.denoise.sampling import GuidedDenoiser, SamplingPlan, draw_samples

GUIDANCE = 1.5
STEPS = 25

MOST = 10_000
"""Cells of a class in one run: all are held in memory."""

Pictures = NDArray[np.uint8]
OnPass = Callable[[int, str], None]
"""Called with the number of denoiser passes done, and what is under way."""


@dataclass(frozen=True, slots=True, eq=False)
class Generator:
    """A model that cells are drawn from.

    Attributes
    ----------
    denoiser
        Of images of cells.
    attribution
        What the licenses of its training data ask to be said.
    trained_on
        Data set to its license.
    """

    denoiser: CellDenoiser
    attribution: tuple[str, ...]
    trained_on: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SynthesisRequest:
    """What to make.

    Attributes
    ----------
    classes
        Names of the denoiser's classes; empty for all.
    count
        Cells of each.
    seed
        0 or more.
    out
        Folder; absent or empty.
    guidance, steps
        As of ``SamplingPlan``.
    command
        What was asked, as the user would type it.
    """

    classes: tuple[str, ...]
    count: int
    seed: int
    out: Path
    guidance: float = GUIDANCE
    steps: int = STEPS
    command: str = field(default="hemascope synthesize cells")


Check = Callable[[Path, Mapping[str, Pictures]], None]
"""Looks at the finished pictures of each class, and writes what it found into the folder."""


def sampling_plan(guidance: float = GUIDANCE, steps: int = STEPS) -> SamplingPlan:
    """Return how images are drawn: second order, cut to what an image can hold.

    Raises
    ------
    InputError
        If a value is out of range.
    """
    try:
        return SamplingPlan(steps=steps, guidance=guidance, limit=1.0)
    except ValueError as error:
        raise InputError(
            f"cells cannot be drawn in {steps} steps with guidance {guidance:g}; give 2 or more steps and 0 or more "
            "guidance (1 is none)"
        ) from error


def draw_class(
    generator: Generator, name: str, count: int, plan: SamplingPlan, seed: int, on_pass: OnPass = lambda n, note: None
) -> Pictures:
    """Return N x S x S x 3 pictures of one class.

    Raises
    ------
    InputError
        If the denoiser does not know the class, or takes no guidance.
    """
    denoiser = generator.denoiser
    _check_plan(generator, plan)
    (number,) = class_places(generator, (name,))
    samples = draw_samples(denoiser, number, count, plan, seed, lambda passes: on_pass(passes, name))
    return as_pictures(samples, denoiser.mask)


def class_places(generator: Generator, classes: Sequence[str]) -> list[int]:
    """Return the places of classes among the denoiser's; raise ``InputError`` for one that it does not know."""
    known = generator.denoiser.classes
    for name in classes:
        if name not in known:
            raise InputError(
                f"'{name}' is no class of {generator.denoiser.identity.name}; choose of {', '.join(known)}"
            )
    return [known.index(name) for name in classes]


def passes_of(request: SynthesisRequest, generator: Generator) -> int:
    """Return how many denoiser passes a request takes."""
    plan = sampling_plan(request.guidance, request.steps)
    classes = request.classes or generator.denoiser.classes
    return len(dict.fromkeys(classes)) * plan.passes(generator.denoiser.schedule, request.count)


def synthesize(
    request: SynthesisRequest,
    generator: Generator,
    on_pass: OnPass = lambda n, note: None,
    check: Check | None = None,
) -> Path:
    """Write generated cells into a folder, which appears when everything in it is complete.

    Parameters
    ----------
    request
        What to make.
    generator
        What it is drawn from.
    on_pass
        Progress.
    check
        Compares the cells with those the model learned from; None for no comparison.

    Returns
    -------
    The folder.

    Raises
    ------
    InputError
        If a class is unknown, or a number is out of range.
    OutputError
        If the folder holds something, is a file or cannot be written.
    """
    if not 1 <= request.count <= MOST:
        raise InputError(f"{request.count} cells of a class cannot be made in one run; give 1 to {MOST:,}")
    if request.seed < 0:
        raise InputError(f"a seed of {request.seed} cannot be used; give a whole number of 0 or more")
    classes = tuple(dict.fromkeys(request.classes)) or generator.denoiser.classes
    class_places(generator, classes)
    plan = sampling_plan(request.guidance, request.steps)
    _check_plan(generator, plan)
    each = plan.passes(generator.denoiser.schedule, request.count)
    with _staged(request.out) as folder:
        origin, pictures, rows = _origin(request, generator), {}, []
        for place, name in enumerate(classes):
            done = place * each
            pictures[name] = draw_class(generator, name, request.count, plan, request.seed, _after(done, on_pass))
            rows += write_class(folder, origin, name, pictures[name])
        write_labels(folder / LABELS_FILE, rows)
        text = provenance_text(origin, ", ".join(classes), 0)
        del text["number"]
        write_picture(folder / SHEET_FILE, draw_sheet(sheet_groups(classes, pictures)), text, None)
        card = card_text(origin, {name: len(pictures[name]) for name in classes}, request.command)
        (folder / CARD_FILE).write_text(card, encoding="utf-8")
        if check is not None:
            check(folder, pictures)
    return request.out


def _check_plan(generator: Generator, plan: SamplingPlan) -> None:
    if plan.guided and not isinstance(generator.denoiser, GuidedDenoiser):
        raise InputError(f"{generator.denoiser.identity.name} takes no guidance; give --guidance 1")


def _after(done: int, on_pass: OnPass) -> OnPass:
    return lambda passes, note: on_pass(done + passes, note)


def _origin(request: SynthesisRequest, generator: Generator) -> Origin:
    side, width = generator.denoiser.crop_size
    return Origin(
        model=generator.denoiser.identity,
        attribution=generator.attribution,
        trained_on=generator.trained_on,
        width_um=width,
        side=side,
        seed=request.seed,
        guidance=request.guidance,
        steps=request.steps,
    )


@contextmanager
def _staged(out: Path) -> Iterator[Path]:
    """Give a hidden folder beside ``out`` that becomes ``out`` where all went well, and is gone otherwise."""
    out, made = out.absolute(), None
    try:
        _refuse_if_taken(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        yield made
        made.chmod(0o755)
        # Renaming over an empty folder works, over one that was filled meanwhile it fails: nothing is ever replaced.
        made.replace(out)
    except OSError as error:
        raise OutputError.at(out, error) from error
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)


def _refuse_if_taken(out: Path) -> None:
    in_the_way = next((part for part in (out, *out.parents) if part.is_file()), None)
    if in_the_way is not None:
        raise OutputError(f"{in_the_way} is a file, not a folder; choose another place with --out")
    if out.is_dir() and any(out.iterdir()):
        raise OutputError(f"{out} is not empty; choose another place with --out, or move that folder away")
