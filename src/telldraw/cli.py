"""The command line: which commands there are, and how they end. The bodies are in `commands`, loaded on use only."""

import os
import sys
from importlib import import_module
from typing import NamedTuple

from telldraw import __version__
from telldraw.errors import TelldrawError


class Command(NamedTuple):
    """One word of the command line; `module` offers `run(argv)`."""

    module: str
    summary: str
    group: str


COMMANDS = {
    "prepare": Command(
        "telldraw.commands.prepare", "make a data set, from what its owner distributes or rendered", "data"
    ),
    "data": Command("telldraw.commands.data", "list the data sets, with licence and size", "data"),
    "train": Command("telldraw.commands.train", "train a system, or go on with a run that was stopped", "train"),
    "evaluate": Command("telldraw.commands.evaluate", "measure a run, beside the figures of its paper", "train"),
    "layers": Command("telldraw.commands.layers", "find out which layers of a generator decide what", "train"),
    "compare": Command("telldraw.commands.compare", "compare two sets of pictures: FID, KID and others", "train"),
    "study": Command("telldraw.commands.study", "ask people which pictures they prefer, and sum it up", "train"),
    "draw": Command("telldraw.commands.draw", "draw what you tell it, at once or in a conversation", "draw"),
    "studio": Command("telldraw.commands.studio", "draw in a browser; an HTTP API for other programs", "draw"),
    "generate": Command("telldraw.commands.generate", "generate pictures from noise, and labels where known", "draw"),
    "interpolate": Command("telldraw.commands.interpolate", "walk between latents, or between labels", "draw"),
    "arithmetic": Command("telldraw.commands.arithmetic", "add and subtract latents, and measure it", "draw"),
    "transfer": Command("telldraw.commands.transfer", "draw captions in the style of pictures", "draw"),
    "edit": Command("telldraw.commands.edit", "change a picture by telling, or by the numbers of its code", "draw"),
    "reconstruct": Command("telldraw.commands.reconstruct", "encode pictures and decode them again", "draw"),
    "tag": Command("telldraw.commands.tag", "find words for a picture", "draw"),
    "weights": Command("telldraw.commands.weights", "list the weights that come with telldraw", "draw"),
    "export": Command("telldraw.commands.export", "write weights for others, and to draw without torch", "train"),
    "explain": Command("telldraw.commands.explain", "explain an idea by figures and a picture: gan", "draw"),
    "import": Command("telldraw.commands.import_weights", "take over weights that others have published", "train"),
    "find": Command("telldraw.commands.find", "find the pictures of a data set that a caption describes", "draw"),
    "systems": Command("telldraw.commands.systems", "list the systems, with their papers", "draw"),
}

_OF_STUDIO = {"fastapi", "uvicorn", "starlette", "sqlalchemy", "prometheus_client", "platformdirs"}
_OF_WORDS = {"gensim", "smart_open"}
_GROUPS = {"draw": "Draw", "data": "Data", "train": "Train"}
_EXAMPLES = """\
Examples:
  telldraw draw "a large tree on the left" "a sun above it"      both turns, one picture
  telldraw draw                                                  a conversation: tell, undo, branch
  telldraw draw "a red cube" --candidates 4 --sheet cubes.png    four pictures of the same words
"""


def main(argv: list[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, 2 for what the user can put right, 130 when interrupted."""
    words = sys.argv[1:] if argv is None else argv
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except TelldrawError as error:
        print(f"telldraw: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "telldraw"):
            raise
        own = {"export": "export"} | dict.fromkeys(["studio"] if package in _OF_STUDIO else [], "studio")
        extra = "words" if package in _OF_WORDS else own.get(words[0], "train")
        print(f"telldraw: {words[0]} needs {package}: pip install 'telldraw[{extra}]'", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has left, as `| head` does. What is still buffered must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(help_text())
        return 0
    if words[0] == "--version":
        print(f"telldraw {__version__}")
        return 0
    if words[0] not in COMMANDS:
        raise TelldrawError(_no_command(words[0]))
    try:
        import_module(COMMANDS[words[0]].module).run(words[1:])
    except SystemExit as end:  # how tyro ends after --help, or on flags it does not know
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def help_text() -> str:
    """What `telldraw --help` prints."""
    lines = ["usage: telldraw COMMAND ...", "", "Pictures, drawn and changed by what you tell.", ""]
    for group, title in _GROUPS.items():
        members = {name: command for name, command in COMMANDS.items() if command.group == group}
        lines += [f"{title}:", *(f"  {name:12}{command.summary}" for name, command in members.items()), ""]
    return "\n".join(
        [*lines, _EXAMPLES, "`telldraw COMMAND --help` explains a command; `telldraw --version` names this one."]
    )


def _no_command(word: str) -> str:
    import difflib

    near = difflib.get_close_matches(word, COMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(COMMANDS)}"
    if " " in word:
        hint = 'to draw it: telldraw draw "..."'
    return f"there is no command {word[:40]!r}; {hint}"


if __name__ == "__main__":
    sys.exit(main())
