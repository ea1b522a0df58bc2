"""What every training here shares: learning rate, moving average, progress, and a record of the run."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

MAX_WARMUP = 100
"""Steps of warm-up at most; a short run spends a tenth of its steps on it."""


def cosine_rate(step: int, steps: int, peak: float) -> float:
    """Return the learning rate of a step: linear warm-up to ``peak``, then a cosine to zero."""
    warmup = min(MAX_WARMUP, steps // 10)
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(steps - warmup, 1)
    return peak * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every parameter group."""
    for group in optimizer.param_groups:
        group["lr"] = rate


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Move ``average`` towards ``model``; early steps move faster, so that it forgets the start."""
    keep = min(decay, (1 + step) / (10 + step))
    for ours, theirs in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if ours.dtype.is_floating_point:
            ours.lerp_(theirs, 1 - keep)
        else:
            ours.copy_(theirs)


def weight_groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Return parameter groups for AdamW: no decay for biases and normalization."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]


class RunLog:
    """A run's ``log.jsonl``: one line an event, with the step and the seconds since this start."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "log.jsonl"
        self._start = time.monotonic()

    def write(self, step: int, **values: object) -> None:
        """Append one line."""
        line = {"step": step, "seconds": round(time.monotonic() - self._start, 1), **values}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def rows(self) -> list[dict[str, Any]]:
        """Return every line so far; a line cut short by a kill is left out."""
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return found


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
