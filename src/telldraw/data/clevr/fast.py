"""The fast engine: CLEVR's stage by casting rays at solids, in numpy; no noise, no random numbers.

Direct light is exact: each of STRATA**2 rays of a pixel looks at another point of every lamp, so that a pixel's mean
is its stratified soft shadow. What the rest of light does is closed forms: the sky that a ball in a solid's place
hides (Quilez, "sphere ambient occlusion"), the light it throws back instead, and the light of the ground from below.
docs/data/iclevr.md gives the difference to the path tracer (`mitsuba.py`), which is the reference.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from telldraw.data.clevr.geometry import Rays, dot, normals
from telldraw.data.clevr.stage import CLEVR, COLOURS, GROUND, Camera, Light, Setting, Solid, encode

STRATA = 4
"""Rays of a pixel each way; a lamp has as many points."""

_LIKE = {"cube": 1.2, "sphere": 1.0, "cylinder": 1.13}  # radius of the ball that hides about as much sky
_FAR = 6.0  # in half heights: further away nothing of the sky is hidden
_KEPT = 64  # solids whose traces are kept


class _Trace(NamedTuple):
    """What one solid does to the empty stage."""

    rays: np.ndarray  # numbers of the rays that meet it
    depth: np.ndarray  # how far along them
    points: np.ndarray  # [n, 3]
    facing: np.ndarray  # [n, 3]
    shone: np.ndarray  # [lamps, n]: light of each lamp that comes back from a white surface there, nothing between
    sky: np.ndarray  # [n]: share of the sky above the surface
    below: np.ndarray  # [n]: share of the ground, as far as it is lit
    shade: list[np.ndarray]  # by lamp: numbers of the rays whose ground it keeps in the dark
    hidden: np.ndarray  # [pixels]: share of the sky that it hides from the ground there


class _Pair(NamedTuple):
    """What a second solid does to the points of a first one."""

    lit: np.ndarray  # [lamps, n]: 0 where it keeps the light of the lamp away, else 1
    hidden: np.ndarray  # [n]: share of the sky and the ground that it hides


class Renderer:
    """Draws scenes at one size; keeps what the last solids did, since most of a scene is the scene before."""

    def __init__(self, resolution: int, *, setting: Setting = CLEVR, size: tuple[int, int] | None = None) -> None:
        """Squash the picture to a square of `resolution`, or draw it at `size` (width, height)."""
        camera = setting.camera
        self._ground, self._sky = _colour(setting.ground), _colour(setting.sky)
        self._sky_beside = _colour(0.56 * np.array(setting.sky))  # the mean over a ball
        self.width, self.height = size or (resolution, resolution)
        down, across = np.mgrid[0 : self.height, 0 : self.width].reshape(2, -1)
        step = (np.arange(STRATA) + 0.5) / STRATA
        y, x = (part.ravel() for part in np.meshgrid(step, step, indexing="ij"))
        rays = camera.rays((across[:, None] + x) / self.width, (down[:, None] + y) / self.height)  # [pixels, 16, 3]
        self._rays = Rays(camera.place.astype(np.float32), rays.reshape(-1, 3).astype(np.float32))
        self._point = np.tile(np.arange(STRATA**2), len(across))  # which point of a lamp a ray looks at
        ground = self._rays.origin - self._rays.way * (self._rays.origin[:, 2] / self._rays.way[:, 2])[:, None]
        middle = camera.rays((across + 0.5) / self.width, (down + 0.5) / self.height)
        self._middle = (camera.place - middle * (camera.place[2] / middle[:, 2])[:, None]).astype(np.float32)
        self._lamps = [_Lamp(light, number, setting) for number, light in enumerate(setting.lights)]
        self._shone = [lamp.reach(ground, _UP) * np.float32(GROUND / math.pi) for lamp in self._lamps]
        self._to_lamp = [Rays(ground, lamp.points[self._point] - ground) for lamp in self._lamps]
        self._empty = np.empty_like(ground)
        self._empty[:] = _colour(np.array(setting.sky) * setting.ground)
        for lamp, shone in zip(self._lamps, self._shone, strict=True):
            self._empty += shone[:, None] * lamp.grounded
        self._traces: dict[Solid, _Trace] = {}
        self._pairs: dict[tuple[Solid, Solid], _Pair] = {}

    def draw(self, solids: Sequence[Solid]) -> np.ndarray:
        """Draw the scene: uint8 [height, width, 3]."""
        return encode(self.radiance(solids))

    def radiance(self, solids: Sequence[Solid]) -> np.ndarray:
        """The same in linear light, float32 [height, width, 3]."""
        traces = [self._trace(solid) for solid in solids]
        glows = [self._glow(solid) for solid in solids]
        light = self._lit_ground(traces, glows)
        depth, front = np.full(len(light), np.inf, np.float32), np.full(len(light), -1, np.int8)
        for number, trace in enumerate(traces):
            closer = trace.depth < depth[trace.rays]
            depth[trace.rays[closer]] = trace.depth[closer]
            front[trace.rays[closer]] = number
        for number, (solid, trace) in enumerate(zip(solids, traces, strict=True)):
            seen = front[trace.rays] == number
            others = [
                (self._pair(solid, s), g) for at, (s, g) in enumerate(zip(solids, glows, strict=True)) if at != number
            ]
            light[trace.rays[seen]] = self._lit_solid(solid, trace, others)[seen]
        return light.reshape(self.height, self.width, -1, 3).mean(2)

    def _trace(self, solid: Solid) -> _Trace:
        if solid in self._traces:
            return self._traces[solid]
        rays, depth = self._rays.meet(solid)
        points = self._rays.origin[rays] + self._rays.way[rays] * depth[:, None]
        facing = normals(solid, points).astype(np.float32)
        shade = [_dark(solid, to_lamp) for to_lamp in self._to_lamp]
        sky = (1 + facing[:, 2]) / 2
        # the ground lights from below; near the foot it lies in the solid's own shade
        below = (1 - sky) * (np.float32(0.45) + np.float32(0.25 / solid.half) * points[:, 2])
        shone = np.stack([lamp.reach(points, facing) for lamp in self._lamps]) * np.float32(1 / math.pi)
        hidden = _hidden(solid, self._middle, _UP)
        trace = _Trace(rays, depth, points, facing, shone, sky, below, shade, hidden)
        if len(self._traces) >= _KEPT:
            self._traces.clear()
            self._pairs.clear()
        self._traces[solid] = trace
        return trace

    def _pair(self, solid: Solid, other: Solid) -> _Pair:
        if (solid, other) in self._pairs:
            return self._pairs[solid, other]
        trace = self._trace(solid)
        lit = np.ones_like(trace.shone)
        for number, lamp in enumerate(self._lamps):
            to_lamp = Rays(trace.points, lamp.points[self._point[trace.rays]] - trace.points)
            lit[number, _dark(other, to_lamp)] = 0
        pair = _Pair(lit, _hidden(other, trace.points, trace.facing))
        self._pairs[solid, other] = pair
        return pair

    def _lit_ground(self, traces: Sequence[_Trace], glows: Sequence[np.ndarray]) -> np.ndarray:
        """Radiance of the ground along every ray, [rays, 3]."""
        light = self._empty.copy()
        for number, lamp in enumerate(self._lamps):
            dark = np.zeros(len(light), bool)
            for trace in traces:
                dark[trace.shade[number]] = True
            rays = np.flatnonzero(dark)
            light[rays] -= self._shone[number][rays, None] * lamp.grounded
        change = np.zeros_like(self._middle)
        open_sky = np.ones(len(self._middle), np.float32)
        for trace, glow in zip(traces, glows, strict=True):
            open_sky *= 1 - trace.hidden
            change += (trace.hidden * (1 - trace.hidden))[:, None] * glow  # near its foot its underside
        change = self._ground * (change - self._sky * (1 - open_sky)[:, None])
        return (light.reshape(len(change), -1, 3) + change[:, None]).reshape(-1, 3)

    def _glow(self, solid: Solid) -> np.ndarray:
        """What a solid throws on its neighbours: about the mean radiance of its surface, [3]."""
        centre = solid.centre.astype(np.float32)[None]
        shone = sum(lamp.reach(centre, None)[0] * lamp.power for lamp in self._lamps) * np.float32(0.25 / math.pi)
        return _reflectance(solid) * (shone + self._sky_beside)

    def _lit_solid(self, solid: Solid, trace: _Trace, others: Sequence[tuple[_Pair, np.ndarray]]) -> np.ndarray:
        """Radiance of the points of a solid, [n, 3]; of each other one, what it takes and its glow."""
        shone, sky, below = trace.shone, trace.sky, trace.below
        thrown = np.zeros_like(trace.points)
        for pair, glow in others:
            shone, sky, below = shone * pair.lit, sky * (1 - pair.hidden), below * (1 - pair.hidden)
            thrown += pair.hidden[:, None] * glow
        foot = np.array([[solid.x, solid.y, 0]], np.float32)
        ground = sum(lamp.reach(foot, _UP)[0] * lamp.grounded for lamp in self._lamps) * np.float32(GROUND / math.pi)
        parts = np.stack([*shone, sky, below])
        colours = np.stack([*(lamp.power for lamp in self._lamps), self._sky, ground + self._sky * self._ground])
        return (parts.T @ colours + thrown) * _reflectance(solid)


_UP = np.array([0, 0, 1], np.float32)


class _Lamp:
    """A lamp as so many points."""

    def __init__(self, light: Light, number: int, setting: Setting) -> None:
        self.power = _colour(light.power)
        self.grounded = self.power * _colour(np.array(setting.ground) / GROUND)
        """What is left of it after the ground, if a ground of CLEVR's grey leaves all of it."""
        self._place = np.array(light.place, np.float32)
        upright = Camera.at(light.place)
        self._front = upright.ahead.astype(np.float32)
        at = (np.arange(STRATA) + 0.5) / STRATA - 0.5
        # in an order of its own, that neighbouring rays do not look at neighbouring points
        order = np.random.default_rng(number).permutation(STRATA**2)
        across, up = (part.ravel()[order, None] * light.side for part in np.meshgrid(at, at))
        self.points = (self._place + across * upright.right + up * upright.up).astype(np.float32)  # [16, 3]

    def reach(self, points: np.ndarray, facing: np.ndarray | None) -> np.ndarray:
        """Irradiance by a unit of power with nothing between, [n]; without `facing`, on a surface turned to the lamp.

        The lamp is taken as a point here; at these distances that is 1 % at most.
        """
        way = self._place - points
        far2 = dot(way, way)
        shone = np.maximum(-(way @ self._front), 0) / (far2 * np.sqrt(far2))
        if facing is None:
            return shone
        turned = dot(way, np.broadcast_to(facing, way.shape)) / np.sqrt(far2)
        return shone * np.maximum(turned, 0)


def _reflectance(solid: Solid) -> np.ndarray:
    return _colour(COLOURS[solid.colour]) / 255


def _colour(parts: Sequence[float] | np.ndarray) -> np.ndarray:
    return np.array(parts, np.float32)


def _dark(solid: Solid, to_lamp: Rays) -> np.ndarray:
    """Numbers of the rays from a surface to a lamp that the solid is in the way of."""
    rays, at = to_lamp.meet(solid)
    return rays[(at > 1e-4) & (at < 1)]


def _hidden(solid: Solid, points: np.ndarray, facing: np.ndarray) -> np.ndarray:
    """Share of the sky above surfaces that the solid hides, weighted by the cosine, as if it were a ball: [n]."""
    radius = np.float32(solid.half * _LIKE[solid.shape])
    way = solid.centre.astype(np.float32) - points
    far2 = dot(way, way)
    share = np.zeros(len(points), np.float32)
    near = np.flatnonzero(far2 < (_FAR * solid.half) ** 2)
    way, far = way[near], np.sqrt(far2[near])
    cos = dot(way, np.broadcast_to(facing, points.shape)[near]) / np.maximum(far, 1e-6)
    h2 = np.maximum(far / radius, 1.02) ** 2
    below = 1 - h2 * cos * cos  # positive where the horizon cuts the ball
    sin = np.sqrt(np.maximum(1 - cos * cos, 1e-9))
    edge, root = np.sqrt(np.maximum(below, 0)), np.sqrt(h2 - 1)
    angle = np.arccos(np.clip(-cos * root / sin, -1, 1))
    cut = ((cos * angle - edge * root) / h2 + np.arctan(edge / root)) / np.float32(math.pi)
    share[near] = np.clip(np.where(below > 0, cut, np.maximum(cos, 0) / h2), 0, 0.97)
    return share
