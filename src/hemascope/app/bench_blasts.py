"""Benchmark ``blasts``: leukemic and normal cells of subjects that were left out, C-NMC 2019."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import Measures, table_digest
from hemascope.app.bench_request import BenchmarkParts, BenchmarkRequest, Outcome, needed_root
from hemascope.app.blast_bags import SIZES, add_sub_bags
from hemascope.app.blast_methods import AREA_AND_COLOR, Blocks, scores_of
from hemascope.app.protocol_encoder import ProtocolEncoder
from hemascope.cells.crop import cut_square
from hemascope.core.cell import CellCrop
from hemascope.core.errors import UnreadableImageError
from hemascope.core.units import Microns
from hemascope.data.cnmc import CARD, BlastRecord, open_cnmc
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.leaks import check_disjoint_groups
from hemascope.evaluate.painted_cells import area_and_color, cell_mask, on_white, outline_features
from hemascope.evaluate.subject_pairs import Pair, mean_over_pairs, subject_pairs
from hemascope.stats.ranking import auroc, auroc_statistic
from hemascope.zoo.contamination import Seen

DEFAULT_ENCODERS = ("descriptors",)

MPP = 0.155
"""um a pixel at 128 x 128; the set states none. By it the median cell is 13.5 um across, as elsewhere."""

_BATCH = 64


def run(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    """Return the area under the curve of every method on every pair of subjects left out, and its mean."""
    root = needed_root(request)
    records = open_cnmc(root)
    pixels = [_read(record) for record in records]
    masks = [cell_mask(image) for image in pixels]
    simple: Blocks = {
        "area_and_color": np.stack([area_and_color(image) for image in pixels]),
        "outline": np.stack([outline_features(mask) for mask in masks]),
    }
    white = [on_white(image, mask) for image, mask in zip(pixels, masks, strict=True)]
    encoders = [parts.protocol_encoder(name) for name in request.encoders or DEFAULT_ENCODERS]
    embedded = {encoder.name: embed_painted(encoder, records, white, progress) for encoder in encoders}
    measures = Measures()
    chosen = measure_methods(measures, records, simple, embedded, progress, sub_bags=True)
    return Outcome(
        data={CARD.name: {"version": "", "license": CARD.license, "tables_sha256": table_digest(root / CARD.name)}},
        n={
            "cells": len(records),
            "leukemic_subjects": len({r.subject for r in records if r.blast}),
            "normal_subjects": len({r.subject for r in records if not r.blast}),
        },
        measures=measures,
        baselines={},
        models=tuple(encoder.identity for encoder in encoders),
        notes={
            "seen": {encoder.name: encoder.images_seen(CARD.name) is not Seen.NO for encoder in encoders},
            "chosen_within_training_subjects": chosen,
        },
    )


def measure_methods(
    measures: Measures,
    records: Sequence[BlastRecord],
    simple: Blocks,
    embedded: Mapping[str, NDArray[np.float64]],
    progress: Progress,
    *,
    sub_bags: bool = False,
) -> dict[str, dict[str, str]]:
    """Add the figures of every method; return what each chose within the training subjects of every split.

    With ``sub_bags`` also those of many cells of a subject together, where every subject has enough of them.
    """
    subjects = np.array([record.subject for record in records])
    images = np.array([record.image for record in records])
    blast = np.array([record.blast for record in records])
    scores: dict[str, dict[Pair, NDArray[np.float64]]] = {}
    chosen: dict[str, dict[str, str]] = {}
    pairs = list(subject_pairs(subjects, blast))
    for number, (pair, test) in enumerate(pairs, 1):
        check_disjoint_groups(subjects[~test], subjects[test])
        for method, (told, choice) in scores_of(simple, embedded, subjects, images, blast, test).items():
            scores.setdefault(method, {})[pair] = told
            if choice:
                chosen.setdefault(method, {})["+".join(pair)] = choice
        progress("pairs of subjects left out", number, len(pairs))
    areas = {method: {pair: auroc(by[pair], blast[test]) for pair, test in pairs} for method, by in scores.items()}
    for method, by in areas.items():
        over = {pair: by[pair] - areas[AREA_AND_COLOR][pair] for pair in by}
        row = {"auroc": mean_over_pairs(by), "lowest": Estimate(min(by.values()))}
        if method != AREA_AND_COLOR:
            row["over_baseline"] = mean_over_pairs(over)
        measures.add(f"mean.{method}", row)
        for pair, test in pairs:
            statistic = auroc_statistic(scores[method][pair], blast[test])
            measures.add(f"split.{'+'.join(pair)}.{method}", {"auroc": Estimate.resampled(images[test], statistic)})
    if sub_bags and min(np.unique(subjects, return_counts=True)[1]) >= max(SIZES):
        add_sub_bags(measures, scores, {"area_and_color": simple["area_and_color"], **embedded}, subjects, blast)
    return chosen


def embed_painted(
    encoder: ProtocolEncoder,
    records: Sequence[BlastRecord],
    white: Sequence[NDArray[np.uint8]],
    progress: Progress,
) -> NDArray[np.float64]:
    """Return N x D embeddings of cells on white, cut at the encoder's width with white around."""
    rows, waiting = [], []
    for number, (record, image) in enumerate(zip(records, white, strict=True), 1):
        waiting.append(
            CellCrop(record.name, white_crop(image, encoder.crop_px, encoder.crop_um), Microns(encoder.crop_um))
        )
        if len(waiting) == _BATCH or number == len(records):
            rows.append(encoder.answer(waiting).embeddings)
            waiting = []
            progress(f"{encoder.name}: {CARD.name}", number, len(records))
    return np.concatenate(rows).astype(np.float64)


def white_crop(image: NDArray[np.uint8], side: int, width: float) -> NDArray[np.uint8]:
    """Return the view of ``width`` um around the center of an image, ``side`` pixels wide; beyond the edge is white."""
    height, across = image.shape[:2]
    rim = max(0, round(width / MPP) - min(height, across)) // 2 + 1
    canvas = np.pad(image, ((rim, rim), (rim, rim), (0, 0)), constant_values=255)
    return cut_square(canvas, (across / 2 + rim, height / 2 + rim), width / MPP, side)


def _read(record: BlastRecord) -> NDArray[np.uint8]:
    path: Path = record.path
    try:
        with Image.open(path) as file:
            return np.asarray(file.convert("RGB"), np.uint8)
    except OSError as error:
        raise UnreadableImageError(f"{path} cannot be read ({error}); restore the set's original file") from error
