"""`telldraw studio`: draw by telling, in a browser. Nothing leaves the machine."""

import os
import secrets
import sys
from dataclasses import dataclass
from typing import Annotated

import tyro

from telldraw.errors import TelldrawError


@dataclass(frozen=True)
class Studio:
    """Draw by telling, in a browser; and for other programs over HTTP, with a page on how at /docs.

    Drawings are kept in a file of your own (TELLDRAW_HOME moves it) and are there again after any end. Prints the
    address; Ctrl-C ends it.
    """

    host: Annotated[str, tyro.conf.arg(metavar="ADDRESS")] = "127.0.0.1"
    """Where to listen. Anything but this machine's own address asks every visitor for a token."""
    port: Annotated[int, tyro.conf.arg(metavar="N")] = 8400
    """0 takes a free one."""
    weights: Annotated[tuple[str, ...], tyro.conf.arg(metavar="WEIGHTS ...", help_behavior_hint="")] = ()
    """Who draws, besides those of `telldraw weights`: names, folders, training runs. The first is the default."""
    database: Annotated[str | None, tyro.conf.arg(metavar="URL", help_behavior_hint="")] = None
    """sqlite:///FILE, or postgresql://... which several studios may share. Default: a file in your data folder."""
    token: Annotated[str | None, tyro.conf.arg(metavar="TOKEN", help_behavior_hint="")] = None
    """What visitors must show. Default: TELLDRAW_TOKEN, or a new one when not bound to localhost."""
    queue: Annotated[int, tyro.conf.arg(metavar="N")] = 64
    """Turns that may wait; when there are more, visitors are asked to come back (503)."""
    batch: Annotated[int, tyro.conf.arg(metavar="N")] = 16
    """Turns of different drawings that are drawn at once; 1 gives pictures that replay to the bit."""
    drawings: Annotated[int, tyro.conf.arg(metavar="N")] = 200
    """Drawings that one person may have."""
    instruction: Annotated[int, tyro.conf.arg(metavar="N")] = 1000
    """Characters that an instruction may have."""
    device: Annotated[str, tyro.conf.arg(metavar="DEVICE")] = "cpu"
    """Where to draw: cpu, cuda, ..."""


def run(argv: list[str]) -> None:
    """Serve until interrupted. What can be wrong is said before anything listens."""
    options = tyro.cli(Studio, args=argv, prog="telldraw studio", config=(tyro.conf.FlagCreatePairsOff,))
    for flag, value, least, most in (
        ("port", options.port, 0, 65535),
        ("queue", options.queue, 1, 100_000),
        ("batch", options.batch, 1, 1024),
        ("drawings", options.drawings, 1, 1_000_000),
        ("instruction", options.instruction, 1, 20_000),
    ):
        if not least <= value <= most:
            raise TelldrawError(f"--{flag} is a whole number from {least} to {most}, not {value}")
    from telldraw.studio.app import build
    from telldraw.studio.catalogue import Catalogue
    from telldraw.studio.server import serve
    from telldraw.studio.settings import Settings, default_database, is_local
    from telldraw.studio.store import Store
    from telldraw.studio.worker import Limits

    token = _token(options, is_local(options.host))
    settings = Settings(options.host, options.port, token, instruction=options.instruction, drawings=options.drawings)
    catalogue = Catalogue.find(options.weights, options.device)
    database = options.database or default_database()
    store = Store(database)
    app = build(store, catalogue, settings, Limits(queue=options.queue, batch=options.batch))

    def ready(address: str) -> None:
        print(address, flush=True)
        print("telldraw: Ctrl-C ends the studio", file=sys.stderr)

    serve(app, settings, ready)


def _token(options: Studio, local: bool) -> str:
    """What visitors must show; nothing on this machine alone, unless a token was given."""
    token = options.token if options.token is not None else os.environ.get("TELLDRAW_TOKEN", "")
    if token and (len(token) < 8 or not token.isascii() or not token.replace("-", "").replace("_", "").isalnum()):
        raise TelldrawError("--token: 8 or more letters, digits, - and _")
    return token or ("" if local else secrets.token_urlsafe(18))
