"""GAN-CLS with a style encoder that learns beside it: pictures are drawn again, and in one another's style.

After BicycleGAN (Zhu, Zhang, Pathak, Darrell, Efros, Wang & Shechtman, "Toward Multimodal Image-to-Image Translation",
NIPS 2017, arXiv:1711.11586), with a caption where the paper has a picture to start from. G, D and the texts are
GAN-CLS's (`systems/gan_cls.py`); the style encoder S, the paper's E, is trained with them and not after them:

    z = S(x)                what the caption t does not say of the picture x
    x^ = G(z, phi(t))       drawn again, from its own style and its own caption              the paper's cVAE-GAN
    x~ = G(z~, phi(t))      anew: z~ ~ N(0, 1), or the style of another picture              the paper's cLR-GAN

    G, S     -log D(x^, phi) - log D(x~, phi) + lambda |x - x^| + mu ||F(x) - F(x^)||
             + nu energy(S(x), N(0, 1)) + lambda_latent |z~ - S(x~)|                         after Eq. 9
    D        GAN-CLS's: a picture with its caption is right, with another's wrong, what is drawn is wrong

A captioned picture that G has to draw again shows it what a cube is long before D's belief does. That a caption is
obeyed is left to D: for x~ nothing else says what it should show. S is narrow (`noise_dim`), so that content comes from
the caption, where it is free.

Different from the paper, or to know:

1.  The paper's E gives a Gaussian for each picture, held to N(0, 1) by a KL of weight 0.01. Tried here with 0.003, it
    left styles so far from N(0, 1) that noise was drawn much worse than styles. So S gives one z, and the cloud of
    them is held to N(0, 1) as in Wasserstein autoencoders (Tolstikhin et al., ICLR 2018), by the energy distance along
    lines (`objectives/sliced.py`), which a batch of 16 estimates without bias.
2.  One D for both halves (the paper found one for each a little better) and half a batch for either.
3.  Half of the z~ are styles of other pictures of the batch: what `telldraw transfer` does is what D sees.
4.  S is moved by the latent term too; the paper moves G alone by it.
5.  F is optional, a network that is handed in; the paper has none.
6.  D may have a penalty of its slope (R1), and then norms over each picture and not over the batch: with batch norm D
    is soon sure of everything.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from telldraw.batches import Described, DescribedFacts
from telldraw.blocks.perceptual import Perceiving
from telldraw.errors import TrainingError
from telldraw.objectives.sliced import sliced_normal_energy
from telldraw.protocols import Recipe, Update
from telldraw.systems import gan_cls


@dataclass(frozen=True)
class Config(gan_cls.Config):
    """GAN-CLS's, and the weights of what is asked beside D's belief."""

    pixel_weight: float = 10.0
    """lambda, of the mean absolute error of pixels in [-1, 1]; published 10."""
    perceptual_weight: float = 0.0
    """mu, of the distance in the network handed in."""
    energy_weight: float = 5.0
    """nu, of how far the styles of a batch are from N(0, 1) along lines."""
    lines: int = 64
    """Along how many lines."""
    latent_weight: float = 0.5
    """lambda_latent, of the mean absolute error of z's numbers; published 0.5."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stage == "style":
            raise TrainingError("--config.stage style: the style encoder is trained beside G here; leave it out")


_TOLD: dict[str, Any] = {"variant": "cls"}
_OWN: dict[str, Any] = {
    **_TOLD,
    "noise_dim": 12,
    "text_gain": 1.0,
    "discriminator_norm": "layer",
    "generator_rate": 6e-4,
    "style_rate": 1e-3,
    "r1": 0.1,
}
_BIRDS = Config(**vars(gan_cls.PRESETS["birds-64"]) | _OWN, perceptual_weight=3.0)
PRESETS = {
    # CLEVR birds, for two cores
    "birds-64": _BIRDS,
    # any set with captions, for example CoDraw's scenes
    "captions-64": replace(_BIRDS, mismatch="caption"),
    "tiny": Config(**vars(gan_cls.PRESETS["tiny"]) | _TOLD),
}
_PICTURES = Recipe(batch_size=16, examples=128_000, sheet_every=16_000, decay=0.998, takes="33 minutes of one core")
RECIPES = {"birds-64": _PICTURES, "captions-64": replace(_PICTURES, takes="not trained yet")}


class System(Perceiving, gan_cls.System):
    """G, D and S, and how they are trained together."""

    config: Config
    begins_anew = ()
    next_stage = ""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.style_encoder = gan_cls.Style(config, config.noise_dim)
        self.lacks, self.players = (), (*self.players, "style")

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each of the three."""
        style = Adam(self.style_encoder.parameters(), self.config.style_rate, (0.9, 0.999))
        return {**super().optimizers(), "style": style}

    def training_step(self, batch: Described, update: Update) -> None:
        """D's step, then one of G and S on the same drawings."""
        self._halve(update)
        config, real, text = self.config, batch.image, self._scaled(batch.text)
        again = max(1, len(real) // 2)
        read, told = self.style(real), self._told(text)
        z = torch.cat([read[:again], self._anew(read, len(told) - again)])
        image = self.generator(z, told)
        judged = self._judged(batch, image[: len(text)].detach(), update.step)
        update("discriminator", torch.stack(list(judged.values())).sum())
        losses = {
            **self._believed(image, told, len(text)),
            "pixel": config.pixel_weight * (image[:again] - real[:again]).abs().mean(),
            "energy": config.energy_weight * sliced_normal_energy(read, self._lines()),
        }
        if len(z) > again:
            off = self.style(image[again:]) - z[again:]
            losses["latent"] = config.latent_weight * off.abs().mean()
        if self.perceives and self.distance is not None:
            far = self.distance(real[:again], image[:again]).mean()
            losses["perceptual"] = config.perceptual_weight * far
        update.backward(torch.stack(list(losses.values())).sum(), "generator", "style")
        update.apply("generator")
        update.apply("style")
        update.record(**judged, **losses)

    @torch.no_grad()
    def _anew(self, read: Tensor, count: int) -> Tensor:
        """z~ [count, Z]: half of N(0, 1), half the styles of the pictures that are drawn again, for other captions."""
        half = min(count // 2, len(read))
        return torch.cat([self._noise(count - half), read[:half]])

    def _lines(self) -> Tensor:
        """Directions [Z, K] of length 1."""
        return F.normalize(self._noise(self.config.lines).T, dim=0)

    def measure(self, batch: Described) -> None:
        """Draw, judge and read in training mode, so that the running statistics become those of the present weights."""
        super().measure(batch)
        with torch.no_grad():
            self.style(batch.image)


def build(config: Config, facts: DescribedFacts) -> gan_cls.System:
    """A system for a set of captioned pictures. Raises TrainingError when they have another size than the config."""
    return gan_cls.build(config, facts, System)
