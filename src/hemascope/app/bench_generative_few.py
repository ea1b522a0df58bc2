"""Protocol ``low-data``: types of PBC from 10, 20 and 50 cells a class, generative beside discriminative."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fewshot import standardized
from hemascope.app.bench_record import Measures
from hemascope.app.generative_rows import FEW
from hemascope.app.generative_task import Embedding, GenerativeTask, line_up, of_all_types, without_labels
from hemascope.app.target_cells import PBC
from hemascope.classify.examples import LabeledEmbeddings
from hemascope.evaluate.few_shot import draw_few, score_draws
from hemascope.evaluate.leaks import check_disjoint_groups

SHOTS = (10, 20, 50)
"""Labeled cells a class."""

SEEDS = 5


def measure(task: GenerativeTask, measures: Measures) -> dict[str, object]:
    """Add ``pbc_acevedo_128.low_data.<embedding>.<row>.<cells>.<metric>``; return which encoders took part.

    Only encoders that saw no label of PBC take part. No label but those drawn is used, of validation cells neither:
    every setting is fixed. Where a limit leaves too few cells for a number, that number is left out.
    """
    encoders = [encoder for encoder in task.encoders if without_labels(encoder) and of_all_types(encoder)]
    for embedding in line_up(encoders):
        pool, test = task.labeled(embedding, "train"), task.labeled(embedding, "test")
        check_disjoint_groups(pool.groups, test.groups)
        for shots in [count for count in SHOTS if count <= most_to_draw(pool)]:
            task.progress(f"{embedding.name}: {shots} cells a class", SHOTS.index(shots), len(SHOTS))
            for row, told in _tell(pool, test, shots).items():
                key = f"{PBC}.low_data.{embedding.name}.{row}.{shots}"
                measures.add(key, score_draws(told, test.labels, test.groups))
    return {"encoders": [encoder.name for encoder in encoders], "embeddings": _names(line_up(encoders))}


def most_to_draw(pool: LabeledEmbeddings) -> int:
    """Return how many cells of every class can surely be drawn, no two of one group."""
    return min(len(np.unique(pool.groups[pool.labels == number])) for number in np.unique(pool.labels))


def _tell(pool: LabeledEmbeddings, test: LabeledEmbeddings, shots: int) -> dict[str, list[NDArray[np.intp]]]:
    """Return row to the class numbers told of the test cells, one array a draw."""
    told: dict[str, list[NDArray[np.intp]]] = {row: [] for row in FEW}
    for seed in range(SEEDS):
        drawn = draw_few(pool.labels, pool.groups, shots, seed)
        known, asked = standardized(pool.values[drawn], test.values)
        for row, fit in FEW.items():
            logits = fit(known, pool.labels[drawn]).logits(asked)
            told[row].append(np.asarray(logits.argmax(axis=1), np.intp))
    return told


def _names(embeddings: tuple[Embedding, ...]) -> list[str]:
    return [embedding.name for embedding in embeddings]
