"""A variational autoencoder: a code is read from a picture, and the picture drawn from the code.

Kingma & Welling, Auto-Encoding Variational Bayes, ICLR 2014 (arXiv:1312.6114), in their letters:

    prior      p(z) = N(0, I), z [N, J]
    encoder    q(z | x) = N(mu, diag sigma^2), both read from the picture x, in [0, 1] here
    decoder    p(x | z): independent pixels, Bernoulli, or Gaussian with a mean and a variance
    objective  L(x) = E_q log p(x | z) - beta KL(q(z | x) || p(z)), a lower bound of log p(x) where beta = 1

One z a picture is drawn in training, as mu + sigma epsilon (their Sec. 2.4). The preset `mnist` is the example that
comes with PyTorch: 784-400-20-400-784, ReLU, Adam 1e-3, batches of 128. `mnist-gaussian` has the decoder of their
App. C.2.

What is not in the paper, or not as there:

1.  ReLU instead of tanh, Adam instead of Adagrad, no weight decay: as in everybody's code since.
2.  A variance has a floor (`variance_floor`), without which pixels that never change have no best variance.
3.  One variance may be shared by all pixels (`variance="shared"`: Rybkin et al., ICML 2021), which sets the balance of
    the two terms of L by itself; its step size is ten times that of the rest, because it is a single number.
4.  The mean of a Gaussian goes through a sigmoid too, since pixels lie in [0, 1].
5.  beta may differ from 1 (Higgins et al., ICLR 2017); L is then no bound, and figures are always taken at beta = 1.
6.  A convolutional form (`network="convolutional"`) for colour pictures.
7.  `binarise`: Burda et al., ICLR 2016, draw each pixel as black or white with its grey as probability, anew each time
    a picture is seen; then the Bernoulli likelihood is one. Outside training, pixels above the middle are white; black
    and white ones stay what they are.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from telldraw.batches import PictureFacts, Pictures
from telldraw.errors import TrainingError
from telldraw.objectives.divergence import gaussian_kl
from telldraw.objectives.likelihood import bernoulli_log_likelihood, floored_variance, gaussian_log_likelihood
from telldraw.protocols import Recipe, Update

FIRST_VARIANCE = -3.0
"""What a variance is read from before any training: 0.05, softplus(-3), of a pixel in [0, 1]."""
LIKELIHOODS = {
    ("bernoulli", "none"): "grey pixels taken as probabilities: a cross entropy, no likelihood",
    ("bernoulli", "stochastic"): "pixels black or white by chance",
    ("bernoulli", "threshold"): "pixels black or white by the middle",
    ("gaussian", "none"): "a density of pixels in [0, 1]; one of 256 levels takes 7.99 bits a dimension more",
}
"""What a likelihood is of, by decoder and `binarise`: only figures of the same kind can be compared."""
PAIRS = 4
"""`log_likelihood` takes so many fixed epsilon and their opposites."""


@dataclass(frozen=True)
class Config:
    """Sizes, the decoder's distribution and step sizes."""

    network: Literal["full", "convolutional"] = "full"
    """Fully connected, or convolutions that halve the picture."""
    resolution: int = 28
    """Side of the square pictures, in pixels."""
    channels: int = 1
    """1: grey pictures, 3: colour."""
    latents: int = 20
    """J, the numbers in a code; PyTorch's example has 20, the paper 2 to 200."""
    hidden: tuple[int, ...] = (400,)
    """Units of the encoder's fully connected layers; the decoder has them in reverse. Convolutional: after the maps."""
    maps: tuple[int, ...] = (32, 64, 128, 256)
    """convolutional: maps after each halving."""
    decoder: Literal["bernoulli", "gaussian"] = "bernoulli"
    """How pixels are distributed around what is drawn."""
    variance: Literal["pixel", "shared", "fixed"] = "pixel"
    """gaussian: read from the code for each pixel (the paper), one learned number for all, or `fixed_variance`."""
    fixed_variance: float = 0.01
    """gaussian: the variance of every pixel where it is fixed; a pixel's range is 0 to 1."""
    variance_floor: float = 1e-3
    """gaussian: what no learned variance can go below; 0.001 is a deviation of 8 of 255 grey levels."""
    binarise: Literal["none", "stochastic", "threshold"] = "none"
    """bernoulli: make pixels black or white, at random with their grey as probability, or by the middle."""
    beta: float = 1.0
    """Weight of the KL term; 1: the bound itself."""
    rate: float = 1e-3
    """Adam step size."""
    halve_every: int = 0
    """Halve the step size every so many steps; 0: never."""

    def __post_init__(self) -> None:
        for flag in ("resolution", "channels", "latents"):
            if getattr(self, flag) < 1:
                raise TrainingError(f"--config.{flag} {getattr(self, flag)}: at least 1 is needed")
        if self.network == "full" and not self.hidden:
            raise TrainingError("--config.hidden: at least one number is needed")
        if self.network == "convolutional" and (not self.maps or self.resolution % (1 << len(self.maps))):
            raise TrainingError(
                f"--config.resolution {self.resolution}: a multiple of {1 << len(self.maps)} is needed for the "
                f"{len(self.maps)} halvings of --config.maps"
            )
        if self.binarise != "none" and self.decoder != "bernoulli":
            raise TrainingError(f"--config.binarise {self.binarise} needs --config.decoder bernoulli")
        for flag in ("variance_floor", "fixed_variance"):
            if not getattr(self, flag) > 0:
                name = flag.replace("_", "-")
                raise TrainingError(f"--config.{name} {getattr(self, flag)}: more than 0 is needed")
        if self.beta < 0:
            raise TrainingError(f"--config.beta {self.beta}: at least 0 is needed")


PRESETS = {
    # PyTorch's example
    "mnist": Config(),
    # the same network for longer
    "mnist-long": Config(halve_every=4_000),
    # a code that can be shown on paper: the paper's Figure 4
    "mnist-2d": Config(latents=2, hidden=(400, 200), halve_every=8_000),
    # the decoder of the paper's App. C.2, and of lectures: a mean and a variance of each pixel
    "mnist-gaussian": Config(decoder="gaussian"),
    # true likelihoods; sizes of Burda et al. 2016, one stochastic layer. Black and white by chance as theirs, and fixed
    "mnist-stochastic": Config(latents=50, hidden=(200, 200), binarise="stochastic", halve_every=4_000),
    "mnist-binary": Config(latents=50, hidden=(200, 200), binarise="threshold", halve_every=4_000),
    # Abstract Scenes
    "scenes-64": Config(
        network="convolutional",
        resolution=64,
        channels=3,
        latents=64,
        hidden=(256,),
        decoder="gaussian",
        variance="shared",
        variance_floor=1e-4,
    ),
    "tiny": Config(resolution=8, latents=3, hidden=(16,)),
}
_LONG = Recipe(batch_size=128, examples=1_600_000, decay=0.999, sheet_every=800_000, takes="3 minutes of one core")
RECIPES = {
    # 10 passes over the owner's 60,000 pictures, as published, are 12 over our 50,000; nothing is averaged there
    "mnist": Recipe(batch_size=128, examples=600_000, decay=0.0, sheet_every=200_000, takes="1 minute of one core"),
    "mnist-long": _LONG,
    "mnist-2d": _LONG,
    "mnist-gaussian": replace(_LONG, examples=640_000, takes="2 minutes of one core"),
    "mnist-stochastic": _LONG,
    "mnist-binary": _LONG,
    "scenes-64": Recipe(batch_size=64, examples=80_000, decay=0.99, sheet_every=40_000, takes="8 minutes of one core"),
    "tiny": Recipe(batch_size=8, examples=64, decay=0.9, sheet_every=64),
}


def _fully_connected(inputs: int, outputs: tuple[int, ...]) -> list[nn.Module]:
    """Linear layers, a ReLU after each."""
    layers: list[nn.Module] = []
    for number in outputs:
        layers += [nn.Linear(inputs, number), nn.ReLU()]
        inputs = number
    return layers


class Encoder(nn.Module):
    """q(z | x)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        side, maps = config.resolution, config.channels
        if config.network == "convolutional":
            for number in config.maps:
                layers += [nn.Conv2d(maps, number, 4, stride=2, padding=1), nn.ReLU()]
                side, maps = side // 2, number
        layers += [nn.Flatten(), *_fully_connected(maps * side * side, config.hidden)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear([maps * side * side, *config.hidden][-1], 2 * config.latents)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x [N, C, H, W] in [0, 1] -> mu and log sigma^2, both [N, J]."""
        mean, logvar = self.head(self.layers(x)).float().chunk(2, 1)
        return mean, logvar


class Decoder(nn.Module):
    """p(x | z)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.parts = 2 if config.decoder == "gaussian" and config.variance == "pixel" else 1
        side, outputs = config.resolution, self.parts * config.channels
        maps = config.maps[::-1] if config.network == "convolutional" else ()
        side, first = side >> len(maps), maps[0] if maps else outputs
        layers = _fully_connected(config.latents, config.hidden[::-1])
        layers += [nn.Linear([config.latents, *config.hidden[::-1]][-1], first * side * side)]
        layers += [nn.Unflatten(1, (first, side, side))]
        for inputs, number in zip(maps, [*maps, outputs][1:], strict=True):
            layers += [nn.ReLU(), nn.ConvTranspose2d(inputs, number, 4, stride=2, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor | None]:
        """z [N, J] -> logits of the mean, and what the variance is read from (None: not from z), both [N, C, H, W]."""
        logits, *raw = self.layers(z).float().chunk(self.parts, 1)
        return logits, raw[0] + FIRST_VARIANCE if raw else None


class System(nn.Module):
    """The variational autoencoder, and how it is trained."""

    training_only = ()
    label_dim = 0

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.noise_dim = self.latent_dim = config.latents
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        shared = config.decoder == "gaussian" and config.variance == "shared"
        self.likelihood_is = LIKELIHOODS[config.decoder, config.binarise]
        self.spread = nn.Parameter(torch.full((), FIRST_VARIANCE)) if shared else None

    # What it can do

    def encode(self, images: Tensor) -> Tensor:
        """images [N, C, H, W] in [-1, 1] -> code [N, J], the mean of q(z | x)."""
        return self.encoder(self._seen(images))[0]

    def decode(self, code: Tensor) -> Tensor:
        """code [N, J] -> pictures [N, C, H, W] in [-1, 1], the mean of p(x | z): no pixel is drawn at random."""
        return 2 * self.decoder(code)[0].sigmoid() - 1

    def generate(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """noise [N, J] ~ N(0, 1), which is the prior of a code -> pictures [N, C, H, W] in [-1, 1]. Takes no label."""
        return self.decode(noise)

    def log_weights(self, images: Tensor, noise: Tensor) -> Tensor:
        """log w = log p(x | z) + log p(z) - log q(z | x) at z = mu + sigma epsilon, in nats.

        images [N, C, H, W] in [-1, 1], noise epsilon [K, N, J] or [K, 1, J] ~ N(0, 1) -> [K, N]. The mean of log w is
        the ELBO at beta = 1; `metrics.likelihood.importance_weighted_bound` makes a tighter bound of them.
        """
        x = self._seen(images)
        mean, logvar = self.encoder(x)
        z = mean + (0.5 * logvar).exp() * noise
        prior_over_posterior = 0.5 * (noise.square() - z.square() + logvar).sum(2)  # the two log(2 pi) cancel
        logits, raw = self.decoder(z.flatten(0, 1))
        shape = (*z.shape[:2], *x.shape[1:])
        return (
            self._log_likelihood(logits.view(shape), None if raw is None else raw.view(shape), x) + prior_over_posterior
        )

    def log_likelihood(self, images: Tensor) -> Tensor:
        """images [N, C, H, W] in [-1, 1] -> [N] nats, a lower bound of each picture's log p(x): the ELBO.

        The expectation over q is a mean over 2 PAIRS fixed epsilon, so it depends on the picture alone.
        `metrics.likelihood` draws epsilon for each picture, and takes tighter bounds.
        """
        epsilon = torch.randn(PAIRS, 1, self.config.latents, generator=torch.Generator().manual_seed(0))
        return self.log_weights(images, torch.cat([epsilon, -epsilon]).to(images.device)).mean(0)

    # How it is trained

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam."""
        groups: list[dict] = [{"params": [*self.encoder.parameters(), *self.decoder.parameters()]}]
        if self.spread is not None:
            groups.append({"params": [self.spread], "lr": 10 * self.config.rate})
        return {"vae": Adam(groups, self.config.rate, fused=True)}

    def training_step(self, batch: Pictures, update: Update) -> None:
        """Algorithm 1 with one epsilon for each picture of the batch."""
        if self.config.halve_every:
            update.rate("vae", 0.5 ** (update.step // self.config.halve_every))
        losses = self._losses(self._seen(batch.image, random=True))
        update("vae", losses["loss"])
        update.record(**losses)

    def losses(self, batch: Pictures) -> dict[str, Tensor]:
        """The terms of the objective, moving nothing."""
        with torch.no_grad():
            return self._losses(self._seen(batch.image))

    def _losses(self, x: Tensor) -> dict[str, Tensor]:
        """x [N, C, H, W] in [0, 1] -> both terms of -L in nats per picture, and their sum."""
        mean, logvar = self.encoder(x)
        z = mean + (0.5 * logvar).exp() * torch.randn_like(mean)
        logits, raw = self.decoder(z)
        reconstruction = -self._log_likelihood(logits, raw, x).mean()
        kl = gaussian_kl(mean, logvar).sum(1).mean()
        return {"loss": reconstruction + self.config.beta * kl, "reconstruction": reconstruction, "kl": kl}

    def _log_likelihood(self, logits: Tensor, raw: Tensor | None, x: Tensor) -> Tensor:
        """log p(x | z) of what the decoder gives [..., C, H, W] -> [...] nats."""
        config = self.config
        if config.decoder == "bernoulli":
            return bernoulli_log_likelihood(logits, x)
        raw = self.spread if raw is None else raw
        if raw is None:
            variance = torch.full_like(logits, config.fixed_variance)
        else:
            variance = floored_variance(raw, config.variance_floor)
        return gaussian_log_likelihood(logits.sigmoid(), variance, x)

    def _seen(self, images: Tensor, *, random: bool = False) -> Tensor:
        """images in [-1, 1] -> x in [0, 1], black and white where `binarise` says so."""
        if self.config.binarise == "none":
            return (images + 1) / 2
        if random and self.config.binarise == "stochastic":
            return ((images + 1) / 2).bernoulli()
        return (images > 0).to(images.dtype)


def build(config: Config, facts: PictureFacts) -> System:
    """The system for a data set. Raises TrainingError when its pictures are not those of the config."""
    kinds = {1: "grey", 3: "colour"}
    if facts.channels != config.channels:
        raise TrainingError(
            f"the pictures of {facts.name} are {kinds.get(facts.channels, facts.channels)}, these settings are for "
            f"{kinds.get(config.channels, config.channels)} ones: give --config.channels {facts.channels} or another "
            "--preset"
        )
    if facts.resolution != config.resolution:
        raise TrainingError(
            f"the pictures of {facts.name} have {facts.resolution}x{facts.resolution} pixels, these settings are for "
            f"{config.resolution}x{config.resolution}: give --config.resolution {facts.resolution} or another --preset"
        )
    return System(config)
