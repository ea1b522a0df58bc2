"""Networks of timm behind our port, and ours against timm's. Skipped where timm is not installed."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from published_layout import built, random_state  # noqa: E402

from hemascope.core.errors import WeightsError  # noqa: E402
from hemascope.nets.vit import VIT_SIZES, VisionTransformer, VitSize  # noqa: E402
from hemascope.train.published import load_strictly  # noqa: E402
from hemascope.train.published_nets import IMAGENET, ClassAndPatches, build_published, input_side  # noqa: E402


@pytest.fixture(scope="module")
def timm() -> Any:
    try:
        import timm
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"needs the extra 'timm', with the torchvision of this torch: {error}")
    return timm


@pytest.mark.parametrize(
    ("name", "dimension", "side"),
    [
        ("resnet18.a1_in1k", 512, 224),
        ("vit_tiny_patch16_224.augreg_in21k_ft_in1k", 192, 224),
        ("vit_tiny_patch16_384.augreg_in21k_ft_in1k", 192, 384),
    ],
)
def test_a_published_classifier_becomes_an_encoder(name: str, dimension: int, side: int, timm: Any) -> None:
    published = timm.create_model(name, pretrained=False).eval()
    net = build_published("timm", name, published.state_dict(), "file")
    assert input_side(net) == side
    pixels = torch.rand(2, 3, side, side)
    ours, theirs = ([torch.tensor(v).view(3, 1, 1) for v in pair] for pair in (IMAGENET, _normalization(published)))
    published.reset_classifier(0)
    with torch.no_grad():
        found = net((pixels - ours[0]) / ours[1])
        expected = published((pixels - theirs[0]) / theirs[1])
    assert found.shape == (2, dimension)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def _normalization(net: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return net.pretrained_cfg["mean"], net.pretrained_cfg["std"]


@pytest.mark.parametrize("name", ["crystal_ball.x", "resnet18.crystal_ball"])
def test_a_name_that_timm_does_not_know_is_said(name: str, timm: Any) -> None:
    with pytest.raises(WeightsError, match="timm has no model"):
        build_published("timm", name, {}, "file")


def test_tensors_of_another_network_are_refused(timm: Any) -> None:
    state = timm.create_model("resnet18.a1_in1k", pretrained=False).state_dict()
    with pytest.raises(WeightsError, match="another layout"):
        build_published("timm", "resnet34.a1_in1k", state, "file")


def test_timms_dinov2_equals_ours(timm: Any) -> None:
    size = VIT_SIZES["s"]
    state = {name: value for name, value in random_state(size).items() if name != "mask_token"}
    theirs = timm.create_model("vit_small_patch14_dinov2.lvd142m", pretrained=False, img_size=224, num_classes=0).eval()
    theirs.load_state_dict(state, strict=True)
    image = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(built(size)(image), theirs(image), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_unis_layout_is_ours_of_another_patch(timm: Any) -> None:
    theirs = timm.create_model("vit_large_patch16_224", pretrained=False, init_values=1e-5, num_classes=0).eval()
    ours = VisionTransformer(VitSize.parse("1024x24x16/16")).eval()
    load_strictly(ours, theirs.state_dict(), "file")
    image = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), theirs(image), rtol=1e-4, atol=1e-4)


def test_virchow2s_embedding_is_class_token_and_mean_of_patches_without_registers() -> None:
    tokens = torch.arange(2 * 8 * 3, dtype=torch.float32).view(2, 8, 3)
    found = ClassAndPatches(torch.nn.Identity(), registers=4)(tokens)
    torch.testing.assert_close(found, torch.cat((tokens[:, 0], tokens[:, 5:].mean(dim=1)), dim=1))
