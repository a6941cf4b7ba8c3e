"""CUB-200-2011 and Oxford-102 with the captions of Reed et al. (text_c10), split by class as in their papers.

    CUB_200_2011/{images.txt, classes.txt, image_class_labels.txt, bounding_boxes.txt}, CUB_200_2011/images/CLASS/*.jpg
    cvpr2016_cub/text_c10/CLASS/*.txt, cvpr2016_cub/{trainvalclasses or trainclasses and valclasses, testclasses}.txt

    jpg/image_*.jpg, and imagelabels.mat if it is there: the captions' folders must agree with it
    cvpr2016_flowers/text_c10/class_*/image_*.txt, cvpr2016_flowers/*classes.txt

150 of 200 kinds of bird and 82 of 102 kinds of flower are trained on; the others are tested on and never seen before.
"""

from pathlib import Path
from typing import Any

from telldraw.data import DATASETS
from telldraw.data.captioned import (
    Box,
    How,
    Picture,
    Report,
    captions_in,
    fields_of,
    first_of,
    folder_of,
    store,
    zero_shot,
)
from telldraw.data.faults import LeftOut
from telldraw.data.matlab import read_matrix
from telldraw.errors import DataError

CAPTIONS = 10
"""Of each picture."""
LABELS, AGAIN = "image_class_labels.txt", "unpack CUB-200-2011 again"


def prepare_cub(source: Path, out: Path, how: How, *, validation: bool = False) -> Report:
    """Read CUB-200-2011 and its captions, write the set `out`. Raises DataError naming what is wrong."""
    root = first_of(source, ("CUB_200_2011/images.txt", "images.txt"), "CUB-200-2011").parent
    texts = folder_of(source, ("text_c10", "cvpr2016_cub/text_c10", "birds/text_c10"), "captions of the birds")
    names = _named(root / "classes.txt", str, "a number and a class")
    for number, name in names.items():
        if (other := next(each for each, own in names.items() if own == name)) != number:
            raise DataError(f"{root / 'classes.txt'} has {name} twice, as {other} and as {number}; {AGAIN}")
    numbers = {number: place for place, number in enumerate(sorted(names))}
    paths, of = _birds(root, names)
    boxes: dict[int, Box] = {}
    if how.fit == "box":
        what = "a picture's number, and left, top, width and height"
        boxes = _table(root / "bounding_boxes.txt", *[float] * 4, what=what)
    split_of = zero_shot(texts.parent, list(names.values()), (150, 50), validation)
    left_out, pictures = LeftOut(how.tell, strict=how.strict), []
    for number, path in paths.items():
        file = root / "images" / path
        try:
            if of.get(number) not in names:
                raise DataError(f"{root / LABELS} has no class for picture {number}, {path}; {AGAIN}")
            if how.fit == "box" and number not in boxes:
                raise DataError(f"{root / 'bounding_boxes.txt'} has no box for picture {number}, {path}; {AGAIN}")
            captions = captions_in((texts / path).with_suffix(".txt"), CAPTIONS)
        except DataError as error:
            left_out(path, str(error))
            continue
        own = of[number]
        pictures.append(Picture(file, split_of[names[own]], (numbers[own],), captions, boxes.get(number)))
    return store(out, pictures, _facts("cub", [names[number] for number in numbers]), left_out, how)


def _birds(root: Path, names: dict[int, str]) -> tuple[dict[int, str], dict[int, int]]:
    """The pictures' paths and classes by number. Raises DataError when one is there twice, or of two classes."""
    paths = _named(root / "images.txt", str, "a number and a picture")
    of = _named(root / LABELS, int, "the numbers of a picture and a class")
    first: dict[str, int] = {}
    for number, path in paths.items():
        (folder, _, name), own = path.rpartition("/"), of.get(number)
        if own in names and names[own] != folder:
            raise DataError(
                f"{root / LABELS} says that picture {number}, {path}, is of class {own}, {names[own]}, and its folder "
                f"in images.txt says otherwise; {AGAIN}"
            )
        if (other := first.setdefault(name, number)) != number:  # a picture's name has its class in it
            raise DataError(
                f"{root / 'images.txt'} has the same picture twice, as {other}, {paths[other]}, and as {number}, "
                f"{path}; {AGAIN}"
            )
    return paths, of


def _named(file: Path, kind: type, what: str) -> dict[int, Any]:
    """A table of two columns."""
    return {number: value for number, (value,) in _table(file, kind, what=what).items()}


def _table(file: Path, *kinds: type, what: str) -> dict[int, Any]:
    """The lines of a table by the number that they begin with. Raises DataError when one is there twice."""
    found: dict[int, Any] = {}
    for number, *rest in fields_of(file, (int, *kinds), what):
        if number in found:
            raise DataError(f"{file} has two lines that begin with {number}; {AGAIN}")
        found[number] = tuple(rest)
    return found


def prepare_flowers(source: Path, out: Path, how: How, *, validation: bool = False) -> Report:
    """Read Oxford-102 and its captions, write the set `out`. Raises DataError naming what is wrong."""
    folder = folder_of(source, ("jpg", "102flowers/jpg"), "pictures of Oxford-102")
    texts = folder_of(source, ("text_c10", "cvpr2016_flowers/text_c10"), "captions of the flowers")
    classes = sorted(inside.name for inside in texts.iterdir() if inside.is_dir())
    split_of = zero_shot(texts.parent, classes, (82, 20), validation)
    left_out, told = LeftOut(how.tell, strict=how.strict), _flowers(texts, classes)
    labels = next(
        (found for found in (folder.parent / "imagelabels.mat", source / "imagelabels.mat") if found.is_file()), None
    )
    if labels is not None:
        _agree(labels, {stem: classes[place] for stem, (place, _) in told.items()})
    pictures = []
    for file in sorted(folder.glob("*.jpg")):
        if file.stem not in told:
            left_out(file.name, f"{file} has no captions in {texts}; unpack the captions again")
            continue
        place, captions = told.pop(file.stem)
        try:
            pictures.append(Picture(file, split_of[classes[place]], (place,), captions_in(captions, CAPTIONS)))
        except DataError as error:
            left_out(file.name, str(error))
    for _, captions in told.values():
        left_out(captions.name, f"{captions} describes no picture of {folder}; unpack the pictures again")
    return store(out, pictures, _facts("oxford-102", classes), left_out, how)


def _flowers(texts: Path, classes: list[str]) -> dict[str, tuple[int, Path]]:
    """Class and captions of each picture, by its name. Raises DataError when they are in the folders of two classes."""
    told: dict[str, tuple[int, Path]] = {}
    for place, name in enumerate(classes):
        for file in sorted((texts / name).glob("*.txt")):
            if file.stem in told:
                other = told[file.stem][1]
                raise DataError(
                    f"{other} and {file} describe the same picture, which is of one class; unpack the captions again "
                    "into an empty folder"
                )
            told[file.stem] = place, file
    return told


def _agree(labels: Path, class_of: dict[str, str]) -> None:
    """Raise DataError when the owner's labels and the folders of the captions say otherwise of a picture."""
    for number, label in enumerate(read_matrix(labels, "labels").ravel().tolist(), 1):
        stem = f"image_{number:05d}"
        if stem in class_of and class_of[stem] != f"class_{label:05g}":
            raise DataError(
                f"{labels} says that {stem} is of class {label:g}, its captions are in {class_of[stem]}; take both "
                "of one release"
            )


def _facts(name: str, classes: list[str]) -> dict[str, Any]:
    owner = DATASETS[name]
    return {"name": name, "licence": owner.licence, "url": owner.url, "classes": classes, "many": False}
