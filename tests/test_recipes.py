from __future__ import annotations

from pathlib import Path

import pytest

from hemascope import wiring
from hemascope.core.errors import RecipeError
from hemascope.core.taxonomy import CellType
from hemascope.recipes import (
    AnalysisRecipe,
    CellTrainingRecipe,
    CropSource,
    Prior,
    SegmenterTrainingRecipe,
    load_recipe,
    override,
)
from hemascope.settings import read_settings

RECIPES = Path(__file__).parents[1] / "recipes"


def test_shipped_recipes_load_and_name_the_shipped_models() -> None:
    from hemascope.zoo.card import read_card
    from hemascope.zoo.shipped import shipped_folder

    cells = load_recipe(RECIPES / "cell_classifier.toml", CellTrainingRecipe)
    finder = load_recipe(RECIPES / "finder.toml", SegmenterTrainingRecipe)
    for recipe in (cells, finder):
        card = read_card(shipped_folder(recipe.name))
        assert card.version == recipe.version
        assert card.training.recipe_sha256 == recipe.digest()


def test_an_unknown_key_is_an_error_that_names_file_and_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("min_confidnce = 0.5\n")
    with pytest.raises(RecipeError, match=r"mine\.toml.*min_confidnce"):
        load_recipe(path, AnalysisRecipe)


@pytest.mark.parametrize("text", ["min_confidence = 3", "segmenter = 'magic'", "= 3", "\x00"])
def test_a_malformed_recipe_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=r"mine\.toml"):
        load_recipe(path, AnalysisRecipe)


def test_a_recipe_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "none.toml", AnalysisRecipe)


def test_flags_come_before_the_recipe() -> None:
    recipe = override(AnalysisRecipe(min_confidence=0.7), prior="even", segmenter=None)
    assert (recipe.prior, recipe.segmenter, recipe.min_confidence) == ("even", "network", 0.7)
    with pytest.raises(RecipeError, match="segmenter"):
        override(AnalysisRecipe(), segmenter="magic")


def test_digests_differ_when_a_choice_differs() -> None:
    assert AnalysisRecipe().digest() == AnalysisRecipe().digest()
    assert AnalysisRecipe().digest() != AnalysisRecipe(prior="even").digest()


@pytest.mark.parametrize("name", ["adult_blood", "even"])
def test_shipped_priors_are_whole(name: str) -> None:
    prior = wiring.load_prior(name)
    assert prior.name == name
    assert sum(prior.shares.values()) == pytest.approx(1)
    assert set(prior.shares) == set(CellType)


def test_a_prior_can_be_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "ward.toml"
    shares = "\n".join(f"{t.value} = {2 if t is CellType.MONOCYTE else 1}" for t in CellType)
    path.write_text(f'name = "ward"\nsource = "our ward"\n[shares]\n{shares}\n')
    assert wiring.load_prior(str(path)).shares[CellType.MONOCYTE] == pytest.approx(2 / 9)


def test_a_prior_needs_every_type() -> None:
    with pytest.raises(ValueError, match=r"missing: .*platelet"):
        Prior(name="x", source="y", shares={CellType.MONOCYTE: 1.0})


def test_an_unknown_prior_is_named_with_what_there_is() -> None:
    with pytest.raises(RecipeError, match="adult_blood, even"):
        wiring.load_prior("martian")


def test_settings_come_from_the_environment() -> None:
    assert read_settings({}).threads == 0
    assert read_settings({"HEMASCOPE_THREADS": "3"}).threads == 3
    with pytest.raises(RecipeError, match="HEMASCOPE_THREADS"):
        read_settings({"HEMASCOPE_THREADS": "many"})


def test_a_type_left_out_is_a_digest_of_its_own_and_none_is_as_before() -> None:
    source = CropSource(data_set="pbc_acevedo_128")
    assert source.model_dump(mode="json") == {"data_set": "pbc_acevedo_128", "weight": 1.0, "mpp": None}
    fewer = source.model_copy(update={"left_out": (CellType.BASOPHIL,)})
    assert fewer.model_dump(mode="json")["left_out"] == ["basophil"]
    assert fewer.digest() != source.digest()


def test_types_are_left_out_where_every_source_leaves_them_out() -> None:
    lists = (["basophil", "monocyte"], ["monocyte"])
    sources = [{"data_set": "pbc_acevedo_128", "left_out": names} for names in lists]
    recipe = CellTrainingRecipe.model_validate({"name": "few", "version": "0", "sources": sources})
    assert recipe.left_out() == (CellType.MONOCYTE,)


def test_a_second_opinion_needs_every_type() -> None:
    sources = [{"data_set": "pbc_acevedo_128", "left_out": ["basophil"]}]
    values = {"name": "few", "version": "0", "sources": sources, "second_opinion": True}
    with pytest.raises(ValueError, match="second_opinion = false"):
        CellTrainingRecipe.model_validate(values)
