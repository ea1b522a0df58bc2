import json
import os
from pathlib import Path

import pytest
from painted_results import field_result

from hemascope.core.report import FieldResult
from hemascope.core.smear import QcStatus
from hemascope.core.units import ScaleSource


@pytest.fixture(scope="session")
def results() -> list[FieldResult]:
    """Three fields: one passes, one warns, one fails; ids that try to break file formats; an empty one at the end."""
    return [
        field_result(1, "slide/a.png", typed=True, clumped=True),
        field_result(2, '../../"x",\n<script>alert(1)</script>.png', status=QcStatus.WARN, scale=ScaleSource.ESTIMATED),
        field_result(3, "=cmd|'/c calc'!A1", status=QcStatus.FAIL),
        field_result(4, os.fsdecode(b"latin-\xe9.png"), white=0, red=0, platelets=0),
    ]


@pytest.fixture
def docs() -> Path:
    return Path(__file__).resolve().parents[2] / "docs"


def strict_json(path: Path) -> object:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


@pytest.fixture
def read_json() -> object:
    return strict_json
