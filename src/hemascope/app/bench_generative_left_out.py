"""Protocol ``left-out``: a type that nothing was taught of, told as new; generative beside discriminative."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_record import Measures
from hemascope.app.generative_task import DESCRIPTORS, Embedding, GenerativeTask, line_up
from hemascope.app.left_out_rows import Rows, Scores, discriminative_rows, generative_rows, logit_scores
from hemascope.app.protocol_encoder import ProtocolEncoder
from hemascope.app.target_cells import PBC, class_numbers, group_names
from hemascope.classify.examples import LabeledEmbeddings
from hemascope.classify.novelty import EVIDENCE, EvidenceWeights, fit_novelty
from hemascope.core.taxonomy import CellType
from hemascope.evaluate.leaks import check_disjoint_groups
from hemascope.evaluate.left_out import NovelCells, score_novelty, without_class
from hemascope.zoo.contamination import Seen

LEFT_OUT = (CellType.ERYTHROBLAST, CellType.IMMATURE_GRANULOCYTE)
"""Types that are left out, one at a time; immature granulocytes are the nearest to blasts."""

JOINED = "joined"
"""Row of the score of ``classify.novelty``."""

Told = dict[str, tuple[Scores, Scores]]
"""Row to the scores of the known validation cells, and of the cells asked about."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One type left out.

    Attributes
    ----------
    task
        What is measured.
    cell_type
        The type.
    """

    task: GenerativeTask
    cell_type: CellType

    @property
    def number(self) -> int:
        """Its place in ``CellType``."""
        return list(CellType).index(self.cell_type)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the known types."""
        return tuple(cell_type.value for cell_type in CellType if cell_type is not self.cell_type)

    def encoders(self) -> tuple[ProtocolEncoder, ...]:
        """Return the encoders of which it is certain that they never saw a cell of the type, labeled or not."""
        return tuple(encoder for encoder in self.task.encoders if encoder.types_seen(self.cell_type) is Seen.NO)

    def known(self, embedding: Embedding, place: str) -> LabeledEmbeddings:
        """Return the cells of the known types of a split."""
        return without_class(self.task.labeled(embedding, place), self.number)

    def cells(self) -> NovelCells:
        """Return what the cells of the test split are, and whose scores set the threshold."""
        asked, validation = self.task.cells("test"), self.task.cells("val")
        known = class_numbers(validation) != self.number
        return NovelCells(class_numbers(asked) == self.number, group_names(asked), group_names(validation)[known])

    def own_logits(self, encoder: ProtocolEncoder, place: str) -> NDArray[np.float32] | None:
        """Return a network's logits for a split, without that of the type it was never taught; None where it has none.

        Of the validation split, those of known types alone.
        """
        logits = self.task.answers(encoder, place).logits
        if logits is None:
            return None
        kept = np.delete(logits, self.number, axis=1)
        return kept if place == "test" else kept[class_numbers(self.task.cells(place)) != self.number]


def measure(task: GenerativeTask, measures: Measures) -> dict[str, object]:
    """Add ``pbc_acevedo_128.left_out.<type>.<embedding>.<row>.<metric>``; return who took part and what was learned.

    All is learned from training cells of the other types; the threshold is set by validation cells of the other types;
    the test split is asked once, with all types. Rows of one encoder and of it beside the descriptors. The weights of
    ``joined`` are learned with the descriptors, which were taught nothing, by leaving each known type out in turn, and
    hold for every embedding.
    """
    notes: dict[str, object] = {}
    for cell_type in LEFT_OUT:
        left_out = LeftOut(task, cell_type)
        cells, encoders = left_out.cells(), left_out.encoders()
        learned: EvidenceWeights | None = None
        for embedding in line_up(encoders):  # the descriptors come first, and teach the weights
            task.progress(f"{cell_type.value} left out: {embedding.name}", LEFT_OUT.index(cell_type), len(LEFT_OUT))
            joined, learned = _joined_scores(left_out, embedding, learned)
            for row, (known, asked) in (_told(left_out, embedding) | {JOINED: joined}).items():
                key = f"{PBC}.left_out.{cell_type.value}.{embedding.name}.{row}"
                measures.add(key, score_novelty(asked, known, cells))
        notes[cell_type.value] = {
            "encoders": [encoder.name for encoder in encoders],
            "weights": dict(zip(EVIDENCE, learned.weights.round(4).tolist(), strict=True)) if learned else {},
        }
    return notes


def _told(left_out: LeftOut, embedding: Embedding) -> Told:
    """Return all rows but the joined one."""
    train, validation = left_out.known(embedding, "train"), left_out.known(embedding, "val")
    asked = left_out.task.values(embedding, "test")
    check_disjoint_groups([*train.groups, *validation.groups], group_names(left_out.task.cells("test")))
    rows: Rows = {
        **generative_rows(train, len(left_out.names)),
        **discriminative_rows(train, validation, left_out.names),
    }
    told = {row: (score(validation.values), score(asked)) for row, score in rows.items()}
    return told | (_network_rows(left_out, embedding.encoders[0]) if len(embedding.encoders) == 1 else {})


def _network_rows(left_out: LeftOut, encoder: ProtocolEncoder) -> Told:
    """Return the rows of a network's own logits; none where it has no logits."""
    known, asked = left_out.own_logits(encoder, "val"), left_out.own_logits(encoder, "test")
    if known is None or asked is None:
        return {}
    of_known, of_asked = logit_scores(known), logit_scores(asked)
    return {f"network_{row}": (of_known[row], of_asked[row]) for row in of_known}


def _joined_scores(
    left_out: LeftOut, embedding: Embedding, learned: EvidenceWeights | None
) -> tuple[tuple[Scores, Scores], EvidenceWeights]:
    """Return the joined scores of an embedding, known and asked, and the weights; learned here where none are given.

    Raises
    ------
    ValueError
        If weights are to be learned of anything but the descriptors, which saw no type.
    """
    if learned is None and embedding.name != DESCRIPTORS:
        raise ValueError("the weights of evidence are learned with the descriptors, which saw no type; name them first")
    validation = left_out.known(embedding, "val")
    fitted = fit_novelty(left_out.known(embedding, "train"), validation, learned)
    asked = left_out.task.values(embedding, "test")
    return (fitted.scores(validation.values), fitted.scores(asked)), fitted.joined
