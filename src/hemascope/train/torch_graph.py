"""Networks run by torch (extra ``train``): the baseline that the other backends are measured against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load
from torch import Tensor, nn

from hemascope.core.errors import RecipeError, WeightsError
from hemascope.core.provenance import ModelIdentity
from hemascope.nets.vit import VIT_SIZES, VisionTransformer
from hemascope.train.package import load_tensors
from hemascope.zoo.card import TENSORS_FILE, ModelCard
from hemascope.zoo.onnx_graph import verified_bytes

PRECISIONS = ("fp32", "bf16")


class TorchGraph:
    """A torch module on the processor; a ``TensorGraph``.

    Parameters
    ----------
    module
        Images to a tensor or a tuple of tensors; put into evaluation mode.
    identity
        What answers, with this backend and ``precision``.
    precision
        ``fp32``; or ``bf16``, which is torch's autocast.
    threads
        Threads of torch, for the whole process as torch has it; 0 leaves them.

    Raises
    ------
    RecipeError
        If there is no such precision.
    """

    def __init__(self, module: nn.Module, identity: ModelIdentity, precision: str = "fp32", threads: int = 0) -> None:
        if precision not in PRECISIONS:
            raise RecipeError(f"torch has no precision '{precision}' here; choose one of {', '.join(PRECISIONS)}")
        if threads:
            torch.set_num_threads(threads)
        convolutional = any(
            isinstance(part, nn.Conv2d) and part.kernel_size != part.stride for part in module.modules()
        )
        self._layout = torch.channels_last if convolutional else torch.contiguous_format
        self._module = module.eval().to(memory_format=self._layout)  # type: ignore[call-overload]
        self._half = precision == "bf16"
        self._identity = identity

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._identity

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Return the outputs for a batch N x 3 x H x W."""
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self._half):
            answers = self._module(torch.from_numpy(batch).contiguous(memory_format=self._layout))
        outputs = (answers,) if isinstance(answers, Tensor) else answers
        return tuple(output.float().numpy() for output in outputs)


def load_torch_graph(folder: Path, card: ModelCard, precision: str = "fp32", threads: int = 0) -> TorchGraph:
    """Return the network of a model folder, built from its tensors.

    Raises
    ------
    RecipeError
        If there is no such precision.
    WeightsError
        If the tensors are missing, have another digest than the card says, or are of a layout not known here.
    """
    sha256 = card.files.get(TENSORS_FILE, "")
    module = module_of(load(verified_bytes(folder / TENSORS_FILE, sha256)), str(folder / TENSORS_FILE))
    identity = ModelIdentity(card.name, card.version, sha256, f"torch-cpu-{precision}", card.license)
    return TorchGraph(module, identity, precision, threads)


def module_of(state: Mapping[str, Tensor], name: str) -> nn.Module:
    """Return the network whose tensors these are; ``name`` says of which file in an error.

    Raises
    ------
    WeightsError
        If no layout in ``LAYOUTS`` has all of these tensors and no other.
    """
    for mark, build in LAYOUTS.items():
        if mark in state:
            module = build(state)
            try:
                load_tensors(module, dict(state))
            except RuntimeError:
                continue
            return module
    raise WeightsError(f"{name}: tensors of a network that torch is not told of here; choose another backend")


def _vit(state: Mapping[str, Tensor]) -> nn.Module:
    width = state["pos_embed"].shape[2]
    fitting = [size for size in VIT_SIZES.values() if size.dimension == width]
    if not fitting:
        raise WeightsError(f"a transformer of width {width} is none of the published sizes; choose another backend")
    return VisionTransformer(fitting[0])


LAYOUTS: dict[str, Callable[[Mapping[str, Tensor]], nn.Module]] = {
    "patch_embed.proj.weight": _vit,
}
"""A tensor by which a network is known, to what builds it."""
