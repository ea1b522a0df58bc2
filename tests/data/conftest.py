"""The real sets, where they are."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def real_root() -> Path:
    named = os.environ.get("HEMASCOPE_DATA")
    if not named:
        pytest.skip("HEMASCOPE_DATA is not set: it names the folder of the public data sets")
    return Path(named)
