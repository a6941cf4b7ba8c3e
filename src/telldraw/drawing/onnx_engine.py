"""Drawing with ONNX Runtime and NumPy alone: the light engine. Nothing here, and nothing it imports, loads torch.

It reads what `drawing/export.py` writes into a weights folder:

- `model.onnx`, one turn. Inputs: the tensors of the state, the canvas first, then `instruction` [B, L] int64 and
  `noise` [B, Z] float32. Outputs: the tensors of the next state, in the same order. B and L are free.
- `start.npz`, the state before the first turn, a row of each tensor under its name. An axis of an input that is free
  besides B (the words said so far, say) starts at the length it has here, and is padded with 0 in a batch.
"""

import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from telldraw import pixels, weights
from telldraw.errors import WeightsError
from telldraw.text import Vocabulary, pad

State = tuple[np.ndarray, ...]
"""The tensors of a state, each [B, ...], the canvas [B, 3, H, W] in [-1, 1] first."""
ARGUMENTS = ("instruction", "noise")
"""The inputs after those of the state."""


class OnnxEngine:
    """A weights folder as a `session.Batched` engine. `turn` draws alone, so a seed gives one picture."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        """`threads`: by default OMP_NUM_THREADS, else all usable cores. Raises WeightsError saying what is wrong."""
        self.vocabulary: Vocabulary
        self.vocabulary, self.card = weights.read(folder)
        self.name: str = self.card.get("name", folder.name)
        self.aspect = float(self.card.get("aspect", 1.0))
        """Width / height at which the square pictures are meant to be seen."""
        self._session = _session(folder / weights.ONNX, threads)
        inputs = {entry.name: entry.shape for entry in self._session.get_inputs()}
        self._names = [name for name in inputs if name not in ARGUMENTS]
        outputs = [entry.name for entry in self._session.get_outputs()]
        if not set(ARGUMENTS) <= set(inputs) or outputs != [f"next_{name}" for name in self._names]:
            raise WeightsError(f"{folder / weights.ONNX} holds no turn of a conversation; `telldraw export` writes one")
        self.noise_dim = int(inputs["noise"][1])
        """Length of the noise of a turn."""
        self._start = _start(folder / weights.START, {name: inputs[name] for name in self._names})

    def start(self) -> State:
        """The state before the first turn, for a batch of one."""
        return self._start

    def turn(self, state: State, words: list[str], noise: np.ndarray) -> State:
        """state, words, noise float32 [noise_dim] -> the next state."""
        return self._run(state, self.vocabulary.encode(words)[None], noise[None])

    def turns(self, states: Sequence[State], words: Sequence[list[str]], noises: Sequence[np.ndarray]) -> list[State]:
        """The next states of several conversations, in one pass: see `session.Batched`."""
        instructions = pad([self.vocabulary.encode(told) for told in words])
        joined = tuple(_together(tensors) for tensors in zip(*states, strict=True))
        after = self._run(joined, instructions, np.stack(noises))
        return [tuple(tensor[index : index + 1].copy() for tensor in after) for index in range(len(states))]

    def picture(self, state: State) -> np.ndarray:
        """The canvas of a state: uint8 [H, W, 3]. Raises WeightsError when the weights give no numbers."""
        if not np.isfinite(state[0]).all():
            raise WeightsError(
                f"the weights {self.name} draw no picture (not a number): are they from a run that failed?"
            )
        return pixels.from_floats(state[0])[0]

    def _run(self, state: State, instruction: np.ndarray, noise: np.ndarray) -> State:
        given = dict(zip(self._names, state, strict=True))
        feed: dict[str, Any] = given | {"instruction": instruction, "noise": noise.astype(np.float32, copy=False)}
        return tuple(np.asarray(tensor) for tensor in self._session.run(None, feed))


def _session(path: Path, threads: int | None) -> onnxruntime.InferenceSession:
    """The graph, ready to run on the processor; nothing is written and nobody is called."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors alone: its warnings are about graphs in general
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = threads or _threads()
    onnxruntime.set_default_logger_severity(3)
    onnxruntime.disable_telemetry_events()
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from None
    except Exception as error:  # ONNX Runtime has a dozen, which share no base but this
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(f"{path} is damaged, or made for a newer onnxruntime: {reason}") from None


def _threads() -> int:
    """OMP_NUM_THREADS, as torch reads it, else the cores this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start(path: Path, shapes: dict[str, list[Any]]) -> State:
    """The start state of `path`, its shapes compared with the graph's."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as found:
            missing = [name for name in shapes if name not in found]
            if missing:
                raise WeightsError(f"{path} does not fit the graph beside it: it lacks {', '.join(missing)}")
            state = {name: found[name] for name in shapes}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} cannot be read: {error}") from None
    for name, shape in shapes.items():
        has = state[name].shape
        fixed = [(size, n) for size, n in zip(shape, has, strict=False) if isinstance(size, int)]
        if len(has) != len(shape) or has[0] != 1 or any(size != n for size, n in fixed):
            raise WeightsError(f"{path} does not fit the graph beside it: {name} is {has}, not {shape}")
    return tuple(state.values())


def _together(tensors: tuple[np.ndarray, ...]) -> np.ndarray:
    """Tensors [1, ...] -> [B, ...]; what is shorter along an axis is padded with 0."""
    shape = [max(sizes) for sizes in zip(*(tensor.shape[1:] for tensor in tensors), strict=True)]
    joined = np.zeros((len(tensors), *shape), tensors[0].dtype)
    for row, tensor in zip(joined, tensors, strict=True):
        row[tuple(slice(size) for size in tensor.shape[1:])] = tensor[0]
    return joined
