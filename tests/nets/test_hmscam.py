"""HMSCAM: exact sizes, and what each part does, by known answers."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from hemascope.nets.alexnet import PARAMETERS, AlexNet  # noqa: E402
from hemascope.nets.grad_cam import grad_cam  # noqa: E402
from hemascope.nets.hmscam import (  # noqa: E402
    AttentionModules,
    ChannelAttention,
    Gates,
    Hmscam,
    NonLocalBlock,
    SpatialAttention,
)

C = 2048
"""Channels of the last stage of ResNet50."""


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_parts_have_the_sizes_of_the_reconstruction() -> None:
    with torch.device("meta"):
        assert parameters(ChannelAttention(C)) == sum(2 * C * (C // r) + C // r + C for r in (16, 32)) == 790_720
        assert parameters(NonLocalBlock(C)) == 4 * (C * C + C) == 16_785_408
        assert parameters(SpatialAttention()) == sum(2 * k * k + 1 for k in (3, 5, 7)) == 169
        assert parameters(Gates(C)) == C * 256 + 256 + 256 * 2 + 2 == 525_058


@pytest.mark.parametrize(
    ("heads", "modules_and_heads", "all_of_it"),
    [((4,), 18_109_551, 41_617_583), ((2,), 18_105_453, 41_613_485), ((4, 2), 18_113_649, 41_621_681)],
)
def test_modules_and_head_are_18_11_million_and_all_of_it_41_6(
    heads: tuple[int, ...], modules_and_heads: int, all_of_it: int
) -> None:
    with torch.device("meta"):
        net = Hmscam(heads)
        assert parameters(net.attention) + parameters(net.heads) == modules_and_heads
        assert round(modules_and_heads / 1e6, 1) == 18.1
        assert parameters(net) == all_of_it
        assert parameters(Hmscam(heads, pooling="mean_max")) == all_of_it
        assert parameters(Hmscam(heads, last_stride=1)) == all_of_it


def test_every_part_can_be_switched_off() -> None:
    with torch.device("meta"):
        plain = parameters(Hmscam((4,), msca=False, csa=False, dar=False))
        assert plain == 23_508_032 + 2048 * 4 + 4
        assert parameters(Hmscam((4,), csa=False, dar=False)) == plain + 790_720
        assert parameters(Hmscam((4,), msca=False, dar=False)) == plain + 16_785_408 + 169
        assert parameters(Hmscam((4,), msca=False, csa=False)) == plain + 525_058


def maps_of(channels: int = 64) -> torch.Tensor:
    return torch.rand(3, channels, 4, 5, generator=torch.Generator().manual_seed(0))


def test_gates_without_attention_do_nothing_whatever_they_learned() -> None:
    torch.manual_seed(0)
    modules = AttentionModules(64, msca=False, csa=False)
    with torch.no_grad():
        for parameter in modules.parameters():
            parameter.normal_()
    maps = maps_of()
    seen = modules(maps)
    assert seen.gates is not None
    assert float(seen.gates.detach().std()) > 0.01
    assert torch.allclose(seen.maps, 2 * maps, atol=1e-5)


def test_without_parts_maps_stay_as_they_are() -> None:
    maps = maps_of()
    seen = AttentionModules(64, msca=False, csa=False, dar=False)(maps)
    assert torch.equal(seen.maps, maps)
    assert (seen.channel, seen.spatial, seen.gates) == (None, None, None)


def test_the_whole_is_the_sum_it_is_said_to_be() -> None:
    torch.manual_seed(1)
    modules, maps = AttentionModules(64), maps_of()
    with torch.no_grad():
        modules.context.w.weight.normal_(std=0.1)  # type: ignore[union-attr]
    seen = modules(maps)
    z = modules.context(maps)  # type: ignore[misc]
    gates = torch.softmax(modules.dar.mlp(maps.mean(dim=(2, 3))), dim=1)  # type: ignore[union-attr]
    wanted = (
        maps
        + gates[:, 0, None, None, None] * seen.channel[:, :, None, None] * maps
        + gates[:, 1, None, None, None] * seen.spatial[:, None] * z
    )
    assert torch.allclose(seen.maps, wanted, atol=1e-5)
    assert torch.allclose(seen.gates.sum(dim=1), torch.ones(3))
    for weights in (seen.channel, seen.spatial):
        assert float(weights.detach().min()) > 0
        assert float(weights.detach().max()) < 1


def test_a_non_local_block_is_the_formula_and_starts_as_the_identity() -> None:
    torch.manual_seed(0)
    block, maps = NonLocalBlock(8), maps_of(8)
    assert torch.equal(block(maps), maps)
    with torch.no_grad():
        block.w.weight.normal_()
    weights = block.affinity(maps)
    assert torch.allclose(weights.sum(dim=2), torch.ones(3, 20))
    flat = maps.flatten(2)

    def project(layer: torch.nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
        return torch.einsum("oc,nci->noi", layer.weight[:, :, 0, 0], x) + layer.bias[None, :, None]

    theta, phi, g = (project(layer, flat) for layer in (block.theta, block.phi, block.g))
    mixed = g @ torch.softmax(theta.transpose(1, 2) @ phi / 8**0.5, dim=2).transpose(1, 2)
    assert torch.allclose(block(maps).flatten(2), flat + project(block.w, mixed), atol=1e-4)


def test_both_perceptrons_see_the_maximum_where_asked() -> None:
    torch.manual_seed(0)
    attention, maps = ChannelAttention(64), maps_of()
    plain = attention(maps)
    attention.pooling = "mean_max"
    logits = sum(scale(s) for scale in attention.scales for s in (maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))))
    assert torch.allclose(attention(maps)[:, :, 0, 0], torch.sigmoid(logits), atol=1e-6)
    assert not torch.allclose(attention(maps), plain)


def test_two_heads_stand_on_one_backbone() -> None:
    net = Hmscam((4, 2), width=8).eval()
    subtypes, malignant = net(torch.rand(2, 3, 64, 64))
    assert (subtypes.shape, malignant.shape) == ((2, 4), (2, 2))


def test_alexnet_is_as_large_as_published() -> None:
    with torch.device("meta"):
        assert parameters(AlexNet()) == PARAMETERS
    layers = {name.rsplit(".", 1)[0] for name in AlexNet(width=8).state_dict()}
    assert layers == {f"features.{i}" for i in (0, 3, 6, 8, 10)} | {f"classifier.{i}" for i in (1, 4, 6)}
    assert AlexNet(None, width=8).eval()(torch.rand(1, 3, 64, 64)).shape == (1, 512)


def test_grad_cam_of_a_pooled_linear_head_is_its_class_activation_map() -> None:
    maps = maps_of(6) - 0.3
    weight = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    cam = grad_cam(maps, lambda a: (a.mean(dim=(2, 3)) @ weight.T)[:, 2], normalize=False)
    assert torch.allclose(cam, torch.einsum("c,nchw->nhw", weight[2] / 20, maps).clamp(min=0), atol=1e-6)
    shown = grad_cam(maps, lambda a: (a.mean(dim=(2, 3)) @ weight.T)[:, 2])
    assert float(shown.min()) >= 0
    assert float(shown.max()) <= 1


def test_grad_cam_of_what_speaks_against_a_class_is_empty() -> None:
    shown = grad_cam(torch.ones(1, 2, 3, 3), lambda a: -a.sum(dim=(1, 2, 3)))
    assert torch.equal(shown, torch.zeros(1, 3, 3))
