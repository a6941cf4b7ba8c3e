"""Inception-v3 (Szegedy et al. 2016, arXiv:1512.00567), by the names of public weight files: its trunk, and two heads.

Layers are called as in torchvision and in the files ported from TensorFlow (`Mixed_5b.branch5x5_1.conv.weight`), so
that either kind of file fits without a table of translations. The two differ in one thing, how a block pools its
input beside its convolutions, and so the pooling is an argument.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Pool = Callable[[Tensor], Tensor]
"""[N, C, H, W] -> [N, C, H, W]: what a block of stride 1 does beside its convolutions."""
Kernel = int | tuple[int, int]
Step = tuple[str, int, Kernel]
"""Name of a convolution, its channels out, its kernel."""
Branch = tuple[tuple[Step, ...], ...]
"""Convolutions one after the other; a stage of several is a fork, whose results are joined."""

CHANNELS = 2048
"""Of the last map."""
SMALLEST = 75
"""Side of the smallest picture that leaves a last map of one pixel."""


def average_with_border(x: Tensor) -> Tensor:
    """Mean of 3 x 3, the zeros beyond the edge counted: torchvision's."""
    return F.avg_pool2d(x, 3, stride=1, padding=1)


def average_inside(x: Tensor) -> Tensor:
    """Mean of the part of 3 x 3 that lies inside the map: TensorFlow's."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def maximum(x: Tensor) -> Tensor:
    """Largest of 3 x 3: what the network of the FID does in its last block."""
    return F.max_pool2d(x, 3, stride=1, padding=1)


class Convolution(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, fan_in: int, fan_out: int, kernel: Kernel, *, stride: int = 1, padded: bool = True) -> None:
        """`padded` keeps the size of the map (at stride 1)."""
        super().__init__()
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (sides[0] // 2, sides[1] // 2) if padded else (0, 0)
        self.conv = nn.Conv2d(fan_in, fan_out, sides, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(fan_out, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """[N, fan_in, H, W] -> [N, fan_out, H', W']."""
        return F.relu(self.bn(self.conv(x)))


def _chain(name: str, *steps: tuple[int, Kernel]) -> Branch:
    """A branch without a fork: its layers are `name`, or `name_1`, `name_2`, ..."""
    if len(steps) == 1:
        return (((name, *steps[0]),),)
    return tuple(((f"{name}_{number}", *step),) for number, step in enumerate(steps, 1))


def _fork(name: str, channels: int, *steps: tuple[int, Kernel]) -> Branch:
    """A chain that ends in a 1 x 3 and a 3 x 1 beside each other, `name_Na` and `name_Nb`."""
    last = f"{name}_{len(steps) + 1}"
    before = tuple(((f"{name}_{number}", *step),) for number, step in enumerate(steps, 1))
    return (*before, ((f"{last}a", channels, (1, 3)), (f"{last}b", channels, (3, 1))))


class Mixed(nn.Module):
    """Branches of one input, joined by channels; the pooled input is the last of them."""

    def __init__(self, fan_in: int, branches: tuple[Branch, ...], *, pool: Pool | None, pooled: int = 0) -> None:
        """With `pool` the map keeps its size and a 1 x 1 makes `pooled` channels of what was pooled.

        Without, the map is halved: the last step of each branch has stride 2, and so has a max pooling.
        """
        super().__init__()
        self.pool, self.names = pool, [[[step[0] for step in stage] for stage in branch] for branch in branches]
        self.channels = pooled or fan_in
        for branch in branches:
            width = fan_in
            for number, stage in enumerate(branch, 1):
                halves = pool is None and number == len(branch)
                for name, fan_out, kernel in stage:
                    layer = Convolution(width, fan_out, kernel, stride=1 + halves, padded=not halves)
                    self.add_module(name, layer)
                width = sum(fan_out for _, fan_out, _ in stage)
            self.channels += width
        if pool is not None:
            self.branch_pool = Convolution(fan_in, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, fan_in, H, W] -> [N, channels, H, W], or half the size."""
        parts = []
        for branch in self.names:
            part = x
            for stage in branch:
                part = torch.cat([self.get_submodule(name)(part) for name in stage], 1)
            parts.append(part)
        parts.append(F.max_pool2d(x, 3, stride=2) if self.pool is None else self.branch_pool(self.pool(x)))
        return torch.cat(parts, 1)


def mixed_35(fan_in: int, pooled: int, pool: Pool) -> Mixed:
    """Fig. 5 of the paper, on maps of 35 x 35."""
    double = _chain("branch3x3dbl", (64, 1), (96, 3), (96, 3))
    return Mixed(
        fan_in,
        (_chain("branch1x1", (64, 1)), _chain("branch5x5", (48, 1), (64, 5)), double),
        pool=pool,
        pooled=pooled,
    )


def mixed_17(fan_in: int, width: int, pool: Pool) -> Mixed:
    """Fig. 6 of the paper with n = 7, on maps of 17 x 17."""
    wide, tall = (width, (1, 7)), (width, (7, 1))
    return Mixed(
        fan_in,
        (
            _chain("branch1x1", (192, 1)),
            _chain("branch7x7", (width, 1), wide, (192, (7, 1))),
            _chain("branch7x7dbl", (width, 1), tall, wide, tall, (192, (1, 7))),
        ),
        pool=pool,
        pooled=192,
    )


def mixed_8(fan_in: int, pool: Pool) -> Mixed:
    """Fig. 7 of the paper, on maps of 8 x 8."""
    branches = (
        _chain("branch1x1", (320, 1)),
        _fork("branch3x3", 384, (384, 1)),
        _fork("branch3x3dbl", 384, (448, 1), (384, 3)),
    )
    return Mixed(fan_in, branches, pool=pool, pooled=192)


def halve_35(fan_in: int) -> Mixed:
    """From maps of 35 x 35 to 17 x 17 (Fig. 10 of the paper)."""
    branches = (_chain("branch3x3", (384, 3)), _chain("branch3x3dbl", (64, 1), (96, 3), (96, 3)))
    return Mixed(fan_in, branches, pool=None)


def halve_17(fan_in: int) -> Mixed:
    """From maps of 17 x 17 to 8 x 8 (Fig. 10 of the paper, with a 7 x 7 in one branch)."""
    long = _chain("branch7x7x3", (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3))
    return Mixed(fan_in, (_chain("branch3x3", (192, 1), (320, 3)), long), pool=None)


class Trunk(nn.Module):
    """Table 1 of the paper without what follows its last block: 42 layers deep, 21.8 million weights."""

    def __init__(self, pool: Pool = average_with_border, last_pool: Pool | None = None) -> None:
        """`last_pool` is that of the last block, where it differs."""
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, stride=2, padded=False)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3, padded=False)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3, padded=False)
        self.Mixed_5b = mixed_35(192, 32, pool)
        self.Mixed_5c = mixed_35(256, 64, pool)
        self.Mixed_5d = mixed_35(288, 64, pool)
        self.Mixed_6a = halve_35(288)
        self.Mixed_6b = mixed_17(768, 128, pool)
        self.Mixed_6c = mixed_17(768, 160, pool)
        self.Mixed_6d = mixed_17(768, 160, pool)
        self.Mixed_6e = mixed_17(768, 192, pool)
        self.Mixed_7a = halve_17(768)
        self.Mixed_7b = mixed_8(1280, pool)
        self.Mixed_7c = mixed_8(2048, last_pool or pool)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W], 299 pixels a side in the paper and at least `SMALLEST` -> [N, 2048, h, w], 8 x 8 for 299.

        Pixels as the weights expect them: [-1, 1] for those from TensorFlow.
        """
        return self.last(self.middle(x))

    def middle(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, 768, h, w], 17 x 17 for 299."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = F.max_pool2d(x, 3, stride=2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = F.max_pool2d(x, 3, stride=2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        return self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))

    def last(self, x: Tensor) -> Tensor:
        """[N, 768, h, w] -> [N, 2048, h', w'], 8 x 8 for 17 x 17."""
        return self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))


class Auxiliary(nn.Module):
    """The side head on the 17 x 17 map."""

    def __init__(self, fan_in: int, outputs: int) -> None:
        super().__init__()
        self.conv0 = Convolution(fan_in, 128, 1)
        self.conv1 = Convolution(128, 768, 5, padded=False)
        self.fc = nn.Linear(768, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[N, fan_in, 17, 17] -> [N, outputs]."""
        return self.fc(self.conv1(self.conv0(F.avg_pool2d(x, 5, stride=3))).mean((2, 3)))


class Inception(Trunk):
    """Inception-v3 with two heads of `outputs` numbers each; 299 x 299 pictures, to be trained.

    A `Trunk` and not around one, because the published weights know no `trunk.` in their names.
    """

    side = 299

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.AuxLogits = Auxiliary(768, outputs)
        self.fc = nn.Linear(CHANNELS, outputs)
        for name, module in self.named_modules():  # torchvision's deviations, cut off at two of them
            if isinstance(module, nn.Conv2d | nn.Linear):
                deviation = {"AuxLogits.conv1.conv": 0.01, "AuxLogits.fc": 0.001}.get(name, 0.1)
                nn.init.trunc_normal_(module.weight, std=deviation, a=-2 * deviation, b=2 * deviation)

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[N, 3, 299, 299] -> the main and the side head's [N, outputs], both always."""
        x = self.middle(x)
        side = self.AuxLogits(x)
        return self.fc(F.dropout(self.last(x).mean((2, 3)), training=self.training)), side
