"""What a benchmark run leaves behind: one JSON document."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np

from hemascope.core.errors import OutputError
from hemascope.core.provenance import ModelIdentity
from hemascope.evaluate.estimate import Estimate

Metrics = dict[str, float | None]
"""``<data set>.<class or task>.<metric>`` to value; None where the labels do not define it."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Figures and their 95% intervals under their keys.

    Attributes
    ----------
    metrics
        Key to value.
    intervals
        Key to ``(low, high)``; a key without an interval is absent.
    """

    metrics: Metrics = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    def add(self, prefix: str, estimates: Mapping[str, Estimate]) -> None:
        """Take estimates under ``<prefix>.<name>``."""
        for name, estimate in estimates.items():
            key = f"{prefix}.{name}"
            self.metrics[key] = None if estimate.value is None else _plain(estimate.value)
            if estimate.low is not None and estimate.high is not None:
                self.intervals[key] = (_plain(estimate.low), _plain(estimate.high))


@dataclass(frozen=True, slots=True)
class BenchmarkRun:
    """A finished benchmark.

    Attributes
    ----------
    benchmark
        Its name.
    data
        Data set to its label version, license and digest of its tables.
    split
        A value of the split column, or ``all``.
    n
        What was counted to how many.
    measures
        Figures of the method asked for.
    baselines
        Name of a baseline to its figures, under the same keys.
    calibration_gflops
        What this machine does on a plain matrix product, in 10^9 operations a second: makes speeds comparable.
    provenance
        What made it, in plain JSON types.
    """

    benchmark: str
    data: dict[str, dict[str, object]]
    split: str
    n: dict[str, int]
    measures: Measures
    baselines: dict[str, Metrics]
    calibration_gflops: float
    provenance: dict[str, object]

    def document(self) -> dict[str, object]:
        """Return the run as plain JSON types, in the order of the documented keys."""
        return {
            "benchmark": self.benchmark,
            "data": self.data,
            "split": self.split,
            "n": self.n,
            "metrics": self.measures.metrics,
            "intervals": {key: list(limits) for key, limits in self.measures.intervals.items()},
            "baselines": self.baselines,
            "calibration_gflops": self.calibration_gflops,
            "provenance": self.provenance,
        }


def write_document(document: Mapping[str, object], path: Path) -> None:
    """Write a run as JSON, whole or not at all.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    write_text(path, json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all; raise ``OutputError`` if that is impossible."""
    with draft_of(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """Give a hidden place beside ``path`` to write to; it takes the place of ``path`` when all went well.

    Raises
    ------
    OutputError
        If either cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        draft.replace(path)
    except OSError as error:
        raise OutputError.at(path, error) from error
    finally:
        with suppress(OSError):  # the folder may not even exist; what went wrong is said above
            draft.unlink()


def measure_gflops(side: int = 1024, repeats: int = 5) -> float:
    """Return the best rate of a float32 matrix product of ``side`` x ``side``, in 10^9 operations a second."""
    generator = np.random.default_rng(0)
    a, b = (generator.random((side, side), dtype=np.float32) for _ in range(2))
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        np.matmul(a, b)
        seconds.append(time.perf_counter() - started)
    return round(2 * side**3 / min(seconds) / 1e9, 2)


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe_run(command: str, started: float, models: Iterable[ModelIdentity]) -> dict[str, object]:
    """Return what made a run; it names no folder and no host of this machine.

    Parameters
    ----------
    command
        As the user would type it, without machine paths.
    started
        Unix time of its start.
    models
        What answered.
    """
    packages = ("hemascope", "numpy", "onnxruntime", "opencv-python-headless", "scipy", "pillow")
    return {
        "command": command,
        "commit": source_commit(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started, 1),
        "software": {"python": platform.python_version()} | {name: version(name) for name in packages},
        "machine": f"{platform.system()} {platform.machine()}, {usable_cores()} cores usable",
        "threads": os.environ.get("OMP_NUM_THREADS", "as the libraries choose"),
        "models": [asdict(model) for model in models],
    }


def source_commit() -> str | None:
    """Return the commit of the source tree this package runs from, with ``+changes`` where files differ from it.

    None where it does not run from a git checkout of its own.
    """
    git = shutil.which("git")
    folder = Path(__file__).parent
    if git is None or _git(git, folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    commit = _git(git, folder, "rev-parse", "HEAD")
    changed = _git(git, folder, "status", "--porcelain", "--untracked-files=no", "--", "..")
    return f"{commit}+changes" if commit and changed else commit


def table_digest(folder: Path) -> str:
    """Return the SHA-256 of a set's tables, which names the labels used."""
    digest = hashlib.sha256()
    for name in ("labels.csv", "boxes.csv", "points.csv"):
        if (folder / name).is_file():
            digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def _git(git: str, folder: Path, *arguments: str) -> str | None:
    done = subprocess.run(  # noqa: S603 # a fixed program with fixed arguments
        [git, "-C", str(folder), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None


def _plain(value: float) -> float:
    """Return a whole number as it is and any other with six digits: more would only make files differ."""
    return int(value) if isinstance(value, int | np.integer) else float(f"{value:.6g}")
