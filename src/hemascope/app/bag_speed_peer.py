"""Training code of others, named by a Python file, to be timed beside ours. Nothing of it is part of this package."""

from __future__ import annotations

import importlib.util
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import InputError

NAMES = ("NAME", "VERSION", "COMMIT")
CALLS = ("prepare", "train_epoch")


class EpochTime(NamedTuple):
    """Seconds of an epoch: on the clock, and of all threads together on processors."""

    wall: float
    processor: float


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody else's training; see ``docs/simulated-cohorts.md`` for what the file must offer.

    Attributes
    ----------
    name, version, commit
        As the file tells.
    module
        The file, imported.
    """

    name: str
    version: str
    commit: str
    module: ModuleType

    def prepare(self, dimension: int, classes: int, threads: int) -> None:
        """Let it build a model for bags of ``dimension`` numbers a cell."""
        _call(self.module, "prepare", dimension, classes, threads)

    def train_epoch(self, bags: list[NDArray[np.float32]], labels: NDArray[np.intp]) -> EpochTime:
        """Let it train for an epoch on N x D arrays and their class numbers, and return what that took."""
        started = time.perf_counter(), time.process_time()
        _call(self.module, "train_epoch", bags, labels)
        return EpochTime(time.perf_counter() - started[0], time.process_time() - started[1])


def load_peer(path: Path) -> Peer:
    """Return the training that a file offers. The file is run: name only what you trust.

    Raises
    ------
    InputError
        If it cannot be imported, or lacks a name or a function.
    """
    name = f"hemascope_peer_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is no Python file; name one that offers {', '.join((*NAMES, *CALLS))}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"{path} cannot be imported ({type(error).__name__}: {error}); correct it") from error
    missing = [word for word in NAMES if not isinstance(getattr(module, word, None), str)]
    missing += [word for word in CALLS if not callable(getattr(module, word, None))]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}; see docs/simulated-cohorts.md")
    return Peer(module.NAME, module.VERSION, module.COMMIT, module)


def _call(module: ModuleType, function: str, *arguments: Any) -> None:
    try:
        getattr(module, function)(*arguments)
    except Exception as error:
        raise InputError(
            f"{module.__file__}: {function} failed ({type(error).__name__}: {error}); correct it"
        ) from error
