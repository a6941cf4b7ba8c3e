"""Draws the sheets of this folder: `python docs/gallery/draw.py [WEIGHTS]`. Nothing is picked: seed 0, every scene."""

import sys
from pathlib import Path

import telldraw
from telldraw.drawing.sheet import Strip, contact_sheet, frames_of
from telldraw.weights import DEFAULT

HERE = Path(__file__).parent
FIRST = [
    "large sun in the left corner",
    "big apple tree on the right side, top cut off",
    "boy on the left, smiling, arms up, facing right",
    "girl in the middle, running, facing left",
    "a dog in front of the tree, facing left",
]
MORE = [
    ["small sun in the right corner", "large pine tree on the left", "a boy under the tree, sitting, facing right"],
    ["cloud on the left", "sun on the right, half behind the edge", "girl in the center, sad, facing right"],
    ["a big oak tree on the left side", "an owl in the tree", "swing on the right"],
    ["large table in the middle", "a pizza on the table", "boy on the left of the table, facing right"],
    ["sandbox on the right", "girl sitting in the sandbox, facing left", "hot air balloon in the sky on the left"],
    ["slide on the left, facing right", "a tent on the right", "a bear in front of the tent, facing left"],
]


def main() -> None:
    """Draw both sheets with the weights named, or with those that come with telldraw."""
    drawer = telldraw.drawer(sys.argv[1] if len(sys.argv) > 1 else DEFAULT)
    for name, scenes in (("geneva-codraw.png", [FIRST]), ("geneva-codraw-more.png", MORE)):
        strips = []
        for scene in scenes:
            canvas = drawer.start(seed=0)
            for instruction in scene:
                canvas = canvas.tell(instruction)
            strips.append(Strip("", frames_of(canvas, 3)))
        contact_sheet(strips).save(HERE / name, optimize=True)
        print(HERE / name)


if __name__ == "__main__":
    main()
