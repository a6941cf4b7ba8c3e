"""Turns of several conversations in one forward pass, where the engine can.

An engine that can has a method `turns(states, words, noises) -> states`. One that is told in a batch may round
differently in the last bit than one told alone; pictures then agree within 1/255.
"""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from telldraw.drawing.session import Engine
from telldraw.text import pad


def turns(engine: Engine, states: Sequence[Any], words: Sequence[list[str]], noises: Sequence[np.ndarray]) -> list[Any]:
    """One turn of each conversation -> their next states, in order."""
    if len(states) > 1:
        many = getattr(engine, "turns", None) or _of_torch(engine)
        if many is not None:
            return list(many(states, words, noises))
    return [engine.turn(*one) for one in zip(states, words, noises, strict=True)]


def _of_torch(engine: Engine) -> Any:
    """`turns` of a torch engine, whose states are tuples of tensors with a row for each conversation."""
    system, device = getattr(getattr(engine, "loaded", None), "system", None), getattr(engine, "device", None)
    if system is None or device is None:
        return None

    def many(states: Sequence[Any], words: Sequence[list[str]], noises: Sequence[np.ndarray]) -> list[Any]:
        import torch

        joined = _joined(states)
        if joined is None:
            return [engine.turn(*one) for one in zip(states, words, noises, strict=True)]
        numbers = torch.from_numpy(pad([engine.vocabulary.encode(row) for row in words]))
        noise = torch.from_numpy(np.stack(noises))
        with torch.inference_mode():
            after = system.turn(joined, numbers.to(device), noise.to(device))
            return [_row(after, index) for index in range(len(states))]

    return many


def _joined(states: Sequence[Any]) -> Any:
    """States of one conversation each -> one state with a row for each, None if their shapes differ."""
    import torch

    first = states[0]
    if isinstance(first, torch.Tensor):
        return torch.cat(list(states)) if len({state.shape for state in states}) == 1 else None
    if isinstance(first, tuple):
        parts = [_joined(column) for column in zip(*states, strict=True)]
        if any(part is None for part in parts):
            return None
        return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)
    if is_dataclass(first) and not isinstance(first, type):
        named = {part.name: _joined([getattr(state, part.name) for state in states]) for part in fields(first)}
        return None if any(part is None for part in named.values()) else replace(first, **named)
    return None


def _row(state: Any, index: int) -> Any:
    """The state of one conversation of many, in memory of its own: a slice would keep the whole batch alive."""
    if hasattr(state, "narrow"):
        return state.narrow(0, index, 1).clone()
    if isinstance(state, tuple):
        parts = [_row(part, index) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
    return replace(state, **{part.name: _row(getattr(state, part.name), index) for part in fields(state)})
