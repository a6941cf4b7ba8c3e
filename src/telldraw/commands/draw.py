"""`telldraw draw`: instructions to pictures, at once or in a conversation.

Paths and JSON go to stdout, everything for people to stderr (a conversation talks on stdout if that is a terminal).
"""

import io
import json as json_format
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from telldraw import __version__
from telldraw.errors import InstructionError, TelldrawError, WeightsError

_MOST_CANDIDATES = 64


@dataclass(frozen=True)
class Draw:
    """Draw what you tell it, one instruction after the other on the same canvas.

    Without instructions, in a terminal, a conversation begins: tell, undo, branch, try again. Prints the path of the
    picture. The same weights, instructions and seed give the same picture.
    """

    instructions: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="INSTRUCTION ...", help_behavior_hint="")
    ] = ()
    """One turn each, in quotes; - reads them from stdin, one a line."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Where the last picture goes: .png, .jpg or .webp. Default: a new PNG here, named after the first instruction."""
    sheet: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Also write all turns on one page, each over its instruction."""
    animate: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Also write the turns as an animation: .gif or .webp."""
    frames: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")] = None
    """Also write the picture after every turn into this new folder."""
    weights: Annotated[str | None, tyro.conf.arg(metavar="WEIGHTS", help_behavior_hint="")] = None
    """Who draws: a name from `telldraw weights`, a weights folder, or the folder of a training run."""
    seed: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Another seed gives another picture of the same words. Default: 0, or the one of the picture gone on with."""
    candidates: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Draw it N times, with the seeds from --seed on, side by side."""
    scale: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Enlarge pictures N times; 1 keeps the drawer's own pixels. Default: as much as gives 256 pixels of width."""
    continue_: Annotated[Path | None, tyro.conf.arg(name="continue", metavar="PICTURE", help_behavior_hint="")] = None
    """Go on with a PNG that telldraw drew: it is drawn again from what it remembers."""
    record: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = True
    """Leave out of the PNG what it was told (weights' name, instructions, seeds)."""
    device: Annotated[str, tyro.conf.arg(metavar="DEVICE")] = "cpu"
    """Where to draw: cpu, cuda, ..."""
    engine: Annotated[Literal["onnx", "torch"] | None, tyro.conf.arg(metavar="onnx|torch", help_behavior_hint="")] = (
        None
    )
    """Who computes. Default: ONNX Runtime, where the weights hold a graph for it and the device is cpu, else torch."""
    preview: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = True
    """In a conversation, show no picture in the terminal."""
    json: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Print one JSON document on what was drawn instead of paths."""


def run(argv: list[str]) -> None:
    """Draw at once, or converse. Everything that can be wrong with the request is said before anything is drawn."""
    options = tyro.cli(Draw, args=argv, prog="telldraw draw", config=(tyro.conf.FlagCreatePairsOff,))
    instructions = _instructions(options)
    _check(options, conversing=instructions is None)
    began = time.perf_counter()
    canvas = _begin(options)
    if instructions is None:
        _converse(options, canvas, began)
    else:
        _draw(options, canvas, instructions, began)


def _instructions(options: Draw) -> list[str] | None:
    """What to tell, or None for a conversation."""
    told = list(options.instructions)
    stdin = sys.stdin
    if isinstance(stdin, io.TextIOWrapper):
        stdin.reconfigure(errors="surrogateescape")  # bytes that are no text are named, not a traceback
    if not told and stdin is not None and stdin.isatty():
        return None
    told = told or ["-"]
    if "-" in told:
        lines = [line.rstrip("\n") for line in stdin or () if line.strip()]
        at = told.index("-")
        told[at : at + 1] = lines
    if not told:
        raise TelldrawError('there is no instruction; say what to draw: telldraw draw "a large tree on the left"')
    return told


def _check(options: Draw, conversing: bool) -> None:
    """Raise TelldrawError for flags out of range, and for outputs that could not be written."""
    from telldraw.drawing import files
    from telldraw.drawing.noise import LARGEST_SEED, check_seed
    from telldraw.drawing.sheet import scale_for

    if not 1 <= options.candidates <= _MOST_CANDIDATES:
        raise TelldrawError(f"--candidates is a number from 1 to {_MOST_CANDIDATES}, not {options.candidates}")
    seed = check_seed(options.seed or 0, "--seed")
    if seed + options.candidates - 1 > LARGEST_SEED:
        raise TelldrawError(f"--seed {seed}: the last of {options.candidates} candidates has one above {LARGEST_SEED}")
    scale_for(1, options.scale)
    if conversing:
        given = {"--sheet": options.sheet, "--animate": options.animate, "--frames": options.frames}
        for flag in [flag for flag, path in given.items() if path] + ["--candidates"] * (options.candidates > 1):
            raise TelldrawError(f"{flag} needs instructions; in a conversation there are commands for it (help)")
    outputs = {"--out": options.out, "--sheet": options.sheet, "--animate": options.animate}
    seen: dict[Path, str] = {}
    for flag, path in outputs.items():
        if path is not None:
            files.check_file(path, files.ANIMATIONS if flag == "--animate" else files.PICTURES, flag)
            if path.resolve() in seen:
                raise TelldrawError(f"{seen[path.resolve()]} and {flag} both name {path}")
            seen[path.resolve()] = flag
    if options.frames is not None:
        files.check_folder(options.frames, "--frames")
    if options.out is None:
        files.check_current_folder()


def _begin(options: Draw) -> Any:
    """The canvas to start from: blank, or the one of --continue. Loads the weights."""
    from telldraw.drawing import drawer
    from telldraw.drawing.files import read_record

    if options.continue_ is None:
        return drawer(options.weights, options.device, options.engine).start(options.seed or 0)
    record = read_record(options.continue_)
    try:
        drawing = drawer(options.weights or record.weights, options.device, options.engine)
    except WeightsError as error:
        hint = (
            "" if options.weights else f"; {options.continue_} was drawn with them: say where they are with --weights"
        )
        raise WeightsError(f"{error}{hint}") from None
    return drawing.replay(record.history, options.seed or 0)


def _draw(options: Draw, canvas: Any, instructions: list[str], began: float) -> None:
    from telldraw.drawing.session import read, unknown_sentence

    for number, instruction in enumerate(instructions, start=1):
        try:
            read(canvas.engine.vocabulary, instruction)
        except InstructionError as error:
            raise InstructionError(f"instruction {number}: {error}" if len(instructions) > 1 else str(error)) from None
    loaded = time.perf_counter()
    first = canvas.seed if options.seed is None else options.seed
    drawn = []
    for seed in range(first, first + options.candidates):
        told = canvas
        for instruction in instructions:
            told = told.tell(instruction, seed)
        drawn.append(told)
    done = time.perf_counter()
    for turn in drawn[0].path[canvas.depth + 1 :]:
        if turn.unknown:
            print(f"telldraw: turn {turn.depth}: {unknown_sentence(turn.unknown)}", file=sys.stderr)
    files = _write(options, drawn, instructions[0])
    seconds = {"load": round(loaded - began, 3), "draw": round(done - loaded, 3)}
    turns = f"{len(instructions)} turn{'s' * (len(instructions) > 1)}"
    print(f"telldraw: {turns} by {canvas.engine.name}, seed {first}, {seconds['draw']:.2f} s", file=sys.stderr)
    _report(options, drawn, files, seconds)


def _write(options: Draw, drawn: list[Any], name: str) -> dict[str, Any]:
    """Write every file that was asked for; returns their paths by kind."""
    from telldraw.drawing import files, sheet

    scale = sheet.scale_for(drawn[0].image.width, options.scale)
    strips = [
        sheet.Strip(f"seed {canvas.seed}" if len(drawn) > 1 else "", sheet.frames_of(canvas, scale)) for canvas in drawn
    ]
    together = [
        sheet.Frame(sheet.side_by_side([frame.image for frame in turn]), turn[0].mark, turn[0].caption)
        for turn in zip(*(strip.frames for strip in strips), strict=True)
    ]
    out = options.out or files.claim(name)
    files.save_picture(together[-1].image, out, drawn[0] if options.record and len(drawn) == 1 else None)
    paths: dict[str, Any] = {"picture": out}
    if options.sheet:
        files.save_picture(sheet.contact_sheet(strips), options.sheet)
        paths["sheet"] = options.sheet
    if options.animate:
        sheet.save_animation(together, options.animate)
        paths["animation"] = options.animate
    if options.frames:
        paths["frames"] = _write_frames(options, drawn, strips)
    return paths


def _write_frames(options: Draw, drawn: list[Any], strips: list[Any]) -> list[Path]:
    from telldraw.drawing import files

    folder = options.frames
    assert folder is not None
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise TelldrawError(f"--frames {folder}: {error.strerror}") from None
    paths = []
    for canvas, strip in zip(drawn, strips, strict=True):
        seed = f"-seed-{canvas.seed}" if len(drawn) > 1 else ""
        for turn, frame in zip(canvas.path[1:], strip.frames, strict=True):
            paths.append(folder / f"turn-{turn.depth:03d}{seed}.png")
            files.save_picture(frame.image, paths[-1], turn if options.record else None)
    return paths


def _report(options: Draw, drawn: list[Any], files: dict[str, Any], seconds: dict[str, float]) -> None:
    """Say on stdout what there is now: paths, one a line, or one JSON document."""
    if not options.json:
        for path in files.values():
            print(options.frames if isinstance(path, list) else path)
        return
    from PIL import Image

    engine, pictures = drawn[0].engine, {}
    for kind, path in files.items():
        if isinstance(path, list):
            pictures[kind] = [str(frame) for frame in path]
        else:
            with Image.open(path) as image:
                pictures[kind] = {"path": str(path), "size": list(image.size)}
    turns = [
        {"instruction": turn.instruction, "words": list(turn.words), "unknown": turn.unknown}
        for turn in drawn[0].path[1:]
    ]
    document = {
        "telldraw": __version__,
        "weights": engine.name,
        "turns": turns,
        "seeds": [[turn.seed for turn in canvas.path[1:]] for canvas in drawn],
        "drawn_size": list(drawn[0].image.size),
        "files": pictures,
        "seconds": seconds,
    }
    print(json_format.dumps(document, indent=2))


def _converse(options: Draw, canvas: Any, began: float) -> None:
    from telldraw.drawing.preview import preview_for
    from telldraw.drawing.session import Conversation
    from telldraw.drawing.terminal import Terminal, keyboard

    if options.seed is not None and canvas.depth:
        raise TelldrawError("--seed and --continue go together only with instructions; use `again SEED` here")
    screen = sys.stdout if sys.stdout.isatty() else sys.stderr
    if isinstance(screen, io.TextIOWrapper):
        screen.reconfigure(errors="replace")
    loaded = time.perf_counter()
    terminal = Terminal(
        Conversation(canvas),
        screen,
        keyboard("> ", screen),
        preview_for(screen) if options.preview else None,
        options.out,
        options.scale,
        options.record,
    )
    path = terminal.run()
    canvas = terminal.conversation.canvas
    if path is None or (screen is sys.stdout and not options.json):
        return
    seconds = {"load": round(loaded - began, 3), "talk": round(time.perf_counter() - loaded, 3)}
    _report(options, [canvas], {"picture": path}, seconds)
