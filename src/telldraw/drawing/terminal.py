"""A conversation in the terminal. Plain text is told to the drawer; a few short words steer the conversation."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TextIO

from telldraw.drawing.files import ANIMATIONS, PICTURES, check_file, claim, save_picture
from telldraw.drawing.preview import Preview
from telldraw.drawing.session import Canvas, Conversation, shown, unknown_sentence
from telldraw.drawing.sheet import Strip, contact_sheet, enlarge, frames_of, save_animation, scale_for
from telldraw.errors import InstructionError, TelldrawError

_PICTURE_FILE = r"(\S.*\.(?:png|jpe?g|webp))"


class Command(NamedTuple):
    """A word that steers. Without a slash it is one only if the whole line has its form."""

    usage: str
    form: str
    help: str


COMMANDS = {
    "undo": Command("undo [N]", r"(\d{1,9})?", "go back a turn, or N"),
    "redo": Command("redo [N]", r"(\d{1,9})?", "take an undo back, or N"),
    "again": Command("again [SEED]", r"(\d+)?", "draw the last instruction anew, with another seed"),
    "branch": Command("branch [NAME]", r"([\w-]+)?", "give this turn a name to come back to"),
    "go": Command("go N|NAME", r"(\d{1,9})", "go to a turn by number, or by the name of a branch"),
    "history": Command("history", r"()", "all turns as a tree; * marks where we are"),
    "save": Command("save FILE", _PICTURE_FILE, f"write this picture ({', '.join(PICTURES)})"),
    "sheet": Command("sheet FILE", _PICTURE_FILE, "write all turns up to here on one page"),
    "animate": Command(
        "animate FILE", r"(\S.*\.(?:gif|webp))", f"write them as an animation ({', '.join(ANIMATIONS)})"
    ),
    "tell": Command("/tell TEXT", r"(?!)", "tell a text that looks like a command"),
    "help": Command("help", r"()", "this list"),
    "quit": Command("quit", r"()", "leave (so do Ctrl-D and Ctrl-C)"),
}
_ALIASES = {"exit": "quit", "?": "help"}


@dataclass
class Terminal:
    """The loop: reads lines, lets the conversation move, shows where it is. The last picture is always on disk."""

    conversation: Conversation
    screen: TextIO
    ask: Callable[[], str]
    """Gives the next line without its end; raises EOFError when there is none."""
    preview: Preview | None = None
    out: Path | None = None
    """Where the picture is kept; by default a new file in the current folder, from the first turn on."""
    scale: int | None = None
    record: bool = True
    _saved: Path | None = field(default=None, init=False)
    _open: bool = field(default=True, init=False)

    def run(self) -> Path | None:
        """Converse until the person leaves; returns where the last picture is, if one was saved."""
        drawer = self.conversation.canvas.engine
        self.say(f"Drawing with {drawer.name}. It knows words such as {drawer.vocabulary.examples()}.")
        self.say("Tell it what to draw, one thing a turn. Also: undo, again, history, save FILE, help, quit.")
        if self.conversation.canvas.depth:
            self.show()
        try:
            while self._open:
                self.hear(self.ask())
        except (EOFError, KeyboardInterrupt):
            self.say()
        self.say(f"The last picture is in {self._saved}." if self._saved else "No picture was saved.")
        return self._saved

    def hear(self, line: str) -> None:
        """One line: a command or an instruction. What goes wrong is said, and the conversation goes on."""
        if not line.strip():
            return
        name, rest = parse(line, self.conversation.names)
        try:
            if name == "tell":
                self.tell(rest)
            else:
                self.obey(name, rest)
        except InstructionError as error:
            word = line.split()[0].lower()
            hint = f" (if you meant the command: /{COMMANDS[word].usage.lstrip('/')})" if word in COMMANDS else ""
            self.say(f"{error}{hint}")
        except TelldrawError as error:
            self.say(str(error))

    def tell(self, instruction: str) -> None:
        """Draw a turn, say which of its words were not known, show it."""
        canvas = self.conversation.tell(instruction)
        if canvas.unknown:
            self.say(unknown_sentence(canvas.unknown))
        self.show()

    def obey(self, name: str, rest: str) -> None:
        """Carry out a command, as `parse` found it."""
        talk = self.conversation
        match name:
            case "undo" | "redo":
                (talk.undo if name == "undo" else talk.redo)(_count(name, rest))
                self.show()
            case "again":
                talk.again(_whole("again", rest) if rest else None)
                self.show()
            case "branch":
                if rest and not re.fullmatch(r"[\w-]+", rest):
                    raise TelldrawError("the name of a branch is one word")
                self.say(f"Turn {talk.here} is now {talk.branch(rest or None)!r}: come back with go NAME.")
            case "go":
                if not rest:
                    raise TelldrawError("go where? give the number of a turn, or the name of a branch: /go N")
                talk.goto(int(rest) if re.fullmatch(r"[0-9]{1,9}", rest) else rest)
                self.show()
            case "history":
                self.say("\n".join(tree(talk)))
            case "save" | "sheet" | "animate":
                self.save(name, rest)
            case "help":
                width = max(len(command.usage) for command in COMMANDS.values())
                self.say("\n".join(f"  {command.usage:{width}}  {command.help}" for command in COMMANDS.values()))
                self.say("Anything else is told to the drawer. A line that starts with / is always a command.")
            case "quit":
                self._open = False
            case _:
                raise TelldrawError(
                    f"there is no command /{shown(name, 20)}; /help lists them, /tell TEXT draws a text"
                )

    def save(self, name: str, rest: str) -> None:
        """Write what `save`, `sheet` and `animate` are asked for."""
        if not rest:
            raise TelldrawError(f"{name} needs the name of a file: /{COMMANDS[name].usage}")
        canvas, path = self.conversation.canvas, Path(rest).expanduser()
        check_file(path, ANIMATIONS if name == "animate" else PICTURES, name)
        if canvas.depth == 0 and name != "save":
            raise TelldrawError("nothing is drawn yet")
        scale = scale_for(canvas.image.width, self.scale)
        if name == "save":
            save_picture(enlarge(canvas.image, scale, canvas.engine.aspect), path, canvas if self.record else None)
        elif name == "sheet":
            save_picture(contact_sheet([Strip("", frames_of(canvas, scale))]), path)
        else:
            save_animation(frames_of(canvas, scale), path)
        self.say(f"Written to {path}.")

    def show(self) -> None:
        """Show the picture, and keep it on disk; a blank canvas does not replace the last picture."""
        canvas = self.conversation.canvas
        image = canvas.image
        if self.preview:
            self.screen.write(self.preview(image))
        self.say(place(canvas, self.conversation.here))
        if canvas.depth == 0:
            return
        if self.out is None:
            self.out = claim(self.conversation.turns[1].instruction)
        image = enlarge(image, scale_for(image.width, self.scale), canvas.engine.aspect)
        save_picture(image, self.out, canvas if self.record else None)
        self._saved = self.out

    def say(self, text: str = "") -> None:
        """One line, or several, on the screen."""
        self.screen.write(text + "\n")
        self.screen.flush()


def parse(line: str, names: dict[str, int]) -> tuple[str, str]:
    """A line -> (command, what follows it); an instruction is ("tell", itself).

    With a slash a line is always a command. Without one it is a command if all of it has the command's form
    (`go left` is told, unless a branch is called left; `/tell undo` tells the word undo).
    """
    text = line.strip()
    slash = text.startswith("/")
    first, _, rest = text.removeprefix("/").partition(" ")
    first, rest = first.lower(), rest.strip()
    name = _ALIASES.get(first, first)
    if slash:
        return name, rest
    if name in COMMANDS and re.fullmatch(COMMANDS[name].form, rest, re.IGNORECASE | re.ASCII):
        return name, rest
    if name == "go" and rest in names:
        return name, rest
    return "tell", text


def place(canvas: Canvas, number: int) -> str:
    """Where we are, in a line."""
    if canvas.depth == 0:
        return "[0] the blank canvas"
    return f"[{number}] {shown(canvas.instruction)}  (turn {canvas.depth}, seed {canvas.seed})"


def tree(conversation: Conversation) -> list[str]:
    """Every turn, one a line, below the turn it was told after; only a branch moves to the right."""
    called: dict[int, list[str]] = {}
    for name, number in conversation.names.items():
        called.setdefault(number, []).append(name)
    lines: list[str] = []
    waiting = [(conversation.turns[0], 0)]
    while waiting:
        canvas, level = waiting.pop()
        number = conversation.number(canvas)
        marks = f"  <- {', '.join(called[number])}" if number in called else ""
        here = "*" if number == conversation.here else " "
        lines.append(f"{here} {'| ' * min(level, 20)}{place(canvas, number)}{marks}")
        children = conversation.children(canvas)
        waiting.extend((child, level + (len(children) > 1)) for child in reversed(children))
    return lines


def keyboard(prompt: str, screen: TextIO) -> Callable[[], str]:
    """Lines from a person, with history and editing where there is readline; the prompt never goes to a pipe."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):

        def read() -> str:
            screen.write(prompt)
            screen.flush()
            line = sys.stdin.readline()
            if not line:
                raise EOFError
            return line.rstrip("\n")

        return read
    try:
        import readline

        readline.set_auto_history(True)
    except ImportError:
        pass
    return lambda: input(prompt)


def _count(name: str, rest: str) -> int:
    number = _whole(name, rest) if rest else 1
    if number < 1:
        raise TelldrawError(f"{name} by how many turns? give a number from 1")
    return number


def _whole(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,19}", text):
        raise TelldrawError(f"{name} takes a number, not {shown(text, 20)!r}")
    return int(text)
