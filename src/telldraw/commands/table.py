"""Plain tables for the terminal, in which no line is longer than it should be."""

import textwrap
from collections.abc import Sequence

_GAP = 2


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int = 100) -> str:
    """Rows under their heads, aligned; what does not fit `width` is wrapped, the widest column first."""
    cells = [[head.upper() for head in heads], *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    while sum(widths) + _GAP * (len(widths) - 1) > width:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for row in cells:
        wrapped = [textwrap.wrap(cell, size) or [""] for cell, size in zip(row, widths, strict=True)]
        for number in range(max(map(len, wrapped))):
            parts = [cell[number] if number < len(cell) else "" for cell in wrapped]
            line = (" " * _GAP).join(f"{part:{size}}" for part, size in zip(parts, widths, strict=True))
            lines.append(line.rstrip())
    return "\n".join(lines)
