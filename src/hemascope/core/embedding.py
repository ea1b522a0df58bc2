"""What an encoder is and what it makes: one vector a cell, and the digest that names how it was made."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.provenance import ModelIdentity


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """What an encoder takes and gives.

    Attributes
    ----------
    dimension
        Length D of an embedding.
    crop_px
        Side of the crops it takes, in pixels.
    crop_um
        Width of the crops it was made for, in um; None where its makers state none.
    transform
        How pixels become its input, by name: ``imagenet``, ``absorption``.
    stain
        Stains it was made for, in words: ``Romanowsky``.
    precision
        Of the numbers it computes with: ``fp32``, ``bf16``, ``int8``.

    Raises
    ------
    ValueError
        If a size is not positive.
    """

    dimension: int
    crop_px: int
    crop_um: float | None
    transform: str
    stain: str
    precision: str = "fp32"

    def __post_init__(self) -> None:
        if self.dimension < 1 or self.crop_px < 1 or (self.crop_um is not None and self.crop_um <= 0):
            raise ValueError(f"an encoder needs positive sizes, not {self.dimension}, {self.crop_px}, {self.crop_um}")


def encoder_digest(identity: ModelIdentity, spec: EncoderSpec) -> str:
    """Return the sha256 of everything that decides an embedding: weights, transform, sizes, backend, precision."""
    text = json.dumps({"identity": asdict(identity), "spec": asdict(spec)}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def short_digest(encoder: str) -> str:
    """Return what is enough of an encoder's digest for people; a name, which is no digest, stays whole."""
    return encoder[:12] if re.fullmatch("[0-9a-f]{64}", encoder) else encoder


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """Embeddings of some cells by one encoder.

    Attributes
    ----------
    cell_ids
        N ids, in the order of the rows.
    values
        N x D float32.
    encoder
        Digest of the encoder; see ``encoder_digest``.

    Raises
    ------
    ValueError
        If there is not one row a cell.
    """

    cell_ids: tuple[str, ...]
    values: NDArray[np.float32]
    encoder: str

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or len(self.values) != len(self.cell_ids):
            raise ValueError(f"{len(self.cell_ids)} cells need as many rows of embeddings, not {self.values.shape}")
