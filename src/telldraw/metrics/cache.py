"""Arrays that took long to compute, kept on disk as .npz under what they were computed from. Nothing is unpickled."""

import hashlib
import json
import os
import secrets
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

Key = Mapping[str, str | int | float]
Arrays = dict[str, np.ndarray]
_KEY = "key"  # the entry of a file that says what it holds


def default_folder() -> Path:
    """$TELLDRAW_CACHE, or `telldraw` in the user's cache folder."""
    if given := os.environ.get("TELLDRAW_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "telldraw"


class Cache:
    """Look up before computing. A file that is damaged, or cannot be written, is named and the work goes on."""

    def __init__(self, folder: Path | None, warn: Callable[[str], None] = lambda sentence: None) -> None:
        """Without a folder nothing is kept. `warn` gets a sentence for the user."""
        self.folder, self.warn = folder, warn

    def get(self, stage: str, key: Key, compute: Callable[[], Arrays]) -> Arrays:
        """The arrays of `compute()`, from the disk if they were computed from the same `key` before.

        `stage` names the kind of work; an empty key is computed every time.
        """
        if self.folder is None or not key:
            return compute()
        text = json.dumps({"stage": stage, **key}, sort_keys=True)
        path = self.folder / f"{stage}-{hashlib.sha256(text.encode()).hexdigest()[:24]}.npz"
        found = self._read(path, text)
        if found is None:
            found = compute()
            self._write(path, text, found)
        return found

    def _read(self, path: Path, text: str) -> Arrays | None:
        try:
            with path.open("rb") as stream:
                archive = np.load(stream, allow_pickle=False)
                if not isinstance(archive, NpzFile):
                    raise ValueError("it is no archive of arrays")
                arrays = {name: archive[name] for name in archive.files}
            if str(arrays.pop(_KEY)) != text:
                raise ValueError("it holds something else")
        except (FileNotFoundError, NotADirectoryError):
            return None
        # what a zip file and an array with some bytes changed can answer with
        except (OSError, ValueError, KeyError, EOFError, NotImplementedError, SyntaxError, zipfile.BadZipFile) as error:
            self.warn(f"{path} is damaged ({str(error)[:80] or type(error).__name__}); it is computed anew")
            return None
        return arrays

    def _write(self, path: Path, text: str, arrays: Arrays) -> None:
        part = path.with_name(f"{path.stem}-{secrets.token_hex(6)}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("xb") as stream:
                np.savez(stream, allow_pickle=False, **{_KEY: np.array(text)}, **arrays)
            os.replace(part, path)
        except OSError as error:
            self.warn(f"{path} cannot be kept ({error.strerror or error}); next time it is computed again")
        finally:
            with suppress(OSError):  # gone when all went well
                part.unlink()
