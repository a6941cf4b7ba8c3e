"""Weights to start training from, instead of random ones: `telldraw train --start-from`."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from torch import Tensor

from telldraw import weights
from telldraw.errors import TrainingError
from telldraw.training.checkpoint import load_latest

_SCHEDULES = ("every", "anneal", "steps", "updates", "until", "stage")
"""Ends of the names of settings that are whole numbers, and no sizes."""
_KINDS = ("version",)
"""Settings that are no numbers, and make other layers."""


def begin_with(system: Any, given: str) -> None:
    """Fill a new system with what is in a weights folder. Raises TrainingError when that does not fit.

    Parts that only training needs are those of the run's last state, where a run is given, else they stay random. So
    do parts that the system says begin anew (`begins_anew`), because they belong to a later stage.
    """
    loaded: Any = weights.load(weights.find(given)).system
    later = getattr(system, "begins_anew", ())
    others = tuple(f"{name}." for name in loaded.training_only if name not in later)
    wanted = {name: value.shape for name, value in system.state_dict().items() if name.startswith(others)}
    kept = {name: value for name, value in _last_state(given).items() if wanted.get(name) == value.shape}
    try:
        missing, unknown = system.load_state_dict({**kept, **loaded.state_dict()}, strict=False)
    except RuntimeError:
        raise _another(given, loaded, system) from None
    anew = (*loaded.training_only, *later)
    unknown = [name for name in unknown if name not in getattr(system, "leaves", ())]
    if unknown or any(name.partition(".")[0] not in anew for name in missing):
        raise _another(given, loaded, system)


def _another(given: str, loaded: Any, system: Any) -> TrainingError:
    """Weights that do not fit, and by which settings."""
    there, here = _sizes(loaded, system)
    if not there:
        return TrainingError(f"--start-from {given} holds weights of another system than the one to be trained")
    return TrainingError(
        f"--start-from {given} holds weights of other sizes: {there} there, {here} here; give the same settings"
    )


def _last_state(given: str) -> dict[str, Tensor]:
    """The trained (not averaged) weights of the run in a folder; none where there is no run."""
    state = load_latest(Path(given), device="cpu", warn=lambda said: None)
    return {} if state is None else state["system"]


def _sizes(loaded: Any, system: Any) -> tuple[str, str]:
    """The settings in which two of a system differ in size, as words: of those loaded, and of those to be trained."""
    if type(loaded) is not type(system) and not getattr(system, "leaves", ()):
        return "", ""
    there, here = [], []
    for name in (each.name for each in fields(system.config)):
        two = getattr(system.config, name)
        one = getattr(loaded.config, name, two)
        counts = isinstance(two, int | tuple) and not isinstance(two, bool) and not name.endswith(_SCHEDULES)
        if one != two and (counts or name in _KINDS):
            there.append(f"{name.replace('_', '-')} {_told(one)}")
            here.append(_told(two))
    return ", ".join(there), ", ".join(here)


def _told(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
