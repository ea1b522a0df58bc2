"""A fine-tuned finder to a model folder: thresholds chosen on the validation images, graph, card."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hemascope.cells.network import GRANULE, OPERATING_SCORE, FinderSpec, NetworkSegmenter
from hemascope.core.outline import OutlinedField
from hemascope.core.taxonomy import CellKind
from hemascope.core.version import __version__
from hemascope.nets.star_net import ShippedStarNet, StarNet
from hemascope.recipes import FineTuneRecipe
from hemascope.train.images import shift_range, to_input
from hemascope.train.labeled_fields import TrainingField
from hemascope.train.onnx_export import round_weights
from hemascope.train.package import SOFTWARE, Export, describe_credits, describe_data, pack_model
from hemascope.train.ship_finder import BETA, TorchGraph, ValidationField, choose_threshold, tally
from hemascope.zoo.card import TENSORS_FILE, ModelCard, TrainingFacts

_EXAMPLE = (96, 160)
"""Height and width of what the graph is proven on."""


def finder_with(net: ShippedStarNet, spec: dict[str, Any]) -> NetworkSegmenter:
    """Return the finder of a network that was not exported yet."""
    thresholds = {CellKind(kind): float(value) for kind, value in spec["thresholds"].items()}
    return NetworkSegmenter(TorchGraph(net), FinderSpec(spec["mpp"], spec["rays"], spec["stride"], thresholds))


def finetuned_spec(
    net: StarNet, start: ModelCard, validation: Sequence[OutlinedField], taught: frozenset[CellKind], *, complete: bool
) -> tuple[ShippedStarNet, dict[str, Any]]:
    """Return the network as it ships, its large weights rounded, and what the answering side must know.

    The threshold of a taught kind is the one of highest F score on the validation images; the finder's own stays where
    the labels are incomplete (precision is unknown), for kinds not taught, and for those in no validation image.
    """
    round_weights(net)
    shipped = ShippedStarNet(net).eval()
    thresholds = dict(start.spec["thresholds"])
    even = {**start.spec, "thresholds": dict.fromkeys(CellKind, OPERATING_SCORE)}
    fields = [_boxes(known, taught if complete else frozenset()) for known in validation]
    for kind in CellKind:
        counted = tally(finder_with(shipped, even), fields, kind)
        if kind in taught and counted.labeled:
            thresholds[kind.value] = choose_threshold([counted], BETA.get(kind))
    spec = {
        **{key: start.spec[key] for key in ("mpp", "rays", "stride")},
        "widths": list({**start.training.recipe, **start.spec}["widths"]),
        "thresholds": thresholds,
        "taught": sorted(kind.value for kind in taught),
        "complete_labels": complete,
        "from": {"name": start.name, "version": start.version, "sha256": start.files.get(TENSORS_FILE, "")},
    }
    return shipped, spec


def _boxes(known: OutlinedField, complete: frozenset[CellKind]) -> ValidationField:
    boxes = {kind: [o.outline.bounds for o in known.of_kind(kind)] for kind in CellKind}
    return ValidationField(known.field, boxes, complete)


def pack_finetuned(
    folder: Path,
    recipe: FineTuneRecipe,
    net: ShippedStarNet,
    start: ModelCard,
    spec: dict[str, Any],
    data: dict[str, dict[str, str]],
    figures: dict[str, float],
    table: str,
    example: TrainingField,
    command: str,
) -> ModelCard:
    """Write the model folder; an older one is replaced.

    Parameters
    ----------
    start, spec
        The card of the model it started from, and what ``finetuned_spec`` returned.
    data
        What it learned from, with digests.
    figures, table
        On the validation images: for the card, and as Markdown for its readers.
    example
        The graph is proven to answer like the network on a piece of it.
    command
        What was run.
    """
    software = {"hemascope": __version__, **{name: importlib.metadata.version(name) for name in SOFTWARE}}
    card = ModelCard(
        task="find",
        name=recipe.name,
        version=recipe.version,
        license=start.license,
        attribution=start.attribution,
        files={},
        spec=spec,
        validation=figures,
        training=TrainingFacts(
            command=command,
            seed=recipe.seed,
            recipe=recipe.model_dump(mode="json"),
            recipe_sha256=recipe.digest(),
            data=data,
            software=software,
        ),
    )
    height, width = (GRANULE * torch.export.Dim(side, min=1, max=256) for side in ("height", "width"))
    graph = Export(net, _example(example), ("heat", "radii", "tissue"), {2: height, 3: width})
    return pack_model(folder, graph, card, lambda whole: describe_finetuned(whole, table))


def _example(field: TrainingField) -> torch.Tensor:
    image = np.full((1, *_EXAMPLE, 3), 255, np.uint8)
    piece = field.image[: _EXAMPLE[0], : _EXAMPLE[1]]
    image[0, : piece.shape[0], : piece.shape[1]] = piece
    return shift_range(to_input(image)).contiguous(memory_format=torch.contiguous_format)


def describe_finetuned(card: ModelCard, table: str) -> str:
    """Return the card for readers; ``table`` is Markdown, before and after."""
    origin = card.spec["from"]
    thresholds = ", ".join(f"{kind} {value:g}" for kind, value in card.spec["thresholds"].items())
    return f"""# {card.name} {card.version}

{origin["name"]} {origin["version"]} (`{origin["sha256"]}`), fine-tuned on a laboratory's own outlines of
{", ".join(card.spec["taught"]).replace("_", " ")}. Research use only. **Not for** diagnosis.

Use it with `hemascope analyze --segmenter FOLDER`. Who may use it depends on the license of the images as well.

{describe_data(card)}

## Before and after, on the validation images

{table}

The validation images chose when to stop and the least scores ({thresholds}): on images that chose nothing figures
will be a little lower.

{describe_credits(card)}
"""
