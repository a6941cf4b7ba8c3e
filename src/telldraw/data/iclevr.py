"""i-CLEVR (El-Nouby et al. 2019, arXiv:1811.09845) as its owner publishes it: one object added a turn, five turns.

Two forms are read. The raw one is a folder with `scenes/CLEVR_<split>_<number>.json`, `text/CLEVR_<split>_<number>.txt`
(a line a turn), `images/CLEVR_<split>_<number>_<turn>.png` and `background.png`; the packed one is the files
`clevr_train.h5`, `clevr_val.h5` and `clevr_test.h5` that the owner's script makes of it, pictures 128 x 128 and blue
first. Objects of a scene file are in the order of addition. Our own renders are in `iclevr_render.py`.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from telldraw.data import DATASETS
from telldraw.data.archive import Writer
from telldraw.data.clevr.stage import CANVAS, CLASSES, COLOURS, SHAPES
from telldraw.data.faults import LeftOut
from telldraw.data.iclevr_store import SPLITS, Story, Told, write_tables
from telldraw.errors import DataError

_LAYOUT = "it should hold scenes, text, images and background.png, or clevr_train.h5, clevr_val.h5 and clevr_test.h5"


class Fault(NamedTuple):
    """Why one scene was left out."""

    scene: str
    what: str


class Bad(Exception):
    """What is wrong with a scene."""


class Scene(NamedTuple):
    """One scene, its pictures still where the owner put them."""

    story: Story
    pictures: Callable[[int], np.ndarray]
    """Reads all of them at a resolution: uint8 [turns, 3, R, R]. Raises Bad."""


@dataclass
class Report:
    """What became of the owner's files."""

    dialogues: dict[str, int]
    turns: dict[str, int]
    words: int
    faults: list[Fault] = field(default_factory=list)


# --- the raw form -------------------------------------------------------------------------------------------------


def _raw_scenes(folder: Path) -> Iterator[tuple[str, Callable[[], Scene]]]:
    """Names of the scenes with what reads each."""
    files = list((folder / "scenes").glob("CLEVR_*_*.json"))
    if not files:
        raise DataError(f"{folder / 'scenes'} has no CLEVR_<split>_<number>.json; {_LAYOUT}")
    order = {split: number for number, split in enumerate(SPLITS)}

    def key(file: Path) -> tuple[int, str]:
        return order.get(file.stem.split("_")[1], len(order)), file.name

    for file in sorted(files, key=key):
        yield file.stem, lambda file=file: _raw_scene(folder, file)


def _raw_scene(folder: Path, file: Path) -> Scene:
    split = file.stem.split("_")[1]
    if split not in SPLITS:
        raise Bad(f"{file.name} names none of the splits {', '.join(SPLITS)}")
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Bad(f"{file} is not whole JSON ({error})") from None
    objects = document.get("objects") if isinstance(document, dict) else None
    if not isinstance(objects, list) or not objects:
        raise Bad(f"{file} has no list of objects")
    text = folder / "text" / f"{file.stem}.txt"
    try:
        lines = [line.strip() for line in text.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise Bad(f"{text} cannot be read ({error})") from None
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) != len(objects):
        raise Bad(f"{text} has {len(lines)} lines for the {len(objects)} objects of {file.name}")
    if not all(lines):
        raise Bad(f"line {lines.index('') + 1} of {text} is empty")
    pictures = [folder / "images" / f"{file.stem}_{turn}.png" for turn in _turn_names(folder, file.stem, len(objects))]
    turns = list(_grow([_object(entry, number, file) for number, entry in enumerate(objects, 1)], lines))
    return Scene(Story(file.stem, split, turns), lambda side: np.stack([_picture(path, side) for path in pictures]))


def _turn_names(folder: Path, stem: str, count: int) -> list[int]:
    """Numbers of the pictures of a scene, which start at 0 or at 1."""
    start = 0 if (folder / "images" / f"{stem}_0.png").is_file() else 1
    names = list(range(start, start + count))
    for name in names:
        if not (folder / "images" / f"{stem}_{name}.png").is_file():
            raise Bad(f"{folder / 'images' / f'{stem}_{name}.png'} is missing")
    if (folder / "images" / f"{stem}_{start + count}.png").is_file():
        raise Bad(f"there are more pictures {stem}_<turn>.png than the {count} objects of its scene file")
    return names


def _object(entry: Any, number: int, file: Path) -> tuple[int, np.ndarray]:
    """Class of an object and where its centre is: [3]."""
    where = f"object {number} of {file}"
    try:
        shape, colour = entry["shape"], entry["color"]
        across, down, depth = (float(value) for value in entry["pixel_coords"])
    except (KeyError, TypeError, ValueError) as error:
        raise Bad(f"{where} lacks shape, color or three pixel_coords ({error})") from None
    if shape not in SHAPES:
        raise Bad(f"{where} has the unknown shape {shape!r}; CLEVR's are {', '.join(SHAPES)}")
    if colour not in COLOURS:
        raise Bad(f"{where} has the unknown colour {colour!r}; CLEVR's are {', '.join(COLOURS)}")
    place = np.array([across / CANVAS[0], down / CANVAS[1], depth], np.float32)
    if not np.isfinite(place).all():
        raise Bad(f"{where} has pixel_coords that are no numbers")
    return len(COLOURS) * SHAPES.index(shape) + list(COLOURS).index(colour), place


def _grow(objects: list[tuple[int, np.ndarray]], lines: list[str]) -> Iterator[Told]:
    """Turns of a scene to which one object is added after the other."""
    present, position = np.zeros(len(CLASSES), np.uint8), np.zeros((len(CLASSES), 3), np.float32)
    for (category, place), line in zip(objects, lines, strict=True):
        present[category], position[category] = 1, place
        yield Told(line, present.copy(), position.copy())


def _picture(path: Path, side: int) -> np.ndarray:
    """A picture squashed to a square: uint8 [3, side, side]."""
    try:
        with Image.open(path) as image:
            return _squash(image.convert("RGB"), side).transpose(2, 0, 1)
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises all three for damaged files
        raise Bad(f"{path} cannot be read ({error})") from None


def _squash(image: Image.Image, side: int) -> np.ndarray:
    """[side, side, 3]; a mean over the area where it shrinks."""
    return np.asarray(
        image.resize((side, side), Image.Resampling.BOX if side <= image.width else Image.Resampling.BICUBIC)
    )


# --- the packed form ----------------------------------------------------------------------------------------------


def _packed_scenes(folder: Path) -> Iterator[tuple[str, Callable[[], Scene]]]:
    for split in SPLITS:
        file = folder / f"clevr_{split}.h5"
        if not file.is_file():
            continue
        with _open_packed(file) as packed:
            names = [name for name in packed if name not in ("background", "entities")]
            _check_entities(file, packed)
        for name in sorted(names):
            yield f"CLEVR_{split}_{name}", lambda file=file, split=split, name=name: _packed_scene(file, split, name)


def _open_packed(file: Path) -> Any:
    try:
        import h5py
    except ImportError:
        raise DataError(f"{file} needs h5py: pip install 'telldraw[hdf5]'") from None
    try:
        return h5py.File(file, "r")
    except OSError as error:
        raise DataError(f"{file} is no whole HDF5 file ({error}); get or make it again") from None


def _check_entities(file: Path, packed: Any) -> None:
    if "entities" not in packed:
        return
    try:
        entities = json.loads(_text(packed["entities"][()]))
    except (ValueError, TypeError, OSError) as error:
        raise DataError(f"entities of {file} cannot be read ({error})") from None
    # the owner's script writes "shape colour"
    if [" ".join(reversed(name.split())) for name in entities] != list(CLASSES) and entities != list(CLASSES):
        raise DataError(
            f"entities of {file} are not the 24 of i-CLEVR, or in another order: {', '.join(entities[:3])} ..."
        )


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _packed_scene(file: Path, split: str, name: str) -> Scene:
    where = f"{file}, group {name}"
    with _open_packed(file) as packed:
        group = packed[name]
        missing = [
            key for key in ("images", "text", "objects", "coords") if not hasattr(group, "keys") or key not in group
        ]
        if missing:
            raise Bad(f"{where} lacks {', '.join(missing)}")
        try:
            lines = json.loads(_text(group["text"][()]))
            objects, coords = np.asarray(group["objects"][()]), np.asarray(group["coords"][()], np.float32)
            shape, kind = group["images"].shape, group["images"].dtype
        except (ValueError, TypeError, OSError) as error:
            raise Bad(f"{where} cannot be read ({error})") from None
    count, classes = len(objects), len(CLASSES)
    if len(shape) != 4 or shape[0] != count or shape[3] != 3 or kind != np.uint8:
        raise Bad(f"{where}: images are {kind} {list(shape)}, uint8 [{count}, H, W, 3] was expected")
    if not isinstance(lines, list) or len(lines) != count or not all(isinstance(s, str) and s.strip() for s in lines):
        raise Bad(f"{where}: text is not {count} lines")
    if objects.shape != (count, classes) or coords.shape != (count, classes, 3) or not np.isfinite(coords).all():
        raise Bad(f"{where}: objects or coords are not [{count}, {classes}] and [{count}, {classes}, 3] numbers")
    coords = coords / np.array([shape[2], shape[1], 1], np.float32)
    present = (objects > 0).astype(np.uint8)
    turns = [Told(said.strip(), now, at * now[:, None]) for said, now, at in zip(lines, present, coords, strict=True)]
    return Scene(Story(f"CLEVR_{split}_{name}", split, turns), lambda side: _packed_pictures(file, name, side))


def _packed_pictures(file: Path, name: str, side: int) -> np.ndarray:
    with _open_packed(file) as packed:
        try:
            images = packed[name]["images"][()]
        except (OSError, KeyError) as error:
            raise Bad(f"{file}, group {name}: images cannot be read ({error})") from None
    return np.stack([_squash(Image.fromarray(blue_first[..., ::-1]), side) for blue_first in images]).transpose(
        0, 3, 1, 2
    )


# --- preparing ----------------------------------------------------------------------------------------------------


def find(folder: Path) -> bool:
    """Whether `folder` holds the packed form, and not the raw one. Raises DataError when it holds neither."""
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; {_LAYOUT}")
    if (folder / "scenes").is_dir():
        return False
    if any((folder / f"clevr_{split}.h5").is_file() for split in SPLITS):
        return True
    raise DataError(f"{folder} is not i-CLEVR: {_LAYOUT}")


def _background(folder: Path, packed: bool, side: int) -> np.ndarray:
    """The empty stage, uint8 [side, side, 3]."""
    if not packed:
        path = next((p for p in (folder / "background.png", folder / "images" / "background.png") if p.is_file()), None)
        if path is None:
            raise DataError(f"{folder / 'background.png'} is missing; it is the picture of the empty stage")
        try:
            return _picture(path, side).transpose(1, 2, 0)
        except Bad as bad:
            raise DataError(f"{bad}; get it again") from None
    file = next(path for split in SPLITS if (path := folder / f"clevr_{split}.h5").is_file())
    with _open_packed(file) as opened:
        if "background" not in opened:
            raise DataError(f"{file} lacks background, the picture of the empty stage; make it again")
        image = np.asarray(opened["background"][()])
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise DataError(f"background of {file} is {image.dtype} {list(image.shape)}, uint8 [H, W, 3] was expected")
    return _squash(Image.fromarray(image[..., ::-1]), side)


def prepare(
    folder: Path,
    out: Path,
    *,
    resolution: int = 128,
    strict: bool = False,
    overwrite: bool = False,
    limit: int | None = None,
    tell: Callable[[str], None] = lambda sentence: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Read and store i-CLEVR. `tell` hears of every stage and fault, `progress` of scenes read.

    Raises DataError when the distribution or `out` cannot be used; with `strict` at the first fault of a scene.
    """
    packed = find(folder)
    left_out = LeftOut(tell)
    with Writer(out, overwrite=overwrite) as writer:
        if writer.left_over:
            tell(f"removed {writer.part.name}, which an earlier run left half-written")
        background = _background(folder, packed, resolution)
        scenes = list(_packed_scenes(folder) if packed else _raw_scenes(folder))[:limit]
        tell(f"reading {len(scenes):,} scenes of {folder}")
        stories = []
        # pictures are read once, into a file of the folder that is being written, so that a fault leaves no gap
        pictures = writer.part / "pictures.raw"
        with pictures.open("xb") as store:
            for done, (name, read) in enumerate(scenes):
                progress(done, len(scenes))
                try:
                    scene = read()
                    block = scene.pictures(resolution)
                except Bad as bad:
                    if strict:
                        raise DataError(f"scene {name}: {bad}") from None
                    left_out(name, str(bad))
                    continue
                store.write(np.ascontiguousarray(block).data)
                stories.append(scene.story)
            progress(len(scenes), len(scenes))
        if not stories:
            raise DataError(
                f"no scene of {folder} can be used"
                + (f"; the first, {': '.join(left_out.faults[0])}" if left_out.faults else "")
            )
        report = _store(writer, stories, pictures, resolution)
        report.faults = [Fault(*one) for one in left_out.faults]
        pictures.unlink()
        writer.array("background.npy", background)
        writer.finish(_facts(report, packed, resolution))
    return report


def _store(writer: Writer, stories: list[Story], pictures: Path, side: int) -> Report:
    vocabulary = write_tables(writer, stories)
    turns = {split: sum(len(story.turns) for story in stories if story.split == split) for split in SPLITS}
    size = (sum(turns.values()), 3, side, side)
    mapped = np.memmap(pictures, np.uint8, "r", shape=size)
    writer.rows("images.npy", size, np.uint8, (mapped[at : at + 64] for at in range(0, size[0], 64)))
    dialogues = {split: sum(story.split == split for story in stories) for split in SPLITS}
    return Report(dialogues, turns, len(vocabulary))


def _facts(report: Report, packed: bool, resolution: int) -> dict[str, Any]:
    return {
        "name": "iclevr",
        "licence": "the owner's terms (Microsoft's licence inside GeNeVA-v1.zip)",
        "url": DATASETS["iclevr"].url,
        "protocol": "published",
        "form": "HDF5" if packed else "raw",
        "resolution": resolution,
        "canvas": list(CANVAS),
        "axes": ["x", "y"],
        "classes": list(CLASSES),
        "dialogues": report.dialogues,
        "turns": report.turns,
        "words": report.words,
        "left out": [list(fault) for fault in report.faults],
    }
