"""Models on this machine: those that come with the package, and those that were pulled."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hemascope.core.errors import WeightsError
from hemascope.zoo.card import CARD_FILE, GRAPH_FILE, ModelCard, read_card
from hemascope.zoo.encoder_entry import EncoderEntry
from hemascope.zoo.registry import encoder_entry
from hemascope.zoo.shipped import WEIGHTS


def folder_of(entry: EncoderEntry, models: Path) -> Path:
    """Return where an encoder lies, or would lie if it were there.

    Parameters
    ----------
    models
        Folder of the models that were pulled; see ``settings``.
    """
    if entry.layout == "shipped":
        return WEIGHTS / entry.architecture
    return models / entry.name.replace(":", "_")


def is_installed(entry: EncoderEntry, models: Path) -> bool:
    """Return whether the encoder's folder with its card is there."""
    return (folder_of(entry, models) / CARD_FILE).is_file()


def encoder_folder(name: str, models: Path) -> tuple[Path, ModelCard]:
    """Return the folder and card of an encoder: a known name, or a model folder's path.

    Raises
    ------
    RecipeError
        If there is no encoder of that name and no such folder.
    WeightsError
        If it is not installed, or the folder holds no encoder that can answer.
    """
    folder = Path(name)
    if not folder.is_dir():
        entry = encoder_entry(name)
        folder = folder_of(entry, models)
        if not is_installed(entry, models):
            raise WeightsError(f"{name} is not installed; {_advice(entry)}")
    card = read_card(folder)
    if card.task != "embed":
        raise WeightsError(f"{folder} holds a model to {card.task}, no encoder; name a folder that holds one")
    if GRAPH_FILE not in card.files:
        raise WeightsError(f"{folder} holds tensors alone; write its graph with: hemascope models export {name}")
    return folder, card


def _advice(entry: EncoderEntry) -> str:
    if entry.layout == "shipped":
        return "this version of hemascope comes without it; choose another (hemascope models list)"
    accept = " --accept-terms" if entry.must_accept else ""
    return f"pull it with: hemascope models pull {entry.name}{accept}"


def file_sha256(path: Path) -> str:
    """Return the digest of a file of any size.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
