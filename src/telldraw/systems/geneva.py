"""GeNeVA-GAN: El-Nouby et al., "Tell, Draw, and Repeat", ICCV 2019 (arXiv:1811.09845).

At turn t the drawer hears instruction q_t and repaints its canvas x_{t-1}:

    d_t = SentenceEncoder(q_t)                    words -> bidirectional GRU -> [D]
    h_t = LayerNorm(GRU(ConditionEncoder(d_t)))   the memory of the dialogue
    x_t = G(z, CA(h_t), h_t, E_G(x_{t-1}))        E_G's map joins G's at 16x16
    D judges (x_t, x_{t-1}, h_t) by E_D(x_t) - E_D(x_{t-1}), and says which objects it sees.

As meant by the paper, not as released; what differs from the authors' code, and why:

1.  Batches are shuffled, dialogue by dialogue; a wrong pair is always of another dialogue.
2.  The canvas before the first turn is in the same channel order as all others.
3.  Conditional batch norm starts at scale 1 and shift 0.
4.  Conditioning augmentation has unconstrained mean and log-variance (released: a ReLU on both).
5.  Drawing is done in evaluation mode, so a batch of one works and a picture does not depend on its neighbours.
6.  One backward pass through the dialogue per batch: with the true canvases as inputs all turns are computed at once,
    and each player steps once per batch (released: once per turn, with a backward pass through all earlier turns).
7.  Padded turns do not exist: the turns of all dialogues lie end to end, so no norm, loss or penalty can see padding.
8.  The weights that draw are an exponential moving average, with batch statistics measured anew for them.
9.  No wasted passes: the critic's features of x_{t-1} are those of the turn before; a wrong pair costs no convolution;
    G's step computes no gradient of D's weights.
10. The auxiliary target is the same for both players (released: objects added for D, all objects for G); the choice is
    `auxiliary_target`, its ablation in docs/results.md.
11. The layer norm on the memory is trained (released: it was in no optimizer).
12. The penalty may be taken every few steps at a proportionally larger weight (`penalty_interval`; Karras et al. 2020).
13. `own_canvas` shows E_G, in some batches, what G itself drew a turn earlier instead of the true canvas, so that
    drawing without the truth is practised (after scheduled sampling, Bengio et al. 2015). 0 is the paper's way.
14. Not in the paper, and off in its preset: `reconstruction_weight` pulls G to the true next canvas, pixel by pixel
    (after Isola et al. 2017), and `text_from_generator` lets what reads the text learn from G's loss too. In an hour
    on two cores they decide whether anything is drawn at all.
15. Not in the paper, and off in its preset: `plan` has the words first choose what is placed and where, on a 16x16
    grid, learned from the positions in the data (`blocks/planning.py`); G then paints what it is told to, where it is
    told to. Drawing samples the place, so the same words with another seed still give another picture.
16. Not in the paper, and off in its preset: `blend` has G paint a mask too; outside it the canvas stays as is (after
    Pumarola et al. 2018, GANimation, Eq. 1). Nothing that was drawn is blurred by being painted again.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.optim import Adam, Optimizer

from telldraw import pixels
from telldraw.batches import Dialogues, Facts
from telldraw.blocks.conditioning import ConditioningAugmentation
from telldraw.blocks.normalization import spectral_norm
from telldraw.blocks.planning import Layout, Placed, Plan, Planner, placed, sample
from telldraw.blocks.residual import SLOPE, DownBlock, UpBlock, convolution
from telldraw.blocks.sentence import SentenceEncoder
from telldraw.errors import TrainingError
from telldraw.objectives.adversarial import hinge_discriminator, hinge_generator
from telldraw.objectives.divergence import gaussian_kl
from telldraw.objectives.penalties import zero_centred_penalty
from telldraw.objectives.planning import placement_nats
from telldraw.objectives.reconstruction import balanced_absolute_error
from telldraw.protocols import Update
from telldraw.text import read_vectors

FUSION = 16
"""Side of the feature maps at which canvases enter: Sec. 3.1 of the paper."""
LAYOUT = 32
"""Channels of the map that tells G what is placed where, if that is planned."""


@dataclass(frozen=True)
class Config:
    """Sizes, objectives and step sizes; the defaults are the paper's, for CoDraw at 128x128."""

    resolution: int = 128
    """Side of the square picture, in pixels: a power of two from 32 up."""
    vocabulary_size: int = 2
    """Number of known words; taken from the data set."""
    num_objects: int = 58
    """Number of object classes; taken from the data set."""
    glove: str = ""
    """A GloVe text file of word vectors, which then stay fixed (the paper's 840B.300d). Empty: learn the vectors."""
    word_dim: int = 300
    """Length of a word vector."""
    condition_dim: int = 1024
    """Length of d_t and h_t."""
    code_dim: int = 256
    """Length of the augmented condition code."""
    latent_dim: int = 100
    """Length of z."""
    generator_channels: tuple[int, ...] = (1024, 1024, 512, 256, 128, 64)
    """Channels of G at 4x4 and after each doubling of the resolution."""
    encoder_channels: tuple[int, ...] = (64, 128, 512)
    """Channels of E_G after each halving, down to 16x16."""
    discriminator_channels: tuple[int, ...] = (64, 128, 256, 512, 1024, 1024)
    """Channels of D after each halving, down to 4x4, and of a last block there."""
    generator_spectral: bool = False
    """Spectral norm on the convolutions of G."""
    self_attention: bool = False
    """Self-attention in G after 32x32 and in D after 8x8."""
    iterative: bool = True
    """Ablation: without it, one picture is drawn at once from everything said so far."""
    image_feedback: bool = True
    """Ablation: without it, G does not see the canvas."""
    fusion: Literal["subtract", "concat", "none"] = "subtract"
    """How D sees the canvas before: the difference of features (paper), both side by side, or not at all."""
    wrong_pairs: bool = True
    """Ablation: without it, D never sees a true picture beside another dialogue's instruction."""
    auxiliary_weight: float = 10.0
    """Weight of the object head's loss; 0 is the ablation without it."""
    auxiliary_target: Literal["added", "all"] = "added"
    """What the object head names: the objects added by this turn, or all on the canvas."""
    penalty_weight: float = 10.0
    """Weight of the zero-centred gradient penalty on true pictures."""
    penalty_interval: int = 1
    """Take the penalty every so many steps, at so many times the weight."""
    kl_weight: float = 1.0
    """Weight of the conditioning augmentation's KL, a mean over the code's dimensions."""
    reconstruction_weight: float = 0.0
    """Weight of the absolute error of G's picture, what the turn changed and the rest counting alike. 0: the paper."""
    text_from_generator: bool = False
    """Let the text side learn from G's loss too. False: from D's alone, as in the paper."""
    plan: bool = False
    """Decide first what is placed and in which cell of a 16x16 grid, then paint it there. False: the paper."""
    plan_sharpness: float = 2.0
    """When drawing, the probability of a cell is raised to this power: places that are hardly meant become rare."""
    blend: bool = False
    """G also says, pixel by pixel, how much of the canvas stays. False: it paints everything anew, as in the paper."""
    own_canvas: float = 0.0
    """Probability of a batch in which E_G is shown G's own drawings of the turns before, not the true canvases."""
    pixel_noise: float = 1 / 64
    """Width of the uniform noise added to true pictures in training, in units of [-1, 1]; hides their 8-bit steps."""
    generator_rate: float = 1e-4
    """Adam step size of G (betas 0, 0.9)."""
    discriminator_rate: float = 4e-4
    """Adam step size of D (betas 0, 0.9)."""
    encoder_rate: float = 6e-3
    """Adam step size of the image encoder E_G (betas 0.9, 0.999), as of the next three."""
    sentence_rate: float = 3e-3
    """Adam step size of the sentence encoder."""
    condition_rate: float = 6e-3
    """Adam step size of the condition encoder."""
    memory_rate: float = 3e-4
    """Adam step size of the dialogue's GRU."""
    clip_norm: float = 50.0
    """Largest L2 norm of the gradient of everything that reads text."""

    def __post_init__(self) -> None:
        if self.penalty_interval < 1:
            raise TrainingError(f"--config.penalty-interval {self.penalty_interval}: at least 1 is needed")
        if not 0 <= self.own_canvas <= 1:
            raise TrainingError(f"--config.own-canvas {self.own_canvas}: a probability, from 0 to 1, is needed")
        if self.plan and not self.image_feedback:
            raise TrainingError("--config.plan needs image feedback: places are chosen on the canvas")
        doublings = (self.resolution // 4).bit_length() - 1
        if self.resolution < 2 * FUSION or 4 << doublings != self.resolution:
            raise TrainingError(f"--config.resolution {self.resolution}: a power of two from {2 * FUSION} up is needed")
        for name, wanted in (
            ("generator", doublings + 1),
            ("encoder", doublings - 2),
            ("discriminator", doublings + 1),
        ):
            given = getattr(self, f"{name}_channels")
            if len(given) != wanted:
                raise TrainingError(
                    f"--config.{name}-channels has {len(given)} numbers; resolution {self.resolution} needs {wanted}"
                )


PRESETS = {
    # The paper's sizes and step sizes; 101 M weights, 61 M of them needed to draw.
    "codraw-128": Config(),
    # The paper's resolution at half its widths: a fifth of the work, weights small enough to ship.
    "codraw-128-half": Config(
        condition_dim=512,
        code_dim=128,
        generator_channels=(512, 512, 256, 128, 64, 32),
        encoder_channels=(32, 64, 256),
        discriminator_channels=(32, 64, 128, 256, 512, 512),
        penalty_interval=4,
    ),
    # For two cores.
    "codraw-64": Config(
        resolution=64,
        word_dim=128,
        condition_dim=256,
        code_dim=64,
        generator_channels=(128, 128, 64, 32, 16),
        encoder_channels=(16, 64),
        discriminator_channels=(16, 32, 64, 128, 128),
        penalty_interval=8,
        kl_weight=0.02,
        reconstruction_weight=20.0,
        text_from_generator=True,
        own_canvas=0.25,
        generator_rate=4e-4,
        encoder_rate=1e-3,
        sentence_rate=1e-3,
        condition_rate=1e-3,
        memory_rate=1e-3,
    ),
    "tiny": Config(
        resolution=32,
        word_dim=16,
        condition_dim=32,
        code_dim=8,
        latent_dim=8,
        generator_channels=(32, 32, 16, 8),
        encoder_channels=(16,),
        discriminator_channels=(8, 16, 32, 32),
    ),
}

# For two cores, on i-CLEVR. Beyond the paper as that preset is, and with a plan and a blend.
PRESETS["iclevr-64"] = replace(PRESETS["codraw-64"], num_objects=24, word_dim=64, plan=True, blend=True)


class State(NamedTuple):
    """What a dialogue carries from turn to turn."""

    canvas: Tensor  # [B, 3, H, W] in [-1, 1], x_t
    hidden: Tensor  # [B, D], state of the dialogue's GRU
    said: Tensor  # [B, L] word numbers of everything said, for the drawer that is not iterative; else [B, 0]


class Painted(NamedTuple):
    """What G made of a turn."""

    picture: Tensor  # [N, 3, H, W] in [-1, 1]
    mean: Tensor  # [N, C] of the condition's code
    logvar: Tensor  # [N, C]
    plan: Plan | None  # what was likely to be placed, and where


class ImageEncoder(nn.Sequential):
    """E_G: the canvas [B, 3, H, W] -> its feature map [B, C, 16, 16]."""

    def __init__(self, config: Config) -> None:
        layers: list[nn.Module] = []
        channels = (3, *config.encoder_channels)
        for inputs, outputs in zip(channels, channels[1:], strict=False):
            layers += [
                nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False),
                nn.ReLU(),
                nn.BatchNorm2d(outputs),
            ]
        del layers[-2]  # the last map is normalised but not rectified
        super().__init__(*layers)


class Generator(nn.Module):
    """G: noise, condition and canvas features -> picture."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        channels = config.generator_channels
        self.augmentation = ConditioningAugmentation(config.condition_dim, config.code_dim)
        self.stem = nn.Linear(config.latent_dim + config.code_dim, channels[0] * 16)
        self.split = [config.latent_dim, config.code_dim]
        seen = config.encoder_channels[-1] if config.image_feedback else 0
        seen += LAYOUT if config.plan else 0
        self.blocks = nn.ModuleList()
        for index, (inputs, outputs) in enumerate(zip(channels, channels[1:], strict=False)):
            side = 8 << index  # after this block
            inputs += seen if side == 2 * FUSION else 0
            attention = config.self_attention and side == 2 * FUSION
            self.blocks.append(
                UpBlock(inputs, outputs, config.condition_dim, spectral=config.generator_spectral, attention=attention)
            )
        self.norm = nn.BatchNorm2d(channels[-1])
        self.picture = convolution(channels[-1], 3 + config.blend, 3, spectral=config.generator_spectral, gain=1.0)

    def forward(
        self, noise: Tensor, condition: Tensor, seen: Tensor | None, canvas: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """noise [B, Z + C], condition [B, D], seen [B, C', 16, 16] -> picture [B, 3, H, W], mean and logvar [B, C].

        Of the canvas [B, 3, H, W] itself only a generator that blends sees anything.
        """
        z, epsilon = noise.split(self.split, dim=1)
        code, mean, logvar = self.augmentation(condition, epsilon)
        features = self.stem(torch.cat([z, code], dim=1)).unflatten(1, (-1, 4, 4))
        features = features.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            if seen is not None and features.shape[-1] == FUSION:
                features = torch.cat([features, seen], dim=1)
            features = block(features, condition)
        features = F.leaky_relu(self.norm(features), SLOPE)
        painted = self.picture(features).float()
        picture = painted[:, :3].tanh()
        if painted.shape[1] > 3:
            picture = torch.lerp(canvas.float(), picture, painted[:, 3:].sigmoid())
        return picture, mean, logvar


class Discriminator(nn.Module):
    """D, in parts, so that no feature is computed twice: `see` a picture, `compare` two, `judge` the difference."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.fusion = config.fusion
        channels = (3, *config.discriminator_channels)
        trunk, head = [], []
        side = config.resolution
        for index, (inputs, outputs) in enumerate(zip(channels, channels[1:], strict=False)):
            down = side > 4
            attention = config.self_attention and side == FUSION
            if side == FUSION and config.fusion == "concat":
                inputs *= 2
            block = DownBlock(inputs, outputs, first=index == 0, down=down, spectral=True, attention=attention)
            (trunk if side > FUSION else head).append(block)
            side = side // 2 if down else side
        self.trunk, self.head = nn.Sequential(*trunk), nn.Sequential(*head)
        width, dim = channels[-1], config.condition_dim
        self.score = spectral_norm(nn.Linear(width, 1))
        self.projection = nn.Sequential(nn.Linear(dim, width), nn.ReLU(), nn.Linear(width, width))
        self.objects = nn.Sequential(nn.Linear(width, 256), nn.ReLU(), nn.Linear(256, config.num_objects))

    def see(self, image: Tensor) -> Tensor:
        """E_D: image [B, 3, H, W] -> [B, C, 16, 16]."""
        return self.trunk(image)

    def compare(self, now: Tensor, before: Tensor) -> Tensor:
        """Features of x_t and of x_{t-1} -> phi [B, C], summed over positions."""
        if self.fusion == "subtract":
            now = now - before
        elif self.fusion == "concat":
            now = torch.cat([now, before], dim=1)
        return F.leaky_relu(self.head(now), SLOPE).float().sum((2, 3))

    def judge(self, phi: Tensor, condition: Tensor) -> Tensor:
        """phi [B, C], condition [B, D] -> logits [B]: projection conditioning, Miyato & Koyama 2018, Eq. 4."""
        with torch.autocast(phi.device.type, enabled=False):  # a hinge at 1 needs more than 8 bits of mantissa
            return self.score(phi).squeeze(1) + (phi * self.projection(condition)).sum(1)

    def name(self, phi: Tensor) -> Tensor:
        """phi [B, C] -> logits [B, num_objects] of the objects that the turn is about."""
        with torch.autocast(phi.device.type, enabled=False):
            return self.objects(phi)


class System(nn.Module):
    """The drawer, its critic, and how they are trained."""

    training_only = ("discriminator",)
    """Sub-modules that drawing does not need; they are not in the weights folder."""
    background: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        dim = config.condition_dim
        self.noise_dim = config.latent_dim + config.code_dim
        self.sentence_encoder = SentenceEncoder(config.vocabulary_size, config.word_dim, dim)
        self.sentence_encoder.words.weight.requires_grad_(not config.glove)
        self.condition_encoder = nn.Sequential(nn.Linear(dim, dim), nn.BatchNorm1d(dim))
        self.memory = nn.GRU(dim, dim, batch_first=True)
        self.memory_norm = nn.LayerNorm(dim)
        self.image_encoder = ImageEncoder(config) if config.image_feedback else None
        self.planner, self.layout = None, None
        if config.plan:
            self.noise_dim += 3 * config.num_objects  # the cell, and x and y in it
            self.planner = Planner(config.encoder_channels[-1], dim, config.num_objects)
            self.layout = Layout(config.num_objects, LAYOUT, FUSION)
        self.generator = Generator(config)
        self.discriminator = Discriminator(config)
        self.register_buffer("background", torch.zeros(3, config.resolution, config.resolution))

    # Drawing: what training, evaluation, terminal and studio share

    def start(self, batch_size: int = 1) -> State:
        """The empty canvas, nothing said."""
        canvas = self.background.expand(batch_size, -1, -1, -1)
        return State(
            canvas,
            canvas.new_zeros(batch_size, self.config.condition_dim),
            torch.zeros(batch_size, 0, dtype=torch.long, device=canvas.device),
        )

    def turn(self, state: State, instruction: Tensor, noise: Tensor) -> State:
        """Hear instruction [B, L] and repaint the canvas with noise [B, noise_dim]."""
        canvas, hidden, said = state
        if not self.config.iterative:
            said = _join(said, instruction)
            instruction, canvas, hidden = said, self.start(said.shape[0]).canvas, torch.zeros_like(hidden)
        heard = self.hear(instruction)
        output, last = self.memory(heard.unsqueeze(1), hidden.unsqueeze(0).contiguous())
        painted = self.paint(self.memory_norm(output.squeeze(1)), canvas, noise)
        return State(painted.picture, last.squeeze(0), said)

    def hear(self, instruction: Tensor) -> Tensor:
        """Words [N, L] -> what the memory is fed [N, D]. Small, and in float32 always."""
        with torch.autocast(instruction.device.type, enabled=False):
            return self.condition_encoder(self.sentence_encoder(instruction))

    def remember(self, batch: Dialogues) -> Tensor:
        """h_t of every turn [N, D]: the same memory, run over whole dialogues at once."""
        heard = self.hear(batch.instruction)
        rows = torch.arange(len(heard), device=heard.device)
        dialogue = torch.repeat_interleave(batch.turns, output_size=len(rows))
        position = rows - (batch.turns.cumsum(0) - batch.turns)[dialogue]
        padded = heard.new_zeros(len(batch.turns), int(batch.turns.max()), heard.shape[1])
        padded[dialogue, position] = heard
        with torch.autocast(heard.device.type, enabled=False):
            return self.memory_norm(self.memory(padded)[0][dialogue, position])

    def paint(self, condition: Tensor, canvas: Tensor, noise: Tensor, objects: Placed | None = None) -> Painted:
        """h_t [N, D], x_{t-1} [N, 3, H, W], noise [N, noise_dim] -> x_t and what it was made from.

        A system that plans paints `objects`, or without them what its plan and the noise choose.
        """
        seen = None if self.image_encoder is None else self.image_encoder(_channels_last(canvas))
        plan, own = None, self.config.latent_dim + self.config.code_dim
        if self.planner is not None and self.layout is not None and seen is not None:
            plan = self.planner(seen, condition)
            layout = self.layout(
                sample(plan, noise[:, own:], self.config.plan_sharpness) if objects is None else objects
            )
            seen = _channels_last(torch.cat([seen, layout.to(seen.dtype)], dim=1))
        picture, mean, logvar = self.generator(noise[:, :own], condition, seen, canvas)
        return Painted(picture, mean, logvar, plan)

    # Training

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each player; each part that reads keeps its own step size, as in Sec. 4 of the paper."""
        config, slow = self.config, (0.9, 0.999)
        fused = self.background.is_cuda
        generator: list[dict] = [{"params": self.generator.parameters(), "lr": config.generator_rate}]
        if self.image_encoder is not None:
            generator.append({"params": self.image_encoder.parameters(), "lr": config.encoder_rate, "betas": slow})
        if self.planner is not None and self.layout is not None:
            plan = [*self.planner.parameters(), *self.layout.parameters()]
            generator.append({"params": plan, "lr": config.encoder_rate, "betas": slow})
        words = [weight for weight in self.sentence_encoder.parameters() if weight.requires_grad]
        memory = [*self.memory.parameters(), *self.memory_norm.parameters()]
        text = [
            {"params": words, "lr": config.sentence_rate},
            {"params": self.condition_encoder.parameters(), "lr": config.condition_rate},
            {"params": memory, "lr": config.memory_rate},
        ]
        return {
            "discriminator": Adam(self.discriminator.parameters(), config.discriminator_rate, (0.0, 0.9), fused=fused),
            "generator": Adam(generator, config.generator_rate, (0.0, 0.9), fused=fused),
            "text": Adam(text, config.memory_rate, slow, fused=fused),
        }

    def training_step(self, batch: Dialogues, update: Update) -> None:
        """One step of each player on all turns of a batch of dialogues.

        The text side learns from D's loss (alone, unless `text_from_generator`), the image encoder from G's: Sec. 3.
        """
        wrong_pairs = _wrong_pairs(batch.turns)  # first, because it waits for the device
        batch = self._with_pixel_noise(batch)
        condition = self.remember(batch)
        both = self.config.text_from_generator
        spoken = condition if both else condition.detach()
        canvas = self._canvases(batch, condition.detach())
        painted = self.paint(spoken, canvas, self._noise(condition), self._placed(batch))
        penalise = self.config.penalty_weight > 0 and update.step % self.config.penalty_interval == 0
        with parametrize.cached():  # one power iteration a step
            losses = self._critic_losses(batch, painted.picture.detach(), condition, wrong_pairs, penalise)
            update.backward(_total(losses), "discriminator", "text", retain_graph=both)
        update.apply("discriminator")
        with parametrize.cached():
            player = self._painter_losses(batch, painted, condition.detach())
            update.backward(_total(player), "generator", *(("text",) if both else ()))
        update.apply("generator")
        update.apply("text", clip_norm=self.config.clip_norm)
        update.record(**losses, **player)

    def measure(self, batch: Dialogues) -> None:
        """Draw a batch in training mode, so that the running statistics become those of the present weights."""
        with torch.no_grad():
            condition = self.remember(batch)
            canvas = batch.previous(batch.image, batch.background)
            self.paint(condition, canvas, self._noise(condition), self._placed(batch))

    def losses(self, batch: Dialogues) -> dict[str, Tensor]:
        """Both players' losses on a batch, moving nothing; for evaluation."""
        with torch.no_grad():
            condition = self.remember(batch)
            canvas = batch.previous(batch.image, batch.background)
            painted = self.paint(condition, canvas, self._noise(condition), self._placed(batch))
            return {
                **self._critic_losses(batch, painted.picture, condition, _wrong_pairs(batch.turns), penalise=False),
                **self._painter_losses(batch, painted, condition),
            }

    def _critic_losses(
        self, batch: Dialogues, fake: Tensor, condition: Tensor, wrong_pairs: tuple[Tensor, Tensor], penalise: bool
    ) -> dict[str, Tensor]:
        config, critic, count = self.config, self.discriminator, len(fake)
        pictures = _channels_last(torch.cat([batch.image, fake, batch.background.unsqueeze(0)]))
        features = critic.see(pictures)
        before = batch.previous(features[:count], features[-1])
        real = features[:count]
        image = batch.image
        if penalise:  # x_t alone is varied, so its features get a graph of their own
            image = _channels_last(image.detach()).requires_grad_()
            real = critic.see(image)
        phi_real = critic.compare(real, before)
        phi_fake = critic.compare(features[count:-1], before)
        real_logits = critic.judge(phi_real, condition)
        wrong = None
        if config.wrong_pairs:  # the head is shared: another dialogue's phi beside this dialogue's condition
            own, other = wrong_pairs
            wrong = critic.judge(phi_real[other], condition[own])
        losses = {"critic": hinge_discriminator(real_logits, critic.judge(phi_fake, condition), wrong)}
        if config.auxiliary_weight:
            target = self._target(batch)
            named = F.binary_cross_entropy_with_logits(critic.name(phi_real), target)
            named = named + F.binary_cross_entropy_with_logits(critic.name(phi_fake), target)
            losses["critic_objects"] = config.auxiliary_weight * named
        if penalise:
            weight = config.penalty_weight * config.penalty_interval
            losses["penalty"] = weight * zero_centred_penalty(real_logits, image)
        return losses

    def _painter_losses(self, batch: Dialogues, painted: Painted, condition: Tensor) -> dict[str, Tensor]:
        config, critic, fake = self.config, self.discriminator, painted.picture
        with torch.no_grad():
            truth = critic.see(_channels_last(torch.cat([batch.image, batch.background.unsqueeze(0)])))
            before = batch.previous(truth[:-1], truth[-1])
        phi = critic.compare(critic.see(_channels_last(fake)), before)
        losses = {"painter": hinge_generator(critic.judge(phi, condition))}
        if config.auxiliary_weight:
            named = F.binary_cross_entropy_with_logits(critic.name(phi), self._target(batch))
            losses["painter_objects"] = config.auxiliary_weight * named
        if config.reconstruction_weight:
            error = balanced_absolute_error(fake, batch.image, batch.previous(batch.image, batch.background))
            losses["reconstruction"] = config.reconstruction_weight * error
        losses["kl"] = config.kl_weight * gaussian_kl(painted.mean, painted.logvar).mean()
        objects = self._placed(batch)
        if painted.plan is not None and objects is not None:
            losses["plan_what"], losses["plan_where"] = placement_nats(*painted.plan, objects.amount, objects.cell)
        return losses

    def _target(self, batch: Dialogues) -> Tensor:
        """[N, num_objects] 0 or 1: what the object head should name."""
        if self.config.auxiliary_target == "all":
            return batch.objects
        nothing = torch.zeros_like(batch.objects[0])
        return (batch.objects - batch.previous(batch.objects, nothing)).clamp(min=0)

    def _placed(self, batch: Dialogues) -> Placed | None:
        """What each turn placed, for a system that plans."""
        if not self.config.plan:
            return None
        objects, position = batch.objects, batch.position
        before = batch.previous(objects, torch.zeros_like(objects[0]))
        return placed(objects, position, before, batch.previous(position, torch.zeros_like(position[0])), FUSION)

    def _canvases(self, batch: Dialogues, condition: Tensor) -> Tensor:
        """[N, 3, H, W]: what E_G sees at each turn, mostly the true canvases before it."""
        true = batch.previous(batch.image, batch.background)
        if not self.config.own_canvas or torch.rand(()).item() >= self.config.own_canvas:
            return true
        with torch.no_grad():
            drawn = self.paint(condition, true, self._noise(condition), self._placed(batch)).picture
        return batch.previous(drawn.to(true.dtype), batch.background)

    def _noise(self, condition: Tensor) -> Tensor:
        return torch.randn(len(condition), self.noise_dim, device=condition.device)

    def _with_pixel_noise(self, batch: Dialogues) -> Dialogues:
        width = self.config.pixel_noise
        if not width:
            return batch
        return batch._replace(
            image=batch.image + width * torch.rand_like(batch.image),
            background=batch.background + width * torch.rand_like(batch.background),
        )


def build(config: Config, facts: Facts) -> System:
    """A system sized for a data set, its empty canvas and, if asked for, its word vectors in place."""
    if facts.resolution != config.resolution:
        raise TrainingError(
            f"the data set's pictures are {facts.resolution}x{facts.resolution}, the preset draws "
            f"{config.resolution}x{config.resolution}; prepare the data with --resolution {config.resolution}"
        )
    config = replace(config, vocabulary_size=len(facts.vocabulary), num_objects=len(facts.classes))
    system = System(config)
    system.background.copy_(pixels.to_float(torch.from_numpy(facts.background.copy()).permute(2, 0, 1)))
    if config.glove:
        vectors = read_vectors(Path(config.glove), facts.vocabulary, config.word_dim)
        system.sentence_encoder.words.weight.data.copy_(torch.from_numpy(vectors))
    return system


def _channels_last(image: Tensor) -> Tensor:
    return image.contiguous(memory_format=torch.channels_last)


def _total(losses: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(losses.values())).sum()


def _join(said: Tensor, instruction: Tensor) -> Tensor:
    """Two padded sets of sentences [B, L] and [B, M], said one after the other, padding last."""
    joined = torch.cat([said, instruction], dim=1)
    places = torch.arange(joined.shape[1], device=joined.device) + (joined == 0) * (1 << 30)
    return joined.gather(1, places.argsort(dim=1))


def _wrong_pairs(turns: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of a batch, and for each a row of another dialogue: pictures that do not belong to that row's words.

    A row for which the rotation ends in its own dialogue is left out; that happens only in batches of few dialogues.
    """
    counts = turns.cpu()
    rows = torch.arange(int(counts.sum()))
    dialogue = torch.repeat_interleave(counts)
    other = rows.roll(int(counts.max()))
    valid = dialogue[other] != dialogue
    return rows[valid].to(turns.device, non_blocking=True), other[valid].to(turns.device, non_blocking=True)
