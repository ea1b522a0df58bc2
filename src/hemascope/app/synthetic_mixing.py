"""Synthetic cells in the training of a classifier: with and without, from few real cells and from all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fewshot import standardized
from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import Measures
from hemascope.app.synthetic_material import CLASSES, Numbers, Values
from hemascope.classify.linear_probe import LinearProbe, fit_linear_probe
from hemascope.core.provenance import ModelIdentity
from hemascope.denoise.embedding import EmbeddingDenoiser
from hemascope.denoise.embedding_space import EmbeddingSpace, fit_embedding_space
from hemascope.denoise.sampling import SamplingPlan, draw_samples
from hemascope.evaluate.few_shot import draw_few, score_draws

SHOTS = (10, 20, 50)
"""Real cells a type."""

SEEDS = 5

ALL = "all"
"""Stands where the whole train split is learned from; one draw then."""

PENALTY = 0.1
"""C of the linear probe, as in the benchmark ``fewshot``; nothing is chosen here."""

SHRINKAGE = 0.3
"""Of the covariance that embeddings are drawn from, as of the Gaussian classifier there."""

PLAN = SamplingPlan(steps=20)


@dataclass(frozen=True, slots=True, eq=False)
class MixingTask:
    """Embeddings of one encoder.

    Attributes
    ----------
    training, types, groups
        Of the train split.
    made, made_types
        Of generated cells.
    asked, asked_types, asked_groups
        Of the test split.
    """

    training: Values
    types: Numbers
    groups: NDArray[np.str_]
    made: Values
    made_types: Numbers
    asked: Values
    asked_types: Numbers
    asked_groups: NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Extra:
    """Synthetic embeddings with their types, already standardized as the real ones."""

    values: Values
    types: Numbers


MakeExtra = Callable[[Values, Numbers, Values, Numbers, int], Extra]
"""Real embeddings and types, those of generated cells, all standardized, and a seed to what is mixed in."""


def no_extra(values: Values, types: Numbers, made: Values, made_types: Numbers, seed: int) -> Extra:
    """Mix nothing in."""
    return Extra(values[:0], types[:0])


def weighted(values: Values, types: Numbers, made: Values, made_types: Numbers, seed: int) -> Extra:
    """Mix the real cells in once more."""
    return Extra(values, types)


def gaussian(values: Values, types: Numbers, made: Values, made_types: Numbers, seed: int) -> Extra:
    """Mix in as many as were generated, from the embedding denoiser fitted to the real cells at hand alone."""
    drawn = draw_embeddings(values, types, len(made) // len(CLASSES), seed)
    return Extra(drawn, np.repeat(np.arange(len(CLASSES)), len(drawn) // len(CLASSES)))


def pixels(values: Values, types: Numbers, made: Values, made_types: Numbers, seed: int) -> Extra:
    """Mix in the cells that the model generated."""
    return Extra(made, made_types)


MIXTURES: Mapping[str, MakeExtra] = {"real": no_extra, "weighted": weighted, "gaussian": gaussian, "pixels": pixels}
"""Row to what is mixed in."""


def measure_mixing(measures: Measures, prefix: str, task: MixingTask, progress: Progress) -> None:
    """Add the figures of every row at every number of real cells."""
    for shots in (*SHOTS, ALL):
        for number, (name, make) in enumerate(MIXTURES.items()):
            progress(f"mixing, {shots} real cells a type", number, len(MIXTURES))
            told = tell_with(task, shots, make)
            measures.add(f"{prefix}.{name}.{shots}", score_draws(told, task.asked_types, task.asked_groups))


def tell_with(task: MixingTask, shots: int | str, make: MakeExtra) -> Sequence[Numbers]:
    """Return the types told of the test cells, one array a draw."""
    told = []
    for seed in range(1 if shots == ALL else SEEDS):
        rows = np.arange(len(task.types)) if isinstance(shots, str) else draw_few(task.types, task.groups, shots, seed)
        real, made, asked = standardized(task.training[rows], task.made, task.asked)
        probe = fit_mixed(real, task.types[rows], make(real, task.types[rows], made, task.made_types, seed))
        told.append(np.asarray(probe.logits(asked).argmax(axis=1), np.intp))
    return told


def fit_mixed(real: Values, types: Numbers, extra: Extra) -> LinearProbe:
    """Return a linear probe of real cells and extra ones; these together weigh as much as the real ones."""
    weights = np.ones(len(real) + len(extra.values))
    if len(extra.values):
        weights[len(real) :] = len(real) / len(extra.values)
    values = np.concatenate([real, extra.values])
    labels = np.concatenate([types, extra.types])
    return fit_linear_probe(values, labels, CLASSES, c=PENALTY, sample_weights=weights)


def told_by_real(training: Values, types: Numbers, *asked: Values) -> list[Numbers]:
    """Return the types that a probe of all training cells tells of each array of embeddings."""
    probe = fit_mixed(training, types, Extra(training[:0], types[:0]))
    return [np.asarray(probe.logits(cells).argmax(axis=1), np.intp) for cells in asked]


def draw_embeddings(values: Values, types: Numbers, each: int, seed: int) -> Values:
    """Return ``each`` new embeddings of every type, type by type, from the Gaussian denoiser fitted to some cells."""
    space = fit_embedding_space(values, types, len(CLASSES), shrinkage=SHRINKAGE)
    identity = ModelIdentity("embedding-gaussian", "1", "", "numpy-cpu-fp32", "Apache-2.0")
    denoiser = EmbeddingDenoiser(CLASSES, space, identity)
    samples = [draw_samples(denoiser, place, each, PLAN, seed) for place in range(len(CLASSES))]
    return from_space(space, np.concatenate(samples))


def from_space(space: EmbeddingSpace, samples: Values) -> Values:
    """Return N x D embeddings whose samples are these, but for the space's clipping."""
    spread = np.where(np.isfinite(space.spread), space.spread, np.float32(0))
    standard = samples @ np.linalg.inv(space.whitening.astype(np.float64))
    return np.asarray(standard * spread + space.mean, np.float32)
