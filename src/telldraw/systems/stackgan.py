"""Pictures from texts in two stages, a sketch and then the picture: StackGAN (Zhang et al. 2017).

"StackGAN: Text to Photo-realistic Image Synthesis with Stacked Generative Adversarial Networks", ICCV 2017,
arXiv:1612.03242. In the paper's letters, a 0 for what belongs to stage I:

    phi_t [T]  a text, by a text encoder that is trained first and stays as it is (`systems/text_encoder.py`)
    z [Z] ~ N(0, 1)

    c0 = mu0(phi_t) + sigma0(phi_t) eps0        conditioning augmentation, Sec. 3.2: a Gaussian around the text
    s0 = G0(z, c0)                              z beside c0 -> 4x4 -> doubled, 3x3 -> ... -> the small picture
    L_D0 = -log D0(I0, phi_t) - (log(1 - D0(I0, phi_t^)) + log(1 - D0(s0, phi_t))) / 2               Eq. 3
    L_G0 = -log D0(s0, phi_t) + lambda KL(N(mu0, sigma0^2) || N(0, 1))                               Eq. 4

    c = mu(phi_t) + sigma(phi_t) eps            an augmentation of its own: it may find what stage I missed
    s = G(s0, c)                                s0 halved, c beside it, residual blocks, doubled to the large picture
    L_D, L_G                                    Eqs. 5, 6: likewise, and D also says whether a picture is one at all

phi_t^ is a text that does not describe the picture; I0 is the picture I, averaged down. Both stages read the same data:
`stage = 1` trains G0 on small pictures; `stage = 2`, begun with its weights, trains G on large ones.

Different from the paper or its released code (TensorFlow for birds and flowers, PyTorch for COCO), or to know:

1.  All that is random is in `noise`: z, eps0 and, in stage II, eps, side by side. A seed gives its numbers in a row,
    so the same seed and caption are the same s0 in both stages.
2.  D reads mu(phi_t) as the text, a constant to it, as in PyTorch; or phi_t by a layer of its own, as in the paper and
    in TensorFlow (`discriminator_text`): where the KL leaves mu small, D otherwise hardly sees what was said.
3.  mu and log sigma^2 are free; released: a (leaky) ReLU, so that sigma is hardly below 1 (`rectified`: PyTorch's).
4.  The KL's weight counts the mean over code_dim numbers, as in both codes, with their 2; the paper says lambda = 1.
5.  A mismatch is certain not to describe the picture (`mismatch`); PyTorch's, the next text of the batch, may do so.
6.  While stage II is trained, stage I draws as it does for others; PyTorch's batch statistics go on moving.
7.  Stage II's loss is that of PyTorch, where D also judges pictures without a text (`stacked_discriminator`).
8.  Stage II may draw onto its sketch, enlarged, instead of all of it anew (`onto_sketch`), may have to draw true
    pictures again, averaged down (`again_weight`), both so that it keeps what the sketch has right; and D's slope at
    true pictures may be held down (`r1`).
9.  What stage I draws is enlarged to `resolution`: both stages are looked at and measured on the same pictures.
10. phi_t is divided by its root mean square, linear layers begin as PyTorch begins them, and the weights that draw are
    a moving average: as in `gan_cls`, with the reasons.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from telldraw.batches import Described, DescribedFacts
from telldraw.blocks.conditioning import ConditioningAugmentation
from telldraw.blocks.strided import SMALLEST, begin, check_pictures, check_side, halving, norm
from telldraw.errors import TrainingError
from telldraw.objectives.adversarial import non_saturating_generator
from telldraw.objectives.divergence import gaussian_kl
from telldraw.objectives.matching import matching_discriminator, stacked_discriminator
from telldraw.objectives.slope import check_slope, slope_is_due, slope_penalty
from telldraw.protocols import Recipe, Update


@dataclass(frozen=True)
class Config:
    """Stage, sizes and step sizes."""

    stage: Literal[1, 2] = 1
    """What is trained: 1, small pictures; 2, large ones, for a stage I that is there (--start-from)."""
    resolution: int = 64
    """Side of the data's square pictures, in pixels, which stage II draws; published 256."""
    first_resolution: int = 32
    """Side of what stage I draws, in pixels; published 64."""
    channels: int = 3
    """1 grey, 3 colour; taken from the data set."""
    noise_dim: int = 100
    """Z, numbers in z."""
    text_dim: int = 1024
    """T, numbers in the vector of a text; taken from the text encoder."""
    text_scale: float = 1.0
    """Root mean square of these numbers; measured on training captions."""
    code_dim: int = 128
    """Numbers in c0, and in c."""
    rectified: bool = False
    """ReLU on means and log-variances of the augmentation, as in the PyTorch code."""
    first_width: int = 24
    """Channels of G0's largest map, doubled with each halving of its side; published 64."""
    second_width: int = 8
    """Channels of G's largest map, doubled with each halving of its side; published 32."""
    residuals: int = 2
    """Residual blocks of G; published 4 (birds, flowers) and 2 (COCO)."""
    discriminator_width: int = 32
    """Channels of the largest map of D, or D0, doubled with each halving of its side; published 64."""
    discriminator_norm: Literal["batch", "layer"] = "batch"
    """D's norms: over a batch, as published, or over each picture, which a penalty of D's slope needs."""
    discriminator_text: Literal["mu", "own"] = "mu"
    """What D reads of a text: mu, as in PyTorch, or the text itself by a layer of its own, as in the paper."""
    captions: int = 1
    """Captions of a picture whose vectors' mean describes it; released 4 for birds and flowers."""
    sampling: Literal["pictures", "classes", "distinct"] = "pictures"
    """Batches: each picture once an epoch, as released, or a class by chance and then a picture of it (classes)."""
    mismatch: Literal["class", "caption", "content"] = "caption"
    """What wrong texts are of: a picture of another class, without a caption in common, or with other solids."""
    kl_weight: float = 2.0
    """Weight of the KL, a mean over code_dim numbers; released 2."""
    onto_sketch: bool = False
    """Stage II: what it draws is added to its sketch, enlarged, before tanh; published: all is drawn anew."""
    again_weight: float = 0.0
    """Stage II: weight of the error of true pictures drawn again from what stage I's size leaves; published 0."""
    generator_rate: float = 2e-4
    """Adam step size of G, or G0; published 2e-4."""
    discriminator_rate: float = 2e-4
    """Likewise of D, or D0; published 2e-4."""
    r1: float = 0.0
    """gamma, of half of D's squared slope at true pictures (Mescheder et al. 2018); the paper has none."""
    r1_every: int = 8
    """Steps from one such penalty, so many times as strong, to the next."""
    halve_every: int = 0
    """Steps after which step sizes are halved, again and again; published: 100 epochs. 0: never."""

    def __post_init__(self) -> None:
        check_side(self.resolution)
        check_side(self.first_resolution, "first-resolution")
        if self.first_resolution >= self.resolution + (self.stage == 1):
            raise TrainingError(
                f"--config.first-resolution {self.first_resolution}: stage I draws smaller pictures than stage II, "
                f"whose side is --config.resolution {self.resolution}"
            )
        if self.captions < 1:
            raise TrainingError(f"--config.captions {self.captions}: at least 1 is needed")
        check_slope(self.r1, self.r1_every, self.discriminator_norm)

    @property
    def wrong(self) -> str:
        """Of what pictures batches are to bring wrong texts."""
        return self.mismatch

    @property
    def side(self) -> int:
        """Of the pictures that the stage draws and its discriminator sees, in pixels."""
        return self.first_resolution if self.stage == 1 else self.resolution


_BIRDS = Config(mismatch="content", generator_rate=4e-4, discriminator_rate=4e-4, discriminator_norm="layer", r1=0.1)
_PAPER = Config(
    *(1, 256, 64), first_width=64, second_width=32, residuals=4, discriminator_width=64,
    captions=4, mismatch="class", halve_every=14_000,
)  # fmt: skip
_TINY = Config(
    *(1, 16, 8), noise_dim=8, code_dim=32, first_width=8, second_width=4, residuals=1, discriminator_width=8
)  # fmt: skip
PRESETS = {
    # CLEVR birds, 64x64, for two cores: stage I draws 32x32, stage II 64x64
    "birds-32": _BIRDS,
    "birds-64": replace(
        _BIRDS,
        stage=2,
        discriminator_width=16,
        discriminator_text="own",
        discriminator_rate=2e-4,
        onto_sketch=True,
        again_weight=10.0,
    ),
    # The published sizes, for sets of 256x256 whose pictures have a class each; a GPU, batches of 64.
    "paper-1": _PAPER,
    "paper-2": replace(_PAPER, stage=2),
    "tiny": _TINY,
    "tiny-2": replace(_TINY, stage=2),
}
_LONG = Recipe(batch_size=64, examples=5_300_000, sheet_every=200_000, decay=0.999, takes="needs a GPU")
RECIPES = {
    "birds-32": Recipe(
        batch_size=16, examples=256_000, sheet_every=16_000, decay=0.998, takes="40 minutes of one core"
    ),
    "birds-64": Recipe(batch_size=16, examples=96_000, sheet_every=16_000, decay=0.998, takes="30 minutes of one core"),
    "paper-1": _LONG,
    "paper-2": _LONG,
}


class Drawn(NamedTuple):
    """N pictures, and the Gaussians of the codes that they were drawn from."""

    image: Tensor  # [N, C, H, W] in [-1, 1]
    mean: Tensor  # [N, code_dim]
    logvar: Tensor  # [N, code_dim]


def _kept(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def _painted(widths: list[int], channels: int) -> nn.Sequential:
    """A map of widths[0] channels becomes a picture before tanh: for each further width a pixel is four, then 3x3."""
    layers: list[nn.Module] = []
    for inputs, outputs in zip(widths, widths[1:], strict=False):
        layers += [nn.Upsample(scale_factor=2), _kept(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, _kept(widths[-1], channels))


class First(nn.Module):
    """G0: the text's code beside z, and from there to a small picture."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.augmentation = ConditioningAugmentation(config.text_dim, config.code_dim, rectified=config.rectified)
        halvings = (config.first_resolution // SMALLEST).bit_length() - 1
        widths = [config.first_width << n for n in reversed(range(halvings + 1))]
        points = widths[0] * SMALLEST**2
        linear = nn.Linear(config.noise_dim + config.code_dim, points, bias=False)
        self.begin = nn.Sequential(linear, nn.BatchNorm1d(points), nn.ReLU(inplace=True))
        self.paint = _painted(widths, config.channels)
        self.apply(begin)

    def forward(self, z: Tensor, text: Tensor, noise: Tensor) -> Drawn:
        """z [N, Z], text [N, T], noise [N, code_dim] of the code -> small pictures."""
        code, mean, logvar = self.augmentation(text, noise)
        points = self.begin(torch.cat([z, code], 1)).unflatten(1, (-1, SMALLEST, SMALLEST))
        image = self.paint(points.contiguous(memory_format=torch.channels_last)).tanh()
        return Drawn(image, mean, logvar)


class Residual(nn.Module):
    """3x3 twice, added to what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(_kept(channels, channels), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)),
            *(_kept(channels, channels), nn.BatchNorm2d(channels)),
        )

    def forward(self, features: Tensor) -> Tensor:
        """[N, F, H, W] -> the same shape."""
        return F.relu(features + self.layers(features))


_PALE = 0.99
"""What is black or white in a sketch is this before atanh, so that it can still be drawn over."""


class Second(nn.Module):
    """G: a small picture read, a code of the text laid beside every place of it, and from there to a large picture."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.augmentation = ConditioningAugmentation(config.text_dim, config.code_dim, rectified=config.rectified)

        self.onto_sketch = config.onto_sketch

        def width(side: int) -> int:
            return config.second_width * config.resolution // side

        side = config.first_resolution
        layers: list[nn.Module] = [_kept(config.channels, width(side)), nn.ReLU(inplace=True)]
        while side > max(SMALLEST, config.first_resolution // 4):  # published: 16
            layers.append(nn.Conv2d(width(side), width(side // 2), 4, stride=2, padding=1, bias=False))
            side //= 2
            layers += [nn.BatchNorm2d(width(side)), nn.ReLU(inplace=True)]
        self.read = nn.Sequential(*layers)
        inner = width(side)
        join = _kept(inner + config.code_dim, inner), nn.BatchNorm2d(inner), nn.ReLU(inplace=True)
        self.join = nn.Sequential(*join, *(Residual(inner) for _ in range(config.residuals)))
        doublings = (config.resolution // side).bit_length() - 1
        self.paint = _painted([inner >> n for n in range(doublings + 1)], config.channels)
        self.apply(begin)

    def forward(self, sketch: Tensor, text: Tensor, noise: Tensor) -> Drawn:
        """Small pictures s0 [N, C, h, h], text [N, T], noise [N, code_dim] -> large pictures."""
        code, mean, logvar = self.augmentation(text, noise)
        features = self.read(sketch.contiguous(memory_format=torch.channels_last))
        painted = self.paint(self.join(_beside(features, code)))
        if self.onto_sketch:
            painted = painted + F.interpolate(sketch, painted.shape[2:], mode="bilinear").clamp(-_PALE, _PALE).atanh()
        return Drawn(painted.tanh(), mean, logvar)


def _beside(features: Tensor, code: Tensor) -> Tensor:
    """features [N, F, H, W], code [N, E] -> [N, F + E, H, W], the code at every place."""
    return torch.cat([features, code[:, :, None, None].expand(-1, -1, *features.shape[2:])], 1)


class Discriminator(nn.Module):
    """D0 or D: what it makes of a picture, how well a text fits that, and of stage II how true it is by itself."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        halvings = (config.side // SMALLEST).bit_length() - 1
        layers = halving(config.channels, config.discriminator_width, halvings, normed=config.discriminator_norm)

        def mixed(inputs: int, outputs: int) -> list[nn.Module]:
            after = *norm(config.discriminator_norm, outputs), nn.LeakyReLU(0.2, inplace=True)
            return [_kept(inputs, outputs), *after]

        width = config.discriminator_width << (halvings - 1)
        while width > 8 * config.discriminator_width:  # as published: what 256 pixels need has fewer channels again
            layers += mixed(width, width // 2)
            width //= 2
        self.picture = nn.Sequential(*layers)
        self.joint = nn.Sequential(*mixed(width + config.code_dim, width), nn.Conv2d(width, 1, SMALLEST))
        if config.stage == 2:
            self.alone = nn.Conv2d(width, 1, SMALLEST)
        self.compress: nn.Module = nn.Identity()
        if config.discriminator_text == "own":
            self.compress = nn.Sequential(nn.Linear(config.text_dim, config.code_dim), nn.LeakyReLU(0.2, inplace=True))
        self.apply(begin)

    def features(self, image: Tensor) -> Tensor:
        """image [N, C, H, W] in [-1, 1] -> [N, F, 4, 4]."""
        return self.picture(image.contiguous(memory_format=torch.channels_last))

    def match(self, features: Tensor, told: Tensor) -> Tensor:
        """features [N, F, 4, 4] of pictures, what is told [N, code_dim or T] (`System._told`) -> logits [N]."""
        return self.joint(_beside(features, self.compress(told))).flatten().float()

    def true(self, features: Tensor) -> Tensor:
        """features [N, F, 4, 4] of pictures, whatever they show -> logits [N]."""
        return self.alone(features).flatten().float()


class System(nn.Module):
    """The players of one stage, and how they are trained."""

    reader: Any = None
    """Who makes vectors of captions; set from outside, and no part of these weights."""
    begins_anew = ("second", "discriminator")
    training_only, lacks = ("discriminator",), ()

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config, self.text_dim = config, config.text_dim
        self.noise_dim = config.noise_dim + config.stage * config.code_dim
        self.first = First(config)
        if config.stage == 2:
            self.first.requires_grad_(False)
            self.second = Second(config)
        self.discriminator = Discriminator(config)

    @property
    def drawer(self) -> Any:
        """G0 or G: what the stage trains."""
        return self.first if self.config.stage == 1 else self.second

    def train(self, mode: bool = True) -> "System":
        """Training mode, or not; a stage I that is there already draws as it does for others."""
        super().train(mode)
        self.first.train(mode and self.config.stage == 1)
        return self

    def depict(self, noise: Tensor, text: Tensor) -> Tensor:
        """noise [N, Z + stage * code_dim] ~ N(0, 1), text [N, T] -> [N, C, H, W] in [-1, 1]."""
        image = self._draw(noise, text / self.config.text_scale).image.float()
        return F.interpolate(image, self.config.resolution, mode="bilinear")

    def _draw(self, noise: Tensor, text: Tensor) -> Drawn:
        """What the stage draws from texts [N, T], scaled."""
        config = self.config
        z, *eps = noise.split([config.noise_dim, *[config.code_dim] * config.stage], 1)
        if config.stage == 1:
            return self.first(z, text, eps[0])
        with torch.no_grad():
            sketch = self.first(z, text, eps[0]).image
        return self.second(sketch, text, eps[1])

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each player of the stage. Raises TrainingError when stage II has no trained stage I."""
        config = self.config
        if config.stage == 2 and not self.first.begin[1].num_batches_tracked:
            raise TrainingError(
                "--start-from is missing: stage II makes large pictures of what stage I draws; train that first "
                "(--config.stage 1) and name its run"
            )
        return {
            "discriminator": Adam(self.discriminator.parameters(), config.discriminator_rate, (0.5, 0.999)),
            "generator": Adam(self.drawer.parameters(), config.generator_rate, (0.5, 0.999)),
        }

    def training_step(self, batch: Described, update: Update) -> None:
        """D's step, Eq. 3 or 5, then G's on the same drawings, Eq. 4 or 6."""
        for name in ("discriminator", "generator") if self.config.halve_every else ():
            update.rate(name, 0.5 ** (update.step // self.config.halve_every))
        drawn = self._drawn(batch)
        judged = self._judged(batch, drawn, update.step)
        update("discriminator", torch.stack(list(judged.values())).sum())
        believed, kl = self._believed(drawn, self._told(batch.text)), gaussian_kl(drawn.mean, drawn.logvar).mean()
        again = self._again(batch)
        update("generator", believed + self.config.kl_weight * kl + self.config.again_weight * again)
        update.record(**judged, generator=believed, kl=kl, again=again)

    def _drawn(self, batch: Described) -> Drawn:
        noise = torch.randn(len(batch.text), self.noise_dim, device=batch.text.device)
        return self._draw(noise, batch.text / self.config.text_scale)

    def _judged(self, batch: Described, drawn: Drawn, step: int | None = None) -> dict[str, Tensor]:
        """D's loss, Eq. 3 or 5, and where asked for the penalty of its slope at true pictures."""
        config, judge, told = self.config, self.discriminator, self._told(batch.text)
        sloped = step is not None and slope_is_due(config.r1, config.r1_every, step)
        real = self._seen(batch.image).detach().requires_grad_(sloped)
        true, fake = judge.features(real), judge.features(drawn.image.detach())
        pairs = judge.match(true, told), judge.match(fake, told), judge.match(true, self._told(batch.wrong_text))
        alone = (judge.true(true), judge.true(fake)) if config.stage == 2 else ()
        losses = {"discriminator": stacked_discriminator(*pairs, *alone) if alone else matching_discriminator(*pairs)}
        if sloped:
            believed = torch.stack([pairs[0], *alone[:1]]).mean(0)
            losses["r1"] = slope_penalty(believed, real, config.r1, config.r1_every)
        return losses

    def _believed(self, drawn: Drawn, told: Tensor) -> Tensor:
        """-log D of drawings: what G is to lessen. What D is told is a constant, here too."""
        fake = self.discriminator.features(drawn.image)
        loss = non_saturating_generator(self.discriminator.match(fake, told))
        return loss if self.config.stage == 1 else loss + non_saturating_generator(self.discriminator.true(fake))

    def _again(self, batch: Described) -> Tensor:
        """Mean |x - G(x averaged down, c)|: how far true pictures are from what G makes of a perfect sketch."""
        config, image = self.config, batch.image
        if not config.again_weight or config.stage == 1:
            return image.new_zeros(())
        sketch = F.avg_pool2d(image, config.resolution // config.first_resolution)
        noise = torch.randn(len(image), config.code_dim, device=image.device)
        return F.l1_loss(self.second(sketch, batch.text / config.text_scale, noise).image, image)

    def _told(self, text: Tensor) -> Tensor:
        """What D is told of texts [N, T] as they come, a constant: their mu [N, code_dim], or themselves, scaled."""
        text = text / self.config.text_scale
        if self.config.discriminator_text == "own":
            return text
        with torch.no_grad():
            return self.drawer.augmentation(text, text.new_zeros(1, self.config.code_dim))[1]

    def _seen(self, image: Tensor) -> Tensor:
        """Pictures [N, C, H, W], averaged down to the side that the stage draws."""
        return F.avg_pool2d(image, self.config.resolution // self.config.side)

    def losses(self, batch: Described) -> dict[str, Tensor]:
        """How D and G stand, moving nothing."""
        with torch.no_grad():
            drawn = self._drawn(batch)
            return self._judged(batch, drawn) | {"generator": self._believed(drawn, self._told(batch.text))}

    def judge(self, images: Tensor, text: Tensor) -> Tensor:
        """D's logits [N] of pictures [N, C, H, W] and texts [N, T]; only beside a training state."""
        return self.discriminator.match(self.discriminator.features(self._seen(images)), self._told(text))

    def measure(self, batch: Described) -> None:
        """Draw and judge in training mode, so that the running statistics become those of the present weights."""
        self.losses(batch)


def build(config: Config, facts: DescribedFacts) -> System:
    """A system for a set of captioned pictures. Raises TrainingError when they have another size than the config."""
    pictures = facts.pictures
    check_pictures(pictures.name, pictures.resolution, config.resolution)
    return System(replace(config, channels=pictures.channels, text_dim=facts.text_dim, text_scale=facts.text_scale))
