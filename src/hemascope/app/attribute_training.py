"""Attribute heads on one encoder, or on the best of several choices, all chosen on validation cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.app.attribute_cells import (
    QUESTIONS,
    AnsweredCells,
    EncodedCells,
    Progress,
    examples_of,
    of_split,
    open_answered_cells,
)
from hemascope.app.protocol_encoder import ProtocolEncoder
from hemascope.app.training import need_torch
from hemascope.classify.attribute_heads import (
    AttributeHeads,
    Examples,
    FittedHead,
    Question,
    fit_head,
    limits_of,
    read_heads,
)
from hemascope.core.errors import WeightsError
from hemascope.data.root import data_root
from hemascope.recipes import AttributeTrainingRecipe
from hemascope.zoo.card import TENSORS_FILE, read_card
from hemascope.zoo.onnx_graph import verified_bytes
from hemascope.zoo.plain_tensors import tensors_from_bytes
from hemascope.zoo.shipped import shipped_card, shipped_folder

PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
"""Values of C that validation cells choose from."""

BuildEncoder = Callable[[str], ProtocolEncoder]


@dataclass(frozen=True, slots=True, eq=False)
class FittedHeads:
    """Heads on one choice of encoders.

    Attributes
    ----------
    choice
        Names of the encoders, joined by ``+``.
    encoders
        They.
    heads
        What was fitted.
    fitted
        The same with penalties and losses, one a question.
    """

    choice: str
    encoders: tuple[ProtocolEncoder, ...]
    heads: AttributeHeads
    fitted: tuple[FittedHead, ...]

    @property
    def loss(self) -> float:
        """Mean loss over the questions on validation cells, nats."""
        return float(np.mean([head.loss for head in self.fitted]))


def build_choice(choice: str, build: BuildEncoder) -> tuple[ProtocolEncoder, ...]:
    """Return the encoders of a choice such as ``descriptors`` or ``cell_classifier+descriptors``.

    Parameters
    ----------
    choice
        Names joined by ``+``: of shipped models, folders, or what ``build`` knows.
    build
        Makes an encoder by name or folder.
    """
    return tuple(named_encoder(name, build) for name in choice.split("+"))


def named_encoder(name: str, build: BuildEncoder) -> ProtocolEncoder:
    """Return an encoder by the name of a shipped model, or what ``build`` makes of the name."""
    return build(str(shipped_folder(name)) if "/" not in name and shipped_card(name) else name)


def fit_choice(
    choice: str, cells: EncodedCells, sets: Sequence[AnsweredCells], penalties: Sequence[float]
) -> FittedHeads:
    """Return the heads on one choice of encoders: learned from train splits, chosen and calibrated on validation.

    Parameters
    ----------
    choice
        Names of encoders joined by ``+``.
    cells
        Gives embeddings.
    sets
        Cells whose answers are known, all splits.
    penalties
        Values of C to try, in rising order.

    Raises
    ------
    DataSetError
        If a value has no training example.
    UnreadableImageError
        If an image cannot be read.
    """
    train, chosen_on = (
        [(part, cells.values(choice, part.records)) for part in (of_split(one, split) for one in sets)]
        for split in ("train", "val")
    )
    low, high = limits_of(np.concatenate([values for _, values in train]))
    fitted = []
    for question in QUESTIONS:
        learn, choose = (_examples(question, part, low, high) for part in (train, chosen_on))
        fitted.append(fit_head(question, learn, choose, penalties))
    encoders = cells.encoders(choice)
    digests = tuple(encoder.identity.sha256 for encoder in encoders)
    heads = AttributeHeads(digests, low, high, tuple(head.head for head in fitted))
    return FittedHeads(choice, encoders, heads, tuple(fitted))


def train_attributes(
    recipe: AttributeTrainingRecipe,
    build: BuildEncoder,
    data: Path | None,
    out: Path | None,
    command: str,
    progress: Progress,
) -> Path:
    """Fit heads on every choice of encoders, pack those of least validation loss; return the model folder.

    Parameters
    ----------
    build
        Makes an encoder by name or folder.
    data
        Folder of the public data sets; the environment's where None.
    out
        Model folder; ``runs/NAME/model`` where None. One that is there is replaced.
    command
        What was asked, for the card.

    Raises
    ------
    MissingExtraError
        If the extra ``train`` is not installed.
    DataSetError
        If a set is absent or malformed.
    OutputError
        If the folder cannot be written.
    """
    need_torch("packing attribute heads")
    from hemascope.train.attributes import ship_attributes

    root, folder = data_root(data), out or Path("runs") / recipe.name / "model"
    sets, cells = open_answered_cells(root), EncodedCells(partial(named_encoder, build=build), progress)
    found = [fit_choice(choice, cells, sets, recipe.penalties) for choice in recipe.choices]
    best = min(found, key=lambda fitted: fitted.loss)
    # A folder is named as on the command line: whoever reads the model hands its encoders over.
    extra = {"encoder_choice": "+".join(encoder.name for encoder in best.encoders)}
    figures = {f"{fitted.choice}.loss": fitted.loss for fitted in found}
    figures |= {f"{head.head.question.name}.loss": head.loss for head in best.fitted}
    ship_attributes(recipe, root, best.heads, extra, figures, folder, command)
    return folder


def open_attributes(folder: Path, encoders: Sequence[ProtocolEncoder]) -> AttributeHeads:
    """Return the heads of a model folder, for the encoders they were fitted on.

    Parameters
    ----------
    folder
        As ``train_attributes`` wrote it.
    encoders
        In the order of the card's ``encoder_choice``.

    Raises
    ------
    WeightsError
        If the folder is damaged or no such model, or the encoders are others.
    """
    card = read_card(folder)
    if card.task != "attributes":
        raise WeightsError(f"{folder}: a model to {card.task}; name a folder that 'hemascope train attributes' wrote")
    data = verified_bytes(folder / TENSORS_FILE, card.files.get(TENSORS_FILE, ""))
    heads = read_heads(card.spec, tensors_from_bytes(data, str(folder / TENSORS_FILE)))
    given = tuple(encoder.identity.sha256 for encoder in encoders)
    if given != heads.encoders:
        raise WeightsError(
            f"{folder}: its heads stand on {card.spec.get('encoder_choice')} of other weights; "
            "name the encoders they were trained on, or train them again"
        )
    return heads


def _examples(
    question: Question,
    parts: Sequence[tuple[AnsweredCells, NDArray[np.float32]]],
    low: NDArray[np.float32],
    high: NDArray[np.float32],
) -> Examples:
    cells, values = next((cells, values) for cells, values in parts if question.name in cells.answers)
    return examples_of(question, cells, np.clip(values, low, high))
