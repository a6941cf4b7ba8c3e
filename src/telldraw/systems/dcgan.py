"""Pictures from noise by convolutions alone: DCGAN, with any adversarial objective.

Radford, Metz & Chintala, ICLR 2016, Sec. 3 and 4: no pooling and no hidden dense layers; strides instead, batch norm in
both networks but not at G's output and D's input, ReLU in G and tanh at its end, LeakyReLU (0.2) in D; weights drawn
from N(0, 0.02); Adam with step size 2e-4 and beta1 0.5. At 64 pixels, with their widths (`paper-64`):

    z [N, 100] -> 4x4 x 1024 -> 8x8 x 512 -> 16x16 x 256 -> 32x32 x 128 -> x [N, C, 64, 64]      G, doubling each time
    x          -> 32x32 x 128 -> 16x16 x 256 -> 8x8 x 512 -> 4x4 x 1024 -> logit [N]             D, halving each time

The two players play any pair of `objectives.adversarial.OBJECTIVES`; the paper's own is "non-saturating". What belongs
to other papers is a setting too: k steps of D for one of G (Goodfellow et al. 2014, Algorithm 1), clipped weights
(Arjovsky et al. 2017), the gradient penalty (Gulrajani et al. 2017), zero-centred penalties (Mescheder et al. 2018).

Different from the paper, or to know:

1.  z ~ N(0, 1), as in most code since; `noise = "uniform"` is the paper's U[-1, 1] (`paper-64`), made from the same
    normal numbers by their distribution function.
2.  Layers without batch norm have a bias; the norms' factors begin at N(1, 0.02).
3.  Kernels are 4x4, as in most code since (5x5 in the authors'): no pixel is then covered more often than another.
4.  One batch is one step of D, on real and drawn pictures apart (batch norm sees one kind at a time). With k > 1 every
    k-th step also moves G. G's step judges the pictures that D has just seen, with D's new weights.
5.  A penalty on the slope at single pictures forbids batch norm in D, whose logits depend on the whole batch: Gulrajani
    et al., Sec. 4. `build` and `Config` refuse it; `discriminator_norm = "layer"` is what they recommend.
6.  The weights that draw are a moving average, their batch statistics measured anew (`measure`).
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer, RMSprop

from telldraw.batches import PictureFacts, Pictures
from telldraw.blocks.strided import SMALLEST, begin, check_pictures, check_side, norm
from telldraw.errors import TrainingError
from telldraw.objectives.adversarial import OBJECTIVES
from telldraw.objectives.penalties import clip_weights, gradient_penalty, zero_centred_penalty
from telldraw.protocols import Recipe, Update


@dataclass(frozen=True)
class Config:
    """Sizes, objective and step sizes."""

    resolution: int = 32
    """Side of the square pictures, in pixels: 4 times a power of two (paper: 64)."""
    channels: int = 1
    """1 grey, 3 colour; taken from the data set."""
    noise_dim: int = 100
    """Numbers in z."""
    noise: Literal["normal", "uniform"] = "normal"
    """Distribution of z: N(0, 1), or U[-1, 1] as in the paper."""
    generator_width: int = 32
    """Channels of G's largest map, doubled with each halving of its side (paper: 128)."""
    discriminator_width: int = 32
    """Channels of D's largest map, doubled with each halving of its side (paper: 128)."""
    discriminator_norm: Literal["batch", "layer", "instance", "none"] = "batch"
    """What normalises D's maps, but for the first."""
    objective: Literal["non-saturating", "minimax", "least-squares", "hinge", "wasserstein"] = "non-saturating"
    """What the players minimise."""
    discriminator_steps: int = 1
    """Steps of D for one of G; each takes a batch."""
    gradient_penalty: float = 0.0
    """Weight of (||grad f|| - 1)^2 between real and drawn pictures (WGAN-GP: 10)."""
    r1: float = 0.0
    """gamma of the zero-centred penalty gamma / 2 ||grad D||^2 on real pictures."""
    r2: float = 0.0
    """gamma of the zero-centred penalty gamma / 2 ||grad D||^2 on drawn pictures."""
    clip: float = 0.0
    """Keep D's weights in [-clip, clip] after each of its steps (WGAN: 0.01); 0: as they are."""
    optimizer: Literal["adam", "rmsprop"] = "adam"
    """How gradients become steps (WGAN: rmsprop)."""
    generator_rate: float = 2e-4
    """Step size of G."""
    discriminator_rate: float = 2e-4
    """Step size of D."""
    beta1: float = 0.5
    """Adam: decay of the mean gradient (WGAN-GP: 0)."""
    beta2: float = 0.999
    """Adam: decay of the mean squared gradient (WGAN-GP: 0.9)."""

    def __post_init__(self) -> None:
        check_side(self.resolution)
        if self.discriminator_steps < 1:
            raise TrainingError(f"--config.discriminator-steps {self.discriminator_steps}: at least 1 is needed")
        penalties = {"gradient-penalty": self.gradient_penalty, "r1": self.r1, "r2": self.r2}
        for flag, value in {**penalties, "clip": self.clip}.items():
            if not 0 <= value < math.inf:
                raise TrainingError(f"--config.{flag} {value}: a number from 0 on is needed")
        for flag, value in (("generator-rate", self.generator_rate), ("discriminator-rate", self.discriminator_rate)):
            if not 0 < value < math.inf:
                raise TrainingError(f"--config.{flag} {value}: a number above 0 is needed")
        asked = [f"--config.{name}" for name, weight in penalties.items() if weight]
        if asked and self.discriminator_norm == "batch":
            raise TrainingError(
                f"{' and '.join(asked)} penalise the slope at each picture, which batch norm in the critic mixes with "
                "its neighbours; choose --config.discriminator-norm layer, instance or none"
            )
        if self.objective == "wasserstein" and not asked and not self.clip:
            raise TrainingError(
                "--config.objective wasserstein has no bound by itself; hold the critic to a slope with "
                "--config.clip 0.01 or --config.gradient-penalty 10"
            )

    @property
    def halvings(self) -> int:
        """How often the side is halved from the picture to the smallest map."""
        return (self.resolution // SMALLEST).bit_length() - 1


WGAN = Config(
    objective="wasserstein",
    clip=0.01,
    discriminator_steps=5,
    optimizer="rmsprop",
    generator_rate=5e-5,
    discriminator_rate=5e-5,
)
WGAN_GP = Config(
    objective="wasserstein",
    gradient_penalty=10.0,
    discriminator_norm="layer",
    discriminator_steps=5,
    generator_rate=1e-4,
    discriminator_rate=1e-4,
    beta1=0.0,
    beta2=0.9,
)
PRESETS = {
    # For two cores.
    "mnist-32": Config(),
    "scenes-64": Config(resolution=64, channels=3),
    # The published sizes; a GPU, batches of 128.
    "paper-64": Config(
        resolution=64, channels=3, noise="uniform", generator_width=128, discriminator_width=128, noise_dim=100
    ),
    # The same small network with the critics of Arjovsky et al. and of Gulrajani et al., and their step sizes
    "wgan-32": WGAN,
    "wgan-gp-32": WGAN_GP,
    "wgan-gp-64": replace(WGAN_GP, resolution=64, channels=3),
    "tiny": Config(resolution=16, generator_width=8, discriminator_width=8, noise_dim=8),
}
RECIPES = {
    "mnist-32": Recipe(batch_size=64, examples=250_000, sheet_every=50_000, decay=0.998, takes="9 minutes of one core"),
    "scenes-64": Recipe(
        batch_size=32, examples=160_000, sheet_every=20_000, decay=0.998, takes="half an hour of one core"
    ),
    "paper-64": Recipe(
        batch_size=128, examples=12_800_000, sheet_every=640_000, decay=0.999, takes="needs a GPU; not trained yet"
    ),
    "wgan-32": Recipe(
        batch_size=64,
        examples=420_000,
        sheet_every=105_000,
        decay=0.998,
        takes="10 minutes of one core",
    ),
    "wgan-gp-32": Recipe(
        batch_size=64,
        examples=240_000,
        sheet_every=60_000,
        decay=0.998,
        takes="10 minutes of one core",
    ),
    "wgan-gp-64": Recipe(
        batch_size=64, examples=1_000_000, sheet_every=50_000, decay=0.998, takes="needs a GPU; not trained yet"
    ),
}


class Generator(nn.Module):
    """G: strided convolutions backwards, from a point to a picture."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = [config.generator_width << n for n in reversed(range(config.halvings))]
        layers: list[nn.Module] = [nn.ConvTranspose2d(config.noise_dim, widths[0], SMALLEST, bias=False)]
        for inputs, outputs in zip(widths, widths[1:], strict=False):
            layers += [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)]
            layers.append(nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
        layers += [nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True)]
        layers.append(nn.ConvTranspose2d(widths[-1], config.channels, 4, stride=2, padding=1))
        self.layers = nn.Sequential(*layers, nn.Tanh())
        self.apply(begin)

    def forward(self, z: Tensor) -> Tensor:
        """z [N, noise_dim] -> [N, C, H, W] in [-1, 1]."""
        return self.layers(z[:, :, None, None].contiguous(memory_format=torch.channels_last))


class Discriminator(nn.Module):
    """D: strided convolutions from a picture to one number."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = [config.discriminator_width << n for n in range(config.halvings)]
        layers: list[nn.Module] = []
        for inputs, outputs in zip([config.channels, *widths], widths, strict=False):
            own = norm(config.discriminator_norm, outputs) if layers else []
            layers.append(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=not own))
            layers += [*own, nn.LeakyReLU(0.2, inplace=True)]
        layers.append(nn.Conv2d(widths[-1], 1, SMALLEST))
        self.layers = nn.Sequential(*layers)
        self.apply(begin)

    def forward(self, image: Tensor) -> Tensor:
        """image [N, C, H, W] in [-1, 1] -> logits [N]."""
        return self.layers(image.contiguous(memory_format=torch.channels_last)).flatten().float()


class System(nn.Module):
    """Both players, and how they are trained."""

    training_only = ("discriminator",)
    label_dim = 0

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.noise_dim = config.noise_dim
        self.generator = Generator(config)
        self.discriminator = Discriminator(config)

    def generate(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """noise [N, noise_dim] ~ N(0, 1) -> [N, C, H, W] in [-1, 1]; there are no labels."""
        z = noise if self.config.noise == "normal" else 2 * torch.special.ndtr(noise) - 1
        return self.generator(z).float()

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam or RMSprop for each player."""
        return {
            "discriminator": self._optimizer(self.discriminator, self.config.discriminator_rate),
            "generator": self._optimizer(self.generator, self.config.generator_rate),
        }

    def _optimizer(self, player: nn.Module, rate: float) -> Optimizer:
        if self.config.optimizer == "rmsprop":
            return RMSprop(player.parameters(), rate)
        return Adam(player.parameters(), rate, (self.config.beta1, self.config.beta2))

    def training_step(self, batch: Pictures, update: Update) -> None:
        """Goodfellow et al. 2014, Algorithm 1: a step of D and, every `discriminator_steps`, one of G."""
        config, objective = self.config, OBJECTIVES[self.config.objective]
        moves = (update.step + 1) % config.discriminator_steps == 0
        with torch.set_grad_enabled(moves):
            fake = self.generate(self._noise(batch))
        losses = self._judged(batch.image, fake.detach())
        update("discriminator", torch.stack(list(losses.values())).sum())
        if config.clip:
            clip_weights(self.discriminator.parameters(), config.clip)
        if moves:
            losses["generator"] = objective.generator(self.discriminator(fake))
            update("generator", losses["generator"])
        update.record(**losses)

    def _judged(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """D's losses on real and drawn pictures [N, C, H, W]."""
        config, judge = self.config, self.discriminator
        real, fake = real.detach().requires_grad_(config.r1 > 0), fake.requires_grad_(config.r2 > 0)
        of_real, of_fake = judge(real), judge(fake)
        losses = {"discriminator": OBJECTIVES[config.objective].discriminator(of_real, of_fake)}
        if config.gradient_penalty:
            losses["gradient_penalty"] = config.gradient_penalty * gradient_penalty(judge, real, fake)
        for name, weight, logits, image in (("r1", config.r1, of_real, real), ("r2", config.r2, of_fake, fake)):
            if weight:
                losses[name] = 0.5 * weight * zero_centred_penalty(logits, image)
        return losses

    def measure(self, batch: Pictures) -> None:
        """Draw and judge in training mode, so that the running statistics become those of the present weights."""
        with torch.no_grad():
            fake = self.generate(self._noise(batch))
            for image in (batch.image, fake):
                self.discriminator(image)

    def _noise(self, batch: Pictures) -> Tensor:
        return torch.randn(len(batch.image), self.noise_dim, device=batch.image.device)


def build(config: Config, facts: PictureFacts) -> System:
    """A system for a set of pictures. Raises TrainingError when they have another size than the config."""
    check_pictures(facts.name, facts.resolution, config.resolution)
    return System(replace(config, channels=facts.channels))
