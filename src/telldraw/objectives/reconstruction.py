"""Distances between a drawn and a true picture."""

from torch import Tensor


def absolute_error(drawn: Tensor, true: Tensor) -> Tensor:
    """E |x - G|, a mean over pictures, channels and pixels: Isola et al. 2017 (pix2pix), Eq. 3, per pixel."""
    return (drawn - true).abs().mean()
