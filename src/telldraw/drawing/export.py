"""One turn of a conversational system as an ONNX graph, for the light engine (`onnx_engine.py`, which names the form).

The graph computes in float32 whatever the weights are stored as. `float16` and `int8` make the file smaller: a large
weight is kept as half floats, or as whole numbers with a scale for each row, and is widened once, when it is loaded.
"""

import copy
import io
import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from telldraw import weights
from telldraw.drawing.noise import noise
from telldraw.errors import TelldrawError, WeightsError
from telldraw.protocols import Conversational
from telldraw.weights import Loaded

Dtype = Literal["float32", "float16", "int8"]
OPSET = 18
"""The version of ONNX's operators: what torch's exporter is written for, and every onnxruntime from 1.14 on reads."""
SMALL = 1024
"""Weights of fewer numbers stay float32: they are scales, shifts and statistics, and weigh nothing."""


class Parts(NamedTuple):
    """Which tensors of a state go through the graph."""

    names: list[str]
    """The canvas first. A tensor that stays empty (words that a drawer does not keep) is left out."""
    growing: dict[str, list[int]]
    """Axes, besides the first, that get longer from turn to turn."""


class Turn(nn.Module):
    """`system.turn` on plain tensors."""

    def __init__(self, system: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.system, self.names = system, names

    def forward(self, state: tuple[Tensor, ...], instruction: Tensor, noise: Tensor) -> tuple[Tensor, ...]:
        """State, instruction [B, L], noise [B, Z] -> next state."""
        system = cast(Conversational, self.system)
        blank = system.start(2)
        rows = {name: tensor.new_zeros(noise.shape[0], *tensor.shape[1:]) for name, tensor in tensors_of(blank).items()}
        given = rows | dict(zip(self.names, state, strict=True))
        after = tensors_of(system.turn(_with(blank, given), instruction, noise))
        return tuple(after[name] for name in self.names)


def write(loaded: Loaded, folder: Path, dtype: Dtype = "float32") -> Path:
    """Write model.onnx and start.npz into `folder`, each whole or not at all; returns the path of the graph.

    Raises WeightsError when the system does not converse or a weight is too large for `dtype`.
    """
    import onnx

    if not isinstance(loaded.system, Conversational):
        system = loaded.card.get("system", type(loaded.system).__name__)
        raise WeightsError(f"the weights {loaded.name} hold {system}, which does not draw turn by turn")
    parts = _parts(loaded)
    graph = _graph(loaded, parts)
    _store(graph, dtype)
    about = {"name": loaded.name, "system": str(loaded.card.get("system")), "dtype": dtype}
    onnx.helper.set_model_props(graph, about)
    graph.producer_name, graph.doc_string = "telldraw", "one turn of a conversation"
    onnx.checker.check_model(graph, full_check=True)
    opsets = {entry.domain: entry.version for entry in graph.opset_import}
    if opsets != {"": OPSET}:
        raise TelldrawError(f"the graph needs the operators {opsets}, not those of ONNX {OPSET} alone; this is a bug")
    start = tensors_of(loaded.system.start(1))
    arrays = {name: start[name].detach().cpu().contiguous().numpy() for name in parts.names}
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    for name, content in ((weights.START, stream.getvalue()), (weights.ONNX, graph.SerializeToString())):
        part = folder / f"{name}.part"
        try:
            part.write_bytes(content)
            os.replace(part, folder / name)
        except OSError as error:
            raise WeightsError(f"{folder / name} cannot be written: {error.strerror}; choose another --out") from None
    return folder / weights.ONNX


def tensors_of(state: Any) -> dict[str, Tensor]:
    """The tensors of a state by name, the canvas first. Raises TelldrawError when it holds anything else."""
    names = getattr(state, "_fields", None) or ([part.name for part in fields(state)] if is_dataclass(state) else [])
    tensors = {name: getattr(state, name) for name in sorted(names, key=lambda name: name != "canvas")}
    if next(iter(tensors), None) != "canvas" or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise TelldrawError("this system's state is no named tuple or dataclass of tensors with a canvas: no export")
    return tensors


def _with(state: Any, tensors: dict[str, Tensor]) -> Any:
    return state._replace(**tensors) if hasattr(state, "_replace") else replace(state, **tensors)


@torch.no_grad()
def _parts(loaded: Loaded) -> Parts:
    """Found by trying: a turn, and another one after it."""
    system = cast(Conversational, loaded.system)
    device = next(loaded.system.parameters()).device
    told = torch.ones(2, 3, dtype=torch.long, device=device)
    states = [system.start(2)]
    for _ in range(2):
        states.append(system.turn(states[-1], told, torch.zeros(2, system.noise_dim, device=device)))
    before, after = tensors_of(states[0]), tensors_of(states[-1])
    names = [name for name in after if after[name].numel()]
    growing = {
        name: [axis for axis in range(1, after[name].ndim) if after[name].shape[axis] != before[name].shape[axis]]
        for name in names
    }
    return Parts(names, growing)


def _graph(loaded: Loaded, parts: Parts) -> Any:
    """The system as an onnx.ModelProto of float32 weights, constants folded."""
    import onnxscript.optimizer
    from torch.export import Dim

    module = copy.deepcopy(loaded.system).cpu().eval()
    system = cast(Conversational, module)
    instruction, noise = torch.ones(2, 3, dtype=torch.long), torch.zeros(2, system.noise_dim)
    batch, length = Dim("batch"), Dim("words")
    with torch.no_grad():
        state = tensors_of(system.turn(system.start(2), instruction, noise))
    given = tuple(state[name].clone() for name in parts.names)
    free = tuple({0: batch} | {axis: Dim(f"{name}_{axis}") for axis in parts.growing[name]} for name in parts.names)
    with quiet(), torch.no_grad():
        # in two steps, because this one refuses a batch or a length that is not free, where torch.onnx would fix it
        traced = torch.export.export(
            Turn(module, parts.names).eval(),
            (given, instruction, noise),
            dynamic_shapes=(free, {0: batch, 1: length}, {0: batch}),
            strict=False,
        )
        program = torch.onnx.export(
            traced,
            dynamo=True,
            opset_version=OPSET,
            verbose=False,
            input_names=[*parts.names, "instruction", "noise"],
            output_names=[f"next_{name}" for name in parts.names],
        )
        assert program is not None
        # what is computed from weights alone is computed now, whatever its size
        onnxscript.optimizer.optimize(program.model, input_size_limit=1 << 40, output_size_limit=1 << 40)
    graph = program.model_proto
    axes = {entry.name: [axis.dim_param for axis in entry.type.tensor_type.shape.dim] for entry in graph.graph.input}
    _tidy(graph, axes["noise"][0], axes["instruction"][1])
    return graph


def _tidy(graph: Any, batch: str, words: str) -> None:
    """Leave out what torch says of its own code, line by line, and call the free axes by their names."""
    names = {batch: "batch", words: "words"}
    for node in graph.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for entry in (*graph.graph.input, *graph.graph.output):
        del entry.metadata_props[:]
        for axis in entry.type.tensor_type.shape.dim:
            if axis.dim_param:
                axis.dim_param = re.sub(r"\w+", lambda found: names.get(found[0], found[0]), axis.dim_param)
    for weight in graph.graph.initializer:
        del weight.metadata_props[:]
    del graph.graph.metadata_props[:], graph.metadata_props[:]
    del graph.graph.value_info[:]  # the shapes of what is in between; they follow from the rest


@contextmanager
def quiet() -> Iterator[None]:
    """Without what the exporter says about itself."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _store(graph: Any, dtype: Dtype) -> None:
    """Keep every large float32 weight of `graph` as `dtype`; the operators that widen it are run once, at loading."""
    from onnx import TensorProto, helper, numpy_helper

    if dtype == "float32":
        return
    nodes = []
    for weight in list(graph.graph.initializer):
        values = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or values.size < SMALL:
            continue
        name, stored = weight.name, f"{weight.name}.{dtype}"
        graph.graph.initializer.remove(weight)
        if dtype == "float16":
            if np.abs(values).max() > np.finfo(np.float16).max:
                raise WeightsError(f"{name} has a number that float16 cannot hold; export with --dtype float32")
            graph.graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), stored))
            nodes.append(helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT))
            continue
        whole, scale = rows_as_int8(values)
        graph.graph.initializer.append(numpy_helper.from_array(whole, stored))
        graph.graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
        nodes.append(helper.make_node("Cast", [stored], [f"{name}.whole"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [f"{name}.whole", f"{name}.scale"], [name]))
    kept = list(graph.graph.node)
    del graph.graph.node[:]
    graph.graph.node.extend(nodes + kept)


def rows_as_int8(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 [...] -> int8 [...] and the scale to multiply it with: one for each row (of each matrix, in a stack)."""
    axes = tuple(range(1, values.ndim)) if values.ndim != 3 else (2,)
    scale = np.maximum(np.abs(values).max(axis=axes, keepdims=True), 1e-12).astype(np.float32) / np.float32(127)
    return np.rint(values / scale).astype(np.int8), scale


def differences(loaded: Loaded, folder: Path, turns: int = 10, seed: int = 0) -> np.ndarray:
    """How far the graph in `folder` draws from torch, in levels of 255, over a dialogue: [turns, H, W, 3] float64.

    The words are drawn from the vocabulary; each engine goes on from its own canvas.
    """
    from telldraw.drawing.engine import TorchEngine
    from telldraw.drawing.onnx_engine import OnnxEngine

    engines: list[Any] = [TorchEngine(loaded), OnnxEngine(folder)]
    states = [engine.start() for engine in engines]
    choose = np.random.RandomState(seed)
    known = loaded.vocabulary.words[2:] or loaded.vocabulary.words
    found = []
    for depth in range(1, turns + 1):
        words = [known[number] for number in choose.randint(len(known), size=choose.randint(1, 17))]
        here = noise(seed, depth, engines[0].noise_dim)
        states = [engine.turn(state, words, here) for engine, state in zip(engines, states, strict=True)]
        drawn = [engine.picture(state).astype(np.float64) for engine, state in zip(engines, states, strict=True)]
        found.append(np.abs(drawn[0] - drawn[1]))
    return np.stack(found)
