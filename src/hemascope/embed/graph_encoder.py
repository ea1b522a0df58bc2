"""Encoders that are a network: crops through a transform and a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import CellCrop
from hemascope.core.embedding import EncoderSpec
from hemascope.core.errors import WeightsError
from hemascope.core.ports import TensorGraph
from hemascope.core.provenance import ModelIdentity
from hemascope.embed.transforms import TRANSFORMS, network_batch

BATCH = 16
"""Larger batches gain nothing on a plain processor and cost memory."""


class GraphEncoder:
    """Embeds crops with a network; an ``Encoder``.

    Parameters
    ----------
    graph
        Its first output is the embedding, N x D; further ones are left alone.
    spec
        What the network takes and gives.

    Raises
    ------
    ValueError
        If there is no such transform.
    """

    def __init__(self, graph: TensorGraph, spec: EncoderSpec) -> None:
        if spec.transform not in TRANSFORMS:
            raise ValueError(f"there is no transform '{spec.transform}'; there are {', '.join(TRANSFORMS)}")
        self._graph = graph
        self._spec = spec

    @property
    def identity(self) -> ModelIdentity:
        """What answers, with its backend and precision."""
        return self._graph.identity

    @property
    def spec(self) -> EncoderSpec:
        """What it takes and gives."""
        return self._spec

    def encode(self, crops: Sequence[CellCrop]) -> NDArray[np.float32]:
        """Return N x D embeddings, one row a crop in order; 0 x D for no crops.

        Raises
        ------
        ValueError
            If a crop is not ``spec.crop_px`` pixels wide and high.
        WeightsError
            If the graph gives something else than finite embeddings of the stated length.
        """
        rows = [np.empty((0, self._spec.dimension), np.float32)]
        for start in range(0, len(crops), BATCH):
            batch = network_batch(crops[start : start + BATCH], self._spec.crop_px, self._spec.transform)
            rows.append(self._checked(self._graph.run(batch)[0], len(batch)))
        return np.concatenate(rows)

    def _checked(self, values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
        name, wanted = self.identity.name, (count, self._spec.dimension)
        if values.shape != wanted:
            raise WeightsError(f"{name}: its graph gives {values.shape}, its card says {wanted}; pull it again")
        if not np.isfinite(values).all():
            raise WeightsError(f"{name}: its graph gives numbers that are not finite; pull it again")
        return values.astype(np.float32, copy=False)


def read_encoder_spec(values: Mapping[str, Any], backend: str) -> EncoderSpec:
    """Return an encoder's specification from the ``spec`` of a model card.

    Parameters
    ----------
    values
        ``dimension``, ``crop_px``, ``crop_um``, ``transform``, ``stain``; further keys are left alone.
    backend
        What runs it, with the precision last: ``onnxruntime-cpu-fp32``.

    Raises
    ------
    WeightsError
        If a value is missing or of another type.
    """
    try:
        width, transform = values["crop_um"], str(values["transform"])
        if transform not in TRANSFORMS:
            raise ValueError(f"no transform '{transform}'")
        return EncoderSpec(
            dimension=int(values["dimension"]),
            crop_px=int(values["crop_px"]),
            crop_um=None if width is None else float(width),
            transform=transform,
            stain=str(values["stain"]),
            precision=backend.rpartition("-")[2],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"a model card describes no encoder ({type(error).__name__}: {error}); name a folder that an encoder was "
            "pulled or trained into"
        ) from error
