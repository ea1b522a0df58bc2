"""Benchmark ``transfer``: trained on PBC alone, asked about cells of four other sources."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import Measures
from hemascope.app.bench_request import BenchmarkParts, BenchmarkRequest, Outcome, describe_set, needed_root
from hemascope.app.protocol_encoder import CropAnswers, ProtocolEncoder
from hemascope.app.target_cells import PBC, TARGETS, TypedCell, class_numbers, cut_cells, group_names, locate_cells
from hemascope.app.transfer_variants import (
    PLAIN,
    STAINED,
    STEPS,
    VIEWS,
    adapted_answers,
    learn,
    plain_answers,
)
from hemascope.classify.adapt import StainProfile, match_stain, stain_profile, turned
from hemascope.evaluate.transfer import SourceAnswers, choose_by_others, mean_recall, pick, score_source, score_sources
from hemascope.zoo.contamination import Seen

DEFAULT_ENCODERS = ("descriptors",)
"""What is measured where no encoder is named."""

ADAPTED = "adapted"
"""First part of the rows whose variant was chosen for each source by the labels of the others alone."""

_STAIN_CELLS = 600
"""White cells of the first laboratory by which its strength of stain is known."""

Answers = dict[str, dict[str, SourceAnswers]]
"""Row to target source to answers."""


def run(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    """Return the figures of every encoder, plain and adapted."""
    root = needed_root(request)
    known = [cell for cell in locate_cells(PBC, root) if cell.split == "train"]
    known = _even_sample(known, request.limit)
    targets = {name: locate_cells(name, root) for name in TARGETS}
    measures = Measures()
    exposures: dict[str, dict[str, object]] = {}
    choices: dict[str, dict[str, dict[str, str]]] = {}
    encoders = [parts.protocol_encoder(name) for name in request.encoders or DEFAULT_ENCODERS]
    for encoder in encoders:
        exposures[encoder.name] = describe_exposure(encoder)
        plain, adapted = answer_targets(encoder, known, targets, progress)
        for row, told in plain.items():
            add_row(measures, f"{encoder.name}.plain.{row}", told)
        choices[encoder.name] = {head: _add_chosen(measures, encoder.name, head, by) for head, by in adapted.items()}
    return Outcome(
        data={name: describe_set(name, root, "") for name in dict.fromkeys((PBC, *(t.split("/")[0] for t in TARGETS)))},
        n={PBC: len(known)} | {name: len(cells) for name, cells in targets.items()},
        measures=measures,
        baselines={},
        models=tuple(encoder.identity for encoder in encoders),
        notes={"encoders": exposures, "chosen_by_others": choices},
    )


def describe_exposure(encoder: ProtocolEncoder) -> dict[str, object]:
    """Return whether a row is marked ``seen``: where training saw, or may have seen, an image of any target."""
    sets = {name.split("/")[0]: encoder.images_seen(name.split("/")[0]).value for name in TARGETS}
    return {"seen": any(answer != Seen.NO for answer in sets.values()), "images": sets}


def answer_targets(
    encoder: ProtocolEncoder,
    known: list[TypedCell],
    targets: Mapping[str, tuple[TypedCell, ...]],
    progress: Progress,
) -> tuple[Answers, dict[str, Answers]]:
    """Return the plain answers for every target source, and the adapted ones by head."""
    labels = class_numbers(known)
    source = learn(encoder.answer_cells(known, progress).embeddings, labels)
    wanted = stain_of(encoder, [cell for cell in known if cell.cell_type.value not in ("platelet", "erythroblast")])
    plain: Answers = {}
    adapted: dict[str, Answers] = {}
    for name, cells in targets.items():
        truth, groups = class_numbers(cells), group_names(cells)
        inputs = _inputs(encoder, cells, wanted, progress)
        for row, told in plain_answers(source, inputs[PLAIN]).items():
            plain.setdefault(row, {})[name] = SourceAnswers(truth, told, groups)
        for head, variants in adapted_answers(source, inputs).items():
            for variant, told in variants.items():
                adapted.setdefault(head, {}).setdefault(variant, {})[name] = SourceAnswers(truth, told, groups)
    return plain, adapted


def _add_chosen(measures: Measures, encoder: str, head: str, answers: Answers) -> dict[str, str]:
    """Add the row of a head after adapting, and for the record every variant's mean; return what was chosen."""
    figures = {variant: {name: mean_recall(told) for name, told in by.items()} for variant, by in answers.items()}
    chosen = choose_by_others({name: by for name, by in figures.items() if name.split(".")[1] in STEPS})
    add_row(measures, f"{encoder}.{ADAPTED}.{head}", pick(answers, chosen))
    for variant, by_source in figures.items():
        key = f"mean.{encoder}.variant.{head}.{variant}.mean_recall"
        measures.metrics[key] = round(float(np.mean(list(by_source.values()))), 6)
    return chosen


def add_row(measures: Measures, row: str, told: Mapping[str, SourceAnswers]) -> None:
    """Add the figures of one row: each source, the mean of all, and the lowest."""
    for name, answers in told.items():
        measures.add(f"{name}.{row}", score_source(answers))
    measures.add(f"mean.{row}", {"mean_recall": score_sources(told)})
    measures.metrics[f"mean.{row}.lowest"] = round(min(mean_recall(answers) for answers in told.values()), 6)


def _inputs(
    encoder: ProtocolEncoder, cells: tuple[TypedCell, ...], wanted: StainProfile, progress: Progress
) -> dict[str, CropAnswers]:
    own = stain_of(encoder, list(cells))

    def stained(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        return turned(match_stain(pixels, own, wanted))

    return {
        PLAIN: encoder.answer_cells(cells, progress),
        VIEWS: encoder.answer_cells(cells, progress, turned),
        STAINED: encoder.answer_cells(cells, progress, stained),
    }


def stain_of(encoder: ProtocolEncoder, cells: list[TypedCell]) -> StainProfile:
    """Return the stain of a laboratory by some of its cells, evenly over the table."""
    sample = _even_sample(cells, _STAIN_CELLS)
    return stain_profile([crop.pixels for crop in cut_cells(sample, encoder.crop_px, encoder.crop_um)])


def _even_sample(cells: list[TypedCell], limit: int | None) -> list[TypedCell]:
    """Return at most ``limit`` cells, evenly over the table, which is sorted by type."""
    if limit is None or limit >= len(cells):
        return cells
    return [cells[i] for i in np.linspace(0, len(cells) - 1, limit).round().astype(int)]
