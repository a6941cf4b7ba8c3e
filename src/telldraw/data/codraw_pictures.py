"""CoDraw as pictures: what every dialogue came to, whole (`prepare_scenes`) or object by object (`prepare_objects`).

Both are sets of pictures with labels (`data/collection.py`), in the owner's split of the dialogues. A scene carries all
58 classes that are on it, and what the Teller said; an object is a square cut from its scene, with one class.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from telldraw.data import DATASETS
from telldraw.data.archive import Writer
from telldraw.data.clipart import CANVAS, SCALES, Clip, Scene, draw_all, empty_canvas, in_drawing_order, sprite_at
from telldraw.data.codraw import SPLITS, Finished, find, read_finished
from telldraw.data.collection import write_collection
from telldraw.data.faults import LeftOut
from telldraw.data.processes import in_processes
from telldraw.data.scenes import CLASSES, present
from telldraw.errors import DataError

_OPAQUE = 128  # of 255: from here a pixel counts as the sprite's own


@dataclass(frozen=True)
class Report:
    """What became of the owner's distribution."""

    pictures: dict[str, int]  # by split
    hidden: int
    """Objects left out because too little of them can be seen."""
    faults: tuple[tuple[str, str], ...]


# --- scenes -------------------------------------------------------------------------------------------------------


def prepare_scenes(
    folder: Path,
    out: Path,
    *,
    resolution: int = 64,
    strict: bool = False,
    overwrite: bool = False,
    workers: int = 1,
    limit: int | None = None,
    tell: Callable[[str], None] = lambda sentence: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Draw the last canvas of every dialogue, squashed to a square as in `prepare codraw`.

    Raises DataError when the distribution or `out` cannot be used; with `strict` at the first fault of a dialogue.
    """
    with Writer(out, overwrite=overwrite) as writer:
        pictures, finished, left_out = _read(folder, writer, strict, limit, tell)
        tell(f"drawing {len(finished):,} scenes of {resolution} x {resolution}")
        scenes = [tuple(in_drawing_order(one.scene)) for one in finished]
        blocks = _counted(draw_all(pictures, resolution, scenes, workers), progress, len(scenes))
        labels = np.stack([present(scene) for scene in scenes])
        splits = _ranges([one.split for one in finished])
        facts = _facts("codraw-scenes", resolution, splits, left_out) | {"many": True, "aspect": CANVAS[0] / CANVAS[1]}
        write_collection(writer, blocks, labels, facts, [one.told for one in finished])
    return Report(_counts(splits), 0, tuple(left_out.faults))


# --- objects ------------------------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """One object of a scene as it can be seen."""

    category: int  # class
    box: tuple[float, float, float, float]  # left, top, right, bottom on the canvas of 500 x 400; a square within it
    share: float  # of its own pixels, those that lie on the canvas and under no other object


class Stage:
    """Paints scenes at 500 x 400 and knows which pixel is whose; keeps every sprite it has needed."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds the sprites and background.png. Raises DataError when the background cannot be read."""
        self._folder, self._empty = folder, empty_canvas(folder)
        self._sprites: dict[tuple[str, int, bool], tuple[Image.Image, np.ndarray]] = {}

    def _place(self, clip: Clip) -> tuple[Image.Image, np.ndarray, int, int]:
        """A clip's pixels, which of them are its own (bool [h, w]), and its left and top edge on the canvas."""
        key = clip.sprite, clip.depth, clip.flip
        if key not in self._sprites:
            image = sprite_at(self._folder, clip.sprite, SCALES[clip.depth], clip.flip)
            self._sprites[key] = image, np.asarray(image.getchannel("A")) >= _OPAQUE
        image, own = self._sprites[key]
        return image, own, round(clip.x - image.width / 2), round(clip.y - image.height / 2)

    def paint(self, scene: Iterable[Clip]) -> Image.Image:
        """The scene at 500 x 400, pixel for pixel what `draw_plainly` paints."""
        canvas = self._empty.copy()
        for clip in in_drawing_order(scene):
            image, _, left, top = self._place(clip)
            canvas.paste(image, (left, top), image)
        return canvas

    def look(self, scene: Iterable[Clip], context: float = 1.15) -> list[Seen]:
        """What can be seen of every object with a pixel on the canvas, bottom first.

        The box is a square around the part that lies on the canvas, `context` times its longer side but no larger than
        the canvas is high, moved just as far as it must be to lie on the canvas as a whole.
        """
        width, height = CANVAS
        whose = np.zeros((height, width), np.uint8)  # 0: nobody's
        found: list[tuple[int, tuple[float, float, float, float], int]] = []
        for number, clip in enumerate(in_drawing_order(scene), 1):
            _, own, left, top = self._place(clip)
            on = own[max(0, -top) : max(0, height - top), max(0, -left) : max(0, width - left)]
            rows, columns = np.nonzero(on.any(1))[0], np.nonzero(on.any(0))[0]
            ends = (0.0, 0.0, 0.0, 0.0)
            if len(rows):
                x, y = max(0, left), max(0, top)
                whose[y : y + on.shape[0], x : x + on.shape[1]][on] = number
                ends = x + columns[0], y + rows[0], x + columns[-1] + 1, y + rows[-1] + 1
            found.append((clip.category, ends, int(own.sum())))
        seen = np.bincount(whose.ravel(), minlength=len(found) + 1)[1:]
        return [
            Seen(category, _square(ends, context), count / of)
            for (category, ends, of), count in zip(found, seen.tolist(), strict=True)
            if ends[2] > ends[0]
        ]


def _square(ends: tuple[float, float, float, float], context: float) -> tuple[float, float, float, float]:
    """The square around left, top, right, bottom; see `Stage.look`."""
    width, height = CANVAS
    side = min(context * max(ends[2] - ends[0], ends[3] - ends[1]), width, height)
    left = min(max((ends[0] + ends[2] - side) / 2, 0), width - side)
    top = min(max((ends[1] + ends[3] - side) / 2, 0), height - side)
    return left, top, left + side, top + side


class Cutter(NamedTuple):
    """How objects are cut out: what one process needs."""

    stage: Stage
    resolution: int
    context: float
    visible: float

    @classmethod
    def make(cls, folder: Path, resolution: int, context: float, visible: float) -> "Cutter":
        """With a stage of its own."""
        return cls(Stage(folder), resolution, context, visible)

    def kept(self, scene: Scene) -> list[Seen]:
        """The objects of which enough can be seen."""
        return [seen for seen in self.stage.look(scene, self.context) if seen.share >= self.visible]

    def classes(self, scenes: Sequence[Scene]) -> list[list[int]]:
        """The classes of the objects that `cut` gives, by scene."""
        return [[seen.category for seen in self.kept(scene)] for scene in scenes]

    def cut(self, scenes: Sequence[Scene]) -> np.ndarray:
        """The objects of scenes, one after the other: uint8 [n, 3, R, R]."""
        size, crops = (self.resolution, self.resolution), []
        for scene in scenes:
            canvas = self.stage.paint(scene)
            for seen in self.kept(scene):
                crops.append(np.asarray(canvas.resize(size, Image.Resampling.BICUBIC, box=seen.box)))
        return np.stack(crops).transpose(0, 3, 1, 2) if crops else np.zeros((0, 3, *size), np.uint8)


def prepare_objects(
    folder: Path,
    out: Path,
    *,
    resolution: int = 32,
    context: float = 1.15,
    visible: float = 0.5,
    strict: bool = False,
    overwrite: bool = False,
    workers: int = 1,
    limit: int | None = None,
    tell: Callable[[str], None] = lambda sentence: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Cut every object out of the last canvas of its dialogue, with what lies around and before it.

    context: side of the square that is cut, as a multiple of the longer side of what is drawn. visible: what is covered
    or outside the canvas by more than the rest of this share is left out. Raises as `prepare_scenes` does.
    """
    with Writer(out, overwrite=overwrite) as writer:
        pictures, finished, left_out = _read(folder, writer, strict, limit, tell)
        scenes, how = [one.scene for one in finished], (pictures, resolution, context, visible)
        tell(f"looking at {len(scenes):,} scenes")
        looks = in_processes(Cutter.make, how, Cutter.classes, scenes, workers=workers)
        by_scene = [own for part in looks for own in part]
        classes = [category for own in by_scene for category in own]
        if not classes:
            raise DataError(f"nothing of any scene of {folder} can be seen; choose a smaller --visible")
        splits = _ranges([one.split for one, own in zip(finished, by_scene, strict=True) for _ in own])
        tell(f"cutting {len(classes):,} objects of {resolution} x {resolution}")
        blocks = in_processes(Cutter.make, how, Cutter.cut, scenes, workers=workers)
        facts = _facts("codraw-objects", resolution, splits, left_out)
        facts |= {"many": False, "context": context, "visible": visible}
        labels = np.eye(len(CLASSES), dtype=np.uint8)[classes]
        write_collection(writer, _counted(blocks, progress, len(classes)), labels, facts)
    hidden = sum(len(one.scene) for one in finished) - len(classes)
    return Report(_counts(splits), hidden, tuple(left_out.faults))


# --- both ---------------------------------------------------------------------------------------------------------


def _read(
    folder: Path, writer: Writer, strict: bool, limit: int | None, tell: Callable[[str], None]
) -> tuple[Path, list[Finished], LeftOut]:
    """The folder of sprites, the dialogues, and what was left out."""
    file, pictures = find(folder)
    if writer.left_over:
        tell(f"removed {writer.part.name}, which an earlier run left half-written")
    tell(f"reading {file}")
    left_out = LeftOut(tell)
    finished = read_finished(folder, limit, None if strict else lambda fault: left_out(*fault))
    return pictures, finished, left_out


def _ranges(of: Sequence[str]) -> dict[str, list[int]]:
    """First row and row after the last of each split, from the split of every row, which are in order."""
    starts = np.cumsum([0, *(of.count(split) for split in SPLITS)]).tolist()
    return {split: [start, stop] for split, start, stop in zip(SPLITS, starts, starts[1:], strict=False)}


def _counts(splits: dict[str, list[int]]) -> dict[str, int]:
    return {split: stop - start for split, (start, stop) in splits.items()}


def _facts(name: str, resolution: int, splits: dict[str, list[int]], left_out: LeftOut) -> dict[str, Any]:
    owner = DATASETS[name]
    return {
        "name": name,
        "licence": owner.licence,
        "url": owner.url,
        "resolution": resolution,
        "channels": 3,
        "classes": CLASSES,
        "splits": splits,
        "left out": [list(fault) for fault in left_out.faults],
    }


def _counted(blocks: Iterable[np.ndarray], progress: Callable[[int, int], None], total: int) -> Iterator[np.ndarray]:
    done = 0
    progress(0, total)
    for block in blocks:
        yield block
        done += len(block)
        progress(done, total)
