"""Augmentation that a generator does not learn to draw: of true and of drawn pictures alike, and differentiable.

Zhao et al., NeurIPS 2020 (arXiv:2006.10738): "DiffAugment". The discriminator never sees a picture as it is, so it
cannot know few true pictures by heart; and as it sees drawn ones through the same changes, drawing what is changed
does not fool it. Each kind of change meets a picture with a probability, the share, of which Karras et al. 2020
(arXiv:2006.06676), Sec. 2.2, show that below about 0.8 nothing leaks.

Each change is a function of pictures [N, C, H, W] in [-1, 1] and of numbers [N, 3], uniform in [0, 1); half of each
range, 0.5, leaves a picture as it is (but for `cutout`, which has no such place).
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def colour(image: Tensor, chance: Tensor) -> Tensor:
    """Brightness by up to 0.5, saturation by a factor of 0 to 2, contrast of 0.5 to 1.5."""
    light, saturation, contrast = (each.view(-1, 1, 1, 1) for each in chance.unbind(1))
    image = image + (light - 0.5)
    grey = image.mean(1, keepdim=True)
    image = torch.lerp(grey, image, 2 * saturation)
    return torch.lerp(image.mean((1, 2, 3), keepdim=True), image, 0.5 + contrast)


def translation(image: Tensor, chance: Tensor) -> Tensor:
    """Moved by up to an eighth of the side in either direction, whole pixels; zeros (grey) come in."""
    height, width = image.shape[2:]
    across, down = (_whole(chance[:, axis], side // 8) for axis, side in ((0, width), (1, height)))
    rows = torch.arange(height, device=image.device) - down[:, None]  # [N, H], where each row comes from
    columns = torch.arange(width, device=image.device) - across[:, None]
    image = _taken(image, rows, 2)
    return _taken(image, columns, 3)


def cutout(image: Tensor, chance: Tensor) -> Tensor:
    """A square of half the side becomes zero (grey), its centre anywhere."""
    height, width = image.shape[2:]
    near = [
        (torch.arange(side, device=image.device) + 0.5 - chance[:, axis, None] * side).abs() < side / 4
        for axis, side in ((0, width), (1, height))
    ]
    inside = near[1][:, None, :, None] & near[0][:, None, None, :]
    return image * ~inside


def _whole(chance: Tensor, most: int) -> Tensor:
    """[N] in [0, 1) -> whole numbers from -most to most, all as likely."""
    return (chance * (2 * most + 1)).floor().long() - most


def _taken(image: Tensor, places: Tensor, dim: int) -> Tensor:
    """The rows (dim 2) or columns (dim 3) at `places` [N, side] of each picture, zeros where there are none."""
    side = image.shape[dim]
    padded = F.pad(image, (0, 0, 0, 1) if dim == 2 else (0, 1))
    index = torch.where((places >= 0) & (places < side), places, side)
    index = index[:, None, :, None] if dim == 2 else index[:, None, None, :]
    shape = [*image.shape]
    return padded.gather(dim, index.expand(shape))


CHANGES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "colour": colour,
    "translation": translation,
    "cutout": cutout,
}
"""Name -> (pictures [N, C, H, W], uniform numbers [N, 3]) -> pictures."""


def augmented(image: Tensor, kinds: Sequence[str], share: float | Tensor = 1.0) -> Tensor:
    """Pictures [N, C, H, W] in [-1, 1], each changed in each of these ways with probability `share`."""
    for kind in kinds:
        chance = torch.rand(image.shape[0], 3, device=image.device)
        chosen = torch.rand(image.shape[0], 1, 1, 1, device=image.device) < share
        image = torch.where(chosen, CHANGES[kind](image, chance), image)
    return image
