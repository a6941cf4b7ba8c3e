"""The table of systems. Adding one = one new module here + one line below.

Nothing in this file imports torch, so listing systems is instant.
"""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

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
    "classifier": Entry(
        "Says what a picture shows, to score what others generate",
        "LeCun et al., Proc. IEEE 1998; batch norm and residuals as usual since",
        ("Classifier",),
        batch="Pictures",
    ),
    "tagger": Entry(
        "Finds words for a picture: the multimodal conditional GAN",
        "Mirza & Osindero, 2014 (arXiv:1411.1784)",
        ("Tagger",),
        batch="Tags",
    ),
}


class UnknownSystem(TelldrawError):
    """The name is not in the table; the message lists the ones that are."""


def load(name: str) -> ModuleType:
    """The module of system `name`; it offers `Config`, `PRESETS`, `System` and `build`."""
    if name not in SYSTEMS:
        raise UnknownSystem(f"no system {name!r}; choose from {', '.join(sorted(SYSTEMS))}")
    return import_module(f"telldraw.systems.{name}")
