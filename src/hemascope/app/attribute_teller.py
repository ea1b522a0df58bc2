"""Attribute heads as a part of the analyzer: crops through encoders and heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.app.attribute_cells import QUESTIONS, SUBTYPE_QUESTIONS
from hemascope.app.protocol_encoder import ProtocolEncoder
from hemascope.classify.attribute_heads import AttributeHeads
from hemascope.core.cell import CellCrop
from hemascope.core.errors import WeightsError
from hemascope.core.prediction import AttributeAnswer, CellAttributes
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType

BATCH = 16
"""Larger batches gain nothing on a plain processor and cost memory."""


class HeadsTeller:
    """Tells what cells look like by linear heads on embeddings; an ``AttributeTeller``.

    Parameters
    ----------
    encoders
        Those the heads stand on, in order.
    heads
        What answers each question.
    identity
        Of the heads.

    Raises
    ------
    WeightsError
        If the heads answer other questions than the known ones.
    """

    def __init__(self, encoders: Sequence[ProtocolEncoder], heads: AttributeHeads, identity: ModelIdentity) -> None:
        strange = [head.question.name for head in heads.heads if head.question not in QUESTIONS]
        if strange:
            raise WeightsError(
                f"{identity.name} {identity.version} answers questions that this version does not know "
                f"({', '.join(strange)}); train it again, or leave it out with --no-attributes"
            )
        self._encoders = tuple(encoders)
        self._heads = heads
        self._identity = identity

    @property
    def identities(self) -> tuple[ModelIdentity, ...]:
        """What answers: the encoders, then the heads."""
        return (*(encoder.identity for encoder in self._encoders), self._identity)

    @property
    def crop_sizes(self) -> tuple[tuple[int, float], ...]:
        """Side in pixels and width in um of the encoders' crops, each size once."""
        return tuple(dict.fromkeys(_size(encoder) for encoder in self._encoders))

    @property
    def cell_types(self) -> frozenset[CellType]:
        """Types that anything is asked of."""
        return frozenset(cell_type for head in self._heads.heads for cell_type in head.question.cell_types)

    def tell(
        self, crops: Mapping[tuple[int, float], Sequence[CellCrop]], cell_types: Sequence[CellType]
    ) -> list[CellAttributes]:
        """Return one record a cell, in order.

        Raises
        ------
        ValueError
            If there is not one crop of each size a cell.
        """
        found: list[CellAttributes] = []
        for start in range(0, len(cell_types), BATCH):
            part = slice(start, start + BATCH)
            values = self._embeddings({size: cut[part] for size, cut in crops.items()})
            answers = self._heads.answer(values, cell_types[part])
            ids = [crop.cell_id for crop in crops[self.crop_sizes[0]][part]]
            found += [_record(cell_id, told) for cell_id, told in zip(ids, answers, strict=True)]
        return found

    def _embeddings(self, crops: Mapping[tuple[int, float], Sequence[CellCrop]]) -> NDArray[np.float32]:
        return np.concatenate([encoder.answer(crops[_size(encoder)]).embeddings for encoder in self._encoders], axis=1)


def _size(encoder: ProtocolEncoder) -> tuple[int, float]:
    return encoder.crop_px, encoder.crop_um


def _record(cell_id: str, told: Mapping[str, AttributeAnswer]) -> CellAttributes:
    subtype = next((told[name] for name in SUBTYPE_QUESTIONS if name in told), None)
    return CellAttributes(cell_id, subtype, {n: answer for n, answer in told.items() if n not in SUBTYPE_QUESTIONS})
