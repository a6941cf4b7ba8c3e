"""Real pictures of CLEVR beside ours: the same solids, drawn by both engines; prints the fit of docs/data/iclevr.md.

python docs/gallery/clevr.py FOLDER     FOLDER holds <any>/scenes/CLEVR_*_scenes.json and <any>/images/<split>/*.png
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from telldraw.data.clevr import fast, mitsuba
from telldraw.data.clevr.geometry import hit
from telldraw.data.clevr.stage import AMBIENT, CAMERA, CANVAS, GROUND, LIGHTS, STAGE, Camera, Setting, Solid

SIZE = (176, 132)
ROWS, COLUMNS = 4, 2
SAMPLES = 256


def scenes(folder: Path) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    """Pictures with their objects."""
    for file in sorted(folder.glob("*/scenes/*.json")):
        for scene in json.loads(file.read_text())["scenes"]:
            yield file.parents[1] / "images" / scene["split"] / scene["image_filename"], scene["objects"]


def camera(things: list[dict[str, Any]]) -> Camera:
    """Where the camera of a picture stood, by least squares: CLEVR moves it by up to 0.5 each way and does not say."""
    centres = np.array([thing["3d_coords"] for thing in things])
    seen = np.array([thing["pixel_coords"] for thing in things])
    across, down = (seen[:, 0] + 0.5) / CANVAS[0], (seen[:, 1] + 0.5) / CANVAS[1]
    wanted, weight = np.stack([across, down, seen[:, 2]], -1), np.array([*CANVAS, 30.0])

    def missed(place: np.ndarray) -> np.ndarray:
        at = ((Camera.at(tuple(place)).project(centres) - wanted) * weight).ravel()
        return np.concatenate([at, 0.3 * (place - CAMERA)])  # one solid alone leaves it open

    place = np.array(CAMERA)
    for _ in range(20):  # Gauss-Newton
        here = missed(place)
        slope = np.stack([(missed(place + step) - here) / 1e-5 for step in 1e-5 * np.eye(3)], 1)
        place = place - np.linalg.lstsq(slope, here, rcond=None)[0]
    return Camera.at(tuple(place))


def fit_camera(folder: Path) -> None:
    """Print how far pictures of two solids or more are from those of our camera, moved to where each was taken."""
    missed, moved = [], []
    for _, things in scenes(folder):
        if len(things) > 1:
            at = camera(things)
            across, down, _ = np.moveaxis(at.project(np.array([thing["3d_coords"] for thing in things])), -1, 0)
            seen = np.array([thing["pixel_coords"][:2] for thing in things]) + 0.5
            missed.append(np.stack([across * CANVAS[0], down * CANVAS[1]], -1) - seen)
            moved.append(at.place - CAMERA)
    print(
        f"camera, {len(missed)} pictures: places missed by {np.sqrt(np.mean(np.concatenate(missed) ** 2)):.2f} pixels "
        f"(root mean square), moved by {np.abs(moved).mean():.2f} on average, {np.abs(moved).max():.2f} at most"
    )


def decode(picture: np.ndarray) -> np.ndarray:
    """uint8 of sRGB -> linear light."""
    value = picture / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def fit_lamps(folder: Path) -> None:
    """Print the lamps' strengths that give the usual ground of the real pictures, beside those that we use."""
    pictures = np.stack(
        [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*/images/*/*.png"))]
    )
    usual = decode(np.median(pictures, 0)).reshape(60, 4, 80, 4, 3).mean((1, 3)).reshape(-1, 3)
    down, across = np.mgrid[0:60, 0:80].reshape(2, -1)
    rays = STAGE.rays((across + 0.5) / 80, (down + 0.5) / 60)
    ground = STAGE.place - rays * (STAGE.place[2] / rays[:, 2])[:, None]
    terms = []
    for lamp in LIGHTS:
        way = np.array(lamp.place) - ground
        far = np.linalg.norm(way, axis=1)
        front = np.array(lamp.place) / np.linalg.norm(lamp.place)
        terms.append(np.maximum(way @ front, 0) * way[:, 2] / far**4)
    terms = np.stack([*terms, np.ones(len(ground))], 1)
    strength = np.linalg.lstsq(terms, usual, rcond=None)[0]
    missed = np.sqrt(((terms @ strength - usual) ** 2).mean())
    for name, found, lamp in zip(("key", "back", "fill"), strength, LIGHTS, strict=False):
        print(f"{name}: {found.round(2)}, used {(np.array(lamp.power) * GROUND / np.pi).round(2)}")
    print(f"sky: {strength[3].round(4)}, used {AMBIENT * GROUND:.4f}; root mean square missed {missed:.4f}")


def on_solids(at: Camera, solids: list[Solid]) -> np.ndarray:
    """Which pixels show a solid in their middle: bool [height, width]."""
    down, across = np.mgrid[0 : SIZE[1], 0 : SIZE[0]].reshape(2, -1)
    rays = at.rays((across + 0.5) / SIZE[0], (down + 0.5) / SIZE[1])
    return np.isfinite([hit(solid, at.place, rays) for solid in solids]).any(0).reshape(SIZE[::-1])


def main() -> None:
    """Write clevr-stage.png and print the differences of all pictures, on the scale of 0 to 255."""
    sheet = Image.new("RGB", (COLUMNS * 3 * (SIZE[0] + 4) - 4, 18 + ROWS * (SIZE[1] + 4) - 4), "white")
    label = ImageDraw.Draw(sheet)
    fit_camera(Path(sys.argv[1]))
    fit_lamps(Path(sys.argv[1]))
    between, to_real, brighter, shown = [], [], [], 0
    for path, things in scenes(Path(sys.argv[1])):
        if any(thing["material"] != "rubber" for thing in things):
            continue
        # the scene files call radians degrees
        solids = [
            Solid(t["shape"], t["color"], *t["3d_coords"][:2], t["rotation"] % (2 * np.pi), t["3d_coords"][2])
            for t in things
        ]
        at = camera(things)
        with Image.open(path) as image:
            real = np.asarray(image.convert("RGB").resize(SIZE, Image.Resampling.BOX))
        traced = mitsuba.Renderer(0, samples=SAMPLES, setting=Setting(at), size=SIZE).draw(solids)
        quick = fast.Renderer(0, setting=Setting(at), size=SIZE).draw(solids)
        between.append(np.abs(quick.astype(int) - traced))
        to_real.append(np.abs(quick.astype(int) - real))
        solid = on_solids(at, solids)
        brighter.append(decode(quick)[solid].mean() / decode(real)[solid].mean())
        large = all(thing["size"] == "large" for thing in things)
        if large and shown < ROWS * COLUMNS:
            row, column = shown % ROWS, shown // ROWS
            for number, picture in enumerate((real, traced, quick)):
                corner = ((3 * column + number) * (SIZE[0] + 4), 18 + row * (SIZE[1] + 4))
                sheet.paste(Image.fromarray(picture), corner)
            shown += 1
    for number, name in enumerate(("CLEVR", "mitsuba", "fast") * COLUMNS):
        label.text((number * (SIZE[0] + 4) + 2, 2), name, "black", ImageFont.load_default(12))
    sheet.save(Path(__file__).parent / "clevr-stage.png", optimize=True)
    for name, apart in (("fast to mitsuba", between), ("fast to CLEVR", to_real)):
        means = [one.mean() for one in apart]
        print(
            f"{name}, {len(apart)} pictures: mean {np.mean(means):.2f}, worst picture {max(means):.2f}, "
            f"99 % of values under {np.percentile(np.stack(apart), 99):.0f}"
        )
    print(
        f"solids, ours to CLEVR's in linear light: median {np.median(brighter):.2f}, from {min(brighter):.2f} "
        f"to {max(brighter):.2f}"
    )


if __name__ == "__main__":
    main()
