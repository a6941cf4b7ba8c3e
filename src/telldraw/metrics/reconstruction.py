"""How far a picture is from the true one, pixel by pixel. Pure functions of tensors in [-1, 1], one figure a picture.

These say how close a drawing is, not whether it obeys the instruction: of the many pictures that do, the data set
holds one. So read them beside the baselines of `telldraw evaluate`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW, SIGMA = 11, 1.5
"""Side of the Gaussian window of SSIM and its standard deviation, in pixels (Wang et al. 2004, section III-C)."""
K1, K2 = 0.01, 0.03
CEILING = 100.0
"""PSNR given to two equal pictures, in dB, so that a mean over pictures stays a number.

One grey level of one channel, in one pixel of a 128 x 128 picture, is 95 dB.
"""


def _same_shape(drawn: Tensor, true: Tensor) -> None:
    if drawn.shape != true.shape or drawn.dim() != 4:
        raise ValueError(f"two batches [N, C, H, W] were expected, not {tuple(drawn.shape)} and {tuple(true.shape)}")


def l1(drawn: Tensor, true: Tensor) -> Tensor:
    """Mean absolute error of drawn and true, both [N, C, H, W] in [-1, 1] -> [N], 0 to 1 (share of a pixel's range).

    Raises ValueError when the two differ in shape.
    """
    _same_shape(drawn, true)
    return (drawn - true).abs().flatten(1).mean(1) / 2


def psnr(drawn: Tensor, true: Tensor) -> Tensor:
    """Peak signal to noise ratio of drawn and true, both [N, C, H, W] in [-1, 1] -> [N] dB, at most `CEILING`.

    10 log10(range^2 / mean squared error), the error taken over all channels. Raises ValueError when the two differ
    in shape.
    """
    _same_shape(drawn, true)
    error = (drawn - true).square().flatten(1).mean(1) / 4
    return (-10 * error.log10()).clamp(max=CEILING)


def _window(like: Tensor) -> Tensor:
    """The Gaussian along one axis, [WINDOW], with sum 1."""
    offset = torch.arange(WINDOW, dtype=like.dtype, device=like.device) - WINDOW // 2
    weight = (-offset.square() / (2 * SIGMA**2)).exp()
    return weight / weight.sum()


def ssim(drawn: Tensor, true: Tensor) -> Tensor:
    """Structural similarity of drawn and true, both [N, C, H, W] in [-1, 1] -> [N], 1 for equal pictures.

    Wang et al. 2004, Eq. 13, with their constants, on each channel of the picture (they use the luminance alone);
    the mean over all places where the window lies inside the picture, and over the channels. Raises ValueError when
    the two differ in shape or are smaller than the window.
    """
    _same_shape(drawn, true)
    if min(drawn.shape[-2:]) < WINDOW:
        raise ValueError(f"SSIM needs pictures of at least {WINDOW} x {WINDOW} pixels, not {tuple(drawn.shape[-2:])}")
    channels, weight = drawn.shape[1], _window(drawn)
    column = weight.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    row = weight.view(1, 1, 1, -1).expand(channels, 1, 1, -1)

    def blur(pixels: Tensor) -> Tensor:  # the window is separable: two passes of 11 instead of one of 121
        return F.conv2d(F.conv2d(pixels, column, groups=channels), row, groups=channels)

    x, y = (drawn + 1) / 2, (true + 1) / 2
    mean_x, mean_y = blur(x), blur(y)
    variance_x, variance_y = blur(x * x) - mean_x.square(), blur(y * y) - mean_y.square()
    covariance = blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + K1**2) / (mean_x.square() + mean_y.square() + K1**2)
    structure = (2 * covariance + K2**2) / (variance_x + variance_y + K2**2)
    return (luminance * structure).flatten(1).mean(1)


def reconstruction(drawn: Tensor, true: Tensor, objects: Tensor, position: Tensor) -> dict[str, Tensor]:
    """All three at once, as a scorer of `metrics.evaluation`: figures [N] by name. Objects and places are not used."""
    return {"psnr": psnr(drawn, true), "ssim": ssim(drawn, true), "l1": l1(drawn, true)}
