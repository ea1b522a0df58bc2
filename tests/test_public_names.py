from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import hemascope

PUBLIC = [
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


def test_the_public_names_are_these_and_no_others() -> None:
    assert sorted(hemascope.__all__) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_can_be_imported_and_says_what_it_is(name: str) -> None:
    assert getattr(hemascope, name).__doc__


def test_the_version_is_that_of_the_project_file() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert hemascope.__version__ == project["project"]["version"]


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="no public name 'magic'"):
        hemascope.magic  # noqa: B018


def test_importing_the_package_loads_nothing() -> None:
    code = "import sys, hemascope; print([m for m in ('numpy', 'cv2', 'pydantic') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_the_example_of_the_documentation_runs() -> None:
    field = hemascope.paint_field(1)
    result = hemascope.build_analyzer(mpp=0.1).analyze(field.field)
    assert any(found.cell.kind is hemascope.CellKind.RED_CELL for found in result.cells)
