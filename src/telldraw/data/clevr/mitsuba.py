"""The reference engine: CLEVR's stage by path tracing in Mitsuba 3 (Jakob et al. 2022), the extra `telldraw[render]`.

The same stage, lamps, sky and solids as the fast engine, with all that light does between them. Edges are not rounded.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from telldraw.data.clevr.stage import CLEVR, COLOURS, Setting, Solid, encode
from telldraw.errors import DataError

_BOUNCES = 4


class Renderer:
    """Draws scenes at one size; the same scene is the same picture every time."""

    def __init__(
        self, resolution: int, *, samples: int = 128, setting: Setting = CLEVR, size: tuple[int, int] | None = None
    ) -> None:
        """Squash the picture to a square of `resolution`, or draw it at `size`; `samples` is paths a pixel.

        Raises DataError where Mitsuba is not installed.
        """
        try:
            import drjit
            import mitsuba
        except ImportError:
            raise DataError("the engine mitsuba needs Mitsuba 3: pip install 'telldraw[render]'") from None
        mitsuba.set_variant("scalar_rgb")
        mitsuba.set_log_level(mitsuba.LogLevel.Error)
        drjit.set_thread_count(1)  # several at a time are the workers' affair
        self._mi: Any = mitsuba
        self._place: Any = mitsuba.ScalarTransform4f()
        # Mitsuba's pixels are squares: those of a squashed picture are made of so many across and down
        across, down = setting.camera.canvas
        part = math.gcd(across, down)
        self._block = (1, 1) if size else (across // part, down // part)
        self._size = size or (resolution, resolution)
        self._fixed = self._stage(setting, math.ceil(samples / (self._block[0] * self._block[1])))

    def draw(self, solids: Sequence[Solid]) -> np.ndarray:
        """Draw the scene: uint8 [height, width, 3]."""
        return encode(self.radiance(solids))

    def radiance(self, solids: Sequence[Solid]) -> np.ndarray:
        """The same in linear light, float32 [height, width, 3]."""
        scene = self._mi.load_dict(self._fixed | {k: v for n, s in enumerate(solids) for k, v in self._solid(n, s)})
        light = np.array(self._mi.render(scene, seed=0))[..., :3]
        (width, height), (across, down) = self._size, self._block
        return light.reshape(height, down, width, across, 3).mean((1, 3))

    def _stage(self, setting: Setting, samples: int) -> dict[str, Any]:
        """All that is the same in every scene."""
        (width, height), (across, down) = self._size, self._block
        ground = self._place.scale([500, 500, 1])
        fixed = {
            "type": "scene",
            "integrator": {"type": "path", "max_depth": _BOUNCES, "hide_emitters": True},
            "sky": {"type": "constant", "radiance": _rgb(setting.sky)},
            "ground": {"type": "rectangle", "to_world": ground, "bsdf": _paint(setting.ground)},
            "sensor": {
                "type": "perspective",
                "fov": math.degrees(2 * math.atan(0.5 / setting.camera.focal)),
                "fov_axis": "x",
                "to_world": self._looking(setting.camera.place),
                "film": {
                    "type": "hdrfilm",
                    "width": width * across,
                    "height": height * down,
                    "rfilter": {"type": "box"},
                    "pixel_format": "rgb",
                },
                "sampler": {"type": "multijitter", "sample_count": samples},
            },
        }
        # made here, once: lamps that are made with a scene come in an order that varies, and so does their noise then
        for number, lamp in enumerate(setting.lights):
            lit = {
                "type": "rectangle",
                "to_world": self._looking(lamp.place) @ self._place.scale([lamp.side / 2, lamp.side / 2, 1]),
                "emitter": {"type": "area", "radiance": _rgb([power / lamp.side**2 for power in lamp.power])},
            }
            fixed[f"lamp {number}"] = self._mi.load_dict(lit)
        return fixed

    def _looking(self, place: Sequence[float] | np.ndarray) -> Any:
        return self._place.look_at(origin=[float(v) for v in place], target=[0, 0, 0], up=[0, 0, 1])

    def _solid(self, number: int, solid: Solid) -> list[tuple[str, dict[str, Any]]]:
        paint, half, foot = _paint([part / 255 for part in COLOURS[solid.colour]]), solid.half, [solid.x, solid.y, 0.0]
        centre, top = [solid.x, solid.y, half], [solid.x, solid.y, 2 * half]
        name, lid = f"solid {number}", f"lid {number}"
        if solid.shape == "sphere":
            return [(name, {"type": "sphere", "center": centre, "radius": half, "bsdf": paint})]
        if solid.shape == "cube":
            turned = self._place.translate(centre).rotate([0, 0, 1], math.degrees(solid.turned)).scale(half)
            return [(name, {"type": "cube", "to_world": turned, "bsdf": paint})]
        lid_at = self._place.translate(top).scale([half, half, 1])
        return [
            (name, {"type": "cylinder", "p0": foot, "p1": top, "radius": half, "bsdf": paint}),
            (lid, {"type": "disk", "to_world": lid_at, "bsdf": paint}),
        ]


def _rgb(value: Sequence[float]) -> dict[str, Any]:
    return {"type": "rgb", "value": list(value)}


def _paint(reflectance: Sequence[float]) -> dict[str, Any]:
    """A matt surface with two sides."""
    return {"type": "twosided", "inner": {"type": "diffuse", "reflectance": _rgb(reflectance)}}
