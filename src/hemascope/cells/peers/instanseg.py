"""InstanSeg: embeddings grouped around seeds (Goldsborough et al., arXiv:2408.15954); needs the extra ``instanseg``."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.cells.peers.choice import PeerChoice, file_digest
from hemascope.cells.peers.segmenter import FoundObject, PeerSegmenter, objects_of_labels
from hemascope.core.errors import MissingExtraError, RecipeError, WeightsError
from hemascope.core.provenance import ModelIdentity

DEFAULT = "brightfield_nuclei"
PUBLISHED = ("brightfield_nuclei",)
"""The published model for stained tissue: nuclei only."""
FILE = "instanseg.pt"
FORM = f"an InstanSeg model folder (with {FILE} in it) or of that file"

_WHOLE_PIXELS = 1500 * 1500
"""Larger images are run in tiles."""


class InstanSegModel:
    """A trained InstanSeg model; an ``ObjectModel``. It has no confidence: scores are fixed.

    Parameters
    ----------
    model
        ``instanseg.InstanSeg``, loaded.
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
        """Return the objects in an image H x W x 3 uint8 RGB: whole cells where the model knows them, else nuclei."""
        whole = image.shape[0] * image.shape[1] <= _WHOLE_PIXELS
        run = self._model.eval_small_image if whole else self._model.eval_medium_image
        with redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on the pixel size, which is right already
            found = run(image, pixel_size=None, return_image_tensor=False, target="all_outputs")
        labels = np.asarray(found.cpu().numpy()).reshape(-1, *image.shape[:2])
        return objects_of_labels(labels[-1].astype(np.int64))


def load_instanseg(choice: PeerChoice) -> PeerSegmenter:
    """Return a segmenter that runs InstanSeg.

    Raises
    ------
    MissingExtraError
        If InstanSeg is not installed.
    WeightsError
        If the weights are missing or damaged, or cannot be downloaded.
    RecipeError
        If the weights do not say at which scale they work, and the choice does not either.
    """
    try:
        from instanseg import InstanSeg
    except (ImportError, RuntimeError) as error:
        raise MissingExtraError("--segmenter instanseg", "instanseg") from error
    folder = _folder(choice)
    name = folder.name if folder else choice.known_as(PUBLISHED, "InstanSeg", FORM) if choice.model else DEFAULT
    try:
        with redirect_stdout(sys.stderr):
            # It joins what it is given to its own folder of models, which an absolute path replaces.
            model = InstanSeg(str(folder.absolute()) if folder else name, verbosity=0)
    except Exception as error:  # the library raises many kinds for one cause
        raise WeightsError(f"InstanSeg cannot load '{choice.model or name}': {error}; give {FORM}") from error
    mpp = choice.mpp or _own_scale(model)
    if mpp is None:
        raise RecipeError(f"{name} does not say its scale; add it, such as 'instanseg:{choice.model}@0.5'")
    digest = file_digest(folder / FILE) if folder else _published_digest(name)
    origin = "given by the user" if folder else "published by InstanSeg"
    backend = f"torch {version('torch')}, weights {origin}"
    identity = ModelIdentity(f"instanseg:{name}", version("instanseg-torch"), digest, backend, "NOASSERTION")
    return PeerSegmenter(InstanSegModel(model, identity, mpp))


def _folder(choice: PeerChoice) -> Path | None:
    path = choice.path
    if path is None:
        return None
    folder = path.parent if path.is_file() else path
    if not (folder / FILE).is_file():
        raise WeightsError(f"{path}: there is no {FILE}; give the path of {FORM}")
    return folder


def _own_scale(model: Any) -> float | None:
    found = getattr(model.instanseg, "pixel_size", None)
    return float(found) if found else None


def _published_digest(name: str) -> str:
    """Return the digest of the newest downloaded file of a published model."""
    import os

    files = sorted(Path(os.environ["INSTANSEG_BIOIMAGEIO_PATH"], name).glob(f"*/{FILE}"))
    return file_digest(files[-1]) if files else ""
