"""Faces from texts, sketches and maps of regions: TediGAN (Xia et al. 2021), on a StyleGAN that is trained first.

"TediGAN: Text-Guided Diverse Face Image Generation and Manipulation", CVPR 2021, arXiv:2012.03308. In its letters:

    w = [w_1 ... w_L], each [C]      a code: what the L layers of a StyleGAN are told (`blocks/style_generator.py`)
    x^ = G(w)                        G stays as it is
    w^v = E_v(x)                     of a photograph x: inversion                                   Sec. 3.1
    w^s = E_s(s), w^r = E_r(r)       of a sketch s and of a map of regions r (semantic labels), likewise
    w^l = E_l(t)                     of a text t: visual-linguistic similarity                       Sec. 3.2

    E_v, E_s, E_r   min ||x - G(w)||^2 + lambda_1 ||F(x) - F(G(w))||^2 + lambda_2 softplus(-D(G(w)))  Eq. 1
    D               min softplus(D(G(w))) + softplus(-D(x)) + gamma / 2 ||grad D(x)||^2               Eq. 2
    E_l             min sum_i p_i ||E_v(x)_i - E_l(t)_i||^2                                           Eq. 3
    one picture     min_w ||x - G(w)||^2 + lambda_1 ||F(x) - F(G(w))||^2 + lambda_2 ||w - E_v(G(w))||^2  Eq. 4
    control         w_i = w^c_i for layers i of what is asked, else w^s_i                             Sec. 3.3

`stage` says which encoder a run trains: "image" first, with a StyleGAN as --start-from; then "sketch", "regions" and
"text" in any order, each begun with the weights of the one before. "latent" trains E_v the way the paper improves on:
codes are drawn, E_v finds them again from G's pictures (||w - E_v(G(w))||^2), and no real picture is seen.

Different from the paper or from its released code (which has no training, no text encoder and no control), or to know:

1.  Eq. 1 and 2 are printed in Wasserstein's form; the authors' code, and this, have the logistic one.
2.  E_l's layers are read by one linear map from both ends of a two-way LSTM, and added to the mean code. Eq. 3 is
    printed with the norm outside the sum over layers, where differences of two layers may cancel: `similarity`.
3.  F is any network that is handed in (`perceptual`), a frozen one; the paper's VGG where its weights are at hand.
4.  G is told by fixed noise maps, so that a code is all there is to a picture.
5.  How well E_v finds training pictures again, their pixels and their edges, is measured along with the statistics of
    its norms (`familiar`): what is found again much worse than those is no such picture, or lies otherwise (`unlike`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence
from torch.optim import Adam, Optimizer

from telldraw.batches import Multimodal, MultimodalFacts
from telldraw.blocks.code_encoder import CodeEncoder
from telldraw.blocks.perceptual import Perceiving
from telldraw.blocks.strided import check_pictures
from telldraw.blocks.style_discriminator import Discriminator
from telldraw.blocks.style_generator import Mapping, Sizes, Synthesis, truncated
from telldraw.errors import TrainingError, WeightsError
from telldraw.objectives.adversarial import minimax_discriminator, non_saturating_generator
from telldraw.objectives.inversion import edges_missed, instance, pixel
from telldraw.objectives.penalties import zero_centred_penalty
from telldraw.objectives.similarity import Reduction, visual_linguistic
from telldraw.protocols import Recipe, Update

KINDS = ("image", "sketch", "regions", "text")
"""What a code can be read from."""


@dataclass(frozen=True)
class Config(Sizes):
    """The generator's sizes, which are those of the StyleGAN it comes from; the encoders', weights and step sizes."""

    stage: Literal["image", "latent", "sketch", "regions", "text"] = "image"
    """Which encoder is trained; latent: that of pictures, on what G draws."""
    region_count: int = 19
    """Numbers in a map of regions; taken from the data set."""
    encoder_width: int = 32
    """Channels of an encoder's largest map, doubled with each halving of its side."""
    encoder_dim: int = 256
    """Numbers between an encoder's smallest map and the code."""
    vocabulary_size: int = 2
    """Number of words; taken from the data set."""
    word_dim: int = 128
    """Numbers in a word's vector; AttnGAN's 300."""
    sentence_dim: int = 256
    """Numbers in the two last states together; AttnGAN's 256."""
    dropout: float = 0.2
    """Share of the words' numbers left out in training; AttnGAN's 0.5."""
    similarity: Reduction = "per-layer"
    """How Eq. 3 adds up layers: each by itself, or as printed."""
    layer_share: Literal["uniform", "learned"] = "uniform"
    """p_i of Eq. 3: 1 / L, or a softmax that is learned."""
    pixel_weight: float = 1.0
    """Of the first term of Eq. 1; released 1."""
    perceptual_weight: float = 1.0
    """lambda_1 of Eq. 1, of the network handed in; released 5e-5, of Caffe's VGG, whose numbers are large."""
    adversarial_weight: float = 0.08
    """lambda_2 of Eq. 1; released 0.08."""
    code_weight: float = 0.0
    """Sketches and regions: of ||E_s(s) - E_v(x)||^2 beside Eq. 1; not in the paper."""
    r1: float = 10.0
    """gamma of Eq. 2; released 10."""
    r1_every: int = 1
    """Steps from one such penalty to the next, which is so many times as strong; released 1."""
    mirror: bool = True
    """Whether half of the pictures are mirrored in training, with their sketches and regions."""
    encoder_rate: float = 1e-4
    """Adam step size of an encoder of pictures; released 1e-4."""
    discriminator_rate: float = 1e-4
    """Adam step size of D; released 1e-4."""
    text_rate: float = 2e-3
    """Adam step size of E_l; AttnGAN's 2e-3."""
    clip_norm: float = 0.25
    """Largest L2 norm of the gradient of E_l; AttnGAN's 0.25."""
    decay_every: int = 0
    """Steps after which step sizes are multiplied by 0.8 (released: a quarter of the training); 0: never."""

    @property
    def trained(self) -> str:
        """Of which of KINDS the encoder is trained."""
        return "image" if self.stage == "latent" else self.stage

    @property
    def adversarial(self) -> bool:
        """Whether D takes part."""
        return self.stage in ("image", "sketch", "regions") and self.adversarial_weight > 0


_FACES = Config(
    width=1024,
    mapping_layers=4,
    mapping_rate=1.0,
    repeat=False,
    encoder_width=24,
    encoder_dim=192,
    r1_every=8,
    encoder_rate=5e-4,
    discriminator_rate=5e-4,
    text_rate=1e-3,
)
_FACES_128 = replace(
    _FACES, resolution=128, noise_dim=256, style_dim=256, width=8192, widest=256, encoder_width=48, encoder_dim=512
)
_PAPER = Config(
    resolution=256,
    noise_dim=512,
    style_dim=512,
    repeat=False,
    final_tanh=True,
    width=16384,
    widest=512,
    encoder_width=64,
    encoder_dim=1024,
    word_dim=300,
    dropout=0.5,
    decay_every=27_344,
)
_TINY = Config(
    resolution=16,
    noise_dim=8,
    style_dim=8,
    mapping_layers=2,
    width=64,
    widest=8,
    encoder_width=8,
    encoder_dim=8,
    word_dim=8,
    sentence_dim=8,
)
STAGES = ("image", "latent", "sketch", "regions", "text")
PRESETS = {
    # Synthetic faces, for two cores, on style-autoencoder's preset of the same name
    "faces-64": _FACES,
    **{f"faces-64-{stage}": replace(_FACES, stage=stage, code_weight=1.0) for stage in STAGES},
    # Likewise of 128 pixels, for drawn or real faces; a GPU
    "faces-128": _FACES_128,
    **{f"faces-128-{stage}": replace(_FACES_128, stage=stage, code_weight=1.0) for stage in STAGES},
    # The published sizes; a GPU
    "paper": _PAPER,
    **{f"paper-{stage}": replace(_PAPER, stage=stage) for stage in STAGES},
    "tiny": _TINY,
    **{f"tiny-{stage}": replace(_TINY, stage=stage) for stage in STAGES},
}
_SMALL = Recipe(batch_size=16, examples=24_000, sheet_every=8_000, decay=0.995, takes="11 minutes of two cores")
_ON_A_GPU = Recipe(
    batch_size=32, examples=400_000, sheet_every=40_000, decay=0.998, takes="needs a GPU; not trained yet"
)
_LONG = Recipe(batch_size=16, examples=14_000_000, sheet_every=200_000, decay=0.999, takes="needs a GPU")
RECIPES = {
    **{f"faces-64{end}": _SMALL for end in ("", "-image", "-latent", "-sketch", "-regions")},
    "faces-64-text": Recipe(
        batch_size=64, examples=200_000, sheet_every=50_000, decay=0.99, takes="5 minutes of two cores"
    ),
    **{f"faces-128{end}": _ON_A_GPU for end in ("", "-image", "-latent", "-sketch", "-regions")},
    "faces-128-text": replace(_ON_A_GPU, batch_size=64, decay=0.99),
    **{f"paper{end}": _LONG for end in ("", "-image", "-latent", "-sketch", "-regions", "-text")},
}


class TextEncoder(nn.Module):
    """E_l: words -> vectors -> an LSTM in both directions, its last states side by side -> a code (V3: AttnGAN's)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.words = nn.Embedding(config.vocabulary_size, config.word_dim, padding_idx=0)
        nn.init.uniform_(self.words.weight, -0.1, 0.1)
        self.dropout = nn.Dropout(config.dropout)
        self.lstm = nn.LSTM(config.word_dim, config.sentence_dim // 2, batch_first=True, bidirectional=True)
        self.code = nn.Linear(config.sentence_dim, config.layers * config.style_dim)
        self.layers = config.layers
        self.share = nn.Parameter(torch.zeros(config.layers), requires_grad=config.layer_share == "learned")

    def forward(self, words: Tensor, mean: Tensor) -> Tensor:
        """words [N, T] int64, 0 = padding at the end, mean [L, C] -> code [N, L, C]. No words count as one padding."""
        lengths = (words != 0).sum(1).clamp(min=1).cpu()
        packed = pack_padded_sequence(self.dropout(self.words(words)), lengths, batch_first=True, enforce_sorted=False)
        _, (last, _) = self.lstm(packed)
        return mean + self.code(last.transpose(0, 1).flatten(1)).float().unflatten(1, (self.layers, -1))


class System(Perceiving, nn.Module):
    """A frozen generator, the four encoders, and how these are trained."""

    training_only = ("discriminator",)
    begins_anew = ("encoders", "ready", "familiar")
    next_stage = "image"
    leaves = ("seen", "path", "share")
    """What of a StyleGAN's weights is not needed: how far it has grown, its mean path length, how much is augmented."""
    label_dim = 0

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.noise_dim, self.layers, self.style_dim = config.noise_dim, config.layers, config.style_dim
        self.truncation = 0.7
        """psi of `generate`."""
        self.mapping, self.synthesis = Mapping(config), Synthesis(config)
        self.discriminator = Discriminator(config)
        how = {"width": config.encoder_width, "dim": config.encoder_dim}
        self.encoders = nn.ModuleDict({
            "image": CodeEncoder(config, config.channels, **how),
            "sketch": CodeEncoder(config, 1, **how),
            "regions": CodeEncoder(config, config.region_count, **how),
            "text": TextEncoder(config),
        })  # fmt: skip
        self.ready: Tensor
        self.register_buffer("ready", torch.zeros(len(KINDS), dtype=torch.uint8))
        self.familiar = nn.BatchNorm1d(2, affine=False)  # how far E_v is `_off` on training pictures
        self.requires_grad_(False)
        self.encoders[config.trained].requires_grad_(True)
        if config.stage == "text":
            self.encoders["text"].share.requires_grad_(config.layer_share == "learned")  # type: ignore[union-attr]
        self.discriminator.requires_grad_(config.adversarial)
        for smaller in getattr(self.discriminator, "colours", ())[:-1]:
            smaller.requires_grad_(False)  # ways in for pictures that are still growing

    @property
    def perceives(self) -> bool:
        """Whether F takes part in this stage."""
        return super().perceives and self.config.stage in ("image", "sketch", "regions")

    def train(self, mode: bool = True) -> "System":
        """Training mode of what is trained; the rest stays as others will use it."""
        super().train(False)
        self.training = mode
        self.encoders[self.config.trained].train(mode)
        return self

    @property
    def _learns_from_codes(self) -> bool:
        """Whether this stage is told the codes that E_v finds."""
        stage = self.config.stage
        return stage == "text" or (stage in ("sketch", "regions") and self.config.code_weight != 0)

    @property
    def lacks(self) -> tuple[str, ...]:
        """Pictures are taken apart by the encoder of the first stage."""
        return () if self.ready[0] else ("Autoencoder",)

    # --- what a code is, and what it is read from ---

    @property
    def mean(self) -> Tensor:
        """[L, C], the mean code of G."""
        return self.mapping.mean  # type: ignore[return-value]

    def map(self, noise: Tensor) -> Tensor:
        """noise [N, Z] ~ N(0, 1) -> code [N, L, C], as G's mapping has it (not truncated)."""
        return self.mapping(noise)

    def synthesise(self, code: Tensor) -> Tensor:
        """code [N, L, C] -> [N, 3, H, W] in [-1, 1]."""
        return self.synthesis(code).clamp(-1, 1).float()

    def generate(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """noise [N, Z] ~ N(0, 1) -> [N, 3, H, W] in [-1, 1], truncated."""
        return self.synthesise(truncated(self.map(noise), self.mean, self.truncation))

    def encode(self, images: Tensor) -> Tensor:
        """E_v: images [N, 3, H, W] in [-1, 1] -> code [N, L, C]."""
        return self.code_of("image", images)

    def decode(self, code: Tensor) -> Tensor:
        """G: code [N, L, C] -> [N, 3, H, W] in [-1, 1]."""
        return self.synthesise(code)

    def code_of(self, kind: str, given: Tensor) -> Tensor:
        """What is given -> code [N, L, C]. Raises WeightsError when the encoder of this kind was not trained yet.

        kind, and given: "image" [N, 3, H, W] in [-1, 1]; "sketch" [N, 1, H, W] in [-1, 1], white paper; "regions"
        [N, H, W] int64 numbers; "text" [N, T] int64 word numbers, 0 = padding.
        """
        if not self.ready[KINDS.index(kind)]:
            raise WeightsError(
                f"these weights read no {kind} yet: telldraw train tedigan --preset ...-{kind} --start-from THEM"
            )
        return self._read(kind, given)

    def _read(self, kind: str, given: Tensor) -> Tensor:
        if kind == "regions":
            given = F.one_hot(given, self.config.region_count).permute(0, 3, 1, 2).float()
        return self.encoders[kind](given, self.mean)

    # --- training ---

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for the encoder that is trained, and for D. Raises TrainingError where E_v would teach untrained."""
        config = self.config
        if self._learns_from_codes and not self.ready[0]:
            other = "" if config.stage == "text" else "; or do without its codes: --config.code-weight 0"
            raise TrainingError(
                f"the stage {config.stage} learns from codes of pictures, and the encoder of pictures is untrained: "
                f"train that first (--preset faces-64, or --config.stage image) and name it with --start-from{other}"
            )
        moved = [weight for weight in self.encoders[config.trained].parameters() if weight.requires_grad]
        if config.stage == "text":
            return {"encoder": Adam(moved, config.text_rate)}
        found: dict[str, Optimizer] = {"encoder": Adam(moved, config.encoder_rate, (0.9, 0.99))}
        if config.adversarial:
            judging = [weight for weight in self.discriminator.parameters() if weight.requires_grad]
            found["discriminator"] = Adam(judging, config.discriminator_rate, (0.9, 0.99))
        return found

    def training_step(self, batch: Multimodal, update: Update) -> None:
        """One step of the encoder of this stage, and one of D."""
        config = self.config
        for name in ("encoder", "discriminator") if config.adversarial else ("encoder",):
            if config.decay_every:
                update.rate(name, 0.8 ** (update.step // config.decay_every))
        self.ready[KINDS.index(config.trained)] = 1
        if config.stage == "text":
            self._match(batch, update)
        elif config.stage == "latent":
            self._find_again(batch, update)
        else:
            self._invert(batch, update)

    def _invert(self, batch: Multimodal, update: Update) -> None:
        """Eq. 1 and 2: E, then D."""
        config, image = self.config, batch.image
        code = self._read(config.stage, getattr(batch, config.stage))
        again = self.synthesis(code)
        losses = {"pixel": config.pixel_weight * pixel(image, again).mean()}
        if config.perceptual_weight and self.distance is not None:
            losses["perceptual"] = config.perceptual_weight * self.distance(image, again).mean()
        if config.code_weight and config.stage != "image":
            with torch.no_grad():
                visual = self._read("image", image)
            losses["code"] = config.code_weight * (code - visual).square().mean()
        if config.adversarial:
            losses["adversarial"] = config.adversarial_weight * non_saturating_generator(self.discriminator(again))
        update("encoder", torch.stack(list(losses.values())).sum())
        if config.adversarial:
            penalised = config.r1 > 0 and update.step % config.r1_every == 0
            real = image.detach().requires_grad_(penalised)
            of_real, of_fake = self.discriminator(real), self.discriminator(again.detach())
            losses["discriminator"] = minimax_discriminator(of_real, of_fake)
            weight = 0.5 * config.r1 * config.r1_every
            slope = weight * zero_centred_penalty(of_real, real) if penalised else 0.0
            update("discriminator", losses["discriminator"] + slope)
        update.record(**losses)

    def _find_again(self, batch: Multimodal, update: Update) -> None:
        """The baseline: ||w - E_v(G(w))||^2 for codes that are drawn."""
        with torch.no_grad():
            code = self.map(torch.randn(len(batch.image), self.noise_dim, device=batch.image.device))
            drawn = self.synthesis(code)
        loss = (self._read("image", drawn) - code).square().mean()
        update("encoder", loss)
        update.record(code=loss)

    def _match(self, batch: Multimodal, update: Update) -> None:
        """Eq. 3: E_l, E_v being as it is."""
        with torch.no_grad():
            visual = self._read("image", batch.image)
        share = self.encoders["text"].share.softmax(0)  # type: ignore[union-attr, operator]
        loss = visual_linguistic(visual, self._read("text", batch.words), share, self.config.similarity)
        update.backward(loss, "encoder")
        update.apply("encoder", clip_norm=self.config.clip_norm or None)
        update.record(similarity=loss)

    def measure(self, batch: Multimodal) -> None:
        """Statistics of the norms for the present weights, and of how far E_v is off."""
        with torch.no_grad():
            if self.config.stage == "latent":
                drawn = self.synthesis(
                    self.map(torch.randn(len(batch.image), self.noise_dim, device=batch.image.device))
                )
                self._read("image", drawn)
            elif self.config.stage != "text":
                self._read(self.config.stage, getattr(batch, self.config.stage))
            if self.ready[0]:
                self.familiar(self._off(batch.image))

    # --- one picture ---

    def _off(self, images: Tensor) -> Tensor:
        """Log of the mean square error of G(E_v(x)), and how many of x's edges it misses, [N, 2]."""
        again = self.synthesise(self._read("image", images))
        return torch.stack([pixel(images, again).clamp(min=1e-8).log(), edges_missed(images, again)], 1)

    def unlike(self, images: Tensor) -> Tensor:
        """How many standard deviations worse than training pictures these are found again, [N]: the worse of two."""
        mean, variance = self.familiar.running_mean, self.familiar.running_var
        assert mean is not None and variance is not None  # norms keep track unless told not to
        return ((self._off(images) - mean) / variance.sqrt().clamp(min=1e-4)).amax(1)

    def optimise(
        self,
        image: Tensor,
        start: Tensor,
        *,
        steps: int = 100,
        rate: float = 0.01,
        weights: tuple[float, float, float] = (1.0, 1.0, 2.0),
        anchor: tuple[Tensor, float] | None = None,
        mask: Tensor | None = None,
        told: Callable[[Tensor], Tensor] | None = None,
        each: Callable[[int, float], None] = lambda step, loss: None,
    ) -> Tensor:
        """Eq. 4 for each picture: the code [N, L, C] after `steps` of Adam from `start` [N, L, C].

        image [N, 3, H, W]: what is to be found. weights: of pixels, F and E_v; anchor: a code [N, L, C] not to go far
        from, and the weight of the mean square of the distance; it may be another one than the start. mask
        [N, 1, H, W]: where the picture counts, 1 or 0. told: pictures -> [N], a further loss, such as how badly a text
        fits. each: called with the step and the loss.
        """
        code = start.detach().clone().requires_grad_()
        adam = Adam([code], rate)
        for step in range(steps):
            again = self.synthesis(code)
            loss = instance(
                *(image, again, code, self._read("image", again)), distance=self.distance, weights=weights, mask=mask
            )
            if anchor is not None:
                loss = loss + anchor[1] * (code - anchor[0]).square().flatten(1).mean(1)
            if told is not None:
                loss = loss + told(again)
            adam.zero_grad(set_to_none=True)
            (code.grad,) = torch.autograd.grad(loss.sum(), code)
            adam.step()
            each(step + 1, float(loss.mean().detach()))
        return code.detach()


def build(config: Config, facts: MultimodalFacts) -> System:
    """A system sized for a set. Raises TrainingError when it lacks what the stage is trained on."""
    pictures, stage = facts.pictures, config.stage
    check_pictures(pictures.name, pictures.resolution, config.resolution)
    lacking = {
        "sketch": ("sketches", not facts.sketch),
        "regions": ("maps of regions", not facts.regions),
        "text": ("captions", pictures.vocabulary is None),
    }
    if stage in lacking and lacking[stage][1]:
        raise TrainingError(
            f"the pictures of {pictures.name} have no {lacking[stage][0]}, from which this stage learns; take a set "
            "that has some, or another --preset"
        )
    sizes: dict[str, Any] = {"channels": pictures.channels}
    if facts.regions:
        sizes["region_count"] = len(facts.regions)
    if pictures.vocabulary is not None:
        sizes["vocabulary_size"] = len(pictures.vocabulary)
    return System(replace(config, **sizes))
