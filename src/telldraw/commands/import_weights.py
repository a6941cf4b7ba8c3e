"""`telldraw import`: weights that others have published, as a weights folder. Nothing in their files is run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from telldraw.errors import TelldrawError
from telldraw.systems import SYSTEMS
from telldraw.systems import load as load_system


@dataclass(frozen=True)
class Options:
    """Write published weights of a system as a weights folder of telldraw's."""

    system: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SYSTEM")]
    """Which system they are of, for example text-encoder."""
    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
    """Their file: tensors by name, as torch saves them."""
    out: Path | None = None
    """The weights folder; the file's name without its ending unless said."""
    licence: str = "its owner's terms"
    """The terms of the weights, for their card."""


def run(argv: list[str]) -> None:
    """`argv` is what follows `telldraw import`."""
    options = tyro.cli(Options, args=argv, prog="telldraw import")
    module = load_system(options.system)
    if not hasattr(module, "from_published"):
        able = [name for name in SYSTEMS if hasattr(load_system(name), "from_published")]
        raise TelldrawError(f"{options.system}: nothing published of it can be read; there is {', '.join(able)}")
    out = options.out or Path(options.file.stem)
    if out.exists():
        raise TelldrawError(f"--out {out} is there already; name another")
    from telldraw import weights
    from telldraw.text import PADDING, UNKNOWN, Vocabulary

    system = module.from_published(options.file)
    card = {"system": options.system, "name": out.name, "preset": "published", "licence": options.licence}
    words = Vocabulary((PADDING, UNKNOWN)) if hasattr(system.config, "vocabulary_size") else None
    weights.save(out, system, words, {**card, "source": options.file.name})
    print(out)
