"""Pictures of one's own: a folder, its sub-folders the classes, with captions where there are some.

    dog/1.jpg  cat/7.png                folders are classes
    train/dog/1.jpg  test/dog/9.jpg     the split is made already; what is missing of it is cut from train
    1.jpg  2.jpg                        no classes

Every picture becomes a square; nothing else is changed. Which picture falls into which split depends on its class, the
names and the seed, so that the same folder gives the same set.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from telldraw.data import pictures
from telldraw.data.archive import Writer
from telldraw.data.captions import BESIDE, captions_of, remarks_on
from telldraw.data.collection import write_collection
from telldraw.data.faults import LeftOut
from telldraw.data.pictures import EIGHT_BITS, UNREADABLE, opaque, reason
from telldraw.data.processes import in_processes
from telldraw.errors import DataError

Fit = Literal["crop", "pad", "stretch"]

ENDINGS = (*pictures.ENDINGS, ".gif", ".tif", ".tiff", ".pgm", ".ppm")
"""What counts as a picture file; of one that moves, the first picture."""
SPLITS = ("train", "val", "test")
_CALLED = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_GREY = {"1", "L", "LA"}
_ROWS = 256  # pictures copied at a time


class Found(NamedTuple):
    """One picture file."""

    path: str  # below the folder, with slashes
    group: str  # its class; "" without classes
    split: str  # "" where that is still to be chosen


@dataclass(frozen=True)
class Report:
    """What became of a folder."""

    pictures: dict[str, int]  # by split
    classes: tuple[str, ...]
    channels: int
    converted: int
    """Grey pictures in a colour set, or colour pictures in a grey one."""
    captions: int
    faults: tuple[tuple[str, str], ...]


# --- what is there ------------------------------------------------------------------------------------------------


def scan(folder: Path, left_out: LeftOut) -> list[Found]:
    """Every picture file of a folder by class and, where it has folders train, val or test, by split.

    Raises DataError when there is none, or the folders can be understood in two ways.
    """
    notes: list[tuple[str, str]] = []
    below = _folders(folder)
    parts = [one for one in below if one.name.lower() in _CALLED]
    if any(_CALLED[one.name.lower()] == "train" for one in parts):
        if others := [one.name for one in below if one not in parts]:
            raise DataError(f"{folder} has {parts[0].name} beside {others[0]}; hold splits or classes in it, not both")
        found = [
            one._replace(split=_CALLED[part.name.lower()]) for part in parts for one in _classes(folder, part, notes)
        ]
    else:
        found = _classes(folder, folder, notes)
    if not found:
        raise DataError(f"{folder} has no pictures ({', '.join(ENDINGS)}), nor have the folders in it")
    for part in parts:
        split = _CALLED[part.name.lower()]
        if split != "train" and any(one.split for one in found) and not any(one.split == split for one in found):
            notes.append((part.name, f"{part} has no picture; so many of train become {split} as --{split} says"))
    if parts and not any(one.split in ("", "train") for one in found):
        raise DataError(f"{folder / 'train'} has no pictures ({', '.join(ENDINGS)}); there is nothing to train on")
    bare = next((one.path for one in found if not one.group), "")
    if bare and (classed := next((one.path for one in found if one.group), "")):
        raise DataError(f"{folder}: {classed} lies in the folder of a class and {bare} in none; sort all, or none")
    for note in notes:
        left_out(*note)
    return found


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
    except FileNotFoundError:
        raise DataError(f"there is no folder {folder}") from None
    except NotADirectoryError:
        raise DataError(f"{folder} is a file; name the folder that holds the pictures") from None
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from None


def _classes(top: Path, folder: Path, notes: list[tuple[str, str]]) -> list[Found]:
    groups = _folders(folder)
    loose = [one for one in sorted(folder.iterdir()) if _is_picture(one)]
    if not groups:
        return [Found(one.relative_to(top).as_posix(), "", "") for one in loose]
    if loose:
        what = f"{loose[0]} lies beside the folders of classes ({len(loose):,} such); it has no class"
        notes.append((str(folder), what))
    found = []
    for group in groups:
        inside = sorted(one.relative_to(top).as_posix() for one in group.rglob("*") if _is_picture(one))
        if not inside:
            what = f"the folder {group} has no picture ({', '.join(ENDINGS)}); add some, or remove it"
            notes.append((group.name, what))
        found += [Found(path, group.name, "") for path in inside]
    return found


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".") and path.is_file()


def choose_splits(found: Sequence[Found], val: float, test: float, seed: int) -> list[Found]:
    """Give the pictures without split, and those of train where val or test is missing, one; in shuffled order.

    Each class gives its share of them to val and to test, to within one picture; so do all classes together.
    """
    there = {one.split for one in found}
    shares = {"val": 0.0 if "val" in there else val, "test": 0.0 if "test" in there else test}
    held = sum(shares.values())
    # classes one after the other, each shuffled; then every (1 / held)th picture of the whole is held out
    random = np.random.default_rng(seed)
    free = [one for one in found if one.split in ("", "train")]
    free = [free[at] for at in random.permutation(len(free))]
    free.sort(key=lambda one: one.group)
    phase, chosen, kept_back = random.random(2), [], 0
    for number, one in enumerate(free):
        split = "train"
        if int((number + 1) * held + phase[0]) > int(number * held + phase[0]):
            part = shares["val"] / held
            split = "val" if int((kept_back + 1) * part + phase[1]) > int(kept_back * part + phase[1]) else "test"
            kept_back += 1
        chosen.append(one._replace(split=split))
    chosen += [one for one in found if one.split not in ("", "train")]
    chosen = [chosen[at] for at in random.permutation(len(chosen))]
    return sorted(chosen, key=lambda one: SPLITS.index(one.split))


# --- pictures -----------------------------------------------------------------------------------------------------


class Decoder(NamedTuple):
    """How a picture file becomes a square: what one process needs."""

    folder: Path
    side: int
    fit: Fit
    grey: bool

    def read(self, path: str) -> tuple[np.ndarray, bool]:
        """The picture, uint8 [1 or 3, side, side], and whether its file is grey. Raises DataError."""
        file = self.folder / path
        try:
            with Image.open(file) as opened:
                if opened.mode not in EIGHT_BITS:
                    raise DataError(f"{file} has more than 8 bits a channel ({opened.mode}); save it with 8")
                grey = opened.mode in _GREY
                shorter = min(opened.size)
                # of a large JPEG only as many pixels are decoded as twice the size needs
                opened.draft(None, (2 * self.side * opened.width // shorter, 2 * self.side * opened.height // shorter))
                upright = ImageOps.exif_transpose(opened)
                return self._square(opaque(upright).convert("L" if self.grey else "RGB")), grey
        except UNREADABLE as error:
            raise DataError(f"{file} is not a picture that can be read: {reason(error)}") from None

    def _square(self, image: Image.Image) -> np.ndarray:
        size, way = (self.side, self.side), Image.Resampling.BICUBIC
        if self.fit == "crop":
            image = ImageOps.fit(image, size, way)
        elif self.fit == "pad":
            image = ImageOps.pad(image, size, way)
        else:
            image = image.resize(size, way)
        pixels = np.asarray(image)
        return pixels[None] if self.grey else pixels.transpose(2, 0, 1)

    def read_all(self, paths: Sequence[str]) -> list[tuple[np.ndarray, bool] | str]:
        """`read` of each, or the sentence that says why it cannot be read."""
        read: list[tuple[np.ndarray, bool] | str] = []
        for path in paths:
            try:
                read.append(self.read(path))
            except DataError as error:
                read.append(str(error))
        return read


# --- preparing ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """How a folder is prepared."""

    resolution: int
    colour: bool | None = None
    """Whether the set is in colour; None: if any picture is."""
    fit: Fit = "crop"
    captions: str | None = None
    val: float = 0.1
    test: float = 0.1
    seed: int = 0
    name: str = ""
    """What the set is called; the folder's name unless said."""
    licence: str = "not stated; that of the pictures"


def prepare(
    folder: Path,
    out: Path,
    plan: Plan,
    *,
    strict: bool = False,
    overwrite: bool = False,
    workers: int = 1,
    tell: Callable[[str], None] = lambda sentence: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Read the pictures of a folder and store them. Memory holds a few at a time.

    What cannot be used (a picture that cannot be read, a class without pictures, captions without picture, pictures
    without caption) is told to `tell`, listed in the manifest and left out; with `strict` the first raises DataError.
    """
    left_out = LeftOut(tell, strict=strict)
    found = choose_splits(scan(folder, left_out), plan.val, plan.test, plan.seed)
    captions = _captions(found, plan.captions, folder, left_out)
    with Writer(out, overwrite=overwrite) as writer:
        if writer.left_over:
            tell(f"removed {writer.part.name}, which an earlier run left half-written")
        tell(f"reading {len(found):,} pictures of {folder}")
        decoder = Decoder(folder, plan.resolution, plan.fit, plan.colour is False)
        store = writer.part / "pictures.raw"  # how many can be read is known only when all have been
        kept, grey = _decode(found, decoder, store, left_out, workers, progress)
        if not any(found[row].split == "train" for row in kept):
            raise DataError(f"no picture of {folder} that would be trained on can be read" + _first(left_out))
        channels = 1 if decoder.grey or (plan.colour is None and grey == len(kept)) else 3
        converted = len(kept) - grey if channels == 1 else grey
        if converted:
            what = (
                "colour pictures are made grey"
                if channels == 1
                else "grey pictures are made colour, all channels equal"
            )
            tell(f"{converted:,} of {len(kept):,}: {what}")
        own = [found[row] for row in kept]
        classes = tuple(sorted({one.group for one in own} - {""}, key=_natural))
        for name in sorted({one.group for one in found} - {"", *classes}, key=_natural):
            left_out(
                name, f"no picture of the class {name} can be read, so the set does not have it; add some that can"
            )
        for name in sorted(set(classes) - {one.group for one in own if one.split == "train"}):
            tell(f"the class {name} has no picture in train; it can be asked for but not learnt")
        labels = np.array([[one.group == name for name in classes] for one in own], np.uint8).reshape(len(own), -1)
        facts = _facts(folder, plan, own, classes, channels) | {"left out": [list(fault) for fault in left_out.faults]}
        told = [captions[row] for row in kept] if captions else None
        facts["remarks"] = remarks_on([(one.path, said) for one, said in zip(own, told, strict=True)] if told else [])
        for remark in facts["remarks"]:
            tell(remark)
        write_collection(writer, _copied(store, decoder, len(kept), channels), labels, facts, told)
    counts = Counter(one.split for one in own)
    sentences = sum(map(len, told or ()))
    return Report(
        {split: counts[split] for split in SPLITS}, classes, channels, converted, sentences, tuple(left_out.faults)
    )


def _captions(found: list[Found], source: str | None, folder: Path, left_out: LeftOut) -> list[list[str]] | None:
    if source is None:
        return None
    told = captions_of([one.path for one in found], source, folder)
    if not any(told.captions):
        where = "beside it" if source == BESIDE else f"in {source}"
        other = f" (that of {told.strangers[0]} is of none of them)" if told.strangers else ""
        raise DataError(f"no picture of {folder} has a caption {where}{other}; name pictures by their paths below it")
    for name in told.strangers:
        left_out(name, f"{name} has a caption in {source} and is no picture of {folder}")
    for one, own in zip(found, told.captions, strict=True):
        if not own:
            where = "beside it" if source == BESIDE else f"in {source}"
            left_out(f"caption of {one.path}", f"{folder / one.path} has no caption {where}")
    return told.captions


def _decode(
    found: list[Found],
    decoder: Decoder,
    store: Path,
    left_out: LeftOut,
    workers: int,
    progress: Callable[[int, int], None],
) -> tuple[list[int], int]:
    """Write every picture that can be read to `store`; gives which those are, and how many of them are grey files."""
    kept, grey, done = [], 0, 0
    progress(0, len(found))
    paths = [one.path for one in found]
    with store.open("xb") as file:
        for part in in_processes(Decoder, tuple(decoder), Decoder.read_all, paths, workers=workers):
            for read in part:
                if isinstance(read, str):
                    left_out(paths[done], read)
                else:
                    file.write(np.ascontiguousarray(read[0]).data)
                    kept.append(done)
                    grey += read[1]
                done += 1
            progress(done, len(found))
    return kept, grey


def _copied(store: Path, decoder: Decoder, count: int, channels: int) -> Iterator[np.ndarray]:
    """The pictures of `store` in blocks, which is removed after the last."""
    shape = 1 if decoder.grey else 3, decoder.side, decoder.side
    with store.open("rb") as file:
        for start in range(0, count, _ROWS):
            rows = min(_ROWS, count - start)
            block = np.frombuffer(file.read(rows * int(np.prod(shape))), np.uint8).reshape(rows, *shape)
            yield block[:, :channels]
    store.unlink()


def _facts(folder: Path, plan: Plan, own: list[Found], classes: tuple[str, ...], channels: int) -> dict[str, Any]:
    at = np.cumsum([0, *(sum(one.split == split for one in own) for split in SPLITS)]).tolist()
    return {
        "name": plan.name or folder.resolve().name,
        "prepare": "folder",
        "licence": plan.licence,
        "url": "not stated",
        "resolution": plan.resolution,
        "channels": channels,
        "classes": classes,
        "many": False,
        "splits": {split: [at[n], at[n + 1]] for n, split in enumerate(SPLITS)},
        "fit": plan.fit,
        "seed": plan.seed,
    }


def _natural(name: str) -> list[tuple[int, str]]:
    """So that 10 comes after 9."""
    return [(int(part), "") if part.isdecimal() else (-1, part.lower()) for part in re.split(r"(\d+)", name)] + [
        (-2, name)
    ]


def _first(left_out: LeftOut) -> str:
    return f"; the first, {left_out.faults[0][1]}" if left_out.faults else ""
