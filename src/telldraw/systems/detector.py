"""Names and locates the objects of a picture: the detector and localiser behind GeNeVA's scores.

El-Nouby et al. 2019, Sec. 4.2, and what their released code adds to it. Two networks answer the same question:

    image x -> probability [N, C] that each class is in the picture, position [N, C, K] of each as if it were

K coordinates: x / width and y / height, and depth / 2 where the data's second relation is depth (CoDraw).

`inception` is the released one: Inception-v3 at 299 x 299; main head f [N, 512], side head g [N, 512], also in use when
it does not train. probability = sigmoid(Linear(Linear(f))), position = Linear(Linear([f, g])), nothing in between. Its
published weights load (`from_published`). Loss: binary cross entropy with class weights 1 / frequency (sum 1),
positives twice, their target 0.9, summed over classes and averaged over pictures, + 0.0001 x squared error of the
coordinates of what is there, SUMMED over the batch, so that its weight grows with the batch. Adam (amsgrad) 1e-3,
halved every 30 passes over the data.

`maps` is ours, for two cores and small pictures. Where it departs from the released one:

1.  It works at the picture's own 64 or 128 pixels. Sunglasses are four pixels wide there; enlarging adds none.
2.  No pooling over the picture: each class has a map of logits, m. An object is nowhere, or in one cell, so one softmax
    over all cells and "nowhere" (logit 0) is the whole model: probability = sigmoid(logsumexp m), position = the mean
    of the cells under softmax(m). The cells reach half a cell beyond the picture's border, because centres do.
3.  Its loss is -log of that softmax at the truth (`objectives.location`), which teaches name and place at once. No
    class weights, no doubled positives, no label smoothing.
4.  Depth, which has no place in the picture, is read from a second map at the object's cells; its squared error is a
    mean over what is there, times `depth_weight`.
5.  Pictures may be mirrored, roughened, blurred and tinted in training (`mirror`, `noise`, `blur`, `tint`), because
    what drawers draw is neither clean nor sharp, and its colours drift.
6.  The weights that detect are a moving average, as those of every system here.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from telldraw.batches import Dialogues, Facts
from telldraw.blocks.inception import Inception
from telldraw.errors import TrainingError, WeightsError
from telldraw.objectives.location import (
    absent_or_at_one_place,
    masked_squared_error,
    weighted_binary_cross_entropy,
)
from telldraw.protocols import Detected, Update

MARGIN = 1
"""Cells of a map outside the picture, on each side."""
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Config:
    """Sizes, objectives and step sizes."""

    network: Literal["maps", "inception"] = "maps"
    """The released network, or ours for small pictures."""
    resolution: int = 64
    """Side of the square pictures, in pixels."""
    num_objects: int = 58
    """Number of object classes; taken from the data set."""
    coordinates: int = 3
    """Numbers in a position: x, y and, where the data has it, depth; taken from the data set."""
    channels: tuple[int, ...] = (48, 96, 160)
    """maps: channels after each halving; the class maps are at the last but one."""
    depth_weight: float = 5.0
    """maps: weight of the squared error of the depth (0, 0.5 or 1)."""
    mirror: float = 0.0
    """Probability that a picture is mirrored left to right in training."""
    noise: float = 0.0
    """Largest standard deviation of noise added to a picture in training, in units of [-1, 1]; each has its own."""
    blur: float = 0.0
    """Probability that a picture is blurred in training, to a random degree, at most by a 1-2-1 window twice."""
    tint: float = 0.0
    """Largest change of the contrast and of the brightness of each channel of a picture in training."""
    position_weight: float = 1e-4
    """inception: weight of the squared error of coordinates, summed over the batch."""
    positive_weight: float = 2.0
    """inception: how often an object that is there counts."""
    certainty: float = 0.9
    """inception: target for what is there."""
    rate: float = 1e-3
    """Adam step size."""
    amsgrad: bool = False
    """Whether Adam keeps the largest second moment."""
    halve_every: int = 0
    """Halve the step size every so many steps; 0: never."""

    def __post_init__(self) -> None:
        if self.network == "maps" and self.resolution % (1 << len(self.channels)):
            raise TrainingError(
                f"--config.resolution {self.resolution}: a multiple of {1 << len(self.channels)} is needed for "
                f"{len(self.channels)} halvings"
            )
        if self.network == "maps" and len(self.channels) < 2:
            raise TrainingError("--config.channels: at least two numbers are needed")
        if self.coordinates not in (2, 3):
            raise TrainingError(f"--config.coordinates {self.coordinates}: 2 or 3 is needed")


PRESETS = {
    # For two cores: half an hour. Clip-art may be mirrored, the owners' tool does so too.
    "codraw-small": Config(mirror=0.5, noise=0.1, blur=0.25, tint=0.2, rate=2e-3, halve_every=1200),
    # Rendered scenes are lit from one side and are not mirrored.
    "iclevr-small": Config(coordinates=2, num_objects=24, noise=0.1, blur=0.25, tint=0.2, rate=2e-3, halve_every=600),
    # One halving more for 128 pixels: the same maps.
    "codraw-128-small": Config(
        resolution=128,
        channels=(24, 48, 96, 160),
        mirror=0.5,
        noise=0.1,
        blur=0.25,
        tint=0.2,
        rate=2e-3,
        halve_every=1200,
    ),
    # As released, for CoDraw at batches of 128 pictures: 266 of them make a pass over the data.
    "inception": Config(network="inception", resolution=128, amsgrad=True, halve_every=7980),
    "tiny": Config(resolution=32, channels=(8, 16), noise=0.1, blur=0.5, mirror=0.5, tint=0.1),
}


def _layer(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, padding: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False),
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


class Maps(nn.Module):
    """A map of logits for each class and, for depth, a second one: see the module's docstring, 2 to 4."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        *finer, coarse = config.channels
        fine, inputs = finer[-1], 3
        stem: list[nn.Module] = []
        for outputs in finer:
            stem += [_layer(inputs, outputs, 3 if stem else 4, stride=2), Residual(outputs)]
            inputs = outputs
        self.stem = nn.Sequential(*stem, Residual(fine))
        self.context = nn.Sequential(
            _layer(fine, coarse, 3, stride=2), Residual(coarse), _layer(coarse, fine, 1, padding=0)
        )
        self.join = _layer(fine, fine, padding=1 + MARGIN)
        self.objects, self.depths = config.num_objects, config.num_objects * (config.coordinates > 2)
        self.maps = nn.Conv2d(fine, self.objects + self.depths, 1)
        with torch.no_grad():
            self.maps.weight.mul_(0.1)
            bias: Tensor = nn.init.constant_(self.maps.bias, 0.5)  # type: ignore[arg-type]  # of depth: the middle
            bias[: self.objects] = -8.0  # over some 300 cells: one picture in ten has the object

    def halvings(self, image: Tensor) -> list[Tensor]:
        """image [N, 3, H, W] in [-1, 1] -> the map after each halving, from fine to coarse, each [N, D, h, w]."""
        x, found = image.contiguous(memory_format=torch.channels_last), []
        for layer in (*self.stem, self.context[0], self.context[1]):
            if isinstance(layer, Residual):
                found = [*(each for each in found if each.shape[-1] != x.shape[-1]), layer(x)]
                x = found[-1]
            else:
                x = layer(x)
        return found

    def look(self, image: Tensor) -> Tensor:
        """image [N, 3, H, W] in [-1, 1] -> the map that those of the classes are read from, [N, D, h, w]."""
        fine = self.stem(image.contiguous(memory_format=torch.channels_last))
        wide = F.interpolate(self.context(fine), scale_factor=2, mode="nearest")
        return self.join(fine + wide)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """image [N, 3, H, W] in [-1, 1] -> logits [N, C, h, w], and depth / 2 of each class in each cell, or None."""
        maps = self.maps(self.look(image)).float()
        return maps[:, : self.objects], maps[:, self.objects :] if self.depths else None

    def cells(self, position: Tensor, side: int) -> Tensor:
        """position [N, C, K] as shares of the picture -> [N, C, 2] column and row in a map `side` cells wide."""
        return position[..., :2] * (side - 2 * MARGIN) + MARGIN - 0.5

    def read(self, maps: Tensor, depth: Tensor | None) -> Tensor:
        """Both maps -> position [N, C, K]: the mean of the cells, and of the depth there."""
        side = maps.shape[-1]
        share = maps.flatten(2).softmax(2).view_as(maps)
        at = (torch.arange(side, device=maps.device, dtype=maps.dtype) - MARGIN + 0.5) / (side - 2 * MARGIN)
        parts = [(share.sum(2) * at).sum(2), (share.sum(3) * at).sum(2)]
        if depth is not None:
            parts.append((share.detach() * depth).sum((2, 3)))
        return torch.stack(parts, 2)


class InceptionDetector(nn.Module):
    """The released network; its module names are those of the published weights."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        count, coordinates = config.num_objects, config.coordinates
        self.shape = (count, coordinates)
        self.inception3 = Inception(512)
        self.detector = nn.Sequential(nn.Linear(512, 256), nn.Linear(256, count), nn.Sigmoid())
        self.localizer = nn.Sequential(nn.Linear(1024, 512), nn.Linear(512, count * coordinates))

    def look(self, image: Tensor) -> Tensor:
        """image [N, 3, H, W] in [-1, 1], enlarged here -> what both heads read, [N, 1024]."""
        side = self.inception3.side
        large = F.interpolate((image + 1) / 2, (side, side), mode="bilinear", align_corners=False)
        mean, deviation = (large.new_tensor(each).view(3, 1, 1) for each in (IMAGENET_MEAN, IMAGENET_DEVIATION))
        # their network takes [0, 1] and applies the change meant for pictures normalised to ImageNet's mean
        return torch.cat(self.inception3.heads((large * deviation + mean - 0.5) / 0.5), 1)

    def forward(self, image: Tensor) -> Detected:
        """image [N, 3, H, W] in [-1, 1] -> what is in each, and where."""
        seen = self.look(image)
        position = self.localizer(seen).unflatten(1, self.shape)
        return Detected(self.detector(seen[:, :512]).float(), position.float())


class System(nn.Module):
    """The detector, and how it is trained."""

    training_only = ()
    weight: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.network = Maps(config) if config.network == "maps" else InceptionDetector(config)
        even = torch.full((config.num_objects,), 1 / config.num_objects)
        self.register_buffer("weight", even, persistent=False)

    def detect(self, images: Tensor) -> Detected:
        """images [N, 3, H, W] in [-1, 1] -> what is in each, and where."""
        if isinstance(self.network, InceptionDetector):
            return self.network(images)
        maps, depth = self.network(images)
        return Detected(maps.flatten(2).logsumexp(2).sigmoid(), self.network.read(maps, depth))

    def features(self, images: Tensor) -> Tensor:
        """images [N, 3, H, W] in [-1, 1] -> [N, D], what the heads read, averaged over the picture."""
        seen = self.network.look(images)
        return seen.mean((2, 3)) if seen.dim() == 4 else seen

    def maps(self, images: Tensor) -> list[Tensor]:
        """images [N, 3, H, W] in [-1, 1] -> the map after each halving, from fine to coarse, each [N, D, h, w].

        Of the network `maps`; the released one gives none, and so an empty list.
        """
        return self.network.halvings(images) if isinstance(self.network, Maps) else []

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam."""
        return {"detector": Adam(self.parameters(), self.config.rate, amsgrad=self.config.amsgrad)}

    def training_step(self, batch: Dialogues, update: Update) -> None:
        """One step on all turns of a batch of dialogues; the words are not looked at."""
        config = self.config
        if config.halve_every:
            update.rate("detector", 0.5 ** (update.step // config.halve_every))
        losses = self._losses(*self._varied(batch))
        update("detector", torch.stack(list(losses.values())).sum())
        update.record(**losses)

    def measure(self, batch: Dialogues) -> None:
        """Look at a batch in training mode, so that the running statistics become those of the present weights."""
        with torch.no_grad():
            self.network(self._varied(batch)[0])

    def losses(self, batch: Dialogues) -> dict[str, Tensor]:
        """The losses on the pictures as they are, moving nothing."""
        with torch.no_grad():
            return self._losses(batch.image, batch.objects, batch.position)

    def _losses(self, image: Tensor, objects: Tensor, position: Tensor) -> dict[str, Tensor]:
        config, network = self.config, self.network
        position = position[..., : config.coordinates]
        if isinstance(network, InceptionDetector):
            found = network(image)
            named = weighted_binary_cross_entropy(
                found.probability, objects, self.weight, positive=config.positive_weight, certainty=config.certainty
            )
            error = masked_squared_error(found.position, position, objects).sum()
            return {"objects": named, "position": config.position_weight * error}
        maps, depth = network(image)
        answer = absent_or_at_one_place(maps, objects, network.cells(position, maps.shape[-1]))
        losses = {"objects": answer.sum(1).mean()}
        if depth is not None:
            read = network.read(maps, depth)[..., 2:]
            error = masked_squared_error(read, position[..., 2:], objects)
            losses["depth"] = config.depth_weight * error.sum() / objects.sum().clamp(min=1)
        return losses

    def _varied(self, batch: Dialogues) -> tuple[Tensor, Tensor, Tensor]:
        """Image, objects and position of a batch, each picture mirrored, blurred, tinted and roughened by chance."""
        image, position, config = batch.image, batch.position, self.config
        count = len(image)
        if config.mirror:
            turned = torch.rand(count, device=image.device) < config.mirror
            image = torch.where(turned.view(-1, 1, 1, 1), image.flip(3), image)
            mirrored = torch.cat([1 - position[..., :1], position[..., 1:]], 2)
            position = torch.where(turned.view(-1, 1, 1), mirrored, position)
        if config.blur:
            degree = torch.rand(count, device=image.device) * (torch.rand(count, device=image.device) < config.blur)
            image = image + degree.view(-1, 1, 1, 1) * (_blurred(image) - image)
        if config.tint:
            gain, shift = (config.tint * (2 * torch.rand(2, count, 3, 1, 1, device=image.device) - 1)).unbind()
            image = (image * (1 + gain) + shift).clamp(-1, 1)
        if config.noise:
            image = image + config.noise * torch.rand(count, 1, 1, 1, device=image.device) * torch.randn_like(image)
        return image, batch.objects, position


def _blurred(image: Tensor) -> Tensor:
    """[N, 3, H, W], smoothed twice by 1-2-1 in both directions."""
    for _ in range(2):
        image = F.avg_pool2d(F.pad(image, (1, 0, 1, 0), mode="replicate"), 2, stride=1)
        image = F.avg_pool2d(F.pad(image, (0, 1, 0, 1), mode="replicate"), 2, stride=1)
    return image


def build(config: Config, facts: Facts) -> System:
    """A detector sized for a data set."""
    if facts.resolution != config.resolution:
        raise TrainingError(
            f"the data set's pictures are {facts.resolution}x{facts.resolution}, the preset looks at "
            f"{config.resolution}x{config.resolution}; prepare the data with --resolution {config.resolution}"
        )
    config = replace(config, num_objects=len(facts.classes), coordinates=3 if "depth" in facts.axes else 2)
    system = System(config)
    if facts.shares:
        rarity = 1 / torch.tensor(facts.shares).clamp(min=1e-6)
        system.weight.copy_(rarity / rarity.sum())
    return system


def from_published(path: Path) -> System:
    """The detector in a checkpoint of GeNeVA's authors (`codraw_inception_best_checkpoint.pth` and the like).

    Read with `weights_only=True`: nothing in the file is executed. The number of classes and of coordinates are those
    of its last layers. Raises WeightsError, naming what is missing or does not fit.
    """
    state = {name.removeprefix("module."): value for name, value in _published_state(path).items()}
    try:
        count = len(state["detector.1.bias"])
        coordinates = len(state["localizer.1.bias"]) // count
    except KeyError as error:
        raise WeightsError(f"{path} has no {error.args[0]!r}; is it a detector of GeNeVA's authors?") from None
    try:
        with torch.device("meta"):  # nothing is drawn at random only to be replaced
            system = System(replace(PRESETS["inception"], num_objects=count, coordinates=coordinates))
        wanted = system.network.state_dict()
        for name in wanted:  # PyTorch has counted batches since 0.4.1 only; nothing depends on the number
            if name.endswith("num_batches_tracked"):
                state.setdefault(name, torch.zeros((), dtype=torch.long))
        for what, names in (("lacks", wanted.keys() - state.keys()), ("has the unknown", state.keys() - wanted.keys())):
            if names:
                rest = f" and {len(names) - 1} more" if len(names) > 1 else ""
                raise WeightsError(f"{path} {what} {min(names)!r}{rest}; is it a detector of GeNeVA's authors?")
        system.network.load_state_dict(state, assign=True)
    except (RuntimeError, TrainingError) as error:
        raise WeightsError(f"{path} does not fit: {str(error).splitlines()[-1].strip()[:200]}") from None
    system.weight = torch.full((count,), 1 / count)
    return system.float().requires_grad_(False).eval()


def plain_globals() -> list[Any]:
    """What `torch.load` must let pass beside tensors: the best F1 in the authors' files may be a NumPy number."""
    scalar: Any = np.float64(0).__reduce__()[0]
    return [(scalar, "numpy.core.multiarray.scalar"), scalar, np.dtype, type(np.dtype(np.float64))]


def _published_state(path: Path) -> Mapping[str, Tensor]:
    """The state dict of a checkpoint, read without running anything."""
    try:
        with torch.serialization.safe_globals(plain_globals()):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise WeightsError(f"{path} cannot be read as weights: {reason}") from None
    state = checkpoint.get("state_dict", checkpoint) if isinstance(checkpoint, Mapping) else None
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path} holds no state dict; a checkpoint of GeNeVA's detector was expected")
    return state
