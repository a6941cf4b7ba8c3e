"""CoDraw (Kim et al. 2019, arXiv:1712.05558): a Teller describes a scene, a Drawer draws it, turn by turn.

Reads what the owner distributes: `CoDraw_1_0.json` or `CoDraw_1_0.json.gz`, and the folder `Pngs` of sprites. A turn
here is one or more rounds of the dialogue with the Drawer's canvas after them. Which rounds make one turn is the
protocol: "published" is the one of GeNeVA (El-Nouby et al. 2019, arXiv:1811.09845), "all" keeps every change.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np

from telldraw.data import DATASETS
from telldraw.data.archive import Writer, write_words
from telldraw.data.clipart import CANVAS, Clip, Renderer, Scene, damaged_sprites, draw_all, in_drawing_order
from telldraw.data.faults import LeftOut
from telldraw.data.scenes import CLASSES, parse_scene, positions, present
from telldraw.errors import DataError
from telldraw.text import DRAWER, TELLER, Vocabulary, normalise

Protocol = Literal["published", "all"]
Made = TypeVar("Made", "Conversation", "Finished")

SPLITS = ("train", "val", "test")
CHIT_CHAT = frozenset("hi done ok alright okay thanks bye hello".split())
"""Words that say nothing of the picture; they are left out of instructions, as in the paper's own preparation."""
MINIMUM_COUNT = 2
"""Words seen once in training stay unknown: they are mostly slips of typing, and they teach what unknown means."""


class Turn(NamedTuple):
    """What was said, and the canvas after it."""

    words: tuple[str, ...]  # normalised, each message after the mark of its speaker; never empty
    said: str  # the same messages as typed, parted by " / ", the Drawer's in square brackets
    scene: Scene


class Conversation(NamedTuple):
    """One dialogue of two or three minutes between two people."""

    id: str  # the owner's, for example train_00001
    split: str
    turns: tuple[Turn, ...]


class Finished(NamedTuple):
    """One dialogue as a whole: all that the Teller said, and what it came to."""

    id: str
    split: str
    told: tuple[str, ...]  # the Teller's messages as typed, without those that are only chit-chat
    scene: Scene  # the last one that was recorded; never empty


class Fault(NamedTuple):
    """Why one dialogue was left out."""

    dialogue: str
    what: str


class _Bad(Exception):
    """What is wrong with a dialogue."""


class _Missing:
    """Says of a sprite why it cannot be drawn; nothing when it can."""

    def __init__(self, pictures: Path) -> None:
        self._pictures, self._there = pictures, {path.name for path in pictures.glob("*.png")}
        self._damaged = damaged_sprites(pictures)

    def __call__(self, sprite: str) -> str:
        if sprite not in self._there:
            return f"{self._pictures / sprite}, which is missing"
        return f"{self._pictures / sprite}, which is damaged" if sprite in self._damaged else ""


# --- the owner's file ---------------------------------------------------------------------------------------------


def find(folder: Path) -> tuple[Path, Path]:
    """Find the file of dialogues and the folder of sprites. Raises DataError with what to put where."""
    remedy = "it should hold CoDraw_1_0.json (or .json.gz) and the folder Pngs from github.com/facebookresearch/CoDraw"
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; {remedy}")
    found = [p for n in ("CoDraw_1_0.json", "CoDraw_1_0.json.gz") for p in (folder / n, folder / "dataset" / n)]
    file = next((path for path in found if path.is_file()), None)
    if file is None:
        raise DataError(f"no CoDraw_1_0.json or CoDraw_1_0.json.gz in {folder}; {remedy}")
    pictures = next((path for path in (folder / "Pngs", folder / "asset" / "Pngs") if path.is_dir()), None)
    if pictures is None:
        raise DataError(f"no folder Pngs in {folder}; {remedy}")
    return file, pictures


def load(file: Path) -> dict[str, Any]:
    """Load the dialogues by id, as the owner wrote them. Raises DataError when the file is damaged as a whole."""
    again = "download it again"
    try:
        raw = file.read_bytes()
        document = json.loads(gzip.decompress(raw) if file.suffix == ".gz" else raw)
    except OSError as error:  # gzip.BadGzipFile is one too
        raise DataError(f"{file} cannot be read ({error}); {again}") from None
    except (EOFError, zlib.error) as error:
        raise DataError(f"{file} is damaged or cut short ({error}); {again}") from None
    except ValueError as error:
        raise DataError(f"{file} is not whole JSON ({error}); {again}") from None
    dialogues = document.get("data") if isinstance(document, dict) else None
    if not isinstance(dialogues, dict) or not dialogues:
        raise DataError(f'{file} is not CoDraw: an object "data" of dialogues was expected')
    return dialogues


def read(
    folder: Path,
    protocol: Protocol = "published",
    limit: int | None = None,
    fault: Callable[[Fault], None] | None = None,
) -> list[Conversation]:
    """Read the dialogues in `folder`, by split and id; `limit` keeps the first so many ids, which mixes the splits.

    A dialogue with a fault is left out and told to `fault`; without `fault` the first one raises DataError.
    """
    return _read(folder, partial(_conversation, protocol=protocol), limit, fault)


def read_finished(
    folder: Path, limit: int | None = None, fault: Callable[[Fault], None] | None = None
) -> list[Finished]:
    """Read what every dialogue came to, the last canvas; otherwise like `read`."""
    return _read(folder, _finished, limit, fault)


def _read(
    folder: Path,
    make: Callable[[str, Any, "_Missing"], Made],
    limit: int | None,
    fault: Callable[[Fault], None] | None,
) -> list[Made]:
    file, pictures = find(folder)
    missing = _Missing(pictures)
    dialogues = load(file)
    ids = sorted(dialogues, key=lambda name: (name.rpartition("_")[2].zfill(8), name))[:limit]
    found, worst = [], ""
    for name in ids:
        try:
            found.append(make(name, dialogues[name], missing))
        except _Bad as bad:
            if fault is None:
                raise DataError(f"{file}, dialogue {name}: {bad}") from None
            fault(Fault(name, f"{file.name}: {bad}"))
            worst = worst or f"{name}: {bad}"
    if not found:
        raise DataError(f"no dialogue of {file} can be used; the first, {worst}")
    found.sort(key=lambda one: SPLITS.index(one.split))
    return found


def _rounds(name: str, record: Any) -> tuple[str, list[Any]]:
    """The split of a dialogue and its rounds, at least one."""
    split = name.partition("_")[0]
    if split not in SPLITS:
        raise _Bad(f"its id names none of the splits {', '.join(SPLITS)}")
    rounds = record.get("dialog") if isinstance(record, dict) else None
    if not isinstance(rounds, list):
        raise _Bad("it has no list of rounds (dialog)")
    if not rounds:
        raise _Bad("it is empty")
    return split, rounds


def _conversation(name: str, record: Any, missing: "_Missing", protocol: Protocol) -> Conversation:
    split, rounds = _rounds(name, record)
    merge = merge_published if protocol == "published" else merge_all
    turns = tuple(merge([_round(entry, number, missing) for number, entry in enumerate(rounds, 1)]))
    if not turns:
        raise _Bad("nothing is drawn in it")
    return Conversation(name, split, turns)


def _finished(name: str, record: Any, missing: "_Missing") -> Finished:
    split, rounds = _rounds(name, record)
    fields = [_fields(entry, number) for number, entry in enumerate(rounds, 1)]
    last = next((number for number in range(len(fields), 0, -1) if fields[number - 1][2]), 0)
    scene = _drawing(fields[last - 1][2], last, missing) if last else ()
    if not in_drawing_order(scene):
        raise _Bad("nothing is drawn in it")
    return Finished(name, split, tuple(told.strip() for told, _, _ in fields if _message(told, TELLER)), scene)


# --- turns --------------------------------------------------------------------------------------------------------


class Round(NamedTuple):
    """One message of each person, and what the Drawer's canvas then showed."""

    words: tuple[str, ...]  # possibly none
    said: str
    scene: Scene | None  # None where no drawing was recorded


def _round(entry: Any, number: int, missing: "_Missing") -> Round:
    told, answered, drawn = _fields(entry, number)
    teller, drawer = _message(told, TELLER), _message(answered, DRAWER)
    said = " / ".join(([told.strip()] if teller else []) + ([f"[{answered.strip()}]"] if drawer else []))
    return Round(teller + drawer, said, _drawing(drawn, number, missing) if drawn else None)


def _fields(entry: Any, number: int) -> tuple[str, str, str]:
    """What the Teller said, what the Drawer said, and the canvas, if any, as text."""
    try:
        told, answered, drawn = entry["msg_t"], entry["msg_d"], entry["abs_d"]
    except (KeyError, TypeError):
        raise _Bad(f"round {number} lacks msg_t, msg_d or abs_d") from None
    if not all(isinstance(text, str) for text in (told, answered, drawn)):
        raise _Bad(f"msg_t, msg_d and abs_d of round {number} are not all text")
    return told, answered, drawn


def _drawing(drawn: str, number: int, missing: "_Missing") -> Scene:
    try:
        scene = _scene(drawn)
    except ValueError as error:
        raise _Bad(f"round {number}: {error}") from None
    for clip in scene:
        if why := missing(clip.sprite):
            raise _Bad(f"round {number} needs the sprite {why}")
    return scene


_scene = lru_cache(maxsize=8)(parse_scene)  # a round often repeats the canvas of the one before


def _message(text: str, mark: str) -> tuple[str, ...]:
    if not text or text.strip().lower() in CHIT_CHAT:
        return ()
    return (mark, *(word for word in normalise(text) if word not in CHIT_CHAT and word not in (TELLER, DRAWER)))


def _turn(rounds: list[Round], scene: Scene) -> Turn:
    words = tuple(word for entry in rounds for word in entry.words)
    return Turn(words or (TELLER,), " / ".join(entry.said for entry in rounds if entry.said), scene)


def merge_published(rounds: list[Round]) -> Iterator[Turn]:
    """Make GeNeVA's turns: rounds are joined until the canvas holds more objects than when it was last looked at.

    So an object that is moved, flipped, exchanged or removed makes no turn of its own; it shows in the next one.
    Where something was added and nothing said (8 dialogues), the published turns look at that same canvas again with
    the next words, and stay one drawing behind to the end; we keep that, for the sake of the same turns.
    """
    drawn = [entry.scene for entry in rounds if entry.scene is not None]
    waiting: list[Round] = []
    before = at = 0
    for entry in rounds:
        waiting.append(entry)
        if entry.scene is None:
            continue
        now = len({clip.category for clip in drawn[at]})
        if now > before:
            if not any(one.words for one in waiting):
                continue
            yield _turn(waiting, drawn[at])
            waiting = []
        before, at = now, at + 1


def merge_all(rounds: list[Round]) -> Iterator[Turn]:
    """Make a turn of every change that can be seen: adding, moving, flipping, exchanging, removing."""
    waiting: list[Round] = []
    before: list[Clip] = []
    for entry in rounds:
        waiting.append(entry)
        if entry.scene is None:
            continue
        now = in_drawing_order(entry.scene)
        if now != before:
            yield _turn(waiting, entry.scene)
            waiting = []
        before = now


# --- preparing ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """What `prepare` made of the owner's distribution."""

    dialogues: dict[str, int]  # by split
    turns: dict[str, int]
    words: int
    faults: tuple[Fault, ...]


def prepare(
    folder: Path,
    out: Path,
    *,
    resolution: int = 128,
    protocol: Protocol = "published",
    strict: bool = False,
    overwrite: bool = False,
    workers: int = 1,
    limit: int | None = None,
    tell: Callable[[str], None] = lambda sentence: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Read, render and store CoDraw. `tell` hears of every stage and fault, `progress` of pictures drawn.

    Raises DataError when the distribution or `out` cannot be used; with `strict` at the first fault of a dialogue.
    """
    file, pictures = find(folder)
    left_out = LeftOut(tell)
    with Writer(out, overwrite=overwrite) as writer:
        if writer.left_over:
            tell(f"removed {writer.part.name}, which an earlier run left half-written")
        tell(f"reading {file}")
        conversations = read(folder, protocol, limit, None if strict else lambda fault: left_out(*fault))
        turns = [turn for conversation in conversations for turn in conversation.turns]
        vocabulary = _write_tables(writer, conversations, turns)
        tell(f"drawing {len(turns):,} pictures of {resolution} x {resolution}")
        scenes = [turn.scene for turn in turns]
        blocks = _counted(draw_all(pictures, resolution, scenes, workers), progress, len(turns))
        writer.rows("images.npy", (len(turns), 3, resolution, resolution), np.uint8, blocks)
        writer.array("background.npy", Renderer(pictures, resolution).draw(()))
        owner = DATASETS["codraw"]
        report = _report(conversations, len(vocabulary), [Fault(*one) for one in left_out.faults])
        writer.finish(
            {
                "name": "codraw",
                "licence": owner.licence,
                "url": owner.url,
                "protocol": protocol,
                "resolution": resolution,
                "canvas": list(CANVAS),
                "axes": ["x", "depth"],
                "classes": list(CLASSES),
                "dialogues": report.dialogues,
                "turns": report.turns,
                "left out": [list(fault) for fault in left_out.faults],
            }
        )
    return report


def _write_tables(writer: Writer, conversations: list[Conversation], turns: list[Turn]) -> Vocabulary:
    """Everything but the pictures."""
    train = (turn.words for one in conversations if one.split == "train" for turn in one.turns)
    vocabulary = Vocabulary.build(train, MINIMUM_COUNT)
    splits: dict[str, list[tuple[str, int, int]]] = {split: [] for split in SPLITS}
    row = 0
    for one in conversations:
        splits[one.split].append((one.id, row, row + len(one.turns)))
        row += len(one.turns)
    write_words(writer, vocabulary, splits, [turn.words for turn in turns], [turn.said for turn in turns])
    writer.rows("objects.npy", (len(turns), len(CLASSES)), np.uint8, (present(t.scene)[None] for t in turns))
    writer.rows("position.npy", (len(turns), len(CLASSES), 3), np.float32, (positions(t.scene)[None] for t in turns))
    return vocabulary


def _counted(blocks: Iterable[np.ndarray], progress: Callable[[int, int], None], total: int) -> Iterator[np.ndarray]:
    done = 0
    progress(0, total)
    for block in blocks:
        yield block
        done += len(block)
        progress(done, total)


def _report(conversations: list[Conversation], words: int, faults: list[Fault]) -> Report:
    by_split = {split: [one for one in conversations if one.split == split] for split in SPLITS}
    return Report(
        dialogues={split: len(some) for split, some in by_split.items()},
        turns={split: sum(len(one.turns) for one in some) for split, some in by_split.items()},
        words=words,
        faults=tuple(faults),
    )
