"""The benchmarks on painted sets whose figures can be worked out by hand."""

import json
from pathlib import Path

import pytest
from color_parts import parts, silent

from hemascope.app.bench import run_benchmark
from hemascope.app.bench_record import BenchmarkRun, write_document
from hemascope.app.bench_request import METHODS, BenchmarkRequest
from hemascope.core.errors import DataSetError, InputError, OutputError
from hemascope.core.taxonomy import CellKind

DOCUMENT_KEYS = [
    "benchmark", "data", "split", "n", "metrics", "intervals", "baselines", "calibration_gflops", "provenance",
]  # fmt: skip


def run(root: Path | None, name: str, **options: object) -> BenchmarkRun:
    return run_benchmark(BenchmarkRequest(name, root, **options), parts(), silent)  # type: ignore[arg-type]


@pytest.fixture
def detection(runs: dict[str, BenchmarkRun]) -> BenchmarkRun:
    return runs["detection"]


def test_detection_by_hand(detection: BenchmarkRun) -> None:
    metrics = detection.measures.metrics
    assert metrics["bccd.white_cell.labeled"] == metrics["bccd.white_cell.matched"] == 4
    assert metrics["bccd.white_cell.recall"] == metrics["bccd.white_cell.precision"] == 1.0
    assert metrics["bccd.white_cell.average_precision"] == 1.0
    assert metrics["bccd.red_cell.labeled"] == 2
    assert metrics["bccd.red_cell.count_absolute_error"] == 0.0
    assert detection.measures.intervals["bccd.white_cell.recall"] == pytest.approx((0.025 ** (1 / 4), 1.0), abs=1e-6)


def test_white_cells_of_bccd_are_counted_on_every_field_and_red_cells_where_txl_covers(detection: BenchmarkRun) -> None:
    metrics = detection.measures.metrics
    assert metrics["bccd.white_cell.fields"] == metrics["bccd_cbc_cleaned.white_cell.fields"] == 3
    assert (
        metrics["bccd.red_cell.fields"] == metrics["bccd.platelet.fields"] == metrics["bccd_txl.red_cell.fields"] == 1
    )
    assert "cbc_cleaned" in str(detection.data["bccd"]["version"])


def test_a_white_cell_that_a_version_does_not_label_is_false_there(detection: BenchmarkRun) -> None:
    metrics = detection.measures.metrics
    assert metrics["bccd_original.white_cell.false_positives"] == 1
    assert metrics["bccd_original.white_cell.precision"] == pytest.approx(3 / 4)


def test_what_a_set_does_not_label_is_null(detection: BenchmarkRun) -> None:
    metrics = detection.measures.metrics
    for key in ("aybu_fields.platelet", "chula_wbc_fields.red_cell", "chula_wbc_fields.platelet"):
        for metric in ("recall", "precision", "average_precision", "count_bias", "false_positives"):
            assert metrics[f"{key}.{metric}"] is None
    assert metrics["bccd_cbc_cleaned.red_cell.precision"] is None
    assert metrics["bccd_original.platelet.precision"] is None


def test_every_set_and_kind_has_every_key(detection: BenchmarkRun) -> None:
    names = {key.rsplit(".", 1)[1] for key in detection.measures.metrics}
    for data_set in ("bccd", "bccd_txl", "bccd_cbc_cleaned", "bccd_original", "txl_pbc_boxes", "aybu_fields"):
        for kind in CellKind:
            assert {f"{data_set}.{kind.value}.{name}" for name in names} <= detection.measures.metrics.keys()


def test_the_classical_method_stands_beside_the_network(detection: BenchmarkRun) -> None:
    classical = detection.baselines["classical"]
    assert classical.keys() == detection.measures.metrics.keys()
    assert classical["bccd.red_cell.recall"] == 0.5
    assert classical["bccd.red_cell.count_bias"] == -0.5
    assert classical["bccd_cbc_cleaned.platelet.recall"] == 0.0
    assert detection.measures.metrics["bccd_cbc_cleaned.platelet.recall"] == 1.0


def test_another_finder_can_be_measured_beside(root: Path) -> None:
    both = run(root, "detection", beside=("peer:some/where/model@0.2",))
    assert set(both.baselines) == {"classical", "peer:model@0.2"}
    assert both.baselines["peer:model@0.2"]["bccd.red_cell.recall"] == 1.0
    assert "--beside peer:model@0.2" in str(both.provenance["command"])


def test_no_path_of_this_machine_is_left_in_a_run(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "our_finder"
    folder.mkdir()
    document = run(root, "detection", segmenter=str(folder), limit=1).document()
    assert str(tmp_path) not in json.dumps(document)
    assert document["provenance"]["segmenter"] == "our_finder"  # type: ignore[index]


def test_asked_for_alone_the_classical_method_has_no_baseline(root: Path) -> None:
    alone = run(root, "detection", segmenter="classical")
    assert alone.baselines == {}
    assert alone.measures.metrics["bccd.red_cell.recall"] == 0.5


def test_an_image_that_cannot_be_read_counts_as_one_in_which_nothing_was_found(root: Path) -> None:
    (root / "aybu_fields" / "images" / "image-1.png").write_bytes(b"no image")
    broken = run(root, "detection")
    assert broken.measures.metrics["aybu_fields.white_cell.misses"] == 1
    assert broken.provenance["failed"] == {"aybu_fields": ["images/image-1.png"]}


def test_mistakes_are_pictured(root: Path, tmp_path: Path) -> None:
    boxes = root / "aybu_fields" / "boxes.csv"
    boxes.write_text(boxes.read_text().replace("WBC,10,10,30,30", "WBC,70,50,90,70"))
    pictures = tmp_path / "pictures"
    run(root, "detection", pictures=pictures)
    rows = (pictures / "mistakes.csv").read_text().splitlines()
    assert rows[0] == "family,what,field,x0,y0,x1,y1,score,picture"
    listed = [row.split(",") for row in rows[1:] if row.startswith("aybu_fields.white_cell")]
    assert [row[1] for row in listed] == ["false_positive", "miss"]
    assert {p.relative_to(pictures).as_posix() for p in pictures.rglob("*.png")} == {r.split(",")[-1] for r in rows[1:]}


def test_a_picture_shows_the_box_and_what_surrounds_it(root: Path, tmp_path: Path) -> None:
    from PIL import Image

    boxes = root / "aybu_fields" / "boxes.csv"
    boxes.write_text("path,label,xmin,ymin,xmax,ymax\n")
    run(root, "detection", pictures=tmp_path)
    (picture,) = (tmp_path / "aybu_fields.white_cell").iterdir()
    image = Image.open(picture)
    # The box 10..30 with 15 pixels around it is cut at the left and upper edge: 46 pixels become 256.
    assert image.size == (256, 256)
    assert image.getpixel((round(20 * 256 / 46), round(20 * 256 / 46))) == pytest.approx((90, 40, 150), abs=3)
    assert image.getpixel((round(10 * 256 / 46), round(20 * 256 / 46))) == (213, 94, 0)


def test_pictures_need_a_folder(root: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        run(root, "detection", pictures=blocked)


def test_classification_by_hand(runs: dict[str, BenchmarkRun]) -> None:
    done = runs["classification"]
    metrics = done.measures.metrics
    # Every brightness is that of its type; eosinophils are right but never decided.
    assert metrics["pbc_acevedo_128.labeled"] == 24
    assert metrics["pbc_acevedo_128.accuracy"] == metrics["pbc_acevedo_128.macro_f1"] == 1.0
    assert metrics["pbc_acevedo_128.unidentified"] == pytest.approx(1 / 8)
    assert metrics["pbc_acevedo_128.accuracy_decided"] == 1.0
    assert metrics["pbc_acevedo_128.brier"] == pytest.approx(0.07**2 + 7 * 0.01**2, abs=1e-6)
    assert metrics["pbc_acevedo_128.ece"] == pytest.approx(0.07)
    assert metrics["pbc_acevedo_128.immature_granulocyte.told_as_immature_granulocyte"] == 3
    assert done.baselines["most_frequent"]["pbc_acevedo_128.accuracy"] == pytest.approx(1 / 8)
    assert done.baselines["color_only"]["pbc_acevedo_128.accuracy"] == 1.0
    assert done.n == {"pbc_acevedo_128": 24, "bccd": 2, "chula_wbc_fields": 1}


def test_found_cells_are_typed_in_fields_of_one_cell_and_one_type(runs: dict[str, BenchmarkRun]) -> None:
    metrics = runs["classification"].measures.metrics
    # Crops of a violet cell on a bright ground are told as platelet, so the cells found stay unidentified.
    assert metrics["bccd.differential.labeled"] == 2
    assert metrics["bccd.differential.missed"] == 0
    assert metrics["bccd.differential.unidentified"] + metrics["bccd.differential.accuracy"] <= 1
    assert metrics["bccd.monocyte.labeled"] == metrics["bccd.neutrophil.labeled"] == 1
    assert metrics["bccd.eosinophil.recall"] is None
    assert metrics["bccd.monocyte.labeled_share"] == 0.5
    shares = [value for key, value in metrics.items() if key.startswith("bccd.") and key.endswith("found_share")]
    assert sum(shares) == pytest.approx(1.0)


def test_the_color_baseline_is_undefined_on_its_own_training_cells(kept_root: Path) -> None:
    from color_parts import BrightnessClassifier

    from hemascope.app import bench_classification

    cells = bench_classification.open_single_cells(kept_root, "train", None)
    assert set(bench_classification.color_only(cells, cells, silent).values()) == {None}
    assert len(bench_classification.type_crops(BrightnessClassifier(), cells, silent)) == 24


def test_a_limit_on_single_cells_keeps_every_type(kept_root: Path) -> None:
    from hemascope.app.bench_classification import open_single_cells

    assert len({cell.cell_type for cell in open_single_cells(kept_root, "test", 8)}) == 8


@pytest.mark.parametrize("generated", [False, True])
def test_speed_times_every_stage(runs: dict[str, BenchmarkRun], generated: bool) -> None:
    done = run(None, "speed", limit=2) if generated else runs["speed"]
    name = "synthetic" if generated else "bccd"
    metrics = done.measures.metrics
    assert done.n[name] == (2 if generated else 3)
    for stage in ("read", "find", "measure", "classify", "total"):
        assert metrics[f"{name}.{stage}.fields_per_second"] > 0
    assert metrics[f"{name}.total.fields_per_second"] <= metrics[f"{name}.find.fields_per_second"]
    low, high = done.measures.intervals[f"{name}.total.seconds_per_field"]
    assert low <= metrics[f"{name}.total.seconds_per_field"] <= high
    assert metrics[f"{name}.memory.growth_mib"] is None
    assert done.baselines["classical"].keys() == metrics.keys()


def test_a_whole_run_counts_what_it_wrote(runs: dict[str, BenchmarkRun]) -> None:
    metrics = runs["report"].measures.metrics
    assert runs["report"].n == {"bccd": 3, "all_sets": 6}
    for name, fields in (("bccd", 3), ("all_sets", 6)):
        assert metrics[f"{name}.report.fields"] == fields
        assert metrics[f"{name}.report.failed"] == 0
        assert 0.01 < metrics[f"{name}.report.html_mib"] < 1
        assert metrics[f"{name}.report.seconds_per_field"] > 0
        assert metrics[f"{name}.memory.growth_mib"] is None
    assert metrics["all_sets.report.cells"] > metrics["bccd.report.cells"] > 0


def test_a_whole_run_without_sets_paints_its_fields() -> None:
    done = run(None, "report", limit=2)
    assert done.n == {"synthetic": 2}
    assert done.measures.metrics["synthetic.report.fields"] == 2


@pytest.mark.parametrize("name", ["detection", "classification", "speed", "report"])
def test_the_document_has_the_documented_keys_and_is_strict_json(
    runs: dict[str, BenchmarkRun], kept_root: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "out" / "run.json"
    done = runs[name]
    write_document(done.document(), path)
    read = json.loads(path.read_text(), parse_constant=lambda text: pytest.fail(f"{text} is no JSON"))
    assert list(read) == DOCUMENT_KEYS
    assert read["split"] == "test"
    assert read["intervals"].keys() <= read["metrics"].keys()
    assert read["calibration_gflops"] > 0
    assert read["provenance"]["command"] == f"hemascope bench {name} --data DIR --split test --segmenter network"
    assert str(kept_root) not in path.read_text()
    for key, (low, high) in read["intervals"].items():
        assert low <= high, key
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "options", "error", "said"),
    [
        ("accuracy", {}, InputError, "choose one of detection, segmentation, classification, redcells, speed, report"),
        ("detection", {"segmenter": "best"}, InputError, "choose one of network, classical"),
        ("detection", {"limit": 0}, InputError, "limit of 0"),
        ("detection", {"split": "exam"}, DataSetError, "no record is in split 'exam'; choose one of test or all"),
    ],
)
def test_what_cannot_be_measured_is_refused(kept_root: Path, name: str, options: dict, error: type, said: str) -> None:
    with pytest.raises(error, match=said):
        run(kept_root, name, **options)


@pytest.mark.parametrize("name", ["detection", "classification"])
def test_real_sets_are_needed(name: str) -> None:
    with pytest.raises(DataSetError, match="set HEMASCOPE_DATA"):
        run(None, name)


def test_a_limit_keeps_the_same_images_in_every_version(root: Path) -> None:
    done = run(root, "detection", limit=1)
    assert done.n["bccd"] == 1
    fields = {
        done.measures.metrics[f"bccd_{version}.white_cell.fields"] for version in ("txl", "cbc_cleaned", "original")
    }
    assert fields == {1}


def test_the_methods_are_those_of_the_wiring() -> None:
    from hemascope.wiring import SEGMENTERS

    assert set(METHODS) <= SEGMENTERS.keys()
