"""A denoiser of embeddings: the exact answer for Gaussian classes, and what a small network learned to add to it.

Thousands of trials cost what one pass of an image denoiser costs. Where little is known (few labels) the Gaussian part
stands alone; the network is trained on what that part leaves unexplained, so it can only be needed where classes are no
Gaussians.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.core.noise_schedule import NoiseSchedule, cosine_schedule
from hemascope.core.ports import DenoiserGraph
from hemascope.core.provenance import ModelIdentity
from hemascope.denoise.embedding_space import EmbeddingSpace
from hemascope.denoise.gaussian import GaussianDenoiser


class EmbeddingDenoiser:
    """Samples are embeddings in an ``EmbeddingSpace``; a ``ConditionalDenoiser``.

    Parameters
    ----------
    classes
        K names.
    space
        Gives the classes' centers.
    identity
        What answers.
    residual
        Network that gives what is to be added to the Gaussian answer; None for the Gaussian answer alone.
    schedule
        How samples are noised.
    """

    def __init__(
        self,
        classes: Sequence[str],
        space: EmbeddingSpace,
        identity: ModelIdentity,
        residual: DenoiserGraph | None = None,
        schedule: NoiseSchedule | None = None,
    ) -> None:
        self.space = space
        self._gaussian = GaussianDenoiser(classes, space.centers, schedule or cosine_schedule(), identity)
        self._residual = residual
        self._one_hot = np.eye(len(classes), dtype=np.float32)

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._gaussian.identity

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the K classes."""
        return self._gaussian.classes

    @property
    def schedule(self) -> NoiseSchedule:
        """How its samples are noised."""
        return self._gaussian.schedule

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """``(M,)``."""
        return self._gaussian.sample_shape

    @property
    def mask(self) -> NDArray[np.float32]:
        """Ones: every number counts."""
        return self._gaussian.mask

    def samples(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return N x M samples of N x D embeddings."""
        return self.space.samples(embeddings)

    def predict_noise(
        self, noised: NDArray[np.float32], steps: NDArray[np.intp], classes: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Return the expected noise in N noised samples at N steps if they are of N classes."""
        noise = self._gaussian.predict_noise(noised, steps, classes)
        if self._residual is None:
            return noise
        times = (steps / len(self.schedule)).astype(np.float32)
        return noise + self._residual.run(noised, times, self._one_hot[classes])
