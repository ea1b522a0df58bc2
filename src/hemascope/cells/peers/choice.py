"""What `NAME:MODEL@MPP` asks for: whose weights, and the scale they work at."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hemascope.core.errors import RecipeError, WeightsError
from hemascope.core.units import MAX_MPP, MIN_MPP

_WITH_SCALE = re.compile(r"(?P<model>.*)@(?P<mpp>[^@/\\]+)")


@dataclass(frozen=True, slots=True)
class PeerChoice:
    """A model of a peer.

    Attributes
    ----------
    model
        Path of weights, or a name that the peer knows; "" for its default.
    mpp
        Um per pixel the weights work at, or None for what is known of them.
    """

    model: str = ""
    mpp: float | None = None

    @classmethod
    def read(cls, text: str) -> PeerChoice:
        """Return the choice that ``MODEL`` or ``MODEL@MPP`` names.

        Raises
        ------
        RecipeError
            If what follows ``@`` is no scale.
        """
        match = _WITH_SCALE.fullmatch(text)
        if match is None or Path(text).exists():
            return cls(text)
        return cls(match["model"], _scale(match["mpp"]))

    @property
    def path(self) -> Path | None:
        """The weights as a path, where there is one; None where ``model`` is a name."""
        path = Path(self.model) if self.model else None
        return path if path is not None and path.exists() else None

    def known_as(self, names: Iterable[str], peer: str, form: str) -> str:
        """Return ``model`` if it is one of the peer's ``names``.

        Raises
        ------
        WeightsError
            If it is neither a path that exists nor one of them; ``form`` says what the path of weights must be.
        """
        if self.model in names:
            return self.model
        raise WeightsError(
            f"{peer}: there is no '{self.model}', and {peer} publishes no model of that name; "
            f"give the path of {form}, or one of: {', '.join(names)}"
        )


def _scale(text: str) -> float:
    try:
        mpp = float(text)
    except ValueError:
        mpp = math.nan
    if not MIN_MPP <= mpp <= MAX_MPP:
        raise RecipeError(
            f"'@{text}' is no scale of a model; write um per pixel from {MIN_MPP:g} to {MAX_MPP:g}, such as @0.25"
        )
    return mpp


def file_digest(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal digits.

    Raises
    ------
    WeightsError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); check the path of the weights") from error
