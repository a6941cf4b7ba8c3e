"""The trunk of Inception-v3: Szegedy et al. 2016 (arXiv:1512.00567), Table 1, as PyTorch's users know it.

The names of the modules are those of the published weights, so that these load; the layers are written anew.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_Size = int | tuple[int, int]


class Convolution(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: _Size, *, stride: int = 1, padding: _Size = 0, deviation: float = 0.1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)
        nn.init.trunc_normal_(self.conv.weight, std=deviation, a=-2 * deviation, b=2 * deviation)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H', W']."""
        return F.relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """Branches side by side on the same map; each is a chain of named convolutions, of which the last may fork."""

    def __init__(
        self, chains: Sequence[Sequence[str | tuple[str, ...]]], pool: str, layers: Mapping[str, nn.Module]
    ) -> None:
        """`chains` name the layers of each branch in order; a tuple is a fork. pool: "mean", or "max" with stride 2."""
        super().__init__()
        self.chains, self.pool = chains, pool
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the joined channels of all branches, the pooled one last."""
        joined = []
        for chain in self.chains:
            y = x
            for step in chain:
                names = (step,) if isinstance(step, str) else step
                y = torch.cat([self.get_submodule(name)(y) for name in names], 1)
            joined.append(y)
        if self.pool == "max":
            joined.append(F.max_pool2d(x, 3, stride=2))
        else:
            joined.append(self.get_submodule("branch_pool")(F.avg_pool2d(x, 3, stride=1, padding=1)))
        return torch.cat(joined, 1)


def _strip(inputs: int, outputs: int, length: int, *, down: bool) -> Convolution:
    """A convolution of 1 x length, or of length x 1: together they do the work of a square."""
    if down:
        return Convolution(inputs, outputs, (length, 1), padding=(length // 2, 0))
    return Convolution(inputs, outputs, (1, length), padding=(0, length // 2))


def _mixed_35(inputs: int, pooled: int) -> Mixed:
    """At 35 x 35: Fig. 5 of the paper, with a 5x5 kept."""
    layers = {
        "branch1x1": Convolution(inputs, 64, 1),
        "branch5x5_1": Convolution(inputs, 48, 1),
        "branch5x5_2": Convolution(48, 64, 5, padding=2),
        "branch3x3dbl_1": Convolution(inputs, 64, 1),
        "branch3x3dbl_2": Convolution(64, 96, 3, padding=1),
        "branch3x3dbl_3": Convolution(96, 96, 3, padding=1),
        "branch_pool": Convolution(inputs, pooled, 1),
    }
    double = ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")
    return Mixed([("branch1x1",), ("branch5x5_1", "branch5x5_2"), double], "mean", layers)


def _to_17(inputs: int) -> Mixed:
    """From 35 x 35 to 17 x 17: Fig. 10."""
    layers = {
        "branch3x3": Convolution(inputs, 384, 3, stride=2),
        "branch3x3dbl_1": Convolution(inputs, 64, 1),
        "branch3x3dbl_2": Convolution(64, 96, 3, padding=1),
        "branch3x3dbl_3": Convolution(96, 96, 3, stride=2),
    }
    return Mixed([("branch3x3",), ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")], "max", layers)


def _mixed_17(inputs: int, inner: int) -> Mixed:
    """At 17 x 17: Fig. 6 with n = 7."""
    layers = {
        "branch1x1": Convolution(inputs, 192, 1),
        "branch7x7_1": Convolution(inputs, inner, 1),
        "branch7x7_2": _strip(inner, inner, 7, down=False),
        "branch7x7_3": _strip(inner, 192, 7, down=True),
        "branch7x7dbl_1": Convolution(inputs, inner, 1),
        "branch7x7dbl_2": _strip(inner, inner, 7, down=True),
        "branch7x7dbl_3": _strip(inner, inner, 7, down=False),
        "branch7x7dbl_4": _strip(inner, inner, 7, down=True),
        "branch7x7dbl_5": _strip(inner, 192, 7, down=False),
        "branch_pool": Convolution(inputs, 192, 1),
    }
    single = [f"branch7x7_{n}" for n in (1, 2, 3)]
    double = [f"branch7x7dbl_{n}" for n in (1, 2, 3, 4, 5)]
    return Mixed([("branch1x1",), single, double], "mean", layers)


def _to_8(inputs: int) -> Mixed:
    """From 17 x 17 to 8 x 8."""
    layers = {
        "branch3x3_1": Convolution(inputs, 192, 1),
        "branch3x3_2": Convolution(192, 320, 3, stride=2),
        "branch7x7x3_1": Convolution(inputs, 192, 1),
        "branch7x7x3_2": _strip(192, 192, 7, down=False),
        "branch7x7x3_3": _strip(192, 192, 7, down=True),
        "branch7x7x3_4": Convolution(192, 192, 3, stride=2),
    }
    return Mixed([("branch3x3_1", "branch3x3_2"), [f"branch7x7x3_{n}" for n in (1, 2, 3, 4)]], "max", layers)


def _mixed_8(inputs: int) -> Mixed:
    """At 8 x 8: Fig. 7."""
    layers = {
        "branch1x1": Convolution(inputs, 320, 1),
        "branch3x3_1": Convolution(inputs, 384, 1),
        "branch3x3_2a": _strip(384, 384, 3, down=False),
        "branch3x3_2b": _strip(384, 384, 3, down=True),
        "branch3x3dbl_1": Convolution(inputs, 448, 1),
        "branch3x3dbl_2": Convolution(448, 384, 3, padding=1),
        "branch3x3dbl_3a": _strip(384, 384, 3, down=False),
        "branch3x3dbl_3b": _strip(384, 384, 3, down=True),
        "branch_pool": Convolution(inputs, 192, 1),
    }
    single = ("branch3x3_1", ("branch3x3_2a", "branch3x3_2b"))
    double = ("branch3x3dbl_1", "branch3x3dbl_2", ("branch3x3dbl_3a", "branch3x3dbl_3b"))
    return Mixed([("branch1x1",), single, double], "mean", layers)


class Auxiliary(nn.Module):
    """The side head on the 17 x 17 map."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv0 = Convolution(inputs, 128, 1)
        self.conv1 = Convolution(128, 768, 5, deviation=0.01)
        self.fc = nn.Linear(768, outputs)
        nn.init.trunc_normal_(self.fc.weight, std=0.001, a=-0.002, b=0.002)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, 17, 17] -> [N, outputs]."""
        return self.fc(self.conv1(self.conv0(F.avg_pool2d(x, 5, stride=3))).mean((2, 3)))


class Inception(nn.Module):
    """Inception-v3 with two heads of `outputs` numbers each; 299 x 299 pictures as ImageNet's weights expect them."""

    side = 299

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _mixed_35(192, 32), _mixed_35(256, 64), _mixed_35(288, 64)
        self.Mixed_6a = _to_17(288)
        self.Mixed_6b, self.Mixed_6c = _mixed_17(768, 128), _mixed_17(768, 160)
        self.Mixed_6d, self.Mixed_6e = _mixed_17(768, 160), _mixed_17(768, 192)
        self.AuxLogits = Auxiliary(768, outputs)
        self.Mixed_7a = _to_8(768)
        self.Mixed_7b, self.Mixed_7c = _mixed_8(1280), _mixed_8(2048)
        self.fc = nn.Linear(2048, outputs)
        nn.init.trunc_normal_(self.fc.weight, std=0.1, a=-0.2, b=0.2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x [N, 3, 299, 299] -> the main and the side head's [N, outputs], both always."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, stride=2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, stride=2))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        side = self.AuxLogits(x)
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        return self.fc(F.dropout(x.mean((2, 3)), training=self.training)), side
