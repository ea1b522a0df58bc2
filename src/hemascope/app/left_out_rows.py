"""The scores of novelty that the protocol ``left-out`` puts side by side, generative and discriminative."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.diffusion.trials import class_errors, draw_trials
from hemascope.classify.diffusion.zeta import zeta
from hemascope.classify.examples import LabeledEmbeddings
from hemascope.core.ports import ConditionalDenoiser
from hemascope.core.provenance import ModelIdentity
from hemascope.denoise.embedding import EmbeddingDenoiser
from hemascope.denoise.embedding_space import EmbeddingSpace, fit_embedding_space
from hemascope.evaluate.line_up import fit_classifier
from hemascope.stats.log_softmax import log_softmax

TRIALS = 16
"""Of the denoiser, in pairs of opposite noise, every class tried in each: classes given up early distort zeta."""

CELLS = 1024
"""Cells tried together; bounds memory."""

Values = NDArray[np.float32]
Scores = NDArray[np.float64]
Rows = Mapping[str, Callable[[Values], Scores]]
"""Name of a row to embeddings N x D to N scores, higher for what seems new."""


def generative_rows(train: LabeledEmbeddings, class_count: int) -> Rows:
    """Return scores by how well the known classes explain a cell.

    ``zeta`` (corrected, its sign turned) and ``explained_error`` (error of the class that explains best) are of the
    diffusion classifier over the denoiser of embeddings that learned from these cells alone; ``distance`` is that to
    the nearest center under a shared covariance (Mahalanobis), and ``relative_density`` that distance, squared, less
    the one to a single Gaussian of all known cells (Ren et al., arXiv:2106.09022).

    Parameters
    ----------
    train
        Cells of the known classes.
    class_count
        K; labels are 0 to K - 1.
    """
    space = fit_embedding_space(train.values, train.labels, class_count)
    names = [str(number) for number in range(class_count)]
    denoiser = EmbeddingDenoiser(names, space, ModelIdentity("gaussian_denoiser", "1", "", "numpy", "Apache-2.0"))
    return {
        "zeta": lambda values: _negative_zeta(_mean_errors(denoiser, denoiser.samples(values))),
        "explained_error": lambda values: _mean_errors(denoiser, denoiser.samples(values)).min(axis=1),
        "distance": lambda values: _distances(space.samples(values), space.centers).min(axis=1),
        "relative_density": _relative_density(train, space),
    }


def discriminative_rows(train: LabeledEmbeddings, validation: LabeledEmbeddings, names: Sequence[str]) -> Rows:
    """Return the rows of ``logit_scores`` for a linear probe, its penalty chosen on validation cells of known types."""
    probe = fit_classifier("linear_probe", train, validation, names)
    return {
        f"probe_{row}": lambda values, row=row: logit_scores(probe.logits(values))[row]  # type: ignore[misc]
        for row in ("max_softmax", "margin", "energy")
    }


def logit_scores(logits: NDArray[np.floating]) -> dict[str, Scores]:
    """Return scores of N x K logits, higher for what seems new.

    ``max_softmax``: the negative log of the greatest probability (Hendrycks, Gimpel, ICLR 2017); ``margin``: the second
    greatest logit less the greatest, the confidence of CytoDiffusion's discriminative baselines; ``energy``: the
    negative log of the sum of exponentials (Liu et al., NeurIPS 2020).
    """
    values = np.asarray(logits, np.float64)
    ranked = np.sort(values, axis=1)
    return {
        "max_softmax": -log_softmax(values).max(axis=1),
        "margin": ranked[:, -2] - ranked[:, -1],
        "energy": -np.logaddexp.reduce(values, axis=1),
    }


def _mean_errors(denoiser: ConditionalDenoiser, samples: Values) -> NDArray[np.float64]:
    """Return N x K errors, the mean over the same trials for all."""
    trials = draw_trials(denoiser, TRIALS)
    parts = [samples[start : start + CELLS] for start in range(0, len(samples), CELLS)]
    return np.concatenate([class_errors(denoiser, part, trials).mean(axis=2) for part in parts])


def _negative_zeta(errors: NDArray[np.float64]) -> Scores:
    return -zeta(errors / errors.mean(axis=1, keepdims=True))


def _relative_density(train: LabeledEmbeddings, space: EmbeddingSpace) -> Callable[[Values], Scores]:
    """Return the squared distance to the nearest center less that to one Gaussian of all known cells.

    Its covariance is that within classes, as it was shrunk (the identity in this space), and that between them: shrunk
    otherwise, what the classes share would not cancel.
    """
    shares = np.bincount(train.labels, minlength=len(space.centers)) / len(train.labels)
    middle = shares @ space.centers.astype(np.float64)
    apart = space.centers - middle
    covariance = np.eye(len(middle)) + (apart * shares[:, None]).T @ apart
    whitening = np.linalg.inv(np.linalg.cholesky(covariance)).T

    def score(values: Values) -> Scores:
        samples = space.samples(values)
        background = (((samples - middle) @ whitening) ** 2).sum(axis=1)
        return np.asarray(_distances(samples, space.centers).min(axis=1) - background, np.float64)

    return score


def _distances(samples: Values, centers: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return N x K squared distances."""
    points, corners = samples.astype(np.float64), centers.astype(np.float64)
    squared = (points**2).sum(axis=1)[:, None] + (corners**2).sum(axis=1) - 2 * points @ corners.T
    return np.asarray(np.maximum(squared, 0.0), np.float64)
