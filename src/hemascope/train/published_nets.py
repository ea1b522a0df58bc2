"""Published weights to a network that answers: ours, one of timm, or CONCH's image tower."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hemascope.core.errors import MissingExtraError, WeightsError
from hemascope.nets.vit import VisionTransformer, VitSize
from hemascope.train.published import load_strictly

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
"""Mean and deviation of red, green and blue: of ImageNet, and of the images CLIP was trained on."""


class Renormalized(nn.Module):
    """A network behind a change of normalization, so that all of them take input normalized by ImageNet's.

    Parameters
    ----------
    body
        The network.
    mean, deviation
        What it was trained with.
    """

    factor: Tensor
    shift: Tensor

    def __init__(self, body: nn.Module, mean: tuple[float, ...], deviation: tuple[float, ...]) -> None:
        super().__init__()
        self.body = body
        ours, theirs = (torch.tensor(pair).view(2, 1, 3, 1, 1) for pair in (IMAGENET, (mean, deviation)))
        self.register_buffer("factor", ours[1] / theirs[1], persistent=False)
        self.register_buffer("shift", (ours[0] - theirs[0]) / theirs[1], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the network's embeddings N x D of N x 3 x S x S, normalized by ImageNet's mean and deviation."""
        out: Tensor = self.body(x * self.factor + self.shift)
        return out


class ClassAndPatches(nn.Module):
    """The class token beside the mean of the patches: what Virchow2's makers take for an embedding.

    Parameters
    ----------
    body
        Images to tokens N x T x D: the class token, the registers, the patches.
    registers
        How many registers.
    """

    def __init__(self, body: nn.Module, registers: int) -> None:
        super().__init__()
        self.body = body
        self.registers = registers

    def forward(self, x: Tensor) -> Tensor:
        """Return embeddings N x 2D."""
        tokens: Tensor = self.body(x)
        return torch.cat((tokens[:, 0], tokens[:, 1 + self.registers :].mean(dim=1)), dim=1)


class ImageTower(nn.Module):
    """The half of CONCH that sees images, before the projection into the space it shares with texts."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """Return embeddings N x D."""
        out: Tensor = self.body.forward_no_head(x, normalize=False)  # type: ignore[operator]
        return out


def bare_network(module: nn.Module) -> nn.Module:
    """Return the network in its wrappers: its tensors have the published names."""
    while isinstance(module, Renormalized | ClassAndPatches | ImageTower):
        module = module.body
    return module


def input_side(module: nn.Module) -> int | None:
    """Return the side of the images that a network of timm was made for, in pixels; None for other networks."""
    facts = getattr(bare_network(module), "pretrained_cfg", None)
    return int(facts["input_size"][-1]) if facts else None


def build_published(layout: str, architecture: str, state: Mapping[str, Tensor], source: str) -> nn.Module:
    """Return the network of published tensors, in evaluation mode, from crops normalized by ImageNet's to embeddings.

    Parameters
    ----------
    layout, architecture
        As in ``zoo.registry``.
    state
        As ``read_published`` returns them.
    source
        Where they come from, for an error.

    Raises
    ------
    WeightsError
        If their layout is another, or there is no such layout.
    MissingExtraError
        If the package that the network comes from is not installed.
    """
    if layout not in _BUILDERS:
        raise WeightsError(f"{source}: there is no way to build a network of the layout '{layout}'")
    return _BUILDERS[layout](architecture, state, source).eval()


def _vit(architecture: str, state: Mapping[str, Tensor], source: str) -> nn.Module:
    net = VisionTransformer(VitSize.parse(architecture))
    load_strictly(net, state, source)
    return net


def _timm(architecture: str, state: Mapping[str, Tensor], source: str) -> nn.Module:
    timm = _package("timm", f"the encoder {architecture}", "timm")
    if architecture == "virchow2":
        return _virchow2(timm, state, source)
    try:
        net = timm.create_model(architecture, pretrained=False, num_classes=0)
    except RuntimeError as error:
        raise WeightsError(
            f"{source}: timm has no model '{architecture}' ({error}); see timm.list_pretrained()"
        ) from error
    facts: dict[str, Any] = net.pretrained_cfg
    heads = facts.get("classifier") or ()
    names = tuple(f"{head}." for head in ((heads,) if isinstance(heads, str) else heads))
    own = net.state_dict()
    kept = {name: value for name, value in state.items() if name in own or not name.startswith(names)}
    load_strictly(net, kept, source)
    pair = (tuple(facts["mean"]), tuple(facts["std"]))
    return net if pair == IMAGENET else Renormalized(net, *pair)


def _virchow2(timm: Any, state: Mapping[str, Tensor], source: str) -> nn.Module:
    net = timm.create_model(
        "vit_huge_patch14_224",
        pretrained=False,
        num_classes=0,
        global_pool="",
        init_values=1e-5,
        reg_tokens=4,
        mlp_ratio=5.3375,
        mlp_layer=timm.layers.SwiGLUPacked,
        act_layer=nn.SiLU,
    )
    load_strictly(net, state, source)
    return ClassAndPatches(net, registers=4)


def _conch(architecture: str, state: Mapping[str, Tensor], source: str) -> nn.Module:
    try:
        package: Any = import_module("conch.open_clip_custom.coca_model")
    except ImportError as error:
        raise WeightsError(
            "the encoder conch needs its makers' package; install it with: "
            "pip install git+https://github.com/mahmoodlab/CONCH"
        ) from error
    folder = Path(str(package.__file__)).parent / "model_configs"
    facts = json.loads((folder / f"{architecture}.json").read_text(encoding="utf-8"))
    facts.pop("custom_text", None)
    model = package.CoCa(**facts)
    bare = {name.removeprefix("module."): value for name, value in state.items()}
    tower = {name.removeprefix("visual."): value for name, value in bare.items() if name.startswith("visual.")}
    load_strictly(model.visual, tower or bare, source)
    return Renormalized(ImageTower(model.visual), *CLIP)


def _package(name: str, feature: str, extra: str) -> Any:
    try:
        return import_module(name)
    except (ImportError, RuntimeError) as error:  # a torchvision of another torch raises RuntimeError
        raise MissingExtraError(feature, extra) from error


_BUILDERS: dict[str, Callable[[str, Mapping[str, Tensor], str], nn.Module]] = {
    "vit": _vit,
    "timm": _timm,
    "conch": _conch,
}
