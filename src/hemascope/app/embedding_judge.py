"""A model folder with a denoiser of embeddings as a judge of cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hemascope.app.embedding_decider import EmbeddingDecider
from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.classify.diffusion.elimination import AnytimeRule, NoElimination
from hemascope.classify.diffusion.trials import draw_trials
from hemascope.classify.diffusion.weighting import TimestepWeighting, weighting_from
from hemascope.classify.judge import EmbeddingJudge, JudgeCalibration, read_calibration
from hemascope.classify.second_look import SecondLook, read_second_look
from hemascope.core.errors import WeightsError
from hemascope.core.ports import Encoder
from hemascope.core.provenance import ModelIdentity
from hemascope.denoise.embedding import EmbeddingDenoiser
from hemascope.denoise.embedding_space import SPACE_FILE, EmbeddingSpace
from hemascope.zoo.card import GRAPH_FILE, ModelCard, read_card
from hemascope.zoo.onnx_graph import OnnxDenoiserGraph, verified_bytes
from hemascope.zoo.plain_tensors import tensors_from_bytes


def judge_spec(
    choice: str,
    encoders: Sequence[Encoder],
    classes: Sequence[str],
    trials: int,
    weighting: TimestepWeighting,
    calibration: JudgeCalibration,
    cascade: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return what a card must say for ``open_judge`` and ``open_second_look``.

    Parameters
    ----------
    choice
        Names of the encoders joined by ``+``: ``cell_classifier+descriptors``.
    encoders
        They, in that order.
    classes
        Names of types.
    trials, weighting
        Tried on every cell with seed 0, antithetic.
    calibration
        Fitted with these very trials.
    cascade
        ``temperature``, ``threshold`` and ``share`` of a ``Cascade``, fitted with them too; None for no cascade.
    """
    return {
        "sample": "embeddings",
        "encoder_choice": choice,
        "encoders": [encoder.identity.sha256 for encoder in encoders],
        "classes": list(classes),
        "trials": trials,
        "weighting": weighting.as_dict(),
        "calibration": calibration.as_dict(),
        "cascade": None if cascade is None else dict(cascade),
    }


def open_judge(folder: Path, build: Callable[[str], Encoder], threads: int = 0) -> EmbeddingJudge:
    """Return the judge in a model folder; parameters and errors are those of ``open_second_look``."""
    card, encoders = _open(folder, build)
    return EmbeddingJudge(encoders, _classifier(folder, card, threads), _calibration(card.spec))


def open_second_look(folder: Path, build: Callable[[str], Encoder], threads: int = 0) -> SecondLook:
    """Return what the denoiser in a model folder says of cells that a classifier is unsure of.

    Parameters
    ----------
    folder
        Its card has task ``denoise`` and what ``judge_spec`` gives; ``space.safetensors`` holds the embedding space,
        ``model.onnx``, where there is one, what was learned beyond it.
    build
        Makes an encoder by name.
    threads
        As for ``OnnxDenoiserGraph``.

    Raises
    ------
    WeightsError
        If the folder is damaged or holds no such model, or its encoders are of other weights.
    """
    card, encoders = _open(folder, build)
    return read_second_look(card.spec.get("cascade") or {}, encoders, _classifier(folder, card, threads))


def open_decider(folder: Path, build: Callable[[str], Encoder], threads: int = 0) -> EmbeddingDecider:
    """Return the denoiser in a model folder as it decides alone, giving classes up as soon as the evidence suffices.

    Parameters and errors are those of ``open_second_look``.
    """
    card, encoders = _open(folder, build)
    return EmbeddingDecider(encoders, replace(_classifier(folder, card, threads), rule=AnytimeRule()))


def _open(folder: Path, build: Callable[[str], Encoder]) -> tuple[ModelCard, tuple[Encoder, ...]]:
    """Return the card of a judge, and the encoders it was trained on."""
    card = read_card(folder)
    choice = str(card.spec.get("encoder_choice", ""))
    if card.task != "denoise" or card.spec.get("sample") != "embeddings" or not choice:
        raise WeightsError(f"{folder}: no denoiser of embeddings; name another model folder, or use --no-generative")
    encoders = tuple(build(name) for name in choice.split("+"))
    if [encoder.identity.sha256 for encoder in encoders] != card.spec.get("encoders"):
        raise WeightsError(
            f"{folder}: it was trained on {choice} of other weights; install hemascope again, train it again, or leave "
            "it out with --no-generative"
        )
    return card, encoders


def _classifier(folder: Path, card: ModelCard, threads: int) -> DiffusionClassifier:
    residual = OnnxDenoiserGraph(folder, card, threads) if GRAPH_FILE in card.files else None
    plain = ModelIdentity(card.name, card.version, card.files.get(SPACE_FILE, ""), "numpy-cpu-fp32", card.license)
    identity = residual.identity if residual else plain
    try:
        classes, count = [str(name) for name in card.spec["classes"]], int(card.spec["trials"])
        weighting = weighting_from(card.spec["weighting"])
        denoiser = EmbeddingDenoiser(classes, _space(folder, card), identity, residual)
        trials = draw_trials(denoiser, count, weighting=weighting)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{folder}: its card is of another layout ({error}); install hemascope again") from error
    return DiffusionClassifier(denoiser, trials, NoElimination(), denoiser.samples)


def _space(folder: Path, card: ModelCard) -> EmbeddingSpace:
    data = verified_bytes(folder / SPACE_FILE, card.files.get(SPACE_FILE, ""))
    return EmbeddingSpace.from_tensors(tensors_from_bytes(data, str(folder / SPACE_FILE)))


def _calibration(spec: Mapping[str, Any]) -> JudgeCalibration:
    return read_calibration(spec.get("calibration") or {})
