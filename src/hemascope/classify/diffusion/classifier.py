"""A denoiser as a classifier: the class under which the noise in a cell is predicted best (Li et al., ICCV 2023)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.diffusion.answers import DiffusionAnswers, answers_from, join_answers
from hemascope.classify.diffusion.elimination import AnytimeRule, EliminationRule
from hemascope.classify.diffusion.race import information, race
from hemascope.classify.diffusion.trials import Samples, Trials, class_errors, looks, observed
from hemascope.core.ports import ConditionalDenoiser

CELLS = 1024
"""Cells answered together, where they are given as an array; bounds the errors that are held."""


@dataclass(frozen=True, slots=True, eq=False)
class DiffusionClassifier:
    """Tries noise on cells until one class explains it best; an ``EmbeddingClassifier`` where samples are embeddings.

    Attributes
    ----------
    denoiser
        What predicts noise.
    trials
        All that may be tried, in this order; from ``draw_trials``.
    rule
        When a class is given up.
    prepare
        Embeddings to samples of the denoiser, for ``logits``; None where they are the samples.
    rows
        Rows in one call of the denoiser; see ``class_errors``.
    """

    denoiser: ConditionalDenoiser
    trials: Trials
    rule: EliminationRule = field(default_factory=AnytimeRule)
    prepare: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None
    rows: int | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the K classes."""
        return self.denoiser.classes

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N x K log likelihoods less the best class's; see ``DiffusionAnswers.logits``."""
        return self.answer(embeddings if self.prepare is None else self.prepare(embeddings)).logits

    def answer(self, samples: Samples, candidates: NDArray[np.bool_] | None = None) -> DiffusionAnswers:
        """Return how well each class explains each of N cells.

        The answer to a cell does not depend on the others.

        Parameters
        ----------
        samples
            N x shape, or a function that gives them for the number of a view.
        candidates
            N x K, the classes to try, at least one a cell; None for all.

        Raises
        ------
        ValueError
            If samples are not of the denoiser's shape, a cell has no candidate, or a prediction is not finite.
        """
        if callable(samples) or len(samples) <= CELLS:
            return self._answer(samples, candidates)
        parts = [slice(first, first + CELLS) for first in range(0, len(samples), CELLS)]
        return join_answers(
            [self._answer(samples[part], None if candidates is None else candidates[part]) for part in parts]
        )

    def _answer(self, samples: Samples, candidates: NDArray[np.bool_] | None) -> DiffusionAnswers:
        look = looks(samples)
        cell_count = len(look(int(self.trials.views[0])))
        alive = self._candidates(candidates, cell_count)

        def observe(cells: NDArray[np.intp], alive: NDArray[np.bool_], first: int, last: int) -> NDArray[np.float64]:
            return self._observe(lambda view: look(view)[cells], alive, self.trials.part(first, last))

        errors, left = race(self.rule, observe, alive, self.trials.observations)
        return answers_from(errors, left, information(self.trials, self.denoiser), self.trials.per_observation)

    def _candidates(self, candidates: NDArray[np.bool_] | None, cell_count: int) -> NDArray[np.bool_]:
        shape = (cell_count, len(self.classes))
        if candidates is None:
            return np.ones(shape, np.bool_)
        if candidates.shape != shape or not candidates.any(axis=1).all():
            raise ValueError(f"candidates must be {shape} marks with at least one a cell, not {candidates.shape}")
        return candidates

    def _observe(
        self, look: Callable[[int], NDArray[np.float32]], alive: NDArray[np.bool_], trials: Trials
    ) -> NDArray[np.float64]:
        """Return the errors of the cells looked at, at some observations, each the mean over its trials."""
        errors = class_errors(self.denoiser, look, trials, alive=alive, rows=self.rows)
        if not np.isfinite(errors[alive]).all():
            raise ValueError(
                f"{self.denoiser.identity.name} predicts noise that is not finite; check samples and weights"
            )
        return observed(errors, trials)
