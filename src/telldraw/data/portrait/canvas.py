"""Where faces are painted: colours, region numbers and ink side by side, by distances to outlines.

A canvas has OVER x OVER points a pixel. An outline is a signed distance, negative inside; what lies inside covers a
point by `cover`, which falls from 1 to 0 over a point's width, and so what is averaged to a pixel has smooth edges.
Colours are as sRGB encodes them, 0 to 1. A region number is written where more than half of a point is covered, and a
pixel has the number of the point in its middle: numbers are never averaged.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

OVER = 3
"""Points each way in a pixel; odd, so that one lies in the middle."""
REGIONS = (
    *("background", "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth"),
    *("u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth"),
)
"""The 19 classes of CelebAMask-HQ in the order of its files."""
NUMBER = {name: number for number, name in enumerate(REGIONS)}

Pair = tuple[float, float]
Colour = Sequence[float] | Sequence[np.ndarray] | np.ndarray


class Pose(NamedTuple):
    """Where in the picture something is: its own axes run through (x, y), turned clockwise, and its unit is `scale`."""

    x: float = 0.0
    y: float = 0.0
    angle: float = 0.0
    scale: float = 1.0


class Canvas:
    """Colours float32 [3, S, S], regions uint8 [S, S] and ink float32 [S, S], from x, y = -1 to 1."""

    def __init__(self, resolution: int) -> None:
        """An empty one."""
        self.resolution, side = resolution, resolution * OVER
        self.side = side
        self.colours = np.zeros((3, side, side), np.float32)
        self.regions = np.zeros((side, side), np.uint8)
        self.ink = np.zeros((side, side), np.float32)
        self.axis = ((np.arange(side, dtype=np.float32) + 0.5) * (2 / side) - 1).astype(np.float32)

    def area(
        self, pose: Pose, centre: tuple[float, float] = (0, 0), reach: tuple[float, float] | None = None
    ) -> "Area":
        """The points within `reach` of `centre`, both in the unit and along the axes of `pose`; without reach, all."""
        cos, sin = math.cos(pose.angle), math.sin(pose.angle)
        rows = columns = slice(0, self.side)
        if reach is not None:
            u, v = centre
            x, y = (cos * u - sin * v) * pose.scale + pose.x, (sin * u + cos * v) * pose.scale + pose.y
            wide = (abs(cos) * reach[0] + abs(sin) * reach[1]) * pose.scale
            high = (abs(sin) * reach[0] + abs(cos) * reach[1]) * pose.scale
            columns, rows = self._between(x - wide, x + wide), self._between(y - high, y + high)
        x, y = self.axis[columns][None] - np.float32(pose.x), self.axis[rows][:, None] - np.float32(pose.y)
        u = np.float32(cos / pose.scale) * x + np.float32(sin / pose.scale) * y - np.float32(centre[0])
        v = np.float32(-sin / pose.scale) * x + np.float32(cos / pose.scale) * y - np.float32(centre[1])
        return Area(self, (rows, columns), u, v, 2 / self.side / pose.scale)

    def _between(self, low: float, high: float) -> slice:
        first, last = (min(max(round((value + 1) * self.side / 2), 0), self.side) for value in (low, high))
        return slice(first, last)

    def picture(self) -> np.ndarray:
        """uint8 [3, R, R]."""
        return (self._mean(np.clip(self.colours, 0, 1)) * 255 + 0.5).astype(np.uint8)

    def numbers(self) -> np.ndarray:
        """Regions, uint8 [R, R]."""
        return np.ascontiguousarray(self.regions[OVER // 2 :: OVER, OVER // 2 :: OVER])

    def sketch(self) -> np.ndarray:
        """Dark lines on white paper, uint8 [R, R]: edges of regions, and what was inked."""
        edge = np.zeros((self.side, self.side), bool)
        numbers = self.regions
        edge[:, 1:] |= numbers[:, 1:] != numbers[:, :-1]
        edge[1:] |= numbers[1:] != numbers[:-1]
        line = np.maximum(edge.astype(np.float32), self.ink)
        for _ in range(max(1, round(self.resolution / 64))):  # a point to each side, so lines are a pixel wide at 64
            wider = line.copy()
            np.maximum(wider[1:], line[:-1], out=wider[1:])
            np.maximum(wider[:, 1:], line[:, :-1], out=wider[:, 1:])
            line = wider
        return (255 - self._mean(line[None])[0].clip(0, 1) * 225 + 0.5).astype(np.uint8)

    def _mean(self, values: np.ndarray) -> np.ndarray:
        """[C, S, S] -> [C, R, R]."""
        rows = sum((values[:, at::OVER] for at in range(1, OVER)), start=values[:, ::OVER])
        return sum((rows[..., at::OVER] for at in range(1, OVER)), start=rows[..., ::OVER]) / OVER**2


class Area:
    """Some points of a canvas. u, v: where they are, float32 [H, W]; `point`: the width of one, in the same unit."""

    def __init__(self, canvas: Canvas, part: tuple[slice, slice], u: np.ndarray, v: np.ndarray, point: float) -> None:
        """Use `Canvas.area`."""
        self.u, self.v, self.point = u, v, point
        self.colours = canvas.colours[:, part[0], part[1]]
        self.regions = canvas.regions[part]
        self.ink_there = canvas.ink[part]

    def cover(self, distance: np.ndarray, soft: float = 0.0) -> np.ndarray:
        """How much of each point lies inside, 0 to 1; `soft`: the width of the border, at least a point."""
        if soft > self.point:
            return smooth(distance, soft / 2, -soft / 2)
        return unit(np.float32(0.5) - distance * np.float32(1 / self.point))

    def moved(self, u: float, v: float) -> "Area":
        """The same points, measured from elsewhere."""
        return self._of((slice(None), slice(None)), self.u + np.float32(u), self.v + np.float32(v))

    def where(self, alpha: np.ndarray) -> tuple["Area", tuple[slice, slice]]:
        """The rectangle of points that alpha covers at all, and where it is in arrays [H, W] of these points."""
        rows, columns = (np.flatnonzero(alpha.any(axis)) for axis in (1, 0))
        if not len(rows):
            rows = columns = np.zeros(1, int)
        part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        return self._of(part, self.u[part], self.v[part]), part

    def _of(self, part: tuple[slice, slice], u: np.ndarray, v: np.ndarray) -> "Area":
        other = object.__new__(Area)
        other.u, other.v, other.point = u, v, self.point
        other.colours = self.colours[:, part[0], part[1]]
        other.regions, other.ink_there = self.regions[part], self.ink_there[part]
        return other

    def paint(
        self, alpha: np.ndarray, colour: Colour, region: str = "", over: tuple[str, ...] = (), *, write: float = 0.5
    ) -> None:
        """Lay a colour over; `region`: what it belongs to, `over`: only where one of these was."""
        for plane, value in zip(self.colours, colour, strict=True):
            plane += alpha * (value - plane)
        if region:
            self.mark(alpha > write, region, over)
            self.ink_there *= 1 - alpha  # lines of what lies below are hidden

    def mark(self, inside: np.ndarray, region: str, over: tuple[str, ...] = ()) -> None:
        """Write a region number, bool [H, W] where."""
        if over:
            allowed = np.zeros(len(REGIONS), bool)
            allowed[[NUMBER[name] for name in over]] = True
            inside = inside & allowed[self.regions]
        self.regions[inside] = NUMBER[region]

    def shade(self, alpha: np.ndarray, factor: Sequence[float]) -> None:
        """Multiply colours by `factor` where alpha is 1; below 1 darkens, above lightens."""
        for plane, value in zip(self.colours, factor, strict=True):
            plane *= 1 + alpha * np.float32(value - 1)

    def ink(self, alpha: np.ndarray) -> None:
        """Draw into the sketch."""
        np.maximum(self.ink_there, alpha, out=self.ink_there)

    def unless(self, *regions: str) -> np.ndarray:
        """1 where none of these is, 0 where one is: float32 [H, W]."""
        free = np.ones(len(REGIONS), np.float32)
        free[[NUMBER[name] for name in regions]] = 0
        return free[self.regions]

    def only(self, *regions: str) -> np.ndarray:
        """1 where one of these is, 0 elsewhere."""
        return 1 - self.unless(*regions)


def unit(values: np.ndarray) -> np.ndarray:
    """What is below 0 or above 1 becomes these; changes and gives the array."""
    np.maximum(values, np.float32(0), out=values)
    return np.minimum(values, np.float32(1), out=values)


# --- outlines -----------------------------------------------------------------------------------------------------


def smooth(value: np.ndarray, zero: float | np.ndarray, one: float | np.ndarray) -> np.ndarray:
    """0 at `zero` and before, 1 at `one` and beyond, smooth between."""
    t = unit((value - np.float32(zero)) * np.float32(1 / (one - zero)))
    wave = t * np.float32(-2)
    wave += np.float32(3)
    wave *= t
    wave *= t
    return wave


def ellipse(u: np.ndarray, v: np.ndarray, wide: float, high: float) -> np.ndarray:
    """About the distance to an ellipse with these half-axes."""
    a, b = u * np.float32(1 / wide), v * np.float32(1 / high)
    k = np.sqrt(a * a + b * b)
    steep = np.sqrt((a / wide) ** 2 + (b / high) ** 2) + np.float32(1e-6)
    return k * (k - 1) / steep


def blob(u: np.ndarray, v: np.ndarray, wide: float, high: float) -> np.ndarray:
    """A soft spot: 1 in the middle, 0.37 at these half-axes."""
    return np.exp(-((u * np.float32(1 / wide)) ** 2) - (v * np.float32(1 / high)) ** 2)


def convex(u: np.ndarray, v: np.ndarray, points: Sequence[tuple[float, float]]) -> np.ndarray:
    """About the distance to a convex polygon, points clockwise as they are seen."""
    far = np.full(np.broadcast_shapes(u.shape, v.shape), -9, np.float32)
    for (a, b), (c, d) in zip(points, (*points[1:], points[0]), strict=True):
        length = float(np.hypot(c - a, d - b))
        np.maximum(far, (u - a) * ((d - b) / length) - (v - b) * ((c - a) / length), out=far)
    return far


def box(u: np.ndarray, v: np.ndarray, wide: float, high: float, round_: float) -> np.ndarray:
    """Distance to a box with these half-sides and rounded corners."""
    a, b = np.abs(u) - np.float32(wide - round_), np.abs(v) - np.float32(high - round_)
    return length(np.maximum(a, 0), np.maximum(b, 0)) + np.minimum(np.maximum(a, b), 0) - np.float32(round_)


def segment(u: np.ndarray, v: np.ndarray, start: tuple[float, float], end: tuple[float, float]) -> np.ndarray:
    """Distance to a straight line between two points."""
    du, dv = end[0] - start[0], end[1] - start[1]
    a, b = u - np.float32(start[0]), v - np.float32(start[1])
    t = np.clip((a * np.float32(du) + b * np.float32(dv)) * np.float32(1 / (du * du + dv * dv + 1e-9)), 0, 1)
    return length(a - t * np.float32(du), b - t * np.float32(dv))


def length(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """sqrt(a^2 + b^2); numpy's hypot, which looks after numbers that overflow, takes ten times as long."""
    return np.sqrt(a * a + b * b)


def angle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """arctan2(u, v) to 0.0003 radians, in a quarter of its time: 0 is +v, pi / 2 is +u.

    Of the smaller over the larger by a polynomial, odd, of least squares on [0, 1]; then unfolded.
    """
    wide, high = np.abs(u), np.abs(v)
    t = np.minimum(wide, high) / (np.maximum(wide, high) + np.float32(1e-9))
    s = t * t
    folded = t * (_ARC[0] + s * (_ARC[1] + s * (_ARC[2] + s * _ARC[3])))
    folded = np.where(wide > high, np.float32(np.pi / 2) - folded, folded)
    folded = np.where(v < 0, np.float32(np.pi) - folded, folded)
    return np.copysign(folded, u)


_ARC = np.array([0.99931568, -0.32227705, 0.1490079, -0.04084602], np.float32)


def noise(values: np.ndarray, seed: int) -> np.ndarray:
    """Smooth noise along a line, -1 to 1, one wave a unit: for strands."""
    table = _NOISE[seed % len(_NOISE)]
    at = values * np.float32(16) + np.float32(4096)
    return table[at.astype(np.int32) & 4095]


def _noises() -> np.ndarray:
    """[8, 4096]: 256 random values each, smoothly joined."""
    values = np.random.default_rng(7).uniform(-1, 1, (8, 256))
    t = (np.arange(16) / 16)[None, None]
    t = t * t * (3 - 2 * t)
    joined = values[..., None] * (1 - t) + np.roll(values, -1, 1)[..., None] * t
    return joined.reshape(8, 4096).astype(np.float32)


_NOISE = _noises()

ANGLES = 2048


class Polar(NamedTuple):
    """Points by distance from the middle of a head and by angle, which tables of outlines have as their index."""

    radius: np.ndarray  # float32 [H, W]
    place: np.ndarray  # intp [H, W]; 0 is the top, then left, ANGLES / 2 the chin, then right

    @classmethod
    def of(cls, area: Area) -> "Polar":
        """About (0, 0) of the area."""
        index = ((angle(area.u, area.v) + np.float32(np.pi)) * np.float32(ANGLES / 2 / np.pi)).astype(np.intp)
        return cls(length(area.u, area.v), np.minimum(index, ANGLES - 1, out=index))

    def outside(self, outline: np.ndarray) -> np.ndarray:
        """About the distance to an outline [ANGLES]."""
        return self.radius - outline[self.place]


def outline(
    right: Sequence[tuple[float, float]], left: Sequence[tuple[float, float]] | None = None, blur: float = 0.07
) -> np.ndarray:
    """Distance by angle, float32 [ANGLES], of an outline through points from below to above, mirrored unless `left`.

    blur: of corners, in radians.
    """
    halves = []
    for side in (left or right, right):
        points = np.array(side, np.float64)
        angles = np.arctan2(points[:, 0], points[:, 1])  # 0 below, pi above
        halves.append((angles, np.hypot(points[:, 0], points[:, 1])))
    (below_l, far_l), (below_r, far_r) = halves
    at = (np.arange(ANGLES) + 0.5) * (2 * np.pi / ANGLES) - np.pi
    far = np.where(at < 0, np.interp(-at, below_l, far_l), np.interp(at, below_r, far_r))
    spread = np.exp(-0.5 * (np.minimum(np.arange(ANGLES), ANGLES - np.arange(ANGLES)) * 2 * np.pi / ANGLES / blur) ** 2)
    smoothed = np.fft.irfft(np.fft.rfft(far) * np.fft.rfft(spread / spread.sum()), ANGLES)
    return smoothed.astype(np.float32)
