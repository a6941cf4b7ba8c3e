"""StyleGAN's layers and networks: against their formulas, against the published sizes, and while a side fades in."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from telldraw.blocks.growing import enlarge, faded, level_after, parts, shrink
from telldraw.blocks.style_discriminator import Discriminator
from telldraw.blocks.style_generator import Mapping, Sizes, Synthesis, mixed, normalised, truncated
from telldraw.blocks.style_layers import (
    HalvingBlock,
    ScaledConvolution,
    ScaledLinear,
    StyledLayer,
    adain,
    blur,
    deviation_of_group,
)
from telldraw.blocks.style_modulated import ResidualBlock, doubled, filtered, modulated
from telldraw.errors import TrainingError

SMALL: dict[str, Any] = {"noise_dim": 6, "style_dim": 6, "mapping_layers": 2, "width": 128, "widest": 8}
PAPER: dict[str, Any] = {"noise_dim": 512, "style_dim": 512, "width": 16384, "widest": 512}


def small(resolution: int = 32, **others: Any) -> Sizes:
    return Sizes(resolution=resolution, **(SMALL | others))


def lively(network: Any) -> Any:
    """The network with noise strengths and biases that are not zero."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith(("strength", "bias")):
                weight.copy_(torch.randn_like(weight))
    return network


def count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


# Layers


def test_adain_is_the_formula_of_the_paper() -> None:
    torch.manual_seed(0)
    x, scale, shift = torch.randn(3, 4, 5, 5) * 3 + 2, torch.randn(3, 4), torch.randn(3, 4)
    out = adain(x, scale, shift)
    for n in range(3):
        for c in range(4):
            own = x[n, c]
            wanted = (1 + scale[n, c]) * (own - own.mean()) / own.std(correction=0) + shift[n, c]
            torch.testing.assert_close(out[n, c], wanted, rtol=1e-4, atol=1e-5)


def test_what_is_scaled_keeps_the_size_of_what_passes() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 200)
    assert ScaledLinear(200, 300)(x).std().item() == pytest.approx(1.0, rel=0.05)
    assert ScaledLinear(200, 300, rate=0.01)(x).std().item() == pytest.approx(1.0, rel=0.05)
    conv = ScaledConvolution(40, 50, 3)
    out = F.leaky_relu(conv(torch.randn(8, 40, 12, 12))[..., 1:-1, 1:-1], 0.2)
    assert out.square().mean().item() == pytest.approx(1.0, rel=0.1)


def test_a_rate_makes_steps_of_adam_smaller_by_as_much() -> None:
    """Adam moves each weight by its step size; the function then moves by scale times that."""
    moved = []
    for rate in (1.0, 0.01):
        torch.manual_seed(0)
        layer = ScaledLinear(20, 20, rate=rate)
        before = (layer.weight * layer.scale).detach().clone()
        optimizer = torch.optim.Adam(layer.parameters(), 1e-3, (0.0, 0.99))
        layer(torch.randn(8, 20)).square().mean().backward()
        optimizer.step()
        moved.append((layer.weight * layer.scale - before).abs().mean().item())
    assert moved[1] == pytest.approx(0.01 * moved[0], rel=1e-2)


def test_blur_keeps_even_areas_and_spreads_a_point_as_the_kernel_says() -> None:
    point = torch.zeros(1, 2, 5, 5)
    point[0, 1, 2, 2] = 16
    out = blur(point)
    assert not out[0, 0].any()
    assert out[0, 1, 1:4, 1:4].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    assert bool((blur(torch.ones(1, 1, 6, 6))[..., 1:-1, 1:-1] == 1).all())


@pytest.mark.parametrize("side", [4, 16])
def test_enlarging_and_halving_in_one_are_the_same_as_in_two(side: int) -> None:
    """32 pictures of 4 pixels are 512 positions, where the joined kernel begins to be used."""
    torch.manual_seed(0)
    layer = StyledLayer(3, 5, 6, number={4: 2, 16: 6}[side])
    assert layer.conv is not None
    x, w = torch.randn(32, 3, side, side), torch.randn(32, 6)
    weight = layer.conv.weight * math.sqrt(2 / 27)
    apart = blur(F.conv2d(F.interpolate(x, scale_factor=2.0), weight, padding=1))
    scale, shift = layer.style(w).chunk(2, 1)
    wanted = adain(F.leaky_relu(apart, 0.2), scale, shift)
    torch.testing.assert_close(layer(x, w, "none"), wanted, rtol=1e-4, atol=1e-5)
    block = HalvingBlock(3, 5)
    hidden = blur(F.leaky_relu(F.conv2d(x, block.conv1.weight * math.sqrt(2 / 27), padding=1), 0.2))
    halved = F.avg_pool2d(F.conv2d(hidden, block.conv2.weight * math.sqrt(2 / 27), padding=1), 2)
    torch.testing.assert_close(block(x), F.leaky_relu(halved, 0.2), rtol=1e-4, atol=1e-5)


def test_a_layer_adds_noise_before_it_normalises() -> None:
    torch.manual_seed(0)
    layer = lively(StyledLayer(4, 4, 6, number=3))
    x, w = torch.randn(2, 4, 8, 8), torch.randn(2, 6)
    out = layer(x, w, "fixed")
    told = F.conv2d(x, layer.conv.weight * math.sqrt(2 / 36), padding=1)
    told = told + layer.noise * layer.strength.view(1, -1, 1, 1) + layer.bias.view(1, -1, 1, 1)
    scale, shift = layer.style(w).chunk(2, 1)
    torch.testing.assert_close(out, adain(F.leaky_relu(told, 0.2), scale, shift), rtol=1e-4, atol=1e-5)


def test_the_deviation_of_a_group_is_one_number_for_its_pictures() -> None:
    torch.manual_seed(0)
    x = torch.randn(8, 3, 4, 4)
    x[[1, 3, 5, 7]] = x[1].clone()  # one of the two groups of four shows one picture
    told = deviation_of_group(x, 4)
    assert told.shape == (8, 4, 4, 4) and torch.equal(told[:, :3], x)
    assert told[[1, 3, 5, 7], 3].max().item() == pytest.approx(1e-4, rel=1e-2)  # the root of epsilon
    wanted = x[[0, 2, 4, 6]].std(0, correction=0).mean()
    torch.testing.assert_close(told[[0, 2, 4, 6], 3], wanted.expand(4, 4, 4), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("count", "groups"), [(6, 2), (7, 7), (3, 1), (8, 2)])
def test_any_batch_is_shared_into_groups(count: int, groups: int) -> None:
    told = deviation_of_group(torch.randn(count, 2, 4, 4), 4)[:, 2, 0, 0]
    assert len(set(told.tolist())) == (groups if count != 7 else 1), "7 is prime: nobody is compared"


# Mapping, styles


def test_w_is_the_same_for_all_layers_or_each_has_its_own() -> None:
    torch.manual_seed(0)
    z = torch.randn(3, 6)
    one: Any = Mapping(small())
    own: Any = Mapping(small(repeat=False))
    w = one(z)
    assert w.shape == (3, 8, 6) and torch.equal(w[:, 0], w[:, 7])
    w = own(z)
    assert w.shape == (3, 8, 6) and not torch.equal(w[:, 0], w[:, 7])
    assert own.layers[-1].weight.shape == (8 * 6, 6)
    torch.testing.assert_close(one(5 * z), one(z), rtol=1e-4, atol=1e-5)  # z is normalised
    torch.testing.assert_close(normalised(z).square().mean(1), torch.ones(3), rtol=1e-4, atol=1e-5)


def test_w_avg_follows_the_mean() -> None:
    mapping = Mapping(small())
    w = torch.arange(6.0).expand(4, 8, 6)
    mapping.follow(w)
    torch.testing.assert_close(mapping.mean, 0.005 * w[0])
    for _ in range(2000):
        mapping.follow(w)
    torch.testing.assert_close(mapping.mean, w[0], rtol=1e-3, atol=1e-3)


def test_truncation_moves_the_first_layers_towards_the_mean() -> None:
    torch.manual_seed(0)
    w, mean = torch.randn(2, 12, 3), torch.randn(12, 3)
    half = truncated(w, mean, 0.5)
    torch.testing.assert_close(half[:, :8], (w[:, :8] + mean[:8]) / 2)
    assert torch.equal(half[:, 8:], w[:, 8:])
    torch.testing.assert_close(truncated(w, mean, 1.0), w)
    torch.testing.assert_close(truncated(w, mean, 0.0, layers=12), mean.expand(2, -1, -1))


@given(st.lists(st.integers(1, 8), min_size=1, max_size=6))
def test_styles_cross_over_where_they_are_told(crossovers: list[int]) -> None:
    one, two = torch.zeros(len(crossovers), 8, 2), torch.ones(len(crossovers), 8, 2)
    out = mixed(one, two, torch.tensor(crossovers))
    assert (out[:, :, 0] == 0).sum(1).tolist() == crossovers
    assert bool((out.diff(dim=1) >= 0).all()), "first one, then the other"


# Networks


@pytest.mark.parametrize(
    ("resolution", "repeat", "weights"),
    [(64, True, 25_137_936), (256, True, 26_086_230), (256, False, 29_500_758), (1024, True, 26_219_628)],
)
def test_version_1_is_as_large_as_the_published_ones(resolution: int, repeat: bool, weights: int) -> None:
    """Their count has one more: how far the network has grown is a weight there, and follows from what was seen."""
    sizes = Sizes(resolution=resolution, repeat=repeat, **PAPER)
    with torch.device("meta"):
        assert count(Mapping(sizes)) + count(Synthesis(sizes)) == weights - 1


@pytest.mark.parametrize(
    ("resolution", "width", "drawing", "judging"),
    [(256, 16384, 24_767_458, 24_001_089), (256, 32768, 30_034_338, 28_864_129), (1024, 32768, 30_370_060, 29_012_513)],
)
def test_version_2_is_as_large_as_the_published_ones(resolution: int, width: int, drawing: int, judging: int) -> None:
    sizes = replace(Sizes(version="2", resolution=resolution, **PAPER), width=width)
    with torch.device("meta"):
        assert count(Mapping(sizes)) + count(Synthesis(sizes)) == drawing
        assert count(Discriminator(sizes)) == judging


def test_noise_is_the_layers_own_new_or_none() -> None:
    torch.manual_seed(0)
    synthesis = lively(Synthesis(small()))
    w = torch.randn(2, 8, 6)
    own = synthesis(w)
    assert torch.equal(own, synthesis(w, noise="fixed"))
    assert not torch.equal(own, synthesis(w, noise="none"))
    assert not torch.equal(synthesis(w, noise="random"), synthesis(w, noise="random"))
    again: Any = Synthesis(small())
    for one, two in zip(synthesis.layers, again.layers, strict=True):
        assert torch.equal(one.noise, two.noise), "the same at each construction"
    assert not torch.equal(again.layers[2].noise, again.layers[3].noise)


@pytest.mark.parametrize("version", ["1", "2"])
def test_each_layer_is_told_its_own_w(version: Any) -> None:
    torch.manual_seed(0)
    synthesis = Synthesis(small(version=version))
    w = torch.randn(1, 8, 6)
    assert synthesis(w).shape == (1, 3, 32, 32)
    pictures = [synthesis(w)]
    for layer in range(8):
        other = w.clone()
        other[:, layer] = torch.randn(6)
        pictures.append(synthesis(other))
    assert all(not torch.equal(one, two) for n, one in enumerate(pictures) for two in pictures[:n])


def test_a_side_that_begins_to_fade_in_changes_nothing_and_one_that_has_is_alone() -> None:
    torch.manual_seed(0)
    synthesis, judge = lively(Synthesis(small())), lively(Discriminator(small()))
    w, image = torch.randn(4, 8, 6), torch.rand(4, 3, 32, 32) * 2 - 1
    for level in (3, 4):
        below, above = synthesis(w, level=level), synthesis(w, level=level + 1)
        torch.testing.assert_close(synthesis(w, level=level + 1e-7), below, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(synthesis(w, level=level + 1 - 1e-7), above, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(synthesis(w, level=level + 0.25), 0.75 * below + 0.25 * above, rtol=1e-4, atol=1e-4)
        for step in (1e-7, 1 - 1e-7):
            torch.testing.assert_close(
                judge(image, level=level + step), judge(image, level=level + round(step)), rtol=1e-3, atol=1e-3
            )
            torch.testing.assert_close(
                faded(image, level + step), faded(image, level + round(step)), rtol=1e-4, atol=1e-5
            )


def test_a_small_level_is_the_small_network_enlarged() -> None:
    torch.manual_seed(0)
    large, little = lively(Synthesis(small(32))), Synthesis(small(8))
    little.load_state_dict({key: value for key, value in large.state_dict().items() if key in little.state_dict()})
    w = torch.randn(2, 8, 6)
    wanted = little(w[:, :4])
    torch.testing.assert_close(large(w, level=3), F.interpolate(wanted, scale_factor=4.0), rtol=1e-5, atol=1e-5)
    called = []
    for number, layer in enumerate(large.layers):
        layer.register_forward_hook(lambda *_, number=number: called.append(number))
    large(w, level=3.5)
    assert called == [0, 1, 2, 3, 4, 5], "nothing finer is computed"


def test_a_judge_of_small_pictures_sees_nothing_finer() -> None:
    torch.manual_seed(0)
    judge = Discriminator(small())
    image = torch.rand(4, 3, 32, 32)
    coarse = enlarge(shrink(image, 8), 32)
    torch.testing.assert_close(judge(image, level=3), judge(coarse, level=3), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(judge(image), judge(coarse))


@given(st.integers(0, 400), st.integers(0, 50))
def test_levels_rise_from_the_first_side_to_the_last(seen: int, more: int) -> None:
    stable, fading = (30, 20), (10,)
    level = level_after(seen, 8, 64, stable, fading)
    assert 3 <= level <= level_after(seen + more, 8, 64, stable, fading) <= 6


def test_levels_are_what_the_schedule_says() -> None:
    levels = [level_after(seen, 8, 32, (30, 20), (10, 40)) for seen in (0, 29, 30, 35, 40, 59, 60, 70, 100, 5000)]
    assert levels == [3, 3, 3, 3.5, 4, 4, 4, 4.25, 5, 5]
    assert level_after(0, 32, 32, (30,), (10,)) == 5
    assert [parts(level) for level in (5.0, 5.25)] == [(5, 1.0), (6, 0.25)]


def test_gradients_of_gradients_reach_every_weight() -> None:
    torch.manual_seed(0)
    judge: Any = Discriminator(small())
    synthesis: Any = Synthesis(small())
    image = torch.rand(4, 3, 32, 32, requires_grad=True)
    (slope,) = torch.autograd.grad(judge(image, level=4.5).sum(), image, create_graph=True)
    slope.square().sum().backward()
    used = {name for name, weight in judge.named_parameters() if weight.grad is not None and weight.grad.any()}
    assert {"blocks.2.conv1.weight", "blocks.0.conv2.weight", "colours.2.conv.weight", "verdict.out.weight"} <= used
    w = torch.randn(2, 8, 6, requires_grad=True)
    (slope,) = torch.autograd.grad(synthesis(w).square().sum(), w, create_graph=True)
    slope.square().sum().backward()
    assert all(layer.style.weight.grad.any() for layer in synthesis.layers)


@pytest.mark.parametrize("version", ["1", "2"])
def test_the_slope_of_a_judgement_is_differentiated_rightly(version: Any) -> None:
    """Of both networks, against differences, in double precision."""
    torch.manual_seed(0)
    sizes = small(8, version=version)
    judge, synthesis = Discriminator(sizes).double(), Synthesis(sizes).double()
    image = torch.rand(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    w = torch.randn(1, 4, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(synthesis, (w,), eps=1e-5, atol=1e-4, fast_mode=True)
    hidden = lambda image: judge.blocks[0](judge.colours[-1](image))  # noqa: E731
    assert torch.autograd.gradgradcheck(hidden, (image,), eps=1e-5, atol=1e-4, fast_mode=True)


# Version 2


def literal(x: Tensor, weight: Tensor, style: Tensor) -> list[Tensor]:
    """Eq. 1 and 3: weights of its own for each picture."""
    own = weight[None] * style[:, None, :, None, None]
    return list(own / (own.square().sum((2, 3, 4), keepdim=True) + 1e-8).sqrt())


def test_scaling_maps_is_the_same_as_modulating_weights() -> None:
    torch.manual_seed(0)
    x, weight, style = torch.randn(3, 4, 7, 7), torch.randn(5, 4, 3, 3), torch.randn(3, 4)
    wanted = [F.conv2d(x[n : n + 1], own, padding=1) for n, own in enumerate(literal(x, weight, style))]
    torch.testing.assert_close(modulated(x, weight, style), torch.cat(wanted), rtol=1e-4, atol=1e-5)
    line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
    kernel = (line[:, None] * line).expand(5, 1, 4, 4)
    larger = [
        F.conv2d(F.conv_transpose2d(x[n : n + 1], own.transpose(0, 1), stride=2), kernel, padding=1, groups=5)
        for n, own in enumerate(literal(x, weight, style))
    ]
    out = modulated(x, weight, style, enlarges=True)
    assert out.shape == (3, 5, 14, 14)
    torch.testing.assert_close(out, torch.cat(larger), rtol=1e-4, atol=1e-5)


def test_what_is_demodulated_has_unit_variance_whatever_the_style() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(4, 64, 24, 24), torch.randn(48, 64, 3, 3)
    style = torch.randn(4, 64) * torch.tensor([0.01, 1.0, 5.0, 300.0])[:, None]
    inside = modulated(x, weight, style)[..., 1:-1, 1:-1]
    assert [each.std().item() for each in inside] == pytest.approx([1, 1, 1, 1], rel=0.05)


def test_the_kernel_of_version_2_keeps_even_areas_in_size_and_place() -> None:
    even = torch.full((1, 2, 8, 8), 0.7)
    torch.testing.assert_close(doubled(even)[..., 1:-1, 1:-1], torch.full((1, 2, 14, 14), 0.7))
    torch.testing.assert_close(filtered(even, padding=0), torch.full((1, 2, 5, 5), 0.7))
    slope = torch.arange(8.0).expand(1, 1, 8, 8)
    torch.testing.assert_close(doubled(slope)[0, 0, 4, 2:-2], torch.arange(12) / 2 + 0.75)  # places of the centres


def test_the_colours_of_a_side_are_added_to_those_before() -> None:
    torch.manual_seed(0)
    synthesis = lively(Synthesis(small(16, version="2")))
    w = torch.randn(2, 6, 6)
    assert len(synthesis.layers) == 5 and synthesis.sizes.layers == 6
    x = synthesis.layers[0](synthesis.const.expand(2, -1, -1, -1), w[:, 0], "fixed")
    image = synthesis.colours[0](x, w[:, 1])
    for side in (1, 2):
        x = synthesis.layers[2 * side - 1](x, w[:, 2 * side - 1], "fixed")
        x = synthesis.layers[2 * side](x, w[:, 2 * side], "fixed")
        image = doubled(image) + synthesis.colours[side](x, w[:, 2 * side + 1])
    torch.testing.assert_close(synthesis(w), image)


def test_a_residual_block_keeps_the_size_of_what_passes() -> None:
    torch.manual_seed(0)
    out = ResidualBlock(32, 32)(torch.randn(8, 32, 16, 16))
    assert out.shape == (8, 32, 8, 8)
    assert 0.1 < out.square().mean().item() < 2


# Version 1 and 2: what is refused


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"resolution": 48}, "--config.resolution 48: choose one of 8, 16, 32, 64"),
        ({"width": 16}, "--config.width 16 leaves maps of 64 pixels"),
        ({"style_dim": 0}, "--config.style-dim 0"),
    ],
)
def test_sizes_that_cannot_be_are_refused_in_a_sentence(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(TrainingError, match=named):
        Sizes(**settings)


def test_a_picture_alone_has_the_gradients_it_has_among_others() -> None:
    """`instance_norm` of one picture has wrong ones where weights are channels last, as loaded ones are."""
    torch.manual_seed(0)
    synthesis: Any = Synthesis(Sizes(width=1024)).requires_grad_(False)
    synthesis.to(memory_format=torch.channels_last)
    codes = torch.randn(2, 10, 128)

    def gradient(count: int) -> Tensor:
        w = codes[:count].clone().requires_grad_()
        (found,) = torch.autograd.grad(synthesis(w).square().sum(), w)
        return found[0]

    assert torch.allclose(gradient(1), gradient(2), rtol=1e-3, atol=1e-4 * float(gradient(2).abs().max()))
