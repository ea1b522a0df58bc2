"""Cellpose 4: flows from a vision transformer (bioRxiv 2025.04.28.651001); needs the extra ``cellpose``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.cells.peers.choice import PeerChoice, file_digest
from hemascope.cells.peers.segmenter import FoundObject, PeerSegmenter, objects_of_labels
from hemascope.core.errors import MissingExtraError, WeightsError
from hemascope.core.provenance import ModelIdentity
from hemascope.core.units import RED_CELL_DIAMETER

DEFAULT = "cpsam"
PUBLISHED = ("cpsam", "cpsam_v2")
FORM = "a Cellpose 4 weights file"

MEAN_DIAMETER_PX = 30.0
"""Cellpose is trained on objects of this mean diameter; red cells are given that size."""


class CellposeNetwork:
    """A trained Cellpose model; an ``ObjectModel``.

    Parameters
    ----------
    model
        ``cellpose.models.CellposeModel``, loaded.
    identity
        What answers.
    mpp
        Um per pixel it works at.
    """

    def __init__(self, model: Any, identity: ModelIdentity, mpp: float) -> None:
        self._model = model
        self.identity = identity
        self.mpp = mpp

    def outline(self, image: NDArray[np.uint8]) -> Sequence[FoundObject]:
        """Return the objects in an image H x W x 3 uint8 RGB; a score is the mean cell probability in the object."""
        with redirect_stdout(sys.stderr):
            labels, flows, _ = self._model.eval(image, channel_axis=2, diameter=None)
        labels = np.asarray(labels, np.int64)
        probability = 1 / (1 + np.exp(-np.clip(np.asarray(flows[2], np.float64), -50, 50)))
        sums = np.bincount(labels.ravel(), probability.ravel())
        counts = np.maximum(np.bincount(labels.ravel()), 1)
        return objects_of_labels(labels, dict(enumerate((sums / counts).tolist())))


def load_cellpose(choice: PeerChoice) -> PeerSegmenter:
    """Return a segmenter that runs Cellpose.

    Raises
    ------
    MissingExtraError
        If Cellpose is not installed, or its torchvision does not fit its torch.
    WeightsError
        If the weights are missing or damaged, or cannot be downloaded.
    """
    try:
        from cellpose import core, models
    except (ImportError, RuntimeError) as error:
        raise MissingExtraError("--segmenter cellpose", "cellpose") from error
    path = choice.path
    name = path.name if path else choice.known_as(PUBLISHED, "Cellpose", FORM) if choice.model else DEFAULT
    try:
        with redirect_stdout(sys.stderr):
            model = models.CellposeModel(gpu=core.use_gpu(), pretrained_model=str(path or name))
    except Exception as error:  # the library raises many kinds for one cause
        raise WeightsError(f"Cellpose cannot load '{choice.model or name}': {error}; give {FORM}") from error
    digest = file_digest(Path(model.pretrained_model))
    origin = "given by the user" if path else "published by Cellpose"
    backend = f"torch {version('torch')} {model.net.dtype}, weights {origin}".replace("torch.", "")
    identity = ModelIdentity(f"cellpose:{name}", version("cellpose"), digest, backend, "NOASSERTION")
    return PeerSegmenter(CellposeNetwork(model, identity, choice.mpp or RED_CELL_DIAMETER / MEAN_DIAMETER_PX))
