"""Networks run by torch (extra ``train``): the baseline that the other backends are measured against."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load
from torch import Tensor, nn

from hemascope.core.errors import RecipeError, WeightsError
from hemascope.core.provenance import ModelIdentity
from hemascope.nets.cell_encoder import CellEncoder, EncoderShape
from hemascope.train.package import load_tensors
from hemascope.train.published_nets import build_published
from hemascope.train.ship_encoder import ShippedEncoder
from hemascope.zoo.card import TENSORS_FILE, ModelCard
from hemascope.zoo.onnx_graph import verified_bytes
from hemascope.zoo.registry import encoder_entry

PRECISIONS = ("fp32", "bf16")

_PREFIX = "net."
"""Of the tensors of the encoder in a model folder of ours; a classifier has others besides."""


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
    module = module_of(card, load(verified_bytes(folder / TENSORS_FILE, sha256)), str(folder / TENSORS_FILE))
    identity = ModelIdentity(card.name, card.version, sha256, f"torch-cpu-{precision}", card.license)
    return TorchGraph(module, identity, precision, threads)


def module_of(card: ModelCard, state: Mapping[str, Tensor], name: str) -> nn.Module:
    """Return the network of a card with these tensors; ``name`` says of which file in an error.

    Of a classifier of ours: logits and embedding, without the distance from what was seen.

    Raises
    ------
    WeightsError
        If the card tells of no network known here, or the tensors are of another.
    MissingExtraError
        If the package that the network comes from is not installed.
    """
    if card.origin is not None:
        entry = encoder_entry(card.origin.name)
        return build_published(entry.layout, entry.architecture, dict(state), name)
    try:
        size: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in _network(card).items()}
        net = CellEncoder(len(state["net.head.bias"]), EncoderShape(**size))
        load_tensors(net, {key[len(_PREFIX) :]: value for key, value in state.items() if key.startswith(_PREFIX)})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{name}: tensors of a network that torch is not told of here ({type(error).__name__}: {error}); "
            "choose another backend"
        ) from error
    return ShippedEncoder(net) if card.task == "embed" else net


def _network(card: ModelCard) -> dict[str, Any]:
    """Return the size in the recipe that a network was trained by."""
    return dict(card.training.recipe["network"])
