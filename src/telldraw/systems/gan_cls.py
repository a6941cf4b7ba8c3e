"""Pictures from texts: GAN, GAN-CLS, GAN-INT and GAN-INT-CLS, and the style encoder (Reed et al. 2016).

"Generative Adversarial Text to Image Synthesis", ICML 2016, arXiv:1605.05396. In the paper's letters:

    phi(t) [D]   a text, by a text encoder that is trained first and stays as it is (`systems/text_encoder.py`)
    z [Z] ~ N(0, 1)

    x^ = G(z, phi(t))          G: phi -> 128 numbers beside z -> 4x4 -> residual -> 8x8 -> residual -> ... -> 64x64
    D(x, phi(t))               D: x -> ... -> 4x4, residual; beside it phi -> 128 numbers at each of the 16 places

    s_r = D(x, phi(t))         a picture and its text
    s_w = D(x, phi(t^))        a picture and a text that does not describe it
    s_f = D(x^, phi(t))        what was drawn from the text

    CLS   L_D = -log s_r - (log(1 - s_w) + log(1 - s_f)) / 2                                Algorithm 1
    INT   G also draws from beta phi(t1) + (1 - beta) phi(t2), and is to be believed:
          L_G = -log s_f - E log D(G(z, beta phi(t1) + (1 - beta) phi(t2)), ...)            Eq. 5
    S     a style encoder finds z again: L_S = ||z - S(G(z, phi(t)))||^2                    Eq. 6, G as it is
          S(x) and another text t': G(S(x), phi(t')) draws t' in the style of x             Sec. 4.4

`variant` chooses among the four of the paper: `gan` has neither, `cls` and `int` one, `int-cls` both. G and D are
trained first (`stage = "pictures"`); then S, on what G draws (`stage = "style"`, begun with the weights of the first).

Different from the paper or from its released code (Torch; it has neither S nor an evaluation), or to know:

1.  D's step comes first and G's step judges the same drawings with D's new weights, as in the code and in DCGAN.
2.  A mismatch is a text with the wrong picture in the code, a picture with the wrong text in the paper and here: D's
    features of the picture then serve s_r and s_w both. That they do not belong together is certain (`mismatch`).
3.  D is never trained on drawings from texts between texts, as in the code; beta is 1/2, or U(0, 1) (`beta`).
4.  The published networks have a bottleneck residual after their smallest maps (`stems`), as the code has; narrow ones
    go without. The code's quirks (no LeakyReLU after one layer of D, biases emptied at each step) are left out.
5.  phi is divided by its root mean square over the training captions (`text_scale`), because encoders trained by dot
    products have any scale; the linear layers that read it begin as PyTorch begins them, all else from N(0, 0.02).
6.  The weights that draw are a moving average, their batch statistics measured anew (`measure`).
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from telldraw.batches import Described, DescribedFacts
from telldraw.blocks.strided import SMALLEST, Enlarge, Stem, begin, check_pictures, check_side, halving, norm
from telldraw.errors import TrainingError
from telldraw.objectives.adversarial import non_saturating_generator
from telldraw.objectives.matching import matching_discriminator
from telldraw.objectives.slope import check_slope, slope_is_due, slope_penalty
from telldraw.protocols import Recipe, Update


@dataclass(frozen=True)
class Config:
    """Variant, sizes and step sizes."""

    stage: Literal["pictures", "style"] = "pictures"
    """What is trained: G and D, or the style encoder S for a G that is there (--start-from)."""
    variant: Literal["gan", "cls", "int", "int-cls"] = "int-cls"
    """Which of the paper's four: with wrong texts for D (cls), with texts between texts for G (int)."""
    resolution: int = 64
    """Side of the square pictures, in pixels: 4 times a power of two; published 64."""
    channels: int = 3
    """1 grey, 3 colour; taken from the data set."""
    noise_dim: int = 100
    """Z, numbers in z."""
    text_dim: int = 1024
    """D, numbers in the vector of a text; taken from the text encoder."""
    text_scale: float = 1.0
    """Root mean square of these numbers; measured on training captions."""
    text_gain: float = 1.0
    """Root mean square of the numbers of a text as the networks get them."""
    projection_dim: int = 128
    """Numbers that a text becomes in each network."""
    generator_width: int = 32
    """Channels of G's largest map, doubled with each halving of its side; published 128."""
    discriminator_width: int = 32
    """Channels of D's largest map, doubled with each halving of its side; published 64."""
    style_width: int = 32
    """Channels of S's largest map, doubled with each halving of its side."""
    enlarge: Literal["transposed", "nearest"] = "transposed"
    """How G doubles the side: by transposed convolutions, as published, or by enlarging and convolving."""
    discriminator_norm: Literal["batch", "layer"] = "batch"
    """D's norms: over a batch, as published, or over each picture, which a penalty of D's slope needs."""
    stems: bool = False
    """Residual blocks after the smallest maps, as published."""
    captions: int = 1
    """Captions of a picture whose vectors' mean describes it; released 4."""
    sampling: Literal["pictures", "classes", "distinct"] = "pictures"
    """Batches: each picture once an epoch, or a class by chance and then a picture of it (classes), as released."""
    mismatch: Literal["class", "caption", "content"] = "caption"
    """What wrong texts are of: a picture of another class, without a caption in common, or with other solids."""
    wrong_weight: float = 0.5
    """Share of wrong texts in D's loss of what is to be rejected; published 1/2."""
    beta: Literal["half", "random"] = "half"
    """Where between two texts: in the middle, as published, or anywhere."""
    int_weight: float = 1.0
    """Weight of texts between texts in G's loss; published 1."""
    generator_rate: float = 2e-4
    """Adam step size of G; published 2e-4."""
    discriminator_rate: float = 2e-4
    """Adam step size of D; published 2e-4."""
    style_rate: float = 1e-3
    """Adam step size of S."""
    r1: float = 0.0
    """gamma, of half of D's squared slope at true pictures (Mescheder et al. 2018); the paper has none."""
    r1_every: int = 8
    """Steps from one such penalty, so many times as strong, to the next."""
    halve_every: int = 0
    """Steps after which step sizes are halved, again and again; published: 100 epochs. 0: never."""

    def __post_init__(self) -> None:
        check_side(self.resolution)
        if self.captions < 1:
            raise TrainingError(f"--config.captions {self.captions}: at least 1 is needed")
        if not 0 <= self.wrong_weight < 1:
            raise TrainingError(f"--config.wrong-weight {self.wrong_weight}: from 0 to less than 1 is needed")
        check_slope(self.r1, self.r1_every, "batch" if self.stems else self.discriminator_norm)

    @property
    def halvings(self) -> int:
        """How often the side is halved from the picture to the smallest map."""
        return (self.resolution // SMALLEST).bit_length() - 1

    @property
    def wrong(self) -> str:
        """Of what pictures batches are to bring wrong texts; "" for none."""
        return self.mismatch if self.variant.endswith("cls") and self.stage == "pictures" else ""

    @property
    def between(self) -> bool:
        """Whether G also draws from texts between texts."""
        return self.variant.startswith("int")


_SMALL = Config(text_gain=0.1, discriminator_width=16, enlarge="nearest", generator_rate=4e-4, discriminator_rate=4e-4)
_BIRDS = replace(_SMALL, mismatch="content")
_PAPER = Config(
    generator_width=128,
    discriminator_width=64,
    style_width=64,
    stems=True,
    captions=4,
    sampling="classes",
    mismatch="class",
    halve_every=15_000,
)
_TINY = Config(
    resolution=16, noise_dim=8, projection_dim=8, generator_width=8, discriminator_width=8, style_width=8, stems=True
)
PRESETS = {
    # CLEVR birds, for two cores; the same with --config.variant gan, cls or int
    "birds-64": _BIRDS,
    "birds-64-style": replace(_BIRDS, stage="style"),
    # any set with captions, for example CoDraw's scenes
    "captions-64": _SMALL,
    "captions-64-style": replace(_SMALL, stage="style"),
    # The published sizes, for sets whose pictures have a class each; a GPU, batches of 64.
    "paper": _PAPER,
    "paper-style": replace(_PAPER, stage="style"),
    "tiny": _TINY,
    "tiny-style": replace(_TINY, stage="style"),
}
_PICTURES = Recipe(batch_size=16, examples=128_000, sheet_every=16_000, decay=0.998, takes="22 minutes of one core")
_STYLE = Recipe(batch_size=64, examples=64_000, sheet_every=32_000, decay=0.99, takes="4 minutes of one core")
_LONG = Recipe(batch_size=64, examples=7_000_000, sheet_every=200_000, decay=0.999, takes="needs a GPU")
RECIPES = {
    "birds-64": _PICTURES,
    "birds-64-style": _STYLE,
    "captions-64": _PICTURES,
    "captions-64-style": _STYLE,
    "paper": _LONG,
    "paper-style": replace(_LONG, examples=1_000_000),
}


class Generator(nn.Module):
    """G: the text's numbers beside z, then strided convolutions backwards, from a point to a picture."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = [config.generator_width << n for n in reversed(range(config.halvings))]
        self.text = nn.Sequential(nn.Linear(config.text_dim, config.projection_dim), nn.LeakyReLU(0.2))
        inputs = config.noise_dim + config.projection_dim
        layers: list[nn.Module] = [nn.ConvTranspose2d(inputs, widths[0], SMALLEST, bias=False)]
        for level, (own, following) in enumerate(zip(widths, widths[1:], strict=False)):
            layers.append(nn.BatchNorm2d(own))
            layers.append(Stem(own, 0.0) if config.stems and level < 2 else nn.ReLU(inplace=True))
            layers.append(_doubling(config, own, following))
        layers += [nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True), _doubling(config, widths[-1], config.channels)]
        self.layers = nn.Sequential(*layers, nn.Tanh())
        self.apply(begin)

    def forward(self, z: Tensor, text: Tensor) -> Tensor:
        """z [N, Z], text [N, D] -> [N, C, H, W] in [-1, 1]."""
        point = torch.cat([z, self.text(text)], 1)[:, :, None, None]
        return self.layers(point.contiguous(memory_format=torch.channels_last))


def _doubling(config: Config, inputs: int, outputs: int) -> nn.Module:
    bias = outputs == config.channels
    if config.enlarge == "nearest":
        return Enlarge(inputs, outputs, bias=bias)
    return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=bias)


class Discriminator(nn.Module):
    """D: what it makes of a picture, and how well a text fits that."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.discriminator_width << (config.halvings - 1)
        how: dict[str, Any] = {"stem": config.stems, "normed": config.discriminator_norm}
        self.picture = nn.Sequential(*halving(config.channels, config.discriminator_width, config.halvings, **how))
        self.text = nn.Sequential(
            nn.Linear(config.text_dim, config.projection_dim),
            nn.BatchNorm1d(config.projection_dim),
            nn.LeakyReLU(0.2),
        )
        self.joint = nn.Sequential(
            nn.Conv2d(width + config.projection_dim, width, 1, bias=False),
            *norm(config.discriminator_norm, width),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, 1, SMALLEST),
        )
        self.apply(begin)

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        """image [N, C, H, W] in [-1, 1], text [N, D] -> logits [N]."""
        return self.match(self.features(image), text)

    def features(self, image: Tensor) -> Tensor:
        """image [N, C, H, W] in [-1, 1] -> [N, F, 4, 4]."""
        return self.picture(image.contiguous(memory_format=torch.channels_last))

    def match(self, features: Tensor, text: Tensor) -> Tensor:
        """features [N, F, 4, 4] of pictures, text [N, D] -> logits [N]."""
        told = self.text(text)[:, :, None, None].expand(-1, -1, *features.shape[2:])
        return self.joint(torch.cat([features, told], 1)).flatten().float()


class Style(nn.Sequential):
    """S: strided convolutions from a picture to z, or to as many numbers as wanted."""

    def __init__(self, config: Config, numbers: int) -> None:
        width = config.style_width << (config.halvings - 1)
        layers = halving(config.channels, config.style_width, config.halvings)
        super().__init__(*layers, nn.Flatten(), nn.Linear(width * SMALLEST**2, numbers))
        self.apply(begin)


class System(nn.Module):
    """The players and the style encoder, and how they are trained."""

    reader: Any = None
    """Who makes vectors of captions; set from outside, and no part of these weights."""
    begins_anew = ("style_encoder",)
    next_stage = "style"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.noise_dim, self.text_dim = config.noise_dim, config.text_dim
        self.generator = Generator(config)
        if config.stage == "pictures":
            self.discriminator = Discriminator(config)
            self.training_only, self.lacks = ("discriminator",), ("StyleEncoder",)
            self.players: tuple[str, ...] = ("discriminator", "generator")
        else:
            self.style_encoder = Style(config, config.noise_dim)
            self.generator.requires_grad_(False)
            self.training_only, self.lacks, self.players = (), (), ("style",)

    def train(self, mode: bool = True) -> "System":
        """Training mode, or not; a G that is there already draws as it does for others."""
        super().train(mode)
        if self.config.stage == "style":
            self.generator.eval()
        return self

    def depict(self, noise: Tensor, text: Tensor) -> Tensor:
        """noise [N, Z] ~ N(0, 1), text [N, D] -> [N, C, H, W] in [-1, 1]."""
        return self.generator(noise, self._scaled(text)).float()

    def style(self, images: Tensor) -> Tensor:
        """images [N, C, H, W] in [-1, 1] -> z [N, Z], with which G would draw in their style."""
        return self.style_encoder(images.contiguous(memory_format=torch.channels_last)).float()

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each player, or for S. Raises TrainingError when S has no trained G to learn from."""
        config = self.config
        if config.stage == "style":
            if not any(seen for name, seen in self.generator.named_buffers() if name.endswith("num_batches_tracked")):
                message = "S learns to read the style of what a trained G draws; train that first and name its run"
                raise TrainingError(f"--start-from is missing: {message}")
            return {"style": Adam(self.style_encoder.parameters(), config.style_rate)}
        return {
            "discriminator": Adam(self.discriminator.parameters(), config.discriminator_rate, (0.5, 0.999)),
            "generator": Adam(self.generator.parameters(), config.generator_rate, (0.5, 0.999)),
        }

    def training_step(self, batch: Described, update: Update) -> None:
        """Algorithm 1 of the paper, or a step of S."""
        self._halve(update)
        if self.config.stage == "style":
            loss = self._style_loss(batch)
            update("style", loss)
            update.record(style=loss)
            return
        text = self._scaled(batch.text)
        told = self._told(text)
        fake = self.generator(self._noise(len(told)), told)
        judged = self._judged(batch, fake[: len(text)].detach(), update.step)
        update("discriminator", torch.stack(list(judged.values())).sum())
        losses = self._believed(fake, told, len(text))
        update("generator", torch.stack(list(losses.values())).sum())
        update.record(**judged, **losses)

    def _halve(self, update: Update) -> None:
        """Step sizes of what is trained, halved every so many steps."""
        for name in self.players if self.config.halve_every else ():
            update.rate(name, 0.5 ** (update.step // self.config.halve_every))

    def _judged(self, batch: Described, drawn: Tensor, step: int) -> dict[str, Tensor]:
        """D's losses, Algorithm 1: pictures with their texts and with others', drawings with theirs; and its slope."""
        config, judge, text = self.config, self.discriminator, self._scaled(batch.text)
        sloped = slope_is_due(config.r1, config.r1_every, step)
        real = batch.image.detach().requires_grad_() if sloped else batch.image
        features = judge.features(real)
        right = judge.match(features, text)
        wrong = judge.match(features, self._scaled(batch.wrong_text)) if config.wrong else None
        losses = {"discriminator": matching_discriminator(right, judge(drawn, text), wrong, config.wrong_weight)}
        if sloped:
            losses["r1"] = slope_penalty(right, real, config.r1, config.r1_every)
        return losses

    def _believed(self, drawn: Tensor, told: Tensor, count: int) -> dict[str, Tensor]:
        """G's losses for drawings of `told`, whose first `count` are texts and the rest lie between texts."""
        believed = self.discriminator(drawn, told)
        losses = {"generator": non_saturating_generator(believed[:count])}
        if self.config.between:
            losses["between"] = self.config.int_weight * non_saturating_generator(believed[count:])
        return losses

    def _scaled(self, text: Tensor) -> Tensor:
        return text * (self.config.text_gain / self.config.text_scale)

    def _told(self, text: Tensor) -> Tensor:
        """What G draws from [M, D]: the texts of the batch and, of INT, texts between its two halves."""
        if not self.config.between:
            return text
        half = len(text) // 2
        share = torch.full((half, 1), 0.5, device=text.device)
        if self.config.beta == "random":
            share = torch.rand_like(share)
        return torch.cat([text, share * text[:half] + (1 - share) * text[half : 2 * half]])

    def _style_loss(self, batch: Described) -> Tensor:
        """Eq. 6, the mean over a batch and over z's numbers: 1 for an S that knows nothing."""
        z = self._noise(len(batch.text))
        with torch.no_grad():
            drawn = self.depict(z, batch.text)
        return F.mse_loss(self.style(drawn), z)

    def losses(self, batch: Described) -> dict[str, Tensor]:
        """How D and G stand, or how far S is from z; moves nothing."""
        with torch.no_grad():
            if self.config.stage == "style":
                return {"style": self._style_loss(batch)}
            text = self._scaled(batch.text)
            drawn = self.discriminator(self.generator(self._noise(len(text)), text), text)
            right = self.discriminator(batch.image, text)
            return {"discriminator": matching_discriminator(right, drawn), "generator": non_saturating_generator(drawn)}

    def judge(self, images: Tensor, text: Tensor) -> Tensor:
        """D's logits [N] of pictures [N, C, H, W] and texts [N, D]; only beside a training state."""
        return self.discriminator(images, self._scaled(text))

    def measure(self, batch: Described) -> None:
        """Draw, judge or read in training mode, so that the running statistics become those of the present weights."""
        with torch.no_grad():
            if self.config.stage == "style":
                self._style_loss(batch)
                return
            text = self._scaled(batch.text)
            fake = self.generator(self._noise(len(text)), text)
            for image in (batch.image, fake):
                self.discriminator(image, text)

    def _noise(self, count: int) -> Tensor:
        return torch.randn(count, self.noise_dim, device=next(self.generator.parameters()).device)


def build(config: Config, facts: DescribedFacts, system: type[System] = System) -> System:
    """A system for a set of captioned pictures. Raises TrainingError when they have another size than the config."""
    pictures = facts.pictures
    check_pictures(pictures.name, pictures.resolution, config.resolution)
    return system(replace(config, channels=pictures.channels, text_dim=facts.text_dim, text_scale=facts.text_scale))
