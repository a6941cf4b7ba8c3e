"""The folder of a training run: whose it is, and what the run in it is made of."""

import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telldraw.data.collection import Collection
from telldraw.errors import TrainingError

try:
    import fcntl
except ImportError:  # Windows: two processes in one run are not noticed there
    fcntl = None

if TYPE_CHECKING:
    from telldraw.data.archive import Dataset

_LOCK = "lock"  # in the run's folder; held while a process trains there
_NO_RUN = {_LOCK, "run.json.part"}  # what may lie in a folder without being a run
_BEGUN = {"run.json", "log.jsonl", "sheets", "tensorboard"}  # what a run has before its first step


@contextmanager
def claim(folder: Path, name: str, options: Any, dataset: "Dataset | Collection") -> Iterator[dict[str, Any]]:
    """Make the run's folder, or check that the run in it is the one asked for; and keep other processes out of it.

    Gives what the run is made of. What is refused leaves no lock, and no new folder.
    """
    from telldraw.training.checkpoint import states

    new = not folder.exists()
    known = (folder / "run.json").exists() or states(folder)
    if not known and folder.is_dir() and {path.name for path in folder.iterdir()} - _NO_RUN:
        raise TrainingError(f"--out {folder} holds other files and no run; name a folder that is new or empty")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _LOCK).open("wb")
    except OSError as error:
        raise TrainingError(f"--out {folder} cannot be written: {error.strerror}") from None
    with lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TrainingError(
                    f"another process is training in {folder}; wait for it, or name another --out"
                ) from None
            except OSError:  # a file system without locks
                pass
        try:
            yield _compared(folder, name, options, dataset)
        finally:
            if {path.name for path in folder.iterdir()} <= _NO_RUN:
                _clear(folder, _NO_RUN)
                if new:
                    folder.rmdir()


def _compared(folder: Path, name: str, options: Any, dataset: "Dataset | Collection") -> dict[str, Any]:
    """What the run asked for is made of; TrainingError names what differs from what is written in its folder."""
    names = dataset.classes if isinstance(dataset, Collection) else ()
    reads = not isinstance(dataset, Collection) or hasattr(options.config, "vocabulary_size")
    known = dataset.vocabulary.words if reads and dataset.vocabulary else ()
    words = "\n".join([*names, *known]).encode()
    asked: dict[str, Any] = {
        "system": name,
        "preset": options.preset,
        "start_from": options.start_from,
        "config": {key: _plain(value) for key, value in asdict(options.config).items()},
        "data": dataset.facts.name,
        "dialogues": len(dataset.splits["train"]),
        "vocabulary": zlib.crc32(words),
        "pictures": dataset.manifest["files"]["images.npy"]["crc32"],
        "features": dataset.manifest["files"].get("features.npy", {}).get("crc32"),
        "batch_size": options.batch_size,
        "batch_turns": options.batch_turns,
        "seed": options.seed,
        "decay": options.decay,
    }
    path = folder / "run.json"
    if path.exists():
        try:
            written = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise TrainingError(
                f"{path} is damaged ({error}); remove it to go on with the settings given now"
            ) from None
        # what the version that began the run did not write down had its default then
        found: dict[str, Any] = {each.name: each.default for each in fields(options)} | written
        before = {each.name: _plain(each.default) for each in fields(options.config)} | dict(written.get("config", {}))
        differing = [key for key in asked if key != "config" and found.get(key, asked[key]) != asked[key]]
        differing += [f"config.{key}" for key, value in asked["config"].items() if before[key] != value]
        if differing:
            raise TrainingError(
                f"{folder} holds a run with other settings ({', '.join(differing)}); "
                "give the same ones to go on with it, or another --out to start anew"
            )
    return asked


@contextmanager
def written_down(folder: Path, note: dict[str, Any], began: Callable[[], bool]) -> Iterator[None]:
    """Keep in the folder what its run is made of, unless it is there already.

    A new run that fails before it `began`, that is before its first step is done, is none: nothing of it stays.
    """
    new = not (folder / "run.json").exists()
    if new:
        part = folder / "run.json.part"
        part.write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
        os.replace(part, folder / "run.json")
    try:
        yield
    except Exception:
        if new and not began():
            _clear(folder, _BEGUN)
        raise


def _clear(folder: Path, names: set[str]) -> None:
    for name in names:
        with suppress(OSError):
            shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    """As JSON has it."""
    return list(value) if isinstance(value, tuple) else value
