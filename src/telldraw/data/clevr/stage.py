"""The stage of CLEVR (Johnson et al. 2017, arXiv:1612.06890): camera, lights, solids, and the directions of its words.

Units are those of CLEVR's scene files: the ground is the plane z = 0, x and y lie in it, and a solid stands on it. The
camera is the owner's without its jitter: it looks from CAMERA at the origin through a lens of 35 mm on a film 32 mm
wide. That, and the strength of the lights, were fitted to published renders (docs/data/iclevr.md).
"""

import math
from typing import NamedTuple

import numpy as np

CANVAS = (320, 240)
"""Width and height of CLEVR's pictures, in pixels; the origin is the top left corner."""
SHAPES = ("cube", "sphere", "cylinder")
COLOURS = {
    "gray": (87, 87, 87),
    "red": (173, 35, 35),
    "blue": (42, 75, 215),
    "green": (29, 105, 20),
    "brown": (129, 74, 25),
    "purple": (129, 38, 192),
    "cyan": (41, 208, 208),
    "yellow": (255, 238, 51),
}
"""Reflectance of each colour, times 255; the renderer of CLEVR takes the numbers as linear light."""
CLASSES = tuple(f"{colour} {shape}" for shape in SHAPES for colour in COLOURS)
"""A class is a shape and a colour: number 8 * shape + colour."""

SIZES = {"cube": 0.7 / math.sqrt(2), "sphere": 0.7, "cylinder": 0.7}
"""Half the height of each shape at CLEVR's larger size, by its published generator."""
CAMERA = (7.48113, -6.50764, 5.34367)
FOCAL = 35 / 32
"""Focal length in widths of the picture."""


class Solid(NamedTuple):
    """One object. Its centre is `size` above the ground."""

    shape: str
    colour: str
    x: float
    y: float
    turned: float = 0.0  # about the vertical, in radians; only a cube shows it
    size: float = 0.0  # half its height, and its radius; 0 means SIZES[shape]

    @property
    def half(self) -> float:
        """Half its height."""
        return self.size or SIZES[self.shape]

    @property
    def centre(self) -> np.ndarray:
        """[3]."""
        return np.array([self.x, self.y, self.half])

    @property
    def category(self) -> int:
        """Number of its class."""
        return len(COLOURS) * SHAPES.index(self.shape) + list(COLOURS).index(self.colour)

    @property
    def name(self) -> str:
        """What instructions call it."""
        return f"{self.colour} {self.shape}"


class Camera(NamedTuple):
    """A pinhole camera that stands upright and looks at the origin."""

    place: np.ndarray  # [3]
    right: np.ndarray
    up: np.ndarray
    ahead: np.ndarray
    focal: float = FOCAL  # in widths of the picture
    canvas: tuple[int, int] = CANVAS  # width to height of the picture

    @classmethod
    def at(
        cls, place: tuple[float, float, float], *, focal: float = FOCAL, canvas: tuple[int, int] = CANVAS
    ) -> "Camera":
        """Stand at `place`."""
        where = np.array(place, float)
        ahead = -where / np.linalg.norm(where)
        right = np.cross(ahead, (0.0, 0.0, 1.0))
        right /= np.linalg.norm(right)
        return cls(where, right, np.cross(right, ahead), ahead, focal, canvas)

    def project(self, points: np.ndarray) -> np.ndarray:
        """points [..., 3] -> [..., 3]: x / width and y / height of the picture, and depth along the line of sight."""
        seen = points - self.place
        depth = seen @ self.ahead
        across = 0.5 + self.focal * (seen @ self.right) / depth
        down = 0.5 - self.focal * (seen @ self.up) / depth * self.canvas[0] / self.canvas[1]
        return np.stack([across, down, depth], -1)

    def rays(self, across: np.ndarray, down: np.ndarray) -> np.ndarray:
        """Places in the picture, as fractions -> directions [..., 3] with depth 1."""
        right = ((across - 0.5) / self.focal)[..., None] * self.right
        tall = self.canvas[1] / self.canvas[0] / self.focal
        return self.ahead + right - ((down - 0.5) * tall)[..., None] * self.up


class Light(NamedTuple):
    """A square lamp that shines to its front, towards the origin, by the cosine (Lambert)."""

    place: tuple[float, float, float]
    side: float  # length of its side
    power: tuple[float, float, float]  # radiance times area, in linear RGB


STAGE = Camera.at(CAMERA)
RIGHT = STAGE.right[:2]
"""CLEVR's "right" on the ground, [2]; "left" is its opposite."""
BEHIND = STAGE.ahead[:2] / np.linalg.norm(STAGE.ahead[:2])
"""CLEVR's "behind" on the ground, [2]; "in front" is its opposite."""

GROUND = 0.74
"""Reflectance of the ground."""
AMBIENT = 0.1355 / GROUND
"""Radiance of the sky, the same from everywhere."""


def _lamp(place: tuple[float, float, float], side: float, shone: tuple[float, float, float]) -> Light:
    """A lamp by what it adds to the radiance of the ground, straight below at distance 1."""
    red, green, blue = (math.pi / GROUND * part for part in shone)
    return Light(place, side, (red, green, blue))


LIGHTS = (
    _lamp((6.44671, -2.90517, 4.2584), 0.5, (5.35, 4.94, 4.25)),  # key
    _lamp((-1.1685, 2.64602, 5.81574), 1.0, (2.46, 2.45, 2.43)),  # back
    _lamp((-4.67112, -4.0136, 3.01122), 0.5, (1.02, 1.12, 1.42)),  # fill
)
"""CLEVR's lamps without their jitter; the places are those of its base scene."""


class Setting(NamedTuple):
    """Where solids stand, and in what light; as it is, CLEVR's own stage."""

    camera: Camera = STAGE
    lights: tuple[Light, ...] = LIGHTS
    ground: tuple[float, float, float] = (GROUND, GROUND, GROUND)  # reflectance of the ground, linear RGB
    sky: tuple[float, float, float] = (AMBIENT, AMBIENT, AMBIENT)  # radiance of the sky, the same from everywhere


CLEVR = Setting()


def encode(radiance: np.ndarray) -> np.ndarray:
    """Linear light -> uint8 of sRGB (IEC 61966-2-1)."""
    curve = np.where(radiance <= 0.0031308, 12.92 * radiance, 1.055 * np.maximum(radiance, 1e-8) ** (1 / 2.4) - 0.055)
    return np.clip(np.round(curve * 255), 0, 255).astype(np.uint8)
