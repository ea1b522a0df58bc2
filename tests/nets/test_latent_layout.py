"""The layout of Stable Diffusion 1.5: names, shapes and numbers of parameters, and the same answers as diffusers'."""

from __future__ import annotations

import hashlib

import pytest
import torch
from torch import nn

from hemascope.nets.latent_autoencoder import AutoencoderSize, LatentAutoencoder
from hemascope.nets.latent_unet import LatentUNet, UNetSize, time_waves

UNET = UNetSize(channels=(8, 16, 16), layers=1, heads=2, context_width=24, groups=4)
AUTOENCODER = AutoencoderSize(channels=(8, 16, 16), layers=1, groups=4)


def described(module: nn.Module) -> str:
    """Return the digest of all names and shapes of a module."""
    lines = (f"{name} {'x'.join(map(str, value.shape))}\n" for name, value in sorted(module.state_dict().items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def seeded(module: nn.Module, seed: int = 0) -> nn.Module:
    """Give every parameter a value that matters, biases and normalizations too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.named_parameters():
            if value.ndim > 1:
                value.normal_(std=value[0].numel() ** -0.5, generator=generator)
            else:
                value.normal_(mean=float(name.endswith("weight")), std=0.1, generator=generator)
    return module.eval()


def noise(*shape: int, seed: int = 7) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# Digests: of UNet2DConditionModel and AutoencoderKL of diffusers 0.42.1 under the published configuration.


def test_the_u_net_has_the_published_names_shapes_and_size() -> None:
    with torch.device("meta"):
        net = LatentUNet()
    assert sum(value.numel() for value in net.parameters()) == 859_520_964
    assert len(net.state_dict()) == 686
    assert described(net) == "1503dcc8197def8358aad3a9e54aa5d93e7e6410048170db0b1cdc2cb00a60a1"


def test_the_autoencoder_has_the_published_names_shapes_and_size() -> None:
    with torch.device("meta"):
        net = LatentAutoencoder()
    assert sum(value.numel() for value in net.parameters()) == 83_653_863
    assert len(net.state_dict()) == 248
    assert described(net) == "f7ac48fdd0003763c3556953106fb8832330e677539e73e3fbceb2f30203dde5"


@pytest.mark.parametrize("side", [4, 7, 8, 13])
def test_the_u_net_answers_as_diffusers_does(side: int) -> None:
    diffusers = pytest.importorskip("diffusers", reason="needs the extra 'reference'")
    net = seeded(LatentUNet(UNET))
    levels = len(UNET.channels)
    theirs = diffusers.UNet2DConditionModel(
        block_out_channels=UNET.channels,
        layers_per_block=UNET.layers,
        cross_attention_dim=UNET.context_width,
        attention_head_dim=UNET.heads,
        norm_num_groups=UNET.groups,
        down_block_types=("CrossAttnDownBlock2D",) * (levels - 1) + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * (levels - 1),
    ).eval()
    theirs.load_state_dict(net.state_dict(), strict=True)
    x, steps, context = noise(2, 4, side, side), torch.tensor([1, 998]), noise(2, 5, 24)
    with torch.no_grad():
        expected = theirs(x, steps, context).sample
        assert expected.std() > 0.1
        torch.testing.assert_close(net(x, steps, context), expected, rtol=1e-4, atol=1e-5)


def test_the_autoencoder_answers_as_diffusers_does() -> None:
    diffusers = pytest.importorskip("diffusers", reason="needs the extra 'reference'")
    net = seeded(LatentAutoencoder(AUTOENCODER))
    levels = len(AUTOENCODER.channels)
    theirs = diffusers.AutoencoderKL(
        block_out_channels=AUTOENCODER.channels,
        layers_per_block=AUTOENCODER.layers,
        norm_num_groups=AUTOENCODER.groups,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
    ).eval()
    theirs.load_state_dict(net.state_dict(), strict=True)
    images = noise(2, 3, 36, 36)
    with torch.no_grad():
        expected = theirs.encode(images).latent_dist
        mean, deviation = net.encode(images)
        decoded = theirs.decode(expected.mean).sample
        torch.testing.assert_close(mean, expected.mean, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(deviation, expected.std, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(net.decode(mean), decoded, rtol=1e-4, atol=1e-4)


def test_the_condition_and_the_step_matter() -> None:
    net = seeded(LatentUNet(UNET))
    x, context = noise(1, 4, 8, 8), noise(1, 5, 24)
    with torch.no_grad():
        answer = net(x, torch.tensor([500]), context)
        other_step = net(x, torch.tensor([501]), context)
        other_condition = net(x, torch.tensor([500]), -context)
    assert (answer - other_step).abs().max() > 1e-5
    assert (answer - other_condition).abs().max() > 1e-3


def test_one_row_of_condition_is_as_good_as_many_equal_ones() -> None:
    net = seeded(LatentUNet(UNET))
    x, row = noise(1, 4, 8, 8), noise(1, 1, 24)
    with torch.no_grad():
        alone, repeated = (net(x, torch.tensor([9]), row.expand(-1, rows, -1)) for rows in (1, 77))
    torch.testing.assert_close(alone, repeated, rtol=1e-4, atol=1e-5)


def test_saving_memory_leaves_answer_and_gradient_as_they_are() -> None:
    gradients = []
    for saves_memory in (False, True):
        net = seeded(LatentUNet(UNET, saves_memory=saves_memory))
        answer = net(noise(2, 4, 7, 7), torch.tensor([3, 900]), noise(2, 5, 24))
        answer.square().mean().backward()
        gradients.append([answer.detach(), *(value.grad for value in net.parameters())])
    for plain, saving in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, saving)


def test_neighboring_steps_are_told_apart_at_the_end_too() -> None:
    waves = time_waves(torch.tensor([0, 998, 999]), 8)
    assert waves.dtype == torch.float32
    assert waves[0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert (waves[1] - waves[2]).abs().max() > 0.5


@pytest.mark.parametrize("wrong", [{"channels": (8,)}, {"heads": 3}, {"groups": 5}])
def test_a_u_net_of_no_possible_size_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"levels|divide"):
        UNetSize(**({"channels": (8, 16), "heads": 2, "groups": 4} | wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"channels": ()}, {"groups": 5}])
def test_an_autoencoder_of_no_possible_size_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"level|divide"):
        AutoencoderSize(**({"channels": (8, 16), "groups": 4} | wrong))  # type: ignore[arg-type]


def test_a_latent_is_eight_times_smaller_as_published() -> None:
    assert AutoencoderSize().reduction == 8
    assert AUTOENCODER.reduction == 4
    with torch.no_grad():
        assert LatentAutoencoder(AUTOENCODER).encode(noise(1, 3, 36, 36))[0].shape == (1, 4, 9, 9)
