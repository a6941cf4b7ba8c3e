"""A picture of a few dialogues: every turn's canvas with its instruction under it."""

from collections.abc import Sequence
from textwrap import wrap

from PIL import Image, ImageDraw, ImageFont

from telldraw.data.archive import Dataset, Dialogue

_WIDTH, _GAP, _LINE, _LINES, _SIZE = 200, 12, 14, 9, 11  # pixels, but for the number of lines of text


def draw_sheet(dataset: Dataset, dialogues: Sequence[Dialogue], columns: int = 6) -> Image.Image:
    """One row of pictures per dialogue (its first `columns` turns), owner's id above, instruction below each."""
    shown = [range(d.start, min(d.stop, d.start + columns)) for d in dialogues]
    width = _GAP + max(len(rows) for rows in shown) * (_WIDTH + _GAP)
    height = _WIDTH * 4 // 5 + (_LINES + 1) * _LINE + _GAP
    sheet = Image.new("RGB", (width, _GAP + len(dialogues) * height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_SIZE)
    for line, (dialogue, rows) in enumerate(zip(dialogues, shown, strict=True)):
        top = _GAP + line * height
        draw.text((_GAP, top - _GAP // 2), f"{dialogue.id}, {dialogue.stop - dialogue.start} turns", "black", font)
        for column, row in enumerate(rows):
            left = _GAP + column * (_WIDTH + _GAP)
            picture = Image.fromarray(dataset.images[row].transpose(1, 2, 0))
            # at rest the pictures are squares; people look at them in the shape of the canvas
            sheet.paste(picture.resize((_WIDTH, _WIDTH * 4 // 5), Image.Resampling.LANCZOS), (left, top + _LINE))
            draw.multiline_text((left, top + _LINE + _WIDTH * 4 // 5 + 2), _caption(dataset.said(row)), "black", font, spacing=2)
    return sheet


def _caption(said: str) -> str:
    lines = wrap(said, 36) or ["(nothing said)"]
    return "\n".join(lines if len(lines) <= _LINES else [*lines[: _LINES - 1], "..."])
