"""StarDist: star-convex polygons (Schmidt et al., MICCAI 2018, arXiv:1806.03535); needs the extra ``stardist``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.cells.peers.choice import PeerChoice, file_digest
from hemascope.cells.peers.segmenter import FoundObject, PeerSegmenter
from hemascope.core.errors import MissingExtraError, RecipeError, WeightsError
from hemascope.core.provenance import ModelIdentity

DEFAULT = "2D_versatile_he"
PUBLISHED = {"2D_versatile_he": 0.5}
"""Published models for stained tissue, and the um per pixel they work at: 20x, nuclei only."""
FORM = "a model folder (config.json and weights_best.h5)"

_TILE = 1024
_LEAST_RANGE = 40.0
"""Gray levels: any field with a cell in it has more contrast."""


class StarDistModel:
    """A trained StarDist model in two dimensions; an ``ObjectModel``.

    Parameters
    ----------
    model
        ``stardist.models.StarDist2D``, loaded.
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
        """Return the objects in an image H x W x 3 uint8 RGB."""
        gray = self._model.config.n_channel_in == 1
        source = image.mean(axis=2) if gray else image
        tiles = tuple(-(-side // _TILE) for side in image.shape[:2]) + (() if gray else (1,))
        with redirect_stdout(sys.stderr):
            _, found = self._model.predict_instances(
                _stretched(source), n_tiles=tiles, show_tile_progress=False, return_labels=False
            )
        # Its coordinates are rows and columns, whole numbers in the middle of pixels.
        points = np.moveaxis(np.asarray(found["coord"], np.float64), 1, 2)[..., ::-1] + 0.5
        return [FoundObject(p, float(score)) for p, score in zip(points, found["prob"], strict=True)]


def _stretched(image: NDArray[Any]) -> NDArray[np.float32]:
    """Return an image with percentile 99.8 at 1 and percentile 1 at 0, as StarDist's models are trained.

    One with next to no contrast is only shifted: noise stretched to full range looks like cells.
    """
    low, high = np.percentile(image, (1, 99.8))
    low = min(low, high - _LEAST_RANGE)
    return np.asarray((image - low) / (high - low), np.float32)


def load_stardist(choice: PeerChoice) -> PeerSegmenter:
    """Return a segmenter that runs StarDist.

    Raises
    ------
    MissingExtraError
        If StarDist or TensorFlow is not installed.
    WeightsError
        If the weights are missing or damaged, or cannot be downloaded.
    RecipeError
        If the scale of the weights is not stated.
    """
    try:
        import stardist
        import tensorflow
        from stardist.models import StarDist2D
    except ImportError as error:
        raise MissingExtraError("--segmenter stardist", "stardist") from error
    folder = choice.path
    name = folder.name if folder else choice.known_as([*PUBLISHED], "StarDist", FORM) if choice.model else DEFAULT
    mpp = choice.mpp or PUBLISHED.get(choice.model or DEFAULT)
    if mpp is None:
        raise RecipeError(f"the scale of {choice.model} is not known; add it, such as 'stardist:{choice.model}@0.25'")
    if folder is not None and not (folder / "config.json").is_file():
        raise WeightsError(f"{folder}: no config.json is in it; give the path of {FORM}")
    try:
        with redirect_stdout(sys.stderr):
            model = StarDist2D(None, folder.name, str(folder.parent)) if folder else StarDist2D.from_pretrained(name)
    except Exception as error:  # the library raises many kinds for one cause
        raise WeightsError(f"StarDist cannot load '{choice.model or name}': {error}; give {FORM}") from error
    weights = sorted(Path(model.logdir).glob("weights_*.h5"))
    if not weights:
        raise WeightsError(f"{model.logdir}: no weights_*.h5 is in it; give the path of {FORM}")
    digest = file_digest(next((path for path in weights if path.name == "weights_best.h5"), weights[0]))
    origin = "given by the user" if folder else "published by StarDist"
    backend = f"tensorflow {tensorflow.__version__}, weights {origin}"
    return PeerSegmenter(
        StarDistModel(
            model, ModelIdentity(f"stardist:{name}", stardist.__version__, digest, backend, "NOASSERTION"), mpp
        )
    )
