"""A run's log to a picture of its curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hemascope.train.optimize import RunLog


def draw_curves(run: Path) -> Path:
    """Write ``curves.png`` into a run folder: the loss, and every validation figure, over steps.

    Returns
    -------
    The picture's path.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = RunLog(run).rows()
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    steps, losses = _series(rows)
    left.plot(steps, losses, linewidth=0.8)
    left.set(title="training loss", xlabel="step", yscale="log")
    for name, values in _validation(rows).items():
        right.plot([s for s, _ in values], [v for _, v in values], marker="o", markersize=3, label=name)
    right.set(title="validation", xlabel="step")
    if right.lines:
        right.legend(fontsize=7)
    path = run / "curves.png"
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return path


def _series(rows: list[dict[str, Any]]) -> tuple[list[int], list[float]]:
    chosen = [row for row in rows if "loss" in row]
    return [row["step"] for row in chosen], [row["loss"] for row in chosen]


def _validation(rows: list[dict[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    series: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for name, value in row.get("validation", {}).items():
            series.setdefault(name, []).append((row["step"], value))
    return series
