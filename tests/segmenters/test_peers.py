"""What the peers share: the choice of weights, kinds by rule, label images to outlines, and scale."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hemascope import wiring
from hemascope.cells.peers.choice import PeerChoice, file_digest
from hemascope.cells.peers.kinds import kinds_of
from hemascope.cells.peers.segmenter import FIXED_SCORE, FoundObject, PeerSegmenter, objects_of_labels
from hemascope.core.errors import MissingExtraError, RecipeError, WeightsError
from hemascope.core.geometry import Polygon
from hemascope.core.optics import transmittance
from hemascope.core.provenance import ModelIdentity
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind
from hemascope.evaluate.conformance import FORM, check_segmenter
from hemascope.recipes import AnalysisRecipe, override
from hemascope.synth.smear import SmearStyle, paint_field
from hemascope.synth.stain import STAINS

PACKAGES = {"stardist": "stardist", "cellpose": "cellpose", "instanseg": "instanseg"}


class Components:
    """An object model that is none of the peers: connected parts of what is stained, at any scale."""

    def __init__(self, mpp: float) -> None:
        self.mpp = mpp
        self.identity = ModelIdentity("components", "1", "", "opencv", "Apache-2.0")
        self.shapes: list[tuple[int, ...]] = []

    def outline(self, image: NDArray[np.uint8]) -> list[FoundObject]:
        self.shapes.append(image.shape)
        stained = (transmittance(image).min(axis=2) < 0.85).astype(np.uint8)
        _, labels = cv2.connectedComponents(stained)
        return objects_of_labels(np.asarray(labels, np.int64))


@pytest.mark.parametrize(
    ("text", "model", "mpp"),
    [
        ("", "", None),
        ("2D_versatile_he", "2D_versatile_he", None),
        ("models/mine@0.25", "models/mine", 0.25),
        ("@0.3", "", 0.3),
        ("C:\\models\\mine@0.5", "C:\\models\\mine", 0.5),
        ("me@work/mine", "me@work/mine", None),
        ("me@work/mine@0.4", "me@work/mine", 0.4),
    ],
)
def test_weights_and_their_scale_are_read(text: str, model: str, mpp: float | None) -> None:
    assert PeerChoice.read(text) == PeerChoice(model, mpp)


def test_a_path_that_exists_is_taken_whole(tmp_path: Path) -> None:
    odd = tmp_path / "model@0.2"
    odd.mkdir()
    assert PeerChoice.read(str(odd)) == PeerChoice(str(odd))
    assert PeerChoice.read(f"{odd}@0.3") == PeerChoice(str(odd), 0.3)


@given(st.floats(0.01, 2.0))
def test_any_scale_is_read_back(mpp: float) -> None:
    assert PeerChoice.read(f"mine@{mpp!r}").mpp == mpp


@pytest.mark.parametrize("text", ["mine@fine", "mine@0", "mine@-1", "mine@264", "mine@nan", "mine@"])
def test_what_is_no_scale_is_refused(text: str) -> None:
    with (
        pytest.raises(RecipeError, match="scale")
        if text != "mine@"
        else pytest.raises(WeightsError, match="no 'mine@'")
    ):
        PeerChoice.read(text).known_as(["theirs"], "Peer", "a file")


def test_an_unknown_model_is_refused_with_those_there_are() -> None:
    with pytest.raises(WeightsError, match=r"no 'mine'.*the path of a file, or one of: theirs"):
        PeerChoice("mine").known_as(["theirs"], "Peer", "a file")


def test_weights_are_named_by_their_digest(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"abc")
    assert file_digest(tmp_path / "w") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(WeightsError, match="cannot be read"):
        file_digest(tmp_path / "none")


@pytest.mark.parametrize("mpp", [0.15, 0.35])
def test_kinds_of_painted_outlines_are_told_by_the_rule(mpp: float) -> None:
    side = round(60 / mpp)
    right = {kind: [0, 0] for kind in CellKind}
    for seed, stain in enumerate(STAINS):
        style = SmearStyle(stain=stain, overlap=0.0, clumps=0.0, platelets=40.0, white_cells=20.0)
        painted = paint_field(seed, width=side, height=side, mpp=mpp, style=style)
        whole = [cell for cell in painted.cells if cell.visible > 0.95]
        for cell, kind in zip(whole, kinds_of(painted.field, [c.outline.points for c in whole]), strict=True):
            right[cell.kind][0] += kind is cell.kind
            right[cell.kind][1] += 1
    shares = {kind: hits / count for kind, (hits, count) in right.items()}
    assert min(count for _, count in right.values()) > 10
    assert shares[CellKind.WHITE_CELL] > 0.95
    assert shares[CellKind.RED_CELL] > 0.95
    assert shares[CellKind.PLATELET] > 0.85


def test_kinds_need_a_scale() -> None:
    with pytest.raises(ValueError, match="scale"):
        kinds_of(Field("f", np.zeros((9, 9, 3), np.uint8), None), [])


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 20), st.integers(0, 20), st.integers(1, 60000))
def test_the_outline_of_a_label_runs_around_its_pixels(w: int, h: int, x: int, y: int, number: int) -> None:
    labels = np.zeros((60, 60), np.int64)
    labels[y : y + h, x : x + w] = number
    (found,) = objects_of_labels(labels, {number: 0.7})
    box = Polygon(found.outline.astype(np.float32)).bounds
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx((x, y, x + w, y + h), abs=0.13)
    assert found.score == 0.7


def test_labels_need_not_be_consecutive_and_pieces_are_dropped() -> None:
    labels = np.zeros((40, 40), np.int64)
    labels[2:12, 2:12] = 9
    labels[30:32, 30:32] = 9
    labels[20:26, 20:26] = 4
    found = objects_of_labels(labels)
    assert [round(Polygon(item.outline.astype(np.float32)).bounds.width) for item in found] == [6, 10]
    assert [item.score for item in found] == [FIXED_SCORE] * 2
    assert objects_of_labels(np.zeros((5, 5), np.int64)) == []


@pytest.mark.parametrize("mpp", [0.1, 0.37])
def test_an_object_model_becomes_a_segmenter(mpp: float) -> None:
    assert check_segmenter(PeerSegmenter(Components(mpp)), FORM) == ()


def test_outlines_come_back_at_the_scale_of_the_field() -> None:
    style = SmearStyle(overlap=0.0, clumps=0.0, platelets=0.0, coverage=0.2)
    painted = paint_field(2, width=501, height=333, mpp=0.1, style=style, white_cells={})
    model = Components(0.3)
    cells = PeerSegmenter(model).find(painted.field)
    assert model.shapes == [(111, 167, 3)]
    truth = [cell for cell in painted.cells if cell.visible > 0.98]
    for cell in truth:
        near = min(cells, key=lambda c: np.hypot(*np.subtract(c.outline.centroid, cell.outline.centroid)))
        assert near.outline.centroid == pytest.approx(cell.outline.centroid, abs=3)
        assert near.outline.area == pytest.approx(cell.outline.area, rel=0.2)
        assert near.kind is CellKind.RED_CELL


@pytest.mark.parametrize("name", PACKAGES)
def test_a_peer_that_is_not_installed_says_how_to_install_it(name: str) -> None:
    if importlib.util.find_spec(PACKAGES[name]):
        pytest.skip(f"{name} is installed here")
    with pytest.raises(MissingExtraError, match=rf"pip install 'hemascope\[{name}\]'"):
        wiring.build_segmenter(f"{name}:mine@0.25")


@pytest.mark.parametrize("name", ["stardist", "cellpose:weights/mine", "instanseg:a/b@0.25"])
def test_a_recipe_can_ask_for_a_peer(name: str) -> None:
    assert override(AnalysisRecipe(), segmenter=name).segmenter == name


@pytest.mark.parametrize("name", ["stardust", "stardist:", "cellpose mine"])
def test_a_recipe_cannot_ask_for_what_is_no_peer(name: str) -> None:
    with pytest.raises(RecipeError, match="segmenter"):
        override(AnalysisRecipe(), segmenter=name)
