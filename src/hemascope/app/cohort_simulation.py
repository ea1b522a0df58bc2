"""The use case of simulating a cohort: a manifest and embeddings that any tool reads, and the truth beside them."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from hemascope.app.bench_record import write_text
from hemascope.core.bag_task import TaskKind
from hemascope.core.embedding import Embeddings
from hemascope.core.errors import InputError, OutputError
from hemascope.core.feature_bag import FeatureBag
from hemascope.core.version import __version__
from hemascope.data.cohort.manifest import SmearRow, manifest_text
from hemascope.export.embeddings_table import EmbeddingsSink
from hemascope.synth.cohort.bayes import (
    BestAnswers,
    best_answers,
    best_numbers,
    class_probabilities,
    marker_probabilities,
)
from hemascope.synth.cohort.confound import plant
from hemascope.synth.cohort.presets import EIGHT_SPLIT, MYELOMA_SPLIT, eight_classes, myeloma_720
from hemascope.synth.cohort.simulated import Shortcut, SimulatedCohort, simulate_cohort
from hemascope.synth.cohort.truth import CohortTruth

FORMAT, FORMAT_VERSION = "hemascope simulated cohort", 1
STATEMENT = "Simulated: no specimen, no patient. Figures measured on it say nothing about people."
MANIFEST_FILE, TRUTH_FILE, EMBEDDINGS_FILE = "manifest.csv", "truth.json", "embeddings.h5ad"
MOST = 20_000
"""Patients in one cohort, at most."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A law and the numbers of patients it is drawn with.

    Attributes
    ----------
    law
        Makes it.
    patients
        Split to patients.
    """

    law: Callable[[], CohortTruth]
    patients: Mapping[str, int]


_MYELOMA = {"train": MYELOMA_SPLIT[0], "val": MYELOMA_SPLIT[1], "test": MYELOMA_SPLIT[1]}

PRESETS: Mapping[str, Preset] = {
    "myeloma-720-easy": Preset(lambda: myeloma_720("easy"), _MYELOMA),
    "myeloma-720": Preset(lambda: myeloma_720("medium"), _MYELOMA),
    "myeloma-720-hard": Preset(lambda: myeloma_720("hard"), _MYELOMA),
    "eight-classes": Preset(eight_classes, {"train": EIGHT_SPLIT[0], "test": EIGHT_SPLIT[1]}),
}
"""Name to preset."""


@dataclass(frozen=True, slots=True)
class SimulationRequest:
    """What to simulate.

    Attributes
    ----------
    preset
        A key of ``PRESETS``.
    out
        Folder to write, absent or empty.
    seed
        Equal seeds give equal cohorts.
    patients
        In all splits together; None for the preset's.
    shortcut
        What to plant; None for a clean cohort.
    label
        The marker or class that it goes with; "" for the first.
    """

    preset: str
    out: Path
    seed: int = 0
    patients: int | None = None
    shortcut: Shortcut | None = None
    label: str = ""


def simulate(request: SimulationRequest) -> SimulatedCohort:
    """Return the cohort that is asked for.

    Raises
    ------
    InputError
        If preset or label are unknown, or the number of patients is out of range.
    """
    if request.preset not in PRESETS:
        raise InputError(f"there is no preset '{request.preset}'; choose one of {', '.join(PRESETS)}")
    preset = PRESETS[request.preset]
    patients = preset.patients if request.patients is None else _dealt(request.patients, preset.patients)
    law = preset.law()
    labels = [output for task in law.tasks if task.kind is not TaskKind.NUMBER for output in task.outputs]
    label = request.label or labels[0]
    if label not in labels:
        raise InputError(f"{request.preset} has no label '{label}'; choose one of {', '.join(labels)}")
    clean = simulate_cohort(law, patients, request.seed)
    return clean if request.shortcut is None else plant(clean, request.shortcut, label, request.seed)


def write_simulated(request: SimulationRequest) -> SimulatedCohort:
    """Write ``manifest.csv``, ``embeddings.h5ad`` and ``truth.json``, all or none, and return what they hold.

    Raises
    ------
    InputError
        As ``simulate``.
    MissingExtraError
        If what writes AnnData is not installed.
    OutputError
        If the folder holds something or cannot be written.
    """
    simulated = simulate(request)
    with _staged(request.out) as folder:
        write_text(folder / MANIFEST_FILE, manifest_text(_rows(simulated)))
        _write_cells(simulated, folder)
        document = truth_document(simulated, request)
        write_text(folder / TRUTH_FILE, json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")
    return simulated


def _dealt(patients: int, usual: Mapping[str, int]) -> dict[str, int]:
    """Return so many patients in the usual proportions, at least one a split."""
    if not len(usual) <= patients <= MOST:
        raise InputError(f"{patients} patients cannot be simulated; give {len(usual)} to {MOST:,}")
    ends = np.round(np.cumsum(list(usual.values())) * (patients / sum(usual.values()))).astype(int)
    counts = np.maximum(np.diff(ends, prepend=0), 1)
    counts[counts.argmax()] += patients - counts.sum()
    return {split: int(count) for split, count in zip(usual, counts, strict=True)}


def _rows(simulated: SimulatedCohort) -> list[SmearRow]:
    return [
        SmearRow(
            patient=fact.patient,
            paths={"": EMBEDDINGS_FILE},
            smear=fact.patient,
            places={"site": fact.site, "scanner": fact.scanner, "stain": fact.stain},
            split=fact.split,
            told={name: _text(value) for name, value in (*fact.labels.items(), *fact.covariates.items())},
        )
        for fact in simulated.facts
    ]


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _write_cells(simulated: SimulatedCohort, folder: Path) -> None:
    sink = EmbeddingsSink(folder)
    bags = simulated.drawn.bags
    for place, name in enumerate(bags.patients):
        bag = bags.bag(place)
        whose = np.full(len(bag), name)
        columns = {"patient": whose, "smear": whose}
        sink.add(FeatureBag(name, Embeddings(bag.cell_ids, bag.values, bags.encoder), columns))
    sink.finish({"encoder": {"name": bags.encoder, "digest": bags.encoder}, "statement": STATEMENT})


def truth_document(simulated: SimulatedCohort, request: SimulationRequest) -> dict[str, object]:
    """Return what is true of a cohort, in plain JSON types.

    ``patients`` maps each name to ``informative``, the numbers of the cells that carry the signal (from 0, in the order
    of the file), and ``best``, the probability of each class or marker, or the expected number, for an observer who
    knows the law and sees the cells, but no shortcut.
    """
    drawn, truth = simulated.drawn, simulated.truth
    best = best_answers(truth, drawn)
    answers = _answers(truth, best)
    carries = truth.states.informative[drawn.states]
    patients = {}
    for place, name in enumerate(drawn.bags.patients):
        own = carries[drawn.bags.starts[place] : drawn.bags.starts[place + 1]]
        patients[name] = {
            "split": simulated.facts[place].split,
            "combination": truth.label_names[drawn.combinations[place]] if truth.label_names else "",
            "informative": np.flatnonzero(own).tolist(),
            "best": {column: round(float(values[place]), 6) for column, values in answers.items()},
        }
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "statement": STATEMENT,
        "hemascope": __version__,
        "preset": request.preset,
        "law": truth.name,
        "seed": request.seed,
        "informative_states": [
            n for n, carries in zip(truth.states.names, truth.states.informative, strict=True) if carries
        ],
        "planted": None if simulated.planted is None else asdict(simulated.planted),
        "patients": patients,
    }


def _answers(truth: CohortTruth, best: BestAnswers) -> dict[str, np.ndarray]:
    """Return output to P best answers."""
    answers: dict[str, np.ndarray] = {}
    column = 0
    for task in truth.tasks:
        if task.kind is TaskKind.MARKERS:
            told = marker_probabilities(truth, best.labels)[:, column : column + len(task.outputs)]
        elif task.kind is TaskKind.CLASSES:
            told = class_probabilities(truth, best.labels, column)
        else:
            told = best_numbers(truth, best.labels)[:, None]
        answers |= dict(zip(task.outputs, told.T, strict=True))
        column += len(task.columns)
    return answers


@contextmanager
def _staged(out: Path) -> Iterator[Path]:
    """Give a hidden folder beside ``out`` that becomes ``out`` where all went well, and is gone otherwise."""
    out, made = out.absolute(), None
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise OutputError(f"{out} is not an empty folder; choose another place with --out, or move it away")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        yield made
        made.chmod(0o755)
        made.replace(out)  # over a folder that was filled meanwhile it fails: nothing is ever replaced
    except OSError as error:
        raise OutputError.at(out, error) from error
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
