"""A trained network to a model folder: graph, tensors, card; complete or not there."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load, save_file
from torch import Tensor, nn

from hemascope.core.errors import WeightsError
from hemascope.core.taxonomy import CellType
from hemascope.core.version import __version__
from hemascope.data.catalog import CROP_READERS, FIELD_READERS, open_data_set
from hemascope.data.records import CropRecord, FieldRecord
from hemascope.recipes import (
    CropSource,
    CropTrainingRecipe,
    DenoiserTrainingRecipe,
    EncoderTrainingRecipe,
    LatentTrainingRecipe,
    Recipe,
    SegmenterTrainingRecipe,
)
from hemascope.train.onnx_export import MIN_HALF_SIZE, export_graph
from hemascope.zoo.card import CARD_FILE, GRAPH_FILE, TENSORS_FILE, ModelCard, TrainingFacts, read_card
from hemascope.zoo.onnx_graph import verified_bytes

SOFTWARE = ("torch", "numpy", "opencv-python-headless", "onnx", "onnxscript", "safetensors")


MAX_DIFFERENCE = 5e-3
"""Greatest difference of graph and module, relative to an output's largest magnitude: the graph holds normalization
folded into the convolutions, rounded to half precision once more."""


def data_digests(
    names: Iterable[str], root: Path, left_out: Mapping[str, Sequence[CellType]] | None = None
) -> dict[str, dict[str, str]]:
    """Return, for each data set, its license and a sha256 over the names and digests of what was trained on.

    Parameters
    ----------
    names
        Data sets.
    root
        Their folder.
    left_out
        Data set to the types whose crops were not looked at; a set that is not named gave all.
    """
    digests: dict[str, dict[str, str]] = {}
    for name in names:
        if name == "synthetic":
            digests[name] = {"license": "Apache-2.0", "generator": f"hemascope {__version__}"}
            continue
        card = (FIELD_READERS.get(name) or CROP_READERS[name])[0]
        data_set = open_data_set(name, root)
        every: list[FieldRecord | CropRecord] = [*data_set.fields, *data_set.crops]
        absent = (left_out or {}).get(name, ())
        records = [r for r in every if r.may_train and r.split != "test" and not _is_of(r, absent)]
        whole = hashlib.sha256()
        for record in sorted(records, key=lambda r: r.name):
            whole.update(f"{record.name}:{hashlib.sha256(record.path.read_bytes()).hexdigest()}\n".encode())
        digests[name] = {"license": card.license, "images": str(len(records)), "sha256": whole.hexdigest()}
        if absent:
            digests[name]["left_out"] = ", ".join(cell_type.value for cell_type in absent)
    return digests


def _is_of(record: FieldRecord | CropRecord, types: Sequence[CellType]) -> bool:
    return isinstance(record, CropRecord) and record.cell_type in types


def attributions(names: Iterable[str]) -> list[str]:
    """Return what to say of each data set: license and citation."""
    cards = [(FIELD_READERS.get(name) or CROP_READERS.get(name)) for name in names]
    return [f"{card[0].name} ({card[0].license}): {card[0].citation}" for card in cards if card]


def training_facts(
    recipe: Recipe,
    command: str,
    seed: int,
    names: Iterable[str],
    root: Path,
    left_out: Mapping[str, Sequence[CellType]] | None = None,
) -> TrainingFacts:
    """Return how the weights came to be; see ``data_digests`` for ``left_out``."""
    software = {"hemascope": __version__, **{name: importlib.metadata.version(name) for name in SOFTWARE}}
    return TrainingFacts(
        command=command,
        seed=seed,
        recipe=recipe.model_dump(mode="json"),
        recipe_sha256=recipe.digest(),
        data=data_digests(names, root, left_out),
        software=software,
    )


def describe_data(card: ModelCard) -> str:
    """Return the part of a card for readers that says how the weights came to be."""
    rows = [
        f"- {name}: {', '.join(f'{k} {v}' for k, v in facts.items())}" for name, facts in card.training.data.items()
    ]
    listed = "\n".join(rows)
    return f"""## Trained by

    {card.training.command}

seed {card.training.seed}, recipe sha256 `{card.training.recipe_sha256}`, on the train splits of

{listed}

(a digest covers names and digests of the images of the train and validation splits)."""


def describe_credits(card: ModelCard) -> str:
    """Return the part of a card for readers that gives credit for the training data."""
    return "## Credits\n\n" + "\n".join(f"- {line}" for line in card.attribution)


def save_tensors(module: nn.Module, path: Path) -> None:
    """Write a module's state: large tensors in half precision."""
    tensors = {}
    for name, value in module.state_dict().items():
        half = value.is_floating_point() and value.numel() >= MIN_HALF_SIZE
        tensors[name] = (value.half() if half else value).contiguous()
    save_file(tensors, str(path), metadata={"format": "pt"})


def load_tensors(module: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Load what ``save_tensors`` wrote, in place and strictly."""
    own = module.state_dict()
    module.load_state_dict({name: value.to(own[name].dtype) if name in own else value for name, value in state.items()})


def load_model(module: nn.Module, folder: Path) -> ModelCard:
    """Load the tensors of a model folder into a module of the same layout, in place; return the folder's card.

    Raises
    ------
    WeightsError
        If the folder holds no card or no tensors, the digest is not the card's, or the layout differs.
    """
    card = read_card(folder)
    data = verified_bytes(folder / TENSORS_FILE, card.files.get(TENSORS_FILE, ""))
    try:
        load_tensors(module, load(data))
    except RuntimeError as error:
        raise WeightsError(f"{folder / TENSORS_FILE}: of another network; train it by the same recipe") from error
    return card


def new_card(
    task: Literal["find", "classify", "embed", "denoise"],
    recipe: CropTrainingRecipe
    | SegmenterTrainingRecipe
    | EncoderTrainingRecipe
    | DenoiserTrainingRecipe
    | LatentTrainingRecipe,
    *,
    spec: dict[str, Any],
    figures: dict[str, float],
    command: str,
    root: Path,
) -> ModelCard:
    """Return the card of a trained model, still without the digests of its files.

    Parameters
    ----------
    task
        What the model does.
    spec
        What the answering side must know.
    figures
        On validation splits.
    command
        What was run.
    root
        Folder of the public data sets.
    """
    names = [source.data_set for source in recipe.sources]
    left_out = {source.data_set: source.left_out for source in recipe.sources if isinstance(source, CropSource)}
    return ModelCard(
        task=task,
        name=recipe.name,
        version=recipe.version,
        license="Apache-2.0",
        attribution=attributions(names),
        files={},
        spec=spec,
        validation=figures,
        training=training_facts(recipe, command, recipe.seed, names, root, left_out),
    )


@dataclass(frozen=True)
class Export:
    """How a module becomes a graph.

    Attributes
    ----------
    module
        As it answers, in evaluation mode, its large weights rounded to half precision.
    example
        An input N x 3 x H x W, or several inputs, each with N first.
    outputs
        Names of the outputs.
    dynamic
        Axis to ``torch.export.Dim`` expression, for those that may vary.
    """

    module: nn.Module
    example: Tensor | tuple[Tensor, ...]
    outputs: tuple[str, ...]
    dynamic: dict[int, object]


def pack_model(
    folder: Path,
    export: Export,
    card: ModelCard,
    describe: Callable[[ModelCard], str],
    beside: Mapping[str, bytes] | None = None,
) -> ModelCard:
    """Write graph, tensors and cards beside their place, then move the whole folder there.

    Parameters
    ----------
    folder
        Where the model goes; an older one is replaced.
    card
        The card without the files' digests.
    describe
        A card to the text for readers, written as README.md.
    beside
        Further files, name to content.

    Returns
    -------
    The card as written.

    Raises
    ------
    WeightsError
        If graph and module disagree.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    difference = export_graph(
        export.module, export.example, partial / GRAPH_FILE, export.outputs, export.dynamic, MAX_DIFFERENCE
    )
    save_tensors(export.module, partial / TENSORS_FILE)
    for name, content in (beside or {}).items():
        (partial / name).write_bytes(content)
    names = (GRAPH_FILE, TENSORS_FILE, *(beside or {}))
    files = {name: hashlib.sha256((partial / name).read_bytes()).hexdigest() for name in names}
    figures = {name: round(value, 6) for name, value in (card.validation | {"graph_difference": difference}).items()}
    whole = card.model_copy(update={"files": files, "validation": figures})
    (partial / CARD_FILE).write_text(json.dumps(whole.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    (partial / "README.md").write_text(describe(whole), encoding="utf-8")
    for path in partial.iterdir():
        path.chmod(0o644)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return whole
