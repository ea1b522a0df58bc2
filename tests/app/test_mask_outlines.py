"""Mask images to outlines and back: the same pixels."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hemascope.app.mask_outlines import cells_of_mask, write_outlines
from hemascope.core.errors import DataSetError, OutputError
from hemascope.data.wbc_seg import read_wbc_seg
from hemascope.evaluate.segmentation import dice, fill


def mask() -> np.ndarray:
    image = np.zeros((70, 90), np.uint8)
    ys, xs = np.mgrid[:70, :90] + 0.5
    image[(xs - 40) ** 2 + (ys - 35) ** 2 < 25**2] = 128
    image[(xs - 33) ** 2 + (ys - 35) ** 2 < 9**2] = 255
    image[(xs - 52) ** 2 + (ys - 35) ** 2 < 7**2] = 255
    image[2, 2] = 255
    return image


def test_outlines_hold_the_pixels_of_the_mask() -> None:
    (cell,) = cells_of_mask(mask())
    assert dice(fill([cell.outline], (70, 90)), mask() > 64) > 0.98
    assert len(cell.nucleus) == 2
    assert cell.nucleus[0].area > cell.nucleus[1].area
    assert dice(fill(cell.nucleus, (70, 90)), mask() > 192) > 0.95


def test_a_set_becomes_images_outlines_and_a_split_without_its_test_images(tmp_path: Path) -> None:
    folder = tmp_path / "wbc_seg"
    rows = ["path,label,split,mask,source_subset"]
    for name, split in (("a", "train"), ("b", "val"), ("c", "test")):
        for kind in ("images", "masks"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask()).save(folder / kind / f"{name}.png")
        rows.append(f"images/{name}.png,neutrophil,{split},masks/{name}.png,tecom")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    records = read_wbc_seg(folder)
    assert write_outlines(records, tmp_path / "out") == 2
    assert (tmp_path / "out" / "split.csv").read_text() == "image,split\na.png,train\nb.png,val\n"
    assert {path.name for path in (tmp_path / "out" / "images").iterdir()} == {"a.png", "b.png"}
    written = json.loads((tmp_path / "out" / "outlines" / "a.geojson").read_text())
    assert written["features"][0]["nucleusGeometry"]["type"] == "MultiPolygon"
    with pytest.raises(OutputError, match="not empty"):
        write_outlines(records, tmp_path / "out")
    with pytest.raises(DataSetError, match="has a mask"):
        write_outlines(records[2:], tmp_path / "other")
