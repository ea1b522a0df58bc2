"""What was computed of the crops seen last: several parts of one analysis ask for the same rows."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import CellCrop
from hemascope.core.embedding import EncoderSpec
from hemascope.core.ports import Encoder, TensorGraph
from hemascope.core.provenance import ModelIdentity

ROOM = 1024
"""Rows kept: more than one field has white cells, and about a megabyte."""

Row = tuple[NDArray[np.float32], ...]


class RowMemory:
    """Rows by the digest of what they were computed from; the oldest go first.

    Parameters
    ----------
    room
        Most rows to keep.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._rows: OrderedDict[bytes, Row] = OrderedDict()

    def recall(self, keys: Sequence[bytes], compute: Callable[[Sequence[int]], Sequence[Row]]) -> list[Row]:
        """Return one row a key, in order.

        Parameters
        ----------
        keys
            Digests.
        compute
            From the places of the keys that are not known, in rising order, to their rows.
        """
        found = {key: self._rows[key] for key in keys if key in self._rows}
        missing = [place for place, key in enumerate(keys) if key not in found]
        for place, row in zip(missing, compute(missing) if missing else (), strict=True):
            found[keys[place]] = self._rows[keys[place]] = tuple(_kept(values) for values in row)
        while len(self._rows) > self._room:
            self._rows.popitem(last=False)
        return [found[key] for key in keys]


class RememberingEncoder:
    """An encoder that does not ask twice for the crops seen last; an ``Encoder``.

    Rows are found by the crops' pixels and width, so they are those of the encoder whatever the cells are called.

    Parameters
    ----------
    encoder
        What answers.
    room
        Most rows to keep.
    """

    def __init__(self, encoder: Encoder, room: int = ROOM) -> None:
        self._encoder = encoder
        self._memory = RowMemory(room)

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._encoder.identity

    @property
    def spec(self) -> EncoderSpec:
        """What it takes and gives."""
        return self._encoder.spec

    def encode(self, crops: Sequence[CellCrop]) -> NDArray[np.float32]:
        """Return N x D embeddings, one row a crop in order; errors are those of the encoder."""
        if not crops:
            return self._encoder.encode(crops)

        def compute(places: Sequence[int]) -> list[Row]:
            return [(row,) for row in self._encoder.encode([crops[place] for place in places])]

        rows = self._memory.recall([_of_crop(crop) for crop in crops], compute)
        return np.stack([row for (row,) in rows])


class RememberingGraph:
    """A network that does not run twice on the inputs seen last; a ``TensorGraph``.

    Parameters
    ----------
    graph
        What answers; each row of its outputs depends on its row of the input alone.
    room
        Most rows to keep.
    """

    def __init__(self, graph: TensorGraph, room: int = ROOM) -> None:
        self._graph = graph
        self._memory = RowMemory(room)

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._graph.identity

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Return the network's outputs for a batch N x 3 x H x W, each with N first."""
        if not len(batch):
            return self._graph.run(batch)

        def compute(places: Sequence[int]) -> list[Row]:
            whole = len(places) == len(batch)
            return list(zip(*self._graph.run(batch if whole else batch[list(places)]), strict=True))

        rows = self._memory.recall([_digest(row, str(row.shape)) for row in batch], compute)
        return tuple(np.stack(output) for output in zip(*rows, strict=True))


class OutputOf:
    """One of a network's outputs as a network of its own; a ``TensorGraph``.

    Parameters
    ----------
    graph
        What answers.
    output
        Number of the output.
    """

    def __init__(self, graph: TensorGraph, output: int) -> None:
        self._graph = graph
        self._output = output

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._graph.identity

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Return the one output, N first, alone in a tuple."""
        return (self._graph.run(batch)[self._output],)


def _kept(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a copy that nobody can change: a view would keep its whole batch."""
    kept = np.array(values)
    kept.flags.writeable = False
    return kept


def _of_crop(crop: CellCrop) -> bytes:
    return _digest(crop.pixels, f"{crop.pixels.shape} {crop.pixels.dtype} {float(crop.width)!r}")


def _digest(values: NDArray[np.generic], said: str) -> bytes:
    digest = hashlib.blake2b(said.encode(), digest_size=16)
    digest.update(np.ascontiguousarray(values).data)
    return digest.digest()
