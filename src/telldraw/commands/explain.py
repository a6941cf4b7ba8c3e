"""`telldraw explain TOPIC`: what an idea says, in a few lines of figures and one picture, by the code that trains."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, NamedTuple

import tyro

from telldraw.errors import TelldrawError

PLOTS = (".png", ".svg", ".pdf")


class Topic(NamedTuple):
    """One word after `telldraw explain`; `module` offers `explain(path) -> lines`, which draws and says."""

    module: str
    summary: str


TOPICS = {
    "gan": Topic(
        "telldraw.commands.explain_gan",
        "the optimal discriminator, the Jensen-Shannon divergence, and why losses saturate",
    ),
}
HELP = """usage: telldraw explain TOPIC [--out FILE]

Explains an idea with a few lines of figures and one picture, both computed by the functions that train.

topics:
"""


@dataclass(frozen=True)
class Explain:
    """Explain an idea with a few lines of figures and one picture, both computed by the functions that train."""

    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The picture: .png, .svg or .pdf; explain-TOPIC.png unless said."""


def run(argv: list[str]) -> None:
    """List the topics, or explain one."""
    if not argv or argv[0] in ("-h", "--help"):
        print(HELP + "\n".join(f"  {name:8}{topic.summary}" for name, topic in TOPICS.items()))
        return
    name, *rest = argv
    if name not in TOPICS:
        raise TelldrawError(f"there is nothing to explain called {name[:40]!r}; choose from {', '.join(TOPICS)}")
    options = tyro.cli(Explain, args=rest, prog=f"telldraw explain {name}", description=TOPICS[name].summary)
    from telldraw.drawing import files

    out = options.out or Path(f"explain-{name}.png")
    files.check_file(out, PLOTS, "--out")
    explain: Callable[[Path], list[str]] = import_module(TOPICS[name].module).explain
    print("\n".join([*explain(out), "", str(out)]))
