"""A small data set in exactly the form in which CoDraw's owner distributes it, with sprites of our own.

The scenes are random, the Teller describes what was added (what, size, place), so a drawer can learn from it. The
dialogues have what the real ones have: greetings, rounds without drawing, moves and removals that add nothing, objects
left in the tray with a real y, coordinates with a fraction, objects cut by the edge.
"""

import gzip
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

TRAY = (("s", 3), ("p", 4), ("hb0", 5), ("hb1", 5), ("a", 2), ("c", 3), ("e", 2), ("t", 4))
"""Slots of the Drawer's tray by type: 28 in all."""
THINGS = {
    "s_3s.png": ("sun", "ellipse", (255, 215, 0), (140, 140)),
    "s_2s.png": ("cloud", "ellipse", (235, 235, 240), (180, 100)),
    "p_8s.png": ("tree", "triangle", (20, 110, 30), (170, 320)),
    "p_6s.png": ("table", "rectangle", (150, 100, 50), (180, 90)),
    "hb0_11s.png": ("boy", "person", (60, 120, 220), (100, 200)),
    "hb1_7s.png": ("girl", "person", (240, 110, 170), (100, 200)),
    "a_2s.png": ("dog", "rectangle", (170, 120, 60), (110, 90)),
    "t_4s.png": ("ball", "ellipse", (250, 250, 250), (60, 60)),
}
SIZES = ("large", "medium", "small")
PREFIXES = tuple(prefix for prefix, _ in TRAY)


class Placed(NamedTuple):
    """One object on the canvas of the generated scene."""

    sprite: str
    x: float
    y: float
    depth: int
    flip: int


def make_codraw(folder: Path, dialogues: int = 24, seed: int = 0) -> Path:
    """Write `dialogues` dialogues over all three splits, and the sprites, to `folder`; gives `folder` back."""
    pictures = folder / "Pngs"
    pictures.mkdir(parents=True, exist_ok=True)
    draw_sprites(pictures)
    random = np.random.default_rng(seed)
    data = {}
    for number in range(dialogues):
        split = {8: "val", 9: "test"}.get(number % 10, "train")
        name = f"{split}_{number:05d}"
        data[name] = {"image_id": number, **dialogue(random)}
    write(folder, data)
    return folder


def write(folder: Path, data: dict) -> None:
    """Write dialogues as the owner's compressed JSON."""
    with gzip.open(folder / "CoDraw_1_0.json.gz", "wt", encoding="utf-8") as file:
        json.dump({"data": data}, file)


def draw_sprites(folder: Path) -> None:
    """Draw the background and one plain shape per thing; the left half is darker, so that a flip shows."""
    ground = Image.new("RGBA", (500, 400), (70, 225, 232, 255))
    ImageDraw.Draw(ground).rectangle((0, 190, 500, 400), fill=(90, 163, 83, 255))
    ground.save(folder / "background.png")
    for sprite, (_, shape, colour, size) in THINGS.items():
        image = Image.new("RGBA", size, (0, 0, 0, 0))
        pen, (right, bottom) = ImageDraw.Draw(image), (size[0] - 1, size[1] - 1)
        if shape == "ellipse":
            pen.ellipse((0, 0, right, bottom), fill=colour)
        elif shape == "triangle":
            pen.polygon(((right // 2, 0), (right, bottom), (0, bottom)), fill=colour)
        elif shape == "person":
            pen.rectangle((right // 4, right // 2, 3 * right // 4, bottom), fill=colour)
            pen.ellipse((right // 4, 0, 3 * right // 4, right // 2), fill=(240, 200, 160))
        else:
            pen.rectangle((0, 0, right, bottom), fill=colour)
        pixels = np.array(image)
        pixels[:, : size[0] // 2, :3] = pixels[:, : size[0] // 2, :3] // 4 * 3
        Image.fromarray(pixels).save(folder / sprite)


def scene_string(placed: list[Placed]) -> str:
    """Write the Drawer's canvas as the owner does: always the 28 slots of the tray, a comma at the end."""
    rows, slot = [], 0
    for kind, (prefix, count) in enumerate(TRAY):
        mine = [one for one in placed if one.sprite.rsplit("_", 1)[0] == prefix]
        for place in range(count):
            if place < len(mine):
                one = mine[place]
                index = one.sprite.rsplit("_", 1)[1].removesuffix("s.png")
                rows.append(f"{one.sprite},{slot},{index},{kind},{one.x:g},{one.y:g},{one.depth},{one.flip}")
            else:
                rows.append(f"{prefix}_{place}s.png,{slot},{place},{kind},-10000,{37 if place else -10000},0,0")
            slot += 1
    return f"{len(rows)}," + ",".join(rows) + ","


def dialogue(random: np.random.Generator) -> dict:
    """One dialogue: a greeting, then things added one or two at a time, now and then a change that adds nothing."""
    rounds = [entry("hi", "hello , ready", "")]
    placed: list[Placed] = []
    order = list(random.permutation(list(THINGS)))[: random.integers(3, 7)]
    while order:
        added = [order.pop() for _ in range(min(len(order), 1 + (random.random() < 0.3)))]
        said = []
        for sprite in added:
            one = place(str(sprite), random)
            placed.append(one)
            said.append(f"a {SIZES[one.depth]} {THINGS[one.sprite][0]} {where(one)}")
        if random.random() < 0.2:  # told in one round, drawn in the next
            rounds.append(entry(" and ".join(said), "ok", ""))
            rounds.append(entry("did you get it ?", "yes", scene_string(placed)))
        else:
            rounds.append(entry(" and ".join(said) + " .", "ok", scene_string(placed)))
        if random.random() < 0.3 and len(placed) > 1:
            placed[-1] = placed[-1]._replace(x=placed[-1].x + 5.5)
            rounds.append(entry("a bit to the right", "done", scene_string(placed)))
        if random.random() < 0.1 and len(placed) > 2:
            gone = placed.pop(0)
            rounds.append(entry(f"take the {THINGS[gone.sprite][0]} away", "ok", scene_string(placed)))
    rounds.append(entry("that 's it thank you", "bye", scene_string(placed)))
    target = scene_string(placed)
    return {"abs_t": target, "socketId": "", "dialog": rounds}


def place(sprite: str, random: np.random.Generator) -> Placed:
    """Put a thing somewhere plausible: sky things above, the rest below the horizon."""
    x = float(random.choice([90, 250, 410])) + float(random.integers(-30, 31))
    y = float(random.integers(40, 110) if sprite.startswith("s_") else random.integers(220, 330))
    return Placed(sprite, x, y, int(random.integers(0, 3)), int(random.integers(0, 2)))


def where(one: Placed) -> str:
    """Say where a thing is, in words."""
    side = "left" if one.x < 170 else "right" if one.x > 330 else "middle"
    return f"in the {'top' if one.y < 190 else 'bottom'} {side}"


def entry(teller: str, drawer: str, scene: str) -> dict:
    """One round, with the fields of the owner's file."""
    return {"seq_t": "1", "seq_d": "1", "msg_t": teller, "msg_d": drawer, "abs_b": "", "abs_d": scene, "score": []}
