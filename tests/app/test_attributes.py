"""Attributes from cells painted so that every answer can be seen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from painted_attributes import LEVELS, build, level_encoder, silent, write_sets

from hemascope.app.attribute_cells import QUESTIONS, EncodedCells, examples_of, of_split, open_answered_cells
from hemascope.app.attribute_tables import attribute_tables
from hemascope.app.attribute_training import fit_choice, open_attributes, train_attributes
from hemascope.app.bench_attributes import run
from hemascope.app.bench_request import BenchmarkParts, BenchmarkRequest
from hemascope.app.protocol_encoder import ProtocolEncoder
from hemascope.core.errors import DataSetError, WeightsError
from hemascope.core.taxonomy import CellType
from hemascope.data.pbc_full import ATTRIBUTES
from hemascope.recipes import AttributeTrainingRecipe
from hemascope.zoo.card import read_card


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sets(tmp_path_factory.mktemp("sets"))


def test_cells_without_an_answer_are_left_out(root: Path) -> None:
    _, reduced = (of_split(cells, "train") for cells in open_answered_cells(root))
    stage = next(question for question in QUESTIONS if question.name == "granulocyte_stage")
    examples = examples_of(stage, reduced, np.zeros((len(reduced.records), 1), np.float32))
    assert np.bincount(examples.labels).tolist() == [3, 3, 3]
    assert all(record.subtype != "OTHER" for record in reduced.records)


def test_heads_learn_what_the_embedding_shows(root: Path) -> None:
    fitted = fit_choice("level", EncodedCells(build, silent), open_answered_cells(root), (0.1, 10.0))
    answers = fitted.heads.answer(np.eye(LEVELS, dtype=np.float32), [CellType.BASOPHIL] * LEVELS)
    assert set(answers[0]) == set(ATTRIBUTES)
    for level, answer in enumerate(answers):
        for name, values in ATTRIBUTES.items():
            assert answer[name].value == values[level % len(values)]
            assert answer[name].probability > 0.9


def test_each_encoder_is_built_once_and_sees_each_cell_once(root: Path) -> None:
    built: list[str] = []

    def counted(name: str) -> ProtocolEncoder:
        built.append(name)
        return build(name)

    cells = EncodedCells(counted, silent)
    records = of_split(open_answered_cells(root)[0], "test").records
    both, alone = cells.values("blind+level", records), cells.values("level", records)
    assert built == ["blind", "level"]
    assert both.shape == (30, 1 + LEVELS)
    np.testing.assert_array_equal(both[:, 1:], alone)


def test_the_benchmark_scores_against_the_most_frequent_value(root: Path) -> None:
    parts = BenchmarkParts(None, None, None, None, None, None, build)  # type: ignore[arg-type]
    request = BenchmarkRequest("attributes", root, encoders=("level", "blind+level", "blind"))
    outcome = run(request, parts, silent)
    metrics, baseline = outcome.measures.metrics, outcome.baselines["most_frequent"]
    assert outcome.n == {"pbc_acevedo": 30, "pbc_acevedo_128": 5}
    for name in ATTRIBUTES:
        key = f"pbc_acevedo.level.{name}"
        assert metrics[f"{key}.accuracy"] == metrics[f"{key}.macro_f1"] == 1.0
        assert metrics[f"{key}.labeled"] == 30
        assert baseline[f"{key}.accuracy"] < 1
    assert metrics["pbc_acevedo_128.level.granulocyte_stage.myelocyte.told_as_myelocyte"] == 1
    assert metrics["pbc_acevedo.blind+level.nucleus_shape.accuracy"] == 1.0
    assert baseline["pbc_acevedo.level.cell_size.accuracy"] == 0.5
    # Always "small" of two even values: F1 is 2/3 for one and 0 for the other.
    assert baseline["pbc_acevedo.level.cell_size.macro_f1"] == pytest.approx(1 / 3, abs=1e-6)
    assert metrics["pbc_acevedo.blind.nucleus_shape.accuracy"] < 0.6
    document = {"metrics": metrics, "intervals": outcome.measures.intervals, "baselines": outcome.baselines}
    first, *told = attribute_tables(document)
    assert len(first.rows) == 3 * len(QUESTIONS)
    assert all(len(row) == len(first.columns) for row in first.rows)
    assert told[0].rows[0][0] == "band"


def test_training_packs_the_best_choice_and_reads_it_again(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the extra 'train'")
    recipe = AttributeTrainingRecipe(name="a", version="1", choices=("blind", "level"), penalties=(0.1, 10.0))
    folder = train_attributes(recipe, build, root, tmp_path / "model", "hemascope train attributes a.toml", silent)
    card = read_card(folder)
    assert card.spec["encoder_choice"] == "level"
    assert card.validation["level.loss"] < card.validation["blind.loss"]
    assert str(tmp_path) not in (folder / "model.json").read_text()
    assert "granulocyte_stage" in (folder / "README.md").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
    heads = open_attributes(folder, [level_encoder("level")])
    answer = heads.answer(np.eye(LEVELS, dtype=np.float32)[1:2], [CellType.NEUTROPHIL])[0]
    assert answer["cell_size"].value == "big"
    assert answer["neutrophil_form"].value == "segmented"
    with pytest.raises(WeightsError, match="of other weights"):
        open_attributes(folder, [level_encoder("level", "3" * 64)])
    values = json.loads((folder / "model.json").read_text()) | {"task": "embed"}
    (folder / "model.json").write_text(json.dumps(values))
    with pytest.raises(WeightsError, match="a model to embed"):
        open_attributes(folder, [level_encoder("level")])


def test_a_missing_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="put the set 'pbc_acevedo' there"):
        open_answered_cells(tmp_path)
