"""Training states on disk: written beside, flushed, renamed; the last two are kept; loading runs no code."""

import os
import re
from pathlib import Path
from typing import Any

import torch

from telldraw.errors import WeightsError

_NAME = re.compile(r"state-(\d+)\.pt")
KEPT = 2


def states(run: Path) -> list[Path]:
    """The states in a run folder, newest first."""
    found = [path for path in run.glob("state-*.pt") if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(_NAME.fullmatch(path.name)[1]), reverse=True)  # type: ignore[index]


def save(run: Path, seen: int, state: dict[str, Any]) -> Path:
    """Write the state after `seen` examples, whole or not at all, and drop all but the last two."""
    path = run / f"state-{seen:010d}.pt"
    part = path.with_suffix(".pt.part")
    with part.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    for old in states(run)[KEPT:]:
        old.unlink()
    return path


def load_latest(run: Path, *, device: torch.device | str, warn: Any = print) -> dict[str, Any] | None:
    """The newest state that can be read, or None if there is none at all.

    A damaged one is named through `warn` and the one before is used; when all are damaged, WeightsError says so.
    """
    found = states(run)
    for path in found:
        try:
            return torch.load(path, map_location=device, weights_only=True)
        except Exception as error:  # torch raises a dozen kinds on damaged files
            warn(f"{path} is damaged and is left aside ({type(error).__name__}); using the state before it")
    if found:
        raise WeightsError(f"every training state in {run} is damaged; remove {found[0].name} and start again")
    return None
