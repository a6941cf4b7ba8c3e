"""Progressive growing (Karras et al., ICLR 2018, arXiv:1710.10196, Sec. 2): which side is drawn when, and fading.

A level is the base-2 logarithm of the side of the pictures: 5 is 32 pixels; 5.25 is 64, of which a quarter is faded in
over 32 enlarged.
"""

import math
from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F


def level_after(seen: int, start: int, full: int, stable: Sequence[int], fading: Sequence[int]) -> float:
    """The level after `seen` examples, from side `start` to side `full`.

    Each side is trained for `stable` examples, then the next one fades in over `fading`; the first of either is of the
    side `start`, and the last counts for all further ones.
    """
    first, last = int(math.log2(start)), int(math.log2(full))
    for number, level in enumerate(range(first, last)):
        rests, fades = (lengths[min(number, len(lengths) - 1)] for lengths in (stable, fading))
        if seen < rests:
            return float(level)
        seen -= rests
        if seen < fades:
            return level + seen / fades
        seen -= fades
    return float(last)


def parts(level: float) -> tuple[int, float]:
    """The level that is computed, an integer, and how much of it has faded in: 5.25 -> (6, 0.25), 5.0 -> (5, 1.0)."""
    top = math.ceil(level)
    return top, 1.0 - (top - level)


def shrink(image: Tensor, side: int) -> Tensor:
    """[N, C, R, R] -> [N, C, side, side], R a multiple of it: the mean of each square."""
    times = image.shape[-1] // side
    return image if times == 1 else F.avg_pool2d(image, times)


def enlarge(image: Tensor, side: int) -> Tensor:
    """[N, C, H, H] -> [N, C, side, side], side a multiple of H: each pixel a square."""
    times = side // image.shape[-1]
    return image if times == 1 else F.interpolate(image, scale_factor=float(times))


def faded(image: Tensor, level: float) -> Tensor:
    """Pictures [N, C, R, R] as sharp as those of `level`, of the side they had."""
    top, share = parts(level)
    sharp = shrink(image, 1 << top)
    if share < 1:
        sharp = enlarge(shrink(sharp, 1 << top - 1), 1 << top).lerp(sharp, share)
    return enlarge(sharp, image.shape[-1])
