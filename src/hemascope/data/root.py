"""Where the public sets lie on this machine: the user says so, the package never guesses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from hemascope.core.errors import DataSetError

VARIABLE = "HEMASCOPE_DATA"
"""Environment variable that names the folder in which every set has a folder of its own."""


def data_root(given: Path | None = None, environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder that holds the public sets.

    Parameters
    ----------
    given
        What the user named; it comes before the environment.
    environment
        Variable to value; that of the process where None.

    Raises
    ------
    DataSetError
        If neither names a folder, or the one named is not there.
    """
    named = os.environ if environment is None else environment
    root = given or (Path(named[VARIABLE]) if named.get(VARIABLE) else None)
    if root is None:
        raise DataSetError(
            f"no folder of data sets was named; set {VARIABLE} to the folder that holds bccd, pbc_acevedo_128 "
            "and the others, or name it with --data"
        )
    if not root.is_dir():
        raise DataSetError(f"the folder of data sets '{root}' is not there; set {VARIABLE} or --data to one that is")
    return root.absolute()
