"""Where the pictures, masks, sketches and attributes of CelebA-HQ's faces lie, in every layout there is of them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from telldraw.data.captioned import lines_of
from telldraw.data.face_maps import Derived, Numbers, Parts, Sketch, Source, read_map
from telldraw.data.faults import LeftOut
from telldraw.data.regions import ORDERS, REGIONS
from telldraw.data.sketches import DERIVED
from telldraw.errors import DataError

ATTRIBUTES = "CelebAMask-HQ-attribute-anno.txt"
PICTURES = ("image/images", "images", "CelebA-HQ-img", "image")
LABELS = ("label", "labels", "mask", "masks", "CelebAMask-HQ-mask", "CelebAMaskHQ-mask")
PARTS = ("CelebAMask-HQ-mask-anno", "CelebAMaskHQ-mask-anno")
SKETCHES = ("sketch", "sketches")
_PHOTOGRAPHS, _DRAWN = (".jpg", ".png", ".jpeg"), (".png", ".jpg", ".jpeg")
_TRIED = 40  # masks by which their order is checked
_DOWN = ("l_brow", "nose", "l_lip", "neck")  # what lies lower and lower in a face


def roots_of(source: Path, other: Path | None) -> list[Path]:
    """The folders to look in, one after the other. Raises DataError when one that was named is not there."""
    for folder, flag in ((source, "--from"), (other, "--celebamask")):
        if folder is not None and not folder.is_dir():
            raise DataError(f"there is no folder {folder}; name the one that holds pictures of CelebA-HQ with {flag}")
    given = [source] if other is None else [source, other]
    return [root for folder in given for root in (folder, folder / "CelebAMask-HQ") if root.is_dir()]


def numbered(
    roots: Sequence[Path], places: Sequence[str], endings: Sequence[str]
) -> tuple[Path | None, dict[str, Path]]:
    """The first of these places that has files called 0.png, 00000.png, 0_edges.jpg and the like; and those, by number.

    A folder in which there are only folders, as some archives unpack, is looked into once more.
    """
    for place in (root / place for root in roots for place in places):
        for folder in (
            (place, *sorted(inside for inside in place.glob("*") if inside.is_dir())) if place.is_dir() else ()
        ):
            found: dict[str, Path] = {}
            for file in sorted(folder.iterdir(), key=lambda file: file.name):
                number = file.stem.removesuffix("_edges")
                if number.isdecimal() and file.suffix.lower() in endings:
                    name = str(int(number))
                    rank = endings.index(file.suffix.lower())
                    if name not in found or rank < endings.index(found[name].suffix.lower()):
                        found[name] = file
            if found:
                return folder, found
    return None, {}


def pictures_in(roots: Sequence[Path]) -> dict[str, Path]:
    """The pictures, by number. Raises DataError when there are none."""
    _, found = numbered(roots, PICTURES, _PHOTOGRAPHS)
    if not found:
        there = next((root / place for root in roots for place in PICTURES if (root / place).is_dir()), None)
        if there is not None:
            raise DataError(f"{there} has no pictures called 0.jpg, 1.jpg, ...; unpack them again")
        raise DataError(f"{roots[0]} has no pictures of CelebA-HQ: {' or '.join(PICTURES)} was expected")
    return {name: found[name] for name in sorted(found, key=int)}


@dataclass
class Beside:
    """What lies beside the faces."""

    maps: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Kinds of maps, each with the names of its regions."""
    facts: dict[str, str] = field(default_factory=dict)
    """For the manifest: where they are from."""
    remarks: list[str] = field(default_factory=list)
    sources: list[Callable[[str], Source]] = field(default_factory=list)

    def of(self, name: str) -> tuple[Source, ...]:
        """The maps of one face. Raises DataError when one is missing."""
        return tuple(source(name) for source in self.sources)


def beside(roots: Sequence[Path], sketches: str, regions: bool, order: str, left_out: LeftOut) -> Beside:
    """What lies beside the faces: sketches first, then regions.

    sketches: own, derived, none, or a folder. order: in which the masks' parts are, or were, merged. Raises DataError.
    """
    found = Beside()
    if sketches == "derived":
        _add(found, "sketch", (), lambda name: Derived())
        found.facts["sketches"] = DERIVED
    elif sketches != "none":
        _sketches(found, roots, sketches)
    if regions:
        _regions(found, roots, order, left_out)
    return found


def _add(found: Beside, kind: str, names: tuple[str, ...], source: Callable[[str], Source]) -> None:
    found.maps[kind] = names
    found.sources.append(source)


def _sketches(found: Beside, roots: Sequence[Path], where: str) -> None:
    own = where == "own"
    folder, files = numbered(roots, SKETCHES, _DRAWN) if own else numbered([Path(where)], (".",), _DRAWN)
    if folder is not None:
        there = folder
        _add(found, "sketch", (), lambda name: Sketch(files.get(name, there / f"{name}.png")))
        found.facts["sketches"] = "the owner's" if own else "a folder's"
    elif not own:
        raise DataError(
            f"--sketches {where} is no folder with 0.png or 0_edges.jpg; say own, derived, none or a folder"
        )
    else:
        found.remarks.append(f"{roots[0]} has no folder sketch: the set is without; --sketches derived draws some")


def _regions(found: Beside, roots: Sequence[Path], order: str, left_out: LeftOut) -> None:
    folder, files = numbered(roots, LABELS, (".png",))
    becomes = (0, *(REGIONS.index(part) for part in ORDERS[order]))
    if folder is not None:
        there = folder
        if other := _other_order(list(files.values())[:_TRIED], order):
            found.remarks.append(
                f"{folder}: noses, lips and necks lie where the order {other} has them, and not {order}; if the sheet "
                f"of telldraw data shows that too, take --order {other}"
            )
        _add(found, "regions", REGIONS, lambda name: Numbers(files.get(name, there / f"{name}.png"), becomes))
    elif parts := next((root / place for root in roots for place in PARTS if (root / place).is_dir()), None):
        _add(found, "regions", REGIONS, _parts(parts, order, left_out))
    else:
        found.remarks.append(f"{roots[0]} has no masks ({LABELS[0]} or {PARTS[0]}): the set is without regions")
        return
    found.facts["order"] = order


def _parts(folder: Path, order: str, left_out: LeftOut) -> Callable[[str], Parts]:
    """Which masks of parts there are of each face: in folder/0 to folder/14, or in the folder itself."""
    places = {part: place for place, part in enumerate(ORDERS[order])}
    of: dict[str, tuple[Path, str, list[str]]] = {}
    for inside in (folder, *sorted(one for one in folder.iterdir() if one.is_dir())):
        for file in sorted(inside.glob("*.png")):
            if not (match := re.fullmatch(r"(\d+)_(\w+)", file.stem)):
                left_out(file.name, f"{file} is no mask of a part: 00000_hair.png or the like was expected")
            elif match[2] not in places:
                left_out(file.name, f"{file} is of a part {match[2]}, and there are {', '.join(sorted(places))}")
            else:
                of.setdefault(str(int(match[1])), (inside, match[1], []))[2].append(match[2])

    def masks(name: str) -> Parts:
        if name not in of:
            raise DataError(f"{folder} has no masks of the face {name}; unpack the masks again")
        inside, number, own = of[name]
        merged = tuple(sorted(own, key=places.__getitem__))
        return Parts(inside, number, merged, tuple(REGIONS.index(part) for part in merged))

    return masks


def _other_order(files: Sequence[Path], order: str) -> str | None:
    """The order by which noses lie above lips and the like, if the one that was named is not it."""
    area, height = np.zeros(len(REGIONS)), np.zeros(len(REGIONS))
    for file in files:
        try:
            mask = np.asarray(read_map(Numbers(file, tuple(range(len(REGIONS))))))
        except DataError:
            continue  # named when it is read
        rows = np.arange(len(mask), dtype=float)[:, None] / len(mask)
        area += np.bincount(mask.ravel(), minlength=len(REGIONS))
        height += np.bincount(mask.ravel(), weights=np.broadcast_to(rows, mask.shape).ravel(), minlength=len(REGIONS))

    def fits(other: str) -> bool:
        number = [ORDERS[other].index(part) + 1 for part in _DOWN]
        return bool(area[number].all() and (np.diff(height[number] / area[number]) > 0).all())

    return None if fits(order) else next((other for other in ORDERS if fits(other)), None)


def attributes(roots: Sequence[Path]) -> tuple[list[str], dict[str, tuple[int, ...]]]:
    """The attributes' names, and which each face has; none where there is no such file. Raises DataError."""
    file = next((root / ATTRIBUTES for root in roots if (root / ATTRIBUTES).is_file()), None)
    if file is None:
        return [], {}
    lines, shown = lines_of(file), {}
    names = lines[1].split() if len(lines) > 1 else []
    if not names:
        raise DataError(f"{file} does not name attributes in its second line; download it again")
    for number, row in enumerate(lines[2:], 3):
        name, *values = row.split()
        if len(values) != len(names) or not set(values) <= {"1", "-1"}:
            raise DataError(f"{file}, line {number}: a picture and {len(names)} times 1 or -1 was expected")
        shown[name.partition(".")[0].lstrip("0") or "0"] = tuple(
            place for place, value in enumerate(values) if value == "1"
        )
    return names, shown
