"""The benchmark of counterfactuals on made cells whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from explained_cells import DARKER, LIGHTER, SIDE, CenterDenoiser, GreenClassifier
from numpy.typing import NDArray
from PIL import Image

from hemascope.app.bench_counterfactuals import Tried, ask, figures, pick_cells, strongest, try_cell
from hemascope.app.benchmark_table import benchmark_tables
from hemascope.app.explain_cells import Explainer, ExplanationPlan
from hemascope.app.target_cells import TypedCell
from hemascope.core.taxonomy import NUCLEATED_TYPES, CellType


def typed(cell_type: CellType, number: int, split: str = "val", path: Path = Path("none.png")) -> TypedCell:
    name = f"{cell_type.value}{number}"
    return TypedCell("pbc_acevedo_128", name, path, (48, 48), 0.5, cell_type, f"g{name}", split)


@pytest.fixture
def explainer() -> Explainer:
    return Explainer(CenterDenoiser(), GreenClassifier(), ExplanationPlan(pairs=16, check_pairs=2, passes=4))


@pytest.fixture
def tried(tmp_path: Path, explainer: Explainer) -> Tried:
    pixels: NDArray[np.uint8] = np.full((96, 96, 3), 240, np.uint8)
    pixels[36:60, 36:60] = 90
    Image.fromarray(pixels).save(tmp_path / "cell.png")
    asked = ask(explainer, typed(DARKER, 0, path=tmp_path / "cell.png"))
    assert (asked.current, len(asked.targets)) == (DARKER, 1)
    return try_cell(explainer, replace(asked, targets=(LIGHTER,)))


def test_cells_are_picked_evenly_by_type_split_and_group() -> None:
    cells = [typed(cell_type, k) for cell_type in CellType for k in range(9)]
    cells += [typed(CellType.MONOCYTE, 99, "train"), replace(cells[0], id="twin")]
    picked = pick_cells(cells, "val", 3)
    assert [c.cell_type for c in picked] == [t for t in NUCLEATED_TYPES for _ in range(3)]
    assert len({c.group for c in picked}) == len(picked)
    monocytes = [c.id for c in picked if c.cell_type is CellType.MONOCYTE]
    assert monocytes == ["monocyte0", "monocyte4", "monocyte8"]
    assert len(pick_cells(cells, "val", 100)) == 9 * len(NUCLEATED_TYPES)
    assert [c.id for c in pick_cells(cells, "train", 3)] == ["monocyte99"]


def test_the_change_at_its_place_gains_most(tried: Tried) -> None:
    gains = tried.gains
    assert gains["marked"] == pytest.approx(gains["whole"], abs=1e-4)
    assert gains["marked"] > gains["elsewhere"] + 0.005
    assert gains["elsewhere"] == pytest.approx(0, abs=1e-4)
    # The center is symmetric: turned about it, the change stays where it is.
    assert gains["moved"] == pytest.approx(gains["marked"], rel=0.02)
    assert gains["published"] == pytest.approx(gains["marked"], rel=0.02)
    assert gains["share"] == 16 / SIDE**2


def test_figures_are_means_and_shares(tried: Tried) -> None:
    nothing = Tried(tried.found, {})
    better = Tried(tried.found, {**tried.gains, "marked": 0.5, "moved": 0.1})
    worse = Tried(tried.found, {**tried.gains, "marked": 0.1, "moved": 0.2})
    found = figures([better, nothing, worse], ["a", "b", "c"])
    assert found["anything_marked"].value == pytest.approx(2 / 3)
    assert found["gain_where_marked"].value == pytest.approx(0.3)
    assert found["gain_over_moved"].value == pytest.approx(0.15)
    assert (found["share_over_moved"].value, found["edited_leans_to_target"].value) == (0.5, 1.0)
    low, high = found["gain_over_moved"].low, found["gain_over_moved"].high
    assert low is not None
    assert high is not None
    assert low <= 0.15 <= high
    none = figures([nothing], ["a"])
    assert none["gain_where_marked"].value is None
    assert none["share_over_moved"].value is None


def test_figures_become_a_table() -> None:
    metrics = {"pbc_acevedo_128.gain_where_marked": 0.0052, "pbc_acevedo_128.gain_where_moved": None}
    document = {
        "benchmark": "counterfactuals",
        "metrics": metrics,
        "intervals": {"pbc_acevedo_128.gain_where_marked": (0.004, 0.0064)},
        "n": {"pbc_acevedo_128": 21},
    }
    [table] = benchmark_tables(document)
    assert table.title.endswith("21 cells")
    assert table.rows[0] == ("Gain, change where it is marked", "0.0052 [0.0040, 0.0064]")
    assert table.rows[1][1] == "-"


def test_the_strongest_pixels_are_inside() -> None:
    values = np.arange(48, dtype=float).reshape(3, 4, 4) - 40
    inside = np.ones((4, 4), np.bool_)
    inside[0] = False
    marked = strongest(values, inside, 3)
    assert marked.sum() == 3
    assert not marked[0].any()
    assert marked[1, :3].all()  # means over channels: -20, -19, -18, and smaller
