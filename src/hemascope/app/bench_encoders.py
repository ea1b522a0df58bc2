"""Benchmark ``encoders``: speed, memory and equality of every backend and precision, side by side in one run."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.app.backend_clock import Timed, best_batch, interleave, median_rate, median_ratio
from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import Measures
from hemascope.app.bench_request import BenchmarkParts, BenchmarkRequest, Outcome, describe_set
from hemascope.app.bench_speed import resident_mib
from hemascope.app.encoder_crops import EncoderCrops, load_crops
from hemascope.app.target_cells import PBC
from hemascope.classify.knn import fit_knn
from hemascope.core.errors import MissingExtraError, RecipeError, WeightsError
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.evaluate.estimate import Estimate
from hemascope.settings import read_settings
from hemascope.zoo.card import ModelCard, read_card
from hemascope.zoo.installed import encoder_folder, is_installed
from hemascope.zoo.quantized import quantized_folder
from hemascope.zoo.registry import encoder_entry
from hemascope.zoo.shipped import CELL_CLASSIFIER, shipped_folder

REFERENCE = "dinobloom_s"
"""What every speed is divided by, in torch and single precision."""

THREADS = 2
CROPS = 96
CALIBRATION = 48
NEIGHBORS = 5

VARIANTS = (
    ("torch", "fp32"),
    ("torch", "bf16"),
    ("onnxruntime", "fp32"),
    ("onnxruntime", "int8"),
    ("openvino", "fp32"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
)
"""Backend and precision; the first is what the others must equal."""


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """One encoder by one backend at one precision.

    Attributes
    ----------
    key
        ``<encoder>.<backend>.<precision>``.
    identity
        What answers.
    timed
        What the clock is held against.
    embeddings, known
        Of the crops asked about, and of those that neighbors are taken from.
    memory_mib
        By which the process grew when it was loaded and run.
    """

    key: str
    identity: ModelIdentity
    timed: Timed
    embeddings: NDArray[np.float32]
    known: NDArray[np.float32]
    memory_mib: float


def run(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    """Return speed, memory and equality of every encoder, backend and precision; `docs/backends.md` says how."""
    measures, absent = Measures(), dict[str, str]()
    with tempfile.TemporaryDirectory(prefix="hemascope-bench-") as made:
        root = request.root
        named = list(dict.fromkeys((REFERENCE, *(request.encoders or default_encoders()))))
        answered: list[Answered] = []
        seeded = []
        for name in named:
            folder, card, is_seeded = _own_copy(name, Path(made))
            seeded += [folder.name] if is_seeded else []
            crops = load_crops(root, request.split, card, request.limit or CROPS, CALIBRATION, Path(made))
            found = _answer(folder, card, crops, parts, progress, absent)
            measures.add(f"{folder.name}.crops", _describe(crops, found))
            for one in found:
                measures.add(one.key, _equality(one, found[0], crops))
            answered += found
        rates = interleave([one.timed for one in answered], progress)
    for one, own in zip(answered, rates, strict=True):
        measures.add(one.key, {"cells_per_second": median_rate(own), "batch": Estimate(one.timed.batch)})
        measures.add(one.key, {"ratio": median_ratio(own, rates[0]), "memory_mib": Estimate(one.memory_mib)})
    return Outcome(
        data={PBC: describe_set(PBC, root, "")} if root else {"synthetic": _GENERATED},
        n={"crops": request.limit or CROPS, "calibration": CALIBRATION, "rounds": len(rates[0]), "threads": THREADS},
        measures=measures,
        baselines={},
        models=tuple(one.identity for one in answered),
        notes={
            "reference": answered[0].key,
            "seeded_weights": seeded,
            "absent": absent,
            "malloc": {name: value for name, value in os.environ.items() if name.startswith("MALLOC_")},
        },
    )


def default_encoders() -> tuple[str, ...]:
    """Return what is measured beside the reference where nothing is named: our encoder, or what types cells."""
    entry = encoder_entry("hemascope-s")
    return (entry.name,) if is_installed(entry, read_settings().models) else (str(shipped_folder(CELL_CLASSIFIER)),)


def _own_copy(name: str, made: Path) -> tuple[Path, ModelCard, bool]:
    """Return a copy of a model's folder, to which 8-bit files may be added, its card, and whether it is a stand-in."""
    models = read_settings().models
    if Path(name).is_dir():
        source = Path(name).resolve()
        shown = source.parent.name if source.name == "model" else source.name
    elif name == REFERENCE and not is_installed(encoder_entry(name), models):
        return (*_seeded_reference(made), True)
    else:
        source, shown = encoder_folder(name, models)[0], name
    folder = made / shown.replace(".", "_").replace(":", "_")
    shutil.copytree(source, folder)
    return folder, read_card(folder), False


def _seeded_reference(made: Path) -> tuple[Path, ModelCard]:
    """Return the reference's layout with seeded values."""
    try:
        from hemascope.nets.vit import VIT_SIZES
        from hemascope.train.seeded_weights import seeded_transformer
        from hemascope.train.ship_published import Packing, pack_published
    except ModuleNotFoundError as error:
        raise MissingExtraError("the benchmark 'encoders'", "train") from error
    from hemascope.zoo.card import Origin

    origin = Origin(
        name=REFERENCE,
        url="",
        file="",
        revision="seed 0",
        sha256="",
        verified=False,
        terms="Seeded values, no weights.",
    )
    folder = made / REFERENCE
    net = seeded_transformer(VIT_SIZES["s"], seed=0)
    return folder, pack_published(folder, Packing(encoder_entry(REFERENCE), net, origin, "hemascope bench encoders"))


def _answer(
    folder: Path,
    card: ModelCard,
    crops: EncoderCrops,
    parts: BenchmarkParts,
    progress: Progress,
    absent: dict[str, str],
) -> list[Answered]:
    """Return every backend and precision that is to be had, the one the others must equal first."""
    from hemascope.train.quantize import embeddings

    found: list[Answered] = []
    for number, (backend, precision) in enumerate(VARIANTS):
        key = f"{folder.name}.{backend}.{precision}"
        progress(key, number, len(VARIANTS))
        before = resident_mib() or float("nan")
        try:
            if precision == "int8":
                _ensure_quantized(folder, card, backend, crops)
            before = resident_mib() or before
            graph = parts.graph(folder, card, backend, precision, THREADS)
        except (MissingExtraError, RecipeError, WeightsError) as error:
            if folder.name == REFERENCE and not number:
                raise
            absent[key] = str(error).replace(f"{folder.parent}{os.sep}", "")
            continue
        timed = best_batch(graph, crops.inputs)
        answers, known = (embeddings(graph, card, x, timed.batch) for x in (crops.inputs, crops.known))
        memory = (resident_mib() or float("nan")) - before
        found.append(Answered(key, graph.identity, timed, answers, known, max(memory, 0.0)))
    return found


def _ensure_quantized(folder: Path, card: ModelCard, backend: str, crops: EncoderCrops) -> None:
    from hemascope.train.quantize import Calibration, quantize_model

    if not quantized_folder(folder, backend).is_dir():
        nothing = crops.inputs[:0]  # equality is measured here, against torch
        quantize_model(folder, card, backend, Calibration(crops.name, crops.known_split, crops.known, nothing))


def _describe(crops: EncoderCrops, found: Sequence[Answered]) -> dict[str, Estimate]:
    """Return how unlike the embeddings of different crops are, without which their equality says nothing."""
    rows = found[0].embeddings.astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    between = (rows @ rows.T)[np.triu_indices(len(rows), 1)]
    return {
        "cosine_between_mean": Estimate(float(between.mean())),
        "cosine_between_max": Estimate(float(between.max())),
        "transform_seconds_per_cell": Estimate(crops.transform_seconds),
    }


def _equality(one: Answered, truth: Answered, crops: EncoderCrops) -> dict[str, Estimate]:
    """Return cosines with the first variant, and the accuracy of neighbors known by that variant's embeddings."""
    from hemascope.train.quantize import cosines

    found = cosines(one.embeddings, truth.embeddings)
    voters = fit_knn(truth.known, crops.known_labels, [t.value for t in CellType], k=NEIGHBORS)
    told, wanted = (voters.logits(values).argmax(axis=1) for values in (one.embeddings, truth.embeddings))
    return {
        "cosine_mean": Estimate(float(found.mean())),
        "cosine_percentile_1": Estimate(float(np.percentile(found, 1))),
        "cosine_min": Estimate(float(found.min())),
        "accuracy": Estimate.share(int((told == crops.labels).sum()), len(told)),
        "told_alike": Estimate.share(int((told == wanted).sum()), len(told)),
    }


_GENERATED: dict[str, object] = {"version": "generated", "license": "Apache-2.0", "tables_sha256": ""}
