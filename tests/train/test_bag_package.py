"""Members to a model folder and back: the graph equals the members, and what it answers keeps the contract."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from hemascope.app.bag_clock import time_ensemble  # noqa: E402
from hemascope.bags.model_spec import (  # noqa: E402
    BagModelSpec,
    CellsSeen,
    NumberScale,
    TaskSpec,
    TaxonomyFacts,
    attended_columns,
)
from hemascope.core.bag import Bag  # noqa: E402
from hemascope.core.bag_task import TaskKind  # noqa: E402
from hemascope.core.errors import RecipeError, WeightsError  # noqa: E402
from hemascope.evaluate.bag_conformance import ALWAYS, BagRule, check_bag_model  # noqa: E402
from hemascope.nets.bags.build import BagNet, build_bag_net  # noqa: E402
from hemascope.nets.bags.ensemble import BagEnsembleNet  # noqa: E402
from hemascope.recipes.bags import AggregatorName, AggregatorRecipe, BagTrainingRecipe, TaskRecipe  # noqa: E402
from hemascope.settings import Settings  # noqa: E402
from hemascope.train.bags.package import ship_bag_model  # noqa: E402
from hemascope.train.onnx_export import round_weights  # noqa: E402
from hemascope.wiring.patients import build_bag_model  # noqa: E402
from hemascope.zoo.card import CARD_FILE, GRAPH_FILE, ModelCard, read_card  # noqa: E402
from hemascope.zoo.onnx_graph import OnnxGraph  # noqa: E402

DIMENSION = 24
TASKS = (
    TaskRecipe(name="disease", kind=TaskKind.CLASSES, outputs=("leukemia", "lymphoma", "healthy")),
    TaskRecipe(name="hemoglobin", kind=TaskKind.NUMBER, unit="g/dL"),
)
ONE_THREAD = Settings(threads=1)
WITH_TOKEN = frozenset({"transformer", "transmil"})
"""Their answer changes when every cell is there twice: a token attends to itself too."""


def recipe_of(kind: AggregatorName) -> BagTrainingRecipe:
    plan = AggregatorRecipe(kind=kind, width=32, attention_width=16, heads=2, head_width=8)
    return BagTrainingRecipe(name=f"tiny-{kind}", version="1", tasks=TASKS, aggregator=plan)


def members_of(kind: AggregatorName, count: int = 2) -> list[BagNet]:
    torch.manual_seed(1)
    return [build_bag_net(recipe_of(kind).aggregator, DIMENSION, 4) for _ in range(count)]


def spec_of(members: list[BagNet]) -> BagModelSpec:
    tasks = tuple(task.task() for task in TASKS)
    scales = tuple(NumberScale(mean=12, spread=2) for _ in members)
    return BagModelSpec(
        aggregator="tiny",
        members=len(members),
        encoder="a" * 64,
        encoder_name="tiny",
        dimension=DIMENSION,
        attended=attended_columns(members[0].columns, tasks),
        tasks=(
            TaskSpec(name="disease", kind=TaskKind.CLASSES, outputs=tasks[0].outputs, temperature=1.5),
            TaskSpec(name="hemoglobin", kind=TaskKind.NUMBER, outputs=("hemoglobin",), unit="g/dL", scales=scales),
        ),
        cells=CellsSeen(patients=40, least=1, first_percentile=1, median=200, greatest=500),
        taxonomy=TaxonomyFacts(
            name="t", version="1", sha256="0" * 64, task="disease", malignant=("leukemia", "lymphoma"), threshold=0.3
        ),
    )


def ship(kind: AggregatorName, folder: Path) -> tuple[list[BagNet], ModelCard]:
    members = members_of(kind, 1 if kind == "transmil" else 2)
    card = ship_bag_model(
        members,
        recipe_of(kind),
        spec_of(members),
        data={"cohort": {"sha256": "1" * 64, "patients": "40"}},
        figures={"auc": 0.75},
        command="hemascope train bags tiny.toml",
        folder=folder,
    )
    return members, card


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[BagNet]]:
    folder = tmp_path_factory.mktemp("shipped") / "model"
    return folder, ship("gated_attention", folder)[0]


def assert_equal(folder: Path, members: list[BagNet]) -> None:
    """The graph gives what the members give, for bags of sizes that it was not made with."""
    graph = OnnxGraph(folder, read_card(folder), threads=1)
    net = round_weights(copy.deepcopy(BagEnsembleNet(members)).eval())
    for count in (1, 2, 9, 500):
        cells = torch.randn(count, DIMENSION, generator=torch.Generator().manual_seed(count))
        with torch.no_grad():
            wanted = net(cells)
        for mine, theirs in zip(graph.run(cells.numpy()), wanted, strict=True):
            assert mine == pytest.approx(theirs.numpy(), abs=1e-4)
    same = graph.run(np.ones((4, DIMENSION), np.float32))  # nothing tells these cells apart
    assert all(np.isfinite(part).all() for part in same)


def test_the_graph_equals_the_members(shipped: tuple[Path, list[BagNet]]) -> None:
    assert_equal(*shipped)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["transformer", "class_attention", "mean", "max", "clam", "transmil", "evidence", "cell_states"]
)
def test_every_aggregator_becomes_a_graph_that_keeps_the_contract(kind: AggregatorName, tmp_path: Path) -> None:
    members, card = ship(kind, tmp_path / "model")
    assert_equal(tmp_path / "model", members)
    assert card.validation["graph_difference"] < 1e-4
    rules = ALWAYS - {BagRule.ORDER} if kind == "transmil" else ALWAYS
    rules |= set() if kind in WITH_TOKEN else {BagRule.DUPLICATES}
    assert check_bag_model(build_bag_model(tmp_path / "model", settings=ONE_THREAD), DIMENSION, rules) == ()


def test_what_was_shipped_keeps_the_contract(shipped: tuple[Path, list[BagNet]]) -> None:
    model = build_bag_model(shipped[0], settings=ONE_THREAD)
    assert check_bag_model(model, DIMENSION, frozenset(BagRule)) == ()
    assert [task.name for task in model.tasks] == ["disease", "hemoglobin"]
    assert model.identity.name == "tiny-gated_attention"
    assert model.identity.sha256 == read_card(shipped[0]).files[GRAPH_FILE]


def test_card_and_readme_say_what_it_is(shipped: tuple[Path, list[BagNet]]) -> None:
    folder, members = shipped
    card, text = read_card(folder), (folder / "README.md").read_text(encoding="utf-8")
    assert card.task == "patient"
    assert BagModelSpec.read(card.spec, "here") == spec_of(members)
    assert card.training.data == {"cohort": {"sha256": "1" * 64, "patients": "40"}}
    assert card.validation["auc"] == 0.75
    for said in ("Research use only.", "leukemia, lymphoma, healthy", "hemoglobin in g/dL", "from 0.3 on", "a" * 64):
        assert said in text


def test_members_stay_as_they_are(shipped: tuple[Path, list[BagNet]]) -> None:
    for one, other in zip(members_of("gated_attention"), shipped[1], strict=True):
        assert other.training
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name])


def test_a_specification_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    members = members_of("class_attention")
    with pytest.raises(ValueError, match="columns of attention"):
        ship_bag_model(
            members,
            recipe_of("class_attention"),
            spec_of(members_of("mean")),
            data={},
            figures={},
            command="",
            folder=tmp_path / "model",
        )
    assert not (tmp_path / "model").exists()


def test_other_models_and_backends_are_refused(shipped: tuple[Path, list[BagNet]], tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no backend 'torch'"):
        build_bag_model(shipped[0], "torch")
    values = json.loads((shipped[0] / CARD_FILE).read_text(encoding="utf-8"))
    (tmp_path / CARD_FILE).write_text(json.dumps(values | {"task": "find"}), encoding="utf-8")
    with pytest.raises(WeightsError, match="a model to find, none of patients"):
        build_bag_model(tmp_path)
    (tmp_path / CARD_FILE).write_text(json.dumps(values | {"spec": {}}), encoding="utf-8")
    with pytest.raises(WeightsError, match="no specification"):
        build_bag_model(tmp_path)


def test_openvino_answers_alike_and_for_whole_bags(shipped: tuple[Path, list[BagNet]]) -> None:
    pytest.importorskip("openvino", reason="needs the extra 'openvino'")
    one, other = (build_bag_model(shipped[0], name, settings=ONE_THREAD) for name in ("onnxruntime", "openvino"))
    assert check_bag_model(other, DIMENSION, frozenset(BagRule)) == ()
    values = np.random.default_rng(0).standard_normal((50, DIMENSION)).astype(np.float32)
    bag = Bag("p", tuple(map(str, range(50))), values, one.encoder)
    mine, theirs = one.predict(bag), other.predict(bag)
    assert mine.probabilities["disease"] == pytest.approx(theirs.probabilities["disease"], abs=1e-4)
    assert mine.attention == pytest.approx(theirs.attention, abs=1e-5)


def test_the_clock_tells_milliseconds(shipped: tuple[Path, list[BagNet]]) -> None:
    assert time_ensemble(build_bag_model(shipped[0], settings=ONE_THREAD), DIMENSION, cells=20, repeats=3) > 0
