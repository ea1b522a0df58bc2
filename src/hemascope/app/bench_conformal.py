"""Benchmark ``conformal``: whether prediction sets hold the true type as often as they say, here and elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import Measures
from hemascope.app.bench_request import BenchmarkParts, BenchmarkRequest, Outcome, describe_set, needed_root
from hemascope.app.protocol_encoder import CropAnswers, ProtocolEncoder
from hemascope.app.target_cells import PBC, TARGETS, TypedCell, class_numbers, group_names, locate_cells
from hemascope.classify.calibrated import CalibratedClassifier, GivenLogits, calibrate
from hemascope.classify.conformal import COVERAGES, conformal_spec, contained, read_conformal
from hemascope.classify.examples import LabeledEmbeddings
from hemascope.classify.network import softmax
from hemascope.classify.prior import estimate_prior, under_prior
from hemascope.core.taxonomy import CellType
from hemascope.evaluate.conformal import (
    RESPLITS,
    SetMethod,
    TypedAnswers,
    average_sets,
    groups_of_at_most,
    half_of_groups,
    likelihood_ratios,
    resplit_figures,
    source_figures,
    weighted_sets,
)
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.leaks import check_disjoint_groups
from hemascope.evaluate.line_up import fit_classifier
from hemascope.zoo.contamination import Seen
from hemascope.zoo.shipped import CELL_CLASSIFIER, shipped_folder

ALPHA = 0.05
"""Sets are to miss the true type in this share of cells."""

METHODS = tuple(SetMethod(score, by_class) for score in ("lac", "aps", "raps") for by_class in (False, True))

FEW = 20
"""Labeled cells of a source, at most, by which sets are recalibrated there."""

_CLASSES = tuple(t.value for t in CellType)


@dataclass(frozen=True, slots=True, eq=False)
class Typist:
    """An encoder with a head, calibrated on the validation split of PBC.

    Attributes
    ----------
    encoder
        Crops to embeddings, and to logits where it is a classifier.
    head
        ``own_head``, the network as it was trained, or ``linear_probe`` on frozen embeddings.
    inputs
        What of the encoder's answers the head takes.
    classifier
        Those to calibrated logits.
    """

    encoder: ProtocolEncoder
    head: str
    inputs: Callable[[CropAnswers], NDArray[np.float32]]
    classifier: CalibratedClassifier

    def told(self, cells: Sequence[TypedCell], answers: CropAnswers) -> TypedAnswers:
        """Return the calibrated probabilities of cells, under the shares of the validation split."""
        probabilities = softmax(self.classifier.logits(self.inputs(answers)))
        return TypedAnswers(probabilities, class_numbers(cells), group_names(cells))


def run(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    """Return coverage and size of sets on PBC and on four other sources, for every encoder."""
    root = needed_root(request)
    pbc = locate_cells(PBC, root)
    splits = {
        name: _even_sample([cell for cell in pbc if cell.split == name], request.limit)
        for name in ("train", "val", "test")
    }
    targets = {name: _even_sample(list(locate_cells(name, root)), request.limit) for name in TARGETS}
    encoders = [parts.protocol_encoder(n) for n in request.encoders or (str(shipped_folder(CELL_CLASSIFIER)),)]
    measures, n = Measures(), {PBC: len(splits["test"])}
    notes: dict[str, dict[str, object]] = {}
    for encoder in encoders:
        validation = encoder.answer_cells(splits["val"], progress)
        typist = _typist(encoder, splits, validation, progress)
        known = typist.told(splits["val"], validation)
        measure_home(measures, typist, known, splits["test"], progress)
        labels_seen = {name: encoder.labels_seen(name.split("/")[0]) for name in TARGETS}
        notes[encoder.name] = {"head": typist.head, "labels": {name: s.value for name, s in labels_seen.items()}}
        for name, cells in targets.items():
            asked = [cell for cell in cells if labels_seen[name] is Seen.NO or cell.split != "train"]
            n[f"{name}.{encoder.name}"] = len(asked)
            measure_away(measures, typist, known, validation.embeddings, name, asked, progress)
        _add_means(measures, encoder.name)
    return Outcome(
        data={name: describe_set(name, root, "") for name in dict.fromkeys((PBC, *(t.split("/")[0] for t in TARGETS)))},
        n=n,
        measures=measures,
        baselines={},
        models=tuple(encoder.identity for encoder in encoders),
        notes={"encoders": notes, "alpha": ALPHA, "resplits": RESPLITS, "few": FEW},
    )


def _typist(
    encoder: ProtocolEncoder, splits: dict[str, list[TypedCell]], validation: CropAnswers, progress: Progress
) -> Typist:
    labels = class_numbers(splits["val"])
    if validation.logits is not None:
        head = calibrate(GivenLogits(_CLASSES), validation.logits, labels)
        return Typist(encoder, "own_head", _logits, head)
    train = LabeledEmbeddings(
        encoder.answer_cells(splits["train"], progress).embeddings,
        class_numbers(splits["train"]),
        group_names(splits["train"]),
    )
    chosen_on = LabeledEmbeddings(validation.embeddings, labels, group_names(splits["val"]))
    probe = fit_classifier("linear_probe", train, chosen_on, _CLASSES)
    return Typist(encoder, "linear_probe", lambda a: a.embeddings, calibrate(probe, validation.embeddings, labels))


def measure_home(
    measures: Measures, typist: Typist, known: TypedAnswers, cells: Sequence[TypedCell], progress: Progress
) -> None:
    """Add the figures on the test split of PBC: over resplits of it, and with the limits that validation gives."""
    test = typist.told(cells, typist.encoder.answer_cells(cells, progress))
    check_disjoint_groups(known.groups, test.groups, train="validation")
    prefix = f"{PBC}.{typist.encoder.name}"
    measures.add(prefix, {"accuracy": _accuracy(test), "cells": Estimate(len(test.labels))})
    for number, method in enumerate(METHODS, 1):
        measures.add(f"{prefix}.resplits.{method.name}", resplit_figures(test, method, ALPHA))
        progress("resplits", number, len(METHODS))
    for coverage in COVERAGES:
        held = card_sets(known, test.probabilities, coverage)
        measures.add(f"{prefix}.validation_to_test.{coverage:.2f}", _counted(held, test))


def measure_away(
    measures: Measures,
    typist: Typist,
    known: TypedAnswers,
    known_embeddings: NDArray[np.float32],
    name: str,
    cells: Sequence[TypedCell],
    progress: Progress,
) -> None:
    """Add the figures of another source: sets calibrated on PBC as they are, adapted, and recalibrated there."""
    answers = typist.encoder.answer_cells(cells, progress)
    asked = typist.told(cells, answers)
    prefix = f"{name}.{typist.encoder.name}"
    measures.add(prefix, {"accuracy": _accuracy(asked), "cells": Estimate(len(cells))})
    measures.add(f"{prefix}.card", source_figures(card_sets(known, asked.probabilities, 1 - ALPHA), asked))
    for method in (SetMethod("lac", False), SetMethod("lac", True), SetMethod("aps", True)):
        held = average_sets(method, known, asked.probabilities, ALPHA)
        measures.add(f"{prefix}.pbc.{method.name}", source_figures(held, asked))
    measures.add(f"{prefix}.prior.lac.marginal", source_figures(prior_sets(known, asked.probabilities), asked))
    ratios = likelihood_ratios(known_embeddings, answers.embeddings)
    weighted = source_figures(weighted_sets(known, asked.probabilities, ratios, ALPHA), asked)
    effective = float(ratios[0].sum() ** 2 / (ratios[0] ** 2).sum())
    measures.add(f"{prefix}.weighted.lac.marginal", weighted | {"effective_cells": Estimate(round(effective, 1))})
    lac, aps = SetMethod("lac", False), SetMethod("aps", False)
    few = groups_of_at_most(min(FEW, len(cells) // 2))
    for row, divide, method in (("few", few, lac), ("half", half_of_groups, lac), ("half", half_of_groups, aps)):
        measures.add(f"{prefix}.{row}.{method.name}", resplit_figures(asked, method, ALPHA, divide=divide))


def card_sets(known: TypedAnswers, asked: NDArray[np.float64], coverage: float) -> NDArray[np.float64]:
    """Return the sets that a report would hold, N x types of 0 and 1: by type, not randomized, with the type told."""
    limits = read_conformal(conformal_spec(known.probabilities, known.labels, known.groups))
    if limits is None:
        raise AssertionError("a spec just made has limits")
    held = contained(asked, limits.at(coverage))
    held[np.arange(len(held)), asked.argmax(axis=1)] = True
    return held.astype(np.float64)


def prior_sets(known: TypedAnswers, asked: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return marginal sets under the shares of types estimated from the cells asked about, without their labels."""
    trained = np.bincount(known.labels, minlength=len(_CLASSES)) / len(known.labels)
    shares = estimate_prior(asked, trained)
    adjusted = TypedAnswers(under_prior(known.probabilities, trained, shares), known.labels, known.groups)
    method = SetMethod("lac", False)
    return average_sets(method, adjusted, under_prior(asked, trained, shares), ALPHA, class_ratios=shares / trained)


def _add_means(measures: Measures, encoder: str) -> None:
    """Add the mean over the other sources of every row's coverage and size, and of how far coverage is off."""
    marker = f".{encoder}."
    first = f"{TARGETS[0]}{marker}"
    rows = [key.removeprefix(first).removesuffix(".coverage") for key in measures.metrics if key.startswith(first)]
    for row in rows:
        if f"{first}{row}.coverage" not in measures.metrics:
            continue
        for figure in ("coverage", "size"):
            values = [measures.metrics[f"{name}{marker}{row}.{figure}"] for name in TARGETS]
            present = [value for value in values if value is not None]
            measures.metrics[f"mean.{encoder}.{row}.{figure}"] = round(float(np.mean(present)), 6) if present else None
            if figure == "coverage" and present:
                off = float(np.mean([abs(value - (1 - ALPHA)) for value in present]))
                measures.metrics[f"mean.{encoder}.{row}.off"] = round(off, 6)


def _accuracy(answers: TypedAnswers) -> Estimate:
    right = answers.probabilities.argmax(axis=1) == answers.labels
    return Estimate.share(int(right.sum()), len(right))


def _counted(held: NDArray[np.float64], answers: TypedAnswers) -> dict[str, Estimate]:
    """Return coverage with the exact interval, and sizes, of sets of cells that are all their own group."""
    inside = held[np.arange(len(held)), answers.labels]
    by_type = [float(inside[answers.labels == k].mean()) for k in np.unique(answers.labels)]
    single = held.sum(axis=1) == 1
    return {
        "coverage": Estimate.share(int(inside.sum()), len(inside)),
        "size": Estimate(float(held.sum(axis=1).mean())),
        "single": Estimate.share(int(single.sum()), len(single)),
        "accuracy_single": Estimate.share(int((inside * single).sum()), int(single.sum())),
        "lowest_type_coverage": Estimate(min(by_type)),
    }


def _logits(answers: CropAnswers) -> NDArray[np.float32]:
    if answers.logits is None:
        raise AssertionError("only encoders with logits of their own have this head")
    return answers.logits


def _even_sample(cells: list[TypedCell], limit: int | None) -> list[TypedCell]:
    """Return at most ``limit`` cells, evenly over the table, which is sorted by type."""
    if limit is None or limit >= len(cells):
        return cells
    return [cells[i] for i in np.linspace(0, len(cells) - 1, limit).round().astype(int)]
