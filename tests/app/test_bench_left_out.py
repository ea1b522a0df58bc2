"""The protocol of a type left out, from end to end on a small made set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hemascope.app import bench_generative_left_out
from hemascope.app.bench_generative_left_out import LeftOut, measure
from hemascope.app.bench_record import Measures
from hemascope.app.bench_request import BenchmarkParts
from hemascope.app.generative_task import Embedding, GenerativeTask
from hemascope.app.left_out_rows import generative_rows, logit_scores
from hemascope.app.protocol_encoder import CropAnswers, ProtocolEncoder
from hemascope.classify.examples import LabeledEmbeddings
from hemascope.classify.novelty import EVIDENCE
from hemascope.core.cell import CellCrop
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.zoo.contamination import Seen

NEW = CellType.ERYTHROBLAST
COLORS = np.array([[x, y, z] for x in (60, 200) for y in (60, 200) for z in (60, 200)], np.float64)
"""One a type, at the corners of a cube."""


def quiet(_title: str, _done: int, _total: int) -> None:
    """Show nothing."""


def write_pbc(root: Path) -> None:
    """Write a set in the layout of PBC whose types are colors."""
    rng = np.random.default_rng(0)
    lines = ["path,label,patient_id,split,subtype,acq,group"]
    folder = root / "pbc_acevedo_128" / "images"
    folder.mkdir(parents=True)
    for place, cell_type in enumerate(CellType):
        label = "ig" if cell_type is CellType.IMMATURE_GRANULOCYTE else cell_type.value
        for number in range(60):
            pixels = np.broadcast_to(COLORS[place] + rng.normal(0, 12, 3), (8, 8, 3))
            name = f"images/{label}_{number}.png"
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder.parent / name)
            lines.append(f"{name},{label},,{('train', 'train', 'val', 'test')[number % 4]},,A,{name}")
    (folder.parent / "labels.csv").write_text("\n".join(lines) + "\n")


def encoder(name: str, seen: Seen = Seen.NO, *, logits: bool = False) -> ProtocolEncoder:
    """Return an encoder of the color of a crop; its logits are highest for the type of that color."""

    def answer(crops: Sequence[CellCrop]) -> CropAnswers:
        colors = np.stack([crop.pixels[4, 4] for crop in crops]).astype(np.float32)
        squared = ((colors[:, None] - COLORS[None]) ** 2).sum(axis=2)
        return CropAnswers(
            (colors / 50).astype(np.float32), np.asarray(-squared / 1000, np.float32) if logits else None
        )

    identity = ModelIdentity(name, "1", "", "numpy", "Apache-2.0")
    return ProtocolEncoder(name, identity, 8, 12.0, answer, lambda _: seen, lambda _: seen, lambda _: seen)


def task_of(root: Path, *encoders: ProtocolEncoder) -> GenerativeTask:
    def absent(*_: object) -> Any:
        raise AssertionError("this protocol needs encoders alone")

    parts = BenchmarkParts(absent, absent, absent, absent, absent, absent)
    return GenerativeTask(root, parts, quiet, encoders)


@pytest.mark.slow
def test_a_color_never_taught_is_told_and_who_saw_it_takes_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_generative_left_out, "LEFT_OUT", (NEW,))
    write_pbc(tmp_path)
    others = (encoder("net", logits=True), encoder("old", Seen.YES), encoder("rumored", Seen.UNKNOWN))
    task = task_of(tmp_path, encoder("descriptors"), *others)
    measures = Measures()
    notes = measure(task, measures)
    found = notes[NEW.value]
    assert isinstance(found, dict)
    assert found["encoders"] == ["descriptors", "net"]
    assert list(found["weights"]) == list(EVIDENCE)
    start = f"pbc_acevedo_128.left_out.{NEW.value}"
    rows = {key.rsplit(".", 1)[0].removeprefix(f"{start}.") for key in measures.metrics}
    assert {row.split(".")[0] for row in rows} == {"descriptors", "net", "net+descriptors"}
    both = {"zeta", "explained_error", "distance", "relative_density", "joined"}
    both |= {f"probe_{row}" for row in ("max_softmax", "margin", "energy")}
    assert {row.split(".")[1] for row in rows if row.startswith("descriptors.")} == both
    own = {f"network_{row}" for row in ("max_softmax", "margin", "energy")}
    assert {row.split(".")[1] for row in rows if row.startswith("net.")} == both | own
    for row in ("distance", "explained_error", "joined"):
        assert measures.metrics[f"{start}.net+descriptors.{row}.auroc"] == pytest.approx(1, abs=0.01)
        assert measures.metrics[f"{start}.net+descriptors.{row}.sensitivity"] == pytest.approx(1, abs=0.1)
    assert all(low <= high for low, high in measures.intervals.values())


def test_nothing_of_the_type_is_learned_from_or_sets_the_threshold(tmp_path: Path) -> None:
    write_pbc(tmp_path)
    left_out = LeftOut(task_of(tmp_path, encoder("descriptors"), encoder("net", logits=True)), NEW)
    net = left_out.task.encoders[1]
    train = left_out.known(Embedding((net,)), "train")
    assert (len(train.labels), len(np.unique(train.labels))) == (7 * 30, 7)
    center = train.values - np.asarray(COLORS[left_out.number] / 50, np.float32)
    assert float(np.linalg.norm(center, axis=1).min()) > 1
    cells = left_out.cells()
    assert (cells.new.sum(), len(cells.new), len(cells.known_groups)) == (15, 8 * 15, 7 * 15)
    assert not any(NEW.value in group for group in cells.known_groups)
    known, asked = left_out.own_logits(net, "val"), left_out.own_logits(net, "test")
    assert known is not None
    assert asked is not None
    assert (known.shape, asked.shape) == ((7 * 15, 7), (8 * 15, 7))
    assert left_out.own_logits(left_out.task.encoders[0], "val") is None


def test_rows_of_logits_rise_with_doubt() -> None:
    sure, torn = logit_scores(np.array([[9.0, 0, 0], [5.0, 5, 0]])).values(), ("max_softmax", "margin", "energy")
    assert all(row[0] < row[1] for row in sure)
    found = logit_scores(np.array([[5.0, 5, -99]]))
    assert list(found) == list(torn)
    assert found["max_softmax"][0] == pytest.approx(np.log(2))
    assert found["margin"][0] == 0
    assert found["energy"][0] == pytest.approx(-5 - np.log(2))


def test_generative_rows_have_known_answers_on_two_gaussians() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 2000)
    values = (np.array([[-5.0, 0], [5, 0]])[labels] + rng.normal(size=(4000, 2))).astype(np.float32)
    rows = generative_rows(LabeledEmbeddings(values, labels, np.array([""] * 4000)), 2)
    at_center, between, far = (np.array([point], np.float32) for point in ([-5, 0], [0, 0], [-5, 6]))
    told = {row: [float(score(point)[0]) for point in (at_center, between, far)] for row, score in rows.items()}
    assert told["distance"][0] == pytest.approx(0, abs=0.05)
    assert told["distance"][1] > 9
    assert told["zeta"][1] > told["zeta"][0]
    for row in ("explained_error", "distance"):
        assert told[row][0] < told[row][1]
        assert told[row][0] < told[row][2]
    # Near a center, all known cells together explain a cell worse than its class does; between them the other way.
    assert told["relative_density"][0] < 0 < told["relative_density"][1]
