"""Says what a picture shows: an independent judge of pictures that others generate.

A small residual network (He et al. 2016, batch norm after each convolution), made for two cores and for figures that
can be trusted rather than for a record. The judge of a figure must know nothing of the generator it judges: it is
trained on real pictures alone, and its own accuracy on the real test pictures stands beside every figure it gives.

    picture x [N, C, H, W] -> h [N, D], the mean over the last map -> logits [N, K]

One class a picture: softmax and cross entropy. Several (`many`): a sigmoid and binary cross entropy each.

Classes that are combinations ("small red cube": size, colour, shape) are read place by place (`factors`). At each
place u of the last map the head says whether something is there, and its size, colour and shape, each by a softmax:

    p(k at u) = sigmoid(o_u) softmax(s_u)[size of k] softmax(c_u)[colour of k] softmax(f_u)[shape of k]
    p(k)      = 1 - product over u of (1 - p(k at u)), "noisy or" (Maron & Lozano-Pérez 1997)

so every red solid teaches red whatever its shape, and what belongs together is what is at one place.

In training pictures are shifted, turned, scaled and mirrored by chance, which stands for more data; nothing of it
happens when it judges.
"""

import math
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from telldraw.batches import PictureFacts, Pictures
from telldraw.errors import TrainingError
from telldraw.protocols import Recipe, Update


@dataclass(frozen=True)
class Config:
    """Sizes, augmentation and step size."""

    resolution: int = 28
    """Side of the square pictures, in pixels; taken from the data set."""
    channels: int = 1
    """1 grey, 3 colour; taken from the data set."""
    num_classes: int = 10
    """Number of classes; taken from the data set."""
    many: bool = False
    """Whether a picture may show several classes; taken from the data set."""
    factors: tuple[int, ...] = ()
    """Of classes that are combinations of attributes: how many values each has, in the order of the words of a class's
    name (2 8 3 for "small gray cube" to "large yellow cylinder"); none: every class by itself."""
    widths: tuple[int, ...] = (32, 64)
    """Channels after each halving of the map."""
    dropout: float = 0.2
    """Share of the last features left out in training."""
    shift: float = 0.07
    """Largest shift in training, as a share of the side."""
    turn: float = 8.0
    """Largest turn in training, in degrees."""
    stretch: float = 0.08
    """Largest change of scale in training."""
    mirror: bool = False
    """Whether half of the pictures are mirrored in training, left and right."""
    rate: float = 2e-3
    """Adam step size at the beginning; it falls to zero along a half cosine over `steps`."""
    steps: int = 6000
    """Steps until the step size is zero; it stays there."""

    def __post_init__(self) -> None:
        if not self.widths:
            raise TrainingError("--config.widths: at least one number is needed")
        if self.resolution < 1 << len(self.widths):
            raise TrainingError(
                f"--config.resolution {self.resolution}: {len(self.widths)} halvings need at least "
                f"{1 << len(self.widths)} pixels"
            )
        if self.factors and (math.prod(self.factors) != self.num_classes or not self.many):
            raise TrainingError(
                f"--config.factors {' '.join(map(str, self.factors))}: {math.prod(self.factors)} classes are needed, "
                f"of which a picture may show several, and not {self.num_classes}"
            )


PRESETS = {
    "mnist": Config(),
    # 58 kinds of clip-art, 32 pixels wide
    "objects": Config(resolution=32, channels=3, num_classes=58, widths=(32, 64, 96), turn=4.0, steps=3000),
    # kinds of solids; colour and size are what is asked, so no picture is scaled and none is tinted
    "birds": Config(
        **{"resolution": 64, "channels": 3, "num_classes": 48, "many": True, "factors": (2, 8, 3)},
        **{"widths": (16, 48, 96), "dropout": 0.0},
        **{"shift": 0.05, "turn": 4.0, "stretch": 0.0, "mirror": True, "steps": 2000},
    ),
    # what people see in a face (CelebA's attributes); the colour of hair and skin is asked, so no picture is tinted
    "faces": Config(
        **{"resolution": 64, "channels": 3, "num_classes": 38, "many": True, "widths": (24, 48, 96, 128)},
        **{"dropout": 0.1, "shift": 0.05, "turn": 4.0, "stretch": 0.05, "mirror": True, "steps": 2000},
    ),
    # the same at half the width: features to train by, so that the judge has not been trained on
    "faces-features": Config(
        **{"resolution": 64, "channels": 3, "num_classes": 38, "many": True, "widths": (12, 24, 48, 64)},
        **{"dropout": 0.1, "shift": 0.05, "turn": 4.0, "stretch": 0.05, "mirror": True, "steps": 2000},
    ),
    "tiny": Config(widths=(4, 8), steps=100),
}
RECIPES = {
    "mnist": Recipe(batch_size=128, examples=768_000, sheet_every=100_000, decay=0.998, takes="7 minutes of one core"),
    "objects": Recipe(batch_size=128, examples=384_000, sheet_every=96_000, decay=0.998, takes="6 minutes of one core"),
    "birds": Recipe(batch_size=64, examples=128_000, sheet_every=32_000, decay=0.998, takes="4 minutes of one core"),
    "faces": Recipe(batch_size=64, examples=128_000, sheet_every=32_000, decay=0.998, takes="6 minutes of one core"),
    "faces-features": Recipe(
        batch_size=64, examples=128_000, sheet_every=32_000, decay=0.998, takes="3 minutes of one core"
    ),
}


_EMPTY = -4.0  # what the head begins with at each place: nothing is there


def _layer(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class Residual(nn.Module):
    """A layer whose result is added to its input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layer = _layer(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape."""
        return x + self.layer(x)


class System(nn.Module):
    """The classifier, and how it is trained."""

    training_only = ()

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        inputs = config.channels
        for outputs in config.widths:
            layers += [_layer(inputs, outputs, 3 if layers else 5, stride=2), Residual(outputs)]
            inputs = outputs
        self.body = nn.Sequential(*layers)
        if config.factors:
            self.head: nn.Module = nn.Conv2d(inputs, 1 + sum(config.factors), 1)
            nn.init.constant_(self.head.bias[:1], _EMPTY)  # type: ignore[index]
        else:
            self.head = nn.Linear(inputs, config.num_classes)

    def features(self, images: Tensor) -> Tensor:
        """images [N, C, H, W] in [-1, 1] -> [N, D], means over the last map, which the head reads."""
        return self._map(images).mean((2, 3)).float()

    def classify(self, images: Tensor) -> Tensor:
        """images [N, C, H, W] in [-1, 1] -> logits [N, K]."""
        return self._logits(images)

    def maps(self, images: Tensor) -> list[Tensor]:
        """images [N, C, H, W] in [-1, 1] -> the map after each halving, from fine to coarse, each [N, D, h, w].

        Grey networks take the mean of colours.
        """
        if images.shape[1] != self.config.channels:
            images = images.mean(1, keepdim=True).expand(-1, self.config.channels, -1, -1)
        x, found = images.contiguous(memory_format=torch.channels_last), []
        for layer in self.body:
            x = layer(x)
            if isinstance(layer, Residual):  # it ends the row of layers at one size
                found.append(x)
        return found

    def _map(self, images: Tensor) -> Tensor:
        """[N, C, H, W] -> the last map [N, D, h, w]."""
        return self.maps(images)[-1]

    def _logits(self, images: Tensor, dropout: float = 0.0) -> Tensor:
        if self.config.factors:
            seen = F.dropout(self._map(images), dropout, training=dropout > 0)
            return combined(self.head(seen).flatten(2).float(), self.config.factors)
        return self.head(F.dropout(self.features(images), dropout, training=dropout > 0))

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam."""
        return {"classifier": Adam(self.parameters(), self.config.rate)}

    def training_step(self, batch: Pictures, update: Update) -> None:
        """One step on a batch of varied pictures."""
        config = self.config
        update.rate("classifier", 0.5 + 0.5 * math.cos(math.pi * min(1.0, update.step / config.steps)))
        loss = self._loss(self._logits(self._varied(batch.image), config.dropout), batch.label)
        update("classifier", loss)
        update.record(classifier=loss)

    def losses(self, batch: Pictures) -> dict[str, Tensor]:
        """The loss on the pictures as they are, moving nothing."""
        with torch.no_grad():
            return {"classifier": self._loss(self.classify(batch.image), batch.label)}

    def measure(self, batch: Pictures) -> None:
        """Look at a batch in training mode, so that the running statistics become those of the present weights."""
        with torch.no_grad():
            self.features(self._varied(batch.image))

    def _loss(self, logits: Tensor, label: Tensor) -> Tensor:
        if self.config.many:
            return F.binary_cross_entropy_with_logits(logits, label)
        return F.cross_entropy(logits, label.argmax(1))

    def _varied(self, image: Tensor) -> Tensor:
        """[N, C, H, W], each picture shifted, turned, scaled and mirrored by chance; what comes in is its border."""
        config, count = self.config, len(image)
        if config.mirror:
            image = torch.where(torch.rand(count, 1, 1, 1, device=image.device) < 0.5, image.flip(3), image)
        if not (config.shift or config.turn or config.stretch):
            return image
        angle, scale, x, y = (2 * torch.rand(4, count, device=image.device) - 1).unbind()
        angle, scale = angle * math.radians(config.turn), 1 + scale * config.stretch
        cos, sin = scale * angle.cos(), scale * angle.sin()
        theta = torch.stack([cos, -sin, 2 * config.shift * x, sin, cos, 2 * config.shift * y], 1).view(count, 2, 3)
        grid = F.affine_grid(theta, list(image.shape), align_corners=False)
        return F.grid_sample(image, grid, padding_mode="border", align_corners=False)


def combined(read: Tensor, factors: tuple[int, ...]) -> Tensor:
    """What is read at P places, [N, 1 + sum of factors, P] -> logits [N, product of factors] of what is anywhere."""
    count, _, places = read.shape
    there, *attributes = read.split((1, *factors), 1)
    at = F.logsigmoid(there)  # [N, combinations, P], log p(k at u)
    for attribute in attributes:
        at = (at.unsqueeze(2) + attribute.log_softmax(1).unsqueeze(1)).view(count, -1, places)
    # the two bounds keep logarithms finite: no place is surer than 1 - 1e-6, no sum is rounded to nothing
    nowhere = torch.log1p(-at.clamp(max=-1e-6).exp()).sum(2).clamp(max=-1e-30)
    return (-torch.expm1(nowhere)).log() - nowhere


def build(config: Config, facts: PictureFacts) -> System:
    """A classifier sized for a set of pictures. Raises TrainingError when the set has no classes that it can learn."""
    if not facts.classes:
        raise TrainingError(f"the pictures of {facts.name} have no labels; a classifier needs a set with classes")
    if config.factors:
        words = [dict.fromkeys(column) for column in zip(*(name.split() for name in facts.classes), strict=False)]
        if facts.classes != tuple(map(" ".join, product(*words))) or tuple(map(len, words)) != config.factors:
            raise TrainingError(
                f"--config.factors {' '.join(map(str, config.factors))}: the classes of {facts.name} are no such "
                "combinations of words, in order; of clevr-birds, prepare with --kinds"
            )
    sizes = {"resolution": facts.resolution, "channels": facts.channels}
    return System(replace(config, **sizes, num_classes=len(facts.classes), many=facts.many))
