"""Pixels: uint8 at rest, [-1, 1] inside a system. The only place that converts between them.

Importing this loads no torch, because the light engine needs `from_floats` alone.
"""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from torch import Tensor


def to_float(pixels: "Tensor") -> "Tensor":
    """uint8 [...] -> float32 [...] in [-1, 1]."""
    return pixels.float().div_(127.5).sub_(1)


def to_uint8(pixels: "Tensor") -> "Tensor":
    """float [...] in [-1, 1] (what lies outside is clipped) -> uint8 [...], rounded to the nearest."""
    return pixels.float().add(1).mul(127.5).round_().clamp_(0, 255).byte()


def to_arrays(pixels: "Tensor") -> np.ndarray:
    """float [N, C, H, W] in [-1, 1] -> uint8 [N, H, W, C], in memory of its own."""
    return to_uint8(pixels.detach()).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def to_image(pixels: "Tensor") -> Image.Image:
    """float [C, H, W] in [-1, 1] -> picture, grey where C = 1, else RGB."""
    return of_array(to_arrays(pixels.unsqueeze(0))[0])


def of_array(pixels: np.ndarray) -> Image.Image:
    """uint8 [H, W, C] -> picture, grey where C = 1, else RGB."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def from_floats(pixels: np.ndarray) -> np.ndarray:
    """`to_arrays` for an array: float32 [N, 3, H, W] in [-1, 1] -> uint8 [N, H, W, 3], in memory of its own."""
    rounded = np.rint((pixels + np.float32(1)) * np.float32(127.5)).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(rounded.transpose(0, 2, 3, 1))
