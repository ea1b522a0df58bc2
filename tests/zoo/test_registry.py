"""The table of known encoders, and what each has seen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hemascope.core.errors import RecipeError, WeightsError
from hemascope.data.catalog import CROP_READERS, FIELD_READERS
from hemascope.embed.transforms import TRANSFORMS
from hemascope.zoo.card import ModelCard, Origin, TrainingFacts
from hemascope.zoo.contamination import SOURCES, Seen
from hemascope.zoo.encoder_entry import EncoderEntry
from hemascope.zoo.installed import encoder_folder, file_sha256, folder_of
from hemascope.zoo.registry import ENCODERS, encoder_entry, has_seen
from hemascope.zoo.shipped import CELL_CLASSIFIER, WEIGHTS, shipped_folder

EVERY = [*ENCODERS.values(), encoder_entry("timm:convnext_tiny.in12k_ft_in1k")]
FACTS = TrainingFacts(command="train", seed=0, recipe={}, recipe_sha256="", data={}, software={})


def card(data: tuple[str, ...] = (), start: str = "", origin: str = "") -> ModelCard:
    facts = FACTS.model_copy(update={"data": {name: {"license": "MIT"} for name in data}, "recipe": {"start": start}})
    came = Origin(name=origin, url="", file="", revision="", sha256="0" * 64, verified=False, terms="")
    return ModelCard(
        task="embed",
        name="mine",
        version="1",
        license="MIT",
        attribution=[],
        files={},
        spec={},
        validation={},
        training=facts,
        origin=came if origin else None,
    )


@pytest.mark.parametrize("entry", EVERY, ids=lambda entry: entry.name)
def test_an_entry_is_whole(entry: EncoderEntry) -> None:
    assert entry.name == entry.name.lower()
    assert entry.transform in TRANSFORMS
    assert entry.title
    assert entry.terms
    assert entry.stain
    assert entry.crop_px > 0
    assert re.fullmatch(r"([0-9a-f]{64})?", entry.sha256)
    assert (entry.layout == "shipped") == (entry.url == "")
    if entry.url:
        assert entry.url.startswith("https://")
        assert entry.file in entry.url
        assert entry.revision in entry.url
    if entry.layout == "vit":
        assert re.fullmatch(rf"(gated )?{entry.dimension}x\d+x\d+/1[46]", entry.architecture)


def test_names_are_unique_and_their_folders_too() -> None:
    folders = {folder_of(entry, Path("models")) for entry in EVERY}
    assert len(folders) == len(EVERY)
    assert all(":" not in folder.name for folder in folders)


def test_the_dimensions_of_dinobloom_are_the_published_ones() -> None:
    assert [ENCODERS[f"dinobloom_{size}"].dimension for size in "sblg"] == [384, 768, 1024, 1536]


def test_terms_must_be_accepted_where_use_is_not_free_or_not_known_to_be() -> None:
    asked = {entry.name.split(":")[0] for entry in EVERY if entry.must_accept}
    assert asked == {"uni", "conch", "virchow2", "timm"}


@pytest.mark.parametrize("name", ["dinoboom_s", "DinoBloom_S", "tim:x", ""])
def test_an_unknown_name_is_answered_with_the_known_ones(name: str) -> None:
    with pytest.raises(RecipeError, match=r"dinobloom_s.*timm:NAME"):
        encoder_entry(name)


@pytest.mark.parametrize("name", ["timm:resnet50", "timm:", "timm:../x.y", "timm:a.b.c"])
def test_a_model_of_timm_must_name_its_weights(name: str) -> None:
    with pytest.raises(RecipeError, match="which weights"):
        encoder_entry(name)


@pytest.mark.parametrize(
    ("data_set", "answer"),
    [
        ("bccd", Seen.YES),
        ("wbc_seg", Seen.YES),
        ("aybu_fields", Seen.YES),
        ("txl_pbc_boxes", Seen.YES),
        ("raabin", Seen.YES),
        ("lisc", Seen.YES),
        ("aml_matek", Seen.YES),
        ("aml_hehr", Seen.YES),
        ("bmc", Seen.YES),
        ("apl_aml", Seen.YES),
        ("pbc_acevedo", Seen.UNKNOWN),
        ("pbc_acevedo_128", Seen.UNKNOWN),
        ("chula_wbc_fields", Seen.NO),
        ("taleqani_all", Seen.NO),
        ("cnmc2019_fold1_128", Seen.NO),
        ("synthetic", Seen.NO),
    ],
)
@pytest.mark.parametrize("size", "sblg")
def test_what_dinobloom_has_seen(size: str, data_set: str, answer: Seen) -> None:
    assert has_seen(f"dinobloom_{size}", data_set) is answer


def test_encoders_without_a_list_are_unknown_and_those_of_tissue_saw_nothing() -> None:
    assert has_seen("reddino_s", "chula_rbc12") is Seen.UNKNOWN
    assert has_seen("conch", "bccd") is Seen.UNKNOWN
    assert has_seen("timm:resnet50.a1_in1k", "bccd") is Seen.UNKNOWN
    assert {has_seen(name, "bccd") for name in ("uni", "virchow2", "resnet50")} == {Seen.NO}


def test_painted_smears_are_nobody_s_data() -> None:
    assert {has_seen(name, "synthetic") for name in ENCODERS if name != "hemascope-s"} == {Seen.NO}


def test_handcrafted_descriptors_learned_from_nothing() -> None:
    assert {has_seen("descriptors", data_set) for data_set in SOURCES} == {Seen.NO}


def test_an_unknown_encoder_has_no_answer() -> None:
    with pytest.raises(RecipeError, match="no encoder"):
        has_seen("crystal_ball", "bccd")


def test_our_own_encoder_saw_what_its_card_lists_and_its_relatives() -> None:
    ours = card(("pbc_acevedo_128", "chula_wbc_fields", "synthetic"))
    answers = {name: has_seen(ours, name) for name in ("pbc_acevedo_128", "pbc_acevedo", "txl_pbc_boxes")}
    assert set(answers.values()) == {Seen.YES}
    assert has_seen(ours, "chula_wbc_fields") is Seen.YES
    assert has_seen(ours, "bccd") is Seen.NO


def test_weights_that_started_from_others_are_unknown_beyond_their_own_data() -> None:
    tuned = card(("bccd",), start="somewhere")
    assert has_seen(tuned, "bccd") is Seen.YES
    assert has_seen(tuned, "wbc_seg") is Seen.UNKNOWN


@pytest.mark.parametrize(
    ("origin", "answer"), [("dinobloom_b", Seen.YES), ("uni", Seen.NO), ("timm:x.y", Seen.UNKNOWN), ("x", Seen.UNKNOWN)]
)
def test_a_card_of_published_weights_is_looked_up_by_its_origin(origin: str, answer: Seen) -> None:
    assert has_seen(card(origin=origin), "bccd") is answer


def test_every_set_of_the_catalog_has_its_sources() -> None:
    assert set(FIELD_READERS) | set(CROP_READERS) <= set(SOURCES)


def test_our_own_encoder_is_found_or_said_to_be_missing(tmp_path: Path) -> None:
    if (WEIGHTS / "hemascope_s").is_dir():
        assert encoder_folder("hemascope-s", tmp_path)[1].task == "embed"
        assert has_seen("hemascope-s", "synthetic") is not Seen.UNKNOWN
        return
    with pytest.raises(WeightsError, match="comes without it"):
        encoder_folder("hemascope-s", tmp_path)
    assert has_seen("hemascope-s", "bccd") is Seen.UNKNOWN


@pytest.mark.parametrize(("name", "said"), [("dinobloom_s", "pull dinobloom_s$"), ("uni", "--accept-terms$")])
def test_what_is_not_installed_is_said_with_the_command_that_pulls_it(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=said):
        encoder_folder(name, tmp_path)


def test_a_folder_of_another_task_is_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="model to classify"):
        encoder_folder(str(shipped_folder(CELL_CLASSIFIER)), tmp_path)


def test_a_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("name", ["hemascope-s", "hemascope_s", "dinobloom-b", "dinobloom_b"])
def test_hyphens_and_underscores_mean_the_same(name: str) -> None:
    assert encoder_entry(name).name.replace("-", "_") == name.replace("-", "_")
