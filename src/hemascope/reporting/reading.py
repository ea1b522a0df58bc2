"""Names and order of types as laboratories use them."""

from __future__ import annotations

from hemascope.core.taxonomy import UNIDENTIFIED, CellType

READING_ORDER = (
    CellType.NEUTROPHIL.value,
    CellType.IMMATURE_GRANULOCYTE.value,
    CellType.LYMPHOCYTE.value,
    CellType.MONOCYTE.value,
    CellType.EOSINOPHIL.value,
    CellType.BASOPHIL.value,
    CellType.ERYTHROBLAST.value,
    UNIDENTIFIED,
)
"""Types in the order laboratories list them."""

SHORT_NAMES: dict[str, str] = {
    CellType.BASOPHIL: "Baso",
    CellType.EOSINOPHIL: "Eos",
    CellType.ERYTHROBLAST: "Ebl",
    CellType.IMMATURE_GRANULOCYTE: "IG",
    CellType.LYMPHOCYTE: "Lym",
    CellType.MONOCYTE: "Mono",
    CellType.NEUTROPHIL: "Neu",
    UNIDENTIFIED: "?",
}
"""Labels for outlines."""
