"""How likely a system finds pictures it has not seen: negative log-likelihood in nats and in bits per dimension.

Every figure is a mean of one number per picture, with the standard error of that mean.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from telldraw import pixels
from telldraw.protocols import Density, ImportanceWeighted

_PICTURES, _CODES = 100, 800
"""Pictures looked at together, and codes decoded together."""


class Likelihood(NamedTuple):
    """Minus log p(x): a mean over pictures, and its standard error. Lower is better."""

    nats: float
    error: float
    dimensions: int
    """Numbers in a picture: C x H x W."""

    @property
    def bits(self) -> float:
        """Bits per dimension: nats / (dimensions log 2)."""
        return self.nats / (self.dimensions * math.log(2))

    @property
    def bits_error(self) -> float:
        """Its standard error."""
        return self.error / (self.dimensions * math.log(2))


class Bounds(NamedTuple):
    """Upper bounds of minus log p(x), from K codes for each picture."""

    elbo: Likelihood
    """Minus the ELBO (Kingma & Welling 2014, Eq. 3), the mean of K estimates for each picture."""
    importance: Likelihood
    """Minus the importance-weighted bound (Burda et al. 2016, Eq. 8), never above the former."""


def summary(log_likelihood: Tensor, dimensions: int) -> Likelihood:
    """[N] nats, and how many numbers a picture has -> mean of the negative and its standard error (0 for N = 1)."""
    nats = -log_likelihood.double()
    error = nats.std().item() / len(nats) ** 0.5 if len(nats) > 1 else 0.0
    return Likelihood(nats.mean().item(), error, dimensions)


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    """log 1/K sum_k w_k of log w [K, N] -> [N] nats: Burda et al. 2016, Eq. 8.

    With w = p(x, z) / q(z | x) and z ~ q(z | x) its mean is at most log p(x), grows with K, and is the ELBO at K = 1.
    """
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def black_or_white(images: Tensor, chance: np.random.Generator) -> Tensor:
    """images in [-1, 1] -> -1 or 1, white with a probability that is the pixel's grey (Burda et al. 2016)."""
    drawn = torch.from_numpy(chance.random(images.shape, dtype=np.float32)).to(images.device)
    return 2 * (drawn < (images + 1) / 2).float() - 1


@torch.inference_mode()
def likelihood(
    system: Density,
    images: np.ndarray,
    rows: Sequence[int],
    *,
    seed: int = 0,
    stochastic: bool = False,
    device: torch.device | str = "cpu",
    progress: Callable[[int], None] = lambda done: None,
) -> Likelihood:
    """What the system says of the pictures `rows` of images, uint8 [N, C, H, W].

    stochastic: pixels become black or white by chance first, the same ones for each system and seed.
    """
    found: list[Tensor] = []

    def look(x: Tensor, chance: np.random.Generator) -> None:
        torch.manual_seed(seed)  # for systems whose bound has chance in it
        found.append(system.log_likelihood(x).cpu())

    _each(look, images, rows, seed, stochastic, device=device, progress=progress)
    return summary(torch.cat(found), int(np.prod(images.shape[1:])))


@torch.inference_mode()
def bounds(
    system: ImportanceWeighted,
    images: np.ndarray,
    rows: Sequence[int],
    *,
    codes: int,
    seed: int = 0,
    stochastic: bool = False,
    device: torch.device | str = "cpu",
    progress: Callable[[int], None] = lambda done: None,
) -> Bounds:
    """Both bounds from `codes` codes for each picture; arguments as in `likelihood`. They do not depend on batches."""
    elbo: list[Tensor] = []
    importance: list[Tensor] = []

    def look(x: Tensor, chance: np.random.Generator) -> None:
        noise = chance.standard_normal((len(x), codes, system.latent_dim), dtype=np.float32)
        epsilon = torch.from_numpy(noise).transpose(0, 1).to(x.device)
        together = max(1, _CODES // len(x))
        weights = torch.cat([system.log_weights(x, part) for part in epsilon.split(together)]).double()
        elbo.append(weights.mean(0).cpu())
        importance.append(importance_weighted_bound(weights).cpu())

    _each(look, images, rows, seed, stochastic, device=device, progress=progress)
    dimensions = int(np.prod(images.shape[1:]))
    return Bounds(*(summary(torch.cat(part), dimensions) for part in (elbo, importance)))


def _each(
    look: Callable[[Tensor, np.random.Generator], Any],
    images: np.ndarray,
    rows: Sequence[int],
    seed: int,
    stochastic: bool,
    *,
    device: torch.device | str,
    progress: Callable[[int], None],
) -> None:
    """Show the pictures in parts, in [-1, 1]; two streams of chance, so that codes do not depend on `stochastic`."""
    for_pixels, for_codes = (np.random.default_rng((seed, stream)) for stream in (0, 1))
    for start in range(0, len(rows), _PICTURES):
        part = np.asarray(rows[start : start + _PICTURES])
        x = pixels.to_float(torch.from_numpy(images[part])).to(device)
        look(black_or_white(x, for_pixels) if stochastic else x, for_codes)
        progress(start + len(part))
