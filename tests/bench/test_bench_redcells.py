"""The benchmark of red cells on painted fields, whose figures can be worked out by hand."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from color_parts import RECIPE_SHA256, parts, silent

from hemascope.app.bench import run_benchmark
from hemascope.app.bench_record import BenchmarkRun
from hemascope.app.bench_request import BenchmarkRequest
from hemascope.app.benchmark_table import benchmark_tables
from hemascope.core.errors import DataSetError, UnreadableImageError
from hemascope.core.taxonomy import RedCellType
from hemascope.data.catalog import open_fields
from hemascope.data.folds import Fold, split_by_fold
from hemascope.evaluate.red_cell_answers import ANSWERS_FILE, TYPES, RedCellAnswers, type_numbers, typed_places

RED, PALE, GROUND = (200, 120, 130), (215, 170, 175), (235, 235, 235)
PLACES = ((60, 60), (140, 60), (60, 140), (140, 140), (60, 220), (140, 220))
PALE_ONES = (1, 4)
BLOCKS = 6


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six cells a field, two of them pale; every point names its type, but one pale cell is labeled normal.

    The last field is the test split. One of its cells has no point, and one point has no cell.
    """
    root = tmp_path_factory.mktemp("sets")
    folder = root / "chula_rbc12"
    labels, points = ["path,label,split,kind"], ["path,x,y,class_id,label"]
    for block in range(BLOCKS):
        name, last = f"fields/{5 * block}.png", block == BLOCKS - 1
        _paint(folder / name)
        labels.append(f"{name},,{'test' if last else 'val' if block == 4 else 'train'},rbc12_field")
        for number, (x, y) in enumerate(PLACES):
            label = "hypochromia" if number == PALE_ONES[0] else "normal"
            if not (last and number == 5):
                points.append(f"{name},{x + 2}.0,{y}.0,0,{label}")
        if last:
            points.append(f"{name},220.0,140.0,0,normal")
    for number in range(3):
        _paint(folder / f"disease_fields/anemia/{number}.png")
        labels.append(f"disease_fields/anemia/{number}.png,anemia,train,disease_field")
    (folder / "labels.csv").write_text("\n".join(labels) + "\n")
    (folder / "points.csv").write_text("\n".join(points) + "\n")
    return root


def _paint(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((300, 300, 3), GROUND, np.uint8)
    for number, center in enumerate(PLACES):
        cv2.circle(pixels, center, 20, RED, -1)
        if number in PALE_ONES:
            cv2.circle(pixels, center, 10, PALE, -1)
    cv2.imwrite(str(path), pixels[..., ::-1])


def write_folds(root: Path, runs: Path, count: int = 3) -> None:
    """Write what a classifier that is always right, and quite sure, would leave in its run folders."""
    records = open_fields("chula_rbc12", root)
    for index in range(1, count + 1):
        fold = Fold(index, count)
        left_out = [r for r in split_by_fold(records, fold) if r.split == "test"]
        places = tuple(place for record in left_out for place in typed_places(record))
        told = np.full((len(places), len(TYPES)), 0.01)
        told[np.arange(len(places)), type_numbers(places)] = 0.89
        folder = runs / f"red-fold-{index}"
        folder.mkdir(parents=True)
        (folder / ANSWERS_FILE).write_text(RedCellAnswers(RECIPE_SHA256, str(fold), places, told).text())


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> BenchmarkRun:
    runs = tmp_path_factory.mktemp("runs")
    write_folds(root, runs)
    return run_benchmark(BenchmarkRequest("redcells", root, folds=runs), parts(), silent)


def test_points_are_found_and_missed_as_painted(run: BenchmarkRun) -> None:
    found = {key.removeprefix("chula_rbc12.found."): value for key, value in run.measures.metrics.items()}
    assert (found["fields"], found["labeled"], found["found"]) == (1, 6, 6)
    assert found["recall"] == pytest.approx(5 / 6, abs=1e-5)
    assert found["precision"] == pytest.approx(5 / 6, abs=1e-5)
    assert run.measures.metrics["chula_rbc12.found_complete.fields"] == 0


def test_the_half_blind_baseline_finds_the_left_half(run: BenchmarkRun) -> None:
    assert run.baselines["classical"]["chula_rbc12.found.recall"] == pytest.approx(3 / 6, abs=1e-5)
    assert run.baselines["classical"]["chula_rbc12.found.precision"] == pytest.approx(1, abs=1e-5)


def test_types_at_points_and_of_found_cells_differ_by_what_was_missed(run: BenchmarkRun) -> None:
    metrics = run.measures.metrics
    # At the points: four of six right; the pale cell labeled normal is wrong, and bare ground is told pale.
    assert metrics["chula_rbc12.types.accuracy"] == pytest.approx(4 / 6, abs=1e-5)
    assert metrics["chula_rbc12.types.hypochromic.recall"] == 1
    assert metrics["chula_rbc12.types.hypochromic.precision"] == pytest.approx(1 / 3, abs=1e-5)
    assert metrics["chula_rbc12.types.normal.told_as_hypochromic"] == 2
    assert metrics["chula_rbc12.types_found.accuracy"] == pytest.approx(4 / 6, abs=1e-5)
    assert metrics["chula_rbc12.types_found.missed"] == 1
    assert metrics["chula_rbc12.types_found.hypochromic.precision"] == pytest.approx(1 / 2, abs=1e-5)


def test_folds_are_put_together(run: BenchmarkRun) -> None:
    metrics = run.measures.metrics
    assert metrics["chula_rbc12.folds.accuracy"] == 1
    assert metrics["chula_rbc12.folds.labeled"] == 6 * BLOCKS
    assert metrics["chula_rbc12.folds.macro_f1_20"] == 1
    assert sum(metrics[f"chula_rbc12.folds.fold_{k}.labeled"] or 0 for k in (1, 2, 3)) == 6 * BLOCKS
    normal = 5 * BLOCKS / (6 * BLOCKS)
    assert run.baselines["most_frequent"]["chula_rbc12.folds.accuracy"] == pytest.approx(normal, abs=1e-5)
    assert (run.baselines["size_and_color"]["chula_rbc12.folds.accuracy"] or 0) < 1


def test_anemias_are_shares_of_what_is_told(run: BenchmarkRun) -> None:
    metrics = run.measures.metrics
    assert metrics["chula_rbc12_anemias.anemia.fields"] == 3
    assert metrics["chula_rbc12_anemias.anemia.cells"] == 18
    assert metrics["chula_rbc12_anemias.anemia.share_hypochromic"] == pytest.approx(2 / 6, abs=1e-5)
    assert metrics["chula_rbc12_anemias.anemia.share_normal"] == pytest.approx(4 / 6, abs=1e-5)


def test_every_table_of_it_is_drawn(run: BenchmarkRun) -> None:
    tables = benchmark_tables(run.document())
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)
    assert sum("True type" in table.title for table in tables) == 1
    [told] = [table for table in tables if table.title.startswith("Types at the points, folds")]
    assert len(told.rows) == len(RedCellType)
    assert run.provenance["recipe_sha256"] == RECIPE_SHA256
    assert str(run.provenance["command"]).endswith("--folds DIR")


def test_without_folds_there_are_none(root: Path) -> None:
    bare = run_benchmark(BenchmarkRequest("redcells", root, limit=1), parts(), silent)
    assert not any(".folds." in key for key in bare.measures.metrics)


def test_a_split_that_was_trained_on_has_no_simple_baseline(root: Path) -> None:
    seen = run_benchmark(BenchmarkRequest("redcells", root, split="all", limit=1), parts(), silent)
    assert seen.baselines["size_and_color"] == {}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda runs: (runs / "red-fold-2" / ANSWERS_FILE).unlink(), "exactly 1/3, 2/3, 3/3"),
        (lambda runs: _replace(runs / "red-fold-1", '"recipe_sha256":"0', '"recipe_sha256":"1'), "train all by one"),
        (lambda runs: _replace(runs / "red-fold-1", '"x":62.0', '"x":63.0'), "every typed cell"),
        (lambda runs: [path.unlink() for path in runs.glob(f"*/{ANSWERS_FILE}")], "no run folder"),
    ],
)
def test_folds_that_do_not_fit_together_are_refused(
    root: Path, tmp_path: Path, spoil: Callable[[Path], object], words: str
) -> None:
    write_folds(root, tmp_path)
    spoil(tmp_path)
    with pytest.raises(DataSetError, match=words):
        run_benchmark(BenchmarkRequest("redcells", root, folds=tmp_path), parts(), silent)


def _replace(folder: Path, old: str, new: str) -> None:
    path = folder / ANSWERS_FILE
    path.write_text(path.read_text().replace(old, new))


def test_an_image_that_cannot_be_read_is_named(root: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(root, tmp_path / "copied"))
    broken = copied / "chula_rbc12" / "fields" / "0.png"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(UnreadableImageError, match=r"0\.png"):
        run_benchmark(BenchmarkRequest("redcells", copied), parts(), silent)
