"""How a studio is run: where it listens, where drawings are, who may come in, how much anybody may ask."""

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from telldraw.errors import TelldrawError
from telldraw.studio.tables import sqlite_url


@dataclass(frozen=True)
class Settings:
    """One studio."""

    host: str = "127.0.0.1"
    port: int = 8400
    token: str = ""
    """What a visitor must show; empty: nobody is asked."""
    instruction: int = 1000
    """Most characters of an instruction."""
    candidates: int = 8
    """Most candidates for one instruction."""
    drawings: int = 200
    """Most drawings of one person."""
    streams: int = 16
    """Most open event streams of one person."""
    upload: int = 4 << 20
    """Most bytes of a file to import."""
    body: int = 64 << 10
    """Most bytes of any other request."""
    side: int = 4096
    """Most pixels in height or width of a PNG to import; its pixels are never decoded."""

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_local(self.host)


def is_local(host: str) -> bool:
    """Whether an address to listen on is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def home() -> Path:
    """The folder of the user's drawings: `TELLDRAW_HOME`, or where the system keeps such data. It is made."""
    named = os.environ.get("TELLDRAW_HOME")
    if named:
        folder = Path(named).expanduser()
    else:
        import platformdirs

        folder = platformdirs.user_data_path("telldraw", appauthor=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TelldrawError(
            f"the folder for drawings, {folder}, cannot be made: {error.strerror}; set TELLDRAW_HOME"
        ) from None
    return folder


def default_database() -> str:
    """The URL of the file in which drawings are kept unless --database says otherwise."""
    return sqlite_url(home() / "drawings.sqlite")
