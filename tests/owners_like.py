"""Small sets in the layouts of owners of captioned pictures, and how tests prepare them."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from telldraw.cli import main
from telldraw.data.collection import Collection


def photograph(file: Path, seed: int, size: tuple[int, int] = (24, 16)) -> None:
    """A picture of one colour, with a white square in its lower right quarter."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((size[1], size[0], 3), seed * 40 % 200, np.uint8)
    pixels[size[1] // 2 :, size[0] // 2 :] = 255
    Image.fromarray(pixels).save(file, quality=95)


def captions(file: Path, of: str, count: int = 10) -> None:
    """So many sentences, a line each."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"this is {of}, seen for the {n}. time\n" for n in range(count)))


def make_cub(folder: Path, *, classes: int = 6, each: int = 3, test: int = 2) -> Path:
    """CUB-200-2011 and the captions of Reed et al.; the last `test` classes are tested on, two are for validation."""
    root, texts = folder / "CUB_200_2011", folder / "cvpr2016_cub"
    names = [f"{n + 1:03d}.Bird_{n}" for n in range(classes)]
    images, of, boxes = [], [], []
    for number in range(classes * each):
        name = names[number // each]
        path = f"{name}/Bird_{number:04d}"
        photograph(root / "images" / f"{path}.jpg", number)
        captions(texts / "text_c10" / f"{path}.txt", f"bird {number}")
        images.append(f"{number + 1} {path}.jpg")
        of.append(f"{number + 1} {number // each + 1}")
        boxes.append(f"{number + 1} 12.0 8.0 12.0 8.0")
    photograph(root / "images" / names[0] / "stray_rgb.jpg", 0)  # as in the owner's archive: in no list
    for file, lines in (
        (root / "images.txt", images),
        (root / "image_class_labels.txt", of),
        (root / "bounding_boxes.txt", boxes),
        (root / "classes.txt", [f"{n + 1} {name}" for n, name in enumerate(names)]),
        (texts / "trainvalclasses.txt", names[: classes - test]),
        (texts / "trainclasses.txt", names[: classes - test - 2]),
        (texts / "valclasses.txt", names[classes - test - 2 : classes - test]),
        (texts / "testclasses.txt", names[classes - test :]),
    ):
        file.write_text("\n".join(lines) + "\n")
    return folder


def make_flowers(folder: Path, *, classes: int = 4, each: int = 2) -> Path:
    """Oxford-102 and the captions of Reed et al.; the last class is tested on."""
    for number in range(classes * each):
        stem = f"image_{number + 1:05d}"
        photograph(folder / "jpg" / f"{stem}.jpg", number)
        name = f"class_{number % classes + 1:05d}"
        captions(folder / "cvpr2016_flowers" / "text_c10" / name / f"{stem}.txt", f"flower {number}")
    names = [f"class_{n + 1:05d}" for n in range(classes)]
    lists = folder / "cvpr2016_flowers"
    (lists / "trainclasses.txt").write_text("\n".join(names[:-2]))
    (lists / "valclasses.txt").write_text(names[-2] + "\n")
    (lists / "testclasses.txt").write_text(names[-1] + "\n")
    return folder


def make_coco(folder: Path, *, train: int = 4, val: int = 2) -> Path:
    """MS-COCO of 2014: captions, and objects of two kinds, of which pictures with an odd number have both."""
    first = 0
    for part, count in (("train", train), ("val", val)):
        numbers = range(first, first + count)
        first += count
        rows = [{"id": n, "file_name": f"COCO_{part}2014_{n:012d}.jpg"} for n in numbers]
        for row in rows:
            photograph(folder / f"{part}2014" / str(row["file_name"]), int(row["id"]))
        told = [{"image_id": n, "caption": f"a scene {n}\nin {k} words "} for n in numbers for k in range(5)]
        objects = [{"image_id": n, "category_id": kind} for n in numbers for kind in ((18, 3) if n % 2 else (18,))]
        kinds = [{"id": 18, "name": "dog"}, {"id": 3, "name": "car"}]
        (folder / "annotations").mkdir(exist_ok=True, parents=True)
        for name, document in (
            ("captions", {"images": rows, "annotations": told}),
            ("instances", {"images": rows, "annotations": objects, "categories": kinds}),
        ):
            (folder / "annotations" / f"{name}_{part}2014.json").write_text(json.dumps(document))
    return folder


def make_celeba(folder: Path, *, count: int = 10, lists: bool = True, protocol: int = 2) -> Path:
    """Multi-Modal CelebA-HQ: faces, captions, lists of names, two attributes."""
    for number in range(count):
        photograph(folder / "CelebA-HQ-img" / f"{number}.jpg", number, (16, 16))
        captions(folder / "text" / "celeba-caption" / f"{number}.txt", f"person {number}")
    rows = [f"{n}.jpg  {1 if n % 2 else -1}  1" for n in range(count)]
    text = "\n".join([str(count), "Smiling Young", *rows])
    (folder / "CelebAMask-HQ-attribute-anno.txt").write_text(text + "\n")
    for split, names in (("train", range(count - 2)), ("test", range(count - 2, count))) if lists else ():
        (folder / split).mkdir()
        content = pickle.dumps([str(name) for name in names], protocol)
        (folder / split / "filenames.pickle").write_bytes(content)
    return folder


def prepare(name: str, source: Path, *flags: str) -> Collection:
    """What the command makes of a folder, at 8 x 8 pixels unless the flags say otherwise."""
    out = source / "out.telldraw"
    flags = ("--resolution", "8", "--workers", "1", "--out", str(out), "--overwrite", *flags)
    assert main(["prepare", name, "--from", str(source), *flags]) == 0
    found = Collection.open(out)
    found.verify()
    return found


def refusal(name: str, source: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    """The one sentence with which the command refuses a folder."""
    flags = ("--resolution", "8", "--workers", "1", "--out", str(source / "refused.telldraw"), *flags)
    assert main(["prepare", name, "--from", str(source), *flags]) == 2
    assert not (source / "refused.telldraw").exists()
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("telldraw:")]
    assert len(said) == 1
    return said[0]
