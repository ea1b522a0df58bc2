"""A model folder of a denoiser of embeddings, fitted to painted cells by the parts that fit real ones."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hemascope import wiring
from hemascope.app.embedding_judge import judge_spec
from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.classify.diffusion.elimination import NoElimination
from hemascope.classify.diffusion.trials import draw_trials
from hemascope.classify.diffusion.weighting import TimestepWeighting
from hemascope.classify.judge import fit_calibration
from hemascope.core.cell import CellCrop
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.core.units import Microns
from hemascope.denoise.embedding import EmbeddingDenoiser
from hemascope.denoise.embedding_space import SPACE_FILE, fit_embedding_space
from hemascope.synth.smear import paint_field
from hemascope.zoo.card import CARD_FILE, ModelCard, TrainingFacts
from hemascope.zoo.plain_tensors import tensors_to_bytes

CHOICE = "cell_classifier+descriptors"
TRIALS = 16
EACH = 2


def painted_crops() -> tuple[list[CellCrop], np.ndarray]:  # type: ignore[type-arg]
    """Views of painted fields, each type a field of its own: types that are no types of cells, but that differ."""
    crops = []
    for number, _ in enumerate(CellType):
        pixels = paint_field(20 + number, width=128 * EACH, height=128, mpp=0.25).field.pixels
        for place in range(EACH):
            view = np.ascontiguousarray(pixels[:, 128 * place : 128 * (place + 1)])
            crops.append(CellCrop(f"{number}#{place}", view, Microns(32.0)))
    return crops, np.repeat(np.arange(len(CellType)), EACH)


def write_judge(folder: Path, cascade: Mapping[str, float] | None = None, choice: str = CHOICE) -> Path:
    """Write the folder and return it."""
    shared = wiring.shared_encoders()
    encoders = [shared.named(name) for name in choice.split("+")]
    crops, labels = painted_crops()
    rows = np.concatenate([encoder.encode(crops) for encoder in encoders], axis=1)
    space = fit_embedding_space(rows, labels, len(CellType), shrinkage=0.5)
    denoiser = EmbeddingDenoiser(tuple(CellType), space, ModelIdentity("painted", "1", "", "numpy", "Apache-2.0"))
    trials = draw_trials(denoiser, TRIALS, weighting=TimestepWeighting())
    answers = DiffusionClassifier(denoiser, trials, NoElimination()).answer(space.samples(rows))
    calibration = fit_calibration(answers, labels)
    data = tensors_to_bytes(space.tensors())
    card = ModelCard(
        task="denoise",
        name="embedding_denoiser",
        version="1",
        license="Apache-2.0",
        attribution=[],
        files={SPACE_FILE: hashlib.sha256(data).hexdigest()},
        spec=judge_spec(choice, encoders, tuple(CellType), TRIALS, TimestepWeighting(), calibration, cascade),
        validation={},
        training=TrainingFacts(command="painted", seed=0, recipe={}, recipe_sha256="", data={}, software={}),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SPACE_FILE).write_bytes(data)
    (folder / CARD_FILE).write_text(card.model_dump_json(), "utf-8")
    return folder
