"""The use case `embed`: images to embeddings of their cells, each computed once.

What an image's embeddings rest on (the encoder, how crops are made, the bytes of the file) names a shard in a store.
A run takes the shards that are there, makes the missing ones, and writes one table of all. Every shard is put in place
as soon as it is made, so an interrupted run goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hemascope.app.cell_images import ENCODED_AT_ONCE, CellImage, CellImages, Cropped
from hemascope.core.cell import CellCrop
from hemascope.core.embedding import Embeddings, encoder_digest
from hemascope.core.errors import InputError, NoImagesError, WeightsError
from hemascope.core.feature_bag import FeatureBag
from hemascope.core.ports import Encoder
from hemascope.core.report import FailedInput
from hemascope.embed.store import DamagedShardError, Shard, ShardStore, shard_key


class BagSink(Protocol):
    """Takes the embeddings of one image after another, and writes one artefact at the end."""

    def add(self, bag: FeatureBag) -> None:
        """Take one image; raise ``OutputError`` if it cannot be kept."""
        ...

    def finish(self, facts: Mapping[str, object]) -> Path:
        """Write the artefact whole, with ``facts`` about the run, and return its path."""
        ...

    def abandon(self) -> None:
        """Remove anything unfinished; safe to call at any time."""
        ...


@dataclass(slots=True)
class EmbedSummary:
    """What a run did.

    Attributes
    ----------
    images, cells
        In the artefact.
    computed, reused, remade
        Images encoded now; taken from the store; and, among those encoded, in place of a damaged shard.
    failed
        Files that could not be used.
    path
        The artefact.
    """

    images: int = 0
    cells: int = 0
    computed: int = 0
    reused: int = 0
    remade: int = 0
    failed: list[FailedInput] = field(default_factory=list)
    path: Path = Path()


OnImage = Callable[[str], None]
"""Called after every image with a short note."""


def embed(
    images: CellImages,
    encoder: Encoder,
    store: ShardStore,
    sink: BagSink,
    facts: Callable[[EmbedSummary], Mapping[str, object]],
    on_image: OnImage,
) -> EmbedSummary:
    """Embed the cells of every image, and write one artefact.

    Parameters
    ----------
    images
        What to embed.
    encoder
        Makes embeddings of crops.
    store
        Where embeddings are kept between runs.
    sink
        Takes them.
    facts
        What the artefact says of the run, asked for at its end.
    on_image
        Called after every image.

    Raises
    ------
    NoImagesError
        If not one image could be used.
    OutputError
        If the store or the artefact cannot be written; what is in the store stays there.
    """
    run = _Run(encoder, store, encoder_digest(encoder.identity, encoder.spec))
    try:
        for group in images.groups():
            for name, bag in run.bags(group):
                if bag is None:
                    on_image(f"{name[-32:]}: not readable")
                    continue
                sink.add(bag)
                on_image(f"{name[-32:]}: {len(bag)} cells")
        if not run.summary.images:
            raise NoImagesError(_nothing_read(run.summary.failed))
        run.summary.path = sink.finish(facts(run.summary))
    except BaseException:
        sink.abandon()
        raise
    return run.summary


class _Run:
    """One run: what is made, what is taken, and the count of both."""

    def __init__(self, encoder: Encoder, store: ShardStore, digest: str) -> None:
        self._encoder = encoder
        self._store = store
        self._digest = digest
        self.summary = EmbedSummary()

    def bags(self, group: Sequence[CellImage | FailedInput]) -> Iterator[tuple[str, FeatureBag | None]]:
        """Yield every image of a group with its embeddings, in order; None for one that could not be used."""
        keys = {image.name: self._key(image) for image in group if isinstance(image, CellImage)}
        shards = {name: shard for name, key in keys.items() if (shard := self._read(key)) is not None}
        self.summary.reused += len(shards)
        cropped, failed = _cut([image for image in group if isinstance(image, FailedInput) or image.name not in shards])
        for name, shard in self._encoded(cropped):
            self._store.write(keys[name], shard)
            shards[name] = shard
        self.summary.computed += len(cropped)
        self.summary.failed += failed.values()
        for image in group:
            name = image.path if isinstance(image, FailedInput) else image.name
            if isinstance(image, FailedInput) or name in failed:
                yield name, None
                continue
            bag = _bag(image, shards[name], self._digest)
            self.summary.images += 1
            self.summary.cells += len(bag)
            yield name, bag

    def _key(self, image: CellImage) -> str:
        return shard_key(self._digest, image.step, image.sha256)

    def _read(self, key: str) -> Shard | None:
        """Return the shard of a key if it is there and whole."""
        try:
            return self._store.read(key)
        except DamagedShardError:
            self.summary.remade += 1
            return None

    def _encoded(self, cropped: Mapping[str, Cropped]) -> Iterator[tuple[str, Shard]]:
        """Yield name and shard of every image of a group; crops of small images are encoded together."""
        crops = chain.from_iterable(image.crops for image in cropped.values())
        values = np.concatenate([np.empty((0, self._encoder.spec.dimension), np.float32), *self._batches(crops)])
        start = 0
        for name, image in cropped.items():
            end = start + len(next(iter(image.columns.values())))
            yield name, Shard(values[start:end], image.columns)
            start = end

    def _batches(self, crops: Iterator[CellCrop]) -> Iterator[NDArray[np.float32]]:
        while batch := list(islice(crops, ENCODED_AT_ONCE)):
            values = self._encoder.encode(batch)
            if values.shape != (len(batch), self._encoder.spec.dimension) or not np.isfinite(values).all():
                raise WeightsError(
                    f"the encoder {self._encoder.identity.name} gives {values.shape} for {len(batch)} cells, or "
                    "numbers that are not finite; choose another one"
                )
            yield values


def _cut(images: Sequence[CellImage | FailedInput]) -> tuple[dict[str, Cropped], dict[str, FailedInput]]:
    """Return the crops of images, and what is wrong with the others."""
    cropped: dict[str, Cropped] = {}
    failed: dict[str, FailedInput] = {}
    for image in images:
        if isinstance(image, FailedInput):
            failed[image.path] = image
            continue
        try:
            cropped[image.name] = image.crop()
        except InputError as error:
            path = str(image.facts.get("field_path", image.name))
            failed[image.name] = FailedInput(path, type(error).__name__, str(error))
    return cropped, failed


def _bag(image: CellImage, shard: Shard, encoder: str) -> FeatureBag:
    """Return a shard under the name of its image in this run."""
    rows = len(shard.values)
    columns = dict(shard.columns)
    numbers = columns.pop("number", None)
    ids = (image.name,) if numbers is None else tuple(f"{image.name}#{number}" for number in numbers.tolist())
    known: dict[str, NDArray[np.generic]] = {"field_id": np.full(rows, image.name)}
    known |= {name: _repeated(value, rows) for name, value in image.facts.items()}
    centers = None
    if "center_x_px" in columns:
        centers = np.stack([columns["center_x_px"], columns["center_y_px"]], axis=1).astype(np.float64)
    return FeatureBag(image.name, Embeddings(ids, shard.values, encoder), known | columns, centers)


def _repeated(value: str | float | None, rows: int) -> NDArray[np.generic]:
    return np.full(rows, np.nan if value is None else value)


def _nothing_read(failed: Sequence[FailedInput]) -> str:
    reason = f"; the first: {failed[0].message}" if failed else ""
    return f"none of the {len(failed)} files could be read{reason}"
