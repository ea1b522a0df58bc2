"""The use cases `models list`, `show` and `verify`: what there is, what it asks, and whether it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hemascope.core.errors import WeightsError
from hemascope.zoo.card import CARD_FILE, read_card
from hemascope.zoo.installed import file_sha256, folder_of, is_installed
from hemascope.zoo.registry import ENCODERS, TIMM, encoder_entry
from hemascope.zoo.shipped import WEIGHTS


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model in the list.

    Attributes
    ----------
    name, task, license
        As its card or its entry says.
    state
        ``shipped``, ``installed``, ``damaged`` or ``to pull``.
    dimension
        Length of an embedding; None for what is no encoder, or where only the weights tell.
    size
        Bytes of its folder; None where it is not there.
    """

    name: str
    task: str
    license: str
    state: str
    dimension: int | None
    size: int | None


@dataclass(frozen=True, slots=True)
class FileCheck:
    """Whether a file of a model is what its card says.

    Attributes
    ----------
    model, file
        Name of the model's folder, and of the file.
    fault
        What is wrong, or "".
    """

    model: str
    file: str
    fault: str


def list_models(models: Path) -> list[ModelRow]:
    """Return every model that ships, was pulled to ``models``, or can be pulled."""
    rows = [_row_of(folder, "shipped") for folder in _folders(WEIGHTS)]
    rows += [_row_of(folder, "installed") for folder in _folders(models)]
    there = {row.name for row in rows}
    for entry in (*ENCODERS.values(), TIMM):
        if entry.name not in there and entry.layout != "shipped":
            rows.append(ModelRow(entry.name, "embed", entry.license, "to pull", entry.dimension, None))
    return rows


def verify_models(models: Path) -> list[FileCheck]:
    """Return, for every file of every model that ships or was pulled, whether it has the digest its card says."""
    folders = [*_folders(WEIGHTS), *_folders(models)]
    return [check for folder in folders for check in _checks(folder)]


def _checks(folder: Path) -> Iterator[FileCheck]:
    try:
        files = read_card(folder).files
    except WeightsError as error:
        yield FileCheck(folder.name, CARD_FILE, str(error))
        return
    for name, sha256 in sorted(files.items()):
        try:
            found = file_sha256(folder / name)
        except OSError as error:
            yield FileCheck(folder.name, name, f"cannot be read ({error.strerror})")
            continue
        yield FileCheck(folder.name, name, "" if found == sha256 else f"its sha256 is {found}, its card says {sha256}")


def _folders(place: Path) -> list[Path]:
    return sorted(path.parent for path in place.glob(f"[!.]*/{CARD_FILE}"))


def _row_of(folder: Path, state: str) -> ModelRow:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    try:
        card = read_card(folder)
    except WeightsError:
        return ModelRow(folder.name, "", "", "damaged", None, size)
    dimension = card.spec.get("dimension") if card.task == "embed" else None
    return ModelRow(card.name, card.task, card.license, state, dimension, size)


def show_model(name: str, models: Path) -> list[tuple[str, str]]:
    """Return everything that is known of an encoder, in the order it is read: what, and its value.

    Raises
    ------
    RecipeError
        If there is none of that name.
    WeightsError
        If it is installed and its card is damaged.
    """
    entry = encoder_entry(name)
    folder = folder_of(entry, models)
    lines = [
        ("name", entry.name),
        ("what it is", entry.title),
        ("license", entry.license),
        ("terms", entry.terms),
        ("accepting them", "--accept-terms is needed" if entry.must_accept else "not asked for"),
        ("gated", "yes: ask for access on its page" if entry.gated else "no"),
        ("dimension", "as the weights say" if entry.dimension is None else str(entry.dimension)),
        ("parameters", "as the weights say" if entry.parameters is None else f"{entry.parameters} million"),
        ("crops", f"{entry.crop_px} x {entry.crop_px} px, {_width(entry.crop_um)}"),
        ("transform", entry.transform),
        ("stain", entry.stain),
        ("from", entry.url or "the package"),
        ("revision", entry.revision or "whatever that address holds"),
        ("sha256", entry.sha256 or "unknown"),
        ("has seen", entry.sources.evidence if entry.layout != "shipped" else "what its card lists"),
    ]
    if is_installed(entry, models):
        card = read_card(folder)
        lines += [("installed", str(folder)), ("version", card.version), ("made by", card.training.command)]
        lines += [(f"sha256 of {file}", sha256) for file, sha256 in sorted(card.files.items())]
    else:
        lines.append(("installed", "no"))
    return lines


def _width(width: float | None) -> str:
    return "no width stated" if width is None else f"{width:g} um"
