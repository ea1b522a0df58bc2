"""Encoders as the protocols use them: with what their training saw, and with answers of their own if they have any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.app.target_cells import DEFAULT_UM, TypedCell, cut_cells
from hemascope.classify.network import network_input
from hemascope.classify.second_opinion import SecondOpinion
from hemascope.core.cell import CellCrop
from hemascope.core.errors import WeightsError
from hemascope.core.ports import Encoder, TensorGraph
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.zoo.card import CARD_FILE, ModelCard, read_card
from hemascope.zoo.contamination import SOURCES, Seen, card_sources
from hemascope.zoo.registry import has_seen

BATCH = 32


@dataclass(frozen=True, slots=True)
class CropAnswers:
    """What an encoder gives for some crops.

    Attributes
    ----------
    embeddings
        N x D float32.
    logits
        N x types float32 in the order of ``CellType``, or None for an encoder without a classifier.
    """

    embeddings: NDArray[np.float32]
    logits: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class ProtocolEncoder:
    """An encoder under test.

    Attributes
    ----------
    name
        As shown in a row.
    identity
        What answers.
    crop_px, crop_um
        Side and width of its crops, in pixels and um.
    answer
        Crops to embeddings and logits.
    images_seen, labels_seen
        Data set to whether training saw an image, or a label, of it.
    types_seen
        Type to whether training saw any cell of it, of whatever set, labeled or not.
    """

    name: str
    identity: ModelIdentity
    crop_px: int
    crop_um: float
    answer: Callable[[Sequence[CellCrop]], CropAnswers]
    images_seen: Callable[[str], Seen]
    labels_seen: Callable[[str], Seen]
    types_seen: Callable[[CellType], Seen] = lambda _: Seen.UNKNOWN

    def answer_cells(
        self,
        cells: Sequence[TypedCell],
        progress: Callable[[str, int, int], None],
        views: Callable[[NDArray[np.uint8]], Sequence[NDArray[np.uint8]]] = lambda pixels: (pixels,),
    ) -> CropAnswers:
        """Return the answers for cells of a source, each the mean over the views that ``views`` makes of its crop."""
        parts: list[CropAnswers] = []
        waiting: list[CellCrop] = []
        count = 1
        for number, crop in enumerate(cut_cells(cells, self.crop_px, self.crop_um), 1):
            made = views(crop.pixels)
            count = len(made)
            waiting += [CellCrop(crop.cell_id, pixels, crop.width) for pixels in made]
            if len(waiting) >= BATCH or number == len(cells):
                parts.append(_mean_of_views(self.answer(waiting), count))
                waiting = []
                progress(f"{self.name}: {cells[0].source}", number, len(cells))
        return _joined(parts)


def shown_model(name: str) -> str:
    """Return what a model is called in a row and a key: a folder by its own name, ``model`` of a run by the run's."""
    path = Path(name)
    shown = path.absolute().parent.name if path.name == "model" else path.name
    return shown.replace(".", "_").replace(":", "_")


def crop_answers(encoder: Encoder) -> Callable[[Sequence[CellCrop]], CropAnswers]:
    """Return a function that gives an encoder's embeddings, without logits."""
    return lambda crops: CropAnswers(encoder.encode(crops), None)


def bare_encoder(encoder: Encoder) -> ProtocolEncoder:
    """Return an encoder without weights, such as handcrafted descriptors: it has seen nothing."""
    spec = encoder.spec
    return ProtocolEncoder(
        name=encoder.identity.name,
        identity=encoder.identity,
        crop_px=spec.crop_px,
        crop_um=spec.crop_um or DEFAULT_UM,
        answer=crop_answers(encoder),
        images_seen=lambda _: Seen.NO,
        labels_seen=lambda _: Seen.NO,
        types_seen=lambda _: Seen.NO,
    )


def card_encoder(name: str, encoder: Encoder, card: ModelCard, cards: Sequence[ModelCard]) -> ProtocolEncoder:
    """Return an encoder with weights.

    Parameters
    ----------
    name
        As shown.
    encoder
        It.
    card
        Its card.
    cards
        Cards of the models its training started from, or nothing; see ``started_from``.
    """
    spec = encoder.spec
    return ProtocolEncoder(
        name=name,
        identity=encoder.identity,
        crop_px=spec.crop_px,
        crop_um=spec.crop_um or DEFAULT_UM,
        answer=crop_answers(encoder),
        images_seen=lambda data_set: images_seen((card, *cards), data_set),
        labels_seen=lambda data_set: labels_seen((card, *cards), data_set),
        types_seen=lambda cell_type: types_seen((card, *cards), cell_type),
    )


def classifier_encoder(
    name: str,
    graph: TensorGraph,
    card: ModelCard,
    cards: Sequence[ModelCard],
    opinion: SecondOpinion | None = None,
) -> ProtocolEncoder:
    """Return a classifier of cells as an encoder that has logits of its own, those of its second opinion added.

    Raises
    ------
    WeightsError
        If the card does not say what crops it takes.
    """
    try:
        side, width = int(card.spec["crop_px"]), float(card.spec["crop_um"])
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{name}: its card states no crop ({error}); name a folder of a cell classifier") from error

    def answer(crops: Sequence[CellCrop]) -> CropAnswers:
        logits, embeddings = graph.run(network_input(crops, side))[:2]
        if opinion is not None:
            logits = opinion.joined(logits, crops, float(card.spec["temperature"])).astype(np.float32)
        return CropAnswers(embeddings, logits)

    return ProtocolEncoder(
        name=name,
        identity=graph.identity,
        crop_px=side,
        crop_um=width,
        answer=answer,
        images_seen=lambda data_set: images_seen((card, *cards), data_set),
        labels_seen=lambda data_set: labels_seen((card, *cards), data_set),
        types_seen=lambda cell_type: types_seen((card, *cards), cell_type),
    )


def started_from(card: ModelCard) -> tuple[ModelCard, ...]:
    """Return the cards of the models that a training started from, the nearest first, as far as they can be found."""
    found: list[ModelCard] = []
    start = card.training.recipe.get("start")
    while isinstance(start, str) and (Path(start) / CARD_FILE).is_file() and len(found) < 10:
        found.append(read_card(Path(start)))
        start = found[-1].training.recipe.get("start")
    return tuple(found)


def images_seen(cards: Sequence[ModelCard], data_set: str) -> Seen:
    """Return whether any training in a chain saw an image of a set: ``unknown`` where the chain breaks off."""
    answers = []
    for place, card in enumerate(cards):
        if card.origin is not None:
            answers.append(has_seen(card, data_set))
        elif _trained_on(card, data_set):
            answers.append(Seen.YES)
        elif place + 1 < len(cards):
            answers.append(Seen.NO)  # what it started from answers for itself
        else:
            answers.append(card_sources(card).has_seen(data_set))
    return _worst(answers)


def labels_seen(cards: Sequence[ModelCard], data_set: str) -> Seen:
    """Return whether any training in a chain saw a label of a set.

    A training by a recipe of kind ``encoder`` looks at images alone; every other recipe takes the labels of all its
    data. Of published weights it is not known what was used of the sets they saw, so an image counts as a label.
    """
    answers = []
    for place, card in enumerate(cards):
        if card.origin is None and card.training.recipe.get("kind") == "encoder":
            ends = place + 1 == len(cards)
            answers.append(Seen.UNKNOWN if ends and card.training.recipe.get("start") else Seen.NO)
        else:
            answers.append(
                images_seen(cards[place:], data_set) if place + 1 == len(cards) else _own_labels(card, data_set)
            )
    return _worst(answers)


def types_seen(cards: Sequence[ModelCard], cell_type: CellType) -> Seen:
    """Return whether any training in a chain may have seen a cell of a type, labeled or not.

    A training by a recipe of ours saw every type that it does not leave out of each of its data sets. Published weights
    are of no use here where they saw any blood: their makers leave no type out.
    """
    answers = []
    for place, card in enumerate(cards):
        if card.origin is not None:
            answers.append(_worst([has_seen(card, data_set) for data_set in SOURCES]))
        elif any(cell_type.value not in left_out for left_out in _left_out(card)):
            answers.append(Seen.YES)
        else:
            breaks_off = place + 1 == len(cards) and card.training.recipe.get("start")
            answers.append(Seen.UNKNOWN if breaks_off else Seen.NO)
    return _worst(answers)


def _left_out(card: ModelCard) -> list[Sequence[str]]:
    """Return, for every data set of a training, the types it left out."""
    sources = card.training.recipe.get("sources") or []
    told = {source["data_set"]: source.get("left_out", ()) for source in sources}
    return [told.get(data_set, ()) for data_set in card.training.data]


def _own_labels(card: ModelCard, data_set: str) -> Seen:
    if card.origin is not None:
        return has_seen(card, data_set)
    return Seen.YES if _trained_on(card, data_set) else Seen.NO


def _trained_on(card: ModelCard, data_set: str) -> bool:
    wanted = set(SOURCES.get(data_set, (data_set,)))
    return any(wanted & set(SOURCES.get(name, (name,))) for name in card.training.data)


def _worst(answers: Sequence[Seen]) -> Seen:
    return next((answer for answer in (Seen.YES, Seen.UNKNOWN) if answer in answers), Seen.NO)


def _mean_of_views(answers: CropAnswers, views: int) -> CropAnswers:
    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(values.reshape(-1, views, values.shape[1]).mean(axis=1), np.float32)

    return CropAnswers(mean(answers.embeddings), None if answers.logits is None else mean(answers.logits))


def _joined(parts: Sequence[CropAnswers]) -> CropAnswers:
    logits = [part.logits for part in parts if part.logits is not None]
    return CropAnswers(np.concatenate([part.embeddings for part in parts]), np.concatenate(logits) if logits else None)
