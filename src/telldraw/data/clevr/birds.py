"""Scenes of one or two solids on floors of all colours, in all lights, seen from all sides: content and style apart.

What the sets of birds and flowers are to Reed et al. (2016, arXiv:1605.05396, Sec. 5.2), with both sides known:

    content   what captions say: size, colour and shape of each solid, and where the first stands seen from the second
    style     what they never say: the colour of the floor, the lamp, the camera
    places    where in the picture the solids are, as far as the content leaves it open

Content and style are drawn from streams of their own and none is ever drawn anew for the other's sake, so that they are
independent; only places are tried until the solids are whole, unhidden and plainly related in the picture. Solids are
turned to the axes of the stage, so the camera's azimuth is seen on cubes. Distances along the ground are those of the
camera: `right` of its line of sight, and `behind`, away from it.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from telldraw.data.clevr.geometry import Rays
from telldraw.data.clevr.stage import COLOURS, SHAPES, SIZES, Camera, Light, Setting, Solid

SPLITS = ("train", "val", "test")
HALVES = {"small": 0.5, "large": 1.0}
"""Half the height of each size, in those of CLEVR's larger one."""
HELD_OUT = {
    "val": (("brown", "cube"), ("purple", "sphere"), ("cyan", "cylinder")),
    "test": (("blue", "cube"), ("yellow", "sphere"), ("red", "cylinder")),
}
"""Colour and shape that only pictures of this split have together. Each alone is everywhere."""
EVERY = tuple((colour, shape) for shape in SHAPES for colour in COLOURS)
TRAINED = tuple(pair for pair in EVERY if not any(pair in pairs for pairs in HELD_OUT.values()))
"""Colour and shape together of the solids of the split train: 18 of the 24."""

FOCAL = 50 / 32
"""Focal length in widths of the picture; longer than CLEVR's, so that what is near looks little larger."""
GAP, MARGIN, PLAIN = 0.15, 0.4, 0.08
"""Least distance of two solids; least difference along right and along behind; the same across the picture."""
EDGE, UNHIDDEN = 0.02, 0.92
"""Border of the picture that solids keep free; share of each that is seen."""
CONTRAST = 24.0
"""Least distance of the floor's colour to that of any solid, in CIELAB."""

_REACH = 1.6  # in which solids are tried, right and left, behind and in front of the middle
_RASTER = 48  # rays each way by which hidden parts are counted


class Kind(NamedTuple):
    """What a caption says of a solid."""

    size: str
    colour: str
    shape: str

    @property
    def pair(self) -> tuple[str, str]:
        """By what it is held out."""
        return self.colour, self.shape

    @property
    def half(self) -> float:
        """Half its height."""
        return SIZES[self.shape] * HALVES[self.size]


class Content(NamedTuple):
    """What captions say of a scene."""

    kinds: tuple[Kind, ...]  # one or two; no two share both colour and shape
    behind: bool = False  # of two: whether the first is behind the second, or in front of it
    right: bool = False  # of two: whether the first is to the right of the second, or to the left


class Style(NamedTuple):
    """What captions do not say."""

    floor: tuple[float, float, float]  # reflectance, as encoded by sRGB, 0 to 1
    lamp: tuple[float, float, float]  # unit vector to it: right, behind, up, as the camera sees it
    strength: float  # radiance of a white floor in the middle, in linear light
    share: float  # of it that comes from the lamp; the rest is the sky's
    side: float  # of the lamp: small ones throw hard shadows
    warmth: float  # 0 neutral, above more red, below more blue
    azimuth: float  # of the camera about the vertical, in degrees
    height: float  # of the camera above the ground, in degrees
    distance: float  # of the camera from the middle

    def setting(self) -> Setting:
        """The stage with this floor, lamp and camera."""
        camera = self.camera()
        right, behind, up = self.lamp
        place = LAMP_AWAY * (right * camera.right + behind * _flat(camera) + up * _UP)
        tint = np.array([1 + self.warmth, 1.0, 1 - self.warmth])
        # a lamp so turned shines power * up / LAMP_AWAY**2 on the ground, of which a white one sends back 1 / pi
        power = self.strength * self.share * math.pi * LAMP_AWAY**2 / up * tint
        sky = self.strength * (1 - self.share) * np.ones(3)
        red, green, blue = _linear(np.array(self.floor))
        light = Light(_three(place), self.side, _three(power))
        return Setting(camera, (light,), (float(red), float(green), float(blue)), _three(sky))

    def camera(self) -> Camera:
        """Where it is seen from."""
        azimuth, height = math.radians(self.azimuth), math.radians(self.height)
        flat = self.distance * math.cos(height)
        place = flat * math.cos(azimuth), flat * math.sin(azimuth), self.distance * math.sin(height)
        return Camera.at(place, focal=FOCAL, canvas=(1, 1))


LAMP_AWAY = 9.0
"""Distance of the lamp from the middle."""
_UP = np.array([0.0, 0.0, 1.0])


class Scene(NamedTuple):
    """Content and style, and a place that fits both."""

    content: Content
    style: Style
    solids: tuple[Solid, ...]


def scene(seed: int, split: str, number: int, *, mixed: bool = False) -> Scene:
    """Scene `number` of a split; it depends on these alone. `mixed`: any split has any combination."""
    contents, styles, places, _ = streams(seed, split, number)
    content, style = draw_content(contents, split, mixed=mixed), draw_style(styles)
    return Scene(content, style, draw_places(places, content, style.camera()))


def streams(seed: int, split: str, number: int) -> list[np.random.Generator]:
    """What content, style, places and captions of a scene are drawn from: streams that know nothing of each other."""
    return [np.random.default_rng(s) for s in np.random.SeedSequence([seed, SPLITS.index(split), number]).spawn(4)]


# --- content ------------------------------------------------------------------------------------------------------


def draw_content(rng: np.random.Generator, split: str, *, mixed: bool = False) -> Content:
    """One or two kinds: of train, TRAINED ones; else one or both are held out for the split, the rest TRAINED."""
    own = EVERY if mixed else TRAINED if split == "train" else HELD_OUT[split]
    pairs = [own[int(rng.integers(len(own)))]]
    if rng.random() < 0.5:
        others = EVERY if mixed else TRAINED if split == "train" else (*HELD_OUT[split], *TRAINED)
        others = [pair for pair in others if pair != pairs[0]]
        pairs.append(others[int(rng.integers(len(others)))])
        if rng.random() < 0.5:
            pairs.reverse()
    sizes = [("small", "large")[int(rng.integers(2))] for _ in pairs]
    kinds = tuple(Kind(size, *pair) for size, pair in zip(sizes, pairs, strict=True))
    return Content(kinds, bool(rng.integers(2)), bool(rng.integers(2)))


# --- style --------------------------------------------------------------------------------------------------------


def draw_style(rng: np.random.Generator) -> Style:
    """A floor from pastel to saturated, a lamp from soft to hard, a camera from low to high."""
    floor = draw_floor(rng)
    azimuth, height = rng.uniform(-150, 150), rng.uniform(35, 68)  # 0 is the camera's side: no lamp shines at it
    across, up = math.radians(azimuth), math.radians(height)
    lamp = math.sin(across) * math.cos(up), -math.cos(across) * math.cos(up), math.sin(up)
    return Style(
        floor,
        lamp,
        strength=float(rng.uniform(0.5, 0.85)),
        share=float(rng.uniform(0.45, 0.8)),
        side=float(0.3 * 10 ** rng.uniform(0, 1)),
        warmth=float(rng.uniform(-0.06, 0.12)),
        azimuth=float(rng.uniform(0, 360)),
        height=float(rng.uniform(24, 45)),
        distance=float(rng.uniform(6.5, 7.2)),
    )


def draw_floor(rng: np.random.Generator) -> tuple[float, float, float]:
    """A colour that is plainly another one than that of any solid there could be: so it says nothing of those."""
    while True:
        light, chroma, hue = rng.uniform(52, 92), rng.uniform(3, 62), rng.uniform(0, 2 * math.pi)
        wanted = np.array([light, chroma * math.cos(hue), chroma * math.sin(hue)])
        floor = unlab(wanted)
        if floor.min() >= 0 and floor.max() <= 1 and np.linalg.norm(wanted - _painted(), axis=1).min() >= CONTRAST:
            return _three(floor)


def lab(colours: np.ndarray) -> np.ndarray:
    """CIELAB, D65, of colours [..., 3] encoded by sRGB, 0 to 1."""
    xyz = _linear(colours) @ _TO_XYZ.T / _TO_XYZ.sum(1)
    root = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def unlab(colour: np.ndarray) -> np.ndarray:
    """Undo `lab`: below 0 or above 1 where no screen shows such a colour."""
    light, a, b = np.moveaxis(colour, -1, 0)
    y = (light + 16) / 116
    root = np.stack([y + a / 500, y, y - b / 200], -1)
    xyz = np.where(root > 6 / 29, root**3, 3 * (6 / 29) ** 2 * (root - 4 / 29)) * _TO_XYZ.sum(1)
    return _encoded(xyz @ np.linalg.inv(_TO_XYZ).T)


_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


@lru_cache(maxsize=1)
def _painted() -> np.ndarray:
    return lab(_encoded(np.array(list(COLOURS.values())) / 255))


def _linear(colour: np.ndarray) -> np.ndarray:
    """Encoded by sRGB -> linear light."""
    return np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)


def _encoded(light: np.ndarray) -> np.ndarray:
    """Undo `_linear`."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)


# --- places -------------------------------------------------------------------------------------------------------


def draw_places(rng: np.random.Generator, content: Content, camera: Camera) -> tuple[Solid, ...]:
    """Places at which all is whole and plainly seen, and two solids are as the content says."""
    while True:
        spots = rng.uniform(-_REACH, _REACH, (len(content.kinds), 2))
        if len(spots) == 2 and not _related(spots, content):
            continue
        solids = tuple(_solid(kind, spot, camera) for kind, spot in zip(content.kinds, spots, strict=True))
        if all(whole(solid, camera) for solid in solids) and (len(solids) == 1 or plain(solids, camera)):
            return solids


def _related(spots: np.ndarray, content: Content) -> bool:
    right, behind = spots[0] - spots[1]
    if min(abs(right), abs(behind)) < MARGIN or (right > 0, behind > 0) != (content.right, content.behind):
        return False
    room = sum(kind.half * (math.sqrt(2) if kind.shape == "cube" else 1) for kind in content.kinds)
    return math.hypot(right, behind) >= room + GAP


def _solid(kind: Kind, spot: np.ndarray, camera: Camera) -> Solid:
    x, y = spot[0] * camera.right[:2] + spot[1] * _flat(camera)[:2]
    return Solid(kind.shape, kind.colour, float(x), float(y), 0.0, kind.half)


def whole(solid: Solid, camera: Camera) -> bool:
    """Whether all of it is in the picture, EDGE away from the border."""
    across, down, _ = np.moveaxis(camera.project(_outline(solid, camera)), -1, 0)
    return bool(min(across.min(), down.min()) >= EDGE and max(across.max(), down.max()) <= 1 - EDGE)


def _outline(solid: Solid, camera: Camera) -> np.ndarray:
    """Points whose picture holds that of the solid."""
    if solid.shape == "cube":
        corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
        return solid.centre + solid.half * corners
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    if solid.shape == "sphere":  # a little more than the ring in the middle: the rim that is seen is nearer
        return solid.centre + 1.02 * solid.half * (cos * camera.right + sin * camera.up)
    ring = solid.half * np.concatenate([cos, sin, np.ones_like(cos)], 1)
    return solid.centre + np.concatenate([ring, ring * (1, 1, -1)])


def plain(solids: tuple[Solid, ...], camera: Camera) -> bool:
    """Whether two solids are also in the picture left and right of each other, and neither hides the other."""
    first, second = (float(camera.project(solid.centre)[0]) for solid in solids)
    along = (np.array([solids[0].x - solids[1].x, solids[0].y - solids[1].y]) @ camera.right[:2]) > 0
    if abs(first - second) < PLAIN or (first > second) != along:
        return False
    rays = _rays(camera)
    depth = np.full((2, len(rays)), np.inf)
    for number, solid in enumerate(solids):
        met, at = rays.meet(solid)
        depth[number, met] = at
    own = np.isfinite(depth).sum(1)
    seen = [(depth[0] < depth[1]).sum(), (depth[1] < depth[0]).sum()]
    return all(part >= UNHIDDEN * of for part, of in zip(seen, own, strict=True))


def _rays(camera: Camera) -> Rays:
    down, across = (np.mgrid[0:_RASTER, 0:_RASTER].reshape(2, -1) + 0.5) / _RASTER
    return Rays(camera.place.astype(np.float32), camera.rays(across, down).astype(np.float32))


def _flat(camera: Camera) -> np.ndarray:
    """The camera's "behind" on the ground, [3]."""
    flat = camera.ahead * (1, 1, 0)
    return flat / np.linalg.norm(flat)


def _three(values: np.ndarray) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third
