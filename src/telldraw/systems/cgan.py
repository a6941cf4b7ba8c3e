"""Conditional GAN: Mirza & Osindero, "Conditional Generative Adversarial Nets", 2014 (arXiv:1411.1784).

The label y goes to both players (Eq. 2):

    min_G max_D  E log D(x | y) + E log(1 - D(G(z | y)))

Two pairs of networks, chosen by `network`; both see a picture as one row of pixels, so they take any size.

`paper` is that of Sec. 4.1: z of the unit hypercube -> ReLU 200, y -> ReLU 1000, both -> ReLU 1200 -> sigmoid; and
x -> maxout of 240 units with 5 pieces, y -> maxout 50 x 5, both -> maxout 240 x 4 -> sigmoid. Dropout and SGD. What the
text leaves open is as in the experiment it grew from (Goodfellow et al. 2014, their `mnist.yaml`):

1.  G maximises log D(G(z | y)) (`saturating` False), and D's loss is half the sum of its two terms (`halved`).
2.  Both gradients are taken at the same weights (`order` "generator": D judges the pictures G has just learned from).
3.  Weights begin uniform, in +-0.05 for G and +-0.005 for D, and the biases of G's pixels at the logits of their means
    (`marginal_bias`; there of all pictures, here of the first batch).
4.  The momentum rises linearly over 250 passes over 50,000 digits, 125,000 updates.
5.  A fifth of D's pixels is dropped too (`input_dropout`).

Where text and configuration differ, the text counts: the step size is divided by 1.00004 an update (there 1.000004),
z is uniform (there normal), and there is dropout in G (there none). The paper keeps the weights of the best validation
likelihood; here the last ones draw. It does not say whether G drops units when it draws, too. Here it does, as that of
Isola et al. 2017 (pix2pix): in training dropout is what G's pictures vary by, and without it all of them are one
(docs/systems/cgan.md). Which units are dropped is decided by `noise`, so that a picture follows from it and the label.

`modern` is what became usual: one network each, the label as a learned vector beside its input, LeakyReLU, batch norm
in G, dropout in D, tanh, Adam. The names of the weights are those of widespread implementations (`label_emb`, `gen`,
`dis`). Preset `source` also begins as one of these does, with N(0, 0.02) on all linear layers, where the pictures of a
class soon are all alike (docs/systems/cgan.md); preset `modern` begins as PyTorch's layers do.

Neither trains on a true picture beside a wrong label; `wrong_weight` does (Reed et al. 2016, Algorithm 1).
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from telldraw.batches import PictureFacts, Pictures
from telldraw.blocks.annealing import annealed
from telldraw.blocks.maxout import Maxout
from telldraw.errors import TelldrawError, TrainingError
from telldraw.objectives.adversarial import minimax_discriminator, minimax_generator, non_saturating_generator
from telldraw.protocols import Recipe, Update

SLOPE = 0.2
"""Of LeakyReLU."""
DARKEST = 1e-3
"""Means of pixels are taken as at least this, and at most 1 less this, so that they have a logit to begin at."""


@dataclass(frozen=True)
class Config:
    """Sizes, objectives and step sizes; the defaults are those of `modern`."""

    network: Literal["paper", "modern"] = "modern"
    """The networks of the paper (maxout, dropout), or those that became usual (LeakyReLU, batch norm)."""
    resolution: int = 28
    """Side of the square pictures, in pixels."""
    channels: int = 1
    """1 for grey pictures, 3 for colour."""
    num_classes: int = 10
    """Length of the label y; taken from the data set."""
    noise_dim: int = 100
    """Length of z."""
    noise: Literal["uniform", "normal"] = "normal"
    """Distribution of each number of z: uniform on [0, 1] (paper), or normal."""
    generator_widths: tuple[int, ...] = (128, 256, 512, 1024)
    """Units of G's hidden layers; paper: those that z, y and both go to, (200, 1000, 1200)."""
    discriminator_widths: tuple[int, ...] = (512, 512, 512)
    """Units of D's hidden layers; paper: the maxout units that x, y and both go to, (240, 50, 240)."""
    pieces: tuple[int, ...] = (5, 5, 4)
    """paper: linear pieces of each of D's maxout layers."""
    embedding_dim: int = 10
    """modern: length of the learned vector of a class; G and D each have their own."""
    generator_dropout: float = 0.0
    """paper: dropout after G's hidden layers (0.5), in training and in drawing."""
    discriminator_dropout: float = 0.4
    """Dropout in D in training: paper after all hidden layers (0.5), modern in all but the first."""
    input_dropout: float = 0.0
    """paper: dropout of D's pixels in training (the experiment before it had 0.2)."""
    start: Literal["torch", "normal", "uniform", "kaiming"] = "torch"
    """Weights of linear layers at the start: PyTorch's; N(0, 0.02); or, as the paper, uniform in +-0.05 and +-0.005."""
    marginal_bias: bool = False
    """paper: begin the biases of G's pixels at the logits of their means in the first batch."""
    saturating: bool = False
    """Whether G descends log(1 - D(G)) as Eq. 2 has it; else it ascends log D(G)."""
    halved: bool = False
    """Whether D's loss is half the sum of its two terms."""
    wrong_weight: float = 0.0
    """Share of true pictures beside wrong labels in D's negatives; 0 as the paper, 0.5 as GAN-CLS (Reed et al.)."""
    order: Literal["generator", "discriminator"] = "discriminator"
    """Who steps first; both use the same drawn pictures."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """What moves the weights."""
    rate: float = 2e-4
    """Step size of both players at the start."""
    betas: tuple[float, float] = (0.5, 0.999)
    """adam: decays of its two moments."""
    rate_divisor: float = 1.00004
    """sgd: the step size is divided by this with every update..."""
    least_rate: float = 1e-6
    """sgd: ...but does not fall below this."""
    momentum: tuple[float, float] = (0.5, 0.7)
    """sgd: momentum at the start and at the end of its rise."""
    momentum_updates: int = 125_000
    """sgd: number of updates over which the momentum rises, linearly."""

    def __post_init__(self) -> None:
        for flag, value in (
            ("resolution", self.resolution),
            ("num-classes", self.num_classes),
            ("noise-dim", self.noise_dim),
        ):
            if value < 1:
                raise TrainingError(f"--config.{flag} {value}: at least 1 is needed")
        for flag in ("rate", "rate_divisor", "least_rate", "momentum_updates"):
            if not 0 < getattr(self, flag) < math.inf:
                raise TrainingError(f"--config.{flag.replace('_', '-')} {getattr(self, flag)}: more than 0 is needed")
        for flag in ("generator_dropout", "discriminator_dropout", "input_dropout", "betas", "momentum"):
            given = getattr(self, flag)
            if not all(0 <= value < 1 for value in (given if isinstance(given, tuple) else (given,))):
                raise TrainingError(f"--config.{flag.replace('_', '-')} {given}: from 0 to less than 1 is needed")
        if self.channels not in (1, 3):
            raise TrainingError(f"--config.channels {self.channels}: 1 (grey) or 3 (colour) is needed")
        if self.marginal_bias and self.network != "paper":
            raise TrainingError("--config.marginal-bias: only --config.network paper has pixels with a sigmoid")
        if not 0 <= self.wrong_weight < 1:
            raise TrainingError(f"--config.wrong-weight {self.wrong_weight}: from 0 to less than 1 is needed")
        if self.wrong_weight and self.num_classes < 2:
            raise TrainingError("--config.wrong-weight: with fewer than two classes no label is wrong")
        widths = (self.generator_widths, self.discriminator_widths)
        if self.network == "paper" and {*map(len, (*widths, self.pieces))} != {3}:
            raise TrainingError("--config.network paper: three widths of G, three of D and three pieces are needed")
        if not all(width > 0 for each in (*widths, self.pieces) for width in each) or not all(widths):
            raise TrainingError("--config.generator-widths, --config.discriminator-widths: positive numbers are needed")

    @property
    def pixels(self) -> int:
        """Numbers in a picture."""
        return self.channels * self.resolution**2


PRESETS = {
    "modern": Config(),
    "paper": Config(
        network="paper",
        noise="uniform",
        generator_widths=(200, 1000, 1200),
        discriminator_widths=(240, 50, 240),
        generator_dropout=0.5,
        discriminator_dropout=0.5,
        input_dropout=0.2,
        start="uniform",
        marginal_bias=True,
        halved=True,
        order="generator",
        optimizer="sgd",
        rate=0.1,
    ),
    "source": Config(start="normal", halved=True, order="generator"),
    "tiny": Config(
        resolution=8, num_classes=3, noise_dim=8, generator_widths=(16, 32), discriminator_widths=(32, 16), rate=1e-3
    ),
}
RECIPES = {
    "modern": Recipe(64, 1_280_000, 0.999, 250_000, "12 minutes of one core"),
    "paper": Recipe(100, 2_000_000, 0.0, 250_000, "22 minutes of one core"),
    "source": Recipe(64, 256_000, 0.0, 128_000, "2 minutes of one core"),
    "tiny": Recipe(16, 20_000, 0.99, 10_000, "seconds"),
}


class LabelEmbedding(nn.Module):
    """A learned vector for each class: y [N, K] -> y W [N, D], so that a picture of several classes gets their sum."""

    def __init__(self, num_classes: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_classes, width))

    def forward(self, label: Tensor) -> Tensor:
        """label [N, K] -> [N, D]."""
        return label @ self.weight


class PaperGenerator(nn.Module):
    """z, y -> x: Sec. 4.1. Dropout is a part of its noise, in training and in drawing: see the module's docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        from_noise, from_label, joint = config.generator_widths
        self.noise = nn.Linear(config.noise_dim, from_noise)
        self.label = nn.Linear(config.num_classes, from_label)
        self.joint = nn.Linear(from_noise + from_label, joint)
        self.pixels = nn.Linear(joint, config.pixels)
        self.widths = (config.noise_dim, from_noise + from_label, joint)
        self.dropped = config.generator_dropout

    def forward(self, noise: Tensor, y: Tensor) -> Tensor:
        """Noise [N, noise_dim + hidden units] in [0, 1], y [N, K] -> [N, pixels] in [-1, 1].

        A hidden unit is dropped where its number is less than the share to drop; without dropout there are none.
        """
        if not self.dropped:
            return self._pixels(noise, y)
        z, first, second = noise.split(self.widths, 1)
        return self._pixels(z, y, *((each >= self.dropped) / (1 - self.dropped) for each in (first, second)))

    def _pixels(self, z: Tensor, y: Tensor, first: Tensor | float = 1.0, second: Tensor | float = 1.0) -> Tensor:
        hidden = torch.cat([self.noise(z).relu(), self.label(y).relu()], 1) * first
        return self.pixels(self.joint(hidden).relu() * second).sigmoid() * 2 - 1


class PaperDiscriminator(nn.Module):
    """x [N, pixels] in [-1, 1], y [N, K] -> logit of D(x | y) [N]: Sec. 4.1."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        (of_image, of_label, joint), (image_pieces, label_pieces, joint_pieces) = (
            config.discriminator_widths,
            config.pieces,
        )
        self.image = Maxout(config.pixels, of_image, image_pieces)
        self.label = Maxout(config.num_classes, of_label, label_pieces)
        self.joint = Maxout(of_image + of_label, joint, joint_pieces)
        self.logit = nn.Linear(joint, 1)
        self.input_dropout = nn.Dropout(config.input_dropout)
        self.dropout = nn.Dropout(config.discriminator_dropout)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """x [N, pixels] in [-1, 1], which the paper's network sees in [0, 1], y [N, K] -> [N]."""
        hidden = torch.cat([self.image(self.input_dropout((x + 1) / 2)), self.label(y)], 1)
        return self.logit(self.dropout(self.joint(self.dropout(hidden)))).squeeze(1)


class ModernGenerator(nn.Module):
    """The label's vector and z -> linear layers with batch norm (but the first) and LeakyReLU -> tanh."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.label_emb = LabelEmbedding(config.num_classes, config.embedding_dim)
        layers: list[nn.Module] = []
        inputs = config.embedding_dim + config.noise_dim
        for width in config.generator_widths:
            norm = [nn.BatchNorm1d(width)] if layers else []
            layers += [nn.Linear(inputs, width), *norm, nn.LeakyReLU(SLOPE)]
            inputs = width
        self.gen = nn.Sequential(*layers, nn.Linear(inputs, config.pixels), nn.Tanh())

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """z [N, noise_dim], y [N, K] -> [N, pixels] in [-1, 1]."""
        return self.gen(torch.cat([self.label_emb(y), z], 1))


class ModernDiscriminator(nn.Module):
    """The picture and the label's vector -> linear layers with LeakyReLU and dropout (but in the first) -> a logit."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.label_emb = LabelEmbedding(config.num_classes, config.embedding_dim)
        layers: list[nn.Module] = []
        inputs = config.pixels + config.embedding_dim
        for width in config.discriminator_widths:
            dropout = [nn.Dropout(config.discriminator_dropout)] if layers else []
            layers += [nn.Linear(inputs, width), *dropout, nn.LeakyReLU(SLOPE)]
            inputs = width
        self.dis = nn.Sequential(*layers, nn.Linear(inputs, 1))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """x [N, pixels] in [-1, 1], y [N, K] -> the logit of D(x | y), [N]."""
        return self.dis(torch.cat([x, self.label_emb(y)], 1)).squeeze(1)


class System(nn.Module):
    """Both players, and how they are trained."""

    training_only = ("discriminator",)

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.label_dim = config.num_classes
        paper = config.network == "paper"
        dropped = sum(config.generator_widths) if paper and config.generator_dropout else 0
        self.noise_dim = config.noise_dim + dropped
        self.generator = PaperGenerator(config) if paper else ModernGenerator(config)
        self.discriminator = PaperDiscriminator(config) if paper else ModernDiscriminator(config)
        _start(self.generator, config.start, 0.05)
        _start(self.discriminator, config.start, 0.005)

    def generate(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """Noise [N, noise_dim] ~ N(0, 1), label [N, label_dim] of 0 and 1 -> pictures [N, C, H, W] in [-1, 1].

        Raises TelldrawError when a label is missing or of another length.
        """
        label = self._checked(label, len(noise))
        return self._shaped(self.generator(self._latent(noise), label))

    def judge(self, images: Tensor, label: Tensor) -> Tensor:
        """images [N, C, H, W] in [-1, 1], label [N, label_dim] -> the logit of D(x | y), [N].

        D is in a run's training state, not in a weights folder. Raises TelldrawError as `generate` does, and for
        pictures of another shape.
        """
        config = self.config
        shape = (config.channels, config.resolution, config.resolution)
        if tuple(images.shape[1:]) != shape:
            raise TelldrawError(
                f"pictures of {' x '.join(map(str, images.shape[1:]))} cannot be judged; this discriminator takes "
                f"{' x '.join(map(str, shape))} (channels, height, width)"
            )
        return self.discriminator(images.flatten(1), self._checked(label, len(images)))

    def optimizers(self) -> dict[str, Optimizer]:
        """One for each player, alike."""
        return {"generator": self._optimizer(self.generator), "discriminator": self._optimizer(self.discriminator)}

    def training_step(self, batch: Pictures, update: Update) -> None:
        """Each player steps once; the labels of the drawn pictures are those of the true ones."""
        config, y = self.config, self._checked(batch.label, len(batch.image))
        if config.optimizer == "sgd":
            self._schedule(update)
        x = batch.image.flatten(1)
        if config.marginal_bias and update.step == 0:
            self._begin_at(x)
        drawn = self.generator(self._latent(torch.randn(len(x), self.noise_dim, device=x.device)), y)
        if config.order == "generator":
            self._improve_generator(drawn, y, update)
        self._improve_discriminator(x, drawn.detach(), y, update)
        if config.order == "discriminator":
            self._improve_generator(drawn, y, update)

    def measure(self, batch: Pictures) -> None:
        """Draw for a batch's labels, so that the running statistics become those of the present weights."""
        with torch.no_grad():
            self.generator(
                self._latent(torch.randn(len(batch.label), self.noise_dim, device=batch.label.device)), batch.label
            )

    # Parts of a training step

    def _begin_at(self, x: Tensor) -> None:
        """Make G's first pictures as bright, pixel by pixel, as x [N, pixels] is on average."""
        assert isinstance(self.generator, PaperGenerator)
        with torch.no_grad():
            self.generator.pixels.bias.copy_((x.mean(0) / 2 + 0.5).logit(DARKEST))

    def _improve_discriminator(self, x: Tensor, drawn: Tensor, y: Tensor, update: Update) -> None:
        config = self.config
        real, fake = self.discriminator(torch.cat([x, drawn]), torch.cat([y, y])).chunk(2)
        loss = minimax_discriminator(real, fake)
        if config.wrong_weight:
            wrong = self.discriminator(x, another(y))
            loss = torch.lerp(loss, minimax_discriminator(real, wrong), config.wrong_weight)
            update.record(judged_wrong=wrong.detach().sigmoid().mean())
        update("discriminator", loss / 2 if config.halved else loss)
        update.record(
            discriminator=loss, judged_real=real.detach().sigmoid().mean(), judged_drawn=fake.detach().sigmoid().mean()
        )

    def _improve_generator(self, drawn: Tensor, y: Tensor, update: Update) -> None:
        fake = self.discriminator(drawn, y)
        loss = minimax_generator(fake) if self.config.saturating else non_saturating_generator(fake)
        update("generator", loss)
        update.record(generator=loss)

    def _schedule(self, update: Update) -> None:
        """Step size and momentum before this update: Sec. 4.1."""
        config = self.config
        least = config.least_rate / config.rate
        factor, momentum = annealed(update.step, config.rate_divisor, least, config.momentum, config.momentum_updates)
        for name in ("generator", "discriminator"):
            update.rate(name, factor)
            update.momentum(name, momentum)

    def _optimizer(self, player: nn.Module) -> Optimizer:
        config = self.config
        if config.optimizer == "sgd":
            return SGD(player.parameters(), config.rate, momentum=config.momentum[0])
        return Adam(player.parameters(), config.rate, config.betas, fused=True)

    def _latent(self, noise: Tensor) -> Tensor:
        """Normal noise [N, noise_dim] -> z and what decides on dropout: Phi of a normal number is uniform on [0, 1]."""
        z, rest = noise.split((self.config.noise_dim, self.noise_dim - self.config.noise_dim), 1)
        if self.config.noise == "uniform":
            z = torch.special.ndtr(z)
        return torch.cat([z, torch.special.ndtr(rest)], 1) if rest.shape[1] else z

    def _shaped(self, x: Tensor) -> Tensor:
        side = self.config.resolution
        return x.unflatten(1, (self.config.channels, side, side))

    def _checked(self, label: Tensor | None, count: int) -> Tensor:
        if label is None:
            raise TelldrawError(f"a conditional GAN draws what a label says; give one of {self.label_dim} classes")
        if tuple(label.shape) != (count, self.label_dim):
            raise TelldrawError(
                f"labels of {' x '.join(map(str, label.shape))} do not fit {count} pictures; "
                f"{count} x {self.label_dim} is needed, 1 at a picture's class"
            )
        return label


def another(label: Tensor) -> Tensor:
    """label [N, K], one 1 in each row -> the same with another class in each row, each other one alike likely."""
    shift = torch.randint(1, label.shape[1], (len(label), 1), device=label.device)
    columns = (torch.arange(label.shape[1], device=label.device) - shift) % label.shape[1]
    return label.gather(1, columns)


def _start(player: nn.Module, kind: str, reach: float) -> None:
    """First values of the weights of all linear layers, and of batch norm's scales; see `Config.start`."""
    for module in player.modules():
        if kind == "normal" and isinstance(module, nn.Linear | nn.BatchNorm1d):
            nn.init.normal_(module.weight, 1.0 if isinstance(module, nn.BatchNorm1d) else 0.0, 0.02)
            nn.init.zeros_(module.bias)
        elif kind == "kaiming" and isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
        elif kind == "uniform" and isinstance(module, nn.Linear):
            nn.init.uniform_(module.weight, -reach, reach)
            nn.init.zeros_(module.bias)


def build(config: Config, facts: PictureFacts) -> System:
    """A new system for a data set. Raises TrainingError when the pictures or their labels do not fit the config."""
    if not facts.classes:
        raise TrainingError(f"{facts.name} has no labels, and a conditional GAN needs them; choose a labelled data set")
    if facts.channels != config.channels:
        kind = {1: "grey", 3: "colour"}
        raise TrainingError(
            f"{facts.name} has {kind.get(facts.channels, facts.channels)} pictures and the network is for "
            f"{kind[config.channels]} ones; give --config.channels {facts.channels}"
        )
    if facts.resolution != config.resolution:
        raise TrainingError(
            f"{facts.name} has pictures of {facts.resolution}x{facts.resolution} and the network is for "
            f"{config.resolution}x{config.resolution}; give --config.resolution {facts.resolution}"
        )
    if config.wrong_weight and facts.many:
        raise TrainingError(
            f"--config.wrong-weight: a picture of {facts.name} may have several classes, so no label is simply wrong"
        )
    return System(replace(config, num_classes=len(facts.classes)))
