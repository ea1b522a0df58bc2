"""Typed cells of several laboratories at one physical scale."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hemascope.app.target_cells import PBC, TARGETS, class_numbers, cut_cells, encode_cells, group_names, locate_cells
from hemascope.core.cell import CellCrop
from hemascope.core.embedding import EncoderSpec
from hemascope.core.errors import DataSetError, UnreadableImageError
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType

MASKS = """path,label,split,mask,source_subset
tecom/a.png,monocyte,train,tecom/a_mask.png,tecom
tecom/b.png,lymphocyte,test,tecom/b_mask.png,tecom
"""


def disk(size: int, center: tuple[int, int], radius: int) -> NDArray[np.bool_]:
    y, x = np.mgrid[:size, :size]
    return np.asarray((x - center[0]) ** 2 + (y - center[1]) ** 2 <= radius**2)


def write_masks(root: Path) -> Path:
    """Write a wbc_seg of two dark disks of 27 pixels across on white, one near the corner."""
    folder = root / "wbc_seg"
    (folder / "tecom").mkdir(parents=True)
    (folder / "labels.csv").write_text(MASKS)
    for name, center in (("a", (60, 60)), ("b", (20, 30))):
        cell = disk(120, center, 13)
        mask = np.where(cell, 128, 0) + np.where(disk(120, center, 5), 127, 0)
        Image.fromarray(mask.astype(np.uint8)).save(folder / "tecom" / f"{name}_mask.png")
        Image.fromarray(np.where(cell[..., None], 50, 240).repeat(3, axis=2).astype(np.uint8)).save(
            folder / "tecom" / f"{name}.png"
        )
    return root


class MeanColor:
    """An encoder: the mean color of a crop."""

    identity = ModelIdentity("mean_color", "1", "", "numpy", "Apache-2.0")
    spec = EncoderSpec(3, 32, 20.0, "none", "any")

    def encode(self, crops: Sequence[CellCrop]) -> NDArray[np.float32]:
        return np.array([crop.pixels.mean(axis=(0, 1)) for crop in crops], np.float32).reshape(-1, 3)


def test_center_and_scale_come_from_the_masks(tmp_path: Path) -> None:
    cells = locate_cells("wbc_seg/tecom", write_masks(tmp_path))
    assert [cell.center for cell in cells] == [(60.5, 60.5), (20.5, 30.5)]
    area = disk(120, (60, 60), 13).sum()
    assert cells[0].mpp == pytest.approx(13.5 / (2 * np.sqrt(area / np.pi)))
    assert list(class_numbers(cells)) == [
        list(CellType).index(CellType.MONOCYTE),
        list(CellType).index(CellType.LYMPHOCYTE),
    ]
    assert list(group_names(cells)) == ["wbc_seg/tecom|tecom/a.png", "wbc_seg/tecom|tecom/b.png"]


def test_a_crop_has_the_cell_in_its_center_at_the_width_asked_for(tmp_path: Path) -> None:
    inside, beyond = cut_cells(locate_cells("wbc_seg/tecom", write_masks(tmp_path)), 54, 27.0)
    for crop in (inside, beyond):
        assert crop.pixels.shape == (54, 54, 3)
        assert crop.width == 27.0
    across = (inside.pixels[27, :, 0] < 145).sum()
    assert abs(across - 27) <= 1  # 13.5 um of 27 um


def test_what_lies_beyond_the_edge_is_mirrored(tmp_path: Path) -> None:
    _, beyond = cut_cells(locate_cells("wbc_seg/tecom", write_masks(tmp_path)), 48, 24.0)
    assert beyond.pixels[:, 0].min() > 200  # the background again, no black


def test_cells_are_encoded_in_order(tmp_path: Path) -> None:
    cells = locate_cells("wbc_seg/tecom", write_masks(tmp_path))
    told: list[tuple[str, int, int]] = []
    values = encode_cells(MeanColor(), cells, lambda *step: told.append(step))
    single = [crop.pixels.mean(axis=(0, 1)) for crop in cut_cells(cells, 32, 20.0)]
    assert np.allclose(values, single)
    assert told == [("mean_color: wbc_seg/tecom", 2, 2)]
    assert encode_cells(MeanColor(), (), lambda *step: None).shape == (0, 3)


def test_a_truncated_image_is_named(tmp_path: Path) -> None:
    root = write_masks(tmp_path)
    cells = locate_cells("wbc_seg/tecom", root)
    cells[1].path.write_bytes(b"none")
    with pytest.raises(UnreadableImageError, match=r"b\.png cannot be read"):
        list(cut_cells(cells, 32, 20.0))


def test_an_empty_mask_is_named(tmp_path: Path) -> None:
    root = write_masks(tmp_path)
    Image.fromarray(np.zeros((120, 120), np.uint8)).save(root / "wbc_seg" / "tecom" / "a_mask.png")
    with pytest.raises(DataSetError, match=r"a_mask\.png marks no cell"):
        locate_cells("wbc_seg/tecom", root)


def test_an_unknown_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="no source of typed cells 'wbc_seg'; choose one of pbc_acevedo_128, bccd"):
        locate_cells("wbc_seg", tmp_path)


@pytest.mark.data
@pytest.mark.parametrize(
    ("source", "count", "mpp"),
    [("bccd", 274, 0.081), ("chula_wbc_fields", 79, 0.102), ("wbc_seg/cellavision_blog", 83, 0.0862),
     ("wbc_seg/tecom", 223, 0.1795)],
)  # fmt: skip
def test_the_public_sources_have_the_cells_they_are_known_for(
    public_data: Path, source: str, count: int, mpp: float
) -> None:
    cells = locate_cells(source, public_data)
    assert source in TARGETS
    assert len(cells) == count
    assert cells[0].mpp == pytest.approx(mpp, abs=1e-4)


@pytest.mark.data
@pytest.mark.slow
def test_pbc_cells_stand_in_the_middle_of_their_images(public_data: Path) -> None:
    cells = locate_cells(PBC, public_data)
    assert len(cells) == 9506
    assert {cell.center for cell in cells} == {(64.0, 64.0)}
