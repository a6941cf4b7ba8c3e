"""Training states on disk: written beside, flushed, renamed; the last two are kept; loading runs no code."""

import os
import re
from pathlib import Path
from typing import Any

import torch

from telldraw.errors import TrainingError, WeightsError

_NAME = re.compile(r"state-(\d+)\.pt")
KEPT = 2


def states(run: Path) -> list[Path]:
    """The states in a run folder, newest first."""
    return sorted((path for path in run.glob("state-*.pt") if _NAME.fullmatch(path.name)), key=_examples, reverse=True)


def _examples(path: Path) -> int:
    return int(_NAME.fullmatch(path.name)[1])  # type: ignore[index]


def save(run: Path, seen: int, state: dict[str, Any]) -> Path:
    """Write the state after `seen` examples, whole or not at all, and drop all but the last two up to there.

    States of more examples could not be read when the run went on; they are left alone, and do not count.
    Raises TrainingError when it cannot be written, on a full disk for example.
    """
    path = run / f"state-{seen:010d}.pt"
    part = path.with_suffix(".pt.part")
    try:
        with part.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, RuntimeError) as error:  # torch turns some errors of the disk into its own
        part.unlink(missing_ok=True)
        raise TrainingError(
            f"{path} cannot be written ({str(error).splitlines()[0]}); make room, then the same command goes on "
            "from the state before it"
        ) from None
    for old in [state for state in states(run) if _examples(state) <= seen][KEPT:]:
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
        names = " and ".join(path.name for path in found)
        raise WeightsError(f"no training state in {run} can be read; remove {names} to start from nothing")
    return None
