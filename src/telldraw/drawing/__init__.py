"""From words to pictures, turn by turn: canvases as values, conversations, contact sheets, the terminal."""

from pathlib import Path

from telldraw.drawing.session import Canvas, Conversation, Drawer, Turn
from telldraw.errors import TelldrawError

__all__ = ["Canvas", "Conversation", "Drawer", "Turn", "drawer"]


def drawer(name_or_path: str | Path | None = None, device: str = "cpu") -> Drawer:
    """Weights ready to draw: a shipped name, a weights folder or a training run (by default the shipped `DEFAULT`).

    >>> canvas = drawer().start(seed=7).tell("a large tree on the left")   # doctest: +SKIP

    Raises WeightsError when there are no such weights, TelldrawError when there is no such device.
    """
    from telldraw.weights import DEFAULT, find, load

    folder = find(str(name_or_path) if name_or_path is not None else DEFAULT)

    import torch

    from telldraw.drawing.engine import TorchEngine

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise TelldrawError(f"there is no device {device!r} on this machine; choose cpu") from None
    return Drawer(TorchEngine(load(folder, device), device))
