"""Models that come with the package."""

from __future__ import annotations

from pathlib import Path

from hemascope.core.errors import WeightsError
from hemascope.zoo.card import CARD_FILE, ModelCard, read_card

WEIGHTS = Path(__file__).parent / "weights"

FINDER = "finder"
CELL_CLASSIFIER = "cell_classifier"
RED_CELL_CLASSIFIER = "red_cell_classifier"
CELL_ATTRIBUTES = "cell_attributes"
EMBEDDING_DENOISER = "embedding_denoiser"
PIXEL_DENOISER = "pixel_denoiser"


def shipped_folder(name: str) -> Path:
    """Return the folder of a shipped model.

    Raises
    ------
    WeightsError
        If there is none of that name.
    """
    folder = WEIGHTS / name
    if not (folder / CARD_FILE).is_file():
        known = ", ".join(sorted(path.parent.name for path in WEIGHTS.glob(f"*/{CARD_FILE}"))) or "none"
        raise WeightsError(f"no model '{name}' comes with this installation (there are: {known}); install it again")
    return folder


def shipped_card(name: str) -> ModelCard | None:
    """Return the card of a shipped model, or None where there is none of that name.

    Raises
    ------
    WeightsError
        If its card is damaged.
    """
    folder = WEIGHTS / name
    return read_card(folder) if (folder / CARD_FILE).is_file() else None
