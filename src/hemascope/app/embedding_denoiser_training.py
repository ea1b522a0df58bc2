"""The use case `train embedding-denoiser`: a recipe to the model that judges cells by what their embeddings say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.app.embedding_judge import judge_spec
from hemascope.app.target_cells import DEFAULT_UM, PBC, TypedCell, class_numbers, cut_cells, group_names, locate_cells
from hemascope.app.training import OnStep, need_torch, start_run
from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.classify.diffusion.elimination import NoElimination
from hemascope.classify.diffusion.fit_weighting import fit_density, fit_power_weighting
from hemascope.classify.diffusion.trials import class_errors, draw_trials
from hemascope.classify.diffusion.weighting import TimestepWeighting
from hemascope.classify.judge import fit_calibration
from hemascope.classify.second_look import fit_second_look
from hemascope.core.errors import RecipeError
from hemascope.core.ports import CellClassifier, DenoiserGraph, Encoder
from hemascope.core.taxonomy import CellType
from hemascope.data.root import data_root
from hemascope.denoise.embedding import EmbeddingDenoiser
from hemascope.denoise.embedding_space import EmbeddingSpace, fit_embedding_space
from hemascope.embed.looks import LooksEncoder
from hemascope.evaluate.leaks import check_disjoint_groups
from hemascope.recipes import EmbeddingDenoiserRecipe
from hemascope.stats.temperature import fit_temperature, negative_log_likelihood

CLASSES = tuple(cell_type.value for cell_type in CellType)

AWAY_STRANGE = 0.05
"""Share of another source's validation cells that may be strange."""

LEAST_CELLS = 20
"""A source with fewer validation cells has no say in the threshold: the quantile would be its oddest cell."""

LEAST_PROBABILITY = 1e-12
"""Stands for a probability of 0, which has no logarithm."""

WEIGHTING_TRIALS = 64
"""Trials a class by which the weights of steps are fitted."""

_BATCH = 32

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """Embedded cells of one split.

    Attributes
    ----------
    looks
        L x N x D: each look's embeddings; encoders that look once say the same every time.
    labels
        N class numbers.
    """

    looks: NDArray[np.float32]
    labels: NDArray[np.intp]

    def times(self, count: int) -> Embedded:
        """Return every cell ``count`` times over."""
        return Embedded(np.tile(self.looks, (1, count, 1)), np.tile(self.labels, count))

    @property
    def mean(self) -> NDArray[np.float32]:
        """N x D embeddings as they are answered by."""
        return np.asarray(self.looks.mean(axis=0), np.float32)


def train_embedding_denoiser(
    recipe: EmbeddingDenoiserRecipe,
    build: Callable[[str], Encoder],
    classifier: CellClassifier | None,
    data: Path | None,
    run: Path | None,
    out: Path | None,
    command: str,
    progress: Progress,
    on_step: OnStep,
) -> Path:
    """Embed cells, fit the space, train what a network adds, calibrate and pack; return the model folder.

    Parameters
    ----------
    build
        Makes an encoder by name or folder.
    classifier
        Behind which the denoiser may stand in a cascade, under an even prior; None for a model without one.
    data, run, out, command, on_step
        As for ``train_cell_classifier``.
    progress
        Shows how far the embedding is.

    Raises
    ------
    MissingExtraError
        If the extra ``train`` is not installed.
    DataSetError
        If the set is absent or malformed.
    RecipeError
        If the run folder holds a run of another recipe, or the set does not label every type.
    """
    need_torch("training a denoiser of embeddings")
    if recipe.data_set != PBC:
        raise RecipeError(f"data_set: {recipe.data_set} does not label every type; the only set that does is {PBC}")
    from hemascope.train.embedding_denoiser import LabeledSamples, train_residual
    from hemascope.train.onnx_export import round_weights
    from hemascope.train.ship_embedding_denoiser import TorchResidual, ship_embedding_denoiser

    root, folder = data_root(data), start_run(run, recipe, recipe.name)
    encoders = tuple(build(name) for name in recipe.encoders.split("+"))
    train, validation = embedded_splits(PBC, root, encoders, progress)
    others = [embedded_splits(name, root, encoders, progress) for name in recipe.beside]
    train = joined([train, *(learned.times(recipe.beside_weight) for learned, _ in others)])
    space, losses = choose_space(recipe, train, validation)
    samples = [LabeledSamples(*part) for part in (all_looks(space, train), mean_samples(space, validation))]
    net = train_residual(recipe, space, samples[0], samples[1], folder, on_step)
    round_weights(net)
    residual = TorchResidual(net, recipe.name, recipe.version)
    first = None if classifier is None else first_answers(classifier, root, progress)
    every = (validation, *(asked for _, asked in others))
    spec, figures = calibrated_spec(recipe, encoders, space, residual, every, first)
    model = out or folder / "model"
    ship_embedding_denoiser(recipe, root, net, space, spec, losses | figures, model, command)
    return model


def embedded_splits(
    source: str, root: Path, encoders: Sequence[Encoder], progress: Progress
) -> tuple[Embedded, Embedded]:
    """Return the embedded cells of the train and validation splits of a source."""
    cells = locate_cells(source, root)
    parts = [[cell for cell in cells if cell.split == split] for split in ("train", "val")]
    check_disjoint_groups(group_names(parts[0]), group_names(parts[1]), test="validation")
    train, validation = (embed_looks(encoders, part, progress) for part in parts)
    return train, validation


def joined(parts: Sequence[Embedded]) -> Embedded:
    """Return the cells of all parts together."""
    return Embedded(
        np.concatenate([part.looks for part in parts], axis=1), np.concatenate([part.labels for part in parts])
    )


def embed_looks(encoders: Sequence[Encoder], cells: Sequence[TypedCell], progress: Progress) -> Embedded:
    """Return the embeddings of cells, every look apart, of all encoders side by side."""
    each = [_looks_of(encoder, cells, progress) for encoder in encoders]
    most = max(len(looks) for looks in each)
    level = [np.broadcast_to(looks, (most, *looks.shape[1:])) for looks in each]
    return Embedded(np.asarray(np.concatenate(level, axis=2), np.float32), class_numbers(cells))


def _looks_of(encoder: Encoder, cells: Sequence[TypedCell], progress: Progress) -> NDArray[np.float32]:
    """Return L x N x D, where L is 1 for an encoder that looks once."""
    spec, parts = encoder.spec, []
    crops = list(cut_cells(cells, spec.crop_px, spec.crop_um or DEFAULT_UM))
    for start in range(0, len(crops), _BATCH):
        batch = crops[start : start + _BATCH]
        parts.append(encoder.encode_looks(batch) if isinstance(encoder, LooksEncoder) else encoder.encode(batch)[None])
        progress(encoder.identity.name, start + len(batch), len(crops))
    return np.concatenate(parts, axis=1)


def choose_space(
    recipe: EmbeddingDenoiserRecipe, train: Embedded, validation: Embedded
) -> tuple[EmbeddingSpace, dict[str, float]]:
    """Return the space under which validation cells are likeliest, and the loss of each shrinkage in nats."""
    spaces = {s: fit_embedding_space(train.mean, train.labels, len(CLASSES), shrinkage=s) for s in recipe.shrinkages}
    losses = {share: _gaussian_loss(space, validation) for share, space in spaces.items()}
    best = min(losses, key=lambda share: losses[share])
    return spaces[best], {f"gaussian_nll.shrinkage_{share:g}": loss for share, loss in losses.items()}


def _gaussian_loss(space: EmbeddingSpace, cells: Embedded) -> float:
    samples = space.samples(cells.mean).astype(np.float64)
    logits = -0.5 * ((samples[:, None] - space.centers[None]) ** 2).sum(axis=2)
    return negative_log_likelihood(logits, cells.labels, fit_temperature(logits, cells.labels))


def all_looks(space: EmbeddingSpace, cells: Embedded) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return samples of every look and of their mean, and their labels: single looks are as wide as new cells are."""
    every = [space.samples(look) for look in cells.looks] + (
        [space.samples(cells.mean)] if len(cells.looks) > 1 else []
    )
    return np.concatenate(every), np.tile(cells.labels, len(every))


def mean_samples(space: EmbeddingSpace, cells: Embedded) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return the samples that are answered by, and their labels."""
    return space.samples(cells.mean), cells.labels


def calibrated_spec(
    recipe: EmbeddingDenoiserRecipe,
    encoders: Sequence[Encoder],
    space: EmbeddingSpace,
    residual: DenoiserGraph,
    validation: Sequence[Embedded],
    first: NDArray[np.float64] | None = None,
) -> tuple[dict[str, object], dict[str, float]]:
    """Return what the card says of trials and calibration, and figures on the validation splits.

    The first source calibrates; another one of ``LEAST_CELLS`` or more can only raise the threshold of anomaly, so that
    at most a share ``AWAY_STRANGE`` of its own cells are strange (as for the classifier's distance).
    """
    denoiser = EmbeddingDenoiser(CLASSES, space, residual.identity, residual)
    home = validation[0]
    weighting = fit_weighting(denoiser, space.samples(home.mean), home.labels)
    classifier = DiffusionClassifier(
        denoiser, draw_trials(denoiser, recipe.trials, weighting=weighting), NoElimination()
    )
    answers = [classifier.answer(space.samples(part.mean)) for part in validation]
    calibration = fit_calibration(answers[0], home.labels)
    away = [float(np.quantile(a.explained, 1 - AWAY_STRANGE)) for a in answers[1:] if len(a) >= LEAST_CELLS]
    calibration = replace(calibration, anomaly_threshold=max(calibration.anomaly_threshold, *away, 0.0))
    right = answers[0].told == home.labels
    recalls = [float(right[home.labels == k].mean()) for k in range(len(CLASSES))]
    figures = {f"{PBC}.accuracy": float(right.mean()), f"{PBC}.balanced_accuracy": float(np.mean(recalls))}
    for name, part, told in zip((PBC, *recipe.beside), validation, answers, strict=True):
        figures[f"{name}.accuracy"] = float((told.told == part.labels).mean())
        figures[f"{name}.strange"] = float((told.explained > calibration.anomaly_threshold).mean())
    cascade = None if first is None else fit_second_look(first, answers[0].logits, home.labels)
    return judge_spec(recipe.encoders, encoders, CLASSES, recipe.trials, weighting, calibration, cascade), figures


def first_answers(classifier: CellClassifier, root: Path, progress: Progress) -> NDArray[np.float64]:
    """Return N x types log probabilities of a classifier for the validation cells of PBC."""
    cells = [cell for cell in locate_cells(PBC, root) if cell.split == "val"]
    crops = list(cut_cells(cells, *classifier.crop_size))
    rows: list[NDArray[np.float64]] = []
    for start in range(0, len(crops), _BATCH):
        rows += [told.probabilities for told in classifier.classify(crops[start : start + _BATCH])]
        progress(classifier.identity.name, len(rows), len(crops))
    return np.log(np.maximum(np.stack(rows), LEAST_PROBABILITY))


def fit_weighting(
    denoiser: EmbeddingDenoiser, samples: NDArray[np.float32], labels: NDArray[np.intp]
) -> TimestepWeighting:
    """Return the weights of steps under which validation cells' own types stand out most, and how often to try each."""
    trials = draw_trials(denoiser, WEIGHTING_TRIALS, seed=1)
    errors, steps = class_errors(denoiser, samples, trials), trials.steps[::2]
    paired = errors.reshape(*errors.shape[:2], -1, 2).mean(axis=3)
    weighting = fit_power_weighting(steps, paired, labels, len(denoiser.schedule))
    return fit_density(weighting, steps, paired, len(denoiser.schedule))
