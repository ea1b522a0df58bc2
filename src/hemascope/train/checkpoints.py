"""Checkpoints: tensors as safetensors, everything else as JSON; written whole, so a killed run resumes.

A checkpoint is one folder ``step-000400`` holding ``tensors.safetensors`` and ``state.json``; it is renamed
into place when both are complete, and only the newest is kept.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


def _flatten_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    flat: dict[str, Tensor] = {}
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            flat[f"optimizer/{index}/{key}"] = torch.as_tensor(value).contiguous()
    return flat


def _restore_optimizer(optimizer: torch.optim.Optimizer, flat: dict[str, Tensor]) -> None:
    restored = optimizer.state_dict()
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in flat.items():
        _, index, key = name.split("/")
        states.setdefault(int(index), {})[key] = value
    restored["state"] = states
    optimizer.load_state_dict(restored)


def save_checkpoint(
    folder: Path, step: int, models: dict[str, nn.Module], optimizer: torch.optim.Optimizer, state: dict[str, Any]
) -> Path:
    """Write the checkpoint of ``step`` and remove older ones.

    Parameters
    ----------
    folder
        The run's ``checkpoints`` folder; made if missing.
    models
        Name to module; their state dicts are saved under that name.
    state
        Plain JSON types: history, best score, generator state.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"step-{step:07d}"
    partial = folder / f".{target.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    tensors = {
        f"{name}/{key}": value.contiguous()
        for name, model in models.items()
        for key, value in model.state_dict().items()
    }
    tensors |= _flatten_optimizer(optimizer)
    save_file(tensors, str(partial / "tensors.safetensors"))
    (partial / "state.json").write_text(json.dumps({"step": step, **state}))
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    for older in sorted(folder.glob("step-*")):
        if older.name < target.name:
            shutil.rmtree(older)
    return target


def load_checkpoint(
    folder: Path, models: dict[str, nn.Module], optimizer: torch.optim.Optimizer
) -> dict[str, Any] | None:
    """Restore the newest checkpoint in place and return its state, or None where there is none."""
    found = sorted(folder.glob("step-*"))
    if not found:
        return None
    tensors = load_file(str(found[-1] / "tensors.safetensors"))
    for name, model in models.items():
        prefix = f"{name}/"
        model.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    _restore_optimizer(optimizer, {k: v for k, v in tensors.items() if k.startswith("optimizer/")})
    state: dict[str, Any] = json.loads((found[-1] / "state.json").read_text())
    return state
