"""The cost of a decision: the whole benchmark on a small set, with a tiny latent diffusion and real embeddings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from color_parts import parts, silent
from PIL import Image

from hemascope.app import bench_diffusion_cost
from hemascope.app.bench import run_benchmark
from hemascope.app.bench_diffusion_cost import (
    TRIALS,
    DecisionTimes,
    Stopwatch,
    decision_costs,
    time_published,
    time_rounds,
)
from hemascope.app.bench_record import BenchmarkRun
from hemascope.app.bench_request import BenchmarkParts, BenchmarkRequest
from hemascope.app.benchmark_table import benchmark_tables
from hemascope.app.embedding_decider import EmbeddingDecider
from hemascope.app.target_cells import PBC, locate_cells
from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.classify.diffusion.elimination import AnytimeRule
from hemascope.classify.diffusion.trials import draw_trials
from hemascope.core.errors import DataSetError, InputError
from hemascope.core.noise_schedule import cosine_schedule
from hemascope.core.ports import CellDenoiser
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.denoise.embedding import EmbeddingDenoiser
from hemascope.denoise.embedding_space import fit_embedding_space
from hemascope.embed.descriptor_encoder import DescriptorEncoder
from hemascope.nets.latent_autoencoder import AutoencoderSize
from hemascope.nets.latent_unet import UNetSize
from hemascope.train.latent_denoiser import LatentSpec
from hemascope.train.latent_seeded import seeded_denoiser

TYPES = ("lymphocyte", "monocyte", "platelet")
CELLS = 6


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PBC of disks, a size for each of three types, in the train and test splits."""
    root = tmp_path_factory.mktemp("sets")
    rows = ["path,label,patient_id,split,subtype,acq,group"]
    folder = root / "pbc_acevedo_128"
    (folder / "images").mkdir(parents=True)
    y, x = np.mgrid[:128, :128] - 64
    for number in range(36):
        place, rng = number % 3, np.random.default_rng(number)
        disk = np.hypot(x, y)[..., None] < 12 + 14 * place + rng.uniform(-2, 2)
        image = np.where(disk, np.array([110, 70, 160]), 235) + rng.normal(0, 4, (128, 128, 3))
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(folder / f"images/{number}.png")
        rows.append(f"images/{number}.png,{TYPES[place]},,{'test' if number < CELLS else 'train'},,A,{number}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture(scope="module")
def decider(sets: Path) -> EmbeddingDecider:
    """Handcrafted descriptors, and the exact denoiser of Gaussians fitted on the train split."""
    cells = [cell for cell in locate_cells(PBC, sets) if cell.split == "train"]
    encoder = DescriptorEncoder()
    empty = EmbeddingDecider((encoder,), None)  # type: ignore[arg-type]
    labels = np.array([TYPES.index(cell.cell_type.value) for cell in cells])
    space = fit_embedding_space(empty.embed(empty.cut(cells)), labels, 3)
    identity = ModelIdentity("gaussians", "1", "", "numpy-cpu-fp32", "Apache-2.0")
    denoiser = EmbeddingDenoiser(TYPES, space, identity, None, cosine_schedule())
    trials = draw_trials(denoiser, 16)
    return EmbeddingDecider((encoder,), DiffusionClassifier(denoiser, trials, AnytimeRule(), denoiser.samples))


def tiny() -> CellDenoiser:
    spec = LatentSpec(tuple(cell_type.value for cell_type in CellType), crop_px=16)
    unet = UNetSize(channels=(8, 16), layers=1, heads=2, context_width=16, groups=4)
    return seeded_denoiser(spec, unet, AutoencoderSize(channels=(8, 16), layers=1, groups=4))


def with_deciders(decider: EmbeddingDecider) -> BenchmarkParts:
    from dataclasses import replace

    return replace(parts(), embedding_decider=lambda: decider, published_denoiser=tiny)


@pytest.fixture(scope="module")
def run(sets: Path, decider: EmbeddingDecider) -> BenchmarkRun:
    return run_benchmark(BenchmarkRequest("diffusion-cost", sets), with_deciders(decider), silent)


def test_the_published_procedure_takes_its_least_whole(run: BenchmarkRun) -> None:
    found = run.measures.metrics
    assert TRIALS == found["published.trials"] == found["published.encodings"] == 21
    assert found["published.passes"] == 21 * 8
    spent = 168 * found["published.pass_seconds"] + 21 * found["published.encoding_seconds"]  # type: ignore[operator]
    assert 0 < spent < 2 * found["published.cell_seconds"]  # type: ignore[operator]


def test_embeddings_are_timed_with_and_without_encoding(run: BenchmarkRun) -> None:
    found = run.measures.metrics
    for name in ("together", "single"):
        encoding, decision, cell = (found[f"embedding.{name}.{part}_ms"] for part in ("encoding", "decision", "cell"))
        assert 0 < encoding < cell  # type: ignore[operator]
        assert 0 < decision < cell  # type: ignore[operator]
    assert found["embedding.trials"] <= 16  # type: ignore[operator]
    assert found["embedding.accuracy"] == 1
    assert (run.n[PBC], run.n["single"], run.n["published"], run.n["classes"]) == (CELLS, CELLS, 1, 8)
    assert min(found[f"calibration.gflops_{place}"] for place in (1, 2, 3)) > 0  # type: ignore[operator, type-var]
    assert [model["name"] for model in run.provenance["models"]] == ["descriptors", "gaussians", "latent_seeded"]  # type: ignore[attr-defined]


def test_costs_are_medians_and_ratios_to_the_published_seconds(decider: EmbeddingDecider, sets: Path) -> None:
    answers = time_rounds(decider, locate_cells(PBC, sets)[:1], silent).answers
    first = DecisionTimes(np.array([0.004, 0.008]), np.array([0.001, 0.001]), answers)
    second = DecisionTimes(np.array([0.006]), np.array([0.002]), answers)
    costs = {name: estimate.value for name, estimate in decision_costs([first, second], 280.0).items()}
    assert costs == pytest.approx(
        {
            "encoding_ms": 6.0,
            "decision_ms": 1.0,
            "cell_ms": 8.0,
            "published_over_decision": 280_000.0,
            "published_over_cell": 35_000.0,
        }
    )


def test_the_tables_show_the_cost_beside_the_ratio(run: BenchmarkRun) -> None:
    document = json.loads(json.dumps(run.document()))
    published, ratio, about = benchmark_tables(document)
    assert dict(published.rows)["Passes of the U-Net"] == "168"
    assert [row[0] for row in ratio.rows] == ["6 cells together", "One by one"]
    assert all(len(row) == len(ratio.columns) for row in ratio.rows)
    assert dict(about.rows)["Rule"].startswith("AnytimeRule")
    assert "-" not in {cell for table in (published, ratio, about) for row in table.rows for cell in row}


def test_no_look_is_met_twice(sets: Path) -> None:
    views: list[int] = []

    class Watched:
        def __init__(self) -> None:
            self._denoiser = tiny()

        def __getattr__(self, name: str) -> object:
            return getattr(self._denoiser, name)

        def samples(self, crops: object, view: int) -> object:
            views.append(view)
            return self._denoiser.samples(crops, view)  # type: ignore[arg-type]

    time_published(Watched(), locate_cells(PBC, sets)[0], silent)  # type: ignore[arg-type]
    assert len(views) == len(set(views)) == TRIALS
    assert 0 not in views


def test_a_stopwatch_counts_and_averages() -> None:
    watch = Stopwatch()
    for rows in (3, 5):
        assert watch.time(rows, lambda: np.zeros(1, np.float32)).shape == (1,)
    assert watch.count == 8
    assert len(watch.seconds) == 2
    assert watch.each == pytest.approx(sum(watch.seconds) / 8)


def test_a_split_without_cells_is_refused(sets: Path, decider: EmbeddingDecider) -> None:
    with pytest.raises(DataSetError, match="no cell in split 'val'"):
        run_benchmark(BenchmarkRequest("diffusion-cost", sets, split="val"), with_deciders(decider), silent)


def test_parts_without_deciders_are_refused(sets: Path) -> None:
    with pytest.raises(InputError, match="no denoiser of embeddings"):
        bench_diffusion_cost.run(BenchmarkRequest("diffusion-cost", sets), parts(), silent)


def test_sets_are_needed(decider: EmbeddingDecider) -> None:
    with pytest.raises(DataSetError, match="needs the public data sets"):
        bench_diffusion_cost.run(BenchmarkRequest("diffusion-cost", None), with_deciders(decider), silent)
