"""Parts of networks against their definitions."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from telldraw.blocks import residual
from telldraw.blocks.attention import SelfAttention
from telldraw.blocks.conditioning import ConditioningAugmentation
from telldraw.blocks.maxout import Maxout
from telldraw.blocks.normalization import ConditionalBatchNorm, spectral_norm
from telldraw.blocks.residual import SLOPE, DownBlock, UpBlock, convolution
from telldraw.blocks.sentence import SentenceEncoder


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def shaken(module: nn.Module) -> nn.Module:
    """Every weight moved away from its start, where some layers are the identity."""
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return module


# --- conditional batch norm ---------------------------------------------------------------------------------------


def test_conditional_batch_norm_starts_as_plain_batch_norm() -> None:
    ours, plain = ConditionalBatchNorm(5, 3), nn.BatchNorm2d(5, affine=False)
    features = 2 + 3 * torch.randn(4, 5, 6, 6)
    for condition in (torch.zeros(4, 3), 100 * torch.randn(4, 3)):
        torch.testing.assert_close(ours(features, condition), plain(features))
    torch.testing.assert_close(ours.eval()(features, torch.randn(4, 3)), plain.eval()(features))


def test_conditional_batch_norm_scales_by_one_plus_gamma_and_shifts_by_beta() -> None:
    block = shaken(ConditionalBatchNorm(5, 3))
    assert isinstance(block, ConditionalBatchNorm)
    features, condition = torch.randn(4, 5, 6, 6), torch.randn(4, 3)
    gamma, beta = (condition @ block.modulation.weight.T + block.modulation.bias).split(5, dim=1)
    centred = features - features.mean((0, 2, 3), keepdim=True)
    normed = centred / (features.var((0, 2, 3), keepdim=True, correction=0) + 1e-5).sqrt()
    expected = (1 + gamma)[:, :, None, None] * normed + beta[:, :, None, None]
    torch.testing.assert_close(block(features, condition), expected)


# --- spectral norm ------------------------------------------------------------------------------------------------


def largest(layer: nn.Conv2d | nn.Linear) -> float:
    return torch.linalg.svdvals(layer.weight.detach().flatten(1))[0].item()


def test_spectral_norm_keeps_the_largest_singular_value_at_one_while_weights_move() -> None:
    layer = spectral_norm(nn.Conv2d(6, 8, 3))
    start = layer.weight.detach().clone()
    optimizer = torch.optim.Adam(layer.parameters(), 1e-3)
    target = torch.randn(8, 1, 1)
    for _ in range(120):
        image = torch.randn(4, 6, 6, 6)
        (layer(image) - target).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    layer.eval()
    assert (layer.weight - start).norm() > 0.1 * start.norm()
    assert largest(layer) == pytest.approx(1, abs=0.01)


def test_a_fresh_spectral_norm_is_nearly_right_and_soon_right() -> None:
    for layer in (spectral_norm(nn.Conv2d(16, 32, 3)), spectral_norm(nn.Linear(40, 1)), spectral_norm(nn.Linear(7, 9))):
        assert largest(layer.eval()) == pytest.approx(1, abs=0.05)
        layer.train()
        for _ in range(50):
            assert layer.weight is not None  # each use is a step of the iteration
        assert largest(layer.eval()) == pytest.approx(1, abs=0.01)


def test_spectral_norm_differentiates_through_its_sigma() -> None:
    """Scaling the weight changes nothing, so the gradient along the weight is 0."""
    layer = spectral_norm(nn.Linear(5, 4))
    layer(torch.randn(3, 5)).square().sum().backward()
    weight = layer.parametrizations["weight"].original  # type: ignore[index]
    assert weight.grad.abs().max() > 1e-3
    assert (weight.grad * weight).sum().item() == pytest.approx(0, abs=1e-4)


def test_spectral_norm_iterates_in_training_only() -> None:
    layer = spectral_norm(nn.Linear(5, 4))
    shaken(layer)
    before = {name: buffer.clone() for name, buffer in layer.named_buffers()}
    layer.eval()
    layer(torch.randn(2, 5))
    assert all(torch.equal(buffer, before[name]) for name, buffer in layer.named_buffers())
    layer.train()
    layer(torch.randn(2, 5))
    assert not any(torch.equal(buffer, before[name]) for name, buffer in layer.named_buffers())


def test_spectral_norm_stays_in_float32_under_autocast() -> None:
    layer = spectral_norm(nn.Conv2d(6, 8, 3))
    plain = layer.eval().weight.detach()
    with torch.autocast("cpu", torch.bfloat16):
        inside = layer.weight
        assert layer(torch.randn(1, 6, 4, 4)).dtype == torch.bfloat16
    assert inside.dtype == torch.float32
    assert torch.equal(inside, plain)


def test_one_graph_survives_the_next_use() -> None:
    layer, features = spectral_norm(nn.Linear(5, 4)), torch.randn(2, 5)
    (weight,) = [each for name, each in layer.named_parameters() if "weight" in name]
    first = layer(features).square().sum()
    (alone,) = torch.autograd.grad(first, weight, retain_graph=True)
    layer(torch.randn(2, 5))  # another iteration, which must not change what the first graph needs
    (after,) = torch.autograd.grad(first, weight)
    assert torch.equal(after, alone) and alone.abs().max() > 0


# --- attention ----------------------------------------------------------------------------------------------------


def test_attention_is_the_identity_at_first_and_learns_its_gate() -> None:
    block, features = SelfAttention(16), torch.randn(2, 16, 4, 6)
    out = block(features)
    assert torch.equal(out, features)
    out.square().sum().backward()
    assert block.gamma.grad is not None and block.gamma.grad.abs() > 0


def test_attention_is_a_softmax_over_positions() -> None:
    block, features = SelfAttention(16).eval(), torch.randn(2, 16, 4, 6)
    nn.init.constant_(block.gamma, 0.7)
    query, key, value = (layer(features).flatten(2) for layer in (block.query, block.key, block.value))
    assert query.shape[1] == 2  # an eighth of the channels
    expected = torch.empty_like(value)
    for image in range(2):
        for i in range(24):
            scores = torch.stack([query[image, :, i] @ key[image, :, j] for j in range(24)])
            expected[image, :, i] = value[image] @ (scores.exp() / scores.exp().sum())
    torch.testing.assert_close(block(features), features + 0.7 * expected.unflatten(2, (4, 6)), rtol=1e-4, atol=1e-5)


# --- residual blocks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize("attention", [False, True])
def test_an_up_block_doubles_and_its_shortcut_may_go_first(spectral: bool, attention: bool) -> None:
    block = shaken(UpBlock(6, 4, 3, spectral=spectral, attention=attention)).eval()
    assert isinstance(block, UpBlock)
    features, condition = torch.randn(2, 6, 5, 5), torch.randn(2, 3)

    def twice(x: Tensor) -> Tensor:
        return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    branch = block.conv1(twice(F.leaky_relu(block.norm1(features, condition), SLOPE)))
    branch = block.conv2(F.leaky_relu(block.norm2(branch, condition), SLOPE))
    branch = branch if block.attention is None else block.attention(branch)
    out = block(features, condition)
    assert out.shape == (2, 4, 10, 10)
    torch.testing.assert_close(out, block.shortcut(twice(features)) + branch, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("attention", [False, True])
def test_a_down_block_halves_and_its_shortcut_may_go_last(first: bool, attention: bool) -> None:
    block = shaken(DownBlock(6, 4, first=first, spectral=True, attention=attention)).eval()
    assert isinstance(block, DownBlock) and block.shortcut is not None
    features = torch.randn(2, 6, 8, 8)
    branch = block.conv1(features if first else F.leaky_relu(features, SLOPE))
    branch = F.avg_pool2d(block.conv2(F.leaky_relu(branch, SLOPE)), 2)
    branch = branch if block.attention is None else block.attention(branch)
    out = block(features)
    assert out.shape == (2, 4, 4, 4)
    torch.testing.assert_close(out, F.avg_pool2d(block.shortcut(features), 2) + branch, rtol=1e-4, atol=1e-5)


def test_a_block_that_keeps_everything_has_an_identity_shortcut() -> None:
    block = DownBlock(6, 6, down=False, spectral=False)
    nn.init.zeros_(block.conv2.weight)
    features = torch.randn(2, 6, 4, 4)
    assert block.shortcut is None
    assert torch.equal(block(features), features)
    assert DownBlock(6, 8, down=False, spectral=False)(features).shape == (2, 8, 4, 4)


def test_a_convolution_keeps_the_resolution_and_starts_as_glorot() -> None:
    layer = convolution(64, 48, 3, spectral=False)
    assert layer(torch.randn(1, 64, 5, 7)).shape == (1, 48, 5, 7)
    assert layer.bias is None
    assert layer.weight.var().item() == pytest.approx(2 * 2 / ((64 + 48) * 9), rel=0.05)


# --- sentences and conditions -------------------------------------------------------------------------------------


def test_a_sentence_does_not_depend_on_padding_or_neighbours() -> None:
    encoder = shaken(SentenceEncoder(10, 4, 8)).eval()
    long, short = torch.tensor([[3, 4, 5, 6, 7, 8]]), torch.tensor([[2, 9]])
    padded = F.pad(short, (0, 4))
    torch.testing.assert_close(encoder(padded), encoder(short))
    torch.testing.assert_close(encoder(torch.cat([long, padded])), torch.cat([encoder(long), encoder(short)]))
    assert not torch.allclose(encoder(short), encoder(short.flip(1)), atol=1e-3)


def test_a_sentence_is_two_last_states_normed() -> None:
    encoder = SentenceEncoder(10, 4, 8)
    words = torch.tensor([[3, 4, 5]])
    _, last = encoder.gru(encoder.words(words))
    expected = torch.cat([last[0], last[1]], dim=1)
    torch.testing.assert_close(encoder(words), F.layer_norm(expected, (8,)))


def test_a_sentence_without_words_is_one_padding_word() -> None:
    encoder = SentenceEncoder(10, 4, 8)
    out = encoder(torch.zeros(2, 3, dtype=torch.long))
    assert bool(out.isfinite().all())
    torch.testing.assert_close(out[0], encoder(torch.zeros(1, 1, dtype=torch.long))[0])


def test_padding_is_never_learnt() -> None:
    encoder = SentenceEncoder(10, 4, 8)
    encoder(torch.tensor([[3, 0], [0, 0]])).square().sum().backward()
    grad = encoder.words.weight.grad
    assert grad is not None and not grad[0].any() and grad[3].any()


def test_augmentation_without_noise_is_the_mean_and_with_it_has_the_stated_spread() -> None:
    block = shaken(ConditioningAugmentation(6, 4))
    condition = torch.randn(1, 6)
    code, mean, logvar = block(condition, torch.zeros(1, 4))
    assert torch.equal(code, mean)
    assert bool((mean < 0).any()) and bool((logvar != 0).all())
    codes = block(condition.expand(20_000, -1), torch.randn(20_000, 4))[0]
    torch.testing.assert_close(codes.mean(0), mean[0], rtol=0, atol=0.05)
    torch.testing.assert_close(codes.var(0).log(), logvar[0], rtol=0, atol=0.05)


def test_augmentation_is_in_float32_under_autocast() -> None:
    block = ConditioningAugmentation(6, 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert {part.dtype for part in block(torch.randn(2, 6), torch.randn(2, 4))} == {torch.float32}


@pytest.mark.parametrize("batch", [1, 40])  # below and above FEW positions
def test_resampling_and_convolution_together_equal_one_after_the_other(batch: int) -> None:
    features, weight = torch.randn(batch, 6, 8, 8), torch.randn(5, 6, 3, 3)
    assert (batch * 4 * 4 < residual.FEW) == (batch == 1)
    doubled = F.conv2d(features.repeat_interleave(2, 2).repeat_interleave(2, 3), weight, padding=1)
    torch.testing.assert_close(residual.double_and_convolve(features, weight), doubled, rtol=1e-4, atol=1e-4)
    halved = F.conv2d(features, weight, padding=1).unflatten(3, (4, 2)).unflatten(2, (4, 2)).mean((3, 5))
    torch.testing.assert_close(residual.convolve_and_halve(features, weight), halved, rtol=1e-4, atol=1e-4)


# --- maxout -------------------------------------------------------------------------------------------------------


def test_a_maxout_unit_is_the_largest_of_its_own_pieces() -> None:
    block, x = Maxout(4, units=3, pieces=5), torch.randn(7, 4)
    weight, bias = block.linear.weight.view(3, 5, 4), block.linear.bias.view(3, 5)
    expected = torch.stack([(x @ weight[unit].T + bias[unit]).max(1).values for unit in range(3)], 1)
    torch.testing.assert_close(block(x), expected)


def test_two_maxout_pieces_can_be_the_absolute_value() -> None:
    block = Maxout(1, units=1, pieces=2)
    with torch.no_grad():
        block.linear.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        block.linear.bias.zero_()
    x = torch.linspace(-2, 2, 9)[:, None]
    assert torch.equal(block(x), x.abs())
