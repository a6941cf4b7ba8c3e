"""Pictures from noise, by a style for each layer: StyleGAN, versions 1 and 2.

Version 1, Karras, Laine & Aila, CVPR 2019 (arXiv:1812.04948), in the paper's letters:

    w = f(z)                                       z ~ N(0, I) normalised, f fully connected: `mapping`
    x = g(w, n)                                    w tells each layer y = (y_s, y_b), n is noise: `synthesis`
    w1, w2 -> w1 below layer k, w2 from k on       style mixing, for 9 pictures in 10 while training: Sec. 3.1
    w' = w_avg + psi (w - w_avg)                   truncation, what people see: App. B
    D: softplus(D(g(f(z)))) + softplus(-D(x)) + gamma / 2 ||grad D(x)||^2                    G: softplus(-D(g(f(z))))

The networks are `blocks/style_generator.py` and `blocks/style_discriminator.py`. Both grow: they begin with small
pictures, and each further side fades in (Karras et al. 2018). What has been seen decides the side, so a run that was
stopped goes on in the middle of a fade.

Different from the paper and its code, or to know:

1.  The batch size is one for all sides, as in every training here; theirs shrinks as pictures grow. So is the step
    size.
2.  G's step judges the pictures that D has just seen, with D's new weights; they draw new ones.
3.  `r1_every`: the penalty every so many steps, so many times as strong (theirs for version 2 alone).
4.  Adam begins anew when a side begins to fade in and when it has, as theirs does; `reset` turns that off.
5.  The crossover of style mixing is drawn for each picture; theirs for each batch.
6.  `generate` adds the layers' own noise maps, so a picture follows from z alone; training draws new noise.
7.  While it still grows, `generate` draws pictures of the side reached, enlarged.
8.  `truncation` is for what people see; `telldraw evaluate` measures with psi = 1, as the paper does.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from telldraw.batches import PictureFacts, Pictures
from telldraw.blocks.growing import faded, level_after, parts
from telldraw.blocks.strided import check_pictures
from telldraw.blocks.style_discriminator import Discriminator
from telldraw.blocks.style_generator import Mapping, Sizes, Synthesis, mixed, truncated
from telldraw.errors import TrainingError
from telldraw.objectives.adversarial import minimax_discriminator, non_saturating_generator
from telldraw.objectives.penalties import zero_centred_penalty
from telldraw.protocols import Recipe, Update


@dataclass(frozen=True)
class Config(Sizes):
    """Sizes (those of `Sizes`, and the discriminator's), growth and step sizes."""

    discriminator_width: int = 2048
    """`width` of the discriminator (paper: 16384)."""
    start: int = 8
    """Side at which training begins; `resolution`: nothing grows (paper: 8)."""
    stable: tuple[int, ...] = (600_000,)
    """Examples for which a side is trained before the next one fades in, from `start` on; the last counts for all
    further ones (paper: 600,000)."""
    fading: tuple[int, ...] = (600_000,)
    """Examples over which the next side fades in (paper: 600,000)."""
    reset: bool = True
    """Whether Adam begins anew when a side begins to fade in and when it has (paper: yes)."""
    mixing: float = 0.9
    """Share of pictures that are trained with two styles (paper: 0.9)."""
    truncation: float = 0.7
    """psi of the pictures people see; 1: as they come (paper: 0.7)."""
    r1: float = 10.0
    """gamma of the penalty gamma / 2 ||grad D||^2 on real pictures (paper: 10)."""
    r1_every: int = 1
    """Steps from one penalty to the next, which is so many times as strong (paper: 1)."""
    mirror: bool = False
    """Whether true pictures are mirrored by chance (paper: for faces)."""
    generator_rate: float = 1e-3
    """Step size of the generator (paper: 1e-3, 3e-3 at the largest sides)."""
    discriminator_rate: float = 1e-3
    """Step size of the discriminator (paper: the same)."""

    def __post_init__(self) -> None:
        """Raise TrainingError for settings that cannot work."""
        super().__post_init__()
        if self.start not in [4 << n for n in range(self.full - 1)]:
            raise TrainingError(
                f"--config.start {self.start}: a power of two from 4 to --config.resolution {self.resolution} is needed"
            )
        for flag, lengths in (("stable", self.stable), ("fading", self.fading)):
            if not lengths or min(lengths) < 0:
                raise TrainingError(
                    f"--config.{flag} {' '.join(map(str, lengths))}: numbers of examples are needed, 0 or more"
                )
        if self.r1_every < 1:
            raise TrainingError(f"--config.r1-every {self.r1_every}: at least 1 is needed")


PAPER = Config(
    noise_dim=512, style_dim=512, width=16384, widest=512, discriminator_width=16384, mirror=True, resolution=1024
)
PRESETS = {
    # For two cores.
    "faces-64": Config(
        width=1024,
        discriminator_width=1024,
        r1=1.0,
        r1_every=8,
        stable=(16_000, 24_000, 24_000),
        fading=(8_000, 16_000, 16_000),
        generator_rate=2e-3,
        discriminator_rate=2e-3,
    ),
    "tiny": Config(
        resolution=16,
        width=64,
        widest=8,
        discriminator_width=64,
        noise_dim=8,
        style_dim=8,
        mapping_layers=2,
        start=4,
        stable=(0, 0),
        fading=(5, 12),
    ),
}
RECIPES = {
    "faces-64": Recipe(batch_size=16, examples=200_000, sheet_every=8_000, decay=0.998, takes="an hour of one core"),
}


class System(nn.Module):
    """Both players, and how they are trained."""

    training_only = ("discriminator",)
    label_dim = 0
    seen: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.noise_dim, self.style_dim, self.layers = config.noise_dim, config.style_dim, config.layers
        self.truncation = config.truncation
        """psi of `generate`."""
        self.mapping = Mapping(config)
        self.synthesis = Synthesis(config)
        self.discriminator = Discriminator(config, config.discriminator_width)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))  # examples trained on: what has grown

    # Drawing

    def generate(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """noise [N, noise_dim] ~ N(0, 1) -> [N, C, H, W] in [-1, 1], truncated; there are no labels."""
        return self.synthesise(truncated(self.map(noise), self.mean, self.truncation))

    def map(self, noise: Tensor) -> Tensor:
        """noise [N, noise_dim] ~ N(0, 1) -> w [N, layers, style_dim]."""
        return self.mapping(noise)

    def synthesise(self, w: Tensor) -> Tensor:
        """w [N, layers, style_dim] -> [N, C, H, W] in [-1, 1], with the layers' own noise."""
        return self.synthesis(w, level=self.level).float().clamp(-1, 1)

    @property
    def mean(self) -> Tensor:
        """w_avg [layers, style_dim]."""
        return self.mapping.mean

    @property
    def level(self) -> float:
        """log2 of the side that has been reached, fractional while one fades in."""
        return self._level(int(self.seen))

    def _level(self, seen: int) -> float:
        config = self.config
        return level_after(seen, config.start, config.resolution, config.stable, config.fading)

    # Training

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each player, without a mean gradient (beta1 0)."""
        config = self.config
        drawing = [*self.mapping.parameters(), *self.synthesis.parameters()]
        return {
            "discriminator": Adam(self.discriminator.parameters(), config.discriminator_rate, (0.0, 0.99), 1e-8),
            "generator": Adam(drawing, config.generator_rate, (0.0, 0.99), 1e-8),
        }

    def training_step(self, batch: Pictures, update: Update) -> None:
        """A step of D and one of G, on pictures of the side that is trained."""
        config, count = self.config, len(batch.image)
        level = self._grow(count, update)
        fake = self.synthesis(self._styles(count, level), level=level, noise="random")
        real = faded(self._mirrored(batch.image), level)
        losses = self._judged(real, fake.detach(), level, penalised=update.step % config.r1_every == 0)
        update("discriminator", torch.stack(list(losses.values())).sum())
        losses["generator"] = non_saturating_generator(self.discriminator(fake, level=level))
        update("generator", losses["generator"])
        update.record(**losses, level=level)

    def _grow(self, count: int, update: Update) -> float:
        """The level of this batch. Where another side begins or has fully faded in, Adam begins anew."""
        seen = int(self.seen)
        level, before = self._level(seen), self._level(max(0, seen - count))
        self.seen += count
        if self.config.reset and (parts(level)[0] != parts(before)[0] or int(level) != int(before)):
            update.forget("discriminator")
            update.forget("generator")
        return level

    def _styles(self, count: int, level: float) -> Tensor:
        """w [N, L, C] of new noise, most of them mixed of two; w_avg follows."""
        config, device = self.config, self.seen.device
        w = self.mapping(torch.randn(count, config.noise_dim, device=device))
        self.mapping.follow(w.detach())
        if not config.mixing:
            return w
        layers = 2 * parts(level)[0] - 2  # those of the present side
        crossover = torch.randint(1, layers, (count,), device=device)
        crossover = torch.where(torch.rand(count, device=device) < config.mixing, crossover, config.layers)
        return mixed(w, self.mapping(torch.randn(count, config.noise_dim, device=device)), crossover)

    def _judged(self, real: Tensor, fake: Tensor, level: float, *, penalised: bool) -> dict[str, Tensor]:
        """D's losses on real and drawn pictures [N, C, H, W]."""
        penalised = penalised and self.config.r1 > 0
        real = real.detach().requires_grad_(penalised)
        of_real, of_fake = self.discriminator(real, level=level), self.discriminator(fake, level=level)
        losses = {"discriminator": minimax_discriminator(of_real, of_fake)}
        if penalised:
            weight = 0.5 * self.config.r1 * self.config.r1_every
            losses["r1"] = weight * zero_centred_penalty(of_real, real)
        return losses

    def _mirrored(self, image: Tensor) -> Tensor:
        if not self.config.mirror:
            return image
        chosen = torch.rand(len(image), 1, 1, 1, device=image.device) < 0.5
        return torch.where(chosen, image.flip(3), image)


def build(config: Config, facts: PictureFacts) -> System:
    """A system for a set of pictures. Raises TrainingError when they have another size than the config."""
    check_pictures(facts.name, facts.resolution, config.resolution)
    return System(replace(config, channels=facts.channels))
