"""Both engines side by side: size, loading, a turn alone and in batches, and how far the pictures are apart.

The graph of each dtype is written anew into a temporary folder, which takes about half a minute.
"""

import copy
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import tyro

from _floor import machine, operations, say, seconds
from telldraw import weights
from telldraw.drawing import export
from telldraw.drawing.engine import TorchEngine
from telldraw.drawing.onnx_engine import OnnxEngine
from telldraw.protocols import Conversational

DTYPES: tuple[export.Dtype, ...] = ("float32", "float16", "int8")


@dataclass(frozen=True)
class Options:
    """Time turns by torch and by ONNX Runtime."""

    weights: str = weights.DEFAULT
    batches: tuple[int, ...] = (1, 8)
    words: int = 16
    """Length of the instruction."""
    repeats: int = 30
    threads: int = torch.get_num_threads()


def graphs(loaded: weights.Loaded, source: Path, place: Path) -> dict[str, Path]:
    """A weights folder for each dtype; the system is traced once."""
    trace, traced = export._graph, []

    def once(*arguments: Any) -> Any:
        if not traced:
            traced.append(trace(*arguments))
        return copy.deepcopy(traced[0])

    export._graph = once
    folders = {}
    for dtype in DTYPES:
        folders[dtype] = Path(shutil.copytree(source, place / dtype))
        export.write(loaded, folders[dtype], dtype)
    export._graph = trace
    return folders


def loading(load: Callable[[], Any]) -> tuple[Any, float]:
    """What was loaded, and the seconds it took."""
    began = time.perf_counter()
    return load(), time.perf_counter() - began


def telling(engine: Any, batch: int, words: list[str], noise: np.ndarray) -> Callable[[], Any]:
    """One turn of `batch` conversations, from their start."""
    state = engine.start()
    if batch == 1:
        return lambda: engine.turn(state, words, noise)
    return lambda: engine.turns([state] * batch, [words] * batch, [noise] * batch)


def main(options: Options) -> None:
    """Print a block for each engine; the engines take turns, so that what else the machine does hits all alike."""
    torch.set_num_threads(options.threads)
    here = machine()
    print(here)
    source = weights.find(options.weights)
    loaded = weights.load(source)
    engines: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        folders = graphs(loaded, source, Path(place))
        engines["torch"], took = loading(lambda: TorchEngine(weights.load(source)))
        size = sum(path.stat().st_size for path in source.glob("*.safetensors"))
        print(f"{'torch':14} {size / 1e6:6.2f} MB, loaded in {1e3 * took:4.0f} ms")
        for dtype, folder in folders.items():
            engine, took = loading(lambda folder=folder: OnnxEngine(folder, options.threads))
            engines[f"onnx {dtype}"] = engine
            apart = export.differences(loaded, folder)
            print(
                f"{'onnx ' + dtype:14} {(folder / weights.ONNX).stat().st_size / 1e6:6.2f} MB, "
                f"loaded in {1e3 * took:4.0f} ms; from torch over {len(apart)} turns: at most {apart.max():.0f} of 255 "
                f"levels, mean {apart.mean():.4f}, over 1: {100 * (apart > 1).mean():.3f} % of all values"
            )
    system, words = cast(Conversational, loaded.system), ["tree"] * options.words
    noise = np.ones(system.noise_dim, np.float32)
    vectors = sum(part.weight.numel() for part in loaded.system.modules() if isinstance(part, torch.nn.Embedding))
    read = 4 * (sum(weight.numel() for weight in loaded.system.parameters()) - vectors)
    for batch in options.batches:
        work = {name: telling(engine, batch, words, noise) for name, engine in engines.items()}
        floor = here.floor(operations(work["torch"]), read)
        rounds = [{name: seconds(turn, 1)[0] for name, turn in work.items()} for _ in range(options.repeats)]
        for name in work:
            say(f"  turn, batch {batch}, {name}", [times[name] for times in rounds], floor)


if __name__ == "__main__":
    main(tyro.cli(Options))
