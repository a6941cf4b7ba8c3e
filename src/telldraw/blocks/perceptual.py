"""Perceptual distances to train by: how far two pictures are in the features of a frozen network.

    classifier, detector  of each map after a halving the features made a unit vector at every place; their squared
                          difference, summed over channels, averaged over places and maps: LPIPS (Zhang et al. 2018,
                          Eq. 1) with all weights 1. 0 for equal pictures, at most 4.
    vgg16                 mean squared difference of relu4_3 of VGG-16 (Simonyan & Zisserman 2015): the F of in-domain
                          inversion (Zhu et al., ECCV 2020), whose code weighs it 5e-5 beside a pixel error in [-1, 1]
    lpips                 LPIPS itself (`metrics/lpips.py`)

The scale of VGG's features depends on whose weights these are. Caffe's, which in-domain inversion uses, expect BGR
from 0 to 255 less the mean of ImageNet, and the squared differences are some thousands; torchvision's expect RGB from 0
to 1, normalised, and they are about a thousandth of that. So a weight of a loss belongs to one kind of weights alone.

A `Perceptual` is no module: whoever has one as an attribute neither trains nor saves it.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

CAFFE_MEAN = (103.939, 116.779, 123.68)
"""Of blue, green and red, from 0 to 255."""
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of red, green and blue, from 0 to 1."""
CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)
"""Places of VGG-16's convolutions in torchvision's row of layers, as far as relu4_3, which is place 22."""
POOLS = (4, 9, 16)
Scale = Literal["caffe", "torchvision"]

# A place where a map is all but zero has no direction: with a bound like LPIPS's 1e-10 its gradient would be huge.
_SMALL = 1e-3


class Perceptual:
    """A frozen distance of pictures, with the name of the network whose features it compares."""

    def __init__(
        self,
        name: str,
        network: nn.Module,
        measure: Callable[[Tensor, Tensor], Tensor],
        *,
        weight: float,
        least: int = 1,
    ) -> None:
        """`measure`: two batches [N, 3, H, W] in [-1, 1] -> [N], by `network`, which is frozen here.

        `weight` is the usual one in a loss beside the mean squared error of pixels in [-1, 1]; `least` is the side of
        the smallest picture, in pixels.
        """
        self.name, self.network, self._measure = name, network.requires_grad_(False).eval(), measure
        self.weight, self.least = weight, least

    def __deepcopy__(self, memo: Any) -> "Perceptual":
        return self  # nothing of it changes, so copies of a system share it

    def to(self, device: torch.device | str) -> "Perceptual":
        """Move the network."""
        self.network.to(device)
        return self

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """x, y [N, C, H, W] in [-1, 1], C of 1 or 3 -> [N], 0 for equal pictures; differentiable in both.

        Raises ValueError when the two differ in shape, or are too small.
        """
        if x.shape != y.shape or x.dim() != 4 or x.shape[1] not in (1, 3):
            raise ValueError(f"two batches [N, 3, H, W] were expected, not {tuple(x.shape)} and {tuple(y.shape)}")
        if min(x.shape[-2:]) < self.least:
            raise ValueError(f"{self.name} needs pictures of at least {self.least} pixels a side")
        return self._measure(*(each.expand(-1, 3, -1, -1).float() for each in (x, y)))

    __call__ = distance


def of_maps(
    name: str, network: nn.Module, maps: Callable[[Tensor], list[Tensor]], *, weight: float, least: int = 1
) -> Perceptual:
    """The distance in the maps of a network: `maps` gives those of pictures [N, 3, H, W], each [N, D, h, w]."""

    def measure(x: Tensor, y: Tensor) -> Tensor:
        pairs = zip(maps(x), maps(y), strict=True)
        each = [(unit(a) - unit(b)).square().sum(1).mean((1, 2)) for a, b in pairs]
        return torch.stack(each).mean(0)

    return Perceptual(name, network, measure, weight=weight, least=least)


def unit(x: Tensor) -> Tensor:
    """A map [N, D, h, w] with the features at each place divided by their length; what is near zero stays near zero."""
    x = x.float()
    return x * (x.square().sum(1, keepdim=True) + _SMALL**2).rsqrt()


class VGG16(nn.Module):
    """The first ten convolutions of VGG-16, to relu4_3; `features` has torchvision's places."""

    least = 8

    def __init__(self, scale: Scale) -> None:
        """`scale`: what the weights expect pixels to be."""
        super().__init__()
        self.scale: Scale = scale
        widths = iter(pairwise((3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512)))
        layers: list[nn.Module] = []
        for place in range(CONVOLUTIONS[-1] + 2):
            if place in CONVOLUTIONS:
                layers.append(nn.Conv2d(*next(widths), 3, padding=1))
            else:
                layers.append(nn.MaxPool2d(2) if place in POOLS else nn.ReLU())
        self.features = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """images [N, 3, H, W] in [-1, 1] -> relu4_3 [N, 512, H / 8, W / 8]."""
        share = (images + 1) / 2
        if self.scale == "caffe":
            return self.features(255 * share.flip(1) - share.new_tensor(CAFFE_MEAN).view(3, 1, 1))
        mean, deviation = (share.new_tensor(each).view(3, 1, 1) for each in (IMAGENET_MEAN, IMAGENET_DEVIATION))
        return self.features((share - mean) / deviation)


WEIGHTS: dict[Scale, float] = {"caffe": 5e-5, "torchvision": 0.1}
"""The usual weight of VGG's distance beside a pixel error: that of in-domain inversion's code, and an estimate."""


def of_vgg(name: str, network: VGG16) -> Perceptual:
    """The mean squared difference of relu4_3."""

    def measure(x: Tensor, y: Tensor) -> Tensor:
        return (network(x) - network(y)).square().mean((1, 2, 3))

    return Perceptual(name, network, measure, weight=WEIGHTS[network.scale], least=network.least)


class Perceiving:
    """A part of systems that compare pictures by F, a network that they are handed and that is no part of them."""

    config: Any
    _perceptual: Any = None

    def perceive(self, perceptual: Any) -> None:
        """Hand in F: something with `distance(x, y) -> [N]`. It is no part of the weights."""
        self._perceptual = perceptual

    @property
    def perceives(self) -> bool:
        """Whether F takes part in the training."""
        return self.config.perceptual_weight > 0

    @property
    def distance(self) -> Callable[[Tensor, Tensor], Tensor] | None:
        """F's distance of pictures [N, C, H, W], [N], where there is one."""
        return None if self._perceptual is None else self._perceptual.distance
