"""What stands beside HMSCAM on rotated stain clusters: color alone, background alone, and cells by descriptors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fields import Progress
from hemascope.data.folds import Fold
from hemascope.data.records import FieldRecord
from hemascope.data.taleqani import SUBTYPES, rotate_clusters
from hemascope.data.taleqani_views import mask_scale_bar, paint_out_cells
from hemascope.evaluate.cluster_choice import choose_strength, fit_cluster_probe
from hemascope.evaluate.color_baseline import color_features, nearest_neighbor
from hemascope.evaluate.field_descriptors import describe_field

if TYPE_CHECKING:
    from hemascope.train.leukemia_images import LeukemiaImages

INNER_PARTS = 3
"""Parts that the training clusters are dealt into to choose the strength of a probe; fewer where a class has fewer."""


def held_out_by_fold(records: list[FieldRecord], count: int) -> dict[int | None, NDArray[np.bool_]]:
    """Return which fields each rotation holds out; under None, those of the set's own test split."""
    held: dict[int | None, NDArray[np.bool_]] = {None: np.array([record.split == "test" for record in records])}
    for index in range(1, count + 1):
        held[index] = np.array([r.split == "test" for r in rotate_clusters(records, Fold(index, count))])
    return held


def companion_answers(
    records: list[FieldRecord],
    images: LeukemiaImages,
    held_out: dict[int | None, NDArray[np.bool_]],
    progress: Progress,
) -> tuple[dict[str, NDArray[np.float64]], dict[str, object]]:
    """Return N x 4 probabilities of each companion, every field answered while it was held out; and what was chosen.

    ``color_only`` and ``background_color`` are nearest neighbors by nine colors (0 and 1 for probabilities), of the
    field and of the field with its cells painted out; ``descriptors`` is a linear probe on descriptors of cells, and
    ``background_descriptors`` one on those of the field with its cells painted out.
    ``color_only_split`` and ``descriptors_split`` answer the set's own test split (NaN elsewhere), and
    ``color_only_random`` every field from all others, clusters and all.
    """
    whole = [mask_scale_bar(pixels) for pixels in images.pixels]
    painted = [paint_out_cells(pixels) for pixels in whole]
    colors = np.stack([color_features(pixels) for pixels in whole])
    backgrounds = np.stack([color_features(pixels) for pixels in painted])
    described = _describe(whole, progress, "descriptors")
    rest = _describe(painted, progress, "descriptors of the background")
    told = {name: np.zeros((len(records), len(SUBTYPES))) for name in ("color_only", "background_color")}
    told |= {name: np.zeros((len(records), len(SUBTYPES))) for name in ("descriptors", "background_descriptors")}
    chosen: dict[str, object] = {}
    for fold, out in held_out.items():
        if fold is None:
            continue
        for name, values in (("color_only", colors), ("background_color", backgrounds)):
            told[name][out] = _nearest(values, images.subtypes, out)
        for name, values in (("descriptors", described), ("background_descriptors", rest)):
            told[name][out], picked = _probe(values, records, images, out)
            chosen[f"{name}.rotation{fold}"] = picked
    own = held_out[None]
    for name in ("color_only", "descriptors"):
        told[f"{name}_split"] = np.full((len(records), len(SUBTYPES)), np.nan)
    told["color_only_split"][own] = _nearest(colors, images.subtypes, own)
    told["descriptors_split"][own], chosen["descriptors.split"] = _probe(described, records, images, own)
    told["color_only_random"] = _leave_one_out(colors, images.subtypes)
    return told, chosen


def _describe(fields: list[NDArray[np.uint8]], progress: Progress, title: str) -> NDArray[np.float64]:
    rows = []
    for index, pixels in enumerate(fields):
        rows.append(describe_field(pixels))
        progress(title, index + 1, len(fields))
    return np.stack(rows)


def _nearest(values: NDArray[np.float64], labels: NDArray[np.int64], out: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.eye(len(SUBTYPES))[nearest_neighbor(values[~out], labels[~out], values[out])]


def _leave_one_out(values: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the class of each field's nearest other field: what a random split comes to."""
    from scipy.spatial import KDTree

    scaled = values / np.maximum(values.std(axis=0), 1e-9)
    _, nearest = KDTree(scaled).query(scaled, k=2)
    own = np.arange(len(values))
    other = np.where(nearest[:, 0] == own, nearest[:, 1], nearest[:, 0])
    answer: NDArray[np.float64] = np.eye(len(SUBTYPES))[labels[other]]
    return answer


def _probe(
    values: NDArray[np.float64], records: list[FieldRecord], images: LeukemiaImages, out: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Return a probe's answers for what is held out; its strength is chosen on rotations of the rest."""
    kept = [record for record, left in zip(records, out, strict=True) if not left]
    known, labels, clusters = values[~out], images.subtypes[~out], images.groups[~out]
    fewest = min(len(np.unique(clusters[labels == label])) for label in np.unique(labels))
    count = min(INNER_PARTS, fewest)
    inner = [
        np.array([r.split == "test" for r in rotate_clusters(kept, Fold(part, count))]) for part in range(1, count + 1)
    ]
    strength, accuracy = choose_strength(known, labels, clusters, SUBTYPES, inner)
    fitted = fit_cluster_probe(known, labels, clusters, SUBTYPES, strength)
    return fitted.probabilities(values[out]), {"strength": strength, "inner_accuracy": round(accuracy, 4)}
