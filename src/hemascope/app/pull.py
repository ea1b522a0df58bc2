"""The use cases `models pull` and `models export`: published weights to a model folder that can answer."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from hemascope.app.download import OnBytes, download
from hemascope.app.training import need_torch
from hemascope.core.errors import InputError, WeightsError
from hemascope.zoo.card import TENSORS_FILE, ModelCard, Origin, read_card
from hemascope.zoo.encoder_entry import EncoderEntry
from hemascope.zoo.installed import file_sha256, folder_of
from hemascope.zoo.onnx_graph import verified_bytes
from hemascope.zoo.registry import encoder_entry


@dataclass(frozen=True)
class PullRequest:
    """What to pull.

    Attributes
    ----------
    entry
        Which encoder.
    folder
        The model folder to make; an older one is replaced.
    source
        The published file on this machine; fetched where None.
    accepted
        Whether the user accepts the terms.
    sha256
        Digest the file must have, as the user knows it; that of the entry where "".
    with_graph
        Whether to write the graph too: without it the tensors wait for `models export`, or for torch.
    command
        What was asked, for the card.
    token
        What lets the user in where models are gated, or "".
    """

    entry: EncoderEntry
    folder: Path
    source: Path | None = None
    accepted: bool = False
    sha256: str = ""
    with_graph: bool = True
    command: str = ""
    token: str = ""


def pull_model(request: PullRequest, on_bytes: OnBytes | None = None) -> ModelCard:
    """Fetch published weights, check them, and make a model folder of them, whole or not at all.

    Raises
    ------
    InputError
        If there is nothing to pull, or the terms were not accepted.
    MissingExtraError
        If an extra is not installed.
    WeightsError
        If the file cannot be fetched, has another digest, or is of another layout.
    OutputError
        If the folder cannot be written.
    """
    entry = request.entry
    if entry.layout == "shipped":
        raise InputError(f"{entry.name} comes with the package: there is nothing to pull")
    if entry.must_accept and not request.accepted:
        raise InputError(f"{entry.name} has terms: {entry.terms} If you accept them, add --accept-terms.")
    need_torch(f"pulling {entry.name}")
    if request.source is not None:
        return _convert(request, request.source)
    fetched = request.folder.with_name(f".{request.folder.name}.{entry.file}")
    try:
        download(entry.url, fetched, request.token, on_bytes)
        return _convert(request, fetched)
    finally:
        with suppress(OSError):
            fetched.unlink()


def _convert(request: PullRequest, path: Path) -> ModelCard:
    from hemascope.train.published import read_published
    from hemascope.train.published_nets import build_published, input_side
    from hemascope.train.ship_published import Packing, pack_published

    entry, expected = request.entry, (request.sha256 or request.entry.sha256).lower()
    try:
        found = file_sha256(path)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); name the published file") from error
    if expected and found != expected:
        raise WeightsError(f"{path}: its sha256 is {found}, not {expected}; fetch it again from {entry.url}")
    origin = Origin(
        name=entry.name,
        url=entry.url,
        file=entry.file,
        revision=entry.revision,
        sha256=found,
        verified=bool(expected),
        terms=entry.terms,
    )
    module = build_published(entry.layout, entry.architecture, read_published(path), str(path))
    made_for = replace(entry, crop_px=input_side(module) or entry.crop_px)
    return pack_published(request.folder, Packing(made_for, module, origin, request.command, request.with_graph))


def export_model(name: str, models: Path, out: Path | None = None) -> Path:
    """Write the graph of pulled tensors, proven equal to the network, into a model folder; return the folder.

    Parameters
    ----------
    name
        A known name, or a model folder.
    models
        Folder of the models that were pulled.
    out
        The model folder to make; the one the tensors lie in where None.

    Raises
    ------
    RecipeError
        If there is no such encoder.
    WeightsError
        If it is not there, its tensors are damaged, or they are not of a published layout.
    MissingExtraError
        If an extra is not installed.
    OutputError
        If the folder cannot be written.
    """
    folder = Path(name) if Path(name).is_dir() else folder_of(encoder_entry(name), models)
    card = read_card(folder)
    origin = card.origin
    if origin is None or TENSORS_FILE not in card.files:
        raise WeightsError(f"{folder} was not pulled: its graph is the one its training wrote; copy the folder instead")
    need_torch(f"exporting {card.name}")
    from safetensors.torch import load

    from hemascope.train.published_nets import build_published
    from hemascope.train.ship_published import Packing, pack_published

    path = folder / TENSORS_FILE
    state = load(verified_bytes(path, card.files[TENSORS_FILE]))
    module = build_published(str(card.spec.get("layout")), str(card.spec.get("architecture")), state, str(path))
    target = out or folder
    pack_published(target, Packing(_entry_of(card, origin), module, origin, f"hemascope models export {card.name}"))
    return target


def _entry_of(card: ModelCard, origin: Origin) -> EncoderEntry:
    """Return the entry a card was made from; what the card says comes before what the table says now."""
    spec = card.spec
    return replace(
        encoder_entry(origin.name),
        dimension=int(spec["dimension"]),
        crop_px=int(spec["crop_px"]),
        architecture=str(spec["architecture"]),
    )
