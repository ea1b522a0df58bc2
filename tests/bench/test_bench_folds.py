"""A finder measured by folds, and outlines measured against masks, on painted sets."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from color_parts import RankedSegmenter, analyzer, parts, silent

from hemascope.app.bench import run_benchmark
from hemascope.app.bench_fields import analyze_records
from hemascope.app.bench_record import BenchmarkRun
from hemascope.app.bench_request import BenchmarkRequest
from hemascope.app.benchmark_table import benchmark_tables
from hemascope.core.errors import RecipeError
from hemascope.core.taxonomy import CellKind
from hemascope.data.catalog import open_fields
from hemascope.data.folds import Fold, split_by_fold
from hemascope.wiring import benchmark_parts
from hemascope.zoo.shipped import FINDER, shipped_folder


@pytest.fixture(scope="module")
def by_folds(kept_root: Path, tmp_path_factory: pytest.TempPathFactory) -> BenchmarkRun:
    request = BenchmarkRequest("detection", kept_root, folds=tmp_path_factory.mktemp("runs"))
    return run_benchmark(request, parts(), silent)


def test_every_field_is_answered_by_the_fold_that_left_it_out(by_folds: BenchmarkRun, kept_root: Path) -> None:
    metrics = by_folds.measures.metrics
    assert by_folds.split == "folds"
    assert metrics["bccd.white_cell.fields"] == 3
    records = open_fields("bccd", kept_root, version="best")
    (unseen,) = [r for r in split_by_fold(records, Fold(2, 3)) if r.split == "test"]
    # The second fold's finder is half blind: it sees no platelet, and there is one in one field.
    sees_platelet = unseen.label_version != "cbc_cleaned" or not unseen.of_kind(CellKind.PLATELET)
    assert metrics["bccd_cbc_cleaned.platelet.recall"] == float(sees_platelet)


def test_red_cells_are_sought_at_their_points_in_every_fold(by_folds: BenchmarkRun) -> None:
    metrics = by_folds.measures.metrics
    assert metrics["chula_rbc12.found.fields"] == 3
    assert metrics["chula_rbc12.found.labeled"] == 6
    assert metrics["chula_rbc12.found.recall"] == 1.0
    assert by_folds.n["chula_rbc12"] == 3


def test_the_tables_of_folds_are_drawn(by_folds: BenchmarkRun) -> None:
    titles = [table.title for table in benchmark_tables(by_folds.document()) if table.rows]
    # No painted set labels all three kinds, so there is no mean over them.
    assert not any("mean of the kinds" in title for title in titles)
    assert any("radius of their point" in title for title in titles)


def test_candidates_are_kept_apart_from_what_is_found(kept_root: Path) -> None:
    ranked = replace(analyzer(blind=False), segmenter=RankedSegmenter())
    record = open_fields("aybu_fields", kept_root)[0]
    (answer,) = analyze_records(ranked, [record], silent, "x", rank=True).values()
    assert len(answer.ranked) == len(answer.found) + 1
    (plain,) = analyze_records(ranked, [record], silent, "x").values()
    assert plain.ranked == plain.found


def test_outlines_against_masks_by_hand(runs: dict[str, BenchmarkRun]) -> None:
    metrics = runs["segmentation"].measures.metrics
    assert metrics["wbc_seg.images"] == 2
    # Boxes are found where disks are painted: the first mask is that box, the second its left half.
    assert metrics["wbc_seg.cell_dice"] == pytest.approx((1 + 2 / 3) / 2, abs=0.01)
    assert metrics["wbc_seg_tecom.missed"] == 0
    assert metrics["bccd.cell_dice"] is None
    assert runs["segmentation"].baselines["classical"]["wbc_seg.missed"] == 0


def test_a_cross_validation_must_be_whole(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="run `hemascope train segmenter RECIPE --fold` for every fold first"):
        benchmark_parts().fold_analyzers(tmp_path)
    one = tmp_path / "finder-fold-1" / "model"
    shutil.copytree(shipped_folder(FINDER), one)
    card = json.loads((one / "model.json").read_text())
    card["spec"]["fold"] = "1/3"
    (one / "model.json").write_text(json.dumps(card))
    with pytest.raises(RecipeError, match="for 2/3, 3/3 first"):
        benchmark_parts().fold_analyzers(tmp_path)
    for index in (2, 3):
        other = shutil.copytree(one, tmp_path / f"finder-fold-{index}" / "model")
        card["spec"]["fold"] = f"{index}/3"
        (other / "model.json").write_text(json.dumps(card))
    assert [str(fold) for fold in benchmark_parts().fold_analyzers(tmp_path)] == ["1/3", "2/3", "3/3"]
    card["training"]["recipe_sha256"] = "another"
    (one / "model.json").write_text(json.dumps(card))
    with pytest.raises(RecipeError, match="different recipes"):
        benchmark_parts().fold_analyzers(tmp_path)
