"""Real objects of the peers that are installed here, with weights made on the spot that know nothing of blood."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hemascope import wiring
from hemascope.core.errors import RecipeError, WeightsError
from hemascope.evaluate.conformance import FORM, check_segmenter
from hemascope.synth.smear import paint_field

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stardist_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = pytest.importorskip("stardist.models", reason="the extra stardist is not installed")
    base = tmp_path_factory.mktemp("stardist")
    config = models.Config2D(n_rays=16, grid=(2, 2), n_channel_in=3, unet_n_depth=2, unet_n_filter_base=8)
    model = models.StarDist2D(config, name="untrained", basedir=str(base))
    model.keras_model.save_weights(str(base / "untrained" / "weights_best.h5"))
    (base / "untrained" / "thresholds.json").write_text('{"prob": 0.5, "nms": 0.4}')
    return base / "untrained"


@pytest.fixture(scope="module")
def instanseg_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("instanseg", reason="the extra instanseg is not installed")
    import torch
    from instanseg.utils.loss.instanseg_loss import InstanSeg, InstanSeg_Torchscript
    from instanseg.utils.models.InstanSeg_UNet import InstanSeg_UNet

    torch.manual_seed(0)
    loss = InstanSeg(device="cpu", n_sigma=2, window_size=32)
    net = loss.initialize_pixel_classifier(InstanSeg_UNet(3, [[2, 2, 1]], layers=[32, 16, 8]), MLP_width=5)
    whole = InstanSeg_Torchscript(net.eval(), pixel_size=0.3, n_sigma=2)
    folder = tmp_path_factory.mktemp("instanseg") / "untrained"
    folder.mkdir()
    torch.jit.save(torch.jit.script(whole), str(folder / "instanseg.pt"))
    return folder


@pytest.fixture(scope="module")
def cellpose_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        from cellpose.vit import CPSAM
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"the extra cellpose is not installed, or its torchvision does not fit: {error}")
    import torch

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("cellpose") / "untrained"
    torch.save(CPSAM().state_dict(), path)
    return path


def test_stardist_conforms(stardist_folder: Path) -> None:
    segmenter = wiring.build_segmenter(f"stardist:{stardist_folder}@0.3")
    assert check_segmenter(segmenter, FORM) == ()
    assert segmenter.identity.name == "stardist:untrained"
    assert "given by the user" in segmenter.identity.backend


def test_instanseg_conforms(instanseg_folder: Path) -> None:
    segmenter = wiring.build_segmenter(f"instanseg:{instanseg_folder}")
    assert check_segmenter(segmenter, FORM) == ()
    assert segmenter.identity.name == "instanseg:untrained"
    assert wiring.build_segmenter(f"instanseg:{instanseg_folder / 'instanseg.pt'}").identity == segmenter.identity


@pytest.mark.timeout(3600)
def test_cellpose_conforms(cellpose_file: Path) -> None:
    segmenter = wiring.build_segmenter(f"cellpose:{cellpose_file}")
    assert check_segmenter(segmenter, FORM) == ()
    assert segmenter.identity.name == "cellpose:untrained"


def test_stardist_needs_a_scale_and_a_model_folder(stardist_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"@0\.25"):
        wiring.build_segmenter(f"stardist:{stardist_folder}")
    with pytest.raises(WeightsError, match=r"config\.json"):
        wiring.build_segmenter(f"stardist:{tmp_path}@0.3")
    with pytest.raises(WeightsError, match="publishes no model"):
        wiring.build_segmenter("stardist:nowhere@0.3")


def test_damaged_weights_are_refused(stardist_folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_bytes((stardist_folder / "config.json").read_bytes())
    (broken / "weights_best.h5").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="cannot load"):
        wiring.build_segmenter(f"stardist:{broken}@0.3")


def test_damaged_instanseg_weights_are_refused(instanseg_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "instanseg.pt").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="cannot load"):
        wiring.build_segmenter(f"instanseg:{tmp_path}")
    with pytest.raises(WeightsError, match=r"there is no instanseg\.pt"):
        wiring.build_segmenter(f"instanseg:{tmp_path.parent}")
    assert instanseg_folder.is_dir()


def test_nothing_is_printed_on_standard_output(stardist_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    segmenter = wiring.build_segmenter(f"stardist:{stardist_folder}@0.3")
    segmenter.find(paint_field(1, width=200, height=150).field)
    sys.stdout.flush()
    assert capsys.readouterr().out == ""
