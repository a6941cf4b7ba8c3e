"""A small set in both of the forms that i-CLEVR's owner publishes, made of scenes of our own."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from telldraw.data.clevr.fast import Renderer
from telldraw.data.clevr.sequences import Turn, sequence
from telldraw.data.clevr.stage import CANVAS, CLASSES, STAGE

if TYPE_CHECKING:
    import h5py

STORIES: list[list[Turn]] = [sequence(7, number) for number in range(4)]
NAMES = ["CLEVR_train_000000", "CLEVR_train_000003", "CLEVR_val_000001", "CLEVR_test_000002"]


def make_raw(folder: Path) -> Path:
    """Scene files, lines of text, pictures and the empty stage, as in i-CLEVR.rar; one picture is really drawn."""
    for name in ("scenes", "text", "images"):
        (folder / name).mkdir(parents=True)
    for name, turns in zip(NAMES, STORIES, strict=True):
        objects = []
        for solid in turns[-1].solids:
            across, down, depth = STAGE.project(solid.centre).tolist()
            place = [round(across * CANVAS[0]), round(down * CANVAS[1]), depth]
            objects.append({"shape": solid.shape, "color": solid.colour, "pixel_coords": place, "size": "large"})
        (folder / "scenes" / f"{name}.json").write_text(json.dumps({"objects": objects}))
        (folder / "text" / f"{name}.txt").write_text("".join(f"{turn.said}\n" for turn in turns))
        for number in range(len(turns)):
            Image.fromarray(picture(name, number)).save(folder / "images" / f"{name}_{number}.png")
    Image.fromarray(empty()).save(folder / "background.png")
    return folder


def empty() -> np.ndarray:
    """The stage with nothing on it, uint8 [240, 320, 3], coarse."""
    return Renderer(0, size=(32, 24)).draw(()).repeat(10, 0).repeat(10, 1)


def picture(name: str, number: int) -> np.ndarray:
    """A picture by its name, uint8 [240, 320, 3]: three flat quarters and one that tells which it is; red is first."""
    flat = np.zeros((240, 320, 3), np.uint8)
    flat[:120, :160] = (200, 100, 50)
    flat[120:, 160:] = (10 * number, 40 * NAMES.index(name), 255)
    return flat


def make_packed(folder: Path) -> Path:
    """The three HDF5 files that the owner's script makes of the raw form: blue first, 128 x 128, places likewise."""
    import h5py

    folder.mkdir(parents=True)
    for split in ("train", "val", "test"):
        with h5py.File(folder / f"clevr_{split}.h5", "w") as file:
            file["background"] = empty()[..., ::-1]
            file["entities"] = json.dumps([" ".join(reversed(name.split())) for name in CLASSES])
            for name, turns in zip(NAMES, STORIES, strict=True):
                _, of, number = name.split("_")
                if of == split:
                    _pack(file.create_group(number), name, turns)
    return folder


def _pack(group: "h5py.Group", name: str, turns: list[Turn]) -> None:
    objects, coords = np.zeros((len(turns), 24)), np.zeros((len(turns), 24, 3))
    for row, turn in enumerate(turns):
        for solid in turn.solids:
            objects[row, solid.category] = 1
            coords[row, solid.category] = STAGE.project(solid.centre) * (128, 128, 1)
    shown = [Image.fromarray(picture(name, number)).resize((128, 128)) for number in range(len(turns))]
    group["scene_id"] = name.split("_")[2]
    group["images"] = np.stack([np.asarray(image)[..., ::-1] for image in shown])
    group["text"] = json.dumps([turn.said for turn in turns])
    group["objects"], group["coords"] = objects, coords
