"""The backbone holds exactly the names and shapes of torchvision's ResNet50."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from safetensors.torch import save_file  # noqa: E402

from hemascope.core.errors import WeightsError  # noqa: E402
from hemascope.nets.resnet import BACKBONE_PARAMETERS, ResNet50  # noqa: E402
from hemascope.train.leukemia import load_backbone  # noqa: E402


def published_layout(classes: int = 1000) -> dict[str, tuple[int, ...]]:
    """Return name to shape as published, written from the paper's table and the naming of torchvision alone."""
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7)}

    def norm(name: str, channels: int) -> None:
        shapes.update({f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")})
        shapes[f"{name}.num_batches_tracked"] = ()

    norm("bn1", 64)
    channels = 64
    for stage, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=1):
        for block in range(blocks):
            prefix = f"layer{stage}.{block}"
            for index, shape in enumerate(
                ((width, channels, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1)), start=1
            ):
                shapes[f"{prefix}.conv{index}.weight"] = shape
                norm(f"{prefix}.bn{index}", shape[0])
            if block == 0:
                shapes[f"{prefix}.downsample.0.weight"] = (4 * width, channels, 1, 1)
                norm(f"{prefix}.downsample.1", 4 * width)
            channels = 4 * width
    shapes |= {"fc.weight": (classes, 2048), "fc.bias": (classes,)}
    return shapes


def random_weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.zeros((), dtype=torch.int64)
        if name.endswith("tracked")
        else torch.rand(shape, generator=generator) + 0.5
        for name, shape in published_layout().items()
    }


@pytest.mark.slow
def test_weights_of_the_published_layout_load_strictly() -> None:
    weights = random_weights()
    net = ResNet50()
    net.load_state_dict(weights, strict=True)
    assert list(net.state_dict()) == list(ResNet50().state_dict())
    for name, value in net.state_dict().items():
        assert torch.equal(value, weights[name]), name


@pytest.mark.slow
def test_a_backbone_takes_all_but_the_last_layer_from_a_file(tmp_path: Path) -> None:
    weights = random_weights()
    save_file(weights, str(tmp_path / "resnet50.safetensors"))
    net = ResNet50(None)
    load_backbone(net, tmp_path / "resnet50.safetensors")
    assert torch.equal(net.layer3[5].conv2.weight, weights["layer3.5.conv2.weight"])


@pytest.mark.parametrize("change", ["missing", "more", "shape"])
def test_another_layout_is_refused(tmp_path: Path, change: str) -> None:
    weights = ResNet50(None, width=8).state_dict()
    if change == "missing":
        del weights["layer2.0.conv1.weight"]
    elif change == "more":
        weights["layer5.0.weight"] = torch.zeros(3)
    else:
        weights["conv1.weight"] = torch.zeros(8, 3, 5, 5)
    save_file(weights, str(tmp_path / "other.safetensors"))
    with pytest.raises(WeightsError, match=r"other.safetensors: not the weights of a ResNet50"):
        load_backbone(ResNet50(None, width=8), tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(WeightsError, match=r"text\.safetensors"):
        load_backbone(ResNet50(None, width=8), tmp_path / "text.safetensors")


def test_parameters_are_those_of_the_paper() -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in ResNet50().parameters()) == 25_557_032
        assert sum(p.numel() for p in ResNet50(None).parameters()) == BACKBONE_PARAMETERS


def test_maps_are_a_thirty_second_of_the_image_or_a_sixteenth() -> None:
    image = torch.zeros(1, 3, 64, 64)
    assert ResNet50(None, width=8).eval().features(image).shape == (1, 256, 2, 2)
    assert ResNet50(None, last_stride=1, width=8).eval().features(image).shape == (1, 256, 4, 4)


def test_a_new_block_is_the_identity_behind_its_first_of_a_stage() -> None:
    net = ResNet50(None, width=8).eval()
    maps = torch.rand(1, 32, 8, 8)
    assert torch.allclose(net.layer1[1](maps), maps)
