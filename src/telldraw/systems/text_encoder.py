"""Captions and pictures in one space: DS-SJE, the text encoder of GAN-CLS and StackGAN (Reed et al. 2016).

The paper ("Learning Deep Representations of Fine-grained Visual Descriptions", CVPR 2016, arXiv:1605.05395):

    caption t -> phi(t) [D]        picture v -> theta(v) [D]        they belong together as much as <theta(v), phi(t)>

It is trained so that each picture finds its caption among those of a batch, and each caption its picture: a symmetric
structured joint embedding with a margin of 1 (`objectives/joint_embedding.py`).

`variant` chooses phi. Four were published, all a character-level CNN and a recurrent layer (`blocks/character_rnn.py`):

| variant | recurrent layer | steps | published for |
| --- | --- | --- | --- |
| cvpr | plain, 256 | 8 | birds and flowers, CVPR 2016 |
| flowers | plain, 512 | 8 | Oxford-102, ICML 2016 |
| birds | gated, 512 | 18 | CUB-200-2011, ICML 2016 |
| coco | gated, 512 | 18 | MS-COCO, ICML 2016; caption against caption, without pictures |

Others read words (`word-gru`, `word-lstm`: both directions, the last states side by side), or hand the caption to a
sentence encoder that somebody else has trained (`sentence`); a linear map follows to the same D.

What differs from the paper: theta is a small convolutional network that is trained along, where theirs is GoogLeNet,
trained on ImageNet and kept as it is, so figures cannot be compared. Where pictures have no class, or several, a batch
has any pictures, and a caption is held against every other picture's. Published weights come without their theta.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.optim import Adam, Optimizer, RMSprop

from telldraw.batches import Captioned, PictureFacts
from telldraw.blocks.character_rnn import CharacterRNN
from telldraw.blocks.sentence_model import SentenceModel
from telldraw.errors import TrainingError, WeightsError
from telldraw.objectives.joint_embedding import joint_embedding, symmetric_joint_embedding
from telldraw.protocols import Recipe, Update
from telldraw.text import spelled

Variant = Literal["cvpr", "flowers", "birds", "coco", "word-gru", "word-lstm", "sentence"]
CHARACTERS: dict[str, tuple[int, bool]] = {
    "cvpr": (256, False),
    "flowers": (512, False),
    "birds": (512, True),
    "coco": (512, True),
}
"""The published variants: width of the recurrent layer, and whether it is gated; gated ones take 18 steps, others 8."""


@dataclass(frozen=True)
class Config:
    """What reads captions, what it is trained against, and how."""

    variant: Variant = "birds"
    """Which text encoder: one of the four published (cvpr, flowers, birds, coco), word-gru, word-lstm or sentence."""
    text_dim: int = 1024
    """D, numbers in an embedding; published 1024."""
    pairs: Literal["pictures", "captions", "none"] = "pictures"
    """What a caption is to find: its picture, or another caption of its picture. none: not known, not to be trained."""
    conv_dims: tuple[int, int] = (384, 512)
    """Character variants: channels of the first two convolutions."""
    rnn_dim: int = 0
    """Numbers in a recurrent state (of each direction, where words are read); 0: the published 256 or 512, or 128."""
    word_dim: int = 300
    """Word variants: numbers in a word's vector."""
    dropout: float = 0.0
    """Word variants: share of the words' numbers left out in training."""
    sentence_model: str = ""
    """Variant sentence: name of a model on the Hugging Face hub, or its folder."""
    vocabulary_size: int = 2
    """Number of words; taken from the data set."""
    resolution: int = 64
    """Side of the square pictures, in pixels; taken from the data set."""
    channels: int = 3
    """1 grey, 3 colour; taken from the data set."""
    by_class: bool = True
    """Whether pictures have one class each, whose captions are not held apart; taken from the data set."""
    widths: tuple[int, ...] = (32, 64, 128, 256)
    """Pictures: channels after each halving."""
    sampling: Literal["pictures", "classes", "distinct"] = "distinct"
    """Batches: pictures of different classes, as published (distinct), of classes by chance, or any pictures."""
    captions: int = 1
    """Captions of each picture in a batch; 2 where captions find each other."""
    symmetric: bool = True
    """Whether both directions are trained."""
    margin: float = 1.0
    """By how much the score of what belongs together is to be higher; published 1."""
    optimizer: Literal["rmsprop", "adam"] = "rmsprop"
    """Published: RMSprop against pictures, Adam with a first moment of 0.5 against captions."""
    rate: float = 7e-4
    """Step size at the beginning."""
    decay: float = 0.98
    """Factor on the step size ..."""
    decay_every: int = 150
    """... after so many steps; published: the number of classes trained on."""
    clip_norm: float = 0.0
    """Largest L2 norm of the gradient; 0: as it is. Adam needs it here: few pairs are left within the margin, gradients
    become rare and small, and the next large one throws everything far away (measured: 0.05 to 20 in one step)."""

    def __post_init__(self) -> None:
        if (self.pairs == "captions") != (self.captions == 2) or self.captions not in (1, 2):
            raise TrainingError(
                f"--config.pairs {self.pairs} --config.captions {self.captions}: captions that find each other come in "
                "twos, otherwise one is needed"
            )
        if self.resolution % (1 << len(self.widths)) and self.pairs == "pictures":
            raise TrainingError(
                f"--config.resolution {self.resolution}: {len(self.widths)} halvings (--config.widths) need a multiple "
                f"of {1 << len(self.widths)}"
            )

    def state_dim(self) -> int:
        """Numbers in a recurrent state."""
        return self.rnn_dim or CHARACTERS.get(self.variant, (128, False))[0]


_COCO = Config(
    variant="coco",
    pairs="captions",
    captions=2,
    sampling="pictures",
    by_class=False,
    symmetric=False,
    optimizer="adam",
    rate=2e-4,
    decay=0.5,
    decay_every=64_000,
)
_SMALL = Config(
    text_dim=256, sampling="pictures", optimizer="adam", rate=1e-3, decay=0.5, decay_every=800, clip_norm=0.5
)
PRESETS = {
    "birds": Config(),
    "flowers": Config(variant="flowers", decay_every=82),
    "cvpr": Config(variant="cvpr"),
    # 50 epochs of 82,783 pictures in batches of 64
    "coco": _COCO,
    # For two cores: the gated variant, narrow; words; and a model of others, asked of each caption once
    "small": replace(_SMALL, variant="birds", conv_dims=(96, 160), rnn_dim=192),
    "word-small": replace(_SMALL, variant="word-gru", word_dim=128, dropout=0.2),
    "sentence": replace(_SMALL, variant="sentence"),
    "word-gru": Config(variant="word-gru", dropout=0.5, sampling="pictures", optimizer="adam", rate=1e-3),
    "word-lstm": Config(variant="word-lstm", dropout=0.5, sampling="pictures", optimizer="adam", rate=1e-3),
    "tiny": Config(
        variant="cvpr",
        text_dim=32,
        conv_dims=(16, 24),
        rnn_dim=24,
        resolution=28,
        channels=1,
        widths=(8, 16),
        sampling="pictures",
        optimizer="adam",
        rate=2e-3,
    ),
}
# but for the small ones GPU-sized; nobody has trained those here yet
RECIPES = {
    "birds": Recipe(batch_size=40, examples=1_200_000, sheet_every=100_000, decay=0.0),
    "flowers": Recipe(batch_size=40, examples=1_000_000, sheet_every=100_000, decay=0.0),
    "cvpr": Recipe(batch_size=40, examples=1_200_000, sheet_every=100_000, decay=0.0),
    "coco": Recipe(batch_size=64, examples=16_000_000, sheet_every=1_000_000, decay=0.0),
    "small": Recipe(batch_size=64, examples=200_000, sheet_every=50_000, decay=0.99, takes="18 minutes of one core"),
    "word-small": Recipe(
        batch_size=64, examples=200_000, sheet_every=50_000, decay=0.99, takes="12 minutes of one core"
    ),
    "sentence": Recipe(batch_size=64, examples=200_000, sheet_every=50_000, decay=0.99),
}


class WordRNN(nn.Module):
    """Words -> vectors -> a GRU or an LSTM in both directions; its two last states -> a linear map."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        kind = nn.GRU if config.variant == "word-gru" else nn.LSTM
        self.words = nn.Embedding(config.vocabulary_size, config.word_dim, padding_idx=0)
        self.dropout = nn.Dropout(config.dropout)
        self.rnn = kind(config.word_dim, config.state_dim(), batch_first=True, bidirectional=True)
        self.emb_proj = nn.Linear(2 * config.state_dim(), config.text_dim)

    def forward(self, words: Tensor) -> Tensor:
        """words [N, L] int64, 0 = padding at the end -> [N, D]. A caption without words counts as one padding word."""
        lengths = (words != 0).sum(1).clamp(min=1).cpu()
        rows = self.dropout(self.words(words))
        _, last = self.rnn(pack_padded_sequence(rows, lengths, batch_first=True, enforce_sorted=False))
        states: Tensor = last[0] if isinstance(last, tuple) else last  # of an LSTM without its memory
        return self.emb_proj(states.transpose(0, 1).flatten(1))


class PictureEncoder(nn.Sequential):
    """Halvings by convolution, then one linear map of all that is left: where things are counts too."""

    def __init__(self, config: Config) -> None:
        layers: list[nn.Module] = []
        inputs, side = config.channels, config.resolution >> len(config.widths)
        for width in config.widths:
            layers += [nn.Conv2d(inputs, width, 4, 2, 1), nn.GroupNorm(4, width), nn.ReLU()]
            inputs = width
        super().__init__(*layers, nn.Flatten(), nn.Linear(inputs * side * side, config.text_dim))


class System(nn.Module):
    """phi, theta, and how they are trained."""

    training_only = ()

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config, self.text_dim = config, config.text_dim
        if config.variant in CHARACTERS:
            gated = CHARACTERS[config.variant][1]
            dims = (*config.conv_dims, config.state_dim())
            self.text: nn.Module = CharacterRNN(dims, gated, not gated, config.text_dim)
            for weight in self.text.parameters():  # as released
                nn.init.uniform_(weight, -0.08, 0.08)
        elif config.variant == "sentence":
            self.text = SentenceModel(config.sentence_model, config.text_dim)
        else:
            self.text = WordRNN(config)
        self.picture = PictureEncoder(config) if config.pairs == "pictures" else None

    def embed(self, characters: Tensor, words: Tensor) -> Tensor:
        """Captions, as characters [N, 201] and as words [N, L], both int64 and 0 = nothing -> phi [N, D]."""
        if self.config.variant in CHARACTERS:
            return self.text(characters)
        if self.config.variant == "sentence":
            return self.text([spelled(caption) for caption in characters.tolist()])
        return self.text(words)

    def embed_pictures(self, images: Tensor) -> Tensor:
        """images [N, C, H, W] in [-1, 1] -> theta [N, D]. Raises WeightsError when there is no theta."""
        if self.picture is None:
            raise WeightsError("this text encoder has no side for pictures: it was trained without")
        return self.picture(images)

    def maps(self, images: Tensor) -> list[Tensor]:
        """images [N, 3, H, W] in [-1, 1] -> theta's map after each halving, from fine to coarse; [] without theta."""
        x, found = images if self.config.channels == images.shape[1] else images.mean(1, keepdim=True), []
        for layer in list(self.picture or [])[:-2]:  # but for the linear map of all that is left
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                found.append(x)
        return found

    def optimizers(self) -> dict[str, Optimizer]:
        """One for both sides."""
        if self.config.optimizer == "rmsprop":
            return {"text": RMSprop(self.parameters(), self.config.rate)}
        return {"text": Adam(self.parameters(), self.config.rate, betas=(0.5, 0.999))}

    def training_step(self, batch: Captioned, update: Update) -> None:
        """One step of the joint embedding."""
        config = self.config
        update.rate("text", config.decay ** (update.step // config.decay_every))
        loss, found = self._loss(batch)
        update.backward(loss, "text")
        update.apply("text", clip_norm=config.clip_norm or None)
        update.record(joint_embedding=loss, found=found)

    def losses(self, batch: Captioned) -> dict[str, Tensor]:
        """The loss on a batch, moving nothing, and how many of its captions are found first."""
        with torch.no_grad():
            loss, found = self._loss(batch)
        return {"joint_embedding": loss, "found": found}

    def _loss(self, batch: Captioned) -> tuple[Tensor, Tensor]:
        """The loss, and the share of the batch whose own caption has the highest score."""
        config = self.config
        text = self.embed(batch.characters[:, 0], batch.words[:, 0])
        if config.pairs == "captions":
            other = self.embed(batch.characters[:, 1], batch.words[:, 1])
        else:
            other = self.embed_pictures(batch.image)
        same = batch.same(config.by_class)
        objective = symmetric_joint_embedding if config.symmetric else joint_embedding
        best = (other @ text.T).argmax(1, keepdim=True)
        return objective(other, text, same, config.margin), same.gather(1, best).float().mean()


def build(config: Config, facts: PictureFacts) -> System:
    """A text encoder sized for a set of captioned pictures. Raises TrainingError when it cannot be trained on them."""
    if facts.vocabulary is None:
        raise TrainingError(f"the pictures of {facts.name} have no captions; a text encoder needs a set that has some")
    if config.pairs == "none":
        raise TrainingError("--config.pairs none: choose pictures or captions, to be found by captions")
    one_each = bool(facts.classes) and not facts.many
    if not one_each and config.sampling != "pictures":
        what = "several classes" if facts.many else "no class"
        raise TrainingError(
            f"--config.sampling {config.sampling}: the pictures of {facts.name} have {what}; choose pictures"
        )
    sizes = {"resolution": facts.resolution, "channels": facts.channels, "vocabulary_size": len(facts.vocabulary)}
    return System(replace(config, **sizes, by_class=one_each and config.pairs == "pictures"))


def from_published(path: Path) -> System:
    """A text encoder with published weights, from a torch file of tensors with the names of their PyTorch port.

    Keys: conv{1,2,3}_*, rnn_{i2h,h2h}_*, of gated ones also rnn_{i2h,h2h}_{update,reset}_*, emb_proj_*; each with
    `weight` and `bias` (github.com/martinduartemore/char_cnn_rnn_pytorch writes such files from the owners' .t7). Their
    shapes say which variant it is. Raises WeightsError.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)  # runs no code
    except FileNotFoundError:
        raise WeightsError(f"there is no file {path}") from None
    except Exception as error:  # torch raises many kinds
        raise WeightsError(
            f"{path} is no torch file of tensors ({type(error).__name__}); export a state dict"
        ) from None
    named = {
        name.replace("rnn_", "rnn.", 1).rpartition("_")[0] + "." + name.rpartition("_")[2]: value.float()
        for name, value in (found.items() if isinstance(found, dict) else ())
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    try:
        dims = (len(named["conv1.bias"]), len(named["conv2.bias"]), len(named["conv3.bias"]))
        text_dim, gated = len(named["emb_proj.bias"]), "rnn.i2h_update.weight" in named
    except KeyError as error:
        raise WeightsError(f"{path} is no published text encoder: it lacks {error.args[0].replace('.', '_')}") from None
    variant: Variant = "birds" if gated else "cvpr" if dims[2] == 256 else "flowers"
    system = System(Config(variant=variant, pairs="none", text_dim=text_dim, conv_dims=dims[:2], rnn_dim=dims[2]))
    try:
        system.text.load_state_dict(named)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()[:200]
        raise WeightsError(f"{path} is no published text encoder: {reason}") from None
    return system.eval()
