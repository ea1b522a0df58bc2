"""What an encoder under test has seen, by its card alone."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hemascope.app.protocol_encoder import (
    classifier_encoder,
    images_seen,
    labels_seen,
    shown_model,
    started_from,
    types_seen,
)
from hemascope.core.cell import CellCrop
from hemascope.core.errors import WeightsError
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.core.units import Microns
from hemascope.zoo.card import ModelCard, Origin, TrainingFacts
from hemascope.zoo.contamination import Seen

PBC = "pbc_acevedo_128"


def card(kind: str, *sets: str, start: str | None = None, origin: Origin | None = None) -> ModelCard:
    """Return the card of a model trained on ``sets`` by a recipe of ``kind``."""
    recipe = {"kind": kind} | ({"start": start} if start else {})
    facts = TrainingFacts(
        command="hemascope train", seed=0, recipe=recipe, recipe_sha256="", data={s: {} for s in sets}, software={}
    )
    return ModelCard(
        task="classify", name="m", version="1", license="Apache-2.0", attribution=[], files={},
        spec={"crop_px": 8, "crop_um": 24.0}, validation={}, training=facts, origin=origin,
    )  # fmt: skip


def write(folder: Path, model: ModelCard) -> str:
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps(model.model_dump(mode="json")))
    return str(folder)


def test_learning_without_labels_sees_images_and_no_label() -> None:
    chain = (card("encoder", PBC, "chula_wbc_fields"),)
    assert images_seen(chain, PBC) is Seen.YES
    assert labels_seen(chain, PBC) is Seen.NO
    assert images_seen(chain, "bccd") is Seen.NO


def test_a_trained_classifier_has_seen_the_labels_of_its_sets() -> None:
    chain = (card("cells", PBC),)
    assert labels_seen(chain, PBC) is Seen.YES
    assert labels_seen(chain, "bccd") is Seen.NO
    assert images_seen(chain, "wbc_seg") is Seen.NO


def test_another_set_of_the_same_images_counts_as_seen() -> None:
    assert images_seen((card("cells", "txl_pbc_boxes"),), PBC) is Seen.YES
    assert labels_seen((card("cells", "pbc_acevedo"),), PBC) is Seen.YES


def test_what_a_training_started_from_counts_too(tmp_path: Path) -> None:
    first = write(tmp_path / "first", card("encoder", "bccd"))
    second = card("cells", PBC, start=first)
    chain = (second, *started_from(second))
    assert len(chain) == 2
    assert images_seen(chain, "bccd") is Seen.YES
    assert labels_seen(chain, "bccd") is Seen.NO
    assert images_seen(chain, "chula_wbc_fields") is Seen.NO


def test_a_start_with_labels_spoils_an_encoder(tmp_path: Path) -> None:
    first = write(tmp_path / "first", card("cells", PBC))
    second = card("encoder", "bccd", start=first)
    assert labels_seen((second, *started_from(second)), PBC) is Seen.YES


@pytest.mark.parametrize("kind", ["encoder", "cells"])
def test_a_start_that_cannot_be_found_is_unknown(tmp_path: Path, kind: str) -> None:
    lost = card(kind, PBC, start=str(tmp_path / "gone"))
    assert started_from(lost) == ()
    assert labels_seen((lost,), "bccd") is Seen.UNKNOWN
    assert images_seen((lost,), "bccd") is Seen.UNKNOWN


def test_published_weights_answer_by_the_register() -> None:
    origin = Origin(name="dinobloom_s", url="", file="", revision="", sha256="", verified=False, terms="")
    published = (card("", origin=origin),)
    assert images_seen(published, "bccd") is Seen.YES
    assert labels_seen(published, PBC) is Seen.UNKNOWN
    assert images_seen(published, "cnmc2019_fold1_128") is Seen.NO


def without(cell_type: CellType, *sets: str, start: str | None = None) -> ModelCard:
    """Return the card of a classifier that was trained on ``sets`` without a type."""
    model = card("cells", *sets, start=start)
    model.training.recipe["sources"] = [{"data_set": name, "left_out": [cell_type.value]} for name in sets]
    return model


def test_a_type_left_out_of_every_set_was_never_seen() -> None:
    chain = (without(CellType.BASOPHIL, PBC, "bccd"),)
    assert types_seen(chain, CellType.BASOPHIL) is Seen.NO
    assert types_seen(chain, CellType.MONOCYTE) is Seen.YES


def test_a_type_is_seen_by_any_set_or_start_that_does_not_leave_it_out(tmp_path: Path) -> None:
    once = without(CellType.BASOPHIL, PBC, "bccd")
    del once.training.recipe["sources"][1]["left_out"]
    assert types_seen((once,), CellType.BASOPHIL) is Seen.YES
    assert types_seen((card("encoder", PBC),), CellType.BASOPHIL) is Seen.YES
    first = write(tmp_path / "first", card("encoder", PBC))
    later = without(CellType.BASOPHIL, PBC, start=first)
    assert types_seen((later, *started_from(later)), CellType.BASOPHIL) is Seen.YES
    lost = without(CellType.BASOPHIL, PBC, start=str(tmp_path / "gone"))
    assert types_seen((lost,), CellType.BASOPHIL) is Seen.UNKNOWN


def test_published_weights_saw_every_type_unless_they_saw_no_blood() -> None:
    def published(name: str) -> ModelCard:
        return card("", origin=Origin(name=name, url="", file="", revision="", sha256="", verified=False, terms=""))

    assert types_seen((published("dinobloom_s"),), CellType.BASOPHIL) is Seen.YES


class Graph:
    """A graph whose logits are the mean of the input, and whose embedding is its first and last pixel."""

    identity = ModelIdentity("net", "1", "", "numpy", "Apache-2.0")

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        mean = batch.mean(axis=(1, 2, 3))
        corners = np.stack([batch[:, 0, 0, 0], batch[:, 0, -1, -1]], axis=1)
        return np.stack([mean] * 8, axis=1), corners, mean


def test_a_classifier_gives_its_logits_and_its_embedding() -> None:
    encoder = classifier_encoder("net", Graph(), card("cells", PBC), ())
    crops = [CellCrop("a", np.full((8, 8, 3), 255, np.uint8), Microns(24.0))]
    answers = encoder.answer(crops)
    assert answers.embeddings.shape == (1, 2)
    assert answers.logits is not None
    assert answers.logits.shape == (1, 8)
    assert (encoder.crop_px, encoder.crop_um) == (8, 24.0)
    assert encoder.labels_seen(PBC) is Seen.YES


def test_a_card_without_a_crop_is_no_classifier_of_cells() -> None:
    bare = card("cells", PBC).model_copy(update={"spec": {}})
    with pytest.raises(WeightsError, match="states no crop"):
        classifier_encoder("net", Graph(), bare, ())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("runs/00012-train-cells/model", "00012-train-cells"),
        ("a/b_net", "b_net"),
        ("timm:resnet50.a1", "timm_resnet50_a1"),
    ],
)
def test_a_model_is_called_by_its_folder(name: str, shown: str) -> None:
    assert shown_model(name) == shown


def test_every_answer_is_the_mean_over_views(tmp_path: Path) -> None:
    from PIL import Image

    from hemascope.app.target_cells import TypedCell
    from hemascope.classify.adapt import turned
    from hemascope.core.taxonomy import CellType

    pixels = np.random.default_rng(0).integers(100, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    cells = [
        TypedCell("s", str(i), tmp_path / "a.png", (4.0, 4.0), 3.0, CellType.MONOCYTE, "g", "test") for i in (1, 2)
    ]
    encoder = classifier_encoder("net", Graph(), card("cells", PBC), ())
    quiet: Callable[[str, int, int], None] = lambda *_: None  # noqa: E731 - shorter than a function here
    views = encoder.answer_cells(cells, quiet, turned)
    single = encoder.answer([CellCrop("a", view, Microns(24.0)) for view in turned(pixels)])
    assert views.embeddings == pytest.approx(np.repeat(single.embeddings.mean(axis=0)[None], 2, axis=0), abs=1e-5)
