"""The sheet of `telldraw arithmetic`, laid out as in Radford et al. 2016, Fig. 7."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw, ImageFont

from telldraw import pixels
from telldraw.drawing.sheet import enlarge, grid, wrap

if TYPE_CHECKING:
    from torch import Tensor

    from telldraw.commands.latent_sums import Rate, Sums

_WIDTH, _SHOWN = 96, 3  # pixels of a picture; how many of those averaged are shown
_PAPER, _INK, _FAINT = (255, 255, 255), (32, 32, 36), (120, 120, 128)
_EDGE, _GAP, _SIGN, _LINE = 16, 12, 34, 20


def sheet(found: "Sums", scale: int | None, aspect: float, target: str, rates: "Sequence[Rate]") -> Image.Image:
    """What was averaged in columns, the averages under them, signs between, and on the right the sum amid its own."""
    (one,) = found.sums(1)
    around = found.around(one.total, 9)
    around[4] = one.total

    def shown(z: "Tensor") -> list[Image.Image]:
        drawn = [pixels.to_image(image).convert("RGB") for image in found.draw(z)]
        return [enlarge(image, scale or max(1, round(_WIDTH / image.width)), aspect) for image in drawn]

    columns = [[*shown(part[:_SHOWN]), *shown(found.mean(part).unsqueeze(0))] for part in one.parts]
    result = grid(shown(around), 3)
    font: Any = ImageFont.load_default(size=15)
    signs: Any = ImageFont.load_default(size=30)
    width, height = columns[0][0].size
    deep = max(len(column) for column in columns) - 1
    top = _EDGE + _LINE
    foot = top + deep * (height + 4) + 2 * _GAP  # where the averages begin
    said = [f"{rate.of}: {100 * rate.share:.0f} %" for rate in rates]
    across = _EDGE + len(columns) * (width + _SIGN) + _SIGN // 2 + result.width + _EDGE
    told = wrap(f"{target} is found in " + ",  ".join(said), font, across - 2 * _EDGE)
    bottom = max(foot + height, top + result.height)
    down = bottom + _GAP + _LINE * len(told) + _EDGE
    paper = Image.new("RGB", (across, down), _PAPER)
    pen = ImageDraw.Draw(paper)
    left = _EDGE
    for term, column in zip(found.terms, columns, strict=True):
        pen.text((left + width / 2, top - _LINE + 2), term.text, _INK, font, anchor="ma")
        for place, image in enumerate(column[:-1]):
            paper.paste(image, (left, top + place * (height + 4)))
        paper.paste(column[-1], (left, foot))
        pen.rectangle((left - 3, foot - 3, left + width + 2, foot + height + 2), outline=_INK)
        last = term is found.terms[-1]
        sign = "=" if last else "+" if found.terms[found.terms.index(term) + 1].sign > 0 else "-"
        middle = left + width + (_SIGN + (_SIGN // 2 if last else 0)) / 2
        pen.text((middle, foot + height / 2), sign, _INK, signs, anchor="mm")
        left += width + _SIGN
    left += _SIGN // 2
    top = bottom - result.height
    pen.text((left + result.width / 2, top - _LINE + 2), f"{target}?", _INK, font, anchor="ma")
    paper.paste(result, (left, top))
    side, high = (result.width - 2 * 4) // 3 + 4, (result.height - 2 * 4) // 3 + 4
    pen.rectangle((left + side - 3, top + high - 3, left + 2 * side - 2, top + 2 * high - 2), outline=_INK)
    for number, line in enumerate(told):
        pen.text((_EDGE, down - _EDGE - _LINE * (len(told) - number) + 2), line, _FAINT, font)
    return paper
