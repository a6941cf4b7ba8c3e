"""Canvases as values: replay, undo, branches, seeds; and that a canvas is what `turn` paints, bit for bit."""

import doctest
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import telldraw
from telldraw import drawing, pixels, weights
from telldraw.drawing.engine import TorchEngine
from telldraw.drawing.noise import noise
from telldraw.drawing.session import Canvas, Conversation, Drawer, Turn, unknown_sentence
from telldraw.errors import InstructionError, TelldrawError, WeightsError
from telldraw.systems import geneva
from telldraw.text import Vocabulary
from test_terminal import Toy

WORDS = Vocabulary(("<pad>", "<unk>", "<teller>", *"a the tree sun on left right large of it above".split()))


@pytest.fixture(scope="module")
def loaded() -> weights.Loaded:
    """A small GeNeVA that nobody trained."""
    torch.manual_seed(0)
    config = replace(geneva.PRESETS["tiny"], vocabulary_size=len(WORDS))
    return weights.Loaded("tiny", geneva.System(config).eval(), WORDS, {"system": "geneva"})


@pytest.fixture
def drawer(loaded: weights.Loaded) -> Drawer:
    """That GeNeVA, ready to draw."""
    return Drawer(TorchEngine(loaded))


def pixels_of(canvas: Canvas) -> bytes:
    """All that can be seen."""
    return canvas.image.tobytes()


# The noise


def test_the_noise_is_what_the_documents_define() -> None:
    sequence = np.random.SeedSequence([7, 3])
    expected = np.random.RandomState(np.random.PCG64(sequence)).standard_normal(4).astype(np.float32)
    assert np.array_equal(noise(7, 3, 4), expected) and noise(7, 3, 4).dtype == np.float32
    # numbers, so that a NumPy that draws others is noticed
    assert [f"{x:.6f}" for x in noise(7, 1, 4)] == ["-0.387931", "0.270043", "-0.422037", "-0.385868"]


@given(seed=st.integers(0, 2**63 - 1), depth=st.integers(1, 10_000))
@settings(max_examples=50, deadline=None)
def test_every_seed_and_every_depth_has_a_noise_of_its_own(seed: int, depth: int) -> None:
    here = noise(seed, depth, 16)
    assert np.isfinite(here).all()
    assert not np.array_equal(here, noise(seed, depth + 1, 16))
    assert not np.array_equal(here, noise(seed - 1 if seed else 1, depth, 16))


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, True, "7", None])
def test_a_seed_is_a_whole_number(seed: Any, drawer: Drawer) -> None:
    with pytest.raises(TelldrawError, match="whole number"):
        drawer.start(seed=seed)


# Canvases


def test_a_canvas_is_what_turn_paints_bit_for_bit(loaded: weights.Loaded, drawer: Drawer) -> None:
    system: Any = loaded.system
    told = ["a large tree on the left", "the sun above it", "a tree on the right"]
    canvas, state = drawer.start(seed=11), system.start(1)
    for depth, instruction in enumerate(told, start=1):
        canvas = canvas.tell(instruction)
        numbers = torch.from_numpy(WORDS.encode(["<teller>", *instruction.split()])).unsqueeze(0)
        with torch.no_grad():
            state = system.turn(state, numbers, torch.from_numpy(noise(11, depth, system.noise_dim)).unsqueeze(0))
        assert torch.equal(canvas.state.canvas, state.canvas) and torch.equal(canvas.state.hidden, state.hidden)
    assert pixels_of(canvas) == pixels.to_image(state.canvas[0]).tobytes()


def test_same_seed_same_pixels_another_seed_another_picture(drawer: Drawer) -> None:
    first = drawer.start(seed=7).tell("a tree").tell("a sun on the left")
    assert pixels_of(drawer.start(seed=7).tell("a tree").tell("a sun on the left")) == pixels_of(first)
    assert pixels_of(drawer.start(seed=8).tell("a tree").tell("a sun on the left")) != pixels_of(first)
    assert pixels_of(first.again(seed=8)) != pixels_of(first) == pixels_of(first.again(seed=7))
    assert first.again().seed == 8 and first.again().tell("a tree").seed == 8
    assert pixels_of(drawer.replay(first.history)) == pixels_of(first)


def test_canvases_are_values(drawer: Drawer) -> None:
    blank = drawer.start()
    tree = blank.tell("a tree")
    before = pixels_of(blank), pixels_of(tree)
    left, right = tree.tell("a sun on the left"), tree.tell("a sun on the right")
    left.tell("the tree")
    left.image.putpixel((0, 0), (1, 2, 3))
    left.engine.picture(left.state)[:] = 0
    assert (pixels_of(blank), pixels_of(tree)) == before
    assert pixels_of(tree.tell("a sun on the left")) == pixels_of(left) != pixels_of(right)
    assert left.parent is tree and tree.parent is blank and blank.parent is None
    assert left.history == (Turn("a tree", 0), Turn("a sun on the left", 0)) and blank.history == ()
    assert left.path == (blank, tree, left)
    with pytest.raises(AttributeError):
        tree.seed = 3  # type: ignore[misc]
    with pytest.raises(TelldrawError, match="blank"):
        blank.again()


def test_pictures_are_rgb_at_the_drawers_size(drawer: Drawer) -> None:
    image = drawer.start().tell("a tree").image
    assert (image.mode, image.size) == ("RGB", (32, 32))
    assert "turn 1: a tree" in repr(drawer.start().tell("a tree")) and repr(drawer) == "<Drawer tiny>"


@given(told=st.lists(st.tuples(st.sampled_from(["a tree", "a sun", "left of it"]), st.integers(0, 3)), max_size=6))
@settings(max_examples=30, deadline=None)
def test_any_history_replays(told: list[tuple[str, int]]) -> None:
    drawer = Drawer(Toy())
    canvas = drawer.replay(told)
    assert list(canvas.history) == told
    assert pixels_of(Drawer(Toy()).replay(canvas.history)) == pixels_of(canvas)


def test_a_conversation_replays_in_another_process(tmp_path: Path, loaded: weights.Loaded) -> None:
    weights.save(tmp_path / "tiny", loaded.system, WORDS, {"name": "tiny", "system": "geneva"})
    code = (
        "import sys, telldraw\n"
        "canvas = telldraw.drawer(sys.argv[1]).start(seed=7).tell('a tree').tell('a sun', seed=9)\n"
        "print(canvas.image.tobytes().hex())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "tiny")],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    here = telldraw.drawer(tmp_path / "tiny").start(seed=7).tell("a tree").tell("a sun", seed=9)
    assert run.stdout.strip() == pixels_of(here).hex()


# What is told


@pytest.mark.parametrize(
    ("instruction", "sentence"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("tree " * 10_000, "10,000 words"),
        ("\U0001f333 \U0001f31e", "knows no word"),
        ("\u0434\u0435\u0440\u0435\u0432\u043e", "knows no word"),
        ("\u6728", "knows no word"),
        ("a tree\x00", r"U\+0000"),
        ("\x1b[31ma tree", r"U\+001B"),
        ("a tree \udcff", r"U\+DCFF"),
        ("x" * 100_000, "knows no word"),
        ("tre", "did you mean tree"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_sentence(drawer: Drawer, instruction: str, sentence: str) -> None:
    canvas = drawer.start()
    with pytest.raises(InstructionError, match=sentence) as caught:
        canvas.tell(instruction)
    assert len(str(caught.value)) < 250 and "\n" not in str(caught.value)
    assert canvas.depth == 0


def test_unknown_words_are_drawn_without_and_named(drawer: Drawer) -> None:
    canvas = drawer.start().tell("a lagre tree, a xylophone")
    assert canvas.unknown == {"lagre": ["large"], "xylophone": []}
    sentence = unknown_sentence(canvas.unknown)
    assert "'lagre' (near: large), 'xylophone'" in sentence
    assert unknown_sentence({}) == ""
    assert len(unknown_sentence({"x" * 10_000: [], **{f"w{n}": [] for n in range(100)}})) < 200


def test_tabs_and_lines_are_space(drawer: Drawer) -> None:
    assert pixels_of(drawer.start().tell("a\ttree\n")) == pixels_of(drawer.start().tell("a tree"))


# The conversation, as a tree


class Talk(RuleBasedStateMachine):
    """Any order of tell, again, undo, redo, branch, go: the tree only grows, and every turn stays what it was."""

    def __init__(self) -> None:
        """A conversation, and what is known of its turns."""
        super().__init__()
        self.talk = Conversation(Drawer(Toy()).start(seed=3))
        self.seen: list[bytes] = [pixels_of(self.talk.canvas)]

    @rule(instruction=st.sampled_from(["a tree", "a sun", "on the left"]))
    def tell(self, instruction: str) -> None:
        """Go one deeper, with the seed in force."""
        before = self.talk.canvas
        canvas = self.talk.tell(instruction)
        assert canvas.parent is before and canvas.seed == before.seed and canvas.instruction == instruction
        assert pixels_of(before.tell(instruction)) == pixels_of(canvas)

    @precondition(lambda self: self.talk.canvas.depth)
    @rule()
    def again(self) -> None:
        """Another picture of the same words, that was not there yet."""
        before, count = self.talk.canvas, len(self.talk.turns)
        canvas = self.talk.again()
        assert len(self.talk.turns) == count + 1
        assert canvas.parent is before.parent and canvas.instruction == before.instruction
        assert pixels_of(canvas) != pixels_of(before)

    @precondition(lambda self: self.talk.canvas.depth)
    @rule()
    def undo_and_the_same_again(self) -> None:
        """Undo, redo and telling the same lead to the same turn."""
        canvas = self.talk.canvas
        assert self.talk.undo() is canvas.parent and self.talk.redo() is canvas
        self.talk.undo()
        if self.talk.canvas.seed == canvas.seed:
            count = len(self.talk.turns)
            assert self.talk.tell(canvas.instruction) is canvas and len(self.talk.turns) == count

    @precondition(lambda self: self.talk.canvas.depth)
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        """Go back some turns."""
        depth = self.talk.canvas.depth
        steps = data.draw(st.integers(1, depth))
        assert self.talk.undo(steps).depth == depth - steps

    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        """Name a turn and find it by number and by name."""
        number = data.draw(st.integers(0, len(self.talk.turns) - 1))
        canvas = self.talk.goto(number)
        assert canvas is self.talk.turns[number]
        name = self.talk.branch()
        self.talk.goto(0)
        assert self.talk.goto(name) is canvas

    @invariant()
    def nothing_is_lost_or_changed(self) -> None:
        """Turns keep their numbers and their pixels, whatever happened on other branches."""
        now = [pixels_of(canvas) for canvas in self.talk.turns]
        assert now[: len(self.seen)] == self.seen
        self.seen = now
        assert all(canvas.parent is None or canvas.parent in self.talk.turns for canvas in self.talk.turns)


TestTalk = Talk.TestCase
TestTalk.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)


def test_a_turn_drawn_before_is_not_drawn_twice() -> None:
    toy = Toy()
    talk = Conversation(Drawer(toy).start())
    talk.tell("a tree")
    talk.undo()
    talk.tell("a tree")
    assert toy.turns == 1 and len(talk.turns) == 2


def test_a_conversation_goes_on_from_a_canvas() -> None:
    canvas = Drawer(Toy()).start().tell("a tree").tell("a sun")
    talk = Conversation(canvas)
    assert talk.canvas is canvas and talk.undo().instruction == "a tree" and talk.here == 1


def test_names_of_branches() -> None:
    talk = Conversation(Drawer(Toy()).start())
    talk.tell("a tree")
    assert talk.branch("dusk") == "dusk" == talk.branch("dusk")
    talk.tell("a sun")
    with pytest.raises(TelldrawError, match="already stands for turn 1"):
        talk.branch("dusk")
    assert talk.branch() != talk.branch()
    with pytest.raises(TelldrawError, match="no turn 'noon'; .* dusk"):
        talk.goto("noon")
    for wrong in (-1, 3):
        with pytest.raises(TelldrawError, match="from 0 to 2"):
            talk.goto(wrong)


def test_long_conversations_need_no_recursion() -> None:
    canvas = Drawer(Toy()).start()
    for _ in range(5_000):
        canvas = canvas.tell("a tree")
    assert len(canvas.history) == 5_000 and len(repr(canvas)) < 200
    del canvas


# Weights


def test_weights_that_cannot_converse_are_named() -> None:
    with pytest.raises(WeightsError, match="odd hold vae, which does not draw turn by turn"):
        TorchEngine(weights.Loaded("odd", torch.nn.Linear(1, 1), WORDS, {"system": "vae"}))


def test_weights_of_a_failed_run_are_named(loaded: weights.Loaded) -> None:
    class Broken(torch.nn.Module):
        noise_dim = 1

        def start(self, batch_size: int = 1) -> Any:
            return geneva.State(torch.full((1, 3, 4, 4), torch.nan), torch.zeros(1, 1), torch.zeros(1, 0))

        def turn(self, state: Any, instruction: torch.Tensor, noise: torch.Tensor) -> Any:
            return state

    with pytest.raises(WeightsError, match="not a number"):
        _ = Drawer(TorchEngine(weights.Loaded("nan", Broken(), WORDS, {}))).start().tell("a tree").image


def test_a_missing_drawer_and_a_missing_device_are_named(tmp_path: Path, loaded: weights.Loaded) -> None:
    with pytest.raises(WeightsError, match="nobody"):
        telldraw.drawer("nobody")
    weights.save(tmp_path / "tiny", loaded.system, WORDS, {"name": "tiny", "system": "geneva"})
    for device in ("quantum", "cuda:99"):
        with pytest.raises(TelldrawError, match="no device"):
            telldraw.drawer(tmp_path / "tiny", device=device)


def test_the_examples_of_the_documents_run(
    tmp_path: Path, loaded: weights.Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights.save(tmp_path / "tiny", loaded.system, WORDS, {"name": "tiny", "system": "geneva"})
    monkeypatch.chdir(tmp_path)
    real = drawing.drawer
    monkeypatch.setattr(drawing, "drawer", lambda name=None, device="cpu": real("tiny", device))
    page = Path(__file__).parents[1] / "docs" / "drawing.md"
    text = page.read_text(encoding="utf-8").replace("```", "")
    test = doctest.DocTestParser().get_doctest(text, {}, "drawing.md", str(page), 0)
    runner = doctest.DocTestRunner(verbose=False)
    assert runner.run(test).failed == 0 and runner.tries > 8
