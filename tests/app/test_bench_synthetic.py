"""The benchmark of synthetic cells from end to end on disks of known color, and what is mixed into a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from generator_parts import CLASSES, color_encoder, disk_generator, write_disks

from hemascope.app import bench_synthetic, synthetic_mixing
from hemascope.app.bench_request import BenchmarkParts, BenchmarkRequest, Outcome
from hemascope.app.synthesize import Generator, sampling_plan
from hemascope.app.synthetic_material import draw_each, gather_material
from hemascope.app.synthetic_mixing import (
    MIXTURES,
    MixingTask,
    draw_embeddings,
    fit_mixed,
    from_space,
    no_extra,
    tell_with,
    weighted,
)
from hemascope.app.synthetic_tables import synthetic_tables
from hemascope.app.target_cells import PBC, locate_cells
from hemascope.core.errors import InputError
from hemascope.core.noise_schedule import cosine_schedule
from hemascope.core.provenance import ModelIdentity
from hemascope.denoise.embedding_space import fit_embedding_space
from hemascope.denoise.gaussian import GaussianDenoiser
from hemascope.zoo.contamination import Seen

SET = "pbc_acevedo_128"


def quiet(_title: str, _done: int, _total: int) -> None:
    """Show nothing."""


def parts() -> BenchmarkParts:
    def absent(*_: object) -> Any:
        raise AssertionError("this benchmark needs encoders and a denoiser alone")

    known = {"color": color_encoder(), "used": color_encoder("used", Seen.YES)}
    return BenchmarkParts(
        absent, absent, absent, absent, absent, absent,
        protocol_encoder=known.__getitem__, pixel_denoiser=lambda folder: disk_generator().denoiser,
    )  # fmt: skip


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A run on a small set, with draws of 2 and 4 cells a type."""
    root = write_disks(tmp_path_factory.mktemp("sets"), train=14, others=6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic_mixing, "SHOTS", (2, 4))
        patch.setattr(bench_synthetic, "GUIDANCE", 1.0)  # the disks differ in color, which guidance exaggerates
        request = BenchmarkRequest("synthetic", root, limit=9, encoders=("color", "used"))
        return bench_synthetic.run(request, parts(), quiet)


def figure(outcome: Outcome, key: str) -> float:
    value = outcome.measures.metrics[f"{SET}.{key}"]
    assert value is not None
    return value


def test_disks_of_the_exact_generator_are_like_real_ones(outcome: Outcome) -> None:
    assert outcome.n["synthetic_each"] == 9
    assert figure(outcome, "color.synthetic.told_as_asked") == pytest.approx(1, abs=0.03)
    synthetic, real, shuffled = (
        figure(outcome, f"color.{row}.class_frechet") for row in ("synthetic", "real", "shuffled")
    )
    assert synthetic < 4 * real
    assert shuffled > 10 * real
    assert figure(outcome, "color.synthetic.precision") > 0.6


def test_no_copies_are_found_but_the_deliberate_ones(outcome: Outcome) -> None:
    assert figure(outcome, "memory.pixels.copies_found") == 1
    assert figure(outcome, "memory.pixels.ratio_below_real") < 0.2
    assert figure(outcome, "memory.pixels.median_over_real") > 0.8


def test_every_row_of_the_mixing_is_measured_on_the_test_split(outcome: Outcome) -> None:
    for mixture in MIXTURES:
        for shots in ("2", "4", "all"):
            assert figure(outcome, f"mixing.color.{mixture}.{shots}.balanced_accuracy") > 0.8
    assert f"{SET}.mixing.color.real.2.accuracy" in outcome.measures.intervals
    assert outcome.n["test"] == 6 * len(CLASSES)


def test_the_tables_mark_what_was_seen(outcome: Outcome) -> None:
    document = {
        "metrics": outcome.measures.metrics, "intervals": outcome.measures.intervals, "n": outcome.n,
        "provenance": outcome.notes, "baselines": {},
    }  # fmt: skip
    likeness, by_type, copies, guidance, balanced, _ = synthetic_tables(document)
    assert [row[:2] for row in guidance.rows] == [("color", "1 (default)"), ("color", "1.5"), ("color", "2.5")]
    assert {row[0]: row[1] for row in likeness.rows} == {"color": "unseen", "used": "seen"}
    assert all(cell != "-" for row in likeness.rows for cell in row[:-1])
    assert len(by_type.rows) == 2 * len(CLASSES)
    assert [row[0] for row in copies.rows] == ["pixels", "color", "used"]
    assert {row[2]: row[3] for row in balanced.rows}["and synthetic cells"] == "all training cells: seen"
    assert balanced.rows[0][-1] != "-"


def test_disks_are_best_unguided_and_validation_cells_say_so(outcome: Outcome) -> None:
    found = [figure(outcome, f"guidance.color.{percent}.class_frechet") for percent in (100, 150, 250)]
    assert found == sorted(found)
    assert found[2] > 2 * found[0]


def test_held_out_cells_are_no_training_cells_and_all_rows_are_of_one_size(tmp_path: Path) -> None:
    cells = locate_cells(PBC, write_disks(tmp_path, train=5, others=2))
    material = gather_material(disk_generator(), cells, sampling_plan(1.0, 4), 100, quiet)
    assert material.each == 4
    assert not set(material.training_groups) & set(material.held_out_groups)
    rows = (material.made, material.blurred, material.held_out[material.reference])
    assert {len(pictures) for pictures in rows} == {4 * len(CLASSES)}
    assert (material.held_out_types[material.reference] == material.made_types).all()
    assert (material.training_types[material.drawn] == material.made_types).all()
    assert material.tested.sum() == 2 * len(CLASSES)


def test_too_few_cells_are_refused(tmp_path: Path) -> None:
    cells = locate_cells(PBC, write_disks(tmp_path, train=5, others=2))
    with pytest.raises(InputError, match="--limit 4"):
        gather_material(disk_generator(), cells, sampling_plan(1.0, 4), 3, quiet)


def test_a_generator_of_other_classes_is_refused(tmp_path: Path) -> None:
    class Other(GaussianDenoiser):
        pass

    identity = ModelIdentity("other", "1", "", "numpy", "Apache-2.0")
    other = Other(("basophil",), np.zeros((1, 3, 4, 4)), cosine_schedule(), identity)
    with pytest.raises(InputError, match="other knows no eosinophil"):
        gather_material(Generator(other, (), {}), (), sampling_plan(1.0), 5, quiet)  # type: ignore[arg-type]


def test_as_many_of_every_type_are_drawn_once_each() -> None:
    types = np.tile(np.arange(8), 5)
    rows = draw_each(types, 3)
    assert (types[rows] == np.repeat(np.arange(8), 3)).all()
    assert len(set(rows.tolist())) == 24


def blobs(count: int, seed: int) -> tuple[Any, Any]:
    """Return embeddings of eight types in four dimensions, one of which never varies."""
    types = np.tile(np.arange(8), count)
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (len(types), 4)) * (1, 2, 3, 0)
    values[:, :3] += np.stack([types & 1, (types >> 1) & 1, (types >> 2) & 1], axis=1) * 9.0
    return values.astype(np.float32), types


def test_drawn_embeddings_have_the_means_and_the_covariance_of_the_cells_they_come_from() -> None:
    values, types = blobs(60, 0)
    drawn = draw_embeddings(values, types, 200, seed=3)
    of_drawn = np.repeat(np.arange(8), 200)
    for place in range(8):
        assert drawn[of_drawn == place].mean(axis=0) == pytest.approx(values[types == place].mean(axis=0), abs=0.6)
    spread = drawn[of_drawn == 0].std(axis=0)
    assert spread[:3] == pytest.approx([1, 2, 3], rel=0.5)
    assert spread[3] == 0


def test_the_way_back_from_a_space_is_exact() -> None:
    values, types = blobs(40, 1)
    space = fit_embedding_space(values, types, 8)
    assert from_space(space, space.samples(values)) == pytest.approx(values, abs=1e-3)


def test_extra_cells_together_weigh_as_much_as_the_real_ones() -> None:
    values, types = blobs(6, 2)
    twice = fit_mixed(values, types, weighted(values, types, values, types, 0))
    tenfold = fit_mixed(values, types, weighted(np.tile(values, (10, 1)), np.tile(types, 10), values, types, 0))
    alone = fit_mixed(values, types, no_extra(values, types, values, types, 0))
    assert tenfold.weights == pytest.approx(twice.weights, abs=1e-3)
    assert np.abs(twice.weights[:3]).sum() > np.abs(alone.weights[:3]).sum()


def test_labels_of_the_test_split_change_no_answer() -> None:
    (values, types), (asked, truth), (made, made_types) = blobs(30, 0), blobs(5, 1), blobs(10, 2)
    groups = np.array([str(i) for i in range(len(types))])
    order = np.argsort(made_types, kind="stable")

    def told(labels: Any) -> list[Any]:
        task = MixingTask(values, types, groups, made[order], made_types[order], asked, labels, groups[: len(asked)])
        return [np.stack(tell_with(task, 10, make)) for make in MIXTURES.values()]

    right, wrong = told(truth), told((truth + 1) % 8)
    for one, other in zip(right, wrong, strict=True):
        assert (one == other).all()
        assert (one == truth).mean() > 0.8
