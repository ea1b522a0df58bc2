"""Finders by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from hemascope.core.errors import RecipeError, WeightsError
from hemascope.core.ports import (
    Segmenter,
)
from hemascope.core.taxonomy import CellKind
from hemascope.recipes import SEGMENTER_NAMES
from hemascope.settings import Settings, read_settings


def network_segmenter(settings: Settings) -> Segmenter:
    """Return the shipped finder."""
    from hemascope.zoo.shipped import FINDER, shipped_folder

    return folder_segmenter(shipped_folder(FINDER), settings)


def folder_segmenter(folder: Path, settings: Settings | None = None) -> Segmenter:
    """Return the finder in a model folder, such as `hemascope train finetune` writes.

    Raises
    ------
    WeightsError
        If the folder holds no finder, or a file has not the digest of its card.
    """
    from hemascope.cells.network import FinderSpec, NetworkSegmenter
    from hemascope.zoo.card import read_card
    from hemascope.zoo.onnx_graph import OnnxGraph

    card = read_card(folder)
    try:
        if card.task != "find":
            raise ValueError(f"a model to {card.task}")
        spec = FinderSpec(
            mpp=float(card.spec["mpp"]),
            rays=int(card.spec["rays"]),
            stride=int(card.spec["stride"]),
            thresholds={CellKind(kind): float(value) for kind, value in card.spec["thresholds"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(
            f"{folder} holds no finder ({error}); name a folder that a finder was trained into"
        ) from error
    return NetworkSegmenter(OnnxGraph(folder, card, (settings or read_settings()).threads), spec)


def classical_segmenter(settings: Settings) -> Segmenter:
    """Return the finder that needs no weights."""
    from hemascope.cells.classical import ClassicalSegmenter

    return ClassicalSegmenter()


def stardist_segmenter(model: str) -> Segmenter:
    """Return StarDist with the weights that ``MODEL[@MPP]`` names."""
    from hemascope.cells.peers.choice import PeerChoice
    from hemascope.cells.peers.stardist import load_stardist

    return load_stardist(PeerChoice.read(model))


def cellpose_segmenter(model: str) -> Segmenter:
    """Return Cellpose with the weights that ``MODEL[@MPP]`` names."""
    from hemascope.cells.peers.cellpose import load_cellpose
    from hemascope.cells.peers.choice import PeerChoice

    return load_cellpose(PeerChoice.read(model))


def instanseg_segmenter(model: str) -> Segmenter:
    """Return InstanSeg with the weights that ``MODEL[@MPP]`` names."""
    from hemascope.cells.peers.choice import PeerChoice
    from hemascope.cells.peers.instanseg import load_instanseg

    return load_instanseg(PeerChoice.read(model))


SEGMENTERS: dict[str, Callable[[Settings], Segmenter]] = {
    "network": network_segmenter,
    "classical": classical_segmenter,
}
"""Finders by name."""


PEERS: dict[str, Callable[[str], Segmenter]] = {
    "stardist": stardist_segmenter,
    "cellpose": cellpose_segmenter,
    "instanseg": instanseg_segmenter,
}
"""Finders by other groups by name; each takes what stands after the colon of ``NAME:MODEL@MPP``, or nothing."""


def segmenter_name(text: str | None) -> str | None:
    """Return what a user calls a segmenter as a recipe has it: a model folder becomes ``network:FOLDER``."""
    if text is None or re.fullmatch(SEGMENTER_NAMES, text) or not Path(text).is_dir():
        return text
    return f"network:{text}"


def build_segmenter(name: str, settings: Settings | None = None) -> Segmenter:
    """Return a finder by name, for a peer followed by ``:MODEL`` and ``@MPP`` at need, or ``network:FOLDER``.

    Raises
    ------
    RecipeError
        If there is none of that name.
    WeightsError
        If its weights are missing or damaged.
    MissingExtraError
        If a peer is not installed.
    """
    if name == "outlines":
        raise RecipeError("the segmenter 'outlines' takes them from files: name them with --outlines")
    peer, _, model = name.partition(":")
    if peer == "network" and model:
        return folder_segmenter(Path(model), settings)
    if peer in PEERS:
        return PEERS[peer](model)
    if name not in SEGMENTERS:
        raise RecipeError(f"there is no segmenter '{name}'; choose one of {', '.join([*SEGMENTERS, *PEERS])}")
    return SEGMENTERS[name](settings or read_settings())
