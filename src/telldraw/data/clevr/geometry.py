"""Where straight lines meet the solids of the stage, and which way their surfaces face there."""

import math

import numpy as np

from telldraw.data.clevr.stage import Solid

_BEVEL = 0.06
"""CLEVR's cubes and cylinders have rounded edges: over this share of their half height the surface turns."""


def hit(solid: Solid, origin: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """Nearest t > 0 at which origin + t rays meets a solid that the origin is outside of: [n], inf where none.

    `origin` is [3] or [n, 3], `rays` [n, 3] of any length.
    """
    start = np.broadcast_to(origin - solid.centre.astype(rays.dtype), rays.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        near, far = {"cube": _cube, "sphere": _sphere, "cylinder": _cylinder}[solid.shape](solid, start, rays)
        return np.where((near <= far) & (near > 0), near, np.inf)


_AROUND = {"cube": math.sqrt(3), "sphere": 1.0, "cylinder": math.sqrt(2)}  # radius of the ball that holds the shape


class Rays:
    """Many rays that many solids are held against: `origin` [3] or [n, 3], `way` [n, 3], float32."""

    def __init__(self, origin: np.ndarray, way: np.ndarray) -> None:
        self.origin, self.way = np.broadcast_to(origin, way.shape), way
        self._unit = way / np.sqrt(dot(way, way))[:, None]
        self._along = dot(self.origin, self._unit)
        self._far2 = dot(self.origin, self.origin)

    def __len__(self) -> int:
        return len(self.way)

    def near(self, solid: Solid) -> np.ndarray:
        """Numbers of the rays that meet the ball around the solid ahead of them: no other ones can meet the solid."""
        centre = solid.centre.astype(np.float32)
        along = self._unit @ centre - self._along
        from_centre2 = self._far2 - 2 * (self.origin @ centre) + centre @ centre
        reach2 = (solid.half * _AROUND[solid.shape]) ** 2 + _SLACK
        return np.flatnonzero((from_centre2 - along * along < reach2) & (along > 0))

    def meet(self, solid: Solid) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the rays that meet the solid, and at which t: origin + t way."""
        near = self.near(solid)
        at = hit(solid, self.origin[near], self.way[near])
        met = np.isfinite(at)
        return near[met], at[met]


_SLACK = 0.02  # of squared distances: more than float32 loses there


def _sphere(solid: Solid, start: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = dot(rays, rays), dot(rays, start)
    root = np.sqrt(b * b - a * (dot(start, start) - solid.half**2))
    return (-b - root) / a, (-b + root) / a


def _cube(solid: Solid, start: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    turn = _turn(solid).astype(rays.dtype)
    start, rays = start @ turn, rays @ turn
    one, other = (-solid.half - start) / rays, (solid.half - start) / rays
    return np.minimum(one, other).max(-1), np.maximum(one, other).min(-1)


def _cylinder(solid: Solid, start: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat, place = rays[:, :2], start[:, :2]
    a, b = dot(flat, flat), dot(flat, place)
    root = np.sqrt(b * b - a * (dot(place, place) - solid.half**2))
    one, other = (-solid.half - start[:, 2]) / rays[:, 2], (solid.half - start[:, 2]) / rays[:, 2]
    return np.maximum((-b - root) / a, np.minimum(one, other)), np.minimum((-b + root) / a, np.maximum(one, other))


def normals(solid: Solid, points: np.ndarray) -> np.ndarray:
    """Which way the surface faces at its points [n, 3], edges rounded: unit vectors [n, 3]."""
    place = points - solid.centre.astype(points.dtype)
    if solid.shape == "sphere":
        return place / solid.half
    flat = solid.half * (1 - _BEVEL)
    if solid.shape == "cube":
        turn = _turn(solid).astype(points.dtype)
        place = place @ turn
        facing = (np.sign(place) * np.maximum(np.abs(place) - flat, 0)) @ turn.T
    else:
        facing = np.empty_like(place)
        radius = np.hypot(place[:, 0], place[:, 1])
        facing[:, :2] = place[:, :2] * (np.maximum(radius - flat, 0) / np.maximum(radius, 1e-9))[:, None]
        facing[:, 2] = np.sign(place[:, 2]) * np.maximum(np.abs(place[:, 2]) - flat, 0)
    return facing / np.maximum(np.sqrt(dot(facing, facing)), 1e-9)[:, None]


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Products of vectors, row by row: [n, k], [n, k] -> [n]."""
    return np.einsum("ij,ij->i", a, b)


def _turn(solid: Solid) -> np.ndarray:
    """Vectors of the stage times this are vectors of the cube: [3, 3]."""
    cos, sin = math.cos(solid.turned), math.sin(solid.turned)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
