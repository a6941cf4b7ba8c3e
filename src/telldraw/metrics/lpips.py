"""LPIPS: distance of two pictures in the features of a classifier (Zhang et al. 2018, arXiv:1801.03924, version 0.1).

Nothing is downloaded. The user gives a folder with two files for one of two classifiers:

| | classifier, from torchvision | linear heads, from the `lpips` package (`lpips/weights/v0.1`) |
| --- | --- | --- |
| alex | `alexnet-owt-*.pth` | `alex.pth` |
| vgg | `vgg16-*.pth` | `vgg.pth` |

Both are read with `weights_only=True`: nothing in them is executed. torchvision itself is not needed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from telldraw.errors import WeightsError
from telldraw.metrics import state_dicts

_SHIFT = (-0.030, -0.088, -0.188)  # of ImageNet's normalisation, for pixels in [-1, 1]
_SCALE = (0.458, 0.448, 0.450)
_HINT = "is it the file that telldraw.metrics.lpips names?"


@dataclass(frozen=True)
class Backbone:
    """A classifier as torchvision lays it out: `features` is a row of layers, and these are their places in it."""

    pattern: str
    """File name of the classifier."""
    heads: str
    """File name of the linear heads."""
    convolutions: dict[int, tuple[int, int, int, int, int]]
    """Place -> channels in, channels out, kernel, stride, padding. A ReLU follows each."""
    pools: dict[int, tuple[int, int]]
    """Place -> kernel and stride of a max pooling."""
    taps: tuple[int, ...]
    """Places of the ReLUs whose output is compared."""
    smallest: int
    """Side of the smallest picture that reaches the last tap, in pixels."""


BACKBONES = {
    "alex": Backbone(
        "alexnet-owt-*.pth",
        "alex.pth",
        {0: (3, 64, 11, 4, 2), 3: (64, 192, 5, 1, 2), 6: (192, 384, 3, 1, 1), 8: (384, 256, 3, 1, 1)}
        | {10: (256, 256, 3, 1, 1)},
        {2: (3, 2), 5: (3, 2)},
        (1, 4, 7, 9, 11),
        31,
    ),
    "vgg": Backbone(
        "vgg16-*.pth",
        "vgg.pth",
        {
            place: (fan_in, fan_out, 3, 1, 1)
            for place, (fan_in, fan_out) in zip(
                (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
                pairwise((3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)),
                strict=True,
            )
        },
        {4: (2, 2), 9: (2, 2), 16: (2, 2), 23: (2, 2)},
        (3, 8, 15, 22, 29),
        16,
    ),
}


class LPIPS(nn.Module):
    """The distance, frozen: call it with drawn and true, both [N, 3, H, W] in [-1, 1] -> [N], 0 for equal pictures."""

    shift: Tensor
    scale: Tensor

    def __init__(self, backbone: str = "alex") -> None:
        """`backbone` is a name of `BACKBONES`; weights are random until `from_folder` or a state dict sets them."""
        super().__init__()
        self.backbone, self.plan = backbone, BACKBONES[backbone]
        layers: list[nn.Module] = []
        for place in range(self.plan.taps[-1] + 1):
            if place in self.plan.convolutions:
                fan_in, fan_out, kernel, stride, padding = self.plan.convolutions[place]
                layers.append(nn.Conv2d(fan_in, fan_out, kernel, stride, padding))
            elif place in self.plan.pools:
                layers.append(nn.MaxPool2d(*self.plan.pools[place]))
            else:
                layers.append(nn.ReLU())
        self.features = nn.Sequential(*layers)
        widths = [self.plan.convolutions[tap - 1][1] for tap in self.plan.taps]
        self.heads = nn.ParameterList([nn.Parameter(torch.full((1, width, 1, 1), 1 / width)) for width in widths])
        self.register_buffer("shift", torch.tensor(_SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(_SCALE).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False).eval()

    def compared(self, pixels: Tensor) -> list[Tensor]:
        """pixels [N, 3, H, W] in [-1, 1] -> features at each tap [N, C, h, w], of unit length at every place."""
        pixels, units = (pixels - self.shift) / self.scale, []
        for place, layer in enumerate(self.features):
            pixels = layer(pixels)
            if place in self.plan.taps:
                # the norm's own gradient is 0 where all channels are, that of a root of a sum is not a number
                units.append(pixels / (torch.linalg.vector_norm(pixels, dim=1, keepdim=True) + 1e-10))
        return units

    def forward(self, drawn: Tensor, true: Tensor) -> Tensor:
        """Eq. 1 of the paper: weighted squared differences, averaged over places and summed over layers -> [N].

        Raises ValueError when the two differ in shape or are too small for the last layer.
        """
        if drawn.shape != true.shape or drawn.dim() != 4 or drawn.shape[1] != 3:
            raise ValueError(f"two batches [N, 3, H, W] were expected, not {tuple(drawn.shape)}, {tuple(true.shape)}")
        if min(drawn.shape[-2:]) < self.plan.smallest:
            raise ValueError(f"LPIPS ({self.backbone}) needs pictures of at least {self.plan.smallest} pixels a side")
        total = drawn.new_zeros(len(drawn))
        for head, x, y in zip(self.heads, self.compared(drawn), self.compared(true), strict=True):
            total = total + ((x - y).square() * head).sum(1).mean((1, 2))
        return total

    def score(self, drawn: Tensor, true: Tensor, objects: Tensor, position: Tensor) -> dict[str, Tensor]:
        """The distance as a scorer of `metrics.evaluation`: figures [N] by name. Objects and places are not used."""
        return {"lpips": self(drawn, true)}


def diversity(distance: Callable[[Tensor, Tensor], Tensor], drawings: Tensor) -> Tensor:
    """How different drawings of the same words are: drawings [G, K, 3, H, W] in [-1, 1] -> [G], 0 if all K are equal.

    The mean distance of the K (K - 1) / 2 pairs, as in Zhu et al. 2017 (BicycleGAN, arXiv:1711.11586), section 4. This
    is `lpips_diversity`, and higher is better; `lpips`, to the true picture, is another figure, and lower is better.
    Raises ValueError when there are fewer than two drawings of the same words.
    """
    if drawings.dim() != 5 or drawings.shape[1] < 2:
        raise ValueError(f"drawings [G, K, 3, H, W] with K of at least 2 were expected, not {tuple(drawings.shape)}")
    pairs = list(combinations(range(drawings.shape[1]), 2))
    return torch.stack([distance(drawings[:, one], drawings[:, other]) for one, other in pairs]).mean(0)


def from_folder(folder: Path) -> LPIPS:
    """The distance with the weights found in `folder`; AlexNet, the authors' choice for scores, before VGG.

    Raises WeightsError, naming what is missing or does not fit.
    """
    for name, plan in BACKBONES.items():
        classifiers = sorted(folder.glob(plan.pattern))
        if classifiers and (folder / plan.heads).is_file():
            distance = LPIPS(name)
            # the classifier's own last layers stay in the file
            for targets, form, path in (
                (distance.features, "features.{}", classifiers[0]),
                (distance.heads, "lin{}.model.1.weight", folder / plan.heads),
            ):
                state_dicts.copy(dict(targets.named_parameters()), form, state_dicts.read(path), path, _HINT)
            return distance
    wanted = " or ".join(f"{plan.pattern} with {plan.heads}" for plan in BACKBONES.values())
    raise WeightsError(f"no weights for LPIPS in {folder}: {wanted} is needed (telldraw.metrics.lpips says where from)")
