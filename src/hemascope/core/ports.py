"""One protocol per replaceable part; any object that satisfies it can be passed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag import Bag
from hemascope.core.bag_prediction import BagPrediction
from hemascope.core.bag_task import BagTask
from hemascope.core.cell import Cell, CellCrop
from hemascope.core.embedding import EncoderSpec
from hemascope.core.noise_schedule import NoiseSchedule
from hemascope.core.prediction import CellAttributes, CellPrediction, GenerativeJudgement, RedCellPrediction
from hemascope.core.provenance import ModelIdentity
from hemascope.core.report import FieldResult, SmearReport
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellType


class FieldReader(Protocol):
    """Files to fields."""

    def read(self, path: Path, field_id: str) -> Field:
        """Return the decoded field; raise ``InputError`` saying what is wrong with the file."""
        ...


class Segmenter(Protocol):
    """Fields to cells."""

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        ...

    def find(self, field: Field) -> list[Cell]:
        """Return every cell of ``field``, whose scale is known; in order of ids, outlines inside the field."""
        ...


@runtime_checkable
class CandidateFinder(Segmenter, Protocol):
    """A segmenter that can say what it left out: figures over all thresholds need that."""

    def candidates(self, field: Field, least_score: float) -> list[Cell]:
        """Return what ``find`` returns and, below its threshold, whatever scores at least ``least_score``.

        Scores are such that ``find`` returns exactly the candidates of 0.5 and above.
        """
        ...


class TensorGraph(Protocol):
    """A network as the science rooms see it: arrays in, arrays out, whatever runs it."""

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        ...

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Return the network's outputs for a batch N x 3 x H x W, each with N first."""
        ...


class DenoiserGraph(Protocol):
    """A conditional network as a denoiser sees it, whatever runs it."""

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        ...

    def run(
        self, noised: NDArray[np.float32], times: NDArray[np.float32], conditions: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return N outputs shaped as the N noised samples, for N times and N x K rows of class shares.

        A time is the step over the number of steps, 0 to 1. Shares are one-hot for a class; a row of zeros names none.
        """
        ...


class Encoder(Protocol):
    """Crops to embeddings."""

    @property
    def identity(self) -> ModelIdentity:
        """What answers, with its backend and precision."""
        ...

    @property
    def spec(self) -> EncoderSpec:
        """What it takes and gives."""
        ...

    def encode(self, crops: Sequence[CellCrop]) -> NDArray[np.float32]:
        """Return N x D embeddings, finite, one row a crop in order; 0 x D for no crops.

        An embedding depends on its crop alone, not on what else is in the batch. Raises ``ValueError`` for a crop that
        is not ``spec.crop_px`` pixels wide and high.
        """
        ...


class EmbeddingClassifier(Protocol):
    """A fitted classifier of embeddings, or of handcrafted descriptors."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the K classes, in the order of its outputs."""
        ...

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N x K unnormalized log probabilities for N x D embeddings; their softmax sums to 1."""
        ...


class ConditionalDenoiser(Protocol):
    """Noised samples and a class to the noise in them.

    A sample is whatever the denoiser explains: an image of a cell, its latent, or its embedding.
    """

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the K classes it was trained with, in the order of their numbers."""
        ...

    @property
    def schedule(self) -> NoiseSchedule:
        """How its samples are noised."""
        ...

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample: channels, height, width; or the length of an embedding."""
        ...

    @property
    def mask(self) -> NDArray[np.float32]:
        """Weights of the squared error, of ``sample_shape``, 0 to 1, not all 0: a disk in images, 1 in embeddings."""
        ...

    def predict_noise(
        self, noised: NDArray[np.float32], steps: NDArray[np.intp], classes: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Return the noise expected in N noised samples at N steps if they are of N classes; shaped as the samples.

        The answer to a row depends on that row alone.
        """
        ...


class CellDenoiser(ConditionalDenoiser, Protocol):
    """A denoiser that knows how a crop becomes its sample."""

    @property
    def crop_size(self) -> tuple[int, float]:
        """Side in pixels and width in um of the crops it takes."""
        ...

    def samples(self, crops: Sequence[CellCrop], view: int) -> NDArray[np.float32]:
        """Return one sample a crop, in order.

        View 0 is the crop as it is; every other number names a look at it, turned or mirrored, the same for all crops.
        """
        ...


class CellClassifier(Protocol):
    """Crops to predictions."""

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        ...

    @property
    def crop_size(self) -> tuple[int, float]:
        """Side in pixels and width in um of the crops it takes."""
        ...

    def classify(self, crops: Sequence[CellCrop]) -> list[CellPrediction]:
        """Return one prediction a crop, in order; an empty list for no crops."""
        ...


class RedCellClassifier(Protocol):
    """Crops of red cells to their morphology."""

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        ...

    @property
    def crop_size(self) -> tuple[int, float]:
        """Side in pixels and width in um of the crops it takes."""
        ...

    def classify(self, crops: Sequence[CellCrop]) -> list[RedCellPrediction]:
        """Return one prediction a crop, in order; an empty list for no crops."""
        ...


class AttributeTeller(Protocol):
    """Crops of white cells whose type is told to what they look like."""

    @property
    def identities(self) -> tuple[ModelIdentity, ...]:
        """What answers."""
        ...

    @property
    def crop_sizes(self) -> tuple[tuple[int, float], ...]:
        """Side in pixels and width in um of the crops it takes, each size once."""
        ...

    @property
    def cell_types(self) -> frozenset[CellType]:
        """Types that anything is asked of."""
        ...

    def tell(
        self, crops: Mapping[tuple[int, float], Sequence[CellCrop]], cell_types: Sequence[CellType]
    ) -> list[CellAttributes]:
        """Return one record a cell, in order; an empty list for no cells.

        ``crops`` holds for each of ``crop_sizes`` a crop of every cell; ``cell_types`` their types, of ``cell_types``.
        """
        ...


class CellJudge(Protocol):
    """Crops of white cells to how well a generative model explains them."""

    @property
    def identities(self) -> tuple[ModelIdentity, ...]:
        """What answers."""
        ...

    @property
    def crop_sizes(self) -> tuple[tuple[int, float], ...]:
        """Side in pixels and width in um of the crops it takes, each size once."""
        ...

    def judge(
        self, crops: Mapping[tuple[int, float], Sequence[CellCrop]], predictions: Sequence[CellPrediction]
    ) -> list[GenerativeJudgement]:
        """Return one judgement a cell, in order; an empty list for no cells.

        ``crops`` holds for each of ``crop_sizes`` a crop of every cell; ``predictions`` what the classifier said of it.
        A judgement depends on its cell alone, and twice the same cell gets the same one. Raises ``ValueError`` if there
        is not one crop of each size a cell.
        """
        ...


class ResultSink(Protocol):
    """Takes results as they come, and writes one artefact at the end.

    ``add`` must not keep the pixels of a field: a run over any number of fields stays in bounded memory.
    The artefact appears only when ``finish`` returns; ``abandon`` leaves nothing behind.
    """

    def add(self, result: FieldResult) -> None:
        """Take one analyzed field."""
        ...

    def finish(self, report: SmearReport) -> Path:
        """Write the artefact whole and return its path; raise ``OutputError`` if it cannot be."""
        ...

    def abandon(self) -> None:
        """Remove anything unfinished; safe to call at any time."""
        ...


class BagModel(Protocol):
    """Bags to what a patient has."""

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        ...

    @property
    def encoder(self) -> str:
        """Digest or name of the encoder whose embeddings it takes; see ``Bag.encoder``."""
        ...

    @property
    def tasks(self) -> tuple[BagTask, ...]:
        """What it answers."""
        ...

    def predict(self, bag: Bag) -> BagPrediction:
        """Return the answer for one bag of any size; it does not depend on the order of the cells.

        Raises ``CohortError`` if the bag was made by another encoder or has another dimension.
        """
        ...
