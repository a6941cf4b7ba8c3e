"""Weights that others have published, as files of tensors by name. Nothing in a file is executed."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from telldraw.errors import WeightsError


def read(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a .safetensors file, or of one that torch saved, which is read with `weights_only=True`.

    Raises WeightsError naming the file when it cannot be read or holds something else.
    """
    if path.suffix == ".safetensors":
        return _safetensors(path)
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path} cannot be read as weights: {reason}") from None
    if not isinstance(weights, Mapping):
        raise WeightsError(f"{path} holds a {type(weights).__name__}; a state dict was expected")
    return weights


def _safetensors(path: Path) -> Mapping[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}") from None


def copy(targets: Mapping[str, Tensor], form: str, weights: Mapping[str, Tensor], path: Path, hint: str) -> None:
    """Set each target from the weights of `path`, whose keys are `form` with the target's name.

    Raises WeightsError, with the `hint` where a key is missing.
    """
    for name, target in targets.items():
        key = form.format(name)
        if not isinstance(weights.get(key), Tensor):
            raise WeightsError(f"{path} has no weights {key!r}; {hint}")
        if weights[key].shape != target.shape:
            shapes = f"{tuple(weights[key].shape)}, not {tuple(target.shape)}"
            raise WeightsError(f"{key!r} in {path} has the shape {shapes}")
        with torch.no_grad():
            target.copy_(weights[key])
