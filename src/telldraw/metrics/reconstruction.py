"""How far a picture is from the true one, pixel by pixel. Pure functions of tensors in [-1, 1], one figure a picture.

These say how close a drawing is, not whether it obeys the instruction: of the many pictures that do, the data set
holds one. So read them beside the baselines of `telldraw evaluate`.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from telldraw import pixels
from telldraw.protocols import Autoencoder

WINDOW, SIGMA = 11, 1.5
"""Side of the Gaussian window of SSIM and its standard deviation, in pixels (Wang et al. 2004, section III-C)."""
K1, K2 = 0.01, 0.03
_TOGETHER = 200
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


def mse(drawn: Tensor, true: Tensor) -> Tensor:
    """Mean squared error of drawn and true, both [N, C, H, W] in [-1, 1] -> [N], of pixels in [0, 1].

    Raises ValueError when the two differ in shape.
    """
    _same_shape(drawn, true)
    return (drawn - true).square().flatten(1).mean(1) / 4


def psnr(drawn: Tensor, true: Tensor) -> Tensor:
    """Peak signal to noise ratio of drawn and true, both [N, C, H, W] in [-1, 1] -> [N] dB, at most `CEILING`.

    10 log10(range^2 / mean squared error), the error taken over all channels. Raises ValueError when the two differ
    in shape.
    """
    return (-10 * mse(drawn, true).log10()).clamp(max=CEILING)


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


@torch.inference_mode()
def reconstructed(
    system: Autoencoder,
    images: np.ndarray,
    rows: Sequence[int],
    *,
    device: torch.device | str = "cpu",
    progress: Callable[[int], None] = lambda done: None,
) -> list[tuple[str, str, Tensor]]:
    """Figures [N] of pictures after encoding and decoding, by name, each with what it is; images uint8 [N, C, H, W].

    SSIM is left out where the pictures are smaller than its window.
    """
    chosen: dict[str, tuple[str, Callable[[Tensor, Tensor], Tensor]]] = {
        "mse": ("mean squared error of pixels in [0, 1]", mse),
        "psnr": ("peak signal to noise ratio in dB", psnr),
        "l1": ("mean absolute error of pixels in [0, 1]", l1),
    }
    if min(images.shape[-2:]) >= WINDOW:
        chosen["ssim"] = "structural similarity", ssim
    found: dict[str, list[Tensor]] = {name: [] for name in chosen}
    for start in range(0, len(rows), _TOGETHER):
        part = np.asarray(rows[start : start + _TOGETHER])
        true = pixels.to_float(torch.from_numpy(images[part])).to(device)
        again = system.decode(system.encode(true))
        for name, (_, measure) in chosen.items():
            found[name].append(measure(again, true).cpu())
        progress(start + len(part))
    return [(name, what, torch.cat(found[name])) for name, (what, _) in chosen.items()]
