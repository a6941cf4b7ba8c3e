"""Pictures in a terminal: inline where the terminal can, else in coloured half blocks, else not at all."""

import base64
import io
import os
import shutil
from collections.abc import Callable, Mapping
from typing import TextIO

from PIL import Image

Preview = Callable[[Image.Image], str]
_CHUNK = 4096  # the most that kitty's protocol takes at once


def preview_for(screen: TextIO, environment: Mapping[str, str] | None = None) -> Preview | None:
    """What turns a picture into text for `screen`, or None when it could not show it (no terminal, no colours)."""
    seen = os.environ if environment is None else environment
    term, program = seen.get("TERM", ""), seen.get("TERM_PROGRAM", "")
    if not screen.isatty() or term in ("", "dumb"):
        return None
    inside = bool(seen.get("TMUX")) or term.startswith(("tmux", "screen"))  # they keep inline pictures to themselves
    if not inside and (term in ("xterm-kitty", "xterm-ghostty") or seen.get("KITTY_WINDOW_ID")):
        return kitty
    if not inside and (program in ("iTerm.app", "WezTerm") or seen.get("LC_TERMINAL") == "iTerm2"):
        return iterm
    colours = seen.get("COLORTERM", "").lower() in ("truecolor", "24bit") or term.endswith("-direct")
    if colours and not seen.get("NO_COLOR") and (screen.encoding or "").lower().replace("-", "") == "utf8":
        return half_blocks
    return None


def columns_for(image: Image.Image) -> int:
    """How many columns a picture takes, so that all of it and the next prompt fit the window."""
    window = shutil.get_terminal_size()
    by_height = 2 * max(4, window.lines - 4) * image.width // image.height
    return max(8, min(window.columns - 1, by_height, 96))


def half_blocks(image: Image.Image, columns: int | None = None) -> str:
    """Two pixels in each cell: the colour of the upper half block and the colour behind it."""
    width = columns or columns_for(image)
    rows = max(1, round(width * image.height / image.width / 2))
    pixels = image.convert("RGB").resize((width, 2 * rows), Image.Resampling.BOX).load()
    assert pixels is not None
    lines = []
    for row in range(rows):
        cells = []
        for column in range(width):
            (r, g, b), (br, bg, bb) = pixels[column, 2 * row], pixels[column, 2 * row + 1]  # type: ignore[misc]
            cells.append(f"\x1b[38;2;{r};{g};{b};48;2;{br};{bg};{bb}m\u2580")
        lines.append("".join(cells) + "\x1b[0m\n")
    return "".join(lines)


def kitty(image: Image.Image) -> str:
    """Kitty's graphics protocol: a PNG in base64, in pieces; q=2 keeps the terminal from answering into the prompt."""
    data, columns = _png(image), columns_for(image)
    pieces = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    written = []
    for index, piece in enumerate(pieces):
        keys = f"f=100,a=T,q=2,c={columns}," if index == 0 else ""
        written.append(f"\x1b_G{keys}m={int(index < len(pieces) - 1)};{piece}\x1b\\")
    return "".join(written) + "\n"


def iterm(image: Image.Image) -> str:
    """The inline pictures of iTerm2 and WezTerm."""
    return f"\x1b]1337;File=inline=1;width={columns_for(image)};preserveAspectRatio=1:{_png(image)}\x07\n"


def _png(image: Image.Image) -> str:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")
