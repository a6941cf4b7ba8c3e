"""Tell, draw, repeat: pictures made and changed by language, with conditional generative models.

>>> import telldraw
>>> canvas = telldraw.drawer("geneva-iclevr-64").start(seed=7)        # doctest: +SKIP
>>> canvas = canvas.tell("a large tree on the left")                  # doctest: +SKIP
>>> canvas.image.save("tree.png")                                     # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from telldraw.drawing import drawer as drawer

__version__ = "0.1.0"
__all__ = ["__version__", "drawer"]


def __getattr__(name: str) -> Any:
    """Resolve `telldraw.drawer` on first use, so that `import telldraw` stays instant."""
    if name == "drawer":
        from telldraw.drawing import drawer

        return drawer
    raise AttributeError(f"module 'telldraw' has no attribute {name!r}")
