"""The classifiers of embeddings that the benchmark ``generative`` puts side by side, discriminative and generative."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.calibrated import calibrate
from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.classify.diffusion.trials import draw_trials
from hemascope.classify.examples import LabeledEmbeddings
from hemascope.classify.gaussian import SharedGaussian, fit_shared_gaussian
from hemascope.classify.linear_probe import balanced_weights, fit_linear_probe
from hemascope.classify.mixture import fit_mixture
from hemascope.core.ports import EmbeddingClassifier
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.denoise.embedding import EmbeddingDenoiser
from hemascope.denoise.embedding_space import fit_embedding_space
from hemascope.evaluate.leaks import check_disjoint_groups
from hemascope.evaluate.line_up import SHRINKAGES, fit_classifier, validation_loss

CLASSES = tuple(cell_type.value for cell_type in CellType)

COMPONENTS = (2, 3, 5)
"""Components a class among which validation chooses."""

TRIALS = 16
"""Of the embedding denoiser, in pairs of opposite noise: a Gaussian one is exact from the first pair on."""

PROBE_ITERATIONS = 300
"""Of a linear probe whose penalty is given, as in the protocol ``transfer``."""

Values = NDArray[np.float32]
Labels = NDArray[np.intp]
_Setting = TypeVar("_Setting", int, float)


@dataclass(frozen=True, slots=True, eq=False)
class WithoutShares:
    """A classifier with every class counted alike, whatever its share of the training cells.

    Attributes
    ----------
    base
        Whose logits hold under the shares of its training cells.
    log_shares
        K logarithms of these.
    """

    base: EmbeddingClassifier
    log_shares: NDArray[np.float64]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the K classes."""
        return self.base.classes

    def logits(self, embeddings: Values) -> NDArray[np.float64]:
        """Return N x K logits under equal shares."""
        return self.base.logits(embeddings) - self.log_shares


def gaussian_denoiser(values: Values, labels: Labels, shrinkage: float | None, seed: int = 0) -> DiffusionClassifier:
    """Return the diffusion classifier of an embedding denoiser that learned from these cells alone.

    Its network adds nothing yet: it is the exact denoiser of Gaussian classes, asked as any other denoiser is.
    """
    space = fit_embedding_space(values, labels, len(CLASSES), shrinkage=shrinkage)
    identity = ModelIdentity("gaussian_denoiser", "1", "", "numpy", "Apache-2.0")
    denoiser = EmbeddingDenoiser(CLASSES, space, identity)
    return DiffusionClassifier(denoiser, draw_trials(denoiser, TRIALS, seed=seed), prepare=denoiser.samples)


FEW: Mapping[str, Callable[[Values, Labels], EmbeddingClassifier]] = {
    "linear_probe": lambda x, y: fit_linear_probe(x, y, CLASSES, c=0.1),
    "gaussian": lambda x, y: fit_shared_gaussian(x, y, CLASSES, shrinkage=0.3),
    "mixture": lambda x, y: fit_mixture(x, y, CLASSES, components=2, shrinkage=0.3),
    "embedding_denoiser": lambda x, y: gaussian_denoiser(x, y, None),
}
"""Classifiers from few labels, with fixed settings: nothing is chosen on any split."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What was fitted on one embedding.

    Attributes
    ----------
    rows
        Name of a row to its classifier, calibrated.
    gaussian
        The chosen Gaussian, whose distance is a confidence of its own.
    chosen
        What validation chose, in plain JSON types.
    """

    rows: dict[str, EmbeddingClassifier]
    gaussian: SharedGaussian
    chosen: dict[str, object]


def fit_chosen(train: LabeledEmbeddings, validation: LabeledEmbeddings, penalty: float | None = None) -> Fitted:
    """Return classifiers fitted on training cells, their settings chosen and their logits calibrated on validation.

    The settings are those of the least negative log-likelihood at the best temperature. The Gaussian, the mixture and
    the denoiser hold under equal shares of the classes; the probe under those of training, which are near equal.

    Parameters
    ----------
    train, validation
        Cells with groups.
    penalty
        C of the linear probe, with all classes counted alike, as in the protocol ``transfer``; None lets validation
        choose, with cells counted alike.

    Raises
    ------
    DataSetError
        If a class has no example, or a group sits in training and in validation.
    """
    check_disjoint_groups(train.groups, validation.groups, test="validation")
    values, labels = train.values, train.labels
    gaussians = {share: fit_shared_gaussian(values, labels, CLASSES, shrinkage=share) for share in SHRINKAGES}
    shrinkage = _best(gaussians, validation)
    mixtures = {n: fit_mixture(values, labels, CLASSES, components=n, shrinkage=shrinkage) for n in COMPONENTS}
    components = _best(mixtures, validation)
    denoisers = {share: gaussian_denoiser(values, labels, share) for share in SHRINKAGES}
    denoiser_shrinkage = _best(denoisers, validation)
    found: dict[str, EmbeddingClassifier] = {
        "linear_probe": _probe(train, validation, penalty),
        "gaussian": WithoutShares(gaussians[shrinkage], gaussians[shrinkage].log_shares),
        "mixture": WithoutShares(mixtures[components], mixtures[components].log_shares),
        "embedding_denoiser": denoisers[denoiser_shrinkage],
    }
    return Fitted(
        rows={row: calibrate(fitted, validation.values, validation.labels) for row, fitted in found.items()},
        gaussian=gaussians[shrinkage],
        chosen={"shrinkage": shrinkage, "components": components, "denoiser_shrinkage": denoiser_shrinkage},
    )


def _probe(train: LabeledEmbeddings, validation: LabeledEmbeddings, penalty: float | None) -> EmbeddingClassifier:
    if penalty is None:
        return fit_classifier("linear_probe", train, validation, CLASSES)
    weights = balanced_weights(train.labels, len(CLASSES))
    return fit_linear_probe(
        train.values, train.labels, CLASSES, c=penalty, class_weights=weights, max_iterations=PROBE_ITERATIONS
    )


def _best(fitted: Mapping[_Setting, EmbeddingClassifier], validation: LabeledEmbeddings) -> _Setting:
    return min(fitted, key=lambda setting: validation_loss(fitted[setting], validation))
