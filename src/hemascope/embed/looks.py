"""An encoder that looks at a cell four ways: a cell has no up, and a network should not be asked as if it had."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import CellCrop
from hemascope.core.embedding import EncoderSpec
from hemascope.core.ports import Encoder
from hemascope.core.provenance import ModelIdentity

SUFFIX = ".looks"
"""After an encoder's name, where the mean over its looks is meant: ``hemascope_s.looks``."""

LOOKS: tuple[Callable[[NDArray[np.uint8]], NDArray[np.uint8]], ...] = (
    lambda pixels: pixels,
    lambda pixels: pixels[:, ::-1],
    lambda pixels: pixels[::-1],
    lambda pixels: pixels.transpose(1, 0, 2),
)
"""As it is, mirrored either way, transposed."""


class LooksEncoder:
    """The mean of an encoder's embeddings over ``LOOKS``; an ``Encoder``.

    Where classes are Gaussians of one covariance, errors averaged over looks rank classes as the mean embedding does:
    the mean is what a diffusion classifier with a look a trial would come to.

    Parameters
    ----------
    encoder
        What looks.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    @property
    def identity(self) -> ModelIdentity:
        """What answers: the encoder, under a name that says it looked four times."""
        return replace(self._encoder.identity, name=self._encoder.identity.name + SUFFIX)

    @property
    def spec(self) -> EncoderSpec:
        """As the encoder's."""
        return self._encoder.spec

    def encode(self, crops: Sequence[CellCrop]) -> NDArray[np.float32]:
        """Return N x D mean embeddings, one row a crop in order; 0 x D for no crops."""
        return np.asarray(self.encode_looks(crops).mean(axis=0), np.float32)

    def encode_looks(self, crops: Sequence[CellCrop]) -> NDArray[np.float32]:
        """Return looks x N x D embeddings."""
        turned = [replace(crop, pixels=np.ascontiguousarray(look(crop.pixels))) for look in LOOKS for crop in crops]
        return self._encoder.encode(turned).reshape(len(LOOKS), len(crops), self.spec.dimension)
