"""What every test shares: no deadline (machines are noisy, tests never assert a time), and the public data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("hemascope", deadline=None)
settings.load_profile("hemascope")


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder of the public data sets; the test is skipped where there is none."""
    named = os.environ.get("HEMASCOPE_DATA")
    if not named or not Path(named).is_dir():
        pytest.skip("the public data sets are not here: set HEMASCOPE_DATA to their folder")
    return Path(named)
