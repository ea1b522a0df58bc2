"""What a training of HMSCAM draws and sees, and how a probe's strength is chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from conftest import paint_field
from hemascope.evaluate.cluster_choice import choose_strength, fit_cluster_probe
from hemascope.recipes import LeukemiaTrainingRecipe, load_recipe

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from hemascope.app.leukemia_trials import plan_trials  # noqa: E402
from hemascope.train.leukemia import Trial, answer, build_network, share_of  # noqa: E402
from hemascope.train.leukemia_images import (  # noqa: E402
    LeukemiaImages,
    augment,
    class_weights,
    draw_chances,
    prepare,
    views_of_recipe,
)

RECIPES = Path(__file__).parents[2] / "recipes"
SMALL = LeukemiaTrainingRecipe(name="small", version="1", input_px=64, width=8, last_stride=1, vit=(16, 1, 2, 16))


def images_of(clusters: dict[str, int]) -> LeukemiaImages:
    """Return fields of clusters named by class number and letter, such as ``0a``, of so many fields each."""
    groups = np.array([name for name, count in clusters.items() for _ in range(count)])
    pixels = np.stack([paint_field(3, 6, seed) for seed in range(len(groups))])
    subtypes = np.array([int(group[0]) for group in groups], np.int64)
    return LeukemiaImages(pixels, subtypes, groups, np.array(["train"] * len(groups)))


def test_classes_are_drawn_alike_and_clusters_by_the_root_of_their_size() -> None:
    images = images_of({"0a": 9, "0b": 1, "1a": 4, "2a": 2, "3a": 1})
    chances = draw_chances(images, weighted=True)
    assert [chances[images.subtypes == k].sum() for k in range(4)] == pytest.approx([0.25] * 4)
    large, small = (chances[images.groups == name].sum() for name in ("0a", "0b"))
    assert large / small == pytest.approx(3)
    assert draw_chances(images, weighted=False) == pytest.approx(np.full(17, 1 / 17))


def test_loss_and_sampler_never_count_a_class_twice() -> None:
    images = images_of({"0a": 6, "1a": 2, "2a": 2, "3a": 2})
    drawn = draw_chances(images, weighted=True)
    assert class_weights(images.subtypes, drawn, 4).tolist() == pytest.approx([1, 1, 1, 1])
    assert class_weights(images.malignant, drawn, 2).tolist() == pytest.approx([1.5, 0.5])
    as_they_come = draw_chances(images, weighted=False)
    assert class_weights(images.malignant, as_they_come, 2).tolist() == pytest.approx([1, 1])
    weights = class_weights(images.subtypes, as_they_come, 4)
    assert (weights[1] / weights[0]).item() == pytest.approx(3)


def test_a_share_is_of_every_cluster() -> None:
    images = images_of({"0a": 8, "1a": 4, "2a": 1, "3a": 4})
    kept = images.chosen(share_of(images, 0.25))
    assert {name: int((kept.groups == name).sum()) for name in ("0a", "1a", "2a", "3a")} == {
        "0a": 2, "1a": 1, "2a": 1, "3a": 1,
    }  # fmt: skip
    assert len(share_of(images, 1.0)) == 17


def test_fields_enter_as_transmittance_and_the_threshold_leaves_background_clear() -> None:
    pixels = images_of({"0a": 2}).pixels
    whole, kept = prepare(pixels, "whole", 64), prepare(pixels, "hsv", 64)
    assert whole.shape == kept.shape == (2, 64, 64, 3)
    darker = prepare((pixels * 0.8).astype(np.uint8), "whole", 64)
    assert np.abs(darker.astype(int) - whole).mean() < 2
    assert (kept.min(axis=3) > 250).mean() > (whole.min(axis=3) > 250).mean()
    assert kept.min() < 150


def test_copies_are_answered_with_their_original() -> None:
    both = SMALL.model_copy(update={"segmentation": "both"})
    assert views_of_recipe(both, "whole") == ("whole", "hsv")
    assert views_of_recipe(both, "background") == ("background",)
    assert views_of_recipe(SMALL, "whole") == ("whole",)


def test_augmentation_is_seeded_and_in_the_range_of_the_network() -> None:
    pixels = prepare(images_of({"0a": 3}).pixels, "whole", 64)
    first, again, other = (augment(pixels, torch.Generator().manual_seed(seed), SMALL) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert float(first.min()) >= 0
    assert float(first.max()) <= 2


@pytest.mark.parametrize("architecture", ["hmscam", "alexnet", "vit"])
def test_every_network_answers_both_questions_and_its_seed_decides(architecture: str) -> None:
    pixels = images_of({"0a": 2}).pixels
    first, again, other = (
        answer(build_network(SMALL, Trial("t", architecture, seed=seed)), SMALL, pixels)  # type: ignore[arg-type]
        for seed in (0, 0, 1)
    )
    assert (first.subtypes.shape, first.malignant.shape) == ((2, 4), (2, 2))
    assert first.subtypes.sum(axis=1) == pytest.approx([1, 1])
    assert np.array_equal(first.subtypes, again.subtypes)
    assert not np.array_equal(first.subtypes, other.subtypes)


@pytest.mark.parametrize(("name", "networks"), [("hmscam_cpu", 21), ("hmscam", 49)])
def test_recipes_plan_each_network_once(name: str, networks: int) -> None:
    recipe = load_recipe(RECIPES / f"{name}.toml", LeukemiaTrainingRecipe)
    trials = plan_trials(recipe)
    assert len({trial.name for trial in trials}) == len(trials) == networks
    assert len(recipe.seeds) == 5
    assert {trial.fold for trial in trials} == {None, 1, 2, 3, 4}


def test_the_full_recipe_is_the_published_network() -> None:
    recipe = load_recipe(RECIPES / "hmscam.toml", LeukemiaTrainingRecipe)
    assert (recipe.input_px, recipe.width, recipe.last_stride) == (224, 64, 2)


def test_an_input_that_no_patches_fill_is_refused() -> None:
    with pytest.raises(ValidationError, match="no multiple of the patch"):
        LeukemiaTrainingRecipe(name="odd", version="1", input_px=100)


def clustered(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values of two classes in four clusters each: the first tells the class, the others the cluster."""
    generator = np.random.default_rng(seed)
    labels = np.repeat([0, 1], 40)
    clusters = np.array([f"{label}{i % 4}" for label, i in zip(labels, range(80), strict=True)])
    offsets = {name: generator.normal(0, 3, 30) for name in sorted(set(clusters.tolist()))}
    noise = generator.normal(0, 0.3, (80, 30)) + np.stack([offsets[name] for name in clusters.tolist()])
    return np.column_stack([labels + generator.normal(0, 0.2, 80), noise]), labels.astype(np.int64), clusters


def test_a_probe_learns_and_its_strength_is_the_best_of_the_inner_parts() -> None:
    values, labels, clusters = clustered()
    parts = [np.char.endswith(clusters, str(k)) for k in range(4)]
    strengths = (1e-4, 1e-2, 1.0)
    best, accuracy = choose_strength(values, labels, clusters, ("a", "b"), parts, strengths)
    single = [choose_strength(values, labels, clusters, ("a", "b"), parts, (s,))[1] for s in strengths]
    assert accuracy == max(single)
    assert best == strengths[single.index(max(single))]
    probe = fit_cluster_probe(values, labels, clusters, ("a", "b"), best)
    told = probe.probabilities(values)
    assert told.sum(axis=1) == pytest.approx(np.ones(80))
    assert (told.argmax(axis=1) == labels).mean() > 0.95
