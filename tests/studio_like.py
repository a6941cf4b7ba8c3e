"""A studio whose drawer is a toy: as quick as the rest of it lets it be. As a script it serves one."""

import io
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from telldraw.drawing.session import Drawer
from telldraw.studio.catalogue import Catalogue, Model
from telldraw.studio.store import Store
from telldraw.studio.tables import sqlite_url
from telldraw.studio.worker import Limits, Worker
from telldraw.text import Vocabulary
from test_terminal import Toy

SCENE = ["a tree on the left", "the sun on the right", "a large tree"]


@dataclass
class Crowd:
    """The toy, drawing several turns at once and remembering how many; it can be made to wait."""

    toy: Toy = field(default_factory=Toy)
    name: str = "toy"
    noise_dim: int = 3
    aspect: float = 1.0
    batches: list[int] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Ready to draw, until a test says otherwise."""
        self.open.set()

    @property
    def vocabulary(self) -> Vocabulary:
        """The toy's words."""
        return self.toy.vocabulary

    def start(self) -> bytes:
        """Nothing told yet."""
        return self.toy.start()

    def picture(self, state: bytes) -> np.ndarray:
        """The toy's picture."""
        return self.toy.picture(state)

    def turn(self, state: bytes, words: list[str], noise: np.ndarray) -> bytes:
        """One turn, when it may."""
        return self.turns([state], [words], [noise])[0]

    def turns(self, states: Sequence[bytes], words: Sequence[list[str]], noises: Sequence[np.ndarray]) -> list[bytes]:
        """Many turns, each as if it were alone."""
        self.open.wait(20)
        time.sleep(self.seconds)
        self.batches.append(len(states))
        return [self.toy.turn(*one) for one in zip(states, words, noises, strict=True)]


def model(engine: Any = None, name: str = "toy", system: str = "geneva", **card: Any) -> Model:
    """A model of the toy; `card` adds to its card."""
    engine = engine or Crowd()
    known = {"name": name, "system": system, "data": "nothing", "licence": "CC0", "resolution": 8, "config": {}}
    return Model(Path("nowhere"), name, known | {"scenes": [SCENE]} | card, engine.vocabulary, lambda: Drawer(engine))


def worker_on(folder: Path, engine: Any = None, **limits: int) -> Worker:
    """A worker on a new database, not started yet."""
    store = Store(sqlite_url(folder / "drawings.sqlite"))
    return Worker(store, Catalogue([model(engine)]), Limits(**limits))


def pixels(png: bytes) -> bytes:
    """What can be seen in a PNG."""
    with Image.open(io.BytesIO(png)) as image:
        return image.convert("RGB").tobytes()


def replayed(history: Sequence[tuple[str, int]]) -> bytes:
    """What the toy draws of a history, from scratch."""
    return Drawer(Toy()).replay(history).image.tobytes()


def wait_for(what: Callable[[], Any], seconds: float = 20) -> Any:
    """The first thing `what` gives that counts as true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


def main() -> None:
    """Serve: `studio_like.py DATABASE_URL`; the address goes to stdout."""
    from telldraw.studio.app import build
    from telldraw.studio.server import serve
    from telldraw.studio.settings import Settings

    settings = Settings(port=0)
    app = build(Store(sys.argv[1]), Catalogue([model()]), settings)
    serve(app, settings, lambda address: print(address, flush=True))


if __name__ == "__main__":
    main()
