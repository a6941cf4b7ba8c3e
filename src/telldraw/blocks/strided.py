"""Strided convolutions as in DCGAN (Radford et al. 2016): how they begin, a stack of them, and a residual."""

from torch import Tensor, nn

from telldraw.blocks.residual import double_and_convolve
from telldraw.errors import TrainingError

SMALLEST = 4
"""Side of the smallest map, in pixels."""
DEVIATION = 0.02
"""Standard deviation of the weights at the beginning."""


def check_side(side: int, flag: str = "resolution") -> None:
    """Raise TrainingError for a side that doubling the smallest one does not reach."""
    sides = [SMALLEST << n for n in range(1, 7)]
    if side not in sides:
        raise TrainingError(
            f"--config.{flag} {side}: choose one of {', '.join(map(str, sides))}, because each layer doubles the side"
        )


def check_pictures(name: str, found: int, wanted: int) -> None:
    """Raise TrainingError when the pictures of a set have another side than the one to be drawn."""
    if found != wanted:
        raise TrainingError(
            f"the pictures of {name} are {found}x{found}, the preset draws {wanted}x{wanted}; prepare them with "
            f"--resolution {wanted} or set --config.resolution {found}"
        )


def begin(module: nn.Module) -> None:
    """Convolutions from N(0, 0.02), factors of norms from N(1, 0.02), their shifts zero; for `nn.Module.apply`.

    Linear layers stay as PyTorch begins them: drawn from N(0, 0.02) those that read a condition make little of it.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, DEVIATION)
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.GroupNorm):
        nn.init.normal_(module.weight, 1.0, DEVIATION)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def norm(kind: str, channels: int) -> list[nn.Module]:
    """One norm or none. "layer" is over a whole picture's maps, "instance" over each of its maps."""
    norms = {
        "batch": lambda: [nn.BatchNorm2d(channels)],
        "layer": lambda: [nn.GroupNorm(1, channels)],
        "instance": lambda: [nn.GroupNorm(channels, channels)],
        "none": list,
    }
    return norms[kind]()


class Enlarge(nn.Conv2d):
    """Nearest enlargement and a 3x3 convolution: all pixels are covered equally often (Odena et al. 2016).

    As much work as a transposed 4x4 convolution with stride 2, whose pattern shows in even areas.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = False) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C', 2H, 2W]."""
        larger = double_and_convolve(input, self.weight)
        return larger if self.bias is None else larger + self.bias.view(-1, 1, 1)


class Stem(nn.Module):
    """A bottleneck residual of the code of Reed et al. 2016: 1x1 to a quarter of the channels, 3x3, 3x3 back, added."""

    def __init__(self, channels: int, slope: float) -> None:
        """slope: of the LeakyReLUs; 0 for ReLUs."""
        super().__init__()
        narrow = channels // 4
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels, narrow, 1, bias=False), nn.BatchNorm2d(narrow), nn.LeakyReLU(slope, inplace=True)),
            *(nn.Conv2d(narrow, narrow, 3, 1, 1, bias=False), nn.BatchNorm2d(narrow)),
            *(nn.LeakyReLU(slope, inplace=True), nn.Conv2d(narrow, channels, 3, 1, 1, bias=False)),
            nn.BatchNorm2d(channels),
        )
        self.activation = nn.LeakyReLU(slope, inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape."""
        return self.activation(features + self.layers(features))


def halving(channels: int, width: int, halvings: int, *, stem: bool = False, normed: str = "batch") -> list[nn.Module]:
    """Layers from a picture to its smallest map: the side halved and the width doubled each time, then a residual.

    normed: the norm of all layers but the first (`norm`); a stem has batch norm in any case.
    """
    widths = [width << n for n in range(halvings)]
    layers: list[nn.Module] = []
    for inputs, outputs in zip([channels, *widths], widths, strict=False):
        own = norm(normed, outputs) if layers else []
        layers.append(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=not own))
        layers += [*own, nn.LeakyReLU(0.2, inplace=True)]
    if stem:
        layers[-1] = Stem(widths[-1], 0.2)
    return layers
