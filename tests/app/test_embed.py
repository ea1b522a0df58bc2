"""The use case `embed`: what is made, what is taken from before, and what the table holds."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from embedding_parts import DIMENSION, ClassifierEncoder, write_fields, write_single_cells
from numpy.typing import NDArray
from PIL import Image

from hemascope import wiring
from hemascope.app.analyzer import Analyzer
from hemascope.app.cell_images import ENCODED_AT_ONCE
from hemascope.app.embed import EmbedSummary
from hemascope.app.embed_request import EmbedRequest, embed_images, request_images
from hemascope.cells.crop import crop_cell
from hemascope.core.cell import CellCrop
from hemascope.core.embedding import encoder_digest
from hemascope.core.errors import DataSetError, InputError, NoImagesError, OutlineError, RecipeError, WeightsError
from hemascope.core.taxonomy import CellKind
from hemascope.core.units import Microns
from hemascope.export.columns import COLUMNS
from hemascope.recipes import AnalysisRecipe
from hemascope.sources.outline_shelf import OutlineShelf

anndata = pytest.importorskip("anndata")


_BUILT: dict[tuple[object, ...], Analyzer] = {}


def build(
    recipe: AnalysisRecipe | None = None, *, mpp: float | None = None, outlines: OutlineShelf | None = None
) -> Analyzer:
    """Loading a network takes longer than asking it about a small field."""
    if outlines is not None or mpp is None:
        return wiring.build_analyzer(recipe, mpp=mpp, outlines=outlines)
    key = (recipe, mpp)
    return _BUILT.get(key) or _BUILT.setdefault(key, wiring.build_analyzer(recipe, mpp=mpp))


def run(request: EmbedRequest, encoder: ClassifierEncoder | None = None, table_format: str = "h5ad") -> EmbedSummary:
    encoder = encoder or ClassifierEncoder()
    images = request_images(request, encoder.spec, build)
    sink = wiring.build_embeddings_sink(request.out, table_format)
    return embed_images(request, images, encoder, sink, lambda note: None)


def counts(summary: EmbedSummary) -> tuple[int, int, int]:
    return summary.computed, summary.reused, summary.remade


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    write_fields(tmp_path_factory.mktemp("painted") / "fields")
    return tmp_path_factory.getbasetemp() / "painted0" / "fields"


@pytest.fixture
def fields(painted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(painted, tmp_path / "fields"))


@pytest.fixture
def request_(fields: Path, tmp_path: Path) -> EmbedRequest:
    return EmbedRequest(tmp_path / "out", "hemascope embed fields", (str(fields),), mpp=0.2)


def test_the_table_holds_the_embeddings_of_the_cells_that_are_found(request_: EmbedRequest, fields: Path) -> None:
    encoder = ClassifierEncoder()
    summary = run(request_, encoder)
    assert counts(summary) == (3, 0, 0)
    assert summary.path == request_.out / "embeddings.h5ad"
    table = anndata.read_h5ad(summary.path)
    assert table.X.dtype == np.float32
    assert table.shape == (summary.cells, DIMENSION)
    assert summary.cells > 0

    analyzer = wiring.build_analyzer(mpp=0.2)
    expected = []
    for name in ("0.png", "1.png", "2.png"):
        field = analyzer.reader.read(fields / name, name).with_scale(analyzer.scale)
        white = [cell for cell in analyzer.segmenter.find(field) if cell.kind is CellKind.WHITE_CELL]
        crops = [crop_cell(field, cell, encoder.spec.crop_px, Microns(encoder.spec.crop_um or 0)) for cell in white]
        expected += list(zip(white, encoder.encode(crops), strict=True))
    assert list(table.obs_names) == [cell.id for cell, _ in expected]
    np.testing.assert_array_equal(table.X, np.stack([values for _, values in expected]))
    np.testing.assert_allclose(table.obsm["spatial"], [cell.outline.centroid for cell, _ in expected])


def test_the_table_says_where_everything_comes_from(request_: EmbedRequest, fields: Path) -> None:
    encoder = ClassifierEncoder()
    table = anndata.read_h5ad(run(request_, encoder).path)
    assert set(table.obs["kind"]) == {"white_cell"}
    assert set(table.obs["scale_source"]) == {"stated"}
    assert set(table.obs["mpp_um"]) == {0.2}
    assert set(table.obs["field_path"]) <= {str(fields / f"{i}.png") for i in range(3)}
    assert set(table.obs.columns) <= {column.name for column in COLUMNS}
    assert table.uns["encoder"]["digest"] == encoder_digest(encoder.identity, encoder.spec)
    assert table.uns["encoder"]["sha256"] == encoder.identity.sha256
    assert table.uns["encoder"]["transform"] == "absorption"
    assert table.uns["crops"]["crop_px"] == encoder.spec.crop_px
    assert json.loads(table.uns["provenance"])["command"] == "hemascope embed fields"
    assert table.uns["spatial_unit"] == "px"


def test_nothing_is_computed_twice(request_: EmbedRequest) -> None:
    first = anndata.read_h5ad(run(request_).path)
    again = ClassifierEncoder()
    summary = run(request_, again)
    assert counts(summary) == (0, 3, 0)
    assert again.encoded == 0
    second = anndata.read_h5ad(summary.path)
    np.testing.assert_array_equal(first.X, second.X)
    assert first.obs.equals(second.obs)


def test_a_touched_or_renamed_file_is_known_again(request_: EmbedRequest, fields: Path) -> None:
    first = anndata.read_h5ad(run(request_).path)
    os.utime(fields / "0.png", (1, 1))
    (fields / "1.png").rename(fields / "renamed.png")
    summary = run(request_)
    assert counts(summary) == (0, 3, 0)
    second = anndata.read_h5ad(summary.path)
    assert {name.split("#")[0] for name in second.obs_names} <= {"0.png", "2.png", "renamed.png"}
    assert sorted(map(tuple, first.X)) == sorted(map(tuple, second.X))


def test_a_changed_pixel_is_noticed(request_: EmbedRequest, fields: Path) -> None:
    run(request_)
    pixels = np.array(Image.open(fields / "1.png"))
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(fields / "1.png")
    assert counts(run(request_)) == (1, 2, 0)


@pytest.mark.slow
def test_whatever_decides_an_embedding_is_noticed(request_: EmbedRequest) -> None:
    run(request_)
    for other in (
        replace(request_, mpp=0.19),
        replace(request_, crop_um=20.0),
        replace(request_, kinds=("white_cell", "platelet")),
        replace(request_, segmenter="classical"),
    ):
        assert counts(run(replace(other, store=request_.store_folder))) == (3, 0, 0)
    assert counts(run(request_, ClassifierEncoder("bf16"))) == (3, 0, 0)
    assert counts(run(request_)) == (0, 3, 0)


def test_cells_cut_at_another_width_have_another_digest(request_: EmbedRequest) -> None:
    encoder = ClassifierEncoder()
    assert encoder.spec.crop_um is not None
    own = encoder_digest(encoder.identity, encoder.spec)
    for width, same in ((encoder.spec.crop_um, True), (20.0, False)):
        table = anndata.read_h5ad(run(replace(request_, crop_um=width), encoder).path)
        assert (table.uns["encoder"]["digest"] == own) == same


def test_a_new_image_alone_is_computed(request_: EmbedRequest, fields: Path) -> None:
    run(request_)
    shutil.copy(write_fields(fields.parent / "more", 4)[3], fields / "3.png")
    assert counts(run(request_)) == (1, 3, 0)


def test_a_damaged_shard_is_made_anew(request_: EmbedRequest) -> None:
    first = anndata.read_h5ad(run(request_).path)
    shards = sorted(request_.store_folder.glob("*/*.npz"))
    assert len(shards) == 3
    whole = shards[0].read_bytes()
    shards[0].write_bytes(whole[: len(whole) // 2])
    summary = run(request_)
    assert counts(summary) == (1, 2, 1)
    assert shards[0].read_bytes() == whole
    np.testing.assert_array_equal(anndata.read_h5ad(summary.path).X, first.X)
    assert counts(run(request_)) == (0, 3, 0)


def test_an_estimated_scale_is_remembered(fields: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = EmbedRequest(tmp_path / "out", "", (str(fields),))
    assert counts(run(request)) == (3, 0, 0)
    first = anndata.read_h5ad(request.out / "embeddings.h5ad")
    assert set(first.obs["scale_source"]) <= {"estimated", "assumed"}

    def refuse(*_: object) -> None:
        raise AssertionError("the finder was asked again")

    monkeypatch.setattr("hemascope.cells.network.NetworkSegmenter.find", refuse)
    assert counts(run(request)) == (0, 3, 0)


def test_crops_are_held_in_bounded_numbers(tmp_path: Path) -> None:
    write_fields(tmp_path / "fields", 1, size=(640, 480))
    encoder = ClassifierEncoder()
    request = EmbedRequest(tmp_path / "out", "", (str(tmp_path / "fields"),), mpp=0.2, kinds=("red_cell",))
    summary = run(request, encoder)
    assert summary.cells > ENCODED_AT_ONCE
    assert encoder.largest <= ENCODED_AT_ONCE
    assert encoder.encoded == summary.cells


def test_an_unreadable_file_is_told_and_the_others_are_embedded(request_: EmbedRequest, fields: Path) -> None:
    (fields / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    for request in (request_, replace(request_, mpp=None)):
        summary = run(request)
        assert summary.images == 2
        assert [failed.error for failed in summary.failed] == ["UnreadableImageError"]
    table = anndata.read_h5ad(request_.out / "embeddings.h5ad")
    assert "1.png" in str(table.uns["failed"][0])
    for path in fields.glob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(NoImagesError, match="none of the 3 files"):
        run(request_)
    assert (request_.out / "embeddings.h5ad").is_file()
    assert not [p for p in request_.out.iterdir() if p.name.startswith(".")]


def test_fields_without_cells_give_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "fields").mkdir()
    Image.new("RGB", (200, 160), (230, 228, 232)).save(tmp_path / "fields" / "empty.png")
    request = EmbedRequest(tmp_path / "out", "", (str(tmp_path / "fields"),), mpp=0.2)
    for table_format in ("h5ad", "zarr"):
        summary = run(request, table_format=table_format)
        read = anndata.read_h5ad if table_format == "h5ad" else anndata.read_zarr
        assert read(summary.path).shape == (0, DIMENSION)


def test_zarr_holds_the_same(request_: EmbedRequest) -> None:
    pytest.importorskip("zarr")
    one = anndata.read_h5ad(run(request_).path)
    for _ in range(2):  # the second takes the place of the first
        summary = run(request_, table_format="zarr")
    other = anndata.read_zarr(summary.path)
    np.testing.assert_array_equal(one.X, other.X)
    assert list(one.obs_names) == list(other.obs_names)
    assert one.uns["encoder"]["digest"] == other.uns["encoder"]["digest"]
    assert sorted(p.name for p in request_.out.iterdir()) == ["embeddings.h5ad", "embeddings.zarr", "store"]


def test_imported_outlines_take_the_place_of_a_finder(request_: EmbedRequest, fields: Path, tmp_path: Path) -> None:
    labels = np.zeros((180, 240), np.uint16)
    labels[50:90, 60:110] = 1
    (tmp_path / "labels").mkdir()
    Image.fromarray(labels).save(tmp_path / "labels" / "0.png")
    for path in ("1.png", "2.png"):
        (fields / path).unlink()
    request = replace(request_, outlines=tmp_path / "labels", classes=("*=white_cell",))
    first = anndata.read_h5ad(run(request).path)
    assert first.n_obs == 1
    np.testing.assert_allclose(first.obsm["spatial"], [[84.5, 69.5]], atol=1)
    assert counts(run(request)) == (0, 1, 0)
    # The same file under another meaning: no white cell is left.
    summary = run(replace(request, classes=("*=red_cell",)))
    assert (counts(summary), summary.cells) == ((1, 0, 0), 0)


def test_a_public_set_of_single_cells(tmp_path: Path) -> None:
    root = write_single_cells(tmp_path / "sets")
    encoder = ClassifierEncoder()
    request = EmbedRequest(tmp_path / "out", "", data_set="pbc_acevedo_128", split="test", data=root)
    summary = run(request, encoder)
    assert counts(summary) == (3, 0, 0)
    assert encoder.largest == 3  # images of single cells are encoded together
    table = anndata.read_h5ad(summary.path)
    assert list(table.obs_names) == ["images/1.png", "images/3.png", "images/5.png"]
    assert set(table.obs["split"]) == {"test"}
    assert set(table.obs["label"]) == {"neutrophil"}
    assert list(table.obs["group"]) == ["g1", "g3", "g5"]
    assert list(table.obs["mpp_um"]) == pytest.approx([360 / 10.1 / 128] * 3)
    assert counts(run(replace(request, split="all"))) == (3, 3, 0)
    alone = ClassifierEncoder()
    for shard in request.store_folder.glob("*/*.npz"):
        shard.unlink()
    np.testing.assert_allclose(anndata.read_h5ad(run(request, alone).path).X, table.X, atol=1e-6)


def test_a_damaged_image_of_a_set_is_told(tmp_path: Path) -> None:
    root = write_single_cells(tmp_path / "sets")
    (root / "pbc_acevedo_128" / "images" / "3.png").write_bytes(b"no image")
    request = EmbedRequest(tmp_path / "out", "", data_set="pbc_acevedo_128", split="test", data=root)
    summary = run(request)
    assert (summary.images, len(summary.failed)) == (2, 1)
    assert "3.png" in summary.failed[0].message


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"paths": ()}, NoImagesError, "--data-set"),
        ({"kinds": ("monocyte",)}, RecipeError, "no kind of cell 'monocyte'"),
        ({"classes": ("a=white_cell",)}, OutlineError, "--outlines"),
        ({"outlines": Path("x"), "segmenter": "classical"}, OutlineError, "--segmenter"),
        ({"data_set": "pbc_acevedo_128"}, DataSetError, "takes the place of images"),
        ({"data_set": "pbc_acevedo_128", "paths": ()}, DataSetError, "leave out --mpp"),
        ({"data_set": "bccd", "paths": (), "mpp": None}, DataSetError, "no public set of single cells"),
    ],
)
def test_contradictions_are_refused(
    request_: EmbedRequest, changes: dict[str, object], error: type[InputError], said: str
) -> None:
    with pytest.raises(error, match=said):
        request_images(replace(request_, **changes), ClassifierEncoder().spec, wiring.build_analyzer)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_an_encoder_that_gives_no_numbers_leaves_nothing(request_: EmbedRequest, wrong: float) -> None:
    class Broken(ClassifierEncoder):
        def encode(self, crops: Sequence[CellCrop]) -> NDArray[np.float32]:
            return np.where(super().encode(crops) > 0, np.float32(wrong), 0)

    with pytest.raises(WeightsError, match="not finite"):
        run(request_, Broken())
    assert not list(request_.out.glob("store/*/*.npz"))
    assert not (request_.out / "embeddings.h5ad").exists()


def test_a_format_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="h5ad or zarr"):
        wiring.build_embeddings_sink(tmp_path, "npz")
