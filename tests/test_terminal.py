"""The conversation in the terminal: commands, what is kept, what is shown; once through a real terminal.

Run as a program (as the last test does) this file converses with the toy below.
"""

import hashlib
import io
import os
import pty
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from telldraw.drawing import preview, terminal
from telldraw.drawing.files import read_record
from telldraw.drawing.session import Conversation, Drawer
from telldraw.drawing.terminal import COMMANDS, Terminal, parse
from telldraw.text import Vocabulary


@dataclass
class Toy:
    """An engine without torch. State: a digest of all that was told and of the noise, which fixes every pixel."""

    vocabulary: Vocabulary = field(
        default_factory=lambda: Vocabulary(
            ("<pad>", "<unk>", *"a the tree sun on and of left right large undo".split())
        )
    )
    name: str = "toy"
    noise_dim: int = 3
    aspect: float = 1.0
    turns: int = 0

    def start(self) -> bytes:
        """Nothing told yet."""
        return b""

    def turn(self, state: bytes, words: list[str], noise: np.ndarray) -> bytes:
        """Fold words and noise into the state."""
        self.turns += 1
        return hashlib.sha256(state + " ".join(words).encode() + noise.tobytes()).digest()

    def picture(self, state: bytes) -> np.ndarray:
        """Colours of the digest, [8, 8, 3]; white before the first turn."""
        if not state:
            return np.full((8, 8, 3), 255, np.uint8)
        return np.resize(np.frombuffer(state, np.uint8), (8, 8, 3)).copy()


def look(path: Path | str) -> Image.Image:
    """A picture from disk, the file closed again."""
    with Image.open(path) as image:
        image.load()
        copy = image.copy()
        copy.info = {**image.info, "frames": getattr(image, "n_frames", 1)}
    return copy


def talk(*lines: str, **options: Any) -> tuple[Terminal, str]:
    """A whole conversation; it ends when the lines do."""
    waiting = list(lines)

    def ask() -> str:
        if not waiting:
            raise EOFError
        return waiting.pop(0)

    screen = io.StringIO()
    session = Terminal(Conversation(Drawer(Toy()).start(seed=5)), screen, ask, **options)
    session.run()
    return session, screen.getvalue()


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("undo", ("undo", "")),
        ("Undo 3", ("undo", "3")),
        ("  redo  ", ("redo", "")),
        ("again 12", ("again", "12")),
        ("branch", ("branch", "")),
        ("branch dusk", ("branch", "dusk")),
        ("go 4", ("go", "4")),
        ("go home", ("go", "home")),  # a branch of that name exists
        ("save my tree.png", ("save", "my tree.png")),
        ("animate a.gif", ("animate", "a.gif")),
        ("exit", ("quit", "")),
        ("/save", ("save", "")),
        ("/tell undo", ("tell", "undo")),
        ("/dance", ("dance", "")),
    ],
)
def test_a_line_that_has_the_form_of_a_command_is_one(line: str, command: tuple[str, str]) -> None:
    assert parse(line, {"home": 1}) == command


@pytest.mark.parametrize(
    "line",
    [
        "undo the tree",
        "go left",
        "again a tree",
        "branch on the left",
        "save the tree",
        "help the girl",
        "history of trees",
        "a / b",
        "animate the dog",
        "undo -1",
        "tell him a tree",
        "sheet of paper",
    ],
)
def test_an_instruction_that_begins_like_a_command_is_told(line: str) -> None:
    assert parse(line, {}) == ("tell", line)


def test_every_command_is_understood_and_in_the_help() -> None:
    _, said = talk("help", *(f"/{name}" for name in COMMANDS if name != "quit"))
    assert "there is no command" not in said
    assert all(command.usage in said for command in COMMANDS.values())


def test_the_last_picture_is_on_disk_after_every_turn() -> None:
    seen = []
    lines = iter(["a tree", "a sun", "undo", "again"])

    def ask() -> str:
        path = Path("a-tree.png")
        seen.append(read_record(path).history if path.exists() else None)
        line = next(lines, None)
        if line is None:
            raise KeyboardInterrupt
        return line

    screen = io.StringIO()
    assert Terminal(Conversation(Drawer(Toy()).start(seed=5)), screen, ask).run() == Path("a-tree.png")
    tree, sun = ("a tree", 5), ("a sun", 5)
    assert seen == [None, (tree,), (tree, sun), (tree,), (("a tree", 6),)]
    assert screen.getvalue().endswith("The last picture is in a-tree.png.\n")


def test_a_file_that_is_there_is_not_touched() -> None:
    Path("a-tree.png").write_text("mine")
    talk("a tree")
    assert Path("a-tree.png").read_text() == "mine"
    assert look("a-tree-2.png").size == (256, 256)


def test_undoing_everything_keeps_the_last_picture() -> None:
    session, _ = talk("a tree", "undo")
    assert session.conversation.canvas.depth == 0
    assert read_record(Path("a-tree.png")).history == (("a tree", 5),)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("xylophone", "knows no word"),
        ("\U0001f333\U0001f31e", "knows no word"),
        ("дерево слева", "knows no word"),
        ("a tree \x1b[2J", "U+001B"),
        ("a\x00tree", "U+0000"),
        ("tree " * 10_000, "at most 256"),
        ("/go 7", "from 0 to 1"),
        ("/go", "go where?"),
        ("/again soon", "takes a number"),
        ("again 99999999999999999999", "takes a number"),
        ("redo", "nothing to redo"),
        ("undo 5", "only 1 to undo"),
        ("undo 0", "from 1"),
        ("/branch 3", "not a number"),
        ("/save", "needs the name of a file"),
        ("save nowhere/x.png", "no folder nowhere"),
        ("/save x.bmp", "must end in"),
        ("save the tree", "knows no"),
        ("/animate x.png", "must end in"),
        ("/dance", "no command"),
    ],
)
def test_what_goes_wrong_is_said_in_a_line_and_the_conversation_goes_on(line: str, sentence: str) -> None:
    line = line.replace("save the tree", "save everything please")
    session, said = talk("a tree", line, "a sun")
    told = said.split("[1] a tree")[1].split("[2] a sun")[0]
    assert sentence in told and len(told.strip().splitlines()) <= 2
    assert "\x1b" not in told and "\x00" not in told
    assert [turn.instruction for turn in session.conversation.turns] == ["", "a tree", "a sun"]


def test_a_failed_command_without_a_slash_names_the_command() -> None:
    assert "/save FILE" in talk("save everything")[1]


def test_before_the_first_turn_nothing_can_be_undone_or_drawn_again() -> None:
    session, said = talk("undo", "again", "sheet a.png", "go 0", "history", "")
    assert "nothing to undo" in said and "nothing to draw again" in said and "nothing is drawn yet" in said
    assert said.endswith("No picture was saved.\n") and list(Path().iterdir()) == []
    assert session.conversation.here == 0


def test_words_it_does_not_know_are_named_with_the_nearest() -> None:
    assert "'tre' (near: tree)" in talk("a tre and a sun")[1]


def test_history_is_a_tree_with_the_place_marked_and_branches_named() -> None:
    _, said = talk("a tree", "branch trunk", "a sun", "go trunk", "left", "right", "undo", "history", "quit")
    lines = [line for line in said.splitlines() if line[:2] in ("* ", "  ")]
    assert [line[:2] + line[2:].lstrip("| ").split()[0] for line in lines] == [
        "  [0]",
        "  [1]",
        "  [2]",
        "* [3]",
        "  [4]",
    ]
    assert "<- trunk" in lines[1]
    assert [line.count("| ") for line in lines] == [0, 0, 1, 1, 1]


def test_save_sheet_and_animate_write_what_they_say() -> None:
    talk("a tree", "a sun", "save now.png", "sheet page.png", "animate all.gif", "undo", "save before.webp")
    assert read_record(Path("now.png")).history == (("a tree", 5), ("a sun", 5))
    assert look("all.gif").info["frames"] == 2
    assert look("page.png").width > 512 and look("before.webp").size == (256, 256)
    assert not list(Path().glob(".telldraw*"))


def test_a_picture_can_be_kept_without_a_record() -> None:
    talk("a tree", out=Path("plain.png"), record=False)
    assert b"a tree" not in Path("plain.png").read_bytes() and "telldraw" not in look("plain.png").info


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, preview.half_blocks),
        ({"TERM": "xterm-kitty"}, preview.kitty),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, preview.iterm),
        ({"TERM": "tmux-256color", "TMUX": "x", "KITTY_WINDOW_ID": "1", "COLORTERM": "24bit"}, preview.half_blocks),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"}, None),
        ({"TERM": "xterm"}, None),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, None),
        ({}, None),
    ],
)
def test_the_preview_is_what_the_terminal_can_show(environment: dict[str, str], expected: Any) -> None:
    class Window(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    assert preview.preview_for(Window(io.BytesIO(), encoding="utf-8"), environment) is expected
    assert preview.preview_for(io.StringIO(), environment) is None


def test_half_blocks_show_two_rows_of_pixels_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.new("RGB", (4, 4), (255, 0, 0))
    image.paste((0, 0, 255), (0, 1, 4, 2))
    lines = preview.half_blocks(image, columns=4).splitlines()
    assert len(lines) == 2
    assert lines[0] == "\x1b[38;2;255;0;0;48;2;0;0;255m\u2580" * 4 + "\x1b[0m"
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("LINES", "24")
    assert all(line.count("\u2580") == 29 for line in preview.half_blocks(image).splitlines())
    monkeypatch.setenv("COLUMNS", "200")
    assert len(preview.half_blocks(image).splitlines()) <= 20


def test_inline_pictures_are_pngs(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    pieces = preview.kitty(noisy).split("\x1b_G")[1:]
    assert len(pieces) > 1 and all(len(piece) < 4200 for piece in pieces)
    assert [piece.split(";")[0][-3:] for piece in pieces] == ["m=1"] * (len(pieces) - 1) + ["m=0"]
    assert "iVBORw0KGgo" in pieces[0] and "iVBORw0KGgo" in preview.iterm(noisy)


def test_a_terminal_from_the_first_key_to_the_last(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "40", "LINES": "24"}
    child = subprocess.Popen(
        [sys.executable, __file__],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=tmp_path,
        env=environment,
        close_fds=True,
    )
    os.close(slave)
    seen = ""

    def wait_for(text: str) -> None:
        nonlocal seen
        until = time.monotonic() + 20
        while text not in seen and time.monotonic() < until:
            if select.select([master], [], [], 1)[0]:
                seen += os.read(master, 65536).decode(errors="replace")
        assert text in seen
        seen = seen.split(text, 1)[1]

    try:
        wait_for("> ")
        os.write(master, b"a large tree on the left\n")
        wait_for("\u2580")
        wait_for("[1] a large tree on the left  (turn 1, seed 0)")
        os.write(master, b"a sun\n")
        wait_for("[2] a sun  (turn 2, seed 0)")
        os.write(master, b"undo\n")
        wait_for("[1] a large tree")
        os.write(master, b"history\n")
        wait_for("* [1]")
        wait_for("> ")
        time.sleep(0.5)  # the prompt is there a moment before Python waits behind it
        child.send_signal(signal.SIGINT)  # what Ctrl-C does
        wait_for("The last picture is in a-large-tree-on-the-left.png.")
        assert child.wait(20) == 0
    finally:
        child.kill()
        child.wait()
        os.close(master)
    assert read_record(tmp_path / "a-large-tree-on-the-left.png").history == (("a large tree on the left", 0),)


if __name__ == "__main__":
    Terminal(
        Conversation(Drawer(Toy()).start()),
        sys.stdout,
        terminal.keyboard("> ", sys.stdout),
        preview.preview_for(sys.stdout),
    ).run()
