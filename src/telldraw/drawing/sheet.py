"""Pictures side by side, under each what was told: contact sheets, animations, comparisons of seeds. Pillow only."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL import Image, ImageDraw, ImageFont

from telldraw.drawing.files import written
from telldraw.drawing.session import Canvas
from telldraw.errors import TelldrawError

COMFORTABLE = 256
"""Width in pixels from which a picture needs no enlargement for people."""
LARGEST_SCALE = 32
_STRAIGHT = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014", "''\"\"--")
_PAPER, _INK, _FAINT = (255, 255, 255), (32, 32, 36), (120, 120, 128)
_GAP, _SIZE, _LEADING, _MOST_LINES = 16, 15, 20, 10
_WIDEST = 1830  # five pictures of 4:3 in a row: a dialogue of i-CLEVR

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


class Frame(NamedTuple):
    """One picture of a sheet and the text under it."""

    image: Image.Image
    mark: str
    """A few letters in grey before the text, such as the number of the turn."""
    caption: str


class Strip(NamedTuple):
    """Frames that belong together, with a heading (empty: none)."""

    title: str
    frames: Sequence[Frame]


def scale_for(width: int, scale: int | None) -> int:
    """The whole factor to enlarge by: `scale`, or the least that makes a picture `COMFORTABLE`.

    Raises TelldrawError when `scale` is out of range.
    """
    if scale is None:
        return min(LARGEST_SCALE, max(1, -(-COMFORTABLE // width)))
    if not 1 <= scale <= LARGEST_SCALE:
        raise TelldrawError(f"--scale is a whole number from 1 to {LARGEST_SCALE}, not {scale}")
    return scale


def enlarge(image: Image.Image, scale: int, aspect: float = 1.0) -> Image.Image:
    """The picture `scale` times as high and wide, smoothly; scale 1 leaves every pixel as it was drawn.

    Systems draw squares. A canvas that is wider than high (`aspect`, width / height) gets its shape back here.
    """
    if scale == 1:
        return image
    return image.resize((round(image.width * scale * aspect), image.height * scale), Image.Resampling.LANCZOS)


def frames_of(canvas: Canvas, scale: int) -> list[Frame]:
    """The turns that led to a canvas, enlarged, each under its number and its instruction."""
    return [
        Frame(enlarge(turn.image, scale, canvas.engine.aspect), f"{turn.depth}", turn.instruction)
        for turn in canvas.path[1:]
    ]


def side_by_side(images: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one size in rows, as nearly square as they go; one picture stays as it is."""
    if len(images) == 1:
        return images[0]
    columns = next(n for n in range(1, len(images) + 1) if n * n >= len(images))
    return grid(images, len(images) if len(images) <= 4 else columns)


def grid(images: Sequence[Image.Image], columns: int) -> Image.Image:
    """Pictures of one size in rows of `columns`, a little white between them."""
    width, height = images[0].size
    rows = -(-len(images) // columns)
    paper = Image.new("RGB", (columns * (width + 4) - 4, rows * (height + 4) - 4), _PAPER)
    for index, image in enumerate(images):
        paper.paste(image, (index % columns * (width + 4), index // columns * (height + 4)))
    return paper


def contact_sheet(strips: Sequence[Strip]) -> Image.Image:
    """All frames (of one size) on white, as many in a row as fit a page, each with its text wrapped beneath."""
    font = _font()
    width, height = strips[0].frames[0].image.size
    most = max(len(strip.frames) for strip in strips)
    columns = max(1, min(most, (_WIDEST - _GAP) // (width + _GAP)))
    rows: list[tuple[str, Sequence[Frame], list[list[str]]]] = []
    for strip in strips:
        for start in range(0, len(strip.frames), columns):
            row = strip.frames[start : start + columns]
            texts = [wrap(f"{frame.mark}  {frame.caption}", font, width) for frame in row]
            rows.append((strip.title if start == 0 else "", row, texts))
    heights = [bool(title) * _LEADING + height + 8 + _LEADING * max(map(len, texts)) for title, _, texts in rows]
    paper = Image.new("RGB", (_GAP + columns * (width + _GAP), _GAP + sum(heights) + _GAP * len(rows)), _PAPER)
    pen = ImageDraw.Draw(paper)
    top = _GAP
    for (title, row, texts), row_height in zip(rows, heights, strict=True):
        if title:
            pen.text((_GAP, top), title, fill=_FAINT, font=font)
        picture_top = top + bool(title) * _LEADING
        for index, (frame, lines) in enumerate(zip(row, texts, strict=True)):
            left = _GAP + index * (width + _GAP)
            paper.paste(frame.image, (left, picture_top))
            pen.rectangle((left - 1, picture_top - 1, left + width, picture_top + height), outline=(214, 214, 220))
            _write(pen, (left, picture_top + height + 6), frame.mark, lines, font)
        top += row_height + _GAP
    return paper


def columned(heads: Sequence[str], rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Pictures of one size in rows and columns on white, each column under its head, wrapped."""
    font = _font()
    width, height = rows[0][0].size
    texts = [wrap(head, font, width) for head in heads]
    top = _GAP + _LEADING * max(map(len, texts)) + 6
    paper = Image.new("RGB", (_GAP + len(heads) * (width + _GAP), top + len(rows) * (height + _GAP)), _PAPER)
    pen = ImageDraw.Draw(paper)
    for column, lines in enumerate(texts):
        left = _GAP + column * (width + _GAP)
        _write(pen, (left, top - 6 - _LEADING * len(lines)), "", lines, font)
        for row, images in enumerate(rows):
            place = left, top + row * (height + _GAP)
            paper.paste(images[column], place)
            pen.rectangle((place[0] - 1, place[1] - 1, left + width, place[1] + height), outline=(214, 214, 220))
    return paper


def captioned(frames: Sequence[Frame]) -> list[Image.Image]:
    """The frames of an animation, all of one size, each over its number of the whole and its text."""
    font = _font()
    width, height = frames[0].image.size
    marks = [f"{frame.mark}/{frames[-1].mark}" for frame in frames]
    texts = [wrap(f"{mark}  {frame.caption}", font, width - 16) for mark, frame in zip(marks, frames, strict=True)]
    foot = 12 + _LEADING * max(map(len, texts))
    pages = []
    for frame, mark, lines in zip(frames, marks, texts, strict=True):
        page = Image.new("RGB", (width, height + foot), _PAPER)
        page.paste(frame.image, (0, 0))
        _write(ImageDraw.Draw(page), (8, height + 5), mark, lines, font)
        pages.append(page)
    return pages


def save_animation(frames: Sequence[Frame], path: Path, milliseconds: int = 1500) -> None:
    """Write a GIF or WebP that shows one frame per turn and starts over; the last stays twice as long.

    The numbers under the pictures keep turns that look alike apart: writers of both formats join equal frames.
    """
    with written(path) as stream:
        write_animation(frames, stream, path.suffix.lower() == ".gif", milliseconds)


def write_animation(frames: Sequence[Frame], stream: BinaryIO, gif: bool, milliseconds: int = 1500) -> None:
    """The animation of `save_animation` as a GIF, or else a WebP, to an open file."""
    pages = captioned(frames)
    durations = [milliseconds] * (len(pages) - 1) + [2 * milliseconds]
    if gif:  # one palette for all, or the unchanged parts would flicker
        palette = side_by_side(pages).quantize(256)
        pages = [page.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for page in pages]
    pages[0].save(
        stream,
        "GIF" if gif else "WEBP",
        save_all=True,
        append_images=pages[1:],
        duration=durations,
        loop=0,
        **({} if gif else {"lossless": True}),
    )


def wrap(text: str, font: Font, width: int) -> list[str]:
    """`text` in lines of at most `width` pixels; a word that is too long is cut, and so is what exceeds ten lines."""
    lines = [""]
    for word in _plain(text).split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if font.getlength(joined) <= width:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        for piece in _pieces(word, font, width):
            lines[-1] = piece
            lines.append("")
        lines.pop()
        if len(lines) > _MOST_LINES:
            break
    if len(lines) > _MOST_LINES:
        lines = lines[:_MOST_LINES]
        while lines[-1] and font.getlength(lines[-1] + "...") > width:
            lines[-1] = lines[-1][:-1]
        lines[-1] += "..."
    return lines


def _plain(text: str) -> str:
    """`text` in letters that Pillow's own font has, as far as that goes: no accents, straight quotes, one line."""
    parts = unicodedata.normalize("NFKD", text.translate(_STRAIGHT))
    return "".join(c if c.isprintable() else " " for c in parts if not unicodedata.combining(c))


def _pieces(word: str, font: Font, width: int) -> list[str]:
    """A word cut into pieces that fit, at most as many as a caption has lines (and one more)."""
    pieces, start = [], 0
    while start < len(word) and len(pieces) <= _MOST_LINES:
        end = start + 1
        while end < len(word) and font.getlength(word[start : end + 1]) <= width:
            end += 1
        pieces.append(word[start:end])
        start = end
    return pieces


def _write(pen: ImageDraw.ImageDraw, place: tuple[int, int], mark: str, lines: list[str], font: Font) -> None:
    """Lines of text from `place` down, the mark that the first one begins with in grey."""
    left, top = place
    cut = len(mark) if lines[0].startswith(mark) else 0
    pen.text((left, top), lines[0][:cut], fill=_FAINT, font=font)
    pen.text((left + font.getlength(lines[0][:cut]), top), lines[0][cut:], fill=_INK, font=font)
    for number, line in enumerate(lines[1:], start=1):
        pen.text((left, top + number * _LEADING), line, fill=_INK, font=font)


def _font() -> Font:
    return ImageFont.load_default(size=_SIZE)
