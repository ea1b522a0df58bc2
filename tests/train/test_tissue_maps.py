"""What labels say of nuclei and white cells, and where they say nothing."""

import cv2
import numpy as np
import pytest

from hemascope.core.geometry import Box
from hemascope.synth.smear import paint_field
from hemascope.train.field_batches import draw_view
from hemascope.train.labeled_fields import TrainingField
from hemascope.train.painted_fields import painted_tissue
from hemascope.train.tissue_maps import TissueMap, tissue_from_mask, tissue_from_outlines

KNOWN = np.zeros((80, 80), bool)


def circle(x: float, y: float, radius: float) -> np.ndarray:
    angles = np.arange(64) * 2 * np.pi / 64
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1).astype(np.float32)


def test_a_mask_tells_nucleus_and_cell_at_the_scale_of_the_map() -> None:
    mask = np.zeros((160, 160), np.uint8)
    mask[40:80, 40:100] = 155
    mask[50:70, 50:70] = 255
    tissue = tissue_from_mask(mask, [Box(20, 20, 50, 40)], (80, 80), KNOWN)
    assert (tissue.values[0].sum(), tissue.values[1].sum()) == (100, 600)
    assert tissue.known.all()


def test_a_labeled_cell_that_the_mask_leaves_out_is_unknown() -> None:
    tissue = tissue_from_mask(np.zeros((80, 80), np.uint8), [Box(10, 10, 30, 30)], (80, 80), KNOWN)
    assert not tissue.known[:, 10:30, 10:30].any()
    assert tissue.known.sum() == 2 * (80 * 80 - 400)


def test_a_cell_taught_from_its_box_is_unsure_at_its_edge_only() -> None:
    image = np.full((80, 80, 3), 255, np.uint8)
    ys, xs = np.mgrid[:80, :80] + 0.5
    image[(xs - 40) ** 2 + (ys - 40) ** 2 <= 20**2] = (200, 180, 220)
    image[(xs - 40) ** 2 + (ys - 40) ** 2 <= 11**2] = (70, 50, 140)
    tissue = tissue_from_outlines([circle(40, 40, 20)], image, KNOWN, nuclei=True)
    assert tissue.values[0].sum() == pytest.approx(np.pi * 11**2, rel=0.1)
    assert tissue.values[1, 40, 40] == tissue.known[1, 40, 40] == 1
    assert tissue.known[1, 40, 20] == 0
    assert tissue.known[1, 40, 5] == 1
    assert tissue.values[1, 40, 5] == 0
    blurred = tissue_from_outlines([circle(40, 40, 20)], image, KNOWN, nuclei=False)
    assert not blurred.known[0, 25:55, 25:55].any()
    assert blurred.known[0, 5, 5] == 1


def test_painted_tissue_is_the_truth_of_the_painting() -> None:
    painted = paint_field(11, width=400, height=300, mpp=0.1)
    exact = painted_tissue(painted, (300, 400))
    assert np.array_equal(exact[0].astype(bool), painted.nucleus)
    half = painted_tissue(painted, (150, 200))
    assert half[1].sum() * 4 == pytest.approx(exact[1].sum(), rel=0.05)


def test_views_hold_shares_of_tissue_at_edges_and_nothing_else_elsewhere() -> None:
    image = np.full((200, 200, 3), 255, np.uint8)
    cell = np.zeros((200, 200), np.uint8)
    cv2.circle(cell, (100, 100), 40, 1, -1)
    tissue = TissueMap(np.stack([np.zeros_like(cell), cell]), np.ones((2, 200, 200), np.uint8))
    field = TrainingField("f", image, (), np.zeros((3, 200, 200), bool), tissue)
    _, targets = draw_view(field, 96, 8, np.random.default_rng(3))
    values = targets.tissue[1]
    assert 0 <= values.min() <= values.max() <= 1
    edge = ((values > 0) & (values < 1)).mean()
    assert 0 < edge < 0.15
    assert targets.tissue[0].max() == 0
