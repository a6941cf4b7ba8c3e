"""What every system in the table must do. A new system gets these tests for its one line there."""

from collections.abc import Callable
from dataclasses import asdict, fields, is_dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from telldraw import pixels, protocols, systems
from telldraw.batches import (
    Captioned,
    Described,
    DescribedFacts,
    Dialogues,
    Facts,
    Multimodal,
    MultimodalFacts,
    PictureFacts,
    Pictures,
    TagFacts,
    Tags,
)
from telldraw.errors import WeightsError
from telldraw.metrics.evaluation import draw, on_canvas, select
from telldraw.text import MAX_CHARACTERS, PADDING, TELLER, UNKNOWN, Vocabulary
from telldraw.training.update import Update

WORDS = Vocabulary((PADDING, UNKNOWN, TELLER, *"a red blue cube tree on the left right".split()))
CLASSES = ("cube", "tree", "sun")


def facts(config: Any, batch: str = "Dialogues") -> Any:
    if batch == "Tags":
        of_pictures = PictureFacts("test", "none", 16, 3, CLASSES, many=True)
        rng = np.random.default_rng(0)
        vectors, mean = rng.normal(size=(len(CLASSES), 5)).astype(np.float32), np.zeros(4, np.float32)
        return TagFacts(of_pictures, vectors, mean, mean + 2)
    side = config.resolution
    if batch != "Dialogues":
        words = WORDS if batch in ("Captioned", "Multimodal") else None
        shares = (0.5, 0.25, 0.25)
        known = PictureFacts("test", "none", side, config.channels, CLASSES, shares=shares, vocabulary=words)
        if batch == "Multimodal":
            return MultimodalFacts(known, ("background", "skin", "hair"), sketch=True)
        return DescribedFacts(known, text_dim=7, text_scale=0.5) if batch == "Described" else known
    background = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return Facts("test", "none", side, CLASSES, WORDS, background)


def dialogues(known: Facts, seed: int = 0) -> Dialogues:
    """Three dialogues of 1, 3 and 2 turns, as a training step gets them."""
    rng = torch.Generator().manual_seed(seed)
    turns = torch.tensor([1, 3, 2])
    count, side = int(turns.sum()), known.resolution
    words = torch.randint(1, len(known.vocabulary), (count, 5), generator=rng)
    words[::2, 3:] = 0
    return Dialogues(
        background=pixels.to_float(torch.from_numpy(known.background.copy())).permute(2, 0, 1),
        image=torch.rand(count, 3, side, side, generator=rng) * 2 - 1,
        instruction=words,
        objects=torch.randint(0, 2, (count, len(known.classes)), generator=rng).float(),
        position=torch.rand(count, len(known.classes), 3, generator=rng),
        turns=turns,
    )


def pictures(known: PictureFacts, seed: int = 0) -> Pictures:
    """Six pictures, each of one class, as a training step gets them."""
    rng = torch.Generator().manual_seed(seed)
    image = torch.rand(6, known.channels, known.resolution, known.resolution, generator=rng) * 2 - 1
    return Pictures(image, torch.eye(len(known.classes))[torch.tensor([0, 1, 2, 2, 1, 0])])


def tags(known: TagFacts, seed: int = 0) -> Tags:
    """Six pairs of a picture's features and a word."""
    rng = torch.Generator().manual_seed(seed)
    words = torch.from_numpy(known.vectors)[torch.tensor([0, 1, 2, 2, 1, 0])]
    feature, other = torch.randn(2, 6, len(known.mean), generator=rng)
    return Tags(feature, words, words.flip(0), other)


def captioned(known: PictureFacts, seed: int = 0) -> Captioned:
    """Six pictures, each of one class, with two captions and a picture of another class."""
    image, label = pictures(known, seed)
    rng = torch.Generator().manual_seed(seed)
    letters = torch.randint(0, 71, (6, 2, MAX_CHARACTERS), generator=rng)
    words = torch.randint(1, len(WORDS), (6, 2, 5), generator=rng)
    words[::2, :, 3:] = 0
    row = torch.arange(6)
    return Captioned(image, label, letters, words, row, image.roll(1, 0), row.roll(1))


def described(known: DescribedFacts, seed: int = 0) -> Described:
    """Six pictures, each with the vector of a text, and of one that does not describe it."""
    image, _ = pictures(known.pictures, seed)
    text, wrong = torch.randn(2, 6, known.text_dim, generator=torch.Generator().manual_seed(seed)) / 2
    return Described(image, text, wrong)


def multimodal(known: MultimodalFacts, seed: int = 0) -> Multimodal:
    """Six pictures, each with a sketch, a map of regions and a caption."""
    image, label = pictures(known.pictures, seed)
    rng = torch.Generator().manual_seed(seed)
    regions = torch.randint(0, len(known.regions), (6, *image.shape[2:]), generator=rng)
    words = torch.randint(1, len(WORDS), (6, 5), generator=rng)
    words[::2, 3:] = 0
    return Multimodal(image, label, image[:, :1].clone(), regions, words)


KINDS: dict[str, Callable[[Any], Any]] = {
    "Dialogues": dialogues,
    "Pictures": pictures,
    "Tags": tags,
    "Captioned": captioned,
    "Described": described,
    "Multimodal": multimodal,
}
"""A small batch of each kind that a system may be trained on."""
BATCHES: dict[str, Callable[[Any], Any]] = {name: KINDS[entry.batch] for name, entry in systems.SYSTEMS.items()}
"""A small batch for each system."""


def those(capability: str) -> pytest.MarkDecorator:
    """The test is for the systems with a capability, and for no others."""
    names = [name for name, entry in systems.SYSTEMS.items() if capability in entry.capabilities]
    return pytest.mark.parametrize("name", sorted(names), scope="module")


@pytest.fixture(params=sorted(systems.SYSTEMS), scope="module")
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def module(name: str) -> ModuleType:
    return systems.load(name)


def built(module: ModuleType, seed: int = 0) -> tuple[Any, Any]:
    config = module.PRESETS["tiny"]
    known = facts(config, systems.SYSTEMS[module.__name__.rpartition(".")[2].replace("_", "-")].batch)
    torch.manual_seed(seed)
    return module.build(config, known), known


def drawer(module: ModuleType, name: str) -> tuple[Any, Any]:
    """A system that draws, in evaluation mode, after two steps (at the start some layers are the identity)."""
    system, known = built(module)
    train(system, BATCHES[name](known))
    return system.eval(), known


def train(system: Any, batch: Any, steps: int = 2) -> Update:
    system.train()
    update = Update(system.optimizers())
    for _ in range(steps):
        system.training_step(batch, update)
        update.step += 1
    return update


def test_the_module_offers_what_the_table_promises(module: ModuleType) -> None:
    assert is_dataclass(module.Config) and isinstance(module.Config, type)
    assert "tiny" in module.PRESETS
    for preset, config in module.PRESETS.items():
        assert type(config) is module.Config, preset
        assert module.Config(**asdict(config)) == config, f"{preset} does not survive asdict"


def test_every_setting_is_plain_and_frozen(module: ModuleType) -> None:
    config = module.PRESETS["tiny"]
    for field in fields(config):
        value = getattr(config, field.name)
        items = value if isinstance(value, tuple) else (value,)
        assert all(isinstance(item, bool | int | float | str) for item in items), field.name
    with pytest.raises(AttributeError):
        setattr(config, fields(config)[0].name, None)


def test_every_setting_says_what_it_is(module: ModuleType) -> None:
    import ast
    import inspect

    body = ast.parse(inspect.getsource(module.Config)).body[0]
    assert isinstance(body, ast.ClassDef)
    for before, after in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(before, ast.AnnAssign):
            said = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            assert said, f"{ast.unparse(before.target)} has no line of help"


def test_its_capabilities_are_those_of_the_table(module: ModuleType, name: str) -> None:
    system, _ = built(module)
    assert isinstance(system, nn.Module)
    assert isinstance(system, protocols.System)
    claimed = set(systems.SYSTEMS[name].capabilities)
    offered = {
        each
        for each, kind in vars(protocols).items()
        if getattr(kind, "_is_runtime_protocol", False) and each not in ("System", "Normalised")
    }
    assert claimed <= offered, "a capability is the name of a runtime-checkable protocol"
    for capability in offered:
        assert isinstance(system, getattr(protocols, capability)) == (capability in claimed), capability


def test_no_weight_belongs_to_two_optimizers(module: ModuleType) -> None:
    update = Update(built(module)[0].optimizers())
    named = [id(weight) for name in update.optimizers for weight in update.weights(name)]
    assert len(named) == len(set(named))


def test_two_steps_change_exactly_the_weights_named_by_the_optimizers(module: ModuleType, name: str) -> None:
    system, known = built(module)
    before = {key: weight.detach().clone() for key, weight in system.named_parameters()}
    update = train(system, BATCHES[name](known))
    named = {id(weight) for each in update.optimizers for weight in update.weights(each)}
    moved = {key for key, weight in system.named_parameters() if not torch.equal(weight, before[key])}
    assert moved == {key for key, weight in system.named_parameters() if id(weight) in named}
    assert all(bool(weight.isfinite().all()) for weight in system.parameters())


def test_training_notes_finite_losses_and_leaves_no_gradient(module: ModuleType, name: str) -> None:
    system, known = built(module)
    update = train(system, BATCHES[name](known))
    assert update.losses
    assert all(bool(value.isfinite()) and value.dim() == 0 for value in update.losses.values())
    assert all(weight.grad is None for weight in system.parameters())


def test_a_training_step_leaves_its_batch_alone(module: ModuleType, name: str) -> None:
    system, known = built(module)
    batch = BATCHES[name](known)
    copies = [value.clone() for value in batch]
    train(system, batch)
    assert all(torch.equal(value, copy) for value, copy in zip(batch, copies, strict=True))


def test_training_is_repeatable(module: ModuleType, name: str) -> None:
    results = []
    for _ in range(2):
        system, known = built(module, seed=3)
        torch.manual_seed(4)
        train(system, BATCHES[name](known))
        results.append(system.state_dict())
    assert all(torch.equal(results[0][key], results[1][key]) for key in results[0])


def test_its_own_losses_move_nothing(module: ModuleType, name: str) -> None:
    system, known = built(module)
    if not hasattr(system, "losses"):
        pytest.skip(f"{name} reports no losses")
    system.eval()
    before = {key: value.clone() for key, value in system.state_dict().items()}
    with torch.no_grad():
        losses = system.losses(BATCHES[name](known))
    assert losses and all(value.dim() == 0 and bool(value.isfinite()) for value in losses.values())
    assert all(torch.equal(value, before[key]) for key, value in system.state_dict().items())


@those("Conversational")
def test_training_only_parts_exist_and_drawing_does_not_need_them(module: ModuleType, name: str) -> None:
    system, known = drawer(module, name)
    batch = dialogues(known)
    noise = torch.randn(len(batch.image), system.noise_dim)
    with torch.no_grad():
        whole = draw(system, batch, noise, teacher=False)
        for part in system.training_only:
            delattr(system, part)
        torch.testing.assert_close(draw(system, batch, noise, teacher=False), whole, rtol=0, atol=0)


# What is trained on pictures


def able(module: ModuleType, name: str) -> tuple[Any, Any]:
    """A system that is trained on pictures, in evaluation mode after two steps, and the batch."""
    system, known = built(module)
    batch = BATCHES[name](known)
    with torch.enable_grad():  # the tests that call this compute no gradients
        train(system, batch)
    return system.eval(), batch


def label_for(system: Any, count: int) -> Tensor | None:
    return torch.eye(system.label_dim)[torch.arange(count) % system.label_dim] if system.label_dim else None


@torch.no_grad()
@those("Generative")
def test_what_is_generated_has_the_stated_shape_type_and_range(module: ModuleType, name: str) -> None:
    system, batch = able(module, name)
    assert system.label_dim in (0, batch.label.shape[1])
    for count in (1, 5):
        images = system.generate(torch.randn(count, system.noise_dim), label_for(system, count))
        assert images.shape == (count, *batch.image.shape[1:])
        assert images.dtype == torch.float32
        assert bool((images.abs() <= 1).all())


@torch.no_grad()
@those("Generative")
def test_what_is_generated_follows_from_noise_and_label_alone(module: ModuleType, name: str) -> None:
    system, _ = able(module, name)
    noise, label = torch.randn(3, system.noise_dim), label_for(system, 3)
    torch.manual_seed(1)
    images = system.generate(noise, label)
    torch.manual_seed(2)
    assert torch.equal(system.generate(noise, label), images), "same noise, other pixels"
    assert not torch.equal(system.generate(-noise, label), images)
    if label is not None:
        assert not torch.equal(system.generate(noise, label.roll(1, 0)), images)
    for row in range(3):
        alone = system.generate(noise[row : row + 1], None if label is None else label[row : row + 1])
        torch.testing.assert_close(alone[0], images[row], rtol=0, atol=1e-4)


@torch.no_grad()
@those("Generative")
def test_drawing_a_picture_needs_no_training_only_part(module: ModuleType, name: str) -> None:
    system, _ = able(module, name)
    noise, label = torch.randn(2, system.noise_dim), label_for(system, 2)
    whole = system.generate(noise, label)
    for part in system.training_only:
        delattr(system, part)
    assert torch.equal(system.generate(noise, label), whole)


@torch.no_grad()
@those("Autoencoder")
def test_a_reconstruction_is_a_picture_that_neighbours_do_not_change(module: ModuleType, name: str) -> None:
    system, batch = able(module, name)
    again = system.decode(system.encode(batch.image))
    assert again.shape == batch.image.shape and again.dtype == torch.float32
    assert bool((again.abs() <= 1).all())
    assert torch.equal(system.decode(system.encode(batch.image)), again), "encoding is not a matter of chance"
    alone = system.decode(system.encode(batch.image[2:3]))
    torch.testing.assert_close(alone[0], again[2], rtol=0, atol=1e-4)


@torch.no_grad()
@those("Classifier")
def test_logits_have_a_column_for_each_class(module: ModuleType, name: str) -> None:
    system, batch = able(module, name)
    logits = system.classify(batch.image)
    assert logits.shape == batch.label.shape and bool(logits.isfinite().all())
    torch.testing.assert_close(system.classify(batch.image[1:2])[0], logits[1], rtol=1e-4, atol=1e-4)


@torch.no_grad()
@those("Density")
def test_a_likelihood_is_a_number_for_each_picture(module: ModuleType, name: str) -> None:
    system, batch = able(module, name)
    torch.manual_seed(1)
    nats = system.log_likelihood(batch.image)
    assert nats.shape == (len(batch.image),) and bool(nats.isfinite().all())


# Taggers


@torch.no_grad()
@those("Tagger")
def test_words_have_the_stated_shape_and_depend_on_noise_and_picture_alone(module: ModuleType, name: str) -> None:
    system, known = built(module)
    batch = BATCHES[name](known)
    with torch.enable_grad():
        train(system, batch)
    system.eval()
    noise = torch.randn(len(batch.feature), system.noise_dim)
    words = system.tag(batch.feature, noise)
    assert words.shape == batch.word.shape and bool(words.isfinite().all())
    assert torch.equal(system.tag(batch.feature, noise), words), "same noise, other words"
    torch.testing.assert_close(system.tag(batch.feature[2:3], noise[2:3])[0], words[2], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(system.tag(batch.feature, -noise), words)
    assert not torch.allclose(system.tag(-batch.feature, noise), words)
    np.testing.assert_array_equal(system.vectors.numpy(), known.vectors)


@torch.no_grad()
@those("Tagger")
def test_finding_words_needs_no_part_that_only_training_needs(module: ModuleType, name: str) -> None:
    system, known = built(module)
    batch, noise = BATCHES[name](known), torch.randn(6, system.noise_dim)
    whole = system.eval().tag(batch.feature, noise)
    for part in system.training_only:
        delattr(system, part)
    assert torch.equal(system.tag(batch.feature, noise), whole)


@torch.no_grad()
@those("TextEncoder")
def test_an_embedding_does_not_depend_on_padding_or_neighbours(module: ModuleType, name: str) -> None:
    system, batch = able(module, name)
    letters, words = batch.characters.flatten(0, 1), batch.words.flatten(0, 1)
    text = system.embed(letters, words)
    assert text.shape == (len(words), system.text_dim) and bool(text.isfinite().all())
    padded = torch.cat([words, torch.zeros(len(words), 3, dtype=torch.long)], 1)
    torch.testing.assert_close(system.embed(letters, padded), text, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(system.embed(letters[2:3], words[2:3])[0], text[2], rtol=1e-4, atol=1e-5)
    assert not torch.equal(text[0], text[1]), "other captions, other vectors"


# What draws from texts


@torch.no_grad()
@those("TextToImage")
def test_what_is_drawn_from_a_text_follows_from_noise_and_text_alone(module: ModuleType, name: str) -> None:
    system, batch = able(module, name)
    assert system.text_dim == batch.text.shape[1] and system.reader is None
    noise, text = torch.randn(5, system.noise_dim), batch.text[:5]
    images = system.depict(noise, text)
    assert images.shape[:2] == batch.image[:5].shape[:2] and images.shape[2] == images.shape[3]
    assert images.dtype == torch.float32 and bool((images.abs() <= 1).all())
    torch.manual_seed(1)
    assert torch.equal(system.depict(noise, text), images), "same noise, other pixels"
    assert not torch.equal(system.depict(-noise, text), images)
    assert not torch.equal(system.depict(noise, text.roll(1, 0)), images)
    torch.testing.assert_close(system.depict(noise[3:4], text[3:4])[0], images[3], rtol=0, atol=1e-4)
    for part in system.training_only:
        delattr(system, part)
    assert torch.equal(system.depict(noise, text), images), "drawing needs no part that only training needs"


def begun(module: ModuleType, config: Any, known: Any, batch: Any) -> Any:
    """A system; a later stage has the parts that an earlier one, trained for two steps, shares with it."""
    system = module.build(config, known)
    first = module.build(module.PRESETS["tiny"], known)
    if first.config != system.config:
        with torch.enable_grad():
            train(first, batch)
        own = system.state_dict()
        shared = {
            key: value for key, value in first.state_dict().items() if key in own and own[key].shape == value.shape
        }
        system.load_state_dict(own | shared)
    return system


@torch.no_grad()
@those("StyleEncoder")
def test_a_style_is_noise_that_neighbours_do_not_change(module: ModuleType, name: str) -> None:
    preset = next((preset for preset in module.PRESETS if preset.startswith("tiny-")), "tiny")
    config = module.PRESETS[preset]
    known = facts(config, systems.SYSTEMS[name].batch)
    batch = BATCHES[name](known)
    system = begun(module, config, known, batch)
    with torch.enable_grad():
        train(system, batch)
    system.eval()
    z = system.style(batch.image)
    assert z.shape == (len(batch.image), system.noise_dim) and bool(z.isfinite().all())
    torch.testing.assert_close(system.style(batch.image[1:2])[0], z[1], rtol=1e-4, atol=1e-5)


# Detectors


def detecting(module: ModuleType, name: str) -> tuple[Any, Dialogues]:
    """A detector in evaluation mode after two steps, and a batch."""
    system, known = built(module)
    batch = BATCHES[name](known)
    train(system, batch)
    return system.eval(), batch


@those("Detector")
def test_what_is_detected_has_the_stated_shape_type_and_range(module: ModuleType, name: str) -> None:
    system, batch = detecting(module, name)
    for count in (1, 3):
        with torch.no_grad():
            found = system.detect(batch.image[:count])
        assert found.probability.shape == (count, len(CLASSES))
        assert found.position.shape in {(count, len(CLASSES), 2), (count, len(CLASSES), 3)}
        assert found.probability.dtype == found.position.dtype == torch.float32
        assert bool(((found.probability >= 0) & (found.probability <= 1)).all())
        assert bool(found.position.isfinite().all())


@those("Detector")
def test_what_is_detected_does_not_depend_on_neighbours_or_on_words(module: ModuleType, name: str) -> None:
    system, batch = detecting(module, name)
    with torch.no_grad():
        together = system.detect(batch.image)
        for row in range(len(batch.image)):
            for part, alone in zip(together, system.detect(batch.image[row : row + 1]), strict=True):
                torch.testing.assert_close(part[row : row + 1], alone, rtol=1e-4, atol=1e-4)


@those("Detector")
def test_a_detectors_state_dict_goes_round(module: ModuleType, name: str) -> None:
    system, batch = detecting(module, name)
    other, _ = built(module, seed=9)
    other.load_state_dict(system.state_dict())
    with torch.no_grad():
        for one, two in zip(other.eval().detect(batch.image), system.detect(batch.image), strict=True):
            assert torch.equal(one, two)


# Drawers


def one_turn(system: Any, instruction: Tensor, noise: Tensor) -> Tensor:
    with torch.no_grad():
        return system.turn(system.start(len(instruction)), instruction, noise).canvas


@those("Conversational")
def test_the_first_canvas_is_the_background(module: ModuleType, name: str) -> None:
    system, known = drawer(module, name)
    canvas = system.start(2).canvas
    assert canvas.shape == (2, 3, known.resolution, known.resolution)
    assert np.array_equal(pixels.to_arrays(canvas)[1], known.background)


@those("Conversational")
def test_a_turn_has_the_stated_shape_type_and_range(module: ModuleType, name: str) -> None:
    system, known = drawer(module, name)
    for count in (1, 3):
        instruction = torch.randint(1, len(WORDS), (count, 4))
        canvas = one_turn(system, instruction, torch.randn(count, system.noise_dim))
        assert canvas.shape == (count, 3, known.resolution, known.resolution)
        assert canvas.dtype == torch.float32
        assert bool((canvas.abs() <= 1).all())


@those("Conversational")
def test_a_turn_changes_no_state_and_depends_on_noise_and_words(module: ModuleType, name: str) -> None:
    system, _ = drawer(module, name)
    words, noise = torch.tensor([[3, 4, 6]]), torch.randn(1, system.noise_dim)
    with torch.no_grad():
        state = system.turn(system.start(), words, noise)
        kept = [part.clone() for part in state]
        again = system.turn(state, words, noise).canvas
        assert all(torch.equal(part, copy) for part, copy in zip(state, kept, strict=True))
        assert torch.equal(system.turn(state, words, noise).canvas, again), "same noise, other pixels"
        assert not torch.equal(system.turn(state, words, -noise).canvas, again)
        assert not torch.equal(system.turn(state, torch.tensor([[5, 7, 8]]), noise).canvas, again)


@those("Conversational")
def test_padded_words_do_not_change_a_turn(module: ModuleType, name: str) -> None:
    system, _ = drawer(module, name)
    words, noise = torch.tensor([[3, 4, 6]]), torch.randn(1, system.noise_dim)
    padded = torch.cat([words, torch.zeros(1, 4, dtype=torch.long)], dim=1)
    torch.testing.assert_close(one_turn(system, padded, noise), one_turn(system, words, noise), rtol=0, atol=1e-5)


@those("Conversational")
def test_a_dialogue_does_not_depend_on_its_neighbours(module: ModuleType, name: str) -> None:
    system, known = drawer(module, name)
    batch = dialogues(known)
    noise = torch.randn(len(batch.image), system.noise_dim)
    with torch.no_grad():
        together = draw(system, batch, noise, teacher=False)
        row = 0
        for turns in batch.turns.tolist():
            state = system.start()
            for _ in range(turns):
                state = system.turn(state, batch.instruction[row : row + 1], noise[row : row + 1])
                torch.testing.assert_close(state.canvas[0], together[row], rtol=0, atol=1e-4)
                row += 1


@those("Conversational")
def test_every_tensor_of_a_state_has_a_row_for_each_dialogue(module: ModuleType, name: str) -> None:
    system, known = drawer(module, name)
    with torch.no_grad():
        state = system.turn(system.start(3), torch.tensor([[3], [4], [5]]), torch.randn(3, system.noise_dim))
    two = select(state, torch.tensor([2, 0]))
    assert torch.equal(two.canvas, state.canvas[[2, 0]])
    assert type(two) is type(state)
    assert torch.equal(on_canvas(state, -state.canvas).canvas, -state.canvas)


@those("Conversational")
def test_a_state_dict_goes_round(module: ModuleType, name: str) -> None:
    system, known = drawer(module, name)
    other, _ = built(module, seed=9)
    other.load_state_dict(system.state_dict())
    words, noise = torch.tensor([[3, 4, 6]]), torch.randn(1, system.noise_dim)
    assert torch.equal(one_turn(other.eval(), words, noise), one_turn(system, words, noise))


# Layered generators, and what is told by texts, sketches and maps of regions


@torch.no_grad()
@those("Layered")
def test_codes_have_the_stated_shape_and_pictures_follow_from_them(module: ModuleType, name: str) -> None:
    system, batch = able(module, name)
    code = system.map(torch.randn(3, system.noise_dim))
    assert code.shape == (3, system.layers, system.style_dim) and system.mean.shape == code.shape[1:]
    images = system.synthesise(code)
    assert images.shape == (3, *batch.image.shape[1:]) and images.dtype == torch.float32
    assert bool((images.abs() <= 1).all())
    torch.manual_seed(1)
    assert torch.equal(system.synthesise(code), images), "same code, other pixels"
    torch.testing.assert_close(system.synthesise(code[1:2])[0], images[1], rtol=0, atol=1e-4)
    for layer in range(system.layers):
        changed = code.clone()
        changed[:, layer] += 3
        assert not torch.equal(system.synthesise(changed), images), f"layer {layer} says nothing"


@torch.no_grad()
@those("Guided")
@pytest.mark.parametrize("kind", ["image", "sketch", "regions", "text"])
def test_a_code_is_read_once_its_encoder_is_trained(module: ModuleType, name: str, kind: str) -> None:
    config = module.PRESETS["tiny" if kind == "image" else f"tiny-{kind}"]
    known = facts(config, systems.SYSTEMS[name].batch)
    batch = BATCHES[name](known)
    system = begun(module, config, known, batch)
    given = batch.words if kind == "text" else getattr(batch, kind)
    with pytest.raises(WeightsError, match=f"read no {kind} yet"):
        system.code_of(kind, given)
    with torch.enable_grad():
        train(system, batch)
    system.eval()
    code = system.code_of(kind, given)
    assert code.shape == (6, system.layers, system.style_dim) and bool(code.isfinite().all())
    torch.testing.assert_close(system.code_of(kind, given[2:3])[0], code[2], rtol=1e-4, atol=1e-5)
    assert not torch.equal(code[0], code[1])


@those("Guided")
def test_a_code_is_fitted_to_a_picture(module: ModuleType, name: str) -> None:
    system, batch = able(module, name)
    with torch.no_grad():
        start = system.code_of("image", batch.image)
        before = (system.synthesise(start) - batch.image).square().mean()
    heard: list[int] = []
    code = system.optimise(batch.image, start, steps=20, rate=0.1, each=lambda step, loss: heard.append(step))
    assert heard == list(range(1, 21)) and not code.requires_grad
    with torch.no_grad():
        assert (system.synthesise(code) - batch.image).square().mean() < before
    assert all(weight.grad is None for weight in system.parameters())
    anchored = system.optimise(batch.image, start, steps=20, rate=0.1, anchor=(start, 1e4))
    assert (anchored - start).square().mean() < (code - start).square().mean()
