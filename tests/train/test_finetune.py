"""Fine-tuning on outlines: what is taught, what is left alone, and that it helps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from hemascope import wiring
from hemascope.app.training import train_finder
from hemascope.cli.main import app
from hemascope.core.cell import Nucleus
from hemascope.core.errors import HemascopeError, WeightsError
from hemascope.core.outline import ImportedOutline, OutlinedField
from hemascope.core.taxonomy import CellKind
from hemascope.nets.star_net import StarNet
from hemascope.recipes import FieldSource, FineTuneRecipe, SegmenterTrainingRecipe, load_recipe
from hemascope.synth.smear import SyntheticField, paint_field
from hemascope.train.field_batches import draw_batch
from hemascope.train.finetune import fine_tune, has_improved, replayed_fields, taught_kinds, training_field
from hemascope.train.loop import SCORE
from hemascope.train.optimize import RunLog
from hemascope.zoo.card import read_card
from hemascope.zoo.shipped import FINDER, shipped_folder

RECIPES = Path(__file__).parents[2] / "recipes"
WIDTHS = (8, 8, 8, 8, 8)
WHITE, RED, PLATELET = 0, 1, 2


def ignore(step: int, steps: int, loss: float) -> None:
    """Show no progress."""


def smear(seed: int) -> SyntheticField:
    return paint_field(seed, width=260, height=200, mpp=0.2)


def outlined(painted: SyntheticField, *kinds: CellKind) -> OutlinedField:
    chosen = [c for c in painted.cells if c.visible > 0.2 and (not kinds or c.kind in kinds)]
    outlines = (ImportedOutline(c.outline, c.kind, Nucleus(c.nuclei) if c.nuclei else None) for c in chosen)
    return OutlinedField(painted.field, tuple(outlines))


def recipe(steps: int, **values: object) -> FineTuneRecipe:
    small = {"crop_px": 64, "batch": 2, "steps": steps, "synthetic_fields": 0, "validation_views": 4, "ema": 0.5}
    return FineTuneRecipe.model_validate({**small, **values})


def net() -> StarNet:
    torch.manual_seed(0)
    return StarNet(3, 16, WIDTHS)


def test_the_shipped_recipe_is_the_default() -> None:
    assert load_recipe(RECIPES / "finetune.toml", FineTuneRecipe) == FineTuneRecipe()
    assert load_recipe(RECIPES / "finetune_wbc_seg.toml", FineTuneRecipe).steps > FineTuneRecipe().steps


def test_everything_outlined_is_taught_where_it_lies() -> None:
    painted = smear(1)
    known = outlined(painted)
    field = training_field(known, 0.2, taught_kinds([known]), complete=True)
    assert field.image.shape == painted.field.pixels.shape
    assert [shape.kind for shape in field.shapes] == [list(CellKind).index(o.kind) for o in known.outlines]
    assert not field.unknown.any()
    assert field.tissue.known.all()
    whole = np.isin(painted.instances, [i for i, c in enumerate(painted.cells, 1) if c.kind is CellKind.WHITE_CELL])
    assert (field.tissue.values[1].astype(bool) ^ whole).mean() < 0.02
    assert (field.tissue.values[0].astype(bool) ^ painted.nucleus).mean() < 0.01


def test_outlines_are_scaled_to_the_finder() -> None:
    painted = paint_field(2, width=300, height=220, mpp=0.1)
    known = outlined(painted)
    field = training_field(known, 0.2, taught_kinds([known]), complete=True)
    assert field.image.shape[:2] == (110, 150)
    first, shape = known.outlines[0].outline, field.shapes[0]
    np.testing.assert_allclose(shape.points, first.points / 2, atol=1e-4)


def test_kinds_that_nobody_outlined_are_neither_taught_nor_punished() -> None:
    known = outlined(smear(1), CellKind.WHITE_CELL)
    field = training_field(known, 0.2, taught_kinds([known]), complete=True)
    assert field.unknown[RED].all()
    assert field.unknown[PLATELET].all()
    assert not field.unknown[WHITE].any()
    red = outlined(smear(1), CellKind.RED_CELL)
    assert not training_field(red, 0.2, taught_kinds([red]), complete=True).tissue.known.any()


def test_incomplete_labels_leave_open_what_is_stained_and_not_outlined() -> None:
    painted = smear(1)
    whole = outlined(painted)
    red = [o for o in whole.outlines if o.kind is CellKind.RED_CELL]
    half = replace(whole, outlines=tuple(o for o in whole.outlines if o not in red[1:]))
    field = training_field(half, 0.2, taught_kinds([half]), complete=False)
    for i, left_out in enumerate(red):
        x, y = (int(v) for v in left_out.outline.centroid)
        top = painted.cells[painted.instances[y, x] - 1]
        if top.outline == left_out.outline and painted.instances[y, x]:
            assert field.unknown[RED, y, x] == (i > 0)
    _, [target] = draw_batch([[field]], [1.0], batch=1, size=192, rays=16, seed=0, step=0)
    assert (target.heat_weight[RED] == 0).any()


def test_a_nucleus_that_is_not_outlined_is_unknown_inside_its_cell_only() -> None:
    known = outlined(smear(1), CellKind.WHITE_CELL)
    bare = replace(known, outlines=tuple(replace(o, nucleus=None) for o in known.outlines))
    field = training_field(bare, 0.2, taught_kinds([bare]), complete=True)
    inside = field.tissue.values[1].astype(bool)
    assert inside.any()
    assert not field.tissue.known[0][inside].any()
    assert field.tissue.known[0][~inside].all()
    assert field.tissue.known[1].all()


def test_generated_fields_keep_the_rest_in_mind() -> None:
    card = read_card(shipped_folder(FINDER))
    assert replayed_fields(recipe(1), card) == []
    painted = replayed_fields(recipe(1, synthetic_fields=2), card)
    assert len(painted) == 2
    assert {shape.kind for field in painted for shape in field.shapes} >= {RED}


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    def kill_at_two(step: int, steps: int, loss: float) -> None:
        if step == 2:
            raise KilledError

    known = [outlined(smear(seed)) for seed in (1, 2)]
    train, val = ([training_field(k, 0.2, taught_kinds(known), complete=True)] for k in known)
    plan = recipe(3, checkpoint_every=1, validate_every=3)
    whole = fine_tune(plan, net(), train, val, [], tmp_path / "whole", ignore)
    with pytest.raises(KilledError):
        fine_tune(plan, net(), train, val, [], tmp_path / "resumed", kill_at_two)
    resumed = fine_tune(plan, net(), train, val, [], tmp_path / "resumed", ignore)
    for name, value in whole.state_dict().items():
        assert torch.allclose(value.float(), resumed.state_dict()[name].float(), atol=1e-5), name
    assert [row["step"] for row in RunLog(tmp_path / "resumed").rows() if "validation" in row] == [0, 3]


@pytest.mark.parametrize(("scores", "better"), [([3, 2, 4], True), ([3, 3, 4], False), ([], False)])
def test_a_run_that_only_got_worse_is_known(tmp_path: Path, scores: list[float], better: bool) -> None:
    log = RunLog(tmp_path)
    for step, score in enumerate(scores):
        log.write(step, validation={SCORE: score})
        log.write(step, loss=0.1)
    assert has_improved(tmp_path) is better


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finder that has learned a little from generated smears."""
    folder = tmp_path_factory.mktemp("start")
    plan = SegmenterTrainingRecipe(
        name="small",
        version="0",
        sources=(FieldSource(data_set="synthetic"),),
        widths=WIDTHS,
        rays=16,
        crop_px=96,
        synthetic_fields=8,
        steps=80,
        batch=6,
        learning_rate=6e-3,
        ema=0.9,
    )
    return train_finder(plan, folder, folder / "run", folder / "model", "hemascope train segmenter small.toml", ignore)


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images in colors that no stain of the generator has, and QuPath files of their cells."""
    folder = tmp_path_factory.mktemp("laboratory")
    for part in ("images", "made"):
        (folder / part).mkdir()
    for seed in range(6):
        painted = smear(seed)
        odd = np.ascontiguousarray(255 - (255 - painted.field.pixels[..., [1, 2, 0]]) // 2)
        Image.fromarray(odd).save(folder / "images" / f"{seed}.png")
        features = []
        for found in outlined(painted).outlines:
            rings = [[*p.points.tolist(), p.points[0].tolist()] for p in (found.outline, *_lobes(found))]
            record: dict[str, Any] = {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": rings[:1]},
                "properties": {"objectType": "cell", "classification": {"name": found.kind.value}},
            }
            if found.nucleus:
                record["nucleusGeometry"] = {"type": "MultiPolygon", "coordinates": [[r] for r in rings[1:]]}
            features.append(record)
        (folder / "made" / f"{seed}.geojson").write_text(json.dumps(features))
    return folder


def _lobes(found: ImportedOutline) -> tuple[Any, ...]:
    return found.nucleus.parts if found.nucleus else ()


def run(*words: Any) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.slow
def test_fine_tuning_helps_on_images_it_did_not_learn_from(start: Path, laboratory: Path, tmp_path: Path) -> None:
    plan = tmp_path / "small.toml"
    plan.write_text(
        'kind = "finetune"\ncrop_px = 96\nbatch = 6\nlearning_rate = 4e-3\nema = 0.9\nsynthetic_fields = 4\n'
        "validate_every = 10\nval_share = 0.34\n"
    )
    words = ["train", "finetune", laboratory / "images", laboratory / "made", "--mpp", 0.2, "--from", start]
    done = run(
        *words, "--recipe", plan, "--steps", 60, "--run", tmp_path / "run", "--out", tmp_path / "model", "--quiet"
    )
    assert done.exit_code == 0, (done.output, done.exception)
    scores = [row["validation"][SCORE] for row in RunLog(tmp_path / "run").rows() if "validation" in row]
    assert min(scores) < 0.8 * scores[0]  # of the finder it started from
    rows = {(r["kind"], r["name"]): r for r in json.loads((tmp_path / "run" / "before_after.json").read_text())}
    assert set(rows) >= {("red_cell", "recall"), ("red_cell", "precision"), ("white_cell", "Dice of nuclei")}
    assert rows["red_cell", "recall"]["gain"]["low"] > 0
    assert rows["red_cell", "precision"]["gain"]["low"] > 0
    table = (tmp_path / "run" / "before_after.md").read_text()
    assert table.strip() in (tmp_path / "model" / "README.md").read_text()
    card = read_card(tmp_path / "model")
    assert card.spec["from"]["sha256"] == read_card(start).files["model.safetensors"]
    assert card.training.data["train images"]["images"] == "3"
    again = run(*words, "--recipe", plan, "--steps", 60, "--run", tmp_path / "run", "--incomplete", "--quiet")
    assert "other images or outlines" in str(again.exception)
    report = run(
        "analyze",
        laboratory / "images",
        "--segmenter",
        tmp_path / "model",
        "--out",
        tmp_path / "out",
        "--mpp",
        0.2,
        "--json",
    )
    assert report.exit_code == 0, (report.output, report.exception)
    model = json.loads(report.stdout)["provenance"]["models"][0]
    assert (model["name"], model["sha256"]) == ("finder_finetuned", card.files["model.onnx"])
    (tmp_path / "model" / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=r"model\.onnx"):
        wiring.build_segmenter(f"network:{tmp_path / 'model'}")


@pytest.mark.slow
def test_a_finder_can_be_moved_to_a_finer_scale(start: Path, laboratory: Path, tmp_path: Path) -> None:
    plan = tmp_path / "finer.toml"
    plan.write_text('kind = "finetune"\ncrop_px = 64\nbatch = 2\nsynthetic_fields = 0\nmpp = 0.1\nval_share = 0.34\n')
    words = ["train", "finetune", laboratory / "images", laboratory / "made", "--mpp", 0.2, "--from", start]
    done = run(
        *words, "--recipe", plan, "--steps", 2, "--run", tmp_path / "run", "--out", tmp_path / "model", "--quiet"
    )
    assert done.exit_code == 0, (done.output, done.exception)
    assert read_card(tmp_path / "model").spec["mpp"] == 0.1
    assert read_card(start).spec["mpp"] == 0.2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from", "NOTHING"], "NOTHING"),
        (["--val", "1.5"], "val_share"),
        (["--class", "x"], "NAME=KIND"),
        (["--split", "none.csv"], "none.csv"),
    ],
)
def test_wrong_commands_are_refused(laboratory: Path, tmp_path: Path, words: list[str], said: str) -> None:
    done = run(
        "train", "finetune", laboratory / "images", laboratory / "made", "--mpp", 0.2, "--run", tmp_path / "run", *words
    )
    assert isinstance(done.exception, HemascopeError)
    assert said in str(done.exception)
    assert not (tmp_path / "run").exists()
