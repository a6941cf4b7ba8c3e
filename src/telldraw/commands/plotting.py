"""How figures with axes look, in one place. matplotlib is imported inside the functions."""

from contextlib import AbstractContextManager
from io import BytesIO
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED = "#2f6db3", "#e07b28", "#2f8f6b", "#c43d4b"
INK, FAINT = "#25252b", "#8a8a94"


def look() -> AbstractContextManager[None]:
    """The settings under which a figure is made and drawn."""
    from matplotlib import rc_context

    settings: dict[Any, Any] = {
        "font.size": 10.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": FAINT,
        "xtick.color": FAINT,
        "ytick.color": FAINT,
        "text.color": INK,
        "axes.labelcolor": INK,
        "svg.hashsalt": "0",
    }
    return rc_context(settings)


def picture(figure: "Figure") -> Image.Image:
    """The figure as a picture, RGB."""
    stream = BytesIO()
    figure.savefig(stream, format="png")
    with Image.open(stream) as drawn:
        return drawn.convert("RGB")
