"""Benchmark ``counterfactuals``: whether maps of changes and edited cells do what they say, on single cells of PBC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import Measures
from hemascope.app.bench_request import BenchmarkParts, BenchmarkRequest, Outcome, describe_set, needed_root
from hemascope.app.closest_cells import Question
from hemascope.app.explain_cells import TRANSMITTANCE_PER_UNIT, AskedCell, Explainer
from hemascope.app.target_cells import PBC, TypedCell, cut_cells, locate_cells
from hemascope.core.explanation import Counterfactual
from hemascope.core.taxonomy import NUCLEATED_TYPES
from hemascope.evaluate.estimate import Estimate
from hemascope.explain.counterfactual import published_map
from hemascope.explain.faithfulness import leaning_gains, placed_changes
from hemascope.explain.paired_noise import draw_pairs
from hemascope.stats.resample import ratio_of_sums

CELLS_A_TYPE = 8
"""Without a limit: each cell takes seconds."""

TESTED_PAIRS = 8
"""Pairs of trials by which a changed cell is judged."""

_SEED = 2_000_003
"""Of those trials: neither the map's nor the check's."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What one cell showed.

    Attributes
    ----------
    found
        Its explanation.
    gains
        Place to how much more the cell leans to the other type (difference of its errors over their mean) once the
        change is applied there; empty where nothing was marked.
    """

    found: Counterfactual
    gains: dict[str, float]


def run(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    """Return figures of cells of a split of PBC, as many of each type, each toward its second likeliest type."""
    root = needed_root(request)
    explainer = Explainer(parts.pixel_denoiser(request.denoiser), parts.classifier())
    cells = pick_cells(locate_cells(PBC, root), request.split, request.limit or CELLS_A_TYPE)
    tried = []
    for number, cell in enumerate(cells, 1):
        tried.append(try_cell(explainer, ask(explainer, cell)))
        progress("explaining cells", number, len(cells))
    measures = Measures()
    measures.add(PBC, figures(tried, [cell.group for cell in cells]))
    return Outcome(
        data={PBC: describe_set(PBC, root, "")},
        n={PBC: len(cells)},
        measures=measures,
        baselines={},
        models=(explainer.denoiser.identity, explainer.classifier.identity),
        notes={"plan": asdict(explainer.plan), "tested_pairs": TESTED_PAIRS},
    )


def pick_cells(cells: Sequence[TypedCell], split: str, count: int) -> list[TypedCell]:
    """Return up to ``count`` cells of each nucleated type of a split, evenly over the table, one a group."""
    picked: list[TypedCell] = []
    for cell_type in NUCLEATED_TYPES:
        rows = {c.group: c for c in cells if c.cell_type is cell_type and split in (c.split, "all")}
        alike = list(rows.values())
        chosen = np.unique(np.linspace(0, len(alike) - 1, min(count, len(alike))).round().astype(int))
        picked += [alike[place] for place in chosen]
    return picked


def ask(explainer: Explainer, cell: TypedCell) -> AskedCell:
    """Return the question of a cell: what would have to change for its second likeliest type."""
    (side, width), (seen_side, seen_width) = explainer.denoiser.crop_size, explainer.classifier.crop_size
    [crop] = cut_cells([cell], side, width)
    [seen] = cut_cells([cell], seen_side, seen_width)
    [prediction] = explainer.classifier.classify([seen])
    best, targets, _ = Question().of(prediction)
    return AskedCell(best, targets, crop, seen)


def try_cell(explainer: Explainer, cell: AskedCell) -> Tried:
    """Return the explanation of a cell, and what its change does where it is marked and elsewhere.

    The published map marks as many pixels, those of its largest mean over channels, and our change is applied there: a
    change needs a unit, which that map has not.
    """
    denoiser, plan = explainer.denoiser, explainer.plan
    [found] = explainer.explain([cell])
    if not found.marked.any():
        return Tried(found, {})
    sample = denoiser.samples([cell.crop], 0)[0]
    pair = explainer.number_of(found.current), explainer.number_of(found.target)
    change = found.change.transpose(2, 0, 1) / np.float32(TRANSMITTANCE_PER_UNIT)
    inside = np.asarray(denoiser.mask.max(axis=0) > 0, np.bool_)
    published = published_map(denoiser, sample, *pair, seed=plan.seed)
    changes = placed_changes(change, found.marked, inside, plan.seed)
    changes["published"] = change * strongest(published, inside, int(found.marked.sum()))
    gains = leaning_gains(denoiser, sample, pair, changes, draw_pairs(denoiser, TESTED_PAIRS, plan.seed + _SEED))
    moved = [gains.pop(name) for name in list(gains) if name.startswith("moved")]
    return Tried(found, gains | {"moved": float(np.mean(moved)), "share": float(found.marked.sum() / inside.sum())})


def strongest(values: NDArray[np.float64], inside: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Return the ``count`` pixels inside whose mean over channels is largest in size."""
    size = np.where(inside, np.abs(values.mean(axis=0)), -1.0)
    marked = np.zeros(inside.shape, np.bool_)
    marked.flat[np.argsort(-size, axis=None, kind="stable")[:count]] = True
    return marked


def figures(tried: Sequence[Tried], groups: Sequence[str]) -> dict[str, Estimate]:
    """Return means over cells with intervals over groups, and shares of cells."""
    marked = [place for place, one in enumerate(tried) if one.gains]
    names = [groups[place] for place in marked]
    gains = {key: np.array([tried[place].gains[key] for place in marked]) for key in _GAINS} if marked else {}
    found: dict[str, Estimate] = {"anything_marked": Estimate.share(len(marked), len(tried))}
    for key, title in _GAINS.items():
        found[title] = _mean(gains.get(key, np.zeros(0)), names)
    for key in ("moved", "elsewhere", "published"):
        ahead = gains["marked"] - gains[key] if marked else np.zeros(0)
        found[f"gain_over_{key}"] = _mean(ahead, names)
        found[f"share_over_{key}"] = Estimate.share(int((ahead > 0).sum()), len(ahead))
    checks = [one.found.check for one in tried]
    targets = [one.found.target for one in tried]
    taken = sum(check.answer is target for check, target in zip(checks, targets, strict=True))
    found["edited_is_taken_for_target"] = Estimate.share(taken, len(tried))
    found["edited_leans_to_target"] = Estimate.share(sum(check.leaning_after > 0 for check in checks), len(tried))
    found["probability_gained"] = _mean(np.array([check.after[1] - check.before[1] for check in checks]), groups)
    return found


_GAINS = {
    "marked": "gain_where_marked",
    "moved": "gain_where_moved",
    "elsewhere": "gain_elsewhere",
    "published": "gain_where_published",
    "whole": "gain_everywhere",
    "share": "marked_share",
}
"""Figures of a cell to their keys."""


def _mean(values: NDArray[np.float64], groups: Sequence[str]) -> Estimate:
    return Estimate.resampled(groups, ratio_of_sums(values, np.ones(len(values))))
