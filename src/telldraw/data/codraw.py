"""CoDraw (Kim et al. 2019, arXiv:1712.05558): a Teller describes a scene, a Drawer draws it, turn by turn.

Reads what the owner distributes: `CoDraw_1_0.json` or `CoDraw_1_0.json.gz`, and the folder `Pngs` of sprites. A turn
here is one or more rounds of the dialogue with the Drawer's canvas after them. Which rounds make one turn is the
protocol: "published" is the one of GeNeVA (El-Nouby et al. 2019, arXiv:1811.09845), "all" keeps every change.
"""

import gzip
import json
import math
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from telldraw.data import DATASETS
from telldraw.data.archive import Writer, end_to_end
from telldraw.data.clipart import (
    CANVAS,
    PREFIXES,
    SCALES,
    Clip,
    Renderer,
    Scene,
    draw_all,
    in_drawing_order,
    sprite_names,
)
from telldraw.errors import DataError
from telldraw.text import DRAWER, TELLER, Vocabulary, normalise

Protocol = Literal["published", "all"]

CLASSES = tuple(
    "helicopter hotairballoon cloud sun lightning rain rocket airplane bouncy slide sandbox grill swing tent table "
    "pinetree oaktree appletree boy girl bear cat dog duck owl snake baseballcap crown chefhat piratehat wintercap "
    "bennie wizardhat vikinghat purpleglasses sunglasses pie pizza hotdog ketchup mustard hamburger soda baseball pail "
    "beachball basketball soccerball tennisball football frisbee baseballbat balloons baseballglove shovel "
    "tennisracket kite fire".split()
)
"""The 58 kinds of object; all poses of the boy are one kind, and all of the girl."""
SPLITS = ("train", "val", "test")
CHIT_CHAT = frozenset("hi done ok alright okay thanks bye hello".split())
"""Words that say nothing of the picture; they are left out of instructions, as in the paper's own preparation."""
MINIMUM_COUNT = 2
"""Words seen once in training stay unknown: they are mostly slips of typing, and they teach what unknown means."""

_FIRST_CLASS = (0, 8, 18, 19, 20, 26, 36, 43)  # by type
_SPRITES = (8, 10, 35, 35, 6, 10, 7, 15)  # how many each type has
_BOY, _GIRL = 2, 3
_UNUSED = -10000.0  # x of an object that still lies in the Drawer's tray
_FAR = 1000.0  # beyond this a coordinate is no place on or near the canvas


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


class Fault(NamedTuple):
    """Why one dialogue was left out."""

    dialogue: str
    what: str


class _Bad(Exception):
    """What is wrong with a dialogue."""


# --- the owner's file ---------------------------------------------------------------------------------------------


def find(folder: Path) -> tuple[Path, Path]:
    """The file of dialogues and the folder of sprites below `folder`. Raises DataError with what to put where."""
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
    """The dialogues by id, as the owner wrote them. Raises DataError when the file is damaged as a whole."""
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
    """The dialogues in `folder`, by split and id; `limit` keeps the first so many by number, which mixes the splits.

    A dialogue with a fault is left out and told to `fault`; without `fault` the first one raises DataError.
    """
    file, pictures = find(folder)
    sprites, unreadable = sprite_names(pictures)
    if unreadable and fault is None:
        raise DataError(unreadable[0])
    for sentence in unreadable:
        fault(Fault("sprites", sentence))
    dialogues = load(file)
    ids = sorted(dialogues, key=lambda name: (name.rpartition("_")[2].zfill(8), name))[:limit]
    conversations = []
    for name in ids:
        try:
            conversations.append(_conversation(name, dialogues[name], protocol, sprites))
        except _Bad as bad:
            if fault is None:
                raise DataError(f"{file}, dialogue {name}: {bad}") from None
            fault(Fault(name, str(bad)))
    if not conversations:
        raise DataError(f"no dialogue of {file} can be used; the first of them: {_first(ids)}")
    conversations.sort(key=lambda conversation: SPLITS.index(conversation.split))
    return conversations


def _first(ids: list[str]) -> str:
    return ", ".join(ids[:3]) or "none"


def _conversation(name: str, record: Any, protocol: Protocol, sprites: frozenset[str]) -> Conversation:
    split = name.partition("_")[0]
    if split not in SPLITS:
        raise _Bad(f"its id names none of the splits {', '.join(SPLITS)}")
    rounds = record.get("dialog") if isinstance(record, dict) else None
    if not isinstance(rounds, list):
        raise _Bad("it has no list of rounds (dialog)")
    if not rounds:
        raise _Bad("it is empty")
    merge = merge_published if protocol == "published" else merge_all
    turns = tuple(merge([_round(entry, number, sprites) for number, entry in enumerate(rounds, 1)]))
    if not turns:
        raise _Bad("nothing is drawn in it")
    return Conversation(name, split, turns)


# --- scenes -------------------------------------------------------------------------------------------------------


def parse_scene(text: str) -> Scene:
    """The objects on the canvas from the owner's scene string: a count, then eight fields for each.

    The fields are sprite, slot, index in its type, type, x, y, depth, flip; an object with x = -10000 lies in the
    tray and is left out. Raises ValueError saying what is wrong.
    """
    fields = text.rstrip(",").split(",")
    if not fields[0].isdecimal():
        raise ValueError(f"a scene starts with the number of its objects, not {fields[0][:20]!r}")
    count = int(fields[0])
    if len(fields) != 1 + 8 * count:
        raise ValueError(f"a scene of {count} objects has {1 + 8 * count} fields, this one {len(fields)}")
    return tuple(
        _clip(fields[at : at + 8]) for at in range(1, len(fields), 8) if _number(fields[at + 4], "x") != _UNUSED
    )


def _number(field: str, name: str) -> float:
    try:
        value = float(field)
    except ValueError:
        raise ValueError(f"{name} is {field[:20]!r}, not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"{name} is {field[:20]!r}, not a number")
    return value


def _clip(fields: list[str]) -> Clip:
    sprite = fields[0]
    slot, index, kind, x, y, depth, flip = map(_number, fields[1:], ("slot", "index", "type", "x", "y", "depth", "flip"))
    if kind not in range(len(PREFIXES)) or index not in range(_SPRITES[int(kind)]):
        raise ValueError(f"there is no object {fields[2]} of type {fields[3]}")
    if sprite != f"{PREFIXES[int(kind)]}_{int(index)}s.png":
        raise ValueError(f"the picture {sprite[:40]!r} is not that of object {fields[2]} of type {fields[3]}")
    if depth not in range(len(SCALES)) or flip not in (0, 1):
        raise ValueError(f"depth {fields[6]} and flip {fields[7]} of {sprite} should be 0, 1 or 2, and 0 or 1")
    if abs(x) > _FAR or abs(y) > _FAR:
        raise ValueError(f"{sprite} lies far outside the canvas, at {fields[4]}, {fields[5]}")
    category = _FIRST_CLASS[int(kind)] + (0 if kind in (_BOY, _GIRL) else int(index))
    return Clip(sprite, int(slot), int(kind), category, x, y, int(depth), bool(flip))


def present(scene: Scene) -> np.ndarray:
    """Which classes are on the canvas, uint8 [58]."""
    bag = np.zeros(len(CLASSES), np.uint8)
    bag[[clip.category for clip in scene]] = 1
    return bag


def positions(scene: Scene) -> np.ndarray:
    """x / 500, y / 400 and depth / 2 of each class, float32 [58, 3]; 0 where absent."""
    table = np.zeros((len(CLASSES), 3), np.float32)
    for clip in scene:
        table[clip.category] = clip.x / CANVAS[0], clip.y / CANVAS[1], clip.depth / 2
    return table


# --- turns --------------------------------------------------------------------------------------------------------


class Round(NamedTuple):
    """One message of each person, and what the Drawer's canvas then showed."""

    words: tuple[str, ...]  # possibly none
    said: str
    scene: Scene | None  # None where no drawing was recorded


def _round(entry: Any, number: int, sprites: frozenset[str]) -> Round:
    try:
        told, answered, drawn = entry["msg_t"], entry["msg_d"], entry["abs_d"]
    except (KeyError, TypeError):
        raise _Bad(f"round {number} lacks msg_t, msg_d or abs_d") from None
    if not all(isinstance(text, str) for text in (told, answered, drawn)):
        raise _Bad(f"msg_t, msg_d and abs_d of round {number} are not all text")
    teller, drawer = _message(told, TELLER), _message(answered, DRAWER)
    said = " / ".join(([told.strip()] if teller else []) + ([f"[{answered.strip()}]"] if drawer else []))
    if not drawn:
        return Round(teller + drawer, said, None)
    try:
        scene = _scene(drawn)
    except ValueError as error:
        raise _Bad(f"round {number}: {error}") from None
    missing = next((clip.sprite for clip in scene if clip.sprite not in sprites), None)
    if missing:
        raise _Bad(f"round {number} needs the sprite {missing}, which is missing or damaged")
    return Round(teller + drawer, said, scene)


_scene = lru_cache(maxsize=8)(parse_scene)  # a round often repeats the canvas of the one before


def _message(text: str, mark: str) -> tuple[str, ...]:
    if not text or text.strip().lower() in CHIT_CHAT:
        return ()
    return (mark, *(word for word in normalise(text) if word not in CHIT_CHAT and word not in (TELLER, DRAWER)))


def _turn(rounds: list[Round], scene: Scene) -> Turn:
    words = tuple(word for entry in rounds for word in entry.words)
    return Turn(words or (TELLER,), " / ".join(entry.said for entry in rounds if entry.said), scene)


def merge_published(rounds: list[Round]) -> Iterator[Turn]:
    """GeNeVA's turns: rounds are joined until the canvas holds more objects than when it was last looked at.

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
    """Every change that can be seen makes a turn: adding, moving, flipping, exchanging, removing."""
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
    faults: list[Fault] = []

    def note(fault: Fault) -> None:
        faults.append(fault)
        tell(f"left out {fault.dialogue}: {fault.what}")

    with Writer(out, overwrite=overwrite) as writer:
        if writer.left_over:
            tell(f"removed {writer.part.name}, which an earlier run left half-written")
        tell(f"reading {find(folder)[0]}")
        conversations = read(folder, protocol, limit, None if strict else note)
        turns = [turn for conversation in conversations for turn in conversation.turns]
        vocabulary = _write_tables(writer, conversations, turns)
        tell(f"drawing {len(turns):,} pictures of {resolution} x {resolution}")
        pictures = find(folder)[1]
        scenes = [turn.scene for turn in turns]
        blocks = _counted(draw_all(pictures, resolution, scenes, workers), progress, len(turns))
        writer.rows("images.npy", (len(turns), 3, resolution, resolution), np.uint8, blocks)
        writer.array("background.npy", Renderer(pictures, resolution).draw(()))
        owner = DATASETS["codraw"]
        report = _report(conversations, len(vocabulary), faults)
        writer.finish(
            {
                "name": "codraw",
                "licence": owner.licence,
                "url": owner.url,
                "protocol": protocol,
                "resolution": resolution,
                "classes": list(CLASSES),
                "dialogues": report.dialogues,
                "turns": report.turns,
                "left out": [list(fault) for fault in faults],
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
    words, words_at = end_to_end([vocabulary.encode(turn.words) for turn in turns], np.int32)
    said, said_at = end_to_end([np.frombuffer(turn.said.encode(), np.uint8) for turn in turns], np.uint8)
    writer.text("vocabulary.json", json.dumps(list(vocabulary.words), ensure_ascii=False) + "\n")
    writer.text("dialogues.json", json.dumps(splits) + "\n")
    writer.array("words.npy", words)
    writer.array("words_at.npy", words_at)
    writer.array("said.npy", said)
    writer.array("said_at.npy", said_at)
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
