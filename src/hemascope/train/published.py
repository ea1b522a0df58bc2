"""Published weights to tensors of a known layout: read without running code, refused where the layout is another."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from hemascope.core.errors import WeightsError

HEADS = ("dino_head.", "ibot_head.")
"""Of pre-training alone; a training run of DINOv2 saves them beside the network."""

MAY_LACK = frozenset({"mask_token"})
"""Used in pre-training alone, and dropped by timm: left at zero where a file lacks it."""

NAMED = 4
"""Tensors that a refusal names of each kind."""


def read_published(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a published file.

    A file of torch holds them as they are, or under ``teacher`` as a training run of DINOv2 saves them: then the prefix
    ``backbone.`` is taken off and the heads of pre-training are dropped. Nothing in the file is run.

    Raises
    ------
    WeightsError
        If the file cannot be read, is no such file, or holds something else.
    """
    loaded = load_safetensors(path) if path.suffix == ".safetensors" else _load_torch(path)
    state = loaded.get("teacher", loaded)
    if not isinstance(state, Mapping) or not state:
        raise WeightsError(f"{path}: holds no tensors by name; name the file of weights that its makers published")
    odd = [str(name) for name, value in state.items() if not isinstance(name, str) or not isinstance(value, Tensor)]
    if odd:
        raise WeightsError(
            f"{path}: holds other things than tensors ({_first(odd)}); name the file of weights, not one of a whole "
            "training run"
        )
    bare = {name.removeprefix("backbone."): value for name, value in state.items() if not name.startswith(HEADS)}
    return bare


def load_safetensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file; raise ``WeightsError`` if it is none."""
    try:
        return dict(load_file(str(path)))
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: cannot be read as safetensors ({error}); fetch the file again") from error


def _load_torch(path: Path) -> Mapping[str, object]:
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror or error}); name a file that can") from error
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path}: is no file of plain tensors, and reading it otherwise could run code; name the file its makers "
            "published, or save its tensors as safetensors first"
        ) from error
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path}: is damaged, or no file of torch ({first}); fetch it again") from error
    if not isinstance(loaded, Mapping):
        raise WeightsError(f"{path}: holds a {type(loaded).__name__}, no tensors by name; name the file of weights")
    return loaded


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load tensors into a module, in place: every name and shape must be the module's.

    Parameters
    ----------
    source
        Where the tensors come from, for an error.

    Raises
    ------
    WeightsError
        If a tensor is missing, unknown, of another shape, or holds a number that is not finite. It names the first.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in state and name not in MAY_LACK]
    unknown = [name for name in state if name not in own]
    shaped = [
        f"{name} is {tuple(state[name].shape)}, not {tuple(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    faults = [
        f"{what}: {_first(names)}"
        for what, names in (("missing", missing), ("of another shape", shaped), ("unknown", unknown))
        if names
    ]
    if faults:
        raise WeightsError(f"{source}: another layout than this network's ({'; '.join(faults)}); {_advice(state, own)}")
    broken = [name for name, value in state.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise WeightsError(f"{source}: numbers that are not finite ({_first(broken)}); fetch the file again")
    filled = {name: torch.zeros_like(own[name]) for name in MAY_LACK if name in own} | dict(state)
    module.load_state_dict({name: value.to(own[name].dtype) for name, value in filled.items()}, strict=True)


def _first(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return ", ".join(listed[:NAMED]) + more


def _advice(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    """Return what to do about tensors of another layout, as far as they tell."""
    theirs, ours = state.get("cls_token"), own.get("cls_token")
    if theirs is None or ours is None:
        return "name the file that its makers published for this model"
    if theirs.shape != ours.shape:
        return f"its embeddings have length {theirs.shape[-1]}, so it is another size: name that model instead"
    if "register_tokens" in state or "reg_token" in state:
        return "it has register tokens, which this model has not: name the file without them"
    positions, expected = state.get("pos_embed"), own.get("pos_embed")
    if positions is not None and expected is not None and positions.shape != expected.shape:
        return (
            f"it has positions for {positions.shape[1]} tokens, this model takes {expected.shape[1]}: it is for images "
            "of another size, such as DINOv2's own weights are"
        )
    return "name the file that its makers published for this model"
