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

Version 2, Karras et al., CVPR 2020 (arXiv:1912.04958): modulated weights instead of AdaIN, nothing grows, and G has a
penalty too, that equal steps in w change pictures equally:

    (||J_w^T y|| - a)^2                            J_w = d g(w) / d w, y ~ N(0, I), a a moving average: Sec. 3.2

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
9.  Version 2: the penalties of a step are added to its loss, where theirs are steps of their own, with Adam's settings
    changed to make up for it. The path length is that of new pictures, half a batch of them, as theirs.
10. `augment`: pictures, true and drawn, are changed at random before D sees them (`blocks/augmentation.py`), for sets
    of few pictures; off in both papers.
11. `noise_until`: in short trainings G makes of noise what differs between pictures, which is learnt sooner than w;
    without noise it has to be in w, where it can be chosen. Off in both papers.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from telldraw.batches import PictureFacts, Pictures
from telldraw.blocks.augmentation import augmented
from telldraw.blocks.growing import faded, level_after, parts
from telldraw.blocks.strided import check_pictures
from telldraw.blocks.style_discriminator import Discriminator
from telldraw.blocks.style_generator import Mapping, Sizes, Synthesis, mixed, truncated
from telldraw.blocks.style_layers import Noise
from telldraw.errors import TrainingError
from telldraw.objectives.adversarial import minimax_discriminator, non_saturating_generator
from telldraw.objectives.penalties import path_length_penalty, path_lengths, zero_centred_penalty
from telldraw.protocols import Recipe, Update

_PATH_SHARE = 0.01
"""How far the mean path length moves at a time."""
_RISE = 500_000
"""Examples in which the share of changed pictures can rise from 0 to 1."""


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
    noise_until: int = -1
    """Examples for which the layers are given noise; from then on they have none, in pictures too; below 0: all."""
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
    path_length: float = 0.0
    """Weight of the penalty on path lengths (version 2: 2)."""
    path_every: int = 4
    """Steps from one such penalty to the next, which is so many times as strong (version 2: 4)."""
    group: int = 4
    """Pictures that D compares with one another (paper: 4)."""
    augment: tuple[Literal["colour", "translation", "cutout"], ...] = ()
    """How pictures are changed before D sees them (Zhao et al. 2020: all three, for few pictures)."""
    augment_share: float = 1.0
    """Share of the pictures that meet each such change; where it adapts, the most (Zhao et al.: 1)."""
    augment_target: float = 0.0
    """Above 0: the share rises from 0 while D says of more than this share of true pictures that they are true, counted
    as E sign(D(x)), and falls otherwise (Karras et al. 2020, arXiv:2006.06676: 0.6)."""
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
        for flag, value in (("r1-every", self.r1_every), ("path-every", self.path_every), ("group", self.group)):
            if value < 1:
                raise TrainingError(f"--config.{flag} {value}: at least 1 is needed")
        for flag, share in (
            ("mixing", self.mixing),
            ("augment-share", self.augment_share),
            ("augment-target", self.augment_target),
        ):
            if not 0 <= share <= 1:
                raise TrainingError(f"--config.{flag} {share}: a share from 0 to 1 is needed")
        if self.version == "2" and self.start != self.resolution:
            raise TrainingError(
                f"--config.start {self.start}: version 2 does not grow; leave --config.version 1, or give "
                f"--config.start {self.resolution}"
            )


PAPER = Config(
    resolution=256,
    noise_dim=512,
    style_dim=512,
    width=16384,
    widest=512,
    discriminator_width=16384,
    mirror=True,
    generator_rate=2e-3,
    discriminator_rate=2e-3,
)
VERSION_2 = replace(
    PAPER,
    version="2",
    start=256,
    r1_every=16,
    path_length=2.0,
    group=8,
    generator_rate=2.5e-3,
    discriminator_rate=2.5e-3,
)
TINY = Config(
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
)
PRESETS = {
    # For two cores.
    "faces-64": Config(
        width=1024,
        discriminator_width=1024,
        noise_until=0,
        r1_every=8,
        stable=(16_000, 24_000, 24_000),
        fading=(8_000, 16_000, 16_000),
        generator_rate=5e-3,
        discriminator_rate=5e-3,
    ),
    # The same widths without growing.
    "v2-64": Config(
        version="2",
        width=1024,
        discriminator_width=1024,
        noise_until=0,
        start=64,
        r1=3.0,
        r1_every=16,
        path_length=2.0,
        generator_rate=5e-3,
        discriminator_rate=5e-3,
    ),
    # A GPU, a day.
    "faces-128": Config(
        resolution=128,
        noise_dim=256,
        style_dim=256,
        width=8192,
        widest=256,
        discriminator_width=8192,
        r1_every=8,
        stable=(300_000,),
        fading=(300_000,),
        mirror=True,
        generator_rate=1.5e-3,
        discriminator_rate=1.5e-3,
    ),
    # The published sizes; GPUs, days.
    "paper-256": PAPER,
    "paper-1024": replace(PAPER, resolution=1024, generator_rate=3e-3, discriminator_rate=3e-3),
    "v2-256": replace(VERSION_2, r1=1.0),
    "tiny": TINY,
    "tiny-v2": replace(TINY, version="2", start=16, r1=1.0, path_length=2.0, path_every=2, r1_every=2),
}
RECIPES = {
    "faces-64": Recipe(
        batch_size=16, examples=200_000, sheet_every=8_000, decay=0.998, takes="an hour and a half of one core"
    ),
    "v2-64": Recipe(
        batch_size=16, examples=200_000, sheet_every=8_000, decay=0.998, takes="an hour and ten minutes of one core"
    ),
    "faces-128": Recipe(
        batch_size=32, examples=5_000_000, sheet_every=100_000, decay=0.998, takes="needs a GPU; not trained yet"
    ),
    "paper-256": Recipe(
        batch_size=32, examples=25_000_000, sheet_every=500_000, decay=0.998, takes="needs a GPU; not trained yet"
    ),
    "paper-1024": Recipe(
        batch_size=32, examples=25_000_000, sheet_every=500_000, decay=0.998, takes="needs GPUs; not trained yet"
    ),
    "v2-256": Recipe(
        batch_size=64, examples=25_000_000, sheet_every=500_000, decay=0.998, takes="needs GPUs; not trained yet"
    ),
}


class System(nn.Module):
    """Both players, and how they are trained."""

    training_only = ("discriminator",)
    label_dim = 0
    seen: Tensor
    path: Tensor
    share: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.noise_dim, self.style_dim, self.layers = config.noise_dim, config.style_dim, config.layers
        self.truncation = config.truncation
        """psi of `generate`."""
        self.mapping = Mapping(config)
        self.synthesis = Synthesis(config)
        self.discriminator = Discriminator(config, config.discriminator_width, group=config.group)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))  # examples trained on: what has grown
        if config.path_length:
            self.register_buffer("path", torch.zeros(()))  # a, the mean path length
        if config.augment:
            share = 0.0 if config.augment_target else config.augment_share
            self.register_buffer("share", torch.tensor(share))  # of the pictures, how many are changed

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
        fake = self.synthesis(self._styles(count, level), level=level, noise=self._noise())
        real = faded(self._mirrored(batch.image), level)
        losses = self._judged(real, fake.detach(), level, penalised=update.step % config.r1_every == 0)
        update("discriminator", torch.stack(list(losses.values())).sum())
        drawing = {"generator": non_saturating_generator(self._judge(fake, level))}
        if config.path_length and update.step % config.path_every == 0:
            drawing["path"] = config.path_length * config.path_every * self._uneven(max(1, count // 2), level)
        update("generator", torch.stack(list(drawing.values())).sum())
        update.record(**losses, **drawing, level=level)

    def _grow(self, count: int, update: Update) -> float:
        """The level of this batch. Where another side begins or has fully faded in, Adam begins anew."""
        seen = int(self.seen)
        level, before = self._level(seen), self._level(max(0, seen - count))
        self.seen += count
        if self.config.reset and (parts(level)[0] != parts(before)[0] or int(level) != int(before)):
            update.forget("discriminator")
            update.forget("generator")
        return level

    @torch.no_grad()
    def _noise(self) -> Noise:
        """What the layers are given; where there is no more noise, their strengths of it become zero for good."""
        if self.config.noise_until < 0 or int(self.seen) <= self.config.noise_until:
            return "random"
        for name, weight in self.synthesis.named_parameters():
            if name.endswith("strength"):
                weight.zero_()
        return "none"

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

    def _judge(self, image: Tensor, level: float) -> Tensor:
        """Logits [N] of pictures [N, C, H, W], which D sees changed where `augment` says so."""
        if self.config.augment:
            image = augmented(image, self.config.augment, self.share)
        return self.discriminator(image, level=level)

    def _judged(self, real: Tensor, fake: Tensor, level: float, *, penalised: bool) -> dict[str, Tensor]:
        """D's losses on real and drawn pictures [N, C, H, W]."""
        penalised = penalised and self.config.r1 > 0
        real = real.detach().requires_grad_(penalised)
        of_real, of_fake = self._judge(real, level), self._judge(fake, level)
        losses = {"discriminator": minimax_discriminator(of_real, of_fake)}
        if penalised:
            weight = 0.5 * self.config.r1 * self.config.r1_every
            losses["r1"] = weight * zero_centred_penalty(of_real, real)
        if self.config.augment and self.config.augment_target:
            self._adapt(of_real.detach())
        return losses

    @torch.no_grad()
    def _adapt(self, logits: Tensor) -> None:
        """More pictures are changed where D is surer of true ones than it should be: arXiv:2006.06676, Sec. 3.1."""
        towards = (logits.sign().mean() - self.config.augment_target).sign()
        self.share.add_(towards * len(logits) / _RISE).clamp_(0, self.config.augment_share)

    def _uneven(self, count: int, level: float) -> Tensor:
        """The penalty on path lengths, of new pictures; their mean length follows."""
        w = self._styles(count, level)
        lengths = path_lengths(self.synthesis(w, level=level, noise=self._noise()), w)
        self.path.lerp_(lengths.detach().mean(), _PATH_SHARE)
        return path_length_penalty(lengths, self.path)

    def _mirrored(self, image: Tensor) -> Tensor:
        if not self.config.mirror:
            return image
        chosen = torch.rand(len(image), 1, 1, 1, device=image.device) < 0.5
        return torch.where(chosen, image.flip(3), image)


def build(config: Config, facts: PictureFacts) -> System:
    """A system for a set of pictures. Raises TrainingError when they have another size than the config."""
    check_pictures(facts.name, facts.resolution, config.resolution)
    return System(replace(config, channels=facts.channels))
