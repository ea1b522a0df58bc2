"""What is known of an encoder before any of its files is here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hemascope.zoo.contamination import Sources

Layout = Literal["shipped", "vit", "timm", "conch"]
"""How weights become a network: ours; our Vision Transformer; a module of timm; a module of the package conch."""


@dataclass(frozen=True, slots=True)
class EncoderEntry:
    """One known encoder.

    Attributes
    ----------
    name
        As in the ecosystem, in lower case.
    title
        For people.
    dimension
        Length of an embedding; None where only the weights tell.
    crop_px
        Side of its input in pixels.
    crop_um
        Width of the crops it was made for in um; None where its makers state none.
    transform
        A name in ``embed.transforms``.
    stain
        Stains it was made for.
    license, terms
        SPDX identifier, or ``unknown``; and what is asked of who uses it.
    gated
        Whether its makers let people in one by one.
    layout, architecture
        How weights become a network; the size as ``nets.vit`` reads it, or the name in timm.
    url, file
        Address of the file, and its name.
    revision
        Version of the place, which never changes under that name; "" where the address follows the newest.
    sha256
        Of the file; "" where it is not known.
    parameters
        Millions of them; None where only the weights tell.
    sources
        Which public sets its training saw.
    """

    name: str
    title: str
    dimension: int | None
    crop_px: int
    stain: str
    license: str
    terms: str
    layout: Layout
    architecture: str
    url: str
    file: str
    gated: bool = False
    crop_um: float | None = None
    transform: str = "imagenet"
    revision: str = ""
    sha256: str = ""
    parameters: int | None = None
    sources: Sources = field(default_factory=Sources)

    @property
    def must_accept(self) -> bool:
        """Whether its terms must be accepted before it is pulled: not free for all uses, or not known to be."""
        return self.gated or self.license == "unknown" or "-NC" in self.license
