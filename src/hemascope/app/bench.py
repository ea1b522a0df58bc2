"""The benchmark door: a name and a folder of public sets in, one document out."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from hemascope.app import (
    bench_attributes,
    bench_bag_speed,
    bench_blasts,
    bench_classification,
    bench_cohorts,
    bench_conformal,
    bench_counterfactuals,
    bench_detection,
    bench_diffusion_cost,
    bench_encoders,
    bench_fewshot,
    bench_generative,
    bench_large,
    bench_leukemia,
    bench_malaria,
    bench_pictures,
    bench_redcell_folds,
    bench_redcells,
    bench_report,
    bench_segmentation,
    bench_shortcuts,
    bench_speed,
    bench_synthetic,
    bench_transfer,
)
from hemascope.app.bench_fields import FieldAnswer, Progress, models_of
from hemascope.app.bench_record import (
    BenchmarkRun,
    Measures,
    describe_run,
    measure_gflops,
)
from hemascope.app.bench_request import (
    METHODS,
    BenchmarkParts,
    BenchmarkRequest,
    Outcome,
    describe_set,
    needed_root,
    shown_name,
)
from hemascope.core.errors import InputError
from hemascope.core.provenance import ModelIdentity
from hemascope.data.catalog import open_crops, open_fields, select_split
from hemascope.data.folds import split_by_fold
from hemascope.sources.discover import Source, discover
from hemascope.synth.write import write_smear

GENERATED_FIELDS = 20
"""Fields made for ``speed`` and ``report`` where no data set is given."""


def run_benchmark(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> BenchmarkRun:
    """Return the finished run.

    Raises
    ------
    InputError
        If the benchmark or the segmenter is unknown, or the limit is below 1.
    DataSetError
        If a set is absent or malformed or has no such split.
    OutputError
        If the pictures cannot be written.
    """
    if request.name not in BENCHMARKS:
        raise InputError(f"there is no benchmark '{request.name}'; choose one of {', '.join(BENCHMARKS)}")
    if request.segmenter not in METHODS and not Path(request.segmenter).is_dir():
        known = ", ".join(METHODS)
        raise InputError(f"there is no segmenter '{request.segmenter}'; choose one of {known}, or a model's folder")
    if request.limit is not None and request.limit < 1:
        raise InputError(f"a limit of {request.limit} leaves nothing to measure; give 1 or more")
    started = time.time()
    outcome = BENCHMARKS[request.name](request, parts, progress)
    gflops = measure_gflops()
    provenance = describe_run(request.command, started, outcome.models)
    provenance |= {"segmenter": shown_name(request.segmenter)} | outcome.notes
    return BenchmarkRun(
        benchmark=request.name,
        data=outcome.data,
        split="folds" if request.folds is not None and request.name == "detection" else request.split,
        n=outcome.n,
        measures=outcome.measures,
        baselines=outcome.baselines,
        calibration_gflops=gflops,
        provenance=provenance,
    )


def _detection(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    if request.folds is not None:
        return _detection_by_folds(request, parts, progress, request.folds)
    root = needed_root(request)
    labels = bench_detection.open_labeled_sets(root, request.split, request.limit)
    answers: dict[str, bench_detection.Answers] = {}
    models: list[ModelIdentity] = []
    for method in _methods(request):
        analyzer = parts.analyzer(method)
        answers[method] = bench_detection.find_everything(analyzer, labels, progress, method)
        models += models_of(analyzer)
    return _detection_outcome(request, labels, answers, models)


def _detection_by_folds(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress, folds: Path) -> Outcome:
    """Measure the recipe: each fold's finder on what it was not trained on; and red cells at their points likewise."""
    root, red_cells = needed_root(request), parts.red_cells()
    analyzers = parts.fold_analyzers(folds)
    labels = bench_detection.open_labeled_sets(root, "all", None)
    pointed = open_fields(bench_redcells.SET, root)
    answers = {request.segmenter: bench_detection.find_by_folds(analyzers, labels, progress)}
    points = [
        field
        for fold, analyzer in analyzers.items()
        for field in bench_redcells.look_at_points(
            analyzer, red_cells, select_split(split_by_fold(pointed, fold), "test"), progress
        )
    ]
    for method in _methods(request)[:-1]:
        answers[method] = bench_detection.find_everything(parts.analyzer(method), labels, progress, method)
    outcome = _detection_outcome(request, labels, answers, [i for a in analyzers.values() for i in models_of(a)])
    found = bench_redcells.measure_points(points)
    outcome.measures.metrics.update(found.metrics)
    outcome.measures.intervals.update(found.intervals)
    outcome.data[bench_redcells.SET] = describe_set(bench_redcells.SET, root, "points")
    outcome.n[bench_redcells.SET] = len(pointed)
    return outcome


def _detection_outcome(
    request: BenchmarkRequest,
    labels: bench_detection.LabeledSets,
    answers: dict[str, bench_detection.Answers],
    models: Sequence[ModelIdentity],
) -> Outcome:
    root = needed_root(request)
    joined = bench_detection.join(labels, answers[request.segmenter], bench_detection.HEADLINES)
    if request.pictures is not None:
        bench_pictures.write_mistakes(joined, request.pictures)
    versions = {"bccd": "white_cell: cbc_cleaned; red_cell, platelet: txl"}
    mistakes = [m for m, _ in bench_pictures.list_mistakes("bccd.white_cell", joined["bccd.white_cell"])]
    return Outcome(
        data={name: describe_set(name, root, versions.get(name, "")) for name in bench_detection.DATA_SETS},
        n=bench_detection.count_labels(labels),
        measures=bench_detection.measure_detection(labels, answers[request.segmenter]),
        baselines={
            shown_name(method): bench_detection.measure_detection(labels, found).metrics
            for method, found in answers.items()
            if method != request.segmenter
        },
        models=tuple(dict.fromkeys(models)),
        notes={"failed": _failed(answers[request.segmenter]), "mistakes": [asdict(m) for m in mistakes]},
    )


def _segmentation(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    root = needed_root(request)
    sets = bench_segmentation.open_masks(root, request.split, request.limit)
    measures: dict[str, Measures] = {}
    models: list[ModelIdentity] = []
    for method in _methods(request):
        analyzer = parts.analyzer(method)
        matches = {
            s.data_set: bench_segmentation.match_masks(analyzer, s.records, progress, f"{method}: {s.data_set}")
            for s in sets
            if s.key == s.data_set
        }
        measures[method] = bench_segmentation.measure_masks(sets, matches)
        models += models_of(analyzer)
    return Outcome(
        data={name: describe_set(name, root, "masks") for name in dict.fromkeys(s.data_set for s in sets)},
        n={s.key: len(s.records) for s in sets},
        measures=measures[request.segmenter],
        baselines={shown_name(name): m.metrics for name, m in measures.items() if name != request.segmenter},
        models=tuple(dict.fromkeys(models)),
        notes={},
    )


def _classification(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    root = needed_root(request)
    crops = bench_classification.open_single_cells(root, request.split, request.limit)
    known = open_crops(bench_classification.CROPS, root, "train")
    fields = bench_classification.open_typed_fields(root, request.split, request.limit)
    classifier, analyzer = parts.classifier(), parts.analyzer(request.segmenter)
    predictions = bench_classification.type_crops(classifier, crops, progress)
    found = bench_classification.type_fields(analyzer, fields, progress)
    measures = bench_classification.measure_crops(crops, predictions)
    in_fields, most_frequent = bench_classification.measure_fields(fields, found)
    accuracy_key = f"{bench_classification.CROPS}.accuracy"
    most_frequent |= bench_classification.most_frequent([crop.cell_type.value for crop in crops], accuracy_key)
    versions = {name: version or "" for name, version in bench_classification.FIELD_SETS}
    names = (bench_classification.CROPS, *fields)
    return Outcome(
        data={name: describe_set(name, root, versions.get(name, "")) for name in names},
        n={bench_classification.CROPS: len(crops)} | {name: len(records) for name, records in fields.items()},
        measures=Measures(measures.metrics | in_fields.metrics, measures.intervals | in_fields.intervals),
        baselines={
            "most_frequent": most_frequent,
            "color_only": bench_classification.color_only(crops, known, progress),
        },
        models=tuple(dict.fromkeys((classifier.identity, *models_of(analyzer)))),
        notes={"failed": _failed(found)},
    )


def _redcells(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    root, name = needed_root(request), bench_redcells.SET
    every = open_fields(name, root)
    records = select_split(every, request.split)[: request.limit]
    analyzer, classifier = parts.analyzer(request.segmenter), parts.red_cells()
    folds = None
    if request.folds is not None:  # before anything slow: a fold may be missing
        folds = bench_redcell_folds.gather_folds(request.folds, parts.red_cell_recipe(), every)
    fields = {
        method: bench_redcells.look_at_points(parts.analyzer(method), classifier, records, progress)
        for method in _methods(request)
    }
    own = fields[request.segmenter]
    measured = [bench_redcells.measure_points(own), bench_redcells.measure_types(own)]
    measured += [bench_redcell_folds.measure_folds(folds)] if folds else []
    measured += [bench_redcells.measure_anemias(analyzer, root, request.limit, progress)]
    baselines = {
        shown_name(method): bench_redcells.measure_points(found).metrics
        for method, found in fields.items()
        if method != request.segmenter
    }
    baselines |= bench_redcell_folds.baselines(every, records, folds, progress)
    return Outcome(
        data={name: describe_set(name, root, "")},
        n={name: len(records), f"{name}.cells": sum(len(field.found) for field in own)},
        measures=Measures(
            {key: value for part in measured for key, value in part.metrics.items()},
            {key: limits for part in measured for key, limits in part.intervals.items()},
        ),
        baselines=baselines,
        models=tuple(dict.fromkeys((*models_of(analyzer), classifier.identity))),
        notes={
            "failed": {name: [field.record.name for field in own if field.failure]},
            "recipe_sha256": parts.red_cell_recipe(),
        },
    )


def _speed(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="hemascope-bench-") as made:
        name, data, sources = _speed_sources(request, Path(made))
        measures: dict[str, Measures] = {}
        models: list[ModelIdentity] = []
        cells = 0
        for method in _methods(request):
            analyzer = parts.analyzer(method)
            answers, memory = bench_speed.time_analysis(analyzer, sources, progress, method)
            measures[method] = bench_speed.measure_speed(name, answers, memory)
            models += models_of(analyzer)
            if method == request.segmenter:
                cells = sum(len(answer.found) for answer in answers)
        if request.large:
            (Path(made) / "large").mkdir()
            large = bench_large.measure_large_image(Path(made) / "large", request.segmenter)
            measures[request.segmenter].metrics.update(large.metrics)
    return Outcome(
        data=data,
        n={name: len(sources), f"{name}.cells": cells},
        measures=measures[request.segmenter],
        baselines={shown_name(name): m.metrics for name, m in measures.items() if name != request.segmenter},
        models=tuple(dict.fromkeys(models)),
        notes={},
    )


def _report(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    measures, n = Measures(), {}
    with tempfile.TemporaryDirectory(prefix="hemascope-bench-") as made:
        groups, data = _report_sources(request, Path(made))
        for name, sources in groups.items():
            found = bench_report.measure_whole_run(parts.whole_run(request.segmenter), name, sources, progress)
            measures = Measures(measures.metrics | found.metrics, measures.intervals | found.intervals)
            n[name] = len(sources)
    return Outcome(data, n, measures, {}, models_of(parts.analyzer(request.segmenter)), {})


def _report_sources(
    request: BenchmarkRequest, made: Path
) -> tuple[dict[str, list[Source]], dict[str, dict[str, object]]]:
    """Return bccd alone and all sets of fields together, or generated fields; and what they are.

    The sets are mixed: fields of every size come early, so that what memory still grows by later is no larger field.
    """
    if request.root is None:
        name, data, sources = _speed_sources(request, made)
        return {name: list(sources)}, data
    sets: dict[str, list[Source]] = {}
    for name in bench_detection.DATA_SETS:
        version = "original" if name == "bccd" else None
        records = open_fields(name, request.root, request.split, version)[: request.limit]
        sets[name] = [Source(record.path, f"{name}/{record.name}") for record in records]
    data = {name: describe_set(name, request.root, "labels not used") for name in sets}
    mixed = [source for sources in sets.values() for source in sources]
    random.Random(0).shuffle(mixed)  # noqa: S311 - an order, no secret
    return {"bccd": sets["bccd"], "all_sets": mixed}, data


def _speed_sources(request: BenchmarkRequest, made: Path) -> tuple[str, dict[str, dict[str, object]], Sequence[Source]]:
    """Return the name of the set that is timed, its description, and its images."""
    if request.root is not None:
        records = open_fields("bccd", request.root, request.split, "original")[: request.limit]
        described = {"bccd": describe_set("bccd", request.root, "labels not used")}
        return "bccd", described, [Source(record.path, record.name) for record in records]
    write_smear(made / "smear", request.limit or GENERATED_FIELDS, seed=0)
    described = {"synthetic": {"version": "generated, 640 x 480", "license": "Apache-2.0", "tables_sha256": ""}}
    return "synthetic", described, discover([made / "smear" / "images"])


BENCHMARKS: Mapping[str, Callable[[BenchmarkRequest, BenchmarkParts, Progress], Outcome]] = {
    "detection": _detection,
    "segmentation": _segmentation,
    "classification": _classification,
    "redcells": _redcells,
    "speed": _speed,
    "report": _report,
    "fewshot": bench_fewshot.run,
    "attributes": bench_attributes.run,
    "transfer": bench_transfer.run,
    "generative": bench_generative.run,
    "leukemia": bench_leukemia.run,
    "malaria": bench_malaria.run,
    "conformal": bench_conformal.run,
    "blasts": bench_blasts.run,
    "encoders": bench_encoders.run,
    "diffusion-cost": bench_diffusion_cost.run,
    "synthetic": bench_synthetic.run,
    "counterfactuals": bench_counterfactuals.run,
    "shortcuts": bench_shortcuts.run,
    "cohorts": bench_cohorts.run,
    "bag-speed": bench_bag_speed.run,
}
"""Name to what runs it."""


def _methods(request: BenchmarkRequest) -> tuple[str, ...]:
    """Return the segmenters to run, the one asked for last: what it measures of memory is then its own at most."""
    baselines = () if request.segmenter == "classical" else ("classical",)
    return (*baselines, *request.beside, request.segmenter)


def _failed(answers: Mapping[str, Mapping[str, FieldAnswer]]) -> dict[str, list[str]]:
    """Return set to the images that could not be analyzed; in the figures nothing was found in them."""
    failed = {name: [field for field, answer in found.items() if answer.failure] for name, found in answers.items()}
    return {name: fields for name, fields in failed.items() if fields}
