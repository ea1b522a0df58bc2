"""Benchmark ``diffusion-cost``: a decision by the published procedure beside one by the denoiser of embeddings.

The published procedure runs in its own layout (Stable Diffusion 1.5, random weights, which cost what trained ones do)
and by its own rule, the least it can take: every type at 21 trials of one cell, each with an encoding of its own. Both
are timed in one run, the embeddings before and after, so that a slow spell of the machine shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hemascope.app.backend_clock import median_rate
from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import Measures, measure_gflops
from hemascope.app.bench_request import BenchmarkParts, BenchmarkRequest, Outcome, describe_set, needed_root
from hemascope.app.embedding_decider import EmbeddingDecider
from hemascope.app.target_cells import PBC, TypedCell, cut_cells, locate_cells
from hemascope.classify.diffusion.answers import DiffusionAnswers
from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.classify.diffusion.elimination import PublishedRule
from hemascope.classify.diffusion.trials import draw_trials
from hemascope.classify.diffusion.weighting import TimestepWeighting
from hemascope.core.cell import CellCrop
from hemascope.core.errors import DataSetError
from hemascope.core.noise_schedule import NoiseSchedule
from hemascope.core.ports import CellDenoiser
from hemascope.core.provenance import ModelIdentity
from hemascope.evaluate.estimate import Estimate

TRIALS = PublishedRule().first + 1
"""Before the published rule first gives a class up: 21."""

VIEWS = range(1, 1 << 20)
"""So many that no trial meets a look again: the published procedure encodes anew at every trial."""

CELLS = 256
"""Cells decided on together by embeddings, at most."""

SINGLE = 32
"""Of these, cells decided on one by one."""

ROUNDS = 3
"""Rounds of timing before the published procedure, and as many after."""


@dataclass(slots=True)
class Stopwatch:
    """How often something was done, and how long it took.

    Attributes
    ----------
    count
        Rows, or crops.
    seconds
        Of each call.
    """

    count: int = 0
    seconds: list[float] = field(default_factory=list)

    def time(self, rows: int, action: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return what the action returns, having taken its time."""
        started = time.perf_counter()
        answer = action()
        self.seconds.append(time.perf_counter() - started)
        self.count += rows
        return answer

    @property
    def each(self) -> float:
        """Mean seconds of one."""
        return sum(self.seconds) / max(self.count, 1)


class TimedDenoiser:
    """A denoiser under a clock; a ``CellDenoiser``.

    Parameters
    ----------
    denoiser
        What is timed.
    on_pass
        Called with the number of passes so far.
    """

    def __init__(self, denoiser: CellDenoiser, on_pass: Callable[[int], None]) -> None:
        self._denoiser = denoiser
        self._on_pass = on_pass
        self.passes, self.encodings = Stopwatch(), Stopwatch()

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._denoiser.identity

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self._denoiser.classes

    @property
    def schedule(self) -> NoiseSchedule:
        """How its samples are noised."""
        return self._denoiser.schedule

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self._denoiser.sample_shape

    @property
    def mask(self) -> NDArray[np.float32]:
        """Weights of the squared error."""
        return self._denoiser.mask

    @property
    def crop_size(self) -> tuple[int, float]:
        """Side in pixels and width in um of the crops it takes."""
        return self._denoiser.crop_size

    def samples(self, crops: Sequence[CellCrop], view: int) -> NDArray[np.float32]:
        """Return one sample a crop."""
        return self.encodings.time(len(crops), lambda: self._denoiser.samples(crops, view))

    def predict_noise(
        self, noised: NDArray[np.float32], steps: NDArray[np.intp], classes: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Return the noise expected."""
        noise = self.passes.time(len(noised), lambda: self._denoiser.predict_noise(noised, steps, classes))
        self._on_pass(self.passes.count)
        return noise


@dataclass(frozen=True, slots=True, eq=False)
class DecisionTimes:
    """Seconds a cell by embeddings, one number a round or, one by one, a cell of a round.

    Attributes
    ----------
    encoding, decision
        From crops to embeddings, and from those to the answer.
    answers
        Of the last round.
    """

    encoding: NDArray[np.float64]
    decision: NDArray[np.float64]
    answers: DiffusionAnswers


def run(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    """Return the cost of one decision by the published procedure, and by embeddings, and their ratio."""
    root = needed_root(request)
    inside = [cell for cell in locate_cells(PBC, root) if request.split in ("all", cell.split)]
    if not inside:
        raise DataSetError(f"{PBC} has no cell in split '{request.split}'; choose another with --split")
    most = min(len(inside), request.limit or CELLS, CELLS)
    cells = [inside[place] for place in np.linspace(0, len(inside) - 1, most).round().astype(int)]
    decider = parts.embedding_decider()
    measures = Measures()
    speed = [measure_gflops()]
    together, alone = [time_rounds(decider, cells, progress)], [time_single(decider, cells[:SINGLE], progress)]
    published = parts.published_denoiser()
    timed, seconds = time_published(published, cells[0], progress)
    speed.append(measure_gflops())
    together.append(time_rounds(decider, cells, progress))
    alone.append(time_single(decider, cells[:SINGLE], progress))
    speed.append(measure_gflops())
    measures.add("published", _published(timed, seconds))
    for name, times in (("together", together), ("single", alone)):
        measures.add(f"embedding.{name}", decision_costs(times, seconds))
    measures.add("embedding", _answers(together[-1].answers, decider, cells))
    measures.add("calibration", {f"gflops_{place}": Estimate(value) for place, value in enumerate(speed, 1)})
    return Outcome(
        data={PBC: describe_set(PBC, root, "")},
        n={PBC: len(cells), "single": len(cells[:SINGLE]), "published": 1, "classes": len(timed.classes)},
        measures=measures,
        baselines={},
        models=(*decider.identities, timed.identity),
        notes={"rule": repr(decider.classifier.rule), "trials": len(decider.classifier.trials)},
    )


def time_published(denoiser: CellDenoiser, cell: TypedCell, progress: Progress) -> tuple[TimedDenoiser, float]:
    """Return the denoiser with what it took for one cell, and the seconds of the whole decision.

    All trials before the first test are run, none after: what follows only costs more.
    """
    least = TRIALS * len(denoiser.classes)
    timed = TimedDenoiser(denoiser, lambda done: progress("published procedure, passes", done, least))
    (crop,) = cut_cells([cell], *denoiser.crop_size)
    trials = draw_trials(
        timed, TRIALS, weighting=TimestepWeighting("published"), antithetic=False, grid="published", views=VIEWS
    )
    classifier = DiffusionClassifier(timed, trials, PublishedRule(), rows=len(denoiser.classes))
    progress("published procedure, passes", 0, least)
    started = time.perf_counter()
    classifier.answer(lambda view: timed.samples([crop], view))
    return timed, time.perf_counter() - started


def time_rounds(decider: EmbeddingDecider, cells: Sequence[TypedCell], progress: Progress) -> DecisionTimes:
    """Return the seconds a cell where all cells are decided on together, in ``ROUNDS`` rounds after one to warm up."""
    crops = decider.cut(cells)
    found = []
    for number in range(ROUNDS + 1):
        progress("embeddings, together", number, ROUNDS + 1)
        found.append(_timed(decider, crops))
    encoding, decision, answers = zip(*found[1:], strict=True)
    return DecisionTimes(np.array(encoding) / len(cells), np.array(decision) / len(cells), answers[-1])


def time_single(decider: EmbeddingDecider, cells: Sequence[TypedCell], progress: Progress) -> DecisionTimes:
    """Return the seconds of each cell where they are decided on one by one, after one to warm up."""
    crops = decider.cut(cells)
    found = [_timed(decider, [own[:1] for own in crops])]
    for place in range(len(cells)):
        progress("embeddings, one by one", place, len(cells))
        found.append(_timed(decider, [own[place : place + 1] for own in crops]))
    encoding, decision, answers = zip(*found[1:], strict=True)
    return DecisionTimes(np.array(encoding), np.array(decision), answers[-1])


def _timed(decider: EmbeddingDecider, crops: Sequence[Sequence[CellCrop]]) -> tuple[float, float, DiffusionAnswers]:
    started = time.perf_counter()
    embeddings = decider.embed(crops)
    encoded = time.perf_counter()
    answers = decider.decide(embeddings)
    return encoded - started, time.perf_counter() - encoded, answers


def _published(timed: TimedDenoiser, seconds: float) -> dict[str, Estimate]:
    calls = np.array(timed.passes.seconds) / len(timed.classes)
    return {
        "trials": Estimate(TRIALS),
        "passes": Estimate(timed.passes.count),
        "encodings": Estimate(timed.encodings.count),
        "pass_seconds": median_rate(calls),
        "encoding_seconds": median_rate(np.array(timed.encodings.seconds)),
        "cell_seconds": Estimate(seconds),
    }


def decision_costs(times: Sequence[DecisionTimes], published_seconds: float) -> dict[str, Estimate]:
    """Return medians over all times, in milliseconds a cell, and how often these go into the published seconds."""
    encoding = np.concatenate([part.encoding for part in times])
    decision = np.concatenate([part.decision for part in times])
    whole = encoding + decision
    return {
        "encoding_ms": median_rate(1e3 * encoding),
        "decision_ms": median_rate(1e3 * decision),
        "cell_ms": median_rate(1e3 * whole),
        "published_over_decision": median_rate(published_seconds / decision),
        "published_over_cell": median_rate(published_seconds / whole),
    }


def _answers(answers: DiffusionAnswers, decider: EmbeddingDecider, cells: Sequence[TypedCell]) -> dict[str, Estimate]:
    classes = decider.classifier.classes
    right = sum(classes[told] == cell.cell_type.value for told, cell in zip(answers.told, cells, strict=True))
    return {
        "passes": Estimate(float(answers.passes.mean())),
        "trials": Estimate(float(answers.trials.mean())),
        "accuracy": Estimate.share(right, len(cells)),
    }
