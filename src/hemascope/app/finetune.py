"""The use case `train finetune`: a laboratory's images and outlines to a finder of its own, and what it gained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hemascope.app.alike import CROPPED, sizes_alike
from hemascope.app.before_after import as_figures, as_markdown, as_record
from hemascope.app.image_split import split_images
from hemascope.app.training import OnStep, need_torch, start_run
from hemascope.cells.imported import ImportedSegmenter
from hemascope.cells.nucleus import find_nucleus
from hemascope.cells.scale import estimate_scale, measure_scale
from hemascope.core.cell import Cell
from hemascope.core.errors import InputError, OutlineError, OutputError, RecipeError, ScaleError
from hemascope.core.optics import background_color
from hemascope.core.outline import OutlinedField
from hemascope.core.ports import FieldReader, Segmenter
from hemascope.core.provenance import ModelIdentity
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind
from hemascope.core.units import Scale, ScaleSource
from hemascope.evaluate.outline_agreement import Comparison, ImageAgreement, agreement, compare
from hemascope.recipes import FineTuneRecipe
from hemascope.sources.discover import Source
from hemascope.sources.outline_shelf import OutlineShelf

_SHOWN = 5

_NO_BETTER = "No step did better on the validation images than the finder it started from: more images may help."


@dataclass(frozen=True, slots=True)
class FineTuneRequest:
    """What to learn from, and where to put what.

    Attributes
    ----------
    sources, reader, shelf
        The images, what reads them, and their outlines.
    start
        Model folder to start from.
    open_model
        A model folder to the finder in it.
    scale
        Of every image, as the user states it; None to read or estimate it.
    split
        Table of images and splits; None to deal them out by ``FineTuneRecipe.val_share``.
    complete
        Whether every cell of the outlined kinds is outlined.
    run, out
        Run folder and model folder; ``runs/NAME`` and its ``model`` where None.
    command
        What was asked, for the card.
    """

    sources: Sequence[Source]
    reader: FieldReader
    shelf: OutlineShelf
    start: Path
    open_model: Callable[[Path], Segmenter]
    scale: Scale | None
    split: Path | None
    complete: bool
    run: Path | None
    out: Path | None
    command: str


@dataclass(frozen=True, slots=True)
class FineTuned:
    """What came of it.

    Attributes
    ----------
    model
        The model folder.
    rows
        Before and after on the validation images.
    notes
        What a user must know, in sentences.
    """

    model: Path
    rows: Sequence[Comparison]
    notes: tuple[str, ...]


def finetune_finder(request: FineTuneRequest, recipe: FineTuneRecipe, on_step: OnStep) -> FineTuned:
    """Fine-tune a finder, choose its thresholds, pack it, and measure what changed.

    ``before_after.json`` and ``before_after.md`` go to the run folder, and the table into the model's README.

    Raises
    ------
    MissingExtraError
        If the extra ``train`` is not installed.
    InputError
        If an image or its outlines cannot be used, or there are too few.
    ScaleError
        If a scale is neither stated nor found.
    WeightsError
        If the model to start from cannot be loaded.
    RecipeError
        If the run folder holds a run of another recipe or other data.
    OutputError
        If a place cannot be written.
    """
    need_torch("fine-tuning the finder")
    from hemascope.train.curves import draw_curves
    from hemascope.train.finetune import (
        fine_tune,
        has_improved,
        replayed_fields,
        start_from,
        taught_kinds,
        training_field,
    )
    from hemascope.train.ship_finetuned import finder_with, finetuned_spec, pack_finetuned

    net, start = start_from(request.start)
    before = request.open_model(request.start)
    known = _scaled(_read(request), before, request.scale)
    splits = split_images([k.field for k in known], recipe.val_share, recipe.seed, request.split)
    train, val = ([k for k in known if splits[k.field.id] == name] for name in ("train", "val"))
    taught = taught_kinds(train)
    if not taught:
        raise OutlineError("the training images hold no outlines; outline cells in them, or change the split")
    data = _digests(train, val, request)
    run = start_run(request.run, recipe, recipe.name)
    _same_data(run, data)
    if recipe.mpp is not None:
        start = start.model_copy(update={"spec": {**start.spec, "mpp": recipe.mpp}})
    mpp = float(start.spec["mpp"])
    fields, checks = ([training_field(k, mpp, taught, complete=request.complete) for k in s] for s in (train, val))
    tuned = fine_tune(recipe, net, fields, checks, replayed_fields(recipe, start), run, on_step)
    draw_curves(run)
    shipped, spec = finetuned_spec(tuned, start, val, taught, complete=request.complete)
    kinds = [kind for kind in CellKind if kind in taught]
    first = _agreements(before, val, kinds, complete=request.complete)
    second = _agreements(finder_with(shipped, spec), val, kinds, complete=request.complete)
    rows = compare(first, second, seed=recipe.seed)
    model = request.out or run / "model"
    _save_table(run, rows)
    pack_finetuned(
        model, recipe, shipped, start, spec, data, as_figures(rows), as_markdown(rows), fields[0], request.command
    )
    notes = _notes(known, train, val, taught, request)
    return FineTuned(model, rows, notes if has_improved(run) else (*notes, _NO_BETTER))


def _read(request: FineTuneRequest) -> list[OutlinedField]:
    """Return every image with its outlines.

    Raises
    ------
    InputError
        If an image or its outlines cannot be used, or an image is there twice: in both splits it would flatter.
    """
    found: list[OutlinedField] = []
    seen: dict[str, str] = {}
    for source in request.sources:
        field = request.reader.read(source.path, source.field_id)
        first = seen.setdefault(field.sha256, field.id)
        if first != field.id:
            raise InputError(f"{field.id} is the same file as {first}; leave one of them out")
        found.append(OutlinedField(field, request.shelf.of(field).outlines))
    return found


def _scaled(known: Sequence[OutlinedField], finder: Segmenter, stated: Scale | None) -> list[OutlinedField]:
    """Return the fields at the scale stated, else their file's, else that of the red cells of one folder and size.

    Outlined red cells come before those that the finder finds.
    """
    outlines = {k.field.id: k.outlines for k in known}
    given = ImportedSegmenter(lambda field: outlines[field.id], ModelIdentity("outlines", "", "", "none", ""))
    scales: dict[tuple[object, ...], Scale] = {}
    scaled: list[OutlinedField] = []
    for one in known:
        scale = stated or one.field.scale
        if scale is None:
            folder = one.field.path.parent if one.field.path else None
            key = (folder, one.field.width, one.field.height)
            without = [k.field for k in known if k.field.scale is None]
            siblings = [f for f in without if (f.path.parent if f.path else None) == folder]
            scales[key] = scale = scales.get(key) or _estimated(one.field, siblings, given, finder)
        scaled.append(replace(one, field=one.field.with_scale(scale)))
    return scaled


def _estimated(field: Field, siblings: Sequence[Field], given: Segmenter, finder: Segmenter) -> Scale:
    """Return the scale that images of the same folder and size tell, or else of about the same size."""
    for factor in (1.0, CROPPED):
        alike = [f for f in siblings if sizes_alike(field, f, factor)]
        scale = measure_scale(alike, given)
        if scale.source is ScaleSource.ASSUMED:
            scale = estimate_scale(alike[:12], finder)
        if scale.source is not ScaleSource.ASSUMED:
            return scale
    raise ScaleError(
        f"{field.id} has no scale, and too few red cells to estimate it: give it with --mpp (usual is 0.1)"
    )


def _agreements(
    finder: Segmenter, fields: Sequence[OutlinedField], kinds: Sequence[CellKind], *, complete: bool
) -> list[ImageAgreement]:
    return [agreement(_found(finder, known.field), known, kinds, complete=complete) for known in fields]


def _found(finder: Segmenter, field: Field) -> list[Cell]:
    """Return the cells of a field with their nuclei, as an analysis would."""
    light = background_color(field.pixels)
    return [
        replace(cell, nucleus=find_nucleus(field.pixels, cell.outline, light))
        if cell.kind is CellKind.WHITE_CELL and cell.nucleus is None
        else cell
        for cell in finder.find(field)
    ]


def _digests(
    train: Sequence[OutlinedField], val: Sequence[OutlinedField], request: FineTuneRequest
) -> dict[str, dict[str, str]]:
    """Return what is learned from, with digests over names, pixels, scales and outlines."""
    parts = {"train images": train, "validation images": val}
    data = {
        name: {"images": str(len(fields)), "sha256": _digest([_line(k) for k in fields])}
        for name, fields in parts.items()
    }
    labels = "complete" if request.complete else "incomplete"
    return data | {"outlines": {"name": request.shelf.name, "sha256": request.shelf.sha256, "labels": labels}}


def _line(known: OutlinedField) -> str:
    mpp = known.field.scale.mpp if known.field.scale else 0.0
    return f"{known.field.id}:{known.field.sha256}:{mpp:.6g}"


def _digest(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "surrogatepass")).hexdigest()


def _same_data(run: Path, data: dict[str, dict[str, str]]) -> None:
    """Save what is learned from, or refuse to go on with a run that learned from something else."""
    saved, text = run / "data.json", json.dumps(data, indent=2) + "\n"
    if saved.is_file() and saved.read_text(encoding="utf-8") != text:
        raise RecipeError(
            f"{run} holds a run on other images or outlines; name another folder with --run, or remove it"
        )
    _write(saved, text)


def _save_table(run: Path, rows: Sequence[Comparison]) -> None:
    _write(run / "before_after.json", json.dumps(as_record(rows), indent=2) + "\n")
    _write(run / "before_after.md", as_markdown(rows) + "\n")


def _write(path: Path, text: str) -> None:
    from hemascope.train.optimize import write_whole

    try:
        write_whole(path, text)
    except OSError as error:
        raise OutputError.at(path, error) from error


def _notes(
    known: Sequence[OutlinedField],
    train: Sequence[OutlinedField],
    val: Sequence[OutlinedField],
    taught: frozenset[CellKind],
    request: FineTuneRequest,
) -> tuple[str, ...]:
    names = ", ".join(k.field.id for k in val[:_SHOWN]) + (" and others" if len(val) > _SHOWN else "")
    said = [*request.shelf.remarks, f"{len(train)} images taught, {len(val)} validated: {names}."]
    estimated = sum(k.field.scale is not None and not k.field.scale.is_absolute for k in known)
    if estimated:
        said.append(f"The scale of {estimated} images was estimated from their cells.")
    absent = [kind.value.replace("_", " ") for kind in CellKind if kind not in taught]
    if absent:
        said.append(f"Not outlined, so left as they were: {', '.join(absent)}.")
    bare = sum(o.nucleus is None for k in train for o in k.of_kind(CellKind.WHITE_CELL))
    if bare:
        said.append(f"{bare} white cells have no nucleus outlined: nuclei were not taught there.")
    return tuple(said)
