"""Serving the studio with uvicorn until somebody stops it."""

import socket
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from telldraw.errors import TelldrawError
from telldraw.studio.settings import Settings

_PATIENCE = 20
"""Seconds that requests under way are given when the studio is stopped."""


class _Server(uvicorn.Server):
    """A server that ends its event streams when it is told to stop: they would go on for ever."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop when what is under way is done; at once when asked twice."""
        app = self.config.app
        assert isinstance(app, FastAPI)
        app.state.studio.hub.close()
        # not uvicorn's own, which would raise the signal again at the end: a studio that stopped well ends with 0
        self.force_exit = self.should_exit
        self.should_exit = True


def serve(app: FastAPI, settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. `ready` hears the address once it is bound (port 0: a free one)."""
    bound = _bind(settings)
    with bound:
        host, port = settings.host, bound.getsockname()[1]
        shown = "localhost" if settings.local else host if host not in ("0.0.0.0", "::", "") else socket.gethostname()
        shown = f"[{shown}]" if ":" in shown else shown
        ready(f"http://{shown}:{port}/" + (f"?token={settings.token}" if settings.token else ""))
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, timeout_graceful_shutdown=_PATIENCE, server_header=False
        )
        _Server(config).run(sockets=[bound])


def _bind(settings: Settings) -> socket.socket:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            settings.host.strip("[]") or None, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, proto)
    except (OSError, UnicodeError) as error:
        raise TelldrawError(f"--host {settings.host}: no such address: {error}") from None
    try:
        if sys.platform != "win32":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(512)
    except (OSError, OverflowError) as error:
        bound.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise TelldrawError(
            f"cannot listen on {settings.host} port {settings.port}: {reason.lower()}; choose another --port"
        ) from None
    return bound
