"""The names of cells: what the finder finds, and what the classifier types.

The types are the eight groups of the PBC set (Acevedo et al., Data in Brief 2020;30:105474).
"""

from __future__ import annotations

from enum import StrEnum


class CellKind(StrEnum):
    """What the finder tells apart. ``white_cell`` is any nucleated cell, erythroblasts included."""

    WHITE_CELL = "white_cell"
    RED_CELL = "red_cell"
    PLATELET = "platelet"


class CellType(StrEnum):
    """What the classifier tells apart, in the order of its outputs."""

    BASOPHIL = "basophil"
    EOSINOPHIL = "eosinophil"
    ERYTHROBLAST = "erythroblast"
    IMMATURE_GRANULOCYTE = "immature_granulocyte"
    LYMPHOCYTE = "lymphocyte"
    MONOCYTE = "monocyte"
    NEUTROPHIL = "neutrophil"
    PLATELET = "platelet"


class RedCellType(StrEnum):
    """The morphology of a red cell, in the order of the classifier's outputs.

    The twelve types of Chula-RBC-12 (Naruenatthanaset et al., arXiv:2012.01321) without its ``uncategorised``.
    """

    NORMAL = "normal"
    MACROCYTE = "macrocyte"
    MICROCYTE = "microcyte"
    SPHEROCYTE = "spherocyte"
    TARGET_CELL = "target_cell"
    STOMATOCYTE = "stomatocyte"
    OVALOCYTE = "ovalocyte"
    TEARDROP_CELL = "teardrop_cell"
    BURR_CELL = "burr_cell"
    SCHISTOCYTE = "schistocyte"
    HYPOCHROMIC = "hypochromic"
    ELLIPTOCYTE = "elliptocyte"


NUCLEATED_TYPES: tuple[CellType, ...] = tuple(t for t in CellType if t is not CellType.PLATELET)
"""The seven types a nucleated cell can have."""

WHITE_CELL_TYPES: tuple[CellType, ...] = tuple(t for t in NUCLEATED_TYPES if t is not CellType.ERYTHROBLAST)
"""The six types that make up a differential; erythroblasts are reported per 100 of these."""

UNIDENTIFIED = "unidentified"
"""The answer where the model should not decide. It is no cell type: it stays in the count of white cells."""

DISPLAY_NAMES: dict[str, str] = {
    CellType.BASOPHIL: "Basophil",
    CellType.EOSINOPHIL: "Eosinophil",
    CellType.ERYTHROBLAST: "Erythroblast",
    CellType.IMMATURE_GRANULOCYTE: "Immature granulocyte",
    CellType.LYMPHOCYTE: "Lymphocyte",
    CellType.MONOCYTE: "Monocyte",
    CellType.NEUTROPHIL: "Neutrophil",
    CellType.PLATELET: "Platelet",
    UNIDENTIFIED: "Unidentified",
    CellKind.WHITE_CELL: "White cell",
    CellKind.RED_CELL: "Red cell",
    RedCellType.NORMAL: "Normal red cell",
    RedCellType.MACROCYTE: "Macrocyte",
    RedCellType.MICROCYTE: "Microcyte",
    RedCellType.SPHEROCYTE: "Spherocyte",
    RedCellType.TARGET_CELL: "Target cell",
    RedCellType.STOMATOCYTE: "Stomatocyte",
    RedCellType.OVALOCYTE: "Ovalocyte",
    RedCellType.TEARDROP_CELL: "Teardrop cell",
    RedCellType.BURR_CELL: "Burr cell",
    RedCellType.SCHISTOCYTE: "Schistocyte",
    RedCellType.HYPOCHROMIC: "Hypochromic red cell",
    RedCellType.ELLIPTOCYTE: "Elliptocyte",
}
"""Names for readers; keys are the values of ``CellType``, ``CellKind`` and ``RedCellType``, and ``UNIDENTIFIED``."""

DISPLAY_COLORS: dict[str, str] = {
    CellType.BASOPHIL: "#332288",
    CellType.EOSINOPHIL: "#d55e00",
    CellType.ERYTHROBLAST: "#882255",
    CellType.IMMATURE_GRANULOCYTE: "#3a9bdc",
    CellType.LYMPHOCYTE: "#00845f",
    CellType.MONOCYTE: "#b87a00",
    CellType.NEUTROPHIL: "#0060a8",
    CellType.PLATELET: "#0b8f8f",
    UNIDENTIFIED: "#1f2328",
    CellKind.WHITE_CELL: "#4b5563",
    CellKind.RED_CELL: "#9c4a55",
}
"""Colors for readers, ``#rrggbb``, for all but red cell types: after Okabe and Ito and Tol, told apart with color
vision deficiency, darkened to stand on a light page and on a stained field. A color never stands alone."""
