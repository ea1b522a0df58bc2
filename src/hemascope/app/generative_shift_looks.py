"""The generative classifier made for other laboratories: fitted on looks that they could have given.

Fitted on bare crops of one laboratory, classes are narrow in directions that only differ between laboratories, and a
distance there decides alone. Fitted on jittered looks, classes are as wide there as laboratories differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_transfer import stain_of
from hemascope.app.generative_rows import gaussian_denoiser
from hemascope.app.generative_task import GenerativeTask
from hemascope.app.protocol_encoder import CropAnswers, ProtocolEncoder
from hemascope.app.target_cells import TARGETS, TypedCell, class_numbers, group_names
from hemascope.app.transfer_variants import PRIORS, STEPS
from hemascope.classify.adapt import StainProfile, match_stain, mix_answers, reweigh, turned
from hemascope.core.ports import EmbeddingClassifier
from hemascope.embed.jitter import jittered
from hemascope.evaluate.transfer import SourceAnswers, choose_by_others, mean_recall, pick
from hemascope.stats.log_softmax import log_softmax
from hemascope.stats.temperature import fit_temperature, negative_log_likelihood

DRAWS = 2
"""Jittered looks at each training cell."""

SHRINKAGES = (0.1, 0.3, 0.6)
"""Shares of the identity in the covariance that jittered validation cells choose from."""

DENOISER, NETWORK = "jittered_denoiser", "network"

Answers = dict[str, dict[str, SourceAnswers]]
"""Row, without its encoder, to target to answers."""


def answers_by_looks(task: GenerativeTask, encoder: ProtocolEncoder) -> tuple[Answers, dict[str, object]]:
    """Return the rows of one encoder, plain under both priors and adapted, and what was chosen.

    Nothing of a target chooses for itself: the denoiser's settings come from jittered cells of PBC's validation split,
    the variant of an adapted row from the labels of the other three targets.
    """
    classifier, temperature, chosen = fit_on_looks(task, encoder)
    rows: Answers = {}
    variants: dict[str, Answers] = {DENOISER: {}, NETWORK: {}}
    stains = {place: stain_of(encoder, list(task.cells(place))) for place in TARGETS}
    home = stain_of(encoder, [c for c in task.cells("train") if c.cell_type.value not in ("platelet", "erythroblast")])
    for name in TARGETS:
        cells = task.cells(name)
        plain = task.answers(encoder, name)
        views = encoder.answer_cells(cells, task.progress, turned)
        stained = encoder.answer_cells(cells, task.progress, stain_looks(stains[name], home))
        denoised = [_log_p(classifier, temperature, answers) for answers in (plain, views, stained)]
        for prior, weights in PRIORS.items():
            rows.setdefault(f"{DENOISER}.{prior}", {})[name] = _told(cells, reweigh(denoised[0], weights))
        heads = {DENOISER: denoised[1:]}
        if views.logits is not None and stained.logits is not None:
            heads[NETWORK] = [log_softmax(views.logits), log_softmax(stained.logits)]
        for head, (by_views, by_stain) in heads.items():
            for variant, log_p in _variants(views.embeddings, by_views, by_stain).items():
                variants[head].setdefault(variant, {})[name] = _told(cells, log_p)
    for head, answers in variants.items():
        if answers:
            figures = {variant: {n: mean_recall(a) for n, a in told.items()} for variant, told in answers.items()}
            by = choose_by_others(figures)
            rows[f"{head}_adapted.white"] = pick(answers, by)
            chosen[f"{head}_adapted"] = by
    return rows, chosen


def stain_looks(own: StainProfile, home: StainProfile) -> Callable[[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
    """Return what turns and mirrors a crop after its stain was matched to that of the first laboratory."""
    return lambda pixels: turned(match_stain(pixels, own, home))


def fit_on_looks(
    task: GenerativeTask, encoder: ProtocolEncoder
) -> tuple[EmbeddingClassifier, float, dict[str, object]]:
    """Return the denoiser fitted on jittered looks at training cells, its temperature, and what was chosen."""
    cells = task.cells("train")
    looks = [_jittered_embeddings(task, encoder, cells, draw) for draw in range(DRAWS)]
    values, labels = np.concatenate(looks), np.tile(class_numbers(cells), DRAWS)
    asked = _jittered_embeddings(task, encoder, task.cells("val"), DRAWS)
    truth = class_numbers(task.cells("val"))
    losses: dict[float, tuple[float, float]] = {}
    fitted = {share: gaussian_denoiser(values, labels, share) for share in SHRINKAGES}
    for share, classifier in fitted.items():
        logits = classifier.logits(asked)
        temperature = fit_temperature(logits, truth)
        losses[share] = negative_log_likelihood(logits, truth, temperature), temperature
    best = min(losses, key=lambda share: losses[share][0])
    return fitted[best], losses[best][1], {"shrinkage": best, "temperature": round(losses[best][1], 4)}


def _jittered_embeddings(
    task: GenerativeTask, encoder: ProtocolEncoder, cells: tuple[TypedCell, ...], draw: int
) -> NDArray[np.float32]:
    numbers = iter(range(len(cells)))

    def look(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        return [jittered(pixels, encoder.crop_um, seed=draw * 1_000_003 + next(numbers))]

    return encoder.answer_cells(cells, task.progress, look).embeddings


def _log_p(classifier: EmbeddingClassifier, temperature: float, answers: CropAnswers) -> NDArray[np.float64]:
    return log_softmax(classifier.logits(answers.embeddings) / temperature)


def _variants(
    embeddings: NDArray[np.float32], by_views: NDArray[np.float64], by_stain: NDArray[np.float64]
) -> Mapping[str, NDArray[np.float64]]:
    inputs = {"views": by_views, "views_and_stain": mix_answers(by_views, by_stain)}
    return {
        f"{name}.{step}": adapt(embeddings, reweigh(log_p, PRIORS["white"]))
        for step, adapt in STEPS.items()
        for name, log_p in inputs.items()
    }


def _told(cells: tuple[TypedCell, ...], log_p: NDArray[np.float64]) -> SourceAnswers:
    return SourceAnswers(class_numbers(cells), np.asarray(log_p.argmax(axis=1), np.intp), group_names(cells))
