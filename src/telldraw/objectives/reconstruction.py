"""Distances between a drawn and a true picture."""

from torch import Tensor


def balanced_absolute_error(drawn: Tensor, true: Tensor, before: Tensor, threshold: float = 0.05) -> Tensor:
    """Half the mean of |x_t - G| over the pixels that the turn changed, half that over all others; a scalar.

    drawn, true, before [B, 3, H, W] in [-1, 1]; a pixel has changed when a channel of `true` differs from `before` by
    more than `threshold`. The plain mean (Isola et al. 2017, pix2pix, Eq. 3) is least for a canvas left as it was, as
    long as nobody knows to better than one in two where a thing goes. A turn changes one pixel in twenty; balanced, a
    chance of one in twenty is enough to draw it.
    """
    changed = ((true - before).abs().amax(1, keepdim=True) > threshold).float()
    error = (drawn - true).abs().mean(1, keepdim=True)
    kept = 1 - changed
    return 0.5 * ((error * changed).sum() / changed.sum().clamp(min=1) + (error * kept).sum() / kept.sum().clamp(min=1))
