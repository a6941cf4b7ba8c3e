"""A picture as maps of codes, and a prior from which new maps are drawn: VQ-VAE-2.

Razavi, van den Oord and Vinyals, Generating Diverse High-Fidelity Images with VQ-VAE-2, NeurIPS 2019
(arXiv:1906.00446), on van den Oord et al. 2017 (VQ-VAE, arXiv:1711.00937) and van den Oord et al. 2016 (gated
PixelCNN, `blocks/pixelcnn.py`).

Stage 1, `codes` (their Algorithm 1). Levels from fine to coarse; the coarse one, `top`, is quantised first and tells
the finer ones, so that they hold what it leaves out:

    e_top <- Quantise(E_top(x))      e_bottom <- Quantise(E_bottom(x, e_top))      x^ <- D(e_top, e_bottom)
    L = ||x - x^||^2 + beta ||E(x) - sg[e]||^2        the codebooks follow by moving means (`blocks/quantization.py`)

Stage 2, `prior` (their Algorithm 2): the autoencoder stands still; gated PixelCNNs learn p(top | y), with attention
over positions, and p(bottom | top, y), told by the coarser codes through a few convolutions. A run of stage 2 begins
with one of stage 1: `telldraw train vqvae --preset scenes-64-prior --start-from runs/vqvae-scenes-64`. Stage `both`
trains the two side by side, for what is so small that one command should do. Weights of stage `codes` encode and
decode, and can do no more: `lacks` says so.

What is not in the paper, or not as there:

1.  What a coarse level tells a finer one is the same map in encoder and decoder, and has been enlarged already; the
    paper has two decoders of e_top for that.
2.  Entries of a codebook that fall out of use are begun anew.
3.  The label may be several classes at once (what is on the scene). In training the prior is not told it now and then
    (`untold`), so that it also knows pictures of no label, which `log_likelihood` needs.
4.  Both priors are gated PixelCNNs of a few layers; the paper's top one is as deep as PixelSNAIL, with dropout.
5.  In training, the finer codes of some pictures are hidden (`coarse_alone`), so that the coarser ones have to say what
    they can. Where the finest map is enough for a whole picture, a coarse one is otherwise the same for all of them,
    and the prior has no plan to fill in. Jukebox (Dhariwal et al. 2020, arXiv:2005.00341, Sec. 3.1) met the same and
    trained its levels apart.
6.  A distribution of pixels around x^, a Laplace one with one scale for all pixels: only `log_likelihood` uses it.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from telldraw.batches import PictureFacts, Pictures
from telldraw.blocks.pixelcnn import PixelCNN
from telldraw.blocks.quantization import Quantised, Quantiser
from telldraw.errors import TrainingError, WeightsError
from telldraw.objectives.codes import (
    bits_per_dimension,
    code_nats,
    commitment,
    discretised_laplace_nats,
    perplexity,
)
from telldraw.protocols import Recipe, Update


@dataclass(frozen=True)
class Config:
    """Sizes, stage and step sizes."""

    stage: Literal["codes", "prior", "both"] = "codes"
    """What is trained: the autoencoder, the prior over the codes of one that is given, or both side by side."""
    resolution: int = 64
    """Side of the square pictures, in pixels."""
    channels: int = 3
    """3 colour, 1 grey; taken from the data set."""
    strides: tuple[int, ...] = (4, 2)
    """How much smaller each level's map is than the one before, from fine to coarse; the paper has 4, 2 at 256."""
    codes: int = 256
    """K, entries of each codebook; the paper has 512."""
    code_dim: int = 32
    """D, numbers of an entry; the paper has 64."""
    width: int = 64
    """Channels of the autoencoder; the paper has 128."""
    residual_width: int = 32
    """Channels inside a residual block; the paper has 64."""
    residual_blocks: int = 2
    """Residual blocks of each part; the paper has 2."""
    beta: float = 0.25
    """Weight of the commitment."""
    coarse_alone: float = 0.0
    """Share of the training pictures that are drawn again from some of the coarser levels alone."""
    codebook_decay: float = 0.99
    """gamma, of the codebooks' moving means, per step."""
    dead: float = 0.03
    """An entry used less than so many times as often as on average is begun anew."""
    conditional: bool = True
    """prior: whether the label is told, where the data has one."""
    num_classes: int = 0
    """Classes a label has; taken from the data set."""
    untold: float = 0.1
    """prior: share of the training pictures whose label is not told."""
    prior_width: int = 48
    """prior: features of each stack of the PixelCNNs; the paper has 512."""
    prior_layers: tuple[int, ...] = (5, 8)
    """prior: gated layers after the first one, from the fine level to the coarse; the paper has 20, 20."""
    attention_every: int = 4
    """prior: at the coarsest level, causal self-attention after every so many layers; 0: none."""
    rate: float = 1e-3
    """Adam step size of the autoencoder; the paper has 3e-4 at batches of 128."""
    prior_rate: float = 1e-3
    """Adam step size of the prior at first."""
    anneal: int = 5000
    """Steps over which the step sizes of what is trained fall to a twentieth, in a straight line."""

    def __post_init__(self) -> None:
        if not self.strides or any(stride not in (2, 4, 8) for stride in self.strides):
            raise TrainingError(f"--config.strides {self.strides}: one number for each level is needed, each 2, 4 or 8")
        if len(self.prior_layers) != len(self.strides):
            raise TrainingError(
                f"--config.prior-layers {self.prior_layers}: {len(self.strides)} numbers are needed, one for each of "
                "--config.strides"
            )
        whole = 1
        for stride in self.strides:
            whole *= stride
        if self.resolution % whole:
            raise TrainingError(
                f"--config.resolution {self.resolution}: a multiple of {whole} is needed for {self.strides}"
            )
        if self.codes < 2:
            raise TrainingError(f"--config.codes {self.codes}: at least 2 are needed, one says nothing")
        if not 0 <= self.coarse_alone < 1:
            raise TrainingError(f"--config.coarse-alone {self.coarse_alone}: from 0 to less than 1 is needed")
        if not 0 <= self.untold < 1:
            raise TrainingError(f"--config.untold {self.untold}: from 0 to less than 1 is needed")

    def sides(self) -> list[int]:
        """Side of each level's square map of codes, from fine to coarse."""
        sides, side = [], self.resolution
        for stride in self.strides:
            side //= stride
            sides.append(side)
        return sides


_SCENES = Config()
_SCENES_128 = Config(
    resolution=128,
    codes=512,
    code_dim=64,
    width=128,
    residual_width=64,
    rate=3e-4,
    prior_width=128,
    prior_layers=(12, 16),
)
_SCENES_128_SMALL = Config(resolution=128, strides=(8, 2), codes=512)
_MNIST = Config(
    *("codes", 28, 1), strides=(2, 2), codes=64, code_dim=16, width=32, residual_width=16,
    coarse_alone=0.25, prior_width=32, prior_layers=(4, 6), anneal=2000,
)  # fmt: skip
PRESETS = {
    # Abstract Scenes: 16x16 and 8x8 codes, for two cores.
    "scenes-64": _SCENES,
    "scenes-64-prior": replace(_SCENES, stage="prior", anneal=4000),
    # 32x32 and 16x16 codes, the paper's autoencoder; for a GPU.
    "scenes-128": replace(_SCENES_128, anneal=50_000),
    "scenes-128-prior": replace(_SCENES_128, stage="prior", anneal=100_000, prior_rate=3e-4),
    # 16x16 and 8x8 codes, as many as in scenes-64: for two cores.
    "scenes-128-small": replace(_SCENES_128_SMALL, anneal=3500),
    "scenes-128-small-prior": replace(_SCENES_128_SMALL, stage="prior", anneal=4000),
    # Digits: 14x14 and 7x7 codes. Two stages here too: codes that still move are a prior's moving target
    "mnist": _MNIST,
    "mnist-prior": replace(_MNIST, stage="prior", prior_rate=2e-3, anneal=6000),
    "tiny": Config(
        stage="both",
        resolution=16,
        codes=8,
        code_dim=4,
        width=8,
        residual_width=4,
        residual_blocks=1,
        prior_width=8,
        prior_layers=(1, 2),
        attention_every=2,
        anneal=100,
    ),
}
RECIPES = {
    "scenes-64": Recipe(batch_size=16, examples=80_000, decay=0.99, sheet_every=20_000, takes="11 minutes of one core"),
    "scenes-64-prior": Recipe(
        batch_size=16, examples=64_000, decay=0.998, sheet_every=16_000, takes="25 minutes of one core"
    ),
    "scenes-128": Recipe(batch_size=64, examples=3_200_000, sheet_every=160_000, takes="needs a GPU; not trained yet"),
    "scenes-128-prior": Recipe(
        batch_size=64, examples=6_400_000, sheet_every=320_000, takes="needs a GPU; not trained yet"
    ),
    "scenes-128-small": Recipe(
        batch_size=16, examples=56_000, decay=0.99, sheet_every=14_000, takes="11 minutes of one core"
    ),
    "scenes-128-small-prior": Recipe(
        batch_size=16, examples=64_000, decay=0.998, sheet_every=16_000, takes="26 minutes of one core"
    ),
    "mnist": Recipe(batch_size=32, examples=64_000, decay=0.99, sheet_every=32_000, takes="2 minutes of one core"),
    "mnist-prior": Recipe(
        batch_size=32, examples=192_000, decay=0.998, sheet_every=32_000, takes="21 minutes of one core"
    ),
    "tiny": Recipe(batch_size=8, examples=64, decay=0.9, sheet_every=64, takes="a second"),
}


class Residual(nn.Module):
    """ReLU, 3x3, ReLU, 1x1, added to the input: the paper's block."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, inner, 3, padding=1), nn.ReLU(), nn.Conv2d(inner, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape."""
        return x + self.layers(x)


def _residuals(config: Config, width: int) -> list[nn.Module]:
    return [Residual(width, config.residual_width) for _ in range(config.residual_blocks)]


def _smaller(config: Config, inputs: int, stride: int) -> nn.Sequential:
    """An encoder's part: [N, inputs, H, W] -> [N, width, H / stride, W / stride]."""
    width, halvings = config.width, stride.bit_length() - 1
    widths = [width >> n for n in reversed(range(halvings))] if halvings > 1 else [width // 2]
    layers: list[nn.Module] = []
    for before, after in zip([inputs, *widths], widths, strict=False):
        layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.ReLU()]
    layers.append(nn.Conv2d(widths[-1], width, 3, padding=1))
    return nn.Sequential(*layers, *_residuals(config, width), nn.ReLU())


def _larger(config: Config, inputs: int, outputs: int, stride: int, width: int) -> nn.Sequential:
    """A decoder's part: [N, inputs, H, W] -> [N, outputs, H * stride, W * stride]."""
    layers: list[nn.Module] = [nn.Conv2d(inputs, width, 3, padding=1), *_residuals(config, width), nn.ReLU()]
    for _ in range(stride.bit_length() - 2):
        layers += [nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1), nn.ReLU()]
        width //= 2
    return nn.Sequential(*layers, nn.ConvTranspose2d(width, outputs, 4, stride=2, padding=1))


class Encoded(NamedTuple):
    """What an autoencoder makes of pictures, from fine to coarse."""

    z: list[Tensor]  # [N, D, H, W] before quantisation
    quantised: list[Quantised]
    context: list[Tensor]  # [N, D or 2 D, H, W] a level's entries, and what the coarser ones tell it


class Codes(nn.Module):
    """The hierarchical autoencoder: Algorithm 1 for any number of levels."""

    scale: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        dim, width, strides = config.code_dim, config.width, config.strides
        inputs = [config.channels] + [width] * (len(strides) - 1)
        told = [dim] * (len(strides) - 1) + [0]
        self.smaller: Any = nn.ModuleList(
            _smaller(config, each, stride) for each, stride in zip(inputs, strides, strict=True)
        )
        self.project: Any = nn.ModuleList(nn.Conv2d(width + each, dim, 1) for each in told)
        self.quantisers: Any = nn.ModuleList(
            Quantiser(config.codes, dim, config.codebook_decay, config.dead) for _ in strides
        )
        outputs = [config.channels] + [dim] * (len(strides) - 1)
        self.larger: Any = nn.ModuleList(
            _larger(config, dim + each, out, stride, width)
            for each, out, stride in zip(told, outputs, strides, strict=True)
        )
        self.register_buffer("scale", torch.tensor(0.1))  # of the pixels around x^: their mean absolute error

    def forward(self, x: Tensor, kept: Tensor | None = None) -> Encoded:
        """x [N, C, H, W] -> codes of all levels. Changes nothing.

        kept [N, levels]: 0 where a level's entries are zeros for what is finer and for D, 1 elsewhere; None: all ones.
        """
        maps = []
        for part in self.smaller:
            x = part(x)
            maps.append(x)
        z: list[Tensor] = []
        quantised: list[Quantised] = []
        context: list[Tensor] = []
        for level in reversed(range(len(maps))):
            told = [self.larger[level + 1](context[0])] if context else []
            z.insert(0, self.project[level](torch.cat([maps[level], *told], 1)))
            quantised.insert(0, self.quantisers[level](z[0]))
            passed = quantised[0].passed
            context.insert(
                0, torch.cat([passed if kept is None else passed * kept[:, level, None, None, None], *told], 1)
            )
        return Encoded(z, quantised, context)

    def decode(self, context: Tensor) -> Tensor:
        """What the finest level knows -> x^ [N, C, H, W]."""
        return self.larger[0](context)

    def told_by(self, level: int, codes: Tensor, coarser: Tensor | None) -> Tensor:
        """codes [N, H, W] of a level, context of the coarser one (None at the coarsest) -> context of this level."""
        entries = self.quantisers[level].entries(codes)
        return entries if coarser is None else torch.cat([entries, self.larger[level + 1](coarser)], 1)


class Prior(nn.Module):
    """p(codes of a level | coarser codes, label)."""

    def __init__(self, config: Config, level: int) -> None:
        super().__init__()
        side, coarsest = config.sides()[level], level == len(config.strides) - 1
        width = config.prior_width
        self.tell = None
        if not coarsest:
            known = config.code_dim * (1 if level == len(config.strides) - 2 else 2)
            self.tell = _larger(config, known, width, config.strides[level + 1], width)
        self.net = PixelCNN(
            config.codes,
            (side, side),
            channels=width,
            layers=config.prior_layers[level],
            first_kernel=5,
            vector_dim=config.num_classes + 1 if config.num_classes else 0,
            map_dim=0 if coarsest else width,
            attention_every=config.attention_every if coarsest else 0,
        )

    def told(self, coarser: Tensor | None) -> Tensor | None:
        """The context of the coarser level -> the map that the PixelCNN is told."""
        return None if self.tell is None or coarser is None else self.tell(coarser)


class System(nn.Module):
    """The autoencoder and its prior, and how each is trained."""

    training_only = ()
    next_stage = "prior"
    likelihood_is = "a lower bound, of 8-bit pixels: one term of the sum over codes"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.sizes = [side * side for side in config.sides()]
        self.noise_dim = sum(self.sizes)
        self.label_dim = config.num_classes if config.conditional else 0
        self.autoencoder = Codes(config)
        self.lacks: tuple[str, ...] = ()
        """Capabilities of the table that these weights do not have."""
        self.begins_anew: tuple[str, ...] = ()
        """Parts that weights to start from may lack, because this stage trains them."""
        if config.stage == "codes":
            self.lacks = ("Generative", "Density")
            return
        self.begins_anew = ("prior",)
        self.prior: Any = nn.ModuleList(Prior(config, level) for level in range(len(config.strides)))
        if config.stage == "prior":
            self.autoencoder.requires_grad_(False)

    # What it can do

    def encode(self, images: Tensor) -> Tensor:
        """images [N, C, H, W] in [-1, 1] -> codes [N, positions] int64, the coarsest level first, each row by row."""
        return torch.cat([codes.flatten(1) for codes in reversed(self.code_maps(images))], 1)

    def code_maps(self, images: Tensor) -> list[Tensor]:
        """images [N, C, H, W] in [-1, 1] -> codes [N, h, w] int64 of each level, from fine to coarse."""
        return [each.codes for each in self.autoencoder(images).quantised]

    def decode(self, code: Tensor) -> Tensor:
        """codes [N, positions] as `encode` gives them -> x^ [N, C, H, W] in [-1, 1]."""
        context = None
        for level, codes in self._levels(code):
            context = self.autoencoder.told_by(level, codes, context)
        assert context is not None
        return self.autoencoder.decode(context).float().clamp(-1, 1)

    def generate(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """noise [N, positions] ~ N(0, 1), label [N, K] or None for pictures of any label -> [N, C, H, W] in [-1, 1].

        Algorithm 2: codes from coarse to fine, each the inverse of its distribution function at Phi(noise), then D.
        Raises WeightsError where only the autoencoder was trained.
        """
        self._needs_prior("generate")
        vector, context = self._vector(label, len(noise), noise.device), None
        for level, uniform in self._levels(torch.special.ndtr(noise.double())):
            codes = self.prior[level].net.sample(uniform, vector, self.prior[level].told(context))
            context = self.autoencoder.told_by(level, codes, context)
        assert context is not None
        return self.autoencoder.decode(context).float().clamp(-1, 1)

    def log_likelihood(self, images: Tensor) -> Tensor:
        """images [N, C, H, W] in [-1, 1], of 256 grey levels -> [N] nats, a lower bound of log p(x).

        p(x) = sum over codes e of p(e) p(x | e); the bound keeps the one term that the encoder names: log p(e) of the
        prior without a label, and log p(x | e) of the mass that a Laplace distribution around x^ gives to each 8-bit
        grey level. Raises WeightsError where only the autoencoder was trained.
        """
        self._needs_prior("give a likelihood")
        encoded = self.autoencoder(images)
        around = self.autoencoder.decode(encoded.context[0]).float()
        codes = sum(self._code_nats(encoded, self._vector(None, len(images), images.device)))
        return -(codes + discretised_laplace_nats(around, self.autoencoder.scale, images.float()))

    def code_nats(self, images: Tensor, label: Tensor | None = None) -> list[Tensor]:
        """-log p(codes of the pictures | label) for each level, from fine to coarse, each [N] nats: exact.

        Of the codes alone, not of pixels: no bound of log p(x).
        """
        self._needs_prior("give a likelihood")
        return self._code_nats(self.autoencoder(images), self._vector(label, len(images), images.device))

    def _code_nats(self, encoded: Encoded, vector: Tensor | None) -> list[Tensor]:
        found = []
        for level, each in enumerate(encoded.quantised):
            coarser = encoded.context[level + 1].detach() if level + 1 < len(encoded.context) else None
            prior = self.prior[level]
            found.append(code_nats(prior.net(each.codes, vector, prior.told(coarser)), each.codes))
        return found

    def _levels(self, row: Tensor) -> list[tuple[int, Tensor]]:
        """[N, positions] -> (level, [N, H, W]), the coarsest first."""
        parts = row.split(self.sizes[::-1], dim=1)
        sides = self.config.sides()[::-1]
        levels = range(len(sides))[::-1]
        return [(n, part.unflatten(1, (side, side))) for n, part, side in zip(levels, parts, sides, strict=True)]

    def _vector(self, label: Tensor | None, count: int, device: torch.device) -> Tensor | None:
        """What the PixelCNNs are told: the label and a 1, or zeros where there is none to tell."""
        if not self.label_dim:
            return None
        if label is None:
            return torch.zeros(count, self.label_dim + 1, device=device)
        return torch.cat([label.float(), label.new_ones(count, 1, dtype=torch.float32)], 1)

    def _needs_prior(self, what: str) -> None:
        if self.lacks:
            raise WeightsError(
                f"these weights of vqvae hold the autoencoder alone and cannot {what}; train the prior on them: "
                "telldraw train vqvae --preset ...-prior --start-from THESE"
            )

    # How it is trained

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for what the stage trains, two in stage `both`. Raises TrainingError when there are no codes yet."""
        if self.config.stage == "prior" and not bool(self.autoencoder.quantisers[0].count.any()):
            raise TrainingError(
                "--start-from is missing: stage prior needs a trained autoencoder; give a run of stage codes"
            )
        found: dict[str, Optimizer] = {}
        if self.config.stage != "prior":
            found["autoencoder"] = Adam(self.autoencoder.parameters(), self.config.rate)
        if self.config.stage != "codes":
            found["prior"] = Adam(self.prior.parameters(), self.config.prior_rate, betas=(0.9, 0.99))
        return found

    def training_step(self, batch: Pictures, update: Update) -> None:
        """Algorithm 1, Algorithm 2, or one after the other."""
        factor = 1 - 0.95 * min(1.0, update.step / self.config.anneal)
        if self.config.stage != "prior":
            update.rate("autoencoder", factor)
            self._train_codes(batch, update)
        if self.config.stage != "codes":
            update.rate("prior", factor)
            self._train_prior(batch, update)

    def _train_codes(self, batch: Pictures, update: Update) -> None:
        encoded = self.autoencoder(batch.image, self._kept(batch.image))
        losses, around = self._code_losses(encoded, batch.image)
        update("autoencoder", losses["error"] + self.config.beta * losses["commitment"])
        update.record(**losses)
        absolute = (batch.image - around.detach()).abs().mean()
        self.autoencoder.scale.lerp_(absolute.clamp(min=1 / 255), 1 - self.config.codebook_decay)
        for level, quantiser in enumerate(self.autoencoder.quantisers):
            codes = encoded.quantised[level].codes
            anew = quantiser.follow(encoded.z[level], codes)
            update.record(**{f"restarted_{level + 1}": anew.float()})

    def _kept(self, image: Tensor) -> Tensor | None:
        """Which levels D is shown of each picture, [N, levels]: all, or from some coarser one upwards."""
        levels = len(self.sizes)
        if not self.config.coarse_alone or levels == 1:
            return None
        alone = torch.rand(len(image), 1, device=image.device) < self.config.coarse_alone
        finest = torch.randint(1, levels, (len(image), 1), device=image.device) * alone
        return (torch.arange(levels, device=image.device) >= finest).to(image.dtype)

    def _train_prior(self, batch: Pictures, update: Update) -> None:
        with torch.no_grad():
            encoded = self.autoencoder(batch.image)
        vector = self._vector(batch.label if self.label_dim else None, len(batch.image), batch.image.device)
        if vector is not None:
            vector = vector * (torch.rand(len(vector), 1, device=vector.device) >= self.config.untold)
        nats = [each.mean() for each in self._code_nats(encoded, vector)]
        loss = sum(each / size for each, size in zip(nats, self.sizes, strict=True))
        assert isinstance(loss, Tensor)
        update.backward(loss, "prior")
        update.apply("prior", clip_norm=1.0)
        update.record(**self._prior_figures(nats))

    def losses(self, batch: Pictures) -> dict[str, Tensor]:
        """What either stage minimises, and how the codes are used, moving nothing; the prior is told the label."""
        with torch.no_grad():
            encoded = self.autoencoder(batch.image)
            found, _ = self._code_losses(encoded, batch.image)
            if not self.lacks:
                vector = self._vector(batch.label if self.label_dim else None, len(batch.image), batch.image.device)
                found |= self._prior_figures([each.mean() for each in self._code_nats(encoded, vector)])
        return found

    def _code_losses(self, encoded: Encoded, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """The terms of L, the perplexity of each level's codes in the batch (1 is the finest level); and x^."""
        around = self.autoencoder.decode(encoded.context[0])
        pairs = zip(encoded.z, encoded.quantised, strict=True)
        losses = {
            "error": F.mse_loss(around, image),
            "commitment": torch.stack([commitment(z, each.entries) for z, each in pairs]).sum(),
        }
        for level, each in enumerate(encoded.quantised):
            used = torch.bincount(each.codes.flatten(), minlength=self.config.codes)
            losses[f"perplexity_{level + 1}"] = perplexity(used)
        return losses, around

    def _prior_figures(self, nats: list[Tensor]) -> dict[str, Tensor]:
        """Bits a code of each level (1 is the finest), and nats of all codes of a picture."""
        pairs = enumerate(zip(nats, self.sizes, strict=True))
        bits = {f"bits_{level + 1}": bits_per_dimension(each, size) for level, (each, size) in pairs}
        return {**bits, "nats": torch.stack(nats).sum()}


def build(config: Config, facts: PictureFacts) -> System:
    """The system for a data set. Raises TrainingError when its pictures are not those of the config."""
    if facts.resolution != config.resolution:
        raise TrainingError(
            f"{facts.name} has pictures of {facts.resolution}x{facts.resolution}, the preset has {config.resolution}x"
            f"{config.resolution}; give --config.resolution {facts.resolution} or another preset"
        )
    classes = len(facts.classes) if config.conditional else 0
    return System(replace(config, channels=facts.channels, num_classes=classes, conditional=bool(classes)))
