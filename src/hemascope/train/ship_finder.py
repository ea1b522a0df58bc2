"""The trained finder to what ships: thresholds chosen on validation splits, graph, card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from hemascope.cells.network import GRANULE, FinderSpec, NetworkSegmenter
from hemascope.core.errors import DataSetError
from hemascope.core.geometry import Box
from hemascope.core.provenance import ModelIdentity
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind
from hemascope.core.units import Scale, ScaleSource
from hemascope.data.folds import Fold
from hemascope.data.records import FieldRecord
from hemascope.evaluate.matching import match_boxes
from hemascope.nets.star_net import STRIDE, ShippedStarNet, StarNet
from hemascope.recipes import SegmenterTrainingRecipe
from hemascope.train.images import read_rgb, shift_range, to_input
from hemascope.train.labeled_fields import open_source, paint_training_field, scale_of
from hemascope.train.onnx_export import round_weights
from hemascope.train.package import (
    Export,
    describe_credits,
    describe_data,
    new_card,
    pack_model,
)
from hemascope.train.painted_fields import LEAST_VISIBLE, paint_random_field, painting_seeds
from hemascope.zoo.card import TENSORS_FILE, ModelCard, TrainingFacts, read_card

BETA = {CellKind.WHITE_CELL: 2.0, CellKind.PLATELET: 1.0}
"""Weight of recall over precision: a white cell that is missed is lost, a false one is seen in the gallery. Red cells
are counted rather than looked at: their threshold is the one at which as many are found as are labeled."""

SWEEP = np.round(np.arange(0.1, 0.7, 0.02), 2)
"""Thresholds tried for each kind."""


class TorchGraph:
    """The network before export, as a ``TensorGraph``."""

    def __init__(self, net: torch.nn.Module) -> None:
        self._net = net.eval()

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return ModelIdentity("finder", "unreleased", "", "torch-cpu-fp32", "Apache-2.0")

    @torch.no_grad()
    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Return the network's outputs for a batch."""
        return tuple(out.numpy() for out in self._net(torch.from_numpy(batch)))


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Found objects of one kind over a validation split: score, and whether a label matched; and the labels' number."""

    scores: NDArray[np.float64]
    matched: NDArray[np.bool_]
    labeled: int

    def f_score(self, threshold: float, beta: float = 1.0) -> float:
        """Return the F score at a threshold: recall counts ``beta`` times as much as precision."""
        above = self.scores >= threshold
        hits = int(self.matched[above].sum())
        return (1 + beta**2) * hits / max(int(above.sum()) + beta**2 * self.labeled, 1)

    @classmethod
    def pooled(cls, tallies: Sequence[Self]) -> Self:
        """Return one tally over several data sets: every cell counts once."""
        return cls(
            np.concatenate([t.scores for t in tallies]),
            np.concatenate([t.matched for t in tallies]),
            sum(t.labeled for t in tallies),
        )


@dataclass(frozen=True, slots=True, eq=False)
class ValidationField:
    """A field at its scale, its labeled boxes by kind, and the kinds that are labeled completely."""

    field: Field
    boxes: dict[CellKind, list[Box]]
    complete: frozenset[CellKind]

    @classmethod
    def read(cls, record: FieldRecord, mpp: float) -> Self:
        """Return a field of a data set."""
        field = Field(record.name, read_rgb(record.path), Scale(mpp, ScaleSource.STATED))
        boxes = {kind: [labeled.box for labeled in record.of_kind(kind)] for kind in CellKind}
        return cls(field, boxes, record.labeled_kinds)

    @classmethod
    def paint(cls, seed: int) -> Self:
        """Return a generated field, of which everything is known."""
        painted = paint_random_field(seed)
        boxes: dict[CellKind, list[Box]] = {kind: [] for kind in CellKind}
        for cell in painted.cells:
            if cell.visible > LEAST_VISIBLE:
                boxes[cell.kind].append(cell.outline.bounds)
        return cls(painted.field, boxes, frozenset(CellKind))


def tally(segmenter: NetworkSegmenter, fields: Sequence[ValidationField], kind: CellKind) -> Tally:
    """Return what a finder finds of one kind down to the lowest threshold, where that kind is labeled completely.

    Its own thresholds are 0.5 for every kind, so that its scores are the heat itself.
    """
    scores: list[float] = []
    matched: list[bool] = []
    labeled = 0
    for known in fields:
        if kind not in known.complete:
            continue
        found = [cell for cell in segmenter.candidates(known.field, float(SWEEP[0])) if cell.kind is kind]
        boxes = known.boxes[kind]
        partners = match_boxes([c.outline.bounds for c in found], [c.score for c in found], boxes)
        scores += [c.score for c in found]
        matched += [partner is not None for partner in partners]
        labeled += len(boxes)
    return Tally(np.array(scores, np.float64), np.array(matched, bool), labeled)


def choose_threshold(tallies: Sequence[Tally], beta: float | None) -> float:
    """Return the threshold of highest F score over all data sets that label the kind; the middle of a tie.

    Parameters
    ----------
    tallies
        One a data set.
    beta
        Weight of recall over precision; None for the threshold at which as many are found as are labeled.

    Raises
    ------
    DataSetError
        If no data set labels the kind.
    """
    usable = [t for t in tallies if t.labeled]
    if not usable:
        raise DataSetError("a kind of cell is in no validation split; add a data set to the recipe that labels it")
    whole = Tally.pooled(usable)
    if beta is None:
        found = np.array([(whole.scores >= threshold).sum() for threshold in SWEEP])
        return float(SWEEP[np.argmin(np.abs(found - whole.labeled))])
    scores = np.array([whole.f_score(float(threshold), beta) for threshold in SWEEP])
    best = SWEEP[scores >= scores.max() - 1e-9]
    return float(best[len(best) // 2])


def _validation_fields(
    recipe: SegmenterTrainingRecipe, root: Path, fold: Fold | None
) -> dict[str, list[ValidationField]]:
    fields: dict[str, list[ValidationField]] = {}
    for source in recipe.sources:
        if source.data_set == "synthetic":
            fields["synthetic"] = [ValidationField.paint(seed) for seed in painting_seeds("val", recipe)]
            continue
        records = open_source(source, root, "val", fold)
        fields[source.data_set] = [ValidationField.read(r, scale_of(source, r)) for r in records if r.boxes]
    return fields


def ship_finder(
    recipe: SegmenterTrainingRecipe,
    root: Path,
    net: StarNet,
    folder: Path,
    command: str,
    fold: Fold | None = None,
) -> ModelCard:
    """Choose thresholds on validation splits and write the model folder.

    Parameters
    ----------
    net
        Trained; its large weights are rounded to half precision in place.
    folder
        Where the model goes; an older one is replaced.
    command
        What was run, for the card.
    fold
        The fold it was trained on, whose validation part decides; None for the sets' own splits.
    """
    round_weights(net)
    shipped = ShippedStarNet(net).eval()
    plain = FinderSpec(recipe.mpp, recipe.rays, STRIDE, dict.fromkeys(CellKind, 0.5))
    segmenter = NetworkSegmenter(TorchGraph(shipped), plain)
    fields = _validation_fields(recipe, root, fold)
    thresholds: dict[CellKind, float] = {}
    figures: dict[str, float] = {}
    for kind in CellKind:
        tallies = {name: tally(segmenter, records, kind) for name, records in fields.items()}
        thresholds[kind] = choose_threshold(list(tallies.values()), BETA.get(kind))
        figures |= {f"{name}.{kind}.f1": t.f_score(thresholds[kind]) for name, t in tallies.items() if t.labeled}
    spec = {
        "mpp": recipe.mpp,
        "rays": recipe.rays,
        "stride": STRIDE,
        "thresholds": {kind.value: value for kind, value in thresholds.items()},
    }
    if fold:
        spec["fold"] = str(fold)
    card = new_card("find", recipe, spec=spec, figures=figures, command=command, root=root)
    card = card.model_copy(update={"training": _with_start(card.training, recipe)})
    height, width = (GRANULE * torch.export.Dim(side, min=1, max=256) for side in ("height", "width"))
    graph = Export(shipped, _example(recipe), ("heat", "radii", "tissue"), {2: height, 3: width})
    return pack_model(folder, graph, card, describe_finder)


def _with_start(facts: TrainingFacts, recipe: SegmenterTrainingRecipe) -> TrainingFacts:
    """Return the facts with the digest of the weights that training started from, where there were any."""
    if recipe.start is None:
        return facts
    card = read_card(Path(recipe.start))
    start = {"model": f"{card.name} {card.version}", "sha256": card.files[TENSORS_FILE]}
    return facts.model_copy(update={"data": {**facts.data, "start": {"license": card.license, **start}}})


def _example(recipe: SegmenterTrainingRecipe) -> torch.Tensor:
    """Return what the network sees of a generated smear, 1 x 3 x 96 x 160: on noise small differences grow."""
    image = paint_training_field(recipe.seed, recipe).image[:96, :160]
    return shift_range(to_input(image[None])).contiguous(memory_format=torch.contiguous_format)


def describe_finder(card: ModelCard) -> str:
    """Return the card for readers, in the style of Hugging Face model cards."""
    figures = "\n".join(f"| {name} | {value:.4g} |" for name, value in card.validation.items())
    thresholds = ", ".join(f"{kind} {value:g}" for kind, value in card.spec["thresholds"].items())
    return f"""---
license: apache-2.0
library_name: hemascope
tags: [hematology, blood-smear, instance-segmentation]
---

# {card.name} {card.version}

Finds and outlines white cells with their nuclei, red cells and platelets in fields of blood smears, in one pass at
{card.spec["mpp"]:g} um per pixel: centers as heat maps, outlines as {card.spec["rays"]} star-convex rays, nucleus and
whole white cell as maps. Research use only.

**Not for**: diagnosis; marrow films (none were seen in training: they run, unvalidated).
Outlines of most real cells were taught from boxes and the stained area, not from drawn outlines: red cells and
platelets come out as wide as labels draw them, a little wider than what is stained.

{describe_data(card)}

## On validation splits, after training

| F1 at IoU 0.5 | |
|---|---|
{figures}

Least scores, chosen there: {thresholds}. Figures on test splits stand in docs/benchmarks.md.

{describe_credits(card)}
"""
