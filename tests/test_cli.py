"""The command line: instant help, commands by name, errors as sentences, and `telldraw draw` from end to end."""

import builtins
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from telldraw import __version__, cli, weights
from telldraw.commands.table import table
from telldraw.drawing.files import read_record
from telldraw.errors import TelldrawError
from telldraw.systems import SYSTEMS, geneva
from telldraw.text import Vocabulary
from test_terminal import look

HEAVY = ("torch", "numpy", "PIL", "tyro", "pydantic", "rich", "scipy", "tensorboard")
Telldraw = Callable[..., tuple[int, str, str]]


class Stdin(io.TextIOWrapper):
    """What is typed, or comes from a pipe."""

    typed = False

    def isatty(self) -> bool:
        """Whether somebody is there."""
        return self.typed


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder of a small GeNeVA that nobody trained."""
    words = Vocabulary(("<pad>", "<unk>", *"a the tree sun on left right large of it above".split()))
    torch.manual_seed(0)
    system = geneva.System(replace(geneva.PRESETS["tiny"], vocabulary_size=len(words)))
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    card = {"name": "tiny", "system": "geneva", "data": "nothing", "licence": "CC0", "resolution": 32}
    weights.save(folder, system, words, card | {"figures": {"F1": {"all turns": 0.51234}, "RSIM": 0.5}})
    return folder


@pytest.fixture
def telldraw(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Telldraw:
    """The command line, in a folder of its own, with the small drawer as the shipped one: -> code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weights, "SHIPPED", tiny.parent)
    monkeypatch.setattr(weights, "CHECKOUT", tmp_path)
    monkeypatch.setattr(weights, "DEFAULT", "tiny")

    def run(*argv: str, stdin: str | bytes = "") -> tuple[int, str, str]:
        raw = stdin if isinstance(stdin, bytes) else stdin.encode()
        monkeypatch.setattr(sys, "stdin", Stdin(io.BytesIO(raw), encoding="utf-8"))
        code = cli.main(list(argv))
        out, err = capsys.readouterr()
        return code, out, err

    return run


def shell(*argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """`telldraw` as a process of its own."""
    return subprocess.run([sys.executable, "-m", "telldraw.cli", *argv], capture_output=True, text=True, **options)


# The front door


@pytest.mark.parametrize("argv", [(), ("--help",), ("-h",)])
def test_help_names_every_command(telldraw: Telldraw, argv: tuple[str, ...]) -> None:
    code, out, err = telldraw(*argv)
    assert code == 0 and err == ""
    assert all(f"  {name}" in out and command.summary in out for name, command in cli.COMMANDS.items())
    assert max(map(len, out.splitlines())) <= 100 and out.count("telldraw draw") >= 3


def test_version(telldraw: Telldraw) -> None:
    assert telldraw("--version") == (0, f"telldraw {__version__}\n", "")


@pytest.mark.parametrize("what", ["import telldraw", "from telldraw import cli; cli.main(['--help'])"])
def test_help_and_import_load_nothing_heavy(what: str) -> None:
    code = f"import sys\n{what}\nprint([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr.strip() == "[]"


@pytest.mark.parametrize("argv", [["systems"], ["weights"], ["draw", "--help"], ["systems", "--json"]])
def test_listing_and_the_help_of_draw_load_no_torch(argv: list[str]) -> None:
    code = f"import sys\nfrom telldraw import cli\ncode = cli.main({argv})\nsys.exit(code or ('torch' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_an_unknown_command_names_the_nearest(telldraw: Telldraw) -> None:
    assert telldraw("drwa") == (2, "", "telldraw: there is no command 'drwa'; did you mean draw?\n")
    assert "choose from prepare, data" in telldraw("xyz")[2]
    assert 'telldraw draw "..."' in telldraw("a large tree")[2]


def test_commands_end_as_they_should(telldraw: Telldraw, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends_with(error: BaseException) -> tuple[int, str, str]:
        def run(argv: list[str]) -> None:
            raise error

        monkeypatch.setattr(cli, "import_module", lambda name: SimpleNamespace(run=run))
        return telldraw("draw")

    assert ends_with(TelldrawError("no such thing; do that")) == (2, "", "telldraw: no such thing; do that\n")
    assert ends_with(KeyboardInterrupt()) == (130, "", "")
    assert ends_with(SystemExit(0))[0] == 0 and ends_with(SystemExit(2))[0] == 2
    code, _, err = ends_with(ModuleNotFoundError("No module named 'torch'", name="torch"))
    assert code == 2 and err == "telldraw: draw needs torch: pip install 'telldraw[train]'\n"
    for bug in (ModuleNotFoundError("x", name="telldraw.x"), ZeroDivisionError()):
        with pytest.raises(type(bug)):
            ends_with(bug)


def test_every_command_of_the_table_can_be_loaded() -> None:
    from importlib import import_module

    assert all(callable(import_module(command.module).run) for command in cli.COMMANDS.values())


def test_a_reader_that_leaves_is_no_error() -> None:
    command = f"{sys.executable} -m telldraw.cli systems --json | true"
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert run.stderr == ""


# Lists


def test_systems(telldraw: Telldraw) -> None:
    code, out, _ = telldraw("systems")
    assert code == 0 and all(name in out for name in SYSTEMS) and "conversational" in out
    assert max(map(len, out.splitlines())) <= 100
    assert json.loads(telldraw("systems", "--json")[1]).keys() == SYSTEMS.keys()


def test_weights(telldraw: Telldraw, tiny: Path) -> None:
    code, out, _ = telldraw("weights")
    assert (
        code == 0
        and "tiny *" in out
        and "CC0" in out
        and "32x32" in out
        and "F1 all turns 0.5123" in " ".join(out.split())
    )
    assert max(map(len, out.splitlines())) <= 100
    card = json.loads(telldraw("weights", "--json")[1])["tiny"]
    assert card["default"] and card["folder"] == str(tiny) and card["figures"]["RSIM"] == 0.5
    assert card["bytes"] == sum(file.stat().st_size for file in tiny.iterdir())


def test_no_weights(telldraw: Telldraw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    assert "telldraw train" in telldraw("weights")[1] and telldraw("weights", "--json")[1] == "{}\n"


def test_tables_fit() -> None:
    rows = [("a", "word " * 60, "x" * 150), ("b", "", "short")]
    text = table(("name", "long", "longer"), rows)
    assert max(map(len, text.splitlines())) <= 100 and text.count("word") == 60 and text.count("x") == 150


# Draw


def test_draw_prints_the_path_of_a_new_picture(telldraw: Telldraw) -> None:
    code, out, err = telldraw("draw", "a large tree", "a sun above it")
    assert (code, out) == (0, "a-large-tree.png\n")
    assert "2 turns by tiny, seed 0" in err
    assert look("a-large-tree.png").size == (256, 256)
    assert read_record(Path("a-large-tree.png")).history == (("a large tree", 0), ("a sun above it", 0))
    assert telldraw("draw", "a large tree")[1] == "a-large-tree-2.png\n"


def test_the_same_seed_gives_the_same_file(telldraw: Telldraw, tiny: Path) -> None:
    for name, seed in (("a", "4"), ("b", "4"), ("c", "5")):
        assert telldraw("draw", "a tree", "--seed", seed, "--out", f"{name}.png", "--weights", str(tiny))[0] == 0
    assert look("a.png").tobytes() == look("b.png").tobytes() != look("c.png").tobytes()


def test_everything_at_once(telldraw: Telldraw) -> None:
    outputs = ["--out", "o.webp", "--sheet", "s.png", "--animate", "a.gif", "--frames", "f"]
    code, out, _ = telldraw("draw", "a tree", "a sun", "of it", *outputs, "--scale", "2")
    assert (code, out.split()) == (0, ["o.webp", "s.png", "a.gif", "f"])
    assert look("o.webp").size == (64, 64) and look("a.gif").info["frames"] == 3
    assert sorted(os.listdir("f")) == ["turn-001.png", "turn-002.png", "turn-003.png"]
    assert look("f/turn-003.png").size == (64, 64) and look("s.png").width == 3 * 80 + 16
    assert read_record(Path("f/turn-002.png")).history == (("a tree", 0), ("a sun", 0))
    assert not [name for name in os.listdir() if name.startswith(".telldraw")]


def test_candidates_are_the_pictures_of_their_seeds(telldraw: Telldraw) -> None:
    code, out, _ = telldraw(
        *("draw", "a tree", "a sun", "--seed", "7", "--candidates", "3", "--scale", "1", "--out", "all.png", "--json"),
        *("--sheet", "s.png", "--animate", "a.webp", "--frames", "f"),
    )
    document = json.loads(out)
    assert code == 0 and document["seeds"] == [[7, 7], [8, 8], [9, 9]] and len(document["files"]["frames"]) == 6
    together = look("all.png")
    assert together.size == (3 * 32 + 8, 32) and look("a.webp").info["frames"] == 2
    telldraw("draw", "a tree", "a sun", "--seed", "8", "--scale", "1", "--out", "one.png")
    assert together.crop((36, 0, 68, 32)).tobytes() == look("one.png").tobytes()


def test_json_says_what_was_drawn(telldraw: Telldraw) -> None:
    code, out, err = telldraw("draw", "a tre and a tree", "a sun", "--json", "--seed", "3")
    document = json.loads(out)
    assert code == 0 and "turn 1: drawn without words it does not know: 'tre' (near: tree)" in err
    assert document["weights"] == "tiny" and document["seeds"] == [[3, 3]] and document["drawn_size"] == [32, 32]
    assert document["turns"][0]["words"] == ["a", "tre", "and", "a", "tree"]
    assert document["turns"][0]["unknown"]["tre"] == ["tree"] and document["turns"][1]["unknown"] == {}
    assert document["files"]["picture"] == {"path": "a-tre-and-a-tree.png", "size": [256, 256]}
    assert document["seconds"].keys() == {"load", "draw"}


def test_a_picture_is_gone_on_with(telldraw: Telldraw) -> None:
    telldraw("draw", "a tree", "--seed", "6", "--out", "one.png")
    assert telldraw("draw", "a sun", "--continue", "one.png", "--out", "two.png")[0] == 0
    telldraw("draw", "a tree", "a sun", "--seed", "6", "--out", "both.png")
    assert look("two.png").tobytes() == look("both.png").tobytes()
    assert read_record(Path("two.png")) == read_record(Path("both.png"))
    telldraw("draw", "a tree", "--out", "none.png", "--no-record")
    code, _, err = telldraw("draw", "a sun", "--continue", "none.png")
    assert code == 2 and "does not say how it was drawn" in err


def test_instructions_come_from_stdin(telldraw: Telldraw) -> None:
    turns = [("a tree", 0), ("a sun", 0), ("a left tree", 0)]
    telldraw("draw", "--out", "a.png", stdin="a tree\r\n\n  a sun\na left tree")
    telldraw("draw", "a tree", "-", "a left tree", "--out", "b.png", stdin="a sun\n")
    assert [tuple(turn) for turn in read_record(Path("b.png")).history] == turns
    assert look("a.png").tobytes() == look("b.png").tobytes()
    assert "no instruction" in telldraw("draw", stdin="\n \n")[2]
    code, _, err = telldraw("draw", stdin=b"a tree \xff\n")
    assert code == 2 and "is no character of a text" in err


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["", "a tree"], "instruction 1: the instruction is empty"),
        (["a tree", "\U0001f333"], "instruction 2: the drawer knows no word"),
        (["tree " * 10_000], "10,000 words"),
        (["x" * 100_000], "knows no word"),
        (["\x1b[2Ja tree"], "U+001B"),
        (["a tree", "--out", "x.tiff"], "--out x.tiff: the name must end in"),
        (["a tree", "--out", "no/x.png"], "--out no/x.png: there is no folder no"),
        (["a tree", "--sheet", "s.gif"], "--sheet s.gif"),
        (["a tree", "--animate", "a.png"], "must end in .gif or .webp"),
        (["a tree", "--frames", "no/f"], "--frames no/f"),
        (["a tree", "--out", "x.png", "--sheet", "./x.png"], "--out and --sheet both name x.png"),
        (["a tree", "--candidates", "0"], "--candidates is a number from 1"),
        (["a tree", "--scale", "99"], "--scale is a whole number"),
        (["a tree", "--seed=-1"], "--seed -1: a whole number from 0"),
        (["a tree", "--seed", str(2**63 - 1), "--candidates", "2"], "the last of 2 candidates has one above"),
        (["a tree", "--weights", "nobody"], "nobody"),
        (["a tree", "--continue", "nothing.png"], "no picture nothing.png"),
        (["a tree", "--device", "quantum"], "no device 'quantum'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_drawn(
    telldraw: Telldraw, monkeypatch: pytest.MonkeyPatch, argv: list[str], sentence: str
) -> None:
    monkeypatch.setattr(geneva.System, "turn", lambda *_: pytest.fail("something was drawn"))
    code, out, err = telldraw("draw", *argv)
    assert (code, out) == (2, "") and err.startswith("telldraw: ") and err.count("\n") == 1
    assert sentence in err and len(err) < 400
    assert os.listdir() == []


@pytest.mark.parametrize("argv", [["--sed", "3"], ["a tree", "--seed", "x"], ["a tree", "--scale"]])
def test_flags_that_are_wrong_end_with_two(telldraw: Telldraw, argv: list[str]) -> None:
    assert telldraw("draw", *argv)[0] == 2


def test_a_conversation_is_held_when_somebody_is_there(telldraw: Telldraw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stdin, "typed", True)
    monkeypatch.setattr(builtins, "input", lambda prompt="": pytest.fail("the prompt would go into the pipe"))
    code, out, err = telldraw("draw", stdin="a tree\na sun\nundo\n")
    assert code == 0 and out == "a-tree.png\n"  # stdout is a pipe: it gets the path, the talk goes to stderr
    assert "[2] a sun" in err and "The last picture is in a-tree.png." in err
    code, out, _ = telldraw("draw", "--json", "--continue", "a-tree.png", stdin="a sun\n")
    assert [turn["instruction"] for turn in json.loads(out)["turns"]] == ["a tree", "a sun"]
    assert "needs instructions" in telldraw("draw", "--sheet", "s.png")[2]


def test_draw_as_a_process(tiny: Path, tmp_path: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    run = shell("draw", "a tree", "--weights", str(tiny), cwd=tmp_path, stdin=subprocess.DEVNULL, env=environment)
    assert (run.returncode, run.stdout) == (0, "a-tree.png\n"), run.stderr
