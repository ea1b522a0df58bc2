"""Plots of the benchmark ``generative``: risk against coverage, and accuracy against confidence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_record import draft_of
from hemascope.core.errors import MissingExtraError
from hemascope.evaluate.selective import JudgedAnswers, score_psychometric
from hemascope.stats.risk_coverage import risk_coverage

_BINS = 12
_STYLES = ("-", "--", ":", "-.")
"""Of lines, by embedding; the color tells the classifier."""

_SHOWN = 0.25
"""Greatest risk in the picture of risk against coverage."""


def write_plots(answers: Mapping[str, JudgedAnswers], folder: Path) -> tuple[Path, ...]:
    """Write ``risk_coverage.png`` and ``psychometric.png``, each whole or not at all, and return their paths.

    Parameters
    ----------
    answers
        Row to its answers to the test cells.
    folder
        Made where it does not exist.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    OutputError
        If a file cannot be written.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtraError("--pictures of this benchmark", "train") from error
    matplotlib.use("Agg")
    return (
        _save(_risk_coverage(answers), folder / "risk_coverage.png"),
        _save(_psychometric(answers), folder / "psychometric.png"),
    )


def _risk_coverage(answers: Mapping[str, JudgedAnswers]) -> Any:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    highest = 0.0
    embeddings = list(dict.fromkeys(row.rpartition(".")[0] for row in answers))
    classifiers = list(dict.fromkeys(row.rpartition(".")[2] for row in answers))
    for row, told in answers.items():
        embedding, _, classifier = row.rpartition(".")
        style = _STYLES[embeddings.index(embedding) % len(_STYLES)]
        color = f"C{classifiers.index(classifier) % 10}"
        curve = risk_coverage(told.confidence, told.right)
        highest = max(highest, float(curve.risk[-1]))
        axes.plot(curve.coverage, curve.risk, linewidth=1, label=row, linestyle=style, color=color)
    axes.axhline(0.005, color="gray", linewidth=0.8, linestyle=":")
    axes.set(xlabel="share of cells answered, the surest first", ylabel="share of these that is wrong")
    axes.set(xlim=(0, 1), ylim=(0, min(_SHOWN, 1.5 * highest + 0.01)))
    axes.legend(fontsize=7)
    return figure


def _psychometric(answers: Mapping[str, JudgedAnswers]) -> Any:
    from matplotlib import pyplot

    rows = list(answers)
    across = min(3, len(rows))
    down = -(-len(rows) // across)
    figure, grid = pyplot.subplots(down, across, figsize=(4 * across, 3 * down), layout="constrained", squeeze=False)
    for axes, row in zip(grid.ravel(), rows, strict=False):
        told = answers[row]
        x, y = _binned(told)
        axes.plot(x, y, "o", markersize=3)
        _, fitted = score_psychometric(told, resamples=1)
        if fitted is not None:
            line = np.linspace(told.confidence.min(), told.confidence.max(), 200)
            axes.plot(line, fitted(line), linewidth=1)
        axes.set_title(row, fontsize=7)
        axes.set(ylim=(-0.03, 1.03), xlabel="confidence", ylabel="share right")
    for axes in grid.ravel()[len(rows) :]:
        axes.axis("off")
    return figure


def _binned(told: JudgedAnswers) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean confidence and share right in bins of equal mass."""
    parts = np.array_split(np.argsort(told.confidence, kind="stable"), min(_BINS, len(told.labels)))
    x = np.array([told.confidence[part].mean() for part in parts])
    return x, np.array([told.right[part].mean() for part in parts])


def _save(figure: Any, path: Path) -> Path:
    from matplotlib import pyplot

    with draft_of(path) as draft:
        figure.savefig(draft, dpi=120, format="png")
    pyplot.close(figure)
    return path
