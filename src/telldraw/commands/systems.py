"""`telldraw systems`: what can be trained, and by which paper. Imports no system, so it is instant."""

import json as json_format
from dataclasses import asdict, dataclass

import tyro

from telldraw.commands.table import table
from telldraw.systems import SYSTEMS


@dataclass(frozen=True)
class Systems:
    """List the systems, with their papers and what each can do."""

    json: bool = False
    """Print one JSON document instead, for other programs."""


def run(argv: list[str]) -> None:
    """Print the table of systems."""
    options = tyro.cli(Systems, args=argv, prog="telldraw systems", config=(tyro.conf.FlagCreatePairsOff,))
    if options.json:
        print(json_format.dumps({name: asdict(entry) for name, entry in SYSTEMS.items()}, indent=2))
        return
    rows = [(name, ", ".join(e.capabilities).lower(), e.summary, e.paper) for name, e in SYSTEMS.items()]
    print(table(("system", "can be", "what it does", "paper"), rows))
