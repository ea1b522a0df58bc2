"""hemascope reads blood smears: images in, a report with its evidence out. Research use only.

The public names are listed in ``__all__`` and imported when first asked for, so that ``import hemascope`` costs
nothing. Everything else may change between versions.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from hemascope.core.version import __version__

if TYPE_CHECKING:
    from hemascope.app.analyzer import Analyzer
    from hemascope.core.cell import Cell, CellCrop, Morphometry
    from hemascope.core.errors import HemascopeError
    from hemascope.core.geometry import Box, Polygon
    from hemascope.core.ports import CellClassifier, ResultSink, Segmenter
    from hemascope.core.prediction import CellPrediction
    from hemascope.core.report import FieldResult, SmearReport
    from hemascope.core.smear import Field, QcVerdict
    from hemascope.core.taxonomy import CellKind, CellType
    from hemascope.core.units import Scale, ScaleSource
    from hemascope.recipes import AnalysisRecipe
    from hemascope.sources.discover import discover
    from hemascope.synth.smear import paint_field
    from hemascope.wiring import build_analyzer

_HOMES = {
    "AnalysisRecipe": "hemascope.recipes",
    "Analyzer": "hemascope.app.analyzer",
    "Box": "hemascope.core.geometry",
    "Cell": "hemascope.core.cell",
    "CellClassifier": "hemascope.core.ports",
    "CellCrop": "hemascope.core.cell",
    "CellKind": "hemascope.core.taxonomy",
    "CellPrediction": "hemascope.core.prediction",
    "CellType": "hemascope.core.taxonomy",
    "Field": "hemascope.core.smear",
    "FieldResult": "hemascope.core.report",
    "HemascopeError": "hemascope.core.errors",
    "Morphometry": "hemascope.core.cell",
    "Polygon": "hemascope.core.geometry",
    "QcVerdict": "hemascope.core.smear",
    "ResultSink": "hemascope.core.ports",
    "Scale": "hemascope.core.units",
    "ScaleSource": "hemascope.core.units",
    "Segmenter": "hemascope.core.ports",
    "SmearReport": "hemascope.core.report",
    "build_analyzer": "hemascope.wiring",
    "discover": "hemascope.sources.discover",
    "paint_field": "hemascope.synth.smear",
}

__all__ = [
    "AnalysisRecipe",
    "Analyzer",
    "Box",
    "Cell",
    "CellClassifier",
    "CellCrop",
    "CellKind",
    "CellPrediction",
    "CellType",
    "Field",
    "FieldResult",
    "HemascopeError",
    "Morphometry",
    "Polygon",
    "QcVerdict",
    "ResultSink",
    "Scale",
    "ScaleSource",
    "Segmenter",
    "SmearReport",
    "__version__",
    "build_analyzer",
    "discover",
    "paint_field",
]


def __getattr__(name: str) -> object:
    """Import a public name from its room."""
    if name not in _HOMES:
        raise AttributeError(f"hemascope has no public name '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
