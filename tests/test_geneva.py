"""GeNeVA-GAN: its sizes, its laws, and each of its options."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from telldraw import pixels
from telldraw.batches import Dialogues, Facts
from telldraw.blocks import residual
from telldraw.errors import TrainingError
from telldraw.systems import geneva
from telldraw.text import PADDING, TELLER, UNKNOWN, Vocabulary
from telldraw.training.update import Update

WORDS = Vocabulary((PADDING, UNKNOWN, TELLER, *"a red blue cube tree on the left right".split()))
CLASSES = ("cube", "tree", "sun")
TINY = geneva.PRESETS["tiny"]


def facts(side: int = 32) -> Facts:
    background = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return Facts("test", "none", side, CLASSES, WORDS, background)


def built(seed: int = 0, **settings: Any) -> geneva.System:
    torch.manual_seed(seed)
    return geneva.build(replace(TINY, **settings), facts())


def dialogues(turns: tuple[int, ...] = (1, 3, 2), seed: int = 0) -> Dialogues:
    """Random dialogues, as a training step gets them."""
    rng = torch.Generator().manual_seed(seed)
    count = sum(turns)
    words = torch.randint(1, len(WORDS), (count, 5), generator=rng)
    words[::2, 3:] = 0
    return Dialogues(
        background=pixels.to_float(torch.from_numpy(facts().background)).permute(2, 0, 1),
        image=torch.rand(count, 3, 32, 32, generator=rng) * 2 - 1,
        instruction=words,
        objects=torch.randint(0, 2, (count, len(CLASSES)), generator=rng).float(),
        position=torch.rand(count, len(CLASSES), 3, generator=rng),
        turns=torch.tensor(turns),
    )


def train(system: geneva.System, batch: Dialogues, steps: int = 2) -> Update:
    update = Update(system.train().optimizers())
    for _ in range(steps):
        system.training_step(batch, update)
        update.step += 1
    return update


def trained(**settings: Any) -> geneva.System:
    """A system two steps from its start, where no layer is the identity any more; in evaluation mode."""
    system = built(**settings)
    train(system, dialogues(seed=7) if system.config.iterative else dialogues((1, 1, 1), seed=7))
    return system.eval()


def assert_close(one: Tensor, other: Tensor, within: float = 1e-5) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=within)


# --- sizes --------------------------------------------------------------------------------------------------------


@contextmanager
def weightless() -> Iterator[None]:
    """Networks that take no memory. They go without spectral norm, which changes no count and no shape."""
    with pytest.MonkeyPatch.context() as patch, torch.device("meta"):
        for module in (geneva, residual):
            patch.setattr(module, "spectral_norm", lambda layer: layer)
        yield


@pytest.fixture(scope="module")
def full() -> geneva.System:
    with weightless():
        return geneva.System(replace(geneva.PRESETS["codraw-128"], vocabulary_size=1000))


def count(*modules: nn.Module) -> int:
    return sum(weight.numel() for module in modules for weight in module.parameters())


def test_the_full_size_is_that_of_the_published_code(full: geneva.System) -> None:
    """Counts of the authors' networks with the CoDraw settings; what no loss reaches there does not exist here."""
    assert count(full.sentence_encoder.gru, full.sentence_encoder.norm) == 2_502_656
    assert count(full.condition_encoder) == 1_051_648
    assert count(full.memory) == 6_297_600
    assert count(full.memory_norm) == 2_048
    assert full.image_encoder is not None
    assert count(full.image_encoder) == 1_184_128
    unused_gate = 787_456
    assert count(full.generator) == 49_645_504 - unused_gate
    assert count(full.discriminator) == 40_787_643


@pytest.mark.parametrize("side", [32, 64, 128, 256])
def test_maps_meet_at_16_by_16(side: int) -> None:
    doublings = side.bit_length() - 3
    narrow = replace(
        TINY,
        resolution=side,
        generator_channels=(8,) * (doublings + 1),
        encoder_channels=(8,) * (doublings - 2),
        discriminator_channels=(8,) * (doublings + 1),
    )
    image = torch.zeros(2, 3, side, side)
    seen, critic = geneva.ImageEncoder(narrow)(image), geneva.Discriminator(narrow)
    assert seen.shape == critic.see(image).shape == (2, 8, 16, 16)
    assert critic.compare(seen, seen).shape == (2, 8)
    noise, condition = torch.zeros(2, narrow.latent_dim + narrow.code_dim), torch.zeros(2, narrow.condition_dim)
    assert geneva.Generator(narrow)(noise, condition, seen, image)[0].shape == image.shape


# --- drawing ------------------------------------------------------------------------------------------------------


def test_one_turn_of_a_conversation_is_one_row_of_training() -> None:
    """`turn`, told the true canvas before, paints what training paints for that row: the law that joins the two."""
    system, batch = trained(), dialogues((1, 4, 2))
    noise = torch.randn(len(batch.image), system.noise_dim)
    with torch.no_grad():
        true = batch.previous(batch.image, batch.background)
        flat = system.paint(system.remember(batch), true, noise).picture
        row = 0
        for turns in batch.turns.tolist():
            state = system.start()
            for _ in range(turns):
                state = state._replace(canvas=true[row : row + 1])
                state = system.turn(state, batch.instruction[row : row + 1], noise[row : row + 1])
                assert_close(state.canvas[0], flat[row], 1e-4)
                row += 1


def test_the_memory_of_a_state_is_what_training_remembers() -> None:
    system, batch = trained(), dialogues((3,))
    with torch.no_grad():
        together, state = system.remember(batch), system.start()
        for row in range(3):
            state = system.turn(state, batch.instruction[row : row + 1], torch.zeros(1, system.noise_dim))
            assert_close(system.memory_norm(state.hidden)[0], together[row])


def test_what_is_said_later_changes_nothing_before_it() -> None:
    system, batch = trained(), dialogues((2, 4))
    words = batch.instruction.clone()
    words[4] = torch.tensor([9, 8, 7, 6, 5])  # the third turn of the second dialogue
    with torch.no_grad():
        before, after = system.remember(batch), system.remember(batch._replace(instruction=words))
    same = [0, 1, 2, 3]
    assert_close(after[same], before[same])
    assert all((after[row] - before[row]).abs().max() > 1e-3 for row in (4, 5))


def test_dialogues_do_not_hear_each_other() -> None:
    system = trained()
    one, other = dialogues((3,), seed=1), dialogues((2, 4), seed=2)
    joined = Dialogues(one.background, *(torch.cat(pair) for pair in zip(one[1:], other[1:], strict=True)))
    with torch.no_grad():
        assert_close(system.remember(joined), torch.cat([system.remember(one), system.remember(other)]))


def test_the_canvas_before_matters_to_the_drawer_only_with_feedback() -> None:
    words, noise = torch.tensor([[3, 4, 6]]), torch.zeros(1, TINY.latent_dim + TINY.code_dim)
    for feedback in (True, False):
        system = trained(image_feedback=feedback)
        assert (system.image_encoder is None) is not feedback
        with torch.no_grad():
            start = system.start()
            drawn = system.turn(start, words, noise).canvas
            other = system.turn(start._replace(canvas=-start.canvas), words, noise).canvas
        assert torch.equal(drawn, other) is not feedback


def test_without_iteration_a_turn_paints_everything_said_on_an_empty_canvas() -> None:
    system = trained(iterative=False)
    noise = torch.randn(2, system.noise_dim)
    first, second = torch.tensor([[3, 4, 6, 0], [2, 7, 0, 0]]), torch.tensor([[5, 8], [9, 0]])
    with torch.no_grad():
        heard = system.turn(system.start(2), first, torch.zeros_like(noise))
        assert torch.equal(heard.said, torch.tensor([[3, 4, 6, 0], [2, 7, 0, 0]]))
        after = system.turn(heard, second, noise)
        spoilt = heard._replace(canvas=-heard.canvas, hidden=heard.hidden + 1)
        assert torch.equal(system.turn(spoilt, second, noise).canvas, after.canvas)
        at_once = torch.tensor([[3, 4, 6, 5, 8], [2, 7, 9, 0, 0]])
        assert_close(system.turn(system.start(2), at_once, noise).canvas, after.canvas)
        otherwise = system.turn(system.start(2), first.flip(0), torch.zeros_like(noise))
        assert not torch.allclose(system.turn(otherwise, second, noise).canvas, after.canvas, atol=1e-3)


# --- the critic ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fusion", ["subtract", "concat", "none"])
def test_the_critic_sees_the_canvas_before_unless_told_not_to(fusion: str) -> None:
    critic = trained(fusion=fusion).discriminator
    image, before, other = torch.rand(3, 2, 3, 32, 32) * 2 - 1
    condition = torch.randn(2, TINY.condition_dim)
    with torch.no_grad():
        logits, otherwise = (
            critic.judge(critic.compare(critic.see(image), critic.see(canvas)), condition) for canvas in (before, other)
        )
    assert logits.shape == (2,)
    assert torch.equal(logits, otherwise) is (fusion == "none")


def test_the_critic_sees_the_difference_alone() -> None:
    critic = trained().discriminator
    now, before, anything = torch.randn(3, 2, 8, 16, 16)
    with torch.no_grad():
        assert_close(critic.compare(now + anything, before + anything), critic.compare(now, before), 1e-4)
        assert not torch.allclose(critic.compare(before, now), critic.compare(now, before), atol=1e-2)


def test_the_critic_judges_a_picture_by_its_words() -> None:
    """Projection: the logit is linear in what the condition is projected to."""
    critic = trained().discriminator
    phi = torch.randn(2, 32)
    one, other = torch.randn(2, 2, TINY.condition_dim)
    with torch.no_grad():
        gap = critic.judge(phi, one) - critic.judge(phi, other)
        assert_close(gap, (phi * (critic.projection(one) - critic.projection(other))).sum(1), 1e-4)
        assert critic.name(phi).shape == (2, len(CLASSES))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_a_wrong_pair_is_of_another_dialogue(turns: list[int]) -> None:
    own, other = geneva._wrong_pairs(torch.tensor(turns))
    dialogue = np.repeat(np.arange(len(turns)), turns)
    assert (dialogue[own.numpy()] != dialogue[other.numpy()]).all()
    assert len(set(own.tolist())) == len(own), "no row twice"
    # only the longest dialogue may find too few others
    left_out = set(range(sum(turns))) - set(own.tolist())
    assert len({dialogue[row] for row in left_out}) <= 1
    assert all(turns[dialogue[row]] == max(turns) for row in left_out)


# --- batches ------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_the_row_before_is_that_of_the_same_dialogue(turns: list[int]) -> None:
    rows = torch.arange(1.0, sum(turns) + 1).unsqueeze(1)
    batch = dialogues(tuple(turns))
    expected, at = [], 0
    for length in turns:
        expected += [-1.0, *range(at + 1, at + length)]
        at += length
    assert batch.previous(rows, torch.tensor([-1.0])).squeeze(1).tolist() == expected
    assert batch.first().tolist() == [value == -1 for value in expected]
    assert batch.examples() == len(turns)


def test_the_objects_to_name_are_those_added_or_all() -> None:
    objects = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 1, 0], [0, 1, 0]]).float()
    batch = dialogues((3, 2))._replace(objects=objects)
    added = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0], [0, 0, 0]]).float()
    assert torch.equal(built()._target(batch), added)
    assert torch.equal(built(auxiliary_target="all")._target(batch), objects)


# --- training -----------------------------------------------------------------------------------------------------


class Spy:
    """An Update that moves nothing: it notes which parts of a system each player's loss reaches."""

    def __init__(self, system: geneva.System, step: int = 0) -> None:
        self.system, self.step = system, step
        self.reached: dict[tuple[str, ...], set[str]] = {}
        self.noted: dict[str, Tensor] = {}

    def __call__(self, name: str, loss: Tensor) -> None:
        self.backward(loss, name)

    def backward(self, loss: Tensor, *names: str, retain_graph: bool = False) -> None:
        weights = dict(self.system.named_parameters())
        grads = torch.autograd.grad(loss, list(weights.values()), retain_graph=True, allow_unused=True)
        reached = {name for name, grad in zip(weights, grads, strict=True) if grad is not None and grad.any()}
        self.reached[names] = {name.split(".")[0] for name in reached}

    def apply(self, *names: str, clip_norm: float | None = None) -> None:
        pass

    def rate(self, name: str, factor: float) -> None:
        pass

    def momentum(self, name: str, value: float) -> None:
        pass

    def forget(self, name: str) -> None:
        pass

    def record(self, **values: Any) -> None:
        self.noted.update({name: torch.as_tensor(value).detach() for name, value in values.items()})


TEXT = {"sentence_encoder", "condition_encoder", "memory", "memory_norm"}


def test_words_learn_from_the_critic_and_the_eye_from_the_painter() -> None:
    system = trained().train()
    spy = Spy(system)
    system.training_step(dialogues(), spy)
    assert spy.reached["discriminator", "text"] == TEXT | {"discriminator"}
    # the painter's loss passes through the critic, whose weights its optimizer does not hold
    assert spy.reached[("generator",)] - {"discriminator"} == {"generator", "image_encoder"}
    names = {id(weight): name.split(".")[0] for name, weight in system.named_parameters()}
    update = Update(system.optimizers())
    held = {group: {names[id(weight)] for weight in update.weights(group)} for group in update.optimizers}
    assert held == {"discriminator": {"discriminator"}, "generator": {"generator", "image_encoder"}, "text": TEXT}


def test_words_learn_from_the_painter_too_when_asked_to() -> None:
    system = trained(text_from_generator=True).train()
    spy = Spy(system)
    system.training_step(dialogues(), spy)
    assert spy.reached["discriminator", "text"] == TEXT | {"discriminator"}
    assert spy.reached["generator", "text"] - {"discriminator"} == TEXT | {"generator", "image_encoder"}


def test_the_losses_are_those_of_the_paper() -> None:
    """All that is noted in a step, computed again the long way: one picture at a time, features from the start."""
    system = trained(pixel_noise=0.0, penalty_weight=3.0, auxiliary_weight=2.0, kl_weight=0.5)
    batch, spy = dialogues((2, 3)), Spy(system)
    torch.manual_seed(1)
    system.training_step(batch, spy)  # in evaluation mode, so that nothing moves
    torch.manual_seed(1)
    noise = torch.randn(5, system.noise_dim)
    critic, condition = system.discriminator, system.remember(batch).detach()
    fake, mean, logvar, _ = system.paint(condition, batch.previous(batch.image, batch.background), noise)
    fake, target = fake.detach(), system._target(batch)
    own, other = geneva._wrong_pairs(batch.turns)
    bce = nn.functional.binary_cross_entropy_with_logits

    def phi(image: Tensor, row: int) -> Tensor:
        before = batch.background if row in (0, 2) else batch.image[row - 1]
        return critic.compare(critic.see(image.unsqueeze(0)), critic.see(before.unsqueeze(0)))

    def logit(features: Tensor, row: int) -> Tensor:
        return critic.judge(features, condition[row : row + 1])

    real, drawn = ([phi(image[row], row) for row in range(5)] for image in (batch.image, fake))
    hinge = sum((1 - logit(real[row], row)).relu() + 0.5 * (1 + logit(drawn[row], row)).relu() for row in range(5)) / 5
    wrong = [logit(real[b], a) for a, b in zip(own.tolist(), other.tolist(), strict=True)]
    hinge = hinge + 0.5 * sum((1 + each).relu() for each in wrong) / len(wrong)
    penalty = 0.0
    for row in range(5):
        image = batch.image[row].clone().requires_grad_()
        (slope,) = torch.autograd.grad(logit(phi(image, row), row).sum(), image)
        penalty += 3 * slope.square().sum().item() / 5
    named = [bce(critic.name(torch.cat(each)), target) for each in (real, drawn)]
    expected = {
        "critic": hinge,
        "critic_objects": 2 * (named[0] + named[1]),
        "penalty": penalty,
        "painter": -sum(logit(drawn[row], row) for row in range(5)) / 5,
        "painter_objects": 2 * named[1],
        "kl": 0.5 * 0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean(),
    }
    assert set(spy.noted) == set(expected)
    for name, value in expected.items():
        assert spy.noted[name].item() == pytest.approx(float(torch.as_tensor(value).detach()), rel=1e-3, abs=1e-5), name


def test_the_penalty_is_taken_now_and_then_at_as_much_more() -> None:
    noted, system = {}, trained()
    for interval, step in ((1, 0), (4, 0), (4, 1), (4, 4)):
        system.config = replace(system.config, penalty_interval=interval)
        spy = Spy(system, step)
        torch.manual_seed(1)
        system.training_step(dialogues(), spy)
        noted[interval, step] = spy.noted.get("penalty")
    assert noted[4, 1] is None
    once, every = noted[1, 0], noted[4, 0]
    assert once is not None and every is not None and noted[4, 4] is not None
    assert_close(every, 4 * once, 1e-4 * float(every))
    assert_close(noted[4, 4], every, 0)


def test_own_canvases_are_shown_when_asked_for() -> None:
    batch = dialogues((1, 3, 2))
    true = batch.previous(batch.image, batch.background)
    for probability in (0.0, 1.0):
        system = trained(own_canvas=probability, pixel_noise=0.0)
        shown: list[Tensor] = []

        def look(module: nn.Module, given: tuple[Tensor], seen: Tensor, shown: list[Tensor] = shown) -> None:
            shown.append(given[0].detach().clone())

        assert system.image_encoder is not None
        system.image_encoder.register_forward_hook(look)
        system.training_step(batch, Spy(system))
        differs = [not torch.equal(row, truth) for row, truth in zip(shown[-1], true, strict=True)]
        assert differs == [bool(probability) and not first for first in batch.first().tolist()]


ABLATIONS: list[dict[str, Any]] = [
    *({"fusion": fusion} for fusion in ("concat", "none")),
    {"iterative": False},
    {"auxiliary_weight": 0.0},
    {"auxiliary_target": "all"},
    {"wrong_pairs": False},
    {"image_feedback": False},
    {"text_from_generator": True},
    {"generator_spectral": True},
    {"self_attention": True},
    {"generator_spectral": True, "self_attention": True},
    {"own_canvas": 0.5},
    {"penalty_interval": 2},
    {"penalty_weight": 0.0},
    {"pixel_noise": 0.0},
    {"plan": True},
    {"blend": True},
    {"clip_norm": 0.01},
]


@pytest.mark.parametrize("settings", ABLATIONS, ids=lambda s: "-".join(f"{k}={v}" for k, v in s.items()))
def test_every_option_trains_and_draws(settings: dict[str, Any]) -> None:
    system = built(**settings)
    before = {name: weight.detach().clone() for name, weight in system.named_parameters()}
    batch = dialogues((1, 1, 1)) if not system.config.iterative else dialogues()
    update = train(system, batch)
    assert all(bool(value.isfinite()) for value in update.losses.values())
    layers, moved = set[str](), set[str]()
    for name, weight in system.named_parameters():
        layer = ".".join(name.split(".")[:2])
        layers.add(layer)
        moved |= {layer} if not torch.equal(weight, before[name]) else set()
    unused = set() if system.config.auxiliary_weight else {"discriminator.objects"}
    unused |= set() if system.config.iterative else {"memory.weight_hh_l0"}  # nothing to remember
    assert layers - moved == unused
    system.eval()
    with torch.no_grad():
        state = system.start()
        for words in ([[3, 4, 6]], [[5, 9]]):
            state = system.turn(state, torch.tensor(words), torch.randn(1, system.noise_dim))
    assert state.canvas.shape == (1, 3, 32, 32)
    assert bool((state.canvas.abs() <= 1).all()) and state.canvas.std() > 0


def test_one_dialogue_alone_has_no_wrong_pair_and_still_trains() -> None:
    update = train(built(), dialogues((3,)))
    assert bool(update.losses["critic"].isfinite())


def test_the_text_gradient_is_clipped_as_one() -> None:
    system = built(clip_norm=1e-3)
    norms: list[float] = []

    class Watched(Update):
        def apply(self, *names: str, clip_norm: float | None = None) -> None:
            if names == ("text",):
                before = [weight.grad for weight in self.weights("text") if weight.grad is not None]
                assert clip_norm == 1e-3
                norms.append(float(torch.stack([grad.norm() for grad in before]).norm()))
                self.optimizers["text"].register_step_pre_hook(lambda *_: norms.append(self._norm()))
            super().apply(*names, clip_norm=clip_norm)

        def _norm(self) -> float:
            grads = [weight.grad for weight in self.weights("text") if weight.grad is not None]
            return float(torch.stack([grad.norm() for grad in grads]).norm())

    system.training_step(dialogues(), Watched(system.optimizers()))
    assert norms[0] > 1e-3
    assert norms[1] == pytest.approx(1e-3, rel=1e-3)


def test_true_pictures_get_noise_in_training_alone() -> None:
    system, batch = trained(pixel_noise=0.5), dialogues()
    noisy = system._with_pixel_noise(batch)
    width = (noisy.image - batch.image).flatten()
    assert 0 <= width.min() < 0.05 and 0.45 < width.max() <= 0.5
    assert torch.equal(system.start().canvas[0], batch.background)


def test_words_given_from_outside_stay_fixed(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("".join(f"{word} {' '.join(['0.25'] * 16)}\n" for word in ("tree", "cube", "unk")))
    system = built(glove=str(path))
    table = system.sentence_encoder.words.weight
    before = table.detach().clone()
    assert (table[WORDS.encode(["tree"])[0]] == 0.25).all()
    train(system, dialogues())
    assert torch.equal(table, before)


# --- what cannot be built -----------------------------------------------------------------------------------------


def test_a_data_set_of_another_resolution_is_refused_with_the_remedy() -> None:
    with pytest.raises(TrainingError, match="64x64.*32x32.*--resolution 32"):
        geneva.build(TINY, facts(64))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"resolution": 48}, "--config.resolution 48: a power of two"),
        ({"resolution": 16}, "--config.resolution 16: a power of two"),
        ({"generator_channels": (8, 8)}, "--config.generator-channels has 2 numbers; resolution 32 needs 4"),
        ({"encoder_channels": ()}, "--config.encoder-channels has 0 numbers; resolution 32 needs 1"),
        ({"discriminator_channels": (8,) * 5}, "--config.discriminator-channels has 5 numbers; resolution 32 needs 4"),
    ],
)
def test_sizes_that_do_not_fit_are_named(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        replace(TINY, **settings)


def test_what_is_built_has_the_sizes_of_the_data() -> None:
    system = built()
    assert (system.config.vocabulary_size, system.config.num_objects) == (len(WORDS), len(CLASSES))
    assert np.array_equal(pixels.to_arrays(system.start().canvas)[0], facts().background)


def test_what_the_mask_leaves_out_stays_as_it_was() -> None:
    system = trained(blend=True)
    canvas = torch.rand(2, 3, 32, 32) * 2 - 1
    last = system.generator.picture
    with torch.no_grad():
        last.weight[3] = 0
        noise, condition = torch.randn(2, system.noise_dim), torch.randn(2, system.config.condition_dim)
        half = system.paint(condition, canvas, noise).picture
        system.generator.picture = last_without_mask = nn.Conv2d(last.in_channels, 3, 3, padding=1, bias=False)
        last_without_mask.weight.copy_(last.weight[:3])
        whole = system.paint(condition, canvas, noise).picture
    torch.testing.assert_close(half, (canvas + whole) / 2)
