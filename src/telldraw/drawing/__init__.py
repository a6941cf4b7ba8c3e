"""From words to pictures, turn by turn: canvases as values, conversations, contact sheets, the terminal."""

from pathlib import Path
from typing import Literal

from telldraw.drawing.session import Batched, Canvas, Conversation, Drawer, Turn
from telldraw.errors import TelldrawError, WeightsError

__all__ = ["Canvas", "Conversation", "Drawer", "EngineName", "Turn", "drawer"]

EngineName = Literal["onnx", "torch"]


def drawer(
    name_or_path: str | Path | None = None,
    device: str = "cpu",
    engine: EngineName | None = None,
    threads: int | None = None,
) -> Drawer:
    """Weights ready to draw: a shipped name, a weights folder or a training run (by default the shipped `DEFAULT`).

    >>> canvas = drawer().start(seed=7).tell("a large tree on the left")   # doctest: +SKIP

    The engine is ONNX Runtime where the weights hold a graph and the device is the processor, else torch. `threads` are
    those of ONNX Runtime; torch's are set for the whole process, by torch.set_num_threads.

    Raises WeightsError when there are no such weights, TelldrawError when there is no such device or engine.
    """
    from telldraw.weights import DEFAULT, ONNX, find

    if engine not in (None, "onnx", "torch"):
        raise TelldrawError(f"there is no engine {engine!r}; choose onnx or torch")
    folder = find(str(name_or_path) if name_or_path is not None else DEFAULT)
    light = (folder / ONNX).is_file()
    if engine == "onnx" and not light:
        raise WeightsError(f"{folder} has no {ONNX}; `telldraw export {folder} --onnx` writes it")
    if engine == "onnx" and device != "cpu":
        raise TelldrawError(f"the engine onnx draws on the device cpu, not on {device!r}; choose the engine torch")
    if engine == "torch" or not light or device != "cpu":
        return Drawer(_torch_engine(folder, device))
    from telldraw.drawing.onnx_engine import OnnxEngine

    return Drawer(OnnxEngine(folder, threads))


def _torch_engine(folder: Path, device: str) -> Batched:
    try:
        import torch

        from telldraw.drawing.engine import TorchEngine
        from telldraw.weights import load
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors"):
            raise
        raise TelldrawError(f"drawing with {folder} this way needs torch: pip install 'telldraw[train]'") from None
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise TelldrawError(f"there is no device {device!r} on this machine; choose cpu") from None
    return TorchEngine(load(folder, device), device)
