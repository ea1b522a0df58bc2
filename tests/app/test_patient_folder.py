"""A model of patients from its folder through `hemascope analyze`: its encoder found, shared, or refused."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from typer.testing import CliRunner, Result  # noqa: E402

from hemascope import wiring  # noqa: E402
from hemascope.bags.model_spec import (  # noqa: E402
    BagModelSpec,
    CellsSeen,
    NumberScale,
    TaskSpec,
    TaxonomyFacts,
    attended_columns,
)
from hemascope.bags.taxonomy import load_taxonomy  # noqa: E402
from hemascope.cli.main import app  # noqa: E402
from hemascope.core.bag_task import TaskKind  # noqa: E402
from hemascope.core.embedding import encoder_digest  # noqa: E402
from hemascope.core.errors import CohortError, RecipeError, WeightsError  # noqa: E402
from hemascope.core.report import FieldResult  # noqa: E402
from hemascope.core.taxonomy import CellKind  # noqa: E402
from hemascope.nets.bags.build import build_bag_net  # noqa: E402
from hemascope.recipes import AnalysisRecipe  # noqa: E402
from hemascope.recipes.bags import AggregatorName, AggregatorRecipe, BagTrainingRecipe, TaskRecipe  # noqa: E402
from hemascope.settings import Settings, read_settings  # noqa: E402
from hemascope.sources.discover import discover  # noqa: E402
from hemascope.synth.write import write_smear  # noqa: E402
from hemascope.train.bags.package import ship_bag_model  # noqa: E402
from hemascope.wiring.patient_encoders import find_encoder, known_encoders  # noqa: E402
from hemascope.zoo.card import CARD_FILE  # noqa: E402
from hemascope.zoo.installed import folder_of  # noqa: E402
from hemascope.zoo.onnx_graph import OnnxGraph  # noqa: E402
from hemascope.zoo.registry import encoder_entry  # noqa: E402

LETTER = load_taxonomy("leukemia_letter")
TASKS = (
    TaskRecipe(name="disease", kind=TaskKind.CLASSES, outputs=LETTER.coarse),
    TaskRecipe(name="hemoglobin", kind=TaskKind.NUMBER, unit="g/dL"),
)


@pytest.fixture(scope="module")
def smear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_smear(tmp_path_factory.mktemp("smear") / "painted", 2, seed=11) / "images"


def ship(encoder: str, kind: AggregatorName, folder: Path) -> Path:
    """Write an untrained model for an encoder."""
    embeds = wiring.build_encoder(encoder)
    torch.manual_seed(3)
    plan = AggregatorRecipe(kind=kind, width=16, attention_width=8, heads=2, head_width=8)
    recipe = BagTrainingRecipe(name=f"tiny-{kind}", version="1", tasks=TASKS, aggregator=plan)
    members = [build_bag_net(plan, embeds.spec.dimension, len(LETTER.coarse) + 1) for _ in range(2)]
    scales = (NumberScale(mean=12, spread=2), NumberScale(mean=11, spread=2))
    spec = BagModelSpec(
        aggregator=kind,
        members=2,
        encoder=encoder_digest(embeds.identity, embeds.spec),
        encoder_name=encoder,
        dimension=embeds.spec.dimension,
        attended=attended_columns(members[0].columns, tuple(task.task() for task in TASKS)),
        tasks=(
            TaskSpec(name="disease", kind=TaskKind.CLASSES, outputs=LETTER.coarse),
            TaskSpec(name="hemoglobin", kind=TaskKind.NUMBER, outputs=("hemoglobin",), unit="g/dL", scales=scales),
        ),
        cells=CellsSeen(patients=40, least=1, first_percentile=1, median=500, greatest=900),
        taxonomy=TaxonomyFacts(
            name=LETTER.name, version=LETTER.version, sha256=LETTER.sha256, task="disease",
            malignant=LETTER.malignant, threshold=0.5, titles=LETTER.titles,
        ),
    )  # fmt: skip
    ship_bag_model(members, recipe, spec, data={}, figures={}, command="hemascope train bags", folder=folder)
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ship("hemascope_s", "gated_attention", tmp_path_factory.mktemp("small") / "model")


@pytest.fixture(scope="module")
def by_class(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ship("descriptors", "class_attention", tmp_path_factory.mktemp("by_class") / "model")


def altered(folder: Path, place: Path, **changes: object) -> Path:
    """Return a copy of a model whose card says other things in ``spec``."""
    shutil.copytree(folder, place)
    card = json.loads((place / CARD_FILE).read_text("utf-8"))
    card["spec"] |= changes
    (place / CARD_FILE).write_text(json.dumps(card), "utf-8")
    return place


def run(smear: Path, out: Path, *options: str) -> Result:
    arguments = ["analyze", str(smear), "--mpp", "0.1", "--out", str(out), "--no-red-cells", "--segmenter", "classical"]
    return CliRunner().invoke(app, [*arguments, *options])


@pytest.mark.slow
def test_a_folder_answers_and_prints_no_answer(smear: Path, small: Path, tmp_path: Path) -> None:
    found = run(smear, tmp_path / "out", "--patient-model", str(small))
    assert found.exit_code == 0, found.output
    assert "research use only: in report.html, closed until you open it" in " ".join(found.output.split())
    assert not any(title in found.output for title in ("Acute leukemia", "Lymphoma", "g/dL"))
    patient = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))["patient"]
    assert (patient["members"], patient["model"]["name"]) == (2, "tiny-gated_attention")
    disease, hemoglobin = patient["answers"]
    assert [output["title"] for output in disease["outputs"]] == list(LETTER.titles.values())
    assert sum(output["probability"] for output in disease["outputs"]) == pytest.approx(1)
    assert hemoglobin["number"]["low"] <= hemoglobin["number"]["value"] <= hemoglobin["number"]["high"]
    assert patient["malignancy"]["threshold"] == 0.5
    assert patient["taxonomy"]["sha256"] == LETTER.sha256


@pytest.mark.slow
def test_another_encoder_than_the_analyzer_s_is_built(by_class: Path, smear: Path, tmp_path: Path) -> None:
    found = run(smear, tmp_path / "out", "--patient-model", str(by_class))
    assert found.exit_code == 0, found.output
    patient = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))["patient"]
    assert patient["encoder"]["name"] == "descriptors"
    assert patient["attended"] in LETTER.titles.values()


@pytest.mark.slow
def test_too_few_cells_get_no_answer(by_class: Path, smear: Path, tmp_path: Path) -> None:
    cells = {"patients": 40, "least": 100, "first_percentile": 100, "median": 500, "greatest": 900}
    folder = altered(by_class, tmp_path / "model", cells=cells)
    found = run(smear, tmp_path / "out", "--patient-model", str(folder))
    assert found.exit_code == 0, found.output
    patient = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))["patient"]
    assert all("too few: 99 of 100 patients in training had 100 or more" in a["abstained"] for a in patient["answers"])
    assert patient["malignancy"] is None
    assert "<strong>No answer:</strong>" in (tmp_path / "out" / "report.html").read_text("utf-8")


@pytest.mark.slow
def test_an_encoder_that_is_not_there_is_refused_before_a_field_is_read(
    by_class: Path, smear: Path, tmp_path: Path
) -> None:
    folder = altered(by_class, tmp_path / "model", encoder="ab" * 32)
    found = run(smear, tmp_path / "out", "--patient-model", str(folder))
    assert isinstance(found.exception, CohortError)
    assert "descriptors (abababababab), which is not on this machine" in str(found.exception)
    assert not (tmp_path / "out").exists()
    with pytest.raises(CohortError, match="takes embeddings of the encoder abababababab, but hemascope_s is"):
        wiring.build_patient_answering(folder, "hemascope_s")


@pytest.mark.slow
def test_the_encoder_of_other_parts_is_shared(small: Path) -> None:
    shared = wiring.shared_encoders()
    assert wiring.build_patient_answering(small, shared=shared).encoder is shared.named("hemascope_s")


@pytest.mark.slow
def test_cells_that_other_parts_embed_are_not_embedded_twice(
    small: Path, smear: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: Counter[str] = Counter()
    run_graph = OnnxGraph.run

    def counted(self: OnnxGraph, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        rows[self.identity.name] += len(batch)
        return run_graph(self, batch)

    monkeypatch.setattr(OnnxGraph, "run", counted)
    recipe = AnalysisRecipe(segmenter="classical", red_cells=False)

    def embedded(with_model: bool) -> tuple[int, int]:
        rows.clear()
        shared = wiring.shared_encoders()
        cells = wiring.build_patient_answering(small, shared=shared).gather(tmp_path) if with_model else None
        found = 0
        for result in wiring.build_analyzer(recipe, mpp=0.1, shared=shared).results(discover([smear])):
            assert isinstance(result, FieldResult)
            found += result.count(CellKind.WHITE_CELL)
            if cells:
                cells.add(result)
        return rows["hemascope_s"], found

    without, found = embedded(with_model=False)
    assert found > 0
    # The generative judge and the attributes ask for the same rows, where they ship.
    assert embedded(with_model=True)[0] == max(without, found)


@pytest.mark.slow
def test_titles_are_those_of_the_card(by_class: Path, tmp_path: Path) -> None:
    facts = json.loads((by_class / CARD_FILE).read_text("utf-8"))["spec"]["taxonomy"]
    folder = altered(by_class, tmp_path / "model", taxonomy=facts | {"name": "ward", "titles": {"mpn": "Our MPN"}})
    asked = wiring.build_patient_answering(folder).asked
    assert asked.title("disease", "mpn") == "Our MPN"
    assert asked.title("disease", "acute_leukemia") == "acute leukemia"
    assert asked.diseases is not None
    assert (asked.diseases.table.name, asked.diseases.malignant) == ("ward", LETTER.malignant)


def test_an_encoder_needs_a_model(smear: Path, tmp_path: Path) -> None:
    found = run(smear, tmp_path / "out", "--patient-encoder", "hemascope_s")
    assert isinstance(found.exception, RecipeError)
    assert "name that with --patient-model" in str(found.exception)


def test_what_is_no_model_of_patients_is_refused(tmp_path: Path) -> None:
    encoder = folder_of(encoder_entry("hemascope_s"), read_settings().models)
    with pytest.raises(WeightsError, match="none of patients"):
        wiring.build_patient_answering(encoder)
    with pytest.raises(WeightsError, match="cannot be read"):
        wiring.build_patient_answering(tmp_path)


def test_known_encoders_are_described_as_they_answer() -> None:
    known = list(known_encoders(read_settings()))
    assert {"descriptors", "hemascope_s", "hemascope_s.looks"} <= {encoder.name for encoder in known}
    for encoder in known:
        if encoder.name.startswith(("descriptors", "hemascope_s")):
            built = wiring.build_encoder(encoder.name)
            assert encoder.digest == encoder_digest(built.identity, built.spec)
            assert find_encoder(encoder.digest) == encoder.name


def test_a_pulled_folder_is_found_and_a_damaged_one_left_out(tmp_path: Path) -> None:
    source = folder_of(encoder_entry("hemascope_s"), read_settings().models)
    shutil.copytree(source, tmp_path / "models" / "ours")
    card = json.loads((tmp_path / "models" / "ours" / "model.json").read_text("utf-8"))
    (tmp_path / "models" / "ours" / "model.json").write_text(json.dumps(card | {"version": "99"}), "utf-8")
    (tmp_path / "models" / "broken").mkdir()
    (tmp_path / "models" / "broken" / "model.json").write_text("{", "utf-8")
    settings = Settings(models=tmp_path / "models")
    ours = [encoder for encoder in known_encoders(settings) if encoder.identity.version == "99"]
    name = str(tmp_path / "models" / "ours")
    assert [encoder.name for encoder in ours] == [name, f"{name}.looks"]
    assert find_encoder(ours[0].digest, settings) == name
    assert len({encoder.digest for encoder in known_encoders(settings)}) == 6
