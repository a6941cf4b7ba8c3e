"""Real faces without captions: FASSEG, with masks of six regions, and the faces of Caltech 101.

FASSEG (Khan et al., ICIP 2015 and ICME 2017), a folder for each of its sets, as it is now or was at first:

    frontal02/train/rgb/1.jpg  label/1.png  frontal02/test/...           V2/Train_RGB/1.bmp  V2/Train_Labels/1.bmp
    multipose01/train/rgb/+15/personne01147+0+15.jpg  label/+15/...      V3/Test_RGB/+15/...

Masks have a colour for each region. The people of multipose01/test are in no picture of its train; those of the frontal
sets are in both, some pictures too, byte for byte: these are only tested on. A frontal picture shows nobody by number.

Caltech 101 (Fei-Fei et al., 2004): Faces_easy/image_0001.jpg to image_0435.jpg. Its pictures of one person follow one
another, and nobody is on both sides of 345.
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from telldraw.data.captioned import How, Picture, Report, owned, store
from telldraw.data.face_maps import Derived, Numbers, Sketch, Source
from telldraw.data.faults import LeftOut
from telldraw.data.regions import FEW_REGIONS
from telldraw.data.sketches import DERIVED
from telldraw.errors import DataError

Part = Literal["all", "frontal01", "frontal02", "multipose01"]
TRAINED = 345
"""The last picture of Caltech's faces that is trained on."""
COLOURS = ((255, 0, 0), (255, 255, 0), (128, 0, 0), (0, 0, 255), (0, 255, 255), (0, 255, 0))
"""FASSEG's colours of `FEW_REGIONS`."""
_CALLED = {"frontal01": "V1", "frontal02": "V2", "multipose01": "V3"}
_FOLDERS = (("{}/rgb", "{}/label"), ("{}_RGB", "{}_Labels"))
_ENDINGS = (".jpg", ".png", ".bmp")
_NAME = re.compile(r"personne(\d\d)\d{3}([+-]\d+)([+-]\d+)")


def prepare_fasseg(
    source: Path, out: Path, how: How, *, part: Part = "all", regions: bool = True, sketches: str = "derived"
) -> Report:
    """Read FASSEG, write the set `out`, the owner's train and test. Raises DataError naming what is wrong.

    part: all is frontal02 and multipose01. regions: without them pictures that have no mask are taken too.
    """
    left_out, remarks = LeftOut(how.tell, strict=how.strict), []
    pictures: list[Picture] = []
    drawn, facts = _sketches(sketches)
    for name in ("frontal02", "multipose01") if part == "all" else (part,):
        folder = next((source / one for one in (name, _CALLED[name]) if (source / one).is_dir()), None)
        if folder is None:
            raise DataError(f"{source} has no folder {name} or {_CALLED[name]}; name the folder of FASSEG with --from")
        own, bare = [], []
        for split in ("train", "test"):
            found = _pictures(folder, split)
            bare += [file for file, mask in found if mask is None]
            for file, mask in found:
                if mask or not regions:
                    sketch = drawn(file.relative_to(source).as_posix()) if drawn else None
                    own.append(_picture(file, split, sketch, mask if regions else None))
        if bare and regions:
            remarks.append(
                f"{len(bare):,} of {len(own) + len(bare):,} pictures of {folder} have no mask, {bare[0].name} the "
                "first, and are left out: --no-regions takes them, and no regions"
            )
        people = {split: {one.known[0] for one in own if one.split == split} - {0} for split in ("train", "test")}
        if both := people["train"] & people["test"]:
            raise DataError(f"person {min(both)} is in train and in test of {folder}; take the folders as they were")
        pictures += own
    pictures = _apart(pictures, remarks)
    maps = ({"sketch": ()} if drawn else {}) | ({"regions": FEW_REGIONS} if regions else {})
    table = "pose", ("person", "tilt", "pan")
    whole = owned("fasseg") | facts | {"classes": (), "many": False, "remarks": remarks, "part": part}
    return store(out, pictures, whole, left_out, how, maps=maps, table=table)


def _pictures(folder: Path, split: str) -> list[tuple[Path, Path | None]]:
    """The pictures of a split, each with its mask if it has one."""
    called = [(folder / a.format(one), folder / b.format(one)) for a, b in _FOLDERS for one in (split, split.title())]
    rgb, label = next((pair for pair in called if pair[0].is_dir()), (None, None))
    if rgb is None or label is None:
        raise DataError(f"{folder} has no pictures to {split}: {called[0][0]} or {called[-1][0]} was expected")
    found = []
    for file in sorted(rgb.rglob("*"), key=lambda file: (len(file.stem), file.as_posix())):
        if file.suffix.lower() in _ENDINGS and "JPEG" not in file.parts[-2:]:
            mask = label / file.relative_to(rgb)
            there = (mask.with_name(file.stem + ending) for ending in (".png", ".bmp"))
            found.append((file, next((one for one in there if one.is_file()), None)))
    return found


def _picture(file: Path, split: str, sketch: Source | None, mask: Path | None) -> Picture:
    regions = Numbers(mask, tuple(range(len(FEW_REGIONS))), COLOURS) if mask is not None else None
    maps = tuple(one for one in (sketch, regions) if one is not None)
    match = _NAME.fullmatch(file.stem)
    known = (int(match[1]), int(match[2]), int(match[3])) if match else (0, 0, 0)
    return Picture(file, split, (), [], maps=maps, known=known)


def _apart(pictures: list[Picture], remarks: list[str]) -> list[Picture]:
    """Without the pictures to be trained on that are tested on too; says which those are."""
    tested = {_sum(one.file) for one in pictures if one.split == "test"}
    twice = [one for one in pictures if one.split == "train" and _sum(one.file) in tested]
    if twice:
        names = ", ".join(one.file.name for one in twice[:10])
        remarks.append(
            f"{len(twice)} pictures of {twice[0].file.parent} are in test too, byte for byte ({names}): they are only "
            "tested on"
        )
    return [one for one in pictures if one not in twice]


def _sum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def prepare_caltech(source: Path, out: Path, how: How, *, sketches: str = "derived") -> Report:
    """Read the faces of Caltech 101, write the set `out`. Raises DataError naming what is wrong."""
    left_out, pictures = LeftOut(how.tell, strict=how.strict), []
    places = (source / "Faces_easy", source / "101_ObjectCategories" / "Faces_easy", source)
    folder = next((place for place in places if place.is_dir() and any(place.glob("image_*.jpg"))), None)
    if folder is None:
        raise DataError(f"{source} has no Faces_easy/image_0001.jpg; name the folder of Caltech 101 with --from")
    drawn, facts = _sketches(sketches)
    for file in sorted(folder.glob("*.jpg")):
        if not (match := re.fullmatch(r"image_(\d+)", file.stem)):
            left_out(file.name, f"{file} is not called image_0001.jpg or the like, and its number tells who it shows")
            continue
        split = "train" if int(match[1]) <= TRAINED else "test"
        pictures.append(Picture(file, split, (), [], maps=(drawn(file.name),) if drawn else ()))
    whole = owned("caltech-faces") | facts | {"classes": (), "many": False}
    return store(out, pictures, whole, left_out, how, maps={"sketch": ()} if drawn else {})


def _sketches(where: str) -> tuple[Callable[[str], Source] | None, dict[str, str]]:
    """What gives a picture's sketch by its path, and a word for the manifest: derived, none, or from a folder."""
    if where == "none":
        return None, {}
    if where == "derived":
        return lambda path: Derived(), {"sketches": DERIVED}
    folder = Path(where)
    if not folder.is_dir():
        raise DataError(f"there is no folder {where}; --sketches is derived, none, or a folder of sketches")

    def drawn(path: str) -> Sketch:
        stem = folder / path.rpartition(".")[0]
        called = [stem.with_name(stem.name + end) for end in (".png", ".jpg", "_edges.jpg", "_edges.png")]
        return Sketch(next((one for one in called if one.is_file()), called[0]))

    return drawn, {"sketches": "a folder's"}
