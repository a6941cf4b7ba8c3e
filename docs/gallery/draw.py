"""Draws the sheets of this folder that drawers made: `python docs/gallery/draw.py`. Nothing is picked: every scene."""

from pathlib import Path

import telldraw
from telldraw.drawing.sheet import Strip, contact_sheet, frames_of

HERE = Path(__file__).parent
SOLIDS = [
    "Add a red cube at the center",
    "Add a cyan sphere behind it on the left",
    "Add a yellow cylinder in front of the red cube on the right",
    "Add a purple sphere on the left of it",
    "Add a green cube behind the yellow cylinder on the right",
]
MORE_SOLIDS = [
    [
        "Add a blue sphere at the center",
        "Add a brown cylinder in front of it on the left",
        "Add a gray cube on the right of it",
        "Add a red sphere behind the blue sphere on the right",
        "Add a yellow cube behind the brown cylinder on the left",
    ],
    [
        "Add a green cylinder at the center",
        "Add a purple cube in front of it on the right",
        "Add a purple cylinder behind it on the right",
        "Add a cyan cube on the left of the green cylinder",
        "Add a red sphere in front of the cyan cube on the left",
    ],
    [
        "Add a yellow sphere at the center",
        "Add a blue cube behind it on the right",
        "Add a blue cylinder behind it on the left",
        "Add a green sphere in front of the yellow sphere on the left and in front of the blue cylinder",
        "Add a gray sphere on the right of the yellow sphere",
    ],
]
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


def strip(weights: str, scene: list[str], seed: int = 0) -> Strip:
    """One conversation, turn by turn."""
    canvas = telldraw.drawer(weights).start(seed=seed)
    for instruction in scene:
        canvas = canvas.tell(instruction)
    return Strip("", frames_of(canvas, 3))


def main() -> None:
    """Draw all sheets."""
    solids, scenes = "geneva-iclevr-64", "geneva-codraw-64"
    sheets = {
        "geneva-iclevr.png": [strip(solids, SOLIDS)],
        "geneva-iclevr-more.png": [strip(solids, scene) for scene in MORE_SOLIDS]
        + [strip(solids, SOLIDS, seed) for seed in (1, 2, 3)],
        "geneva-codraw.png": [strip(scenes, FIRST)],
        "geneva-codraw-more.png": [strip(scenes, scene) for scene in MORE],
    }
    for name, strips in sheets.items():
        contact_sheet(strips).save(HERE / name, optimize=True)
        print(HERE / name)


if __name__ == "__main__":
    main()
