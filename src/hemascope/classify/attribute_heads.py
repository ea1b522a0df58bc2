"""What a cell looks like in words: linear heads on embeddings, one a question, each calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.linear_probe import LinearProbe, fit_linear_probe
from hemascope.core.errors import WeightsError
from hemascope.core.prediction import AttributeAnswer
from hemascope.core.taxonomy import CellType
from hemascope.stats.log_softmax import log_softmax
from hemascope.stats.temperature import fit_temperature, negative_log_likelihood

FAR = 8.0
"""Standard deviations of the training cells at which a value of an embedding is cut off: beyond them a straight line
says nothing."""


@dataclass(frozen=True, slots=True)
class Question:
    """One thing asked about a cell.

    Attributes
    ----------
    name
        Such as ``nucleus_shape``; unique.
    values
        Possible answers.
    cell_types
        Types of cell it is asked of.
    """

    name: str
    values: tuple[str, ...]
    cell_types: tuple[CellType, ...]


@dataclass(frozen=True, slots=True, eq=False)
class AttributeHead:
    """Answers one question.

    Attributes
    ----------
    question
        What it answers.
    weights, intercepts
        D x K and K float32.
    temperature
        Logits are divided by it.
    """

    question: Question
    weights: NDArray[np.float32]
    intercepts: NDArray[np.float32]
    temperature: float

    def probabilities(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N x K probabilities for N x D embeddings; each row sums to 1."""
        logits = embeddings.astype(np.float64) @ self.weights + self.intercepts
        return np.asarray(np.exp(log_softmax(logits / self.temperature)), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class AttributeHeads:
    """All heads on one encoder, or on several whose embeddings stand side by side.

    Attributes
    ----------
    encoders
        Digests (``core.embedding.encoder_digest``, or the sha256 of a model) of the encoders, in order.
    low, high
        D float32 each: embeddings are cut off there.
    heads
        One a question.
    """

    encoders: tuple[str, ...]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    heads: tuple[AttributeHead, ...]

    def probabilities(self, embeddings: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
        """Return question to N x K probabilities, whatever the cells' types.

        Raises
        ------
        ValueError
            If the embeddings are not N x D or not finite.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != len(self.low):
            raise ValueError(f"the heads take N x {len(self.low)} embeddings, not {embeddings.shape}")
        if not np.isfinite(embeddings).all():
            raise ValueError("an embedding is not finite")
        within = np.clip(embeddings, self.low, self.high)
        return {head.question.name: head.probabilities(within) for head in self.heads}

    def answer(
        self, embeddings: NDArray[np.float32], cell_types: Sequence[CellType | None]
    ) -> list[dict[str, AttributeAnswer]]:
        """Return for each cell the questions that are asked of its type, answered; none for a cell without a type.

        Raises
        ------
        ValueError
            As ``probabilities``, or if there is not one type a row.
        """
        if len(cell_types) != len(embeddings):
            raise ValueError(f"{len(embeddings)} embeddings need as many types, not {len(cell_types)}")
        found = self.probabilities(embeddings)
        return [
            {
                head.question.name: _likeliest(head.question, found[head.question.name][row])
                for head in self.heads
                if cell_type in head.question.cell_types
            }
            for row, cell_type in enumerate(cell_types)
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Embeddings with the numbers of the right answers."""

    values: NDArray[np.float32]
    labels: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class FittedHead:
    """A head, the penalty that was chosen for it, and its mean loss in nats on the cells that chose."""

    head: AttributeHead
    c: float
    loss: float


def limits_of(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the values ``FAR`` standard deviations below and above the mean of each dimension."""
    mean, deviation = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    return (mean - FAR * deviation).astype(np.float32), (mean + FAR * deviation).astype(np.float32)


def fit_head(question: Question, train: Examples, validation: Examples, penalties: Sequence[float]) -> FittedHead:
    """Return the head of least loss on validation cells, over penalties, each with its own temperature.

    Parameters
    ----------
    question
        What is asked.
    train, validation
        Cells to learn from; cells that choose penalty and temperature. Embeddings are within the limits already.
    penalties
        Values of C to try, in rising order.

    Raises
    ------
    DataSetError
        If a value has no training example.
    ValueError
        If there is no penalty or no validation cell.
    """
    if not penalties:
        raise ValueError("a head needs at least one penalty to choose from")
    best: FittedHead | None = None
    start: LinearProbe | None = None
    for c in penalties:
        probe = fit_linear_probe(train.values, train.labels, question.values, c=c, start=start)
        start = probe
        logits = probe.logits(validation.values)
        temperature = fit_temperature(logits, validation.labels)
        loss = negative_log_likelihood(logits, validation.labels, temperature)
        if best is None or loss < best.loss:
            weights, intercepts = probe.weights.astype(np.float32), probe.intercepts.astype(np.float32)
            best = FittedHead(AttributeHead(question, weights, intercepts, temperature), c, loss)
    assert best is not None  # noqa: S101  # there is at least one penalty
    return best


def heads_to_tensors(heads: AttributeHeads) -> dict[str, NDArray[np.float32]]:
    """Return the numbers of all heads under names."""
    tensors = {"low": heads.low, "high": heads.high}
    for head in heads.heads:
        tensors[f"{head.question.name}.weights"] = head.weights
        tensors[f"{head.question.name}.intercepts"] = head.intercepts
    return tensors


def heads_to_spec(heads: AttributeHeads) -> dict[str, Any]:
    """Return everything else about them, in plain JSON types."""
    return {
        "encoders": list(heads.encoders),
        "questions": [
            {
                "name": head.question.name,
                "values": list(head.question.values),
                "cell_types": [cell_type.value for cell_type in head.question.cell_types],
                "temperature": head.temperature,
            }
            for head in heads.heads
        ],
    }


def read_heads(spec: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> AttributeHeads:
    """Return the heads that a card and its tensors describe.

    Raises
    ------
    WeightsError
        If they do not fit together.
    """
    try:
        low, high = np.asarray(tensors["low"], np.float32), np.asarray(tensors["high"], np.float32)
        heads = tuple(_read_head(values, tensors, len(low)) for values in spec["questions"])
        return AttributeHeads(tuple(str(name) for name in spec["encoders"]), low, high, heads)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"a model card describes no attribute heads ({type(error).__name__}: {error}); "
            "name a folder that 'hemascope train attributes' wrote"
        ) from error


def _read_head(values: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], dimension: int) -> AttributeHead:
    name = str(values["name"])
    types = tuple(CellType(cell_type) for cell_type in values["cell_types"])
    question = Question(name, tuple(str(value) for value in values["values"]), types)
    weights = np.asarray(tensors[f"{name}.weights"], np.float32)
    intercepts = np.asarray(tensors[f"{name}.intercepts"], np.float32)
    wanted = (dimension, len(question.values))
    if weights.shape != wanted or intercepts.shape != wanted[1:]:
        raise ValueError(f"{name} has weights {weights.shape}, not {wanted}")
    return AttributeHead(question, weights, intercepts, float(values["temperature"]))


def _likeliest(question: Question, probabilities: NDArray[np.float64]) -> AttributeAnswer:
    place = int(probabilities.argmax())
    return AttributeAnswer(question.values[place], float(probabilities[place]))
