"""A StyleGAN that learns beside an encoder, so that it draws pictures well that it has seen few of.

Not of one paper. Pictures that are found again teach a generator much faster than a judge alone does (Larsen et al.,
ICML 2016, arXiv:1512.09300: VAE/GAN); reading codes of StyleGAN's space w instead of z is from Pidhorskyi et al., CVPR
2020 (arXiv:2004.04467: ALAE); telling the mapping by lines through the cloud of codes how they lie is from Kolouri et
al., ICLR 2019 (arXiv:1804.01947: sliced-Wasserstein autoencoders). G, D and f are StyleGAN's (`systems/stylegan.py`),
and grow as they do there. With E a network that reads a code w [L, C] from a picture, in each step half of the pictures
are drawn again, and half anew:

    x^ = g(E(x))                                    again
    x~ = g(f(z)), or of layers of f(z), E(x1), E(x2)   anew; half of these, `_anew`: what edits do is what D sees

    E, g     lambda ||x - x^||^2 + mu ||F(x) - F(x^)||^2 - log D(x^) - log D(x~)          found again, and believed
             + nu ||E(x~) - w~||^2                                                        codes of what is drawn
             + ||mean of E(x) - 1||^2                                                     where codes lie
    f        SW(f(z), E(x))                                                               f's codes lie as E's do
    D        as in StyleGAN

SW compares as many codes of either, E's of the last steps, along lines between them (`objectives/sliced.py`). f learns
by it alone: told by D as well, it gave codes that are drawn sharper than any picture. The mean code is 1 and stays:
f ends with a LeakyReLU, which is straight there, and a mean that follows f, which follows E, which adds to the mean,
never comes to rest.

What is handed on is a StyleGAN with an encoder of pictures: `tedigan --start-from` takes both.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from telldraw.batches import PictureFacts, Pictures
from telldraw.blocks.code_encoder import CodeEncoder
from telldraw.blocks.growing import faded, parts
from telldraw.blocks.perceptual import Perceiving
from telldraw.blocks.strided import check_pictures
from telldraw.blocks.style_generator import mixed
from telldraw.errors import TrainingError
from telldraw.objectives.adversarial import non_saturating_generator
from telldraw.objectives.inversion import pixel
from telldraw.objectives.sliced import lines_between, sliced_wasserstein
from telldraw.protocols import Recipe, Update
from telldraw.systems import stylegan

_COARSE = 4
"""Log2 of the largest side whose pictures show nothing that a network's features would be of."""

_MEAN = 1.0
"""Of codes, in each number."""
_LITTLE = 1e-2
"""A standard deviation that codes soon have; before, f's are not held to lie in a point."""


@dataclass(frozen=True)
class Config(stylegan.Config):
    """StyleGAN's, the encoder's, and the weights of what is asked beside D's belief."""

    encoder_width: int = 24
    """Channels of the encoder's largest map, doubled with each halving of its side."""
    encoder_dim: int = 192
    """Numbers between the encoder's smallest map and the code."""
    pixel_weight: float = 10.0
    """lambda, of the mean squared error of pixels in [-1, 1]."""
    perceptual_weight: float = 3.0
    """mu, of the distance in the network handed in, from 32 pixels on."""
    code_weight: float = 1.0
    """nu, of the mean squared error of codes."""
    cloud: int = 512
    """Codes of either side that SW compares."""
    lines: int = 256
    """Along how many lines."""
    encoder_rate: float = 1e-3
    """Adam step size of the encoder."""
    map_rate: float = 5e-3
    """Adam step size of the mapping."""
    centre_weight: float = 1.0
    """Of how far the mean of E's codes is from 1."""

    def __post_init__(self) -> None:
        """Raise TrainingError for settings that cannot work."""
        super().__post_init__()
        for flag, value in (("cloud", self.cloud), ("lines", self.lines)):
            if value < 2:
                raise TrainingError(f"--config.{flag} {value}: at least 2 are needed")
        if self.path_length:
            raise TrainingError(f"--config.path-length {self.path_length}: path lengths are of stylegan alone; give 0")


_OWN_CODES: dict[str, Any] = {"mapping_rate": 1.0, "repeat": False}
"""Each layer has a code of its own, and the mapping learns as fast as the rest."""
PRESETS = {
    # StyleGAN's of the same name, which grows more slowly
    "faces-64": Config(
        **vars(stylegan.PRESETS["faces-64"])
        | _OWN_CODES
        | {"mapping_layers": 4, "stable": (3_000, 5_000, 8_000), "fading": (3_000, 5_000, 8_000)}
    ),
    # Likewise, for a GPU.
    "faces-128": Config(
        **vars(stylegan.PRESETS["faces-128"])
        | _OWN_CODES
        | {"mapping_layers": 4, "noise_until": 0, "stable": (20_000,), "fading": (20_000,)},
        encoder_width=48,
        encoder_dim=512,
    ),
    "tiny": Config(
        **vars(stylegan.TINY) | _OWN_CODES,
        encoder_width=8,
        encoder_dim=8,
        perceptual_weight=0.0,
        cloud=24,
        lines=8,
    ),
}
RECIPES = {
    "faces-64": Recipe(batch_size=16, examples=96_000, sheet_every=8_000, decay=0.995, takes="42 minutes of two cores"),
    "faces-128": Recipe(
        batch_size=32, examples=1_000_000, sheet_every=40_000, decay=0.998, takes="needs a GPU; not trained yet"
    ),
}


class System(Perceiving, stylegan.System):
    """Both players of StyleGAN, an encoder, and how they are trained together."""

    training_only = ("discriminator", "lately", "kept")
    lately: Tensor
    kept: Tensor
    config: Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        reader = CodeEncoder(config, config.channels, width=config.encoder_width, dim=config.encoder_dim)
        self.encoders = nn.ModuleDict({"image": reader})
        self.register_buffer("lately", torch.zeros(config.cloud, config.layers, config.style_dim))  # codes E has read
        self.register_buffer("kept", torch.zeros((), dtype=torch.int64))  # how many there were
        self.mean.fill_(_MEAN)

    def encode(self, images: Tensor) -> Tensor:
        """E: images [N, C, H, W] in [-1, 1] -> code [N, L, C]."""
        return self.encoders["image"](images, self.mean)

    def decode(self, code: Tensor) -> Tensor:
        """g: code [N, L, C] -> [N, C, H, W] in [-1, 1]."""
        return self.synthesise(code)

    # Training

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each of the four."""
        config = self.config
        return {
            "discriminator": Adam(self.discriminator.parameters(), config.discriminator_rate, (0.0, 0.99), 1e-8),
            "generator": Adam(self.synthesis.parameters(), config.generator_rate, (0.0, 0.99), 1e-8),
            "mapping": Adam(self.mapping.parameters(), config.map_rate, (0.9, 0.99), 1e-8),
            "encoder": Adam(self.encoders.parameters(), config.encoder_rate, (0.9, 0.99)),
        }

    def training_step(self, batch: Pictures, update: Update) -> None:
        """A step of D and one of the others."""
        config, count = self.config, len(batch.image)
        level, again = self._grow(count, update), max(1, count // 2)
        real = faded(self._mirrored(batch.image), level)
        read = self.encode(real)
        told = self._anew(read.detach(), count - again, level)
        image = self.synthesis(torch.cat([read[:again], told]), level=level, noise=self._noise())
        losses = self._judged(real, image.detach(), level, penalised=update.step % config.r1_every == 0)
        update("discriminator", torch.stack(list(losses.values())).sum())
        found = {
            "generator": non_saturating_generator(self._judge(image, level)),
            "pixel": config.pixel_weight * pixel(real[:again], image[:again]).mean(),
            "centre": config.centre_weight * (read.mean(0) - self.mean).square().mean(),
        }
        if config.code_weight and count > again:
            off = self.encode(image[again:].detach()) - told
            found["code"] = config.code_weight * off[:, : _layers(level)].square().mean()
        if self.perceives and self.distance is not None and level > _COARSE:
            far = self.distance(real[:again], image[:again]).mean()
            found["perceptual"] = config.perceptual_weight * far
        update.backward(torch.stack(list(found.values())).sum(), "generator", "encoder")
        update.apply("generator")
        update.apply("encoder")
        cloud = self._apart(read.detach())
        update("mapping", cloud)
        update.record(**losses, **found, cloud=cloud, level=level)

    @torch.no_grad()
    def _anew(self, read: Tensor, count: int, level: float) -> Tensor:
        """Codes [count, L, C] that are no picture's: half of f, half with layers of one code and layers of another.

        read [N, L, C]: E's, of which these are mixed as much as f's are.
        """
        device, layers = read.device, _layers(level)
        w = self.map(torch.randn(count, self.noise_dim, device=device))
        half = count // 2
        if not half:
            return w
        first, second = (read[torch.randint(len(read), (half,), device=device)] for _ in range(2))
        own = torch.rand(half, 1, 1, device=device) < 0.5
        one = torch.where(own, w[:half], first)
        swap = torch.rand(half, 1, 1, device=device) < 0.5
        coarse, fine = torch.where(swap, one, second), torch.where(swap, second, one)
        crossover = torch.randint(1, layers, (half,), device=device)
        return torch.cat([mixed(coarse, fine, crossover), w[half:]])

    def _apart(self, read: Tensor) -> Tensor:
        """SW of f's codes and E's last ones, of which `read` [N, L, C] are the newest; each line by its own spread."""
        cloud, count = self.config.cloud, min(len(read), self.config.cloud)
        self.lately = torch.cat([read[:count].float(), self.lately])[:cloud]
        self.kept.add_(count).clamp_(max=cloud)
        lately = self.lately[: int(self.kept)].flatten(1)
        mapped = self.map(torch.randn(len(lately), self.noise_dim, device=read.device)).flatten(1)
        lines = lines_between(lately, self.config.lines)
        spread = (lately @ lines).std(0) + _LITTLE * lines.norm(dim=0)
        return sliced_wasserstein(mapped, lately, lines / spread)

    def measure(self, batch: Pictures) -> None:
        """Statistics of the encoder's norms for the present weights."""
        with torch.no_grad():
            self.encode(faded(batch.image, self.level))


def _layers(level: float) -> int:
    """How many layers draw the present side."""
    return 2 * parts(level)[0] - 2


def build(config: Config, facts: PictureFacts) -> System:
    """A system for a set of pictures. Raises TrainingError when they have another size than the config."""
    check_pictures(facts.name, facts.resolution, config.resolution)
    return System(replace(config, channels=facts.channels))
