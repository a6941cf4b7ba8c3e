"""The table of systems. Adding one = one new module here + one line below.

Nothing in this file imports torch, so listing systems is instant.
"""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from telldraw.errors import TelldrawError


@dataclass(frozen=True)
class Entry:
    """A row of the table."""

    summary: str
    paper: str
    capabilities: tuple[str, ...]
    """Names of the protocols (protocols.py) the system fulfils besides `System`."""
    batch: str = "Dialogues"
    """Name of the type in batches.py that it is trained on."""


SYSTEMS = {
    "geneva": Entry(
        "Draws a picture over a dialogue, one instruction at a time",
        "El-Nouby et al., ICCV 2019 (arXiv:1811.09845)",
        ("Conversational",),
    ),
    "detector": Entry(
        "Names and locates the objects of a picture, to score what others draw",
        "El-Nouby et al., ICCV 2019 (arXiv:1811.09845)",
        ("Detector",),
    ),
    "dcgan": Entry(
        "Draws pictures from noise by convolutions alone, with any adversarial objective",
        "Radford et al., ICLR 2016 (arXiv:1511.06434)",
        ("Generative",),
        batch="Pictures",
    ),
    "stylegan": Entry(
        "Draws pictures from noise, a style for each layer: coarse layers pose, fine ones colour",
        "Karras et al., CVPR 2019 and 2020 (arXiv:1812.04948, 1912.04958)",
        ("Generative", "Layered"),
        batch="Pictures",
    ),
    "classifier": Entry(
        "Says what a picture shows, to score what others generate",
        "LeCun et al., Proc. IEEE 1998; batch norm and residuals as usual since",
        ("Classifier",),
        batch="Pictures",
    ),
    "cgan": Entry(
        "Draws a picture of the class it is told, at once",
        "Mirza & Osindero 2014 (arXiv:1411.1784)",
        ("Generative",),
        batch="Pictures",
    ),
    "style-autoencoder": Entry(
        "A StyleGAN that learns beside an encoder: draws, and reads pictures back, after half an hour of two cores",
        "after Larsen et al., ICML 2016 (arXiv:1512.09300), and Pidhorskyi et al., CVPR 2020 (arXiv:2004.04467)",
        ("Generative", "Layered", "Autoencoder", "Perceiving"),
        batch="Pictures",
    ),
    "vae": Entry(
        "Reads a code from a picture and draws a picture from a code: reconstructs, generates, edits",
        "Kingma & Welling, ICLR 2014 (arXiv:1312.6114)",
        ("Generative", "Autoencoder", "Density", "Latent", "ImportanceWeighted"),
        batch="Pictures",
    ),
    "pixelcnn": Entry(
        "Draws a picture pixel by pixel, and says exactly how likely one is",
        "van den Oord et al., NIPS 2016 (arXiv:1606.05328)",
        ("Generative", "Density"),
        batch="Pictures",
    ),
    "vqvae": Entry(
        "Turns a picture into maps of codes, and draws new maps code by code",
        "Razavi, van den Oord & Vinyals, NeurIPS 2019 (arXiv:1906.00446)",
        ("Generative", "Autoencoder", "Density", "Coding"),
        batch="Pictures",
    ),
    "tagger": Entry(
        "Finds words for a picture: the multimodal conditional GAN",
        "Mirza & Osindero, 2014 (arXiv:1411.1784)",
        ("Tagger",),
        batch="Tags",
    ),
    "gan-cls": Entry(
        "Draws what a caption says, at once; reads the style of a picture and draws other captions in it",
        "Reed et al., ICML 2016 (arXiv:1605.05396)",
        ("TextToImage", "StyleEncoder"),
        batch="Described",
    ),
    "bicyclegan": Entry(
        "GAN-CLS with its style encoder beside it: draws what a caption says, in the style of a picture or of chance",
        "Zhu et al., NIPS 2017 (arXiv:1711.11586), told by captions as Reed et al., ICML 2016 (arXiv:1605.05396)",
        ("TextToImage", "StyleEncoder", "Perceiving"),
        batch="Described",
    ),
    "stackgan": Entry(
        "Draws what a caption says in two stages: a small sketch, and from it the picture",
        "Zhang et al., ICCV 2017 (arXiv:1612.03242)",
        ("TextToImage",),
        batch="Described",
    ),
    "tedigan": Entry(
        "Draws and changes faces by texts, sketches and maps of regions, through the codes of a StyleGAN",
        "Xia et al., CVPR 2021 (arXiv:2012.03308)",
        ("Generative", "Layered", "Autoencoder", "Perceiving", "Guided"),
        batch="Multimodal",
    ),
    "text-encoder": Entry(
        "Turns captions into vectors by which their pictures are found, for systems that draw from captions",
        "Reed et al., CVPR 2016 (arXiv:1605.05395)",
        ("TextEncoder",),
        batch="Captioned",
    ),
}


class UnknownSystem(TelldrawError):
    """The name is not in the table; the message lists the ones that are."""


def load(name: str) -> ModuleType:
    """The module of system `name`; it offers `Config`, `PRESETS`, `System` and `build`."""
    if name not in SYSTEMS:
        raise UnknownSystem(f"no system {name!r}; choose from {', '.join(sorted(SYSTEMS))}")
    return import_module(f"telldraw.systems.{name.replace('-', '_')}")


def capabilities(name: str, system: Any) -> tuple[str, ...]:
    """What `system`, built as its weights' card says, can do: its row of the table, without what it says it `lacks`.

    A system trained in stages lacks what a later stage will give it.
    """
    lacks = getattr(system, "lacks", ())
    return tuple(each for each in SYSTEMS[name].capabilities if each not in lacks)
