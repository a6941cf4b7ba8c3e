"""Words for a picture, by a conditional GAN: Mirza & Osindero 2014 (arXiv:1411.1784), Sec. 4.2, "Multimodal".

A picture has many fitting words, so a word is drawn from a distribution. The generator makes a word vector w of noise z
under the condition of the picture's features x, and what is drawn is the words nearest to it (`metrics/tagging.py`):

    min_G max_D  E log D(w | x) + E log(1 - D(G(z | x) | x))                                   (Eq. 2)

    G:  z [100] -> ReLU 500;  x -> ReLU 2000;  both -> linear, w [200]
    D:  w -> ReLU 500;  x -> ReLU 1200;  both -> maxout of 1000 units with 3 pieces -> sigmoid

Dropout 0.5 after the hidden layers of both; SGD in batches of 100 pairs (x, w), a picture once for each of its tags;
the step size 0.1 is divided by 1.00004 an update, down to 1e-6; momentum from 0.5 to 0.7. The features are those of a
network that is trained already, the word vectors those of skip-gram; neither is changed.

What the paper leaves open, or what is otherwise here:

1.  The features are of whatever network prepared the data (the paper's: 4096 numbers of one trained on ImageNet). They
    are standardised, and word vectors scaled to a mean square of 1; the nearest words by cosine stay the same.
2.  The momentum rises over as many updates as in the experiment that the paper's MNIST one grew from; weights begin as
    there (uniform, in +-0.05 for G and +-0.005 for D). G ascends log D(G), as Goodfellow et al. 2014 recommend.
3.  When words are drawn nothing is dropped: all that is random is in z.
4.  `penalty`, ours: the true words are a few hundred points in 200 dimensions. A discriminator that has learnt them by
    heart is flat between them and teaches nothing, and G ends on one word or a few. So D's slope at the true words is
    held down (R1: Mescheder et al. 2018), and Adam does without momentum.
5.  `hidden`, ours: a ReLU layer before G's last one. In the paper's G picture and noise meet in a sum alone, so noise
    moves the words of every picture in the same way, and a word that fits one picture is never drawn for it alone.
6.  `wrong_weight`, ours: D also sees true words beside pictures that do not have them, and says no (Reed et al. 2016,
    Algorithm 1). In the paper nothing but G's own mistakes teaches D which words go with which picture.
7.  `pairs`, ours: D sees two words at once, two tags of one picture or two drawn for it (PacGAN: Lin et al. 2018, with
    m = 2). Two tags are never the same word, so a G that finds one good word for a picture and stays with it is found
    out at once. The paper names sets of tags as future work.
8.  Presets other than `paper` are narrower and use Adam, for two cores.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from telldraw.batches import TagFacts, Tags
from telldraw.blocks.annealing import annealed
from telldraw.blocks.maxout import Maxout
from telldraw.errors import TrainingError
from telldraw.objectives.adversarial import minimax_discriminator, non_saturating_generator
from telldraw.objectives.penalties import zero_centred_penalty
from telldraw.protocols import Recipe, Update


@dataclass(frozen=True)
class Config:
    """Sizes, noise and step sizes; the defaults are those for two cores."""

    feature_dim: int = 96
    """Numbers in a picture's features x (paper: 4096); taken from the data set."""
    word_dim: int = 200
    """Numbers in a word vector w; taken from the data set."""
    num_tags: int = 362
    """Words that can be proposed (paper: 247,465); taken from the data set."""
    noise_dim: int = 100
    """Length of z ~ N(0, 1)."""
    noise_units: int = 100
    """G's units that read z (paper: 500)."""
    feature_units: int = 300
    """G's units that read x (paper: 2000)."""
    hidden: int = 300
    """G's units that read both, before its last layer; 0, as in the paper: there are none."""
    word_units: int = 200
    """D's units that read w (paper: 500)."""
    picture_units: int = 300
    """D's units that read x (paper: 1200)."""
    joint_units: int = 200
    """D's maxout units that read both (paper: 1000)."""
    pieces: int = 3
    """Linear pieces of a maxout unit."""
    generator_dropout: float = 0.0
    """Share of G's hidden units left out in training (paper: 0.5)."""
    discriminator_dropout: float = 0.0
    """Share of D's hidden units left out in training (paper: 0.5)."""
    penalty: float = 10.0
    """gamma of R1: gamma / 2 times the mean square of D's slope at true words, with respect to the word (paper: 0)."""
    start: Literal["torch", "uniform"] = "torch"
    """Weights of linear layers at the start: PyTorch's, or uniform in +-0.05 (G) and +-0.005 (D)."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """What moves the weights."""
    wrong_weight: float = 0.5
    """Share of true words beside wrong pictures in D's negatives (paper: 0)."""
    pairs: bool = True
    """Whether D sees two words of a picture at once (paper: one)."""
    rate: float = 1e-3
    """Step size of both players at the start."""
    betas: tuple[float, float] = (0.0, 0.99)
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
        for flag in (
            "noise_dim",
            "noise_units",
            "feature_units",
            "word_units",
            "picture_units",
            "joint_units",
            "pieces",
        ):
            if getattr(self, flag) < 1:
                raise TrainingError(f"--config.{flag.replace('_', '-')} {getattr(self, flag)}: at least 1 is needed")
        for flag in ("generator_dropout", "discriminator_dropout", "wrong_weight"):
            if not 0 <= getattr(self, flag) < 1:
                raise TrainingError(
                    f"--config.{flag.replace('_', '-')} {getattr(self, flag)}: from 0 to less than 1 is needed"
                )


PRESETS = {
    "small": Config(),
    "paper": Config(
        noise_units=500,
        feature_units=2000,
        hidden=0,
        word_units=500,
        picture_units=1200,
        joint_units=1000,
        generator_dropout=0.5,
        discriminator_dropout=0.5,
        penalty=0.0,
        wrong_weight=0.0,
        pairs=False,
        start="uniform",
        optimizer="sgd",
        rate=0.1,
    ),
    "tiny": Config(
        noise_dim=8,
        noise_units=16,
        feature_units=16,
        hidden=16,
        word_units=16,
        picture_units=16,
        joint_units=8,
        penalty=1.0,
        rate=2e-3,
    ),
}
RECIPES = {
    "small": Recipe(batch_size=100, examples=650_000, decay=0.999, sheet_every=100_000, takes="4 minutes of one core"),
    "paper": Recipe(
        batch_size=100,
        examples=450_000,
        decay=0.0,
        sheet_every=150_000,
        takes="15 minutes of one core",
    ),
    "tiny": Recipe(batch_size=16, examples=4_000, decay=0.9, sheet_every=4_000),
}


class Generator(nn.Module):
    """z [N, noise_dim], x [N, feature_dim] -> w [N, word_dim]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        both = config.noise_units + config.feature_units
        self.noise = nn.Linear(config.noise_dim, config.noise_units)
        self.picture = nn.Linear(config.feature_dim, config.feature_units)
        self.joint = nn.Sequential(nn.Linear(both, config.hidden), nn.ReLU()) if config.hidden else nn.Identity()
        self.word = nn.Linear(config.hidden or both, config.word_dim)
        self.dropout = nn.Dropout(config.generator_dropout)

    def forward(self, z: Tensor, x: Tensor) -> Tensor:
        """z [N, noise_dim], x [N, feature_dim] -> [N, word_dim]."""
        hidden = torch.cat([self.noise(z).relu(), self.picture(x).relu()], 1)
        return self.word(self.joint(self.dropout(hidden)))


class Discriminator(nn.Module):
    """w [N, word_dim], or two words end to end, x [N, feature_dim] -> the logit of D(w | x), [N]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.word = nn.Linear(config.word_dim * (1 + config.pairs), config.word_units)
        self.picture = nn.Linear(config.feature_dim, config.picture_units)
        self.joint = Maxout(config.word_units + config.picture_units, config.joint_units, config.pieces)
        self.logit = nn.Linear(config.joint_units, 1)
        self.dropout = nn.Dropout(config.discriminator_dropout)

    def forward(self, w: Tensor, x: Tensor) -> Tensor:
        """w [N, word_dim], or [N, 2 word_dim], x [N, feature_dim] -> [N]."""
        hidden = torch.cat([self.word(w).relu(), self.picture(x).relu()], 1)
        return self.logit(self.dropout(self.joint(self.dropout(hidden)))).squeeze(1)


class System(nn.Module):
    """Both players, the words, and how the players are trained."""

    training_only = ("discriminator",)
    vectors: Tensor
    mean: Tensor
    deviation: Tensor
    scale: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config, self.noise_dim = config, config.noise_dim
        self.generator, self.discriminator = Generator(config), Discriminator(config)
        self.register_buffer("vectors", torch.zeros(config.num_tags, config.word_dim))  # of the words, as prepared
        self.register_buffer("mean", torch.zeros(config.feature_dim))  # of the training pictures' features
        self.register_buffer("deviation", torch.ones(config.feature_dim))
        self.register_buffer("scale", torch.ones(()))  # root mean square of the numbers in the words' vectors
        if config.start == "uniform":
            for player, reach in ((self.generator, 0.05), (self.discriminator, 0.005)):
                _spread(player, reach)

    def tag(self, feature: Tensor, noise: Tensor) -> Tensor:
        """Features [N, feature_dim] as prepared, noise [N, noise_dim] ~ N(0, 1) -> word vectors [N, word_dim]."""
        return self.generator(noise, self.standardised(feature)) * self.scale

    def standardised(self, feature: Tensor) -> Tensor:
        """[..., feature_dim] as prepared -> mean 0 and standard deviation 1 over the training pictures."""
        return (feature - self.mean) / self.deviation

    def optimizers(self) -> dict[str, Optimizer]:
        """One for each player, alike."""
        return {"generator": self._optimizer(self.generator), "discriminator": self._optimizer(self.discriminator)}

    def training_step(self, batch: Tags, update: Update) -> None:
        """Goodfellow et al. 2014, Algorithm 1, with k = 1: D steps, then G."""
        config = self.config
        if config.optimizer == "sgd":
            self._schedule(update)
        x, w = self.standardised(batch.feature), batch.word / self.scale
        drawn = self._drawn(x)
        if config.pairs:
            w, drawn = torch.cat([w, batch.second / self.scale], 1), torch.cat([drawn, self._drawn(x)], 1)
        w.requires_grad_(config.penalty > 0)
        real, fake = self.discriminator(w, x), self.discriminator(drawn.detach(), x)
        loss = minimax_discriminator(real, fake)
        if config.wrong_weight:
            loss = self._with_wrong(loss, real, w.detach(), batch, update)
        if config.penalty:
            slope = zero_centred_penalty(real, w)
            update("discriminator", loss + 0.5 * config.penalty * slope)
            update.record(slope=slope)
        else:
            update("discriminator", loss)
        again = non_saturating_generator(self.discriminator(drawn, x))
        update("generator", again)
        update.record(
            discriminator=loss,
            generator=again,
            judged_real=real.detach().sigmoid().mean(),
            judged_drawn=fake.detach().sigmoid().mean(),
        )

    def _drawn(self, x: Tensor) -> Tensor:
        """Standardised features [N, feature_dim] -> words drawn for them, [N, word_dim]."""
        return self.generator(torch.randn(len(x), self.noise_dim, device=x.device), x)

    def _with_wrong(self, loss: Tensor, real: Tensor, w: Tensor, batch: Tags, update: Update) -> Tensor:
        """D's loss with true words beside pictures without them among its negatives."""
        wrong = self.discriminator(w, self.standardised(batch.other))
        update.record(judged_wrong=wrong.detach().sigmoid().mean())
        return torch.lerp(loss, minimax_discriminator(real, wrong), self.config.wrong_weight)

    def _schedule(self, update: Update) -> None:
        """Step size and momentum before this update: Sec. 4.1, which Sec. 4.2 refers to."""
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
        return Adam(player.parameters(), config.rate, config.betas)


def _spread(player: nn.Module, reach: float) -> None:
    """Weights of all linear layers uniform in +-reach, biases zero."""
    for module in player.modules():
        if isinstance(module, nn.Linear):
            nn.init.uniform_(module.weight, -reach, reach)
            nn.init.zeros_(module.bias)


def build(config: Config, facts: TagFacts) -> System:
    """A new system with the words of a data set. Raises TrainingError when their vectors say nothing."""
    num_tags, word_dim = facts.vectors.shape
    vectors = torch.from_numpy(facts.vectors).float()
    scale = vectors.square().mean().sqrt()
    if not scale > 0:
        raise TrainingError(
            f"all word vectors of {facts.pictures.name} are zero; prepare it with other ones (--vectors)"
        )
    system = System(replace(config, feature_dim=len(facts.mean), word_dim=word_dim, num_tags=num_tags))
    system.vectors.copy_(vectors)
    system.scale.copy_(scale)
    system.mean.copy_(torch.from_numpy(facts.mean))
    deviation = torch.from_numpy(facts.deviation)
    # a feature that never changes says nothing, and would say too much where it does
    system.deviation.copy_(torch.where(deviation > 0, deviation, 1.0))
    return system
