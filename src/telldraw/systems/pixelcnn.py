"""The plain autoregressive model of pictures: gated PixelCNN on pixels.

van den Oord et al., Conditional Image Generation with PixelCNN Decoders, NIPS 2016 (arXiv:1606.05328), in their
letters:

    p(x | y) = prod_i p(x_i | x_1 .. x_{i-1}, y)        pixels in raster order, grey levels as classes of a softmax

Training sees all positions at once; sampling goes pixel by pixel. The likelihood is exact. The network is
`blocks/pixelcnn.py`, which names the equations and samples with caches.

What is not in the paper, or not as there:

1.  Grey pictures of one channel. The paper's other data set of digits is black and white (`binarise`): "threshold"
    cuts at one half; "stochastic" draws every pixel with its grey as probability, anew in each training step, and once
    and for all for each picture whose likelihood is asked for.
2.  Grey levels enter as one number in [-1, 1]. The output is a softmax over `levels`, as in the paper.
3.  The label y is a class (one-hot). log p(x) without a label is that of the mixture, log 1/K sum_y p(x | y): exact
    too.
4.  Small: 32 features and 7 layers, where the paper has 128 and more for one to fifteen; Adam instead of RMSprop.
"""

import math
import zlib
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from telldraw.batches import PictureFacts, Pictures
from telldraw.blocks.pixelcnn import PixelCNN
from telldraw.errors import TrainingError
from telldraw.objectives.codes import bits_per_dimension, code_nats
from telldraw.protocols import Recipe, Update


@dataclass(frozen=True)
class Config:
    """Sizes and step sizes."""

    resolution: int = 28
    """Side of the square pictures, in pixels."""
    channels: int = 1
    """Of the pictures: grey ones have 1, and this model knows no other."""
    levels: int = 2
    """Grey levels a pixel can have, 2 to 256."""
    binarise: Literal["threshold", "stochastic", "none"] = "threshold"
    """How grey becomes black and white; none: it is rounded to `levels` grey levels."""
    conditional: bool = True
    """Whether the label is told, where the data has one class a picture."""
    num_classes: int = 10
    """Classes a label has, 0 without labels; taken from the data set."""
    width: int = 32
    """p, features of each stack; the paper has 128."""
    layers: int = 6
    """Gated layers after the first one; the paper has 15."""
    kernel: int = 3
    """n, side of the receptive field of a layer in pixels, odd; the paper has 5."""
    first_kernel: int = 7
    """The same of the first layer."""
    attention_every: int = 0
    """Causal self-attention after every so many layers; 0: none, as in the paper."""
    rate: float = 1.5e-3
    """Adam step size at first."""
    anneal: int = 5000
    """Steps over which the step size falls to a hundredth, along a half cosine."""

    def __post_init__(self) -> None:
        if self.channels != 1:
            raise TrainingError(f"--config.channels {self.channels}: this model is of grey pictures, of 1 channel")
        if not 2 <= self.levels <= 256:
            raise TrainingError(f"--config.levels {self.levels}: 2 to 256 is needed")
        if self.binarise != "none" and self.levels != 2:
            raise TrainingError(
                f"--config.levels {self.levels}: black and white pictures have 2; or --config.binarise none"
            )
        for flag in ("kernel", "first_kernel"):
            if getattr(self, flag) % 2 == 0 or getattr(self, flag) < 3:
                raise TrainingError(f"--config.{flag} {getattr(self, flag)}: an odd number from 3 on is needed")
        if self.layers < 1:
            raise TrainingError(f"--config.layers {self.layers}: at least 1 is needed")


PRESETS = {
    # For two cores, black and white digits.
    "mnist-binary": Config(),
    # The binarisation of the published figures.
    "mnist-stochastic": Config(binarise="stochastic"),
    # All grey levels; for a GPU, or a night.
    "mnist-256": Config(levels=256, binarise="none", width=64, layers=10, anneal=20_000, rate=1e-3),
    "tiny": Config(resolution=8, width=8, layers=2, first_kernel=3, anneal=100),
}
RECIPES = {
    "mnist-binary": Recipe(
        batch_size=16, examples=80_000, decay=0.998, sheet_every=20_000, takes="25 minutes of one core"
    ),
    "mnist-stochastic": Recipe(
        batch_size=16, examples=80_000, decay=0.998, sheet_every=20_000, takes="25 minutes of one core"
    ),
    "mnist-256": Recipe(
        batch_size=32,
        examples=640_000,
        decay=0.999,
        sheet_every=64_000,
        takes="needs a GPU or a night; not trained yet",
    ),
    "tiny": Recipe(batch_size=8, examples=64, decay=0.9, sheet_every=64, takes="a second"),
}


class System(nn.Module):
    """The autoregressive model, and how it is trained."""

    training_only = ()
    likelihood_is = "exact, of pixels of as many grey levels as the model has"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        side = config.resolution
        self.noise_dim = side * side
        self.label_dim = config.num_classes if config.conditional else 0
        self.net = PixelCNN(
            config.levels,
            (side, side),
            channels=config.width,
            layers=config.layers,
            kernel=config.kernel,
            first_kernel=config.first_kernel,
            vector_dim=self.label_dim,
            attention_every=config.attention_every,
            ordinal=True,
        )

    # What it can do

    def generate(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """noise [N, pixels] ~ N(0, 1), one number a pixel; label [N, K] -> pictures [N, 1, H, W] in [-1, 1].

        Each pixel is the inverse of its distribution function at Phi(noise). Without a label, a conditional model draws
        from the mixture: the class follows from the noise of the last pixel, which then depends on it.
        """
        uniform = torch.special.ndtr(noise.double()).view(-1, *self.net.size)
        if self.label_dim and label is None:
            drawn = (uniform[:, -1, -1] * self.label_dim).long().clamp(max=self.label_dim - 1)
            label = torch.eye(self.label_dim, device=noise.device)[drawn]
            # what is left of the number after the class was taken from it is uniform again
            uniform[:, -1, -1] = (uniform[:, -1, -1] * self.label_dim - drawn).clamp(0, 1)
        codes = self.net.sample(uniform, label if self.label_dim else None)
        return (codes.float() * (2 / (self.config.levels - 1)) - 1).unsqueeze(1)

    def log_likelihood(self, images: Tensor) -> Tensor:
        """images [N, 1, H, W] in [-1, 1] -> [N] nats, exact: log p of the pixels as the model sees them (`seen`).

        With labels it is the mixture of all classes, equally likely, and costs a pass for each.
        """
        codes = self.seen(images)
        if not self.label_dim:
            return -code_nats(self.net(codes), codes)
        labels = torch.eye(self.label_dim, device=codes.device)
        each = [-code_nats(self.net(codes, label.expand(len(codes), -1)), codes) for label in labels]
        return torch.stack(each).logsumexp(0) - math.log(self.label_dim)

    def seen(self, images: Tensor) -> Tensor:
        """images [N, 1, H, W] in [-1, 1] -> codes [N, H, W] int64, a function of each picture alone."""
        if self.config.binarise != "stochastic":
            return self._codes(images, None)
        return self._codes(
            images, torch.stack([_thresholds(image) for image in images.detach().cpu()]).to(images.device)
        )

    def _codes(self, images: Tensor, thresholds: Tensor | None) -> Tensor:
        """Grey levels; or white where the grey in [0, 1] is above the threshold [N, H, W], or above one half."""
        grey = (images[:, 0] + 1) / 2
        if self.config.binarise == "none":
            return (grey * (self.config.levels - 1)).round().long()
        return (grey > (0.5 if thresholds is None else thresholds)).long()

    # How it is trained

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam."""
        return {"pixelcnn": Adam(self.parameters(), self.config.rate, betas=(0.9, 0.99))}

    def training_step(self, batch: Pictures, update: Update) -> None:
        """Minimise -log p(x | y), all positions at once."""
        update.rate("pixelcnn", annealed(update.step, self.config.anneal))
        thresholds = torch.rand_like(batch.image[:, 0]) if self.config.binarise == "stochastic" else None
        nats = self._nats(self._codes(batch.image, thresholds), batch.label)
        update.backward(nats / self.noise_dim, "pixelcnn")
        update.apply("pixelcnn", clip_norm=1.0)
        update.record(nats=nats, bits=bits_per_dimension(nats, self.noise_dim))

    def losses(self, batch: Pictures) -> dict[str, Tensor]:
        """-log p(x | y) in nats per picture, moving nothing."""
        with torch.no_grad():
            return {"nats": self._nats(self.seen(batch.image), batch.label)}

    def _nats(self, codes: Tensor, label: Tensor) -> Tensor:
        return code_nats(self.net(codes, label if self.label_dim else None), codes).mean()


def annealed(step: int, over: int) -> float:
    """A half cosine from 1 to 0.01 over so many steps, 0.01 after them."""
    return 0.01 + 0.99 * (1 + math.cos(math.pi * min(step / over, 1.0))) / 2


def _thresholds(image: Tensor) -> Tensor:
    """Uniform numbers [H, W] that depend on the picture [1, H, W] alone, so that it always becomes the same one."""
    seed = zlib.crc32(image.float().contiguous().numpy().tobytes())
    return torch.rand(image.shape[1:], generator=torch.Generator().manual_seed(seed))


def build(config: Config, facts: PictureFacts) -> System:
    """The model for a data set. Raises TrainingError when its pictures are not those of the config."""
    if facts.channels != 1:
        raise TrainingError(
            f"{facts.name} has colour pictures, and this model is of grey ones; vqvae draws colour pictures, code by "
            "code"
        )
    if facts.resolution != config.resolution:
        raise TrainingError(
            f"{facts.name} has pictures of {facts.resolution}x{facts.resolution}, the preset has {config.resolution}x"
            f"{config.resolution}; give --config.resolution {facts.resolution} or another preset"
        )
    labelled = config.conditional and bool(facts.classes) and not facts.many
    return System(replace(config, conditional=labelled, num_classes=len(facts.classes) if labelled else 0))
