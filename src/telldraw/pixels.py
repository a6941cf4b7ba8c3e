"""Pixels: uint8 at rest, [-1, 1] inside a system. The only place that converts between them."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def to_float(pixels: Tensor) -> Tensor:
    """uint8 [...] -> float32 [...] in [-1, 1]."""
    return pixels.float().div_(127.5).sub_(1)


def to_uint8(pixels: Tensor) -> Tensor:
    """float [...] in [-1, 1] (what lies outside is clipped) -> uint8 [...], rounded to the nearest."""
    return pixels.float().add(1).mul(127.5).round_().clamp_(0, 255).to(torch.uint8)


def to_arrays(pixels: Tensor) -> np.ndarray:
    """float [N, 3, H, W] in [-1, 1] -> uint8 [N, H, W, 3], in memory of its own."""
    return to_uint8(pixels.detach()).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def to_image(pixels: Tensor) -> Image.Image:
    """float [3, H, W] in [-1, 1] -> RGB picture."""
    return Image.fromarray(to_arrays(pixels.unsqueeze(0))[0])
