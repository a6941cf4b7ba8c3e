"""What `telldraw data` says and shows of a prepared set of pictures."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from telldraw import pixels
from telldraw.commands.counting import counted
from telldraw.data.regions import colours
from telldraw.drawing.sheet import Frame, Strip, grid
from telldraw.errors import DataError

if TYPE_CHECKING:
    from telldraw.data.collection import Collection, Map

_TILE, _CAPTIONED = 64, 256  # height of a picture among others of its class, and of one that stands over its captions
_MAPPED = 160  # height of a picture beside its maps
_LISTED = 20  # faults that are printed
_MOST = 12  # classes with captions on one sheet


def describe(collection: "Collection") -> None:
    """Print what there is: pictures by split and class, captions, terms, what was left out."""
    side, kind = collection.resolution, "grey" if collection.channels == 1 else "colour"
    print(f"{collection.name}, {kind}, {side} x {side} pixels")
    print(f"licence: {collection.licence}; owner: {collection.manifest.get('url', 'not stated')}")
    for split, rows in collection.splits.items():
        print(f"{split:>6}: {counted(len(rows), 'picture')}")
    if collection.classes:
        counts = collection.labels.sum(0, dtype=int).tolist()
        often = ", ".join(f"{name} ({n:,})" for name, n in zip(collection.classes, counts, strict=True) if n)
        a_picture = f", {sum(counts) / len(collection):.1f} a picture" if collection.many else ""
        listed = f"{counted(len(collection.classes), 'class', 'classes')}{a_picture}, by pictures: {often}"
        listed += f"; {counts.count(0):,} without a picture" if 0 in counts else ""
        print(textwrap.fill(listed, 100, subsequent_indent="  "))
    else:
        print("no classes")
    if told := [len(collection.captions(row)) for row in range(len(collection))] if _has_captions(collection) else []:
        print(f"captions: {sum(told):,}, {sum(told) / len(told):.1f} a picture, at most {max(told)}")
    for name, one in collection.maps.items():
        print(f"map: {name}" + (f", {counted(len(one.names), 'region')}: {', '.join(one.names)}" if one.names else ""))
    for remark in collection.manifest.get("remarks", []):
        print(f"remark: {remark}")
    print(f"{sum(facts['bytes'] for facts in collection.manifest['files'].values()) / 1e9:.2f} GB")
    faults = collection.manifest.get("left out", [])
    for name, what in faults[:_LISTED]:
        print(f"left out: {name}: {what}")
    if len(faults) > _LISTED:
        print(f"... and {len(faults) - _LISTED:,} more, in {collection.path / 'manifest.json'}")


def strips(collection: "Collection", split: str, count: int) -> list[Strip]:
    """`count` pictures of every class of a split, or each over its captions. Raises DataError when there are none."""
    rows = np.array(collection.split(split), int)
    if not len(rows):
        raise DataError(f"the split {split!r} of {collection.path} has no picture; choose another with --split")
    told = collection.many or _has_captions(collection) or bool(collection.maps)
    if not collection.classes or collection.many:
        chosen = _some(rows, count if told else 8 * count)
        if told:
            return [Strip("", [_told(collection, row) for row in chosen])]
        return [Strip("", [_together(collection, chosen, "", 8)])]
    by_class = {name: rows[collection.labels[rows, at] > 0] for at, name in enumerate(collection.classes)}
    if _has_captions(collection):
        shown = [(name, own) for name, own in by_class.items() if len(own)][:_MOST]
        return [Strip(name, [_told(collection, row) for row in _some(own, count)]) for name, own in shown]
    across = min(4, count)
    return [
        Strip(
            "",
            [
                _together(collection, _some(own, count), f"{name} ({len(own):,})", across, count)
                for name, own in by_class.items()
            ],
        )
    ]


def _has_captions(collection: "Collection") -> bool:
    return "captions.npy" in collection.manifest["files"]


def _some(rows: np.ndarray, count: int) -> list[int]:
    """At most `count` of the rows, evenly from the first to the last."""
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)].tolist() if len(rows) else []


def _picture(collection: "Collection", row: int, height: int) -> Image.Image:
    """A picture in its canvas' shape, RGB."""
    size = round(height * collection.manifest.get("aspect", 1.0)), height
    image = pixels.of_array(collection.images[row].transpose(1, 2, 0)).convert("RGB")
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def _told(collection: "Collection", row: int) -> Frame:
    """A picture, beside it its maps, over its captions; where it has none, over what it shows."""
    text = " / ".join(collection.captions(row)) or ", ".join(collection.shown(row))
    if not collection.maps:
        return Frame(_picture(collection, row, _CAPTIONED), f"{row}", text)
    beside = [_map(one, row) for one in collection.maps.values()]
    return Frame(grid([_picture(collection, row, _MAPPED), *beside], 1 + len(beside)), f"{row}", text)


def _map(one: "Map", row: int) -> Image.Image:
    """A sketch as it is, regions each in its colour."""
    places = np.asarray(one.rows[row])  # type: ignore[index]
    if one.names:
        places = np.array(colours(one.names), np.uint8)[places]
    way = Image.Resampling.NEAREST if one.names else Image.Resampling.LANCZOS
    return Image.fromarray(places).convert("RGB").resize((_MAPPED, _MAPPED), way)


def _together(
    collection: "Collection", rows: Sequence[int], text: str, across: int, places: int | None = None
) -> Frame:
    """Pictures in one frame, `across` in a row, with room for so many `places`."""
    images = [_picture(collection, row, _TILE) for row in rows]
    places = places or len(images)
    width = round(_TILE * collection.manifest.get("aspect", 1.0))
    images += [Image.new("RGB", (width, _TILE), "white")] * (places - len(images))
    return Frame(grid(images, across), "", text)
