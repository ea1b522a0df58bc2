"""Published weights to a model folder: tensors, a graph in single precision that is proven equal, a card."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from safetensors.torch import save_file
from torch import nn

from hemascope.core.errors import OutputError, WeightsError
from hemascope.core.version import __version__
from hemascope.train.onnx_export import quiet_exporter, strip_traces
from hemascope.train.published_nets import bare_network
from hemascope.zoo.card import CARD_FILE, GRAPH_DATA_FILE, GRAPH_FILE, TENSORS_FILE, ModelCard, Origin, TrainingFacts
from hemascope.zoo.encoder_entry import EncoderEntry
from hemascope.zoo.installed import file_sha256

MAX_DIFFERENCE = 1e-4
"""Greatest difference of graph and network, relative to the largest magnitude of an embedding's values."""

MAX_INLINE_BYTES = 1_900_000_000
"""A file of this format holds 2 GB at most; larger weights lie in a second file beside the graph."""

PROBES = 2
"""Images on which graph and network are compared; two, so that a frozen batch shows."""

SOFTWARE = ("torch", "numpy", "onnx", "onnxscript", "safetensors")


@dataclass(frozen=True)
class Packing:
    """What goes into a model folder.

    Attributes
    ----------
    entry
        What is known of the encoder.
    module
        The network, in evaluation mode.
    origin
        Where its weights came from.
    command
        What was asked, for the card.
    with_graph
        Whether to write the graph; without one the folder holds tensors alone.
    """

    entry: EncoderEntry
    module: nn.Module
    origin: Origin
    command: str
    with_graph: bool = True


def pack_published(folder: Path, packing: Packing) -> ModelCard:
    """Write tensors, graph and cards beside their place, then move the whole folder there; an older one is replaced.

    Raises
    ------
    WeightsError
        If graph and network disagree, or embeddings have another length than the entry says.
    OutputError
        If the folder cannot be written.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        card = _write(partial, packing)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except OSError as error:
        raise OutputError.at(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return card


def _write(folder: Path, packing: Packing) -> ModelCard:
    entry, example = packing.entry, _probes(packing.entry.crop_px)
    with torch.no_grad():
        truth = packing.module(example).numpy()
    if truth.ndim != 2 or entry.dimension not in (None, truth.shape[1]):
        raise WeightsError(f"{entry.name}: its network gives {truth.shape}, not embeddings of length {entry.dimension}")
    tensors = {name: value.contiguous() for name, value in bare_network(packing.module).state_dict().items()}
    save_file(tensors, str(folder / TENSORS_FILE), metadata={"format": "pt"})
    figures = {}
    if packing.with_graph:
        write_graph(packing.module, example, folder / GRAPH_FILE)
        figures["graph_difference"] = prove_equal(folder / GRAPH_FILE, example.numpy(), truth)
    card = _card(packing, int(truth.shape[1]), figures, folder)
    (folder / CARD_FILE).write_text(json.dumps(card.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(describe(card, entry), encoding="utf-8")
    for path in folder.iterdir():
        path.chmod(0o644)
    return card


def write_graph(module: nn.Module, example: torch.Tensor, path: Path, inline: int = MAX_INLINE_BYTES) -> None:
    """Write a network as an ONNX graph in single precision, the batch free.

    Parameters
    ----------
    inline
        Weights of more bytes than this go into ``GRAPH_DATA_FILE`` beside it.
    """
    batch = torch.export.Dim("batch", min=1, max=1024)
    with quiet_exporter():
        program = torch.onnx.export(
            module,
            (example,),
            None,
            output_names=["embedding"],
            dynamo=True,
            dynamic_shapes=({0: batch},),
            verbose=False,
        )
    model = strip_traces(program.model_proto)  # type: ignore[union-attr]
    if model.ByteSize() <= inline:
        onnx.checker.check_model(model)
        path.write_bytes(model.SerializeToString())
        return
    onnx.save_model(model, str(path), save_as_external_data=True, location=GRAPH_DATA_FILE, size_threshold=1024)


def prove_equal(path: Path, example: np.ndarray, truth: np.ndarray) -> float:
    """Return the greatest difference between a graph's answer and the network's, relative to the largest magnitude.

    Raises
    ------
    WeightsError
        If it is more than ``MAX_DIFFERENCE``.
    """
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    together = session.run(None, {name: example})[0]
    alone = np.concatenate([session.run(None, {name: image[None]})[0] for image in example])
    largest = max(float(np.abs(truth).max()), 1e-6)
    difference = max(float(np.abs(answer - truth).max()) for answer in (together, alone)) / largest
    if not difference <= MAX_DIFFERENCE:
        raise WeightsError(
            f"{path.name}: the graph differs from the network by {difference:.2g}, more than {MAX_DIFFERENCE:g}"
        )
    return difference


def _probes(side: int) -> torch.Tensor:
    return torch.randn(PROBES, 3, side, side, generator=torch.Generator().manual_seed(0))


def _card(packing: Packing, dimension: int, figures: dict[str, float], folder: Path) -> ModelCard:
    entry = packing.entry
    software = {"hemascope": __version__, **{name: importlib.metadata.version(name) for name in SOFTWARE}}
    spec = {
        "dimension": dimension,
        "crop_px": entry.crop_px,
        "crop_um": entry.crop_um,
        "transform": entry.transform,
        "stain": entry.stain,
        "layout": entry.layout,
        "architecture": entry.architecture,
    }
    facts = TrainingFacts(command=packing.command, seed=0, recipe={}, recipe_sha256="", data={}, software=software)
    return ModelCard(
        task="embed",
        name=entry.name,
        version=packing.origin.revision or packing.origin.sha256[:12],
        license=entry.license,
        attribution=[entry.title, entry.terms],
        files={path.name: file_sha256(path) for path in sorted(folder.iterdir())},
        spec=spec,
        validation=figures,
        training=facts,
        origin=packing.origin,
    )


def describe(card: ModelCard, entry: EncoderEntry) -> str:
    """Return the card for readers."""
    origin = card.origin
    came = f"{origin.file} from {origin.url}, sha256 {origin.sha256}" if origin else ""
    checked = "the digest known for it" if origin and origin.verified else "no digest of it was known before"
    return f"""# {card.name}

{entry.title}. Published by others, converted by `{card.training.command}`; the weights are theirs.

- Takes {entry.crop_px} x {entry.crop_px} px crops, transform `{entry.transform}`, stain {entry.stain}; gives
  {card.spec["dimension"]} numbers a crop.
- License: {card.license}. {entry.terms}
- Came as {came} ({checked}).
- What it has seen: {entry.sources.evidence}.

Research use only. Not for diagnosis.
"""
