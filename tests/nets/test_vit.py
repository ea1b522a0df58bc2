"""The Vision Transformer against the published layout and against an independent implementation of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from published_layout import TINY, TINY_GATED, as_transformers, built, layout, random_state  # noqa: E402

from hemascope.nets.vit import VIT_SIZES, VisionTransformer, VitSize  # noqa: E402

GATED_LIKE_G = VitSize(1536, 1, 24, gated=True)


@pytest.mark.parametrize("size", [*VIT_SIZES.values(), TINY, TINY_GATED], ids=[*VIT_SIZES, "tiny", "tiny_gated"])
def test_the_layout_is_the_published_one(size: VitSize) -> None:
    with torch.device("meta"):
        net = VisionTransformer(size)
    assert {name: tuple(value.shape) for name, value in net.state_dict().items()} == layout(size)


@pytest.mark.parametrize(
    ("name", "count"), [("s", 22_056_576), ("b", 86_580_480), ("l", 304_368_640), ("g", 1_136_480_768)]
)
def test_at_dinov2s_own_resolution_the_sizes_are_those_of_dinov2(name: str, count: int) -> None:
    with torch.device("meta"):
        net = VisionTransformer(replace(VIT_SIZES[name], image_px=518))
    assert sum(p.numel() for p in net.parameters()) == count


@pytest.mark.parametrize("size", [TINY, TINY_GATED], ids=["plain", "gated"])
def test_an_embedding_is_the_class_token_of_one_image_alone(size: VitSize) -> None:
    net, images = built(size), torch.randn(3, 3, 224, 224)
    with torch.no_grad():
        together, tokens = net(images), net.tokens(images)
        alone = torch.cat([net(image[None]) for image in images])
    assert together.shape == (3, size.dimension)
    assert tokens.shape == (3, 257, size.dimension)
    assert torch.equal(tokens[:, 0], together)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_every_tensor_but_the_mask_matters() -> None:
    net, image = built(TINY), torch.randn(1, 3, 224, 224)
    net(image).square().sum().backward()
    still = {name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()}
    assert still == {"mask_token"}


@pytest.mark.parametrize(("dimension", "heads", "patch"), [(30, 4, 14), (32, 4, 15)])
def test_sizes_that_do_not_divide_are_refused(dimension: int, heads: int, patch: int) -> None:
    with pytest.raises(ValueError, match="must divide"):
        VitSize(dimension, 1, heads, patch_px=patch)


@pytest.mark.parametrize("size", [*VIT_SIZES.values(), TINY, TINY_GATED, VitSize(1024, 24, 16, patch_px=16)], ids=str)
def test_a_size_is_read_from_what_it_is_written_as(size: VitSize) -> None:
    assert VitSize.parse(str(size)) == size


def test_the_size_of_the_smallest_is_written_so() -> None:
    assert str(VIT_SIZES["s"]) == "384x12x6/14"
    assert str(VIT_SIZES["g"]) == "gated 1536x40x24/14"


@pytest.mark.parametrize("text", ["", "s", "384x12x6", "384x12/14", "gated384x12x6/14", "384x12x6/14 "])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        VitSize.parse(text)


@pytest.mark.parametrize(
    "size",
    [
        TINY,
        TINY_GATED,
        pytest.param(VIT_SIZES["s"], marks=pytest.mark.slow),
        pytest.param(VIT_SIZES["b"], marks=pytest.mark.slow),
        pytest.param(GATED_LIKE_G, marks=pytest.mark.slow),
    ],
    ids=["tiny", "tiny_gated", "s", "b", "one_block_of_g"],
)
def test_embeddings_equal_those_of_an_independent_implementation(size: VitSize) -> None:
    transformers = pytest.importorskip("transformers", reason="needs the extra 'reference'")
    config = transformers.Dinov2Config(
        hidden_size=size.dimension,
        num_hidden_layers=size.depth,
        num_attention_heads=size.heads,
        image_size=224,
        patch_size=14,
        use_swiglu_ffn=size.gated,
    )
    theirs = transformers.Dinov2Model(config).eval()
    theirs.load_state_dict(as_transformers(random_state(size), size), strict=True)
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        expected = theirs(pixel_values=images).last_hidden_state[:, 0]
        found = built(size)(images)
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
