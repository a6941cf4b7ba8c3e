"""Files that leave the program: checked before anything is drawn, written whole or not at all.

A PNG of a conversation carries what it was told (weights' name, instructions, seeds), so it can be gone on with.
"""

import json
import os
import re
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from telldraw.drawing.session import Canvas, Turn
from telldraw.errors import TelldrawError

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
ANIMATIONS = (".gif", ".webp")
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_RECORD = "telldraw"


class Record(NamedTuple):
    """What a picture remembers of its making."""

    weights: str
    history: tuple[Turn, ...]


def check_file(path: Path, endings: Sequence[str], flag: str) -> None:
    """Raise TelldrawError, naming `flag`, when a file of one of these endings cannot be written at `path`."""
    if path.suffix.lower() not in endings:
        raise TelldrawError(f"{flag} {path}: the name must end in {' or '.join(endings)}")
    mode = _mode(path, flag)
    if stat.S_ISDIR(mode):
        raise TelldrawError(f"{flag} {path}: this is a folder; name a file in it")
    if mode and not os.access(path, os.W_OK):
        raise TelldrawError(f"{flag} {path}: this file is protected against writing; name another")
    _check_writable(path.parent, f"{flag} {path}")


def check_folder(path: Path, flag: str) -> None:
    """Raise TelldrawError, naming `flag`, unless `path` is an empty folder or one that can be made."""
    mode = _mode(path, flag)
    if mode and not stat.S_ISDIR(mode):
        raise TelldrawError(f"{flag} {path}: this is a file; name a folder")
    if not mode:
        return _check_writable(path.parent, f"{flag} {path}")
    _check_writable(path, f"{flag} {path}")
    if any(path.iterdir()):
        raise TelldrawError(f"{flag} {path}: the folder is not empty; name a new one")


def check_current_folder() -> None:
    """Raise TelldrawError when a picture without a name cannot be written where we are."""
    _check_writable(Path("."), "the picture goes to the current folder unless --out names another place")


def claim(instruction: str, ending: str = ".png") -> Path:
    """A new file in the current folder, named after the first words of the instruction; it never was there before."""
    words = re.findall(r"[a-z0-9]+", instruction.lower())
    stem = "-".join(words)[:48].rsplit("-", 1)[0] if len("-".join(words)) > 48 else "-".join(words)
    stem = stem or "picture"
    for number in range(1, 1_000_000):
        path = Path(f"{stem}{f'-{number}' if number > 1 else ''}{ending}")
        try:
            path.open("xb").close()
        except FileExistsError:
            continue
        except OSError as error:
            raise TelldrawError(f"{path} cannot be written: {_reason(error)}") from None
        return path
    raise TelldrawError(f"there is no free name left for {stem}{ending}; give --out")


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that becomes `path` only when all of it is there. Raises TelldrawError naming the file."""
    target = path.resolve()  # through a link to the file it means
    part = target.with_name(f".telldraw-{secrets.token_hex(6)}.part")
    try:
        with part.open("xb") as stream:
            yield stream
        os.replace(part, target)
    except (OSError, ValueError) as error:
        raise TelldrawError(f"{path} cannot be written: {_reason(error)}") from None
    finally:
        part.unlink(missing_ok=True)


def save_picture(image: Image.Image, path: Path, canvas: Canvas | None = None) -> None:
    """Write one picture in the format its name ends in; a PNG remembers how `canvas` came about."""
    kind = _FORMATS[path.suffix.lower()]
    options: dict = {"quality": 95} if kind != "PNG" else {}
    if kind == "PNG" and canvas is not None:
        options["pnginfo"] = record_for(canvas.engine.name, canvas.history)
    with written(path) as stream:
        image.save(stream, kind, **options)


def read_record(path: Path) -> Record:
    """How a picture that `save_picture` wrote came about. Raises TelldrawError naming the file when it does not say."""
    try:
        with Image.open(path) as image:
            image.load()
            text = getattr(image, "text", {}).get(_RECORD)
    except FileNotFoundError:
        raise TelldrawError(f"there is no picture {path}") from None
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError) as error:
        raise TelldrawError(f"{_short(path)} is not a picture that can be read: {_reason(error)}") from None
    return parse_record(text, path)


def record_for(weights: str, history: Sequence[Turn]) -> PngImagePlugin.PngInfo:
    """What a PNG is to remember of its making, for Pillow's `pnginfo`."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt(_RECORD, json.dumps({"weights": weights, "turns": [list(turn) for turn in history]}))
    return info


def record_in(image: Image.Image, name: str) -> Record:
    """What an open PNG says of its making, read from its header alone: no pixel is decoded."""
    text = image.info.get(_RECORD)  # not `image.text`, which decodes the whole picture first
    return parse_record(text if isinstance(text, str) else None, name)


def parse_record(text: str | None, path: Path | str) -> Record:
    """What `record_for` wrote. Raises TelldrawError naming the file when it is not there, or damaged."""
    if text is None:
        raise TelldrawError(f"{path} does not say how it was drawn; only a PNG of `telldraw draw` of one seed does")
    try:
        content = json.loads(text)
        history = tuple(Turn(str(instruction), int(seed)) for instruction, seed in content["turns"])
        return Record(str(content["weights"]), history)
    except (ValueError, KeyError, TypeError):
        raise TelldrawError(f"what {path} says of its drawing is damaged") from None


def _mode(path: Path, flag: str) -> int:
    """What `path` is, 0 if there is nothing yet."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return 0
    except (OSError, ValueError) as error:
        raise TelldrawError(f"{flag} {_short(path)}: {_reason(error)}") from None


def _check_writable(folder: Path, what: str) -> None:
    try:
        if not folder.is_dir():
            raise TelldrawError(f"{what}: there is no folder {folder}; make it first")
        probe = folder / f".telldraw-{secrets.token_hex(6)}.part"
        probe.open("xb").close()  # permission bits alone do not tell: read-only disks, quotas, the superuser
        probe.unlink()
    except OSError as error:
        raise TelldrawError(f"{what}: cannot write in {folder}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def _short(path: Path) -> str:
    return repr(str(path))[1:-1][:80]
