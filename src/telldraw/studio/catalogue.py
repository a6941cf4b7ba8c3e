"""The weights a studio draws with: what each is, what it can do, which page that gives it, what to tell it first."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from telldraw.drawing import drawer as open_drawer
from telldraw.drawing.session import Drawer, read
from telldraw.errors import InstructionError, TelldrawError, WeightsError
from telldraw.systems import SYSTEMS
from telldraw.text import PADDING, UNKNOWN, Vocabulary, normalise
from telldraw.weights import DEFAULT, at_hand, card, find


class Page(NamedTuple):
    """A page of the studio: what people read in the menu, and the script in `page/` that makes it."""

    title: str
    script: str


PAGES = {"Conversational": Page("Draw by telling", "draw.js")}
"""Capability (a name in `protocols.py`, claimed in the table of systems) -> its page. A new capability is a line here
and a script that exports `mount(root, studio)`; weights of every system that claims it then have that page."""

SCENES: dict[str, tuple[tuple[str, ...], ...]] = {
    "codraw": (
        ("a large tree on the left", "the sun in the top right corner", "a boy in the middle, smiling, facing right"),
        ("a girl on the right, facing left", "a dog in front of the girl", "a cloud on the left"),
        ("a slide on the left, facing right", "a boy on the right of the slide, running", "a hot air balloon"),
        ("a table in the middle", "a pizza on the table", "a small sun in the left corner"),
    ),
    "iclevr": (
        (
            "Add a red cube at the center",
            "Add a cyan sphere behind it on the left",
            "Add a yellow cylinder on the right",
        ),
        ("Add a green sphere at the center", "Add a purple cube in front of it on the right"),
        ("Add a blue cylinder at the center", "Add a gray cube behind it on the right", "Add a red sphere on the left"),
    ),
}
"""What people may begin with, by data set, where a card has no `scenes` of its own: lists of turns."""


@dataclass(frozen=True)
class Model:
    """Weights in a studio. The network is loaded by the worker alone; this is what everybody else may know."""

    folder: Path
    name: str
    card: dict[str, Any]
    vocabulary: Vocabulary = field(repr=False)
    opens: Callable[[], Drawer] = field(repr=False)

    @cached_property
    def checksum(self) -> str:
        """What a picture depends on besides words and seeds: network, sizes, vocabulary -> 64 hexadecimal digits."""
        digest = hashlib.sha256(json.dumps(self.card.get("config"), sort_keys=True).encode())
        digest.update(json.dumps(self.vocabulary.words).encode())
        files = sorted(self.folder.glob("model*.safetensors")) or sorted(self.folder.glob("model*.onnx"))
        for file in files:
            digest.update(file.read_bytes())
        return digest.hexdigest()

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the system can do besides training."""
        return tuple(sorted(can(self.card)))

    @property
    def aspect(self) -> float:
        """Width / height at which pictures are shown."""
        return float(self.card.get("aspect", 1.0))

    @cached_property
    def scenes(self) -> list[list[str]]:
        """Instructions to begin with, scene by scene, each with no word that the drawer does not know."""
        own = self.card.get("scenes")
        scenes = own if isinstance(own, list) else SCENES.get(str(_name(self.card.get("data"))), ())
        known = [list(map(str, scene)) for scene in scenes if scene and all(self.knows(told) for told in scene)]
        return known or [[word] for word in self.vocabulary.examples().split(", ") if word]

    def knows(self, instruction: str) -> bool:
        """Whether every word of it can be drawn."""
        try:
            return not self.vocabulary.unknown(read(self.vocabulary, str(instruction)))
        except InstructionError:
            return False

    def unknown(self, instruction: str) -> dict[str, list[str]]:
        """Unknown words of an instruction that was drawn, each with the nearest known ones."""
        return {word: list(_near(self.vocabulary, word)) for word in self.vocabulary.unknown(normalise(instruction))}

    def marks(self, instruction: str) -> list[dict[str, Any]]:
        """Where unknown words stand: start and end (in UTF-16 units, as browsers count), word, nearest known ones."""
        found = []
        for piece in re.finditer(r"[^\s,;.!?()\"]+", instruction):
            words = self.vocabulary.unknown([w for w in normalise(piece[0]) if not w.startswith("'")])
            if words:
                start = len(instruction[: piece.start()].encode("utf-16-le")) // 2
                near = list(dict.fromkeys(n for word in words for n in _near(self.vocabulary, word)))
                found.append(
                    {
                        "start": start,
                        "end": start + len(piece[0].encode("utf-16-le")) // 2,
                        "word": piece[0],
                        "near": near,
                    }
                )
        return found

    def describe(self) -> dict[str, Any]:
        """All a page needs to offer these weights."""
        entry = SYSTEMS.get(self.card["system"])
        return {
            "name": self.name,
            "system": self.card["system"],
            "summary": entry.summary if entry else "",
            "paper": entry.paper if entry else "",
            "data": _name(self.card.get("data")),
            "licence": _name(self.card.get("licence")),
            "resolution": self.card.get("resolution"),
            "aspect": self.aspect,
            "words": len(self.vocabulary) - 2,
            "figures": dict(_flat(self.card.get("figures") or {})),
            "capabilities": list(self.capabilities),
            "scenes": self.scenes,
            "checksum": self.checksum,
        }


class Catalogue:
    """Weights by name; the first is what a new drawing uses."""

    def __init__(self, models: Sequence[Model]) -> None:
        """Raises WeightsError when there are none."""
        if not models:
            raise WeightsError("the studio has no weights to draw with; name some with --weights")
        self.models = {model.name: model for model in reversed(models)}
        self.models = {model.name: self.models[model.name] for model in models}
        self.default = models[0].name

    @classmethod
    def find(cls, names: Sequence[str] = (), device: str = "cpu") -> "Catalogue":
        """The weights named, then all others at hand that have a page. Raises WeightsError naming what is not there."""
        models = [load(name, device) for name in dict.fromkeys(names)]
        for model in models:
            if not set(model.capabilities) & set(PAGES):
                raise WeightsError(f"the weights {model.name} can do nothing there is a page for ({', '.join(PAGES)})")
        taken = {model.name for model in models}
        for name in sorted(at_hand(), key=lambda name: (name != DEFAULT, name)):
            if name not in taken and can(card(find(name))) & set(PAGES):
                models.append(load(name, device))
        return cls(models)

    def __getitem__(self, name: str) -> Model:
        """Weights by name. Raises WeightsError listing what there is."""
        if name not in self.models:
            raise WeightsError(f"there are no weights {name[:80]!r} here; choose from {', '.join(self.models)}")
        return self.models[name]

    def of(self, name: str, checksum: str) -> Model:
        """The weights that drew a drawing. Raises WeightsError unless they are here, and the same."""
        model = self[name]
        if model.checksum != checksum:
            raise WeightsError(
                f"this was drawn by other weights of the name {name}; export it as JSON and import it, "
                "then it is drawn anew by the ones here"
            )
        return model

    def pages(self) -> list[dict[str, Any]]:
        """The pages that what is here can fill, in order."""
        having = {name: [m.name for m in self.models.values() if name in m.capabilities] for name in PAGES}
        return [
            {"capability": name, "title": page.title, "script": page.script, "weights": having[name]}
            for name, page in PAGES.items()
            if having[name]
        ]


def load(name: str, device: str = "cpu") -> Model:
    """Card and vocabulary of weights; the network stays on disk until the worker asks for it."""
    folder = find(name)
    about = card(folder)
    try:
        words = folder / "vocabulary.json"
        vocabulary = Vocabulary.load(words) if words.is_file() else Vocabulary((PADDING, UNKNOWN))
    except TelldrawError as error:
        raise WeightsError(str(error)) from None
    return Model(
        folder,
        str(about.get("name", folder.name)),
        about,
        vocabulary,
        lambda: open_drawer(folder, device, threads=_threads()),
    )


def _threads() -> int | None:
    """One core is left to who answers: 43 turns/s with it on two cores, 30 without. OMP_NUM_THREADS decides if set."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return None if os.environ.get("OMP_NUM_THREADS") else max(1, cores - 1)


def can(about: dict[str, Any]) -> set[str]:
    """The capabilities of the system that a card names."""
    entry = SYSTEMS.get(about["system"])
    return set(entry.capabilities) if entry else set()


@lru_cache(maxsize=4096)
def _near(vocabulary: Vocabulary, word: str) -> tuple[str, ...]:
    return tuple(vocabulary.nearest(word))


def _name(value: Any) -> Any:
    """A card may say a thing in a word, or in a table of its own that has a name."""
    return value.get("name") if isinstance(value, dict) else value


def _flat(figures: Any, name: str = "") -> list[tuple[str, Any]]:
    """Figures however they are nested -> name and value."""
    if not isinstance(figures, dict):
        return [(name, figures)]
    return [pair for key, value in figures.items() for pair in _flat(value, f"{name} {key}".strip())]
