"""Small sets of faces in the layouts of their owners: pictures, masks, sketches; regions lie where they do in faces."""

from pathlib import Path

import numpy as np
from PIL import Image

from telldraw.data.real_faces import COLOURS
from telldraw.data.regions import FEW_REGIONS, ORDERS, REGIONS

SIDE = 32
"""Of masks and sketches; faces are half as wide."""
BOXES = {  # rows and columns of each region, in 32nds
    "hair": (0, 9, 6, 26),
    "skin": (6, 26, 8, 24),
    "l_brow": (10, 11, 18, 22),
    "r_brow": (10, 11, 10, 14),
    "l_eye": (12, 14, 18, 22),
    "r_eye": (12, 14, 10, 14),
    "nose": (14, 19, 14, 18),
    "u_lip": (20, 21, 12, 20),
    "l_lip": (21, 23, 12, 20),
    "neck": (26, 29, 12, 20),
    "cloth": (29, 32, 4, 28),
}


def face(number: int) -> dict[str, np.ndarray]:
    """bool [32, 32] of each region of a face, a little to the right for odd numbers."""
    masks = {}
    for name, (top, bottom, left, right) in BOXES.items():
        masks[name] = np.zeros((SIDE, SIDE), bool)
        masks[name][top:bottom, left + number % 2 : right + number % 2] = True
    return masks


def merged(number: int, order: str = "list2") -> np.ndarray:
    """uint8 [32, 32]: the regions of a face, numbered and merged in this order."""
    whole, masks = np.zeros((SIDE, SIDE), np.uint8), face(number)
    for place, name in enumerate(ORDERS[order], 1):
        if name in masks:
            whole[masks[name]] = place
    return whole


def save(pixels: np.ndarray, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


def add_labels(folder: Path, count: int, *, order: str = "list2", named: str = "{}.png") -> None:
    """label/0.png and so on."""
    for number in range(count):
        save(merged(number, order), folder / named.format(number))


def add_parts(folder: Path, count: int) -> None:
    """A mask a part, in colour as its owner has them, below folders of two thousand faces each."""
    for number in range(count):
        for name, mask in face(number).items():
            pixels = np.repeat((mask * np.uint8(255))[..., None], 3, axis=2)
            save(pixels, folder / f"{number // 2000}" / f"{number:05d}_{name}.png")


def sketch(number: int) -> np.ndarray:
    """uint8 [32, 32]: a line across white paper, a row lower for each number."""
    paper = np.full((SIDE, SIDE), 255, np.uint8)
    paper[4 + 2 * number : 6 + 2 * number] = 0
    return paper


def add_sketches(folder: Path, count: int, named: str = "{}.png") -> None:
    """sketch/0.png and so on."""
    for number in range(count):
        save(sketch(number), folder / named.format(number))


def add_mapping(folder: Path, originals: list[int], *, heading: bool = True) -> None:
    """Which pictures of CelebA the faces are."""
    rows = [f"{n}  {one}  {one + 1:06d}.jpg" for n, one in enumerate(originals)]
    text = "\n".join((["idx  orig_idx  orig_file"] if heading else []) + rows)
    (folder / "CelebA-HQ-to-CelebA-mapping.txt").write_text(text + "\n")


def few(number: int) -> np.ndarray:
    """uint8 [32, 32]: the regions of a face as FASSEG numbers them."""
    of = {"l_brow": "hair", "r_brow": "hair", "l_eye": "eyes", "r_eye": "eyes", "u_lip": "mouth", "l_lip": "mouth"}
    of |= {"neck": "skin", "cloth": "background"}
    names = [of.get(name, name) for name in REGIONS]
    table = np.array([FEW_REGIONS.index(name) if name in FEW_REGIONS else 0 for name in names], np.uint8)
    return table[merged(number)]


def make_fasseg(folder: Path, *, first: bool = False, palette: bool = True) -> Path:
    """FASSEG as it is now, or as it was at first: four frontal faces, two people of four from all sides, some masks.

    The first frontal face of train is in test too. Masks are pictures of palette or of full colours.
    """
    ending = ".bmp" if first else ".jpg"
    frontal, turned = (folder / name for name in (("V2", "V3") if first else ("frontal02", "multipose01")))

    def places(split: str) -> tuple[str, str]:
        return (f"{split.title()}_RGB", f"{split.title()}_Labels") if first else (f"{split}/rgb", f"{split}/label")

    def add(root: Path, split: str, stem: str, number: int, *, mask: bool = True) -> None:
        rgb, label = places(split)
        pixels = np.stack([few(number) * 40] * 3, axis=2)
        pixels[:, :2] += np.uint8(4 * number)  # no two are alike
        save(np.pad(pixels, ((8, 8), (0, 0), (0, 0)), "edge"), root / rgb / f"{stem}{ending}")
        if not mask:
            return
        numbers = np.pad(few(number), ((8, 8), (0, 0)), "edge")
        if palette:
            image = Image.fromarray(numbers, "P")
            image.putpalette([part for colour in COLOURS for part in colour])
        else:
            image = Image.fromarray(np.array(COLOURS, np.uint8)[numbers])
        file = root / label / f"{stem}{'.bmp' if first else '.png'}"
        file.parent.mkdir(parents=True, exist_ok=True)
        image.save(file)

    add(frontal, "train", "1", 0)
    add(frontal, "train", "2", 1)
    add(frontal, "test", "1", 2)
    add(frontal, "test", "2", 0)  # the very picture 1 of train
    for person in range(1, 5):
        split = "train" if person < 3 else "test"
        for place, angle in enumerate(("+15", "-30")):
            shown = person != 4 or angle == "+15"
            add(turned, split, f"{angle}/personne{person:02d}14{place}+0{angle}", 10 + 2 * person + place, mask=shown)
    return folder


def make_caltech(folder: Path, numbers: tuple[int, ...] = (1, 2, 345, 346, 435)) -> Path:
    """Faces of Caltech 101, wider than high."""
    for number in numbers:
        pixels = np.repeat((np.pad(few(number), ((0, 0), (8, 8)), "edge") * 40)[..., None], 3, axis=2)
        save(pixels, folder / "Faces_easy" / f"image_{number:04d}.jpg")
    return folder
