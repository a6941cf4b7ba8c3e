"""The gated PixelCNN: order, caches, likelihood; and the plain autoregressive model of pixels."""

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from telldraw import systems
from telldraw.batches import PictureFacts, Pictures
from telldraw.blocks.pixelcnn import CausalAttention, PixelCNN, pick
from telldraw.errors import TrainingError
from telldraw.objectives.codes import bits_per_dimension, code_nats
from telldraw.training.update import Update

FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "label": {"vector_dim": 3},
    "map": {"map_dim": 4},
    "attention": {"attention_every": 1},
    "all": {"vector_dim": 3, "map_dim": 4, "attention_every": 2, "kernel": 5},
    "amounts": {"ordinal": True, "first_kernel": 3},
}
"""Each way in which the network can be told something, and its sizes."""
HEIGHT, WIDTH, LEVELS = 5, 6, 4


def network(form: str, size: tuple[int, int] = (HEIGHT, WIDTH), seed: int = 0) -> PixelCNN:
    torch.manual_seed(seed)
    net = PixelCNN(LEVELS, size, channels=8, layers=3, **FORMS[form])
    with torch.no_grad():
        for weight in net.parameters():  # so that nothing is zero, and what is told is heard
            weight.add_(0.2 * torch.randn_like(weight))
    return net.eval()


def told(form: str, count: int, size: tuple[int, int] = (HEIGHT, WIDTH)) -> tuple[Tensor | None, Tensor | None]:
    vector = torch.randn(count, 3) if "vector_dim" in FORMS[form] else None
    map = torch.randn(count, 4, *size) if "map_dim" in FORMS[form] else None
    return vector, map


@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_logits_at_a_position_depend_on_all_earlier_codes_and_on_no_others(form: str) -> None:
    net, (vector, map) = network(form), told(form, 1)
    codes = torch.randint(LEVELS, (1, HEIGHT, WIDTH))
    logits = net(codes, vector, map)
    positions = HEIGHT * WIDTH
    heard = torch.zeros(positions, positions, dtype=torch.bool)  # [changed, logits]
    for changed in range(positions):
        for other in range(1, LEVELS):  # one other code might happen to make no difference
            varied = codes.clone()
            varied.view(-1)[changed] = (varied.view(-1)[changed] + other) % LEVELS
            difference = (net(varied, vector, map) - logits).abs().amax((0, 1)).flatten()
            heard[changed] |= difference > 1e-6
    assert not bool(heard.tril().any()), "a position hears itself or a later one"
    # three layers and the first reach over the whole of so small a map, but for kernels of 3 throughout
    if form != "amounts":
        assert bool(heard[torch.triu(torch.ones(positions, positions), 1).bool()].all()), "a blind spot"


def test_gradients_come_from_earlier_positions_alone() -> None:
    net = network("attention")
    features = torch.randn(1, HEIGHT, WIDTH, 8, requires_grad=True)
    net.features = lambda codes: features  # type: ignore[method-assign]
    logits = net(torch.zeros(1, HEIGHT, WIDTH, dtype=torch.long))
    for row, column in itertools.product(range(HEIGHT), range(WIDTH)):
        (gradient,) = torch.autograd.grad(logits[0, :, row, column].sum(), features, retain_graph=True)
        reached = gradient.abs().sum(-1).flatten() > 0
        before = row * WIDTH + column
        assert not bool(reached[before:].any())
        assert bool(reached[:before].all())


@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (1, 7), (7, 1), (4, 4)], ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_sampling_with_caches_gives_what_sampling_naively_gives(form: str, size: tuple[int, int]) -> None:
    net, (vector, map) = network(form, size), told(form, 3, size)
    uniform = torch.rand(3, *size)
    codes = net.sample(uniform, vector, map)
    assert torch.equal(codes, net.sample_naively(uniform, vector, map))
    assert codes.shape == uniform.shape and len(codes.unique()) > 1
    alone = net.sample(uniform[1:2], None if vector is None else vector[1:2], None if map is None else map[1:2])
    assert torch.equal(alone[0], codes[1])


def test_what_is_sampled_has_the_networks_own_distribution() -> None:
    """2 x 2 codes of 3 levels: 81 maps, whose probabilities sum to 1 and are how often each is drawn."""
    torch.manual_seed(1)
    net = PixelCNN(3, (2, 2), channels=8, layers=2, first_kernel=3)
    with torch.no_grad():
        net.predict.weight.mul_(6)
    every = torch.tensor(list(itertools.product(range(3), repeat=4))).view(-1, 2, 2)
    with torch.no_grad():
        probability = (-code_nats(net(every), every)).exp()
    assert float(probability.sum()) == pytest.approx(1, abs=1e-5)
    drawn = net.sample(torch.rand(20_000, 2, 2)).flatten(1) @ torch.tensor([27, 9, 3, 1])
    often = torch.bincount(drawn, minlength=81) / 20_000
    # four standard deviations of a share of 20,000
    assert bool(((often - probability).abs() < 4 * (probability / 20_000).sqrt() + 1e-4).all())


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=6), st.floats(0, 1))
def test_a_code_is_where_the_distribution_function_passes_the_number(logits: list[float], number: float) -> None:
    code = int(pick(torch.tensor([logits]), torch.tensor([number]))[0])
    cumulated = torch.tensor(logits, dtype=torch.float32).double().softmax(0).cumsum(0)
    number = float(torch.tensor(number))
    assert code == len(logits) - 1 or number <= float(cumulated[code])
    assert code == 0 or float(cumulated[code - 1]) < number


def test_attention_is_the_softmax_over_all_positions_up_to_ones_own() -> None:
    torch.manual_seed(0)
    attention, h = CausalAttention(16), torch.randn(2, 16, 2, 3)
    query, key, value = attention.ask(h).flatten(2).chunk(3, 1)
    found = attention(h).flatten(2)
    for position in range(6):
        score = torch.einsum("nd,ndp->np", query[..., position], key[..., : position + 1]) / math.sqrt(attention.inner)
        seen = torch.einsum("np,ndp->nd", score.softmax(1), value[..., : position + 1])
        expected = h.flatten(2)[..., position] + F.linear(
            seen, attention.answer.weight[:, :, 0, 0], attention.answer.bias
        )
        torch.testing.assert_close(found[..., position], expected, atol=1e-5, rtol=1e-4)


def test_a_condition_that_is_missing_is_named() -> None:
    codes = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.long)
    with pytest.raises(ValueError, match="condition vector"):
        network("label")(codes)
    with pytest.raises(ValueError, match="condition map"):
        network("map")(codes)


def test_bits_of_even_chances() -> None:
    """Logits of 0 over K levels: log2 K bits a position."""
    nats = code_nats(torch.zeros(2, 8, 4, 4), torch.randint(8, (2, 4, 4)))
    torch.testing.assert_close(nats, torch.full((2,), 16 * math.log(8)))
    torch.testing.assert_close(bits_per_dimension(nats, 16), torch.full((2,), 3.0))


# The system

MODULE = systems.load("pixelcnn")
TINY = MODULE.PRESETS["tiny"]


def facts(**changes: Any) -> PictureFacts:
    values = {"name": "test", "licence": "none", "resolution": 8, "channels": 1, "classes": ("a", "b", "c")}
    return PictureFacts(**{**values, **changes})


def system(**changes: Any) -> Any:
    torch.manual_seed(0)
    return MODULE.build(replace(TINY, **changes), facts()).eval()


@torch.no_grad()
def test_the_likelihood_without_a_label_is_that_of_the_mixture_of_classes() -> None:
    model, image = system(), torch.rand(4, 1, 8, 8) * 2 - 1
    codes = model.seen(image)
    each = [(-code_nats(model.net(codes, torch.eye(3)[[label] * 4]), codes)).double().exp() / 3 for label in range(3)]
    torch.testing.assert_close(
        model.log_likelihood(image).double(), torch.stack(each).sum(0).log(), atol=1e-4, rtol=1e-5
    )


@pytest.mark.parametrize("conditional", [True, False])
@torch.no_grad()
def test_the_likelihoods_of_all_pictures_sum_to_one(conditional: bool) -> None:
    torch.manual_seed(0)
    model = MODULE.build(
        replace(TINY, resolution=3, first_kernel=3, conditional=conditional), facts(resolution=3)
    ).eval()
    every = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=9))).view(-1, 1, 3, 3)
    assert float(model.log_likelihood(every).exp().sum()) == pytest.approx(1, abs=1e-4)


@torch.no_grad()
def test_grey_becomes_levels_as_said() -> None:
    grey = torch.tensor([0, 127, 128, 255]) / 127.5 - 1
    image = grey.view(1, 1, 2, 2)
    assert system(resolution=8).seen(image).flatten().tolist() == [0, 0, 1, 1]
    assert system(binarise="none", levels=256).seen(image).flatten().tolist() == [0, 127, 128, 255]
    assert system(binarise="none", levels=4).seen(image).flatten().tolist() == [0, 1, 2, 3]


@torch.no_grad()
def test_stochastic_binarisation_is_white_as_often_as_the_pixel_is_bright_and_the_same_for_the_same_picture() -> None:
    model = system(binarise="stochastic")
    image = torch.linspace(-1, 1, 8).expand(400, 1, 8, 8) + torch.arange(400).view(-1, 1, 1, 1) * 1e-6
    codes = model.seen(image)
    share = codes.float().mean((0, 1))
    assert bool(((share - torch.linspace(0, 1, 8)).abs() < 0.04).all())
    assert torch.equal(model.seen(image[7:9]), codes[7:9])
    assert not torch.equal(codes[0], codes[1])


@torch.no_grad()
def test_pictures_without_a_label_are_of_all_classes() -> None:
    model = system()
    with torch.no_grad():
        model.net.tell.weight.mul_(20)
    noise = torch.randn(64, model.noise_dim)
    images = model.generate(noise)
    uniform = torch.special.ndtr(noise.double())[:, -1]
    drawn = (uniform * 3).long()
    assert set(drawn.tolist()) == {0, 1, 2}
    labelled = model.generate(noise, torch.eye(3)[drawn])
    # the last pixel's number was used up in part; every other pixel is that of the class drawn
    assert torch.equal(images.flatten(1)[:, :-1], labelled.flatten(1)[:, :-1])


def test_it_learns_what_is_certain() -> None:
    """Stripes whose phase is the label: after a few steps nearly nothing is left to be told."""
    model = system(rate=1e-2)
    label = torch.eye(3)[torch.arange(24) % 3]
    column = torch.arange(8).expand(8, 8)
    image = torch.stack([((column + n % 3) % 3 == 0).float() * 2 - 1 for n in range(24)]).unsqueeze(1)
    update = Update(model.train().optimizers())
    for _ in range(80):
        model.training_step(Pictures(image, label), update)
        update.step += 1
    assert float(update.losses["nats"]) < 0.1 * 64 * math.log(2)
    with torch.no_grad():
        drawn = model.eval().generate(torch.randn(6, model.noise_dim), label[:6])
    assert float((drawn == image[:6]).float().mean()) > 0.9


@settings(deadline=None)
@given(st.integers(0, 400))
def test_the_step_size_falls_along_a_half_cosine(step: int) -> None:
    factor = MODULE.annealed(step, 200)
    assert factor == pytest.approx(0.01 if step >= 200 else 0.505 + 0.495 * math.cos(math.pi * step / 200))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"channels": 3}, "colour pictures"),
        ({"resolution": 16}, "--config.resolution 16"),
    ],
)
def test_data_that_do_not_fit_are_refused_in_one_sentence(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        MODULE.build(TINY, facts(**changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"levels": 1}, "2 to 256"),
        ({"levels": 4}, "--config.binarise none"),
        ({"kernel": 4}, "--config.kernel 4"),
        ({"first_kernel": 1}, "--config.first_kernel 1"),
        ({"layers": 0}, "--config.layers 0"),
        ({"channels": 3}, "--config.channels 3"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        replace(TINY, **changes)


def test_pictures_of_several_classes_are_learned_without_a_label() -> None:
    model = MODULE.build(TINY, facts(many=True))
    assert model.label_dim == 0 and model.net.tell is None
