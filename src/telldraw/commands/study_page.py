"""The page of a study: one file with its pictures inside, that asks nothing of any other machine."""

import base64
import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from PIL import Image

from telldraw.data.pictures import ENDINGS, open_folder
from telldraw.errors import DataError, TelldrawError

if TYPE_CHECKING:
    from telldraw.data.pictures import Folder

QUESTIONS = {"fits": "Which picture fits the text best?", "real": "Which picture looks most real?"}
"""What is asked of every text: TediGAN's "accuracy" and "realism"."""
FEWEST, MOST = 2, 9  # methods: a key each
_HEAVY = 30_000_000  # bytes of a page that one would not send around


def folders(given: Sequence[str]) -> dict[str, "Folder"]:
    """Method -> its pictures, of METHOD=FOLDER. Raises TelldrawError naming what is wrong."""
    if not FEWEST <= len(given) <= MOST:
        raise TelldrawError(f"{len(given)} methods: from {FEWEST} to {MOST} are needed, each as METHOD=FOLDER")
    found: dict[str, Folder] = {}
    for word in given:
        name, equals, place = word.partition("=")
        if not (equals and name.strip() and place):
            raise TelldrawError(f"{word!r}: a method is given as METHOD=FOLDER")
        name = name.strip()
        if "|" in name or len(name) > 60 or not name.isprintable():
            raise TelldrawError(f"{name[:60]!r}: the name of a method has at most 60 letters and no |")
        if name in found:
            raise TelldrawError(f"the method {name!r} is named twice")
        found[name] = open_folder(Path(place))
    return found


def captions(file: Path) -> dict[str, str]:
    """File name without ending -> text. Raises DataError naming the file and line."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"--captions {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"--captions {file} is not text in UTF-8") from None
    pairs = _from_json(file, text) if file.suffix.lower() == ".json" else _from_lines(file, text)
    found: dict[str, str] = {}
    for where, name, said in pairs:
        stem = name.strip()
        stem = next((stem.removesuffix(ending) for ending in ENDINGS if stem.endswith(ending)), stem)
        if not stem or not said.strip():
            raise DataError(f"{where}: a file name and a text were expected")
        if stem in found:
            raise DataError(f"{where}: {stem!r} has a text already")
        found[stem] = said.strip()
    if not found:
        raise DataError(f"--captions {file} is empty; each line needs a file name, a tab and a text")
    return found


def _from_json(file: Path, text: str) -> list[tuple[str, str, str]]:
    try:
        read = json.loads(text)
    except ValueError as error:
        raise DataError(f"--captions {file} is not JSON: {error}") from None
    if not isinstance(read, dict) or not all(isinstance(said, str) for said in read.values()):
        raise DataError(f'--captions {file}: {{"file name": "text", ...}} was expected')
    return [(f"--captions {file}", name, said) for name, said in read.items()]


def _from_lines(file: Path, text: str) -> list[tuple[str, str, str]]:
    found = []
    for number, row in enumerate(csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE), 1):
        where = f"--captions {file}, line {number}"
        if not row:
            continue
        if len(row) != 2:
            raise DataError(f"{where}: a file name, a tab and a text were expected, not {row[0][:40]!r} and so on")
        found.append((where, *row))
    return found


def page(
    methods: Mapping[str, "Folder"], texts: Mapping[str, str], *, count: int | None, seed: int, title: str
) -> tuple[str, list[str]]:
    """The page, and what its maker should know. Raises TelldrawError when a text lacks a picture."""
    chosen = _chosen(methods, texts, count, seed)
    pictures = {name: _inline(folder, chosen) for name, folder in methods.items()}
    content = {
        "title": title,
        "seed": seed,
        "questions": QUESTIONS,
        "methods": list(methods),
        "items": [
            {"name": stem, "text": texts[stem], "pictures": [pictures[name][stem] for name in methods]}
            for stem in chosen
        ],
    }
    content["study"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
    template = files("telldraw.commands").joinpath("study.html").read_text(encoding="utf-8")
    # "<" would end the script that holds it
    inside = json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")
    whole = template.replace("/*STUDY*/null", inside, 1)
    return whole, _notes(methods, texts, chosen, len(whole))


def _chosen(methods: Mapping[str, "Folder"], texts: Mapping[str, str], count: int | None, seed: int) -> list[str]:
    for name, folder in methods.items():
        missing = [stem for stem in texts if stem not in folder.names]
        if missing:
            more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
            raise DataError(f"{folder.path} ({name}) has no picture called {missing[0]!r}{more}, which has a text")
        if len(set(folder.names)) < len(folder.names):
            twice = next(stem for stem in folder.names if folder.names.count(stem) > 1)
            raise DataError(f"{folder.path} ({name}) has two pictures called {twice!r} with different endings")
    chosen = list(texts)
    if count is not None:
        if count > len(chosen):
            raise TelldrawError(f"--count {count}: there are {len(chosen):,} texts")
        chosen = sorted(Random(seed).sample(chosen, count), key=chosen.index)
    return chosen


def _inline(folder: "Folder", chosen: Sequence[str]) -> dict[str, str]:
    """Pictures as addresses that hold them: pixels alone, since what else a file says may name the method."""
    wanted, found = set(chosen), {}
    for stem, batch in zip(folder.names, folder.batches(1), strict=True):
        if stem in wanted:
            stream = io.BytesIO()
            Image.fromarray(batch[0].transpose(1, 2, 0)).save(stream, "png", optimize=True)
            found[stem] = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
    return found


def _notes(methods: Mapping[str, "Folder"], texts: Mapping[str, str], chosen: Sequence[str], size: int) -> list[str]:
    notes = [f"{len(chosen):,} texts, {len(methods)} methods: {len(chosen) * len(QUESTIONS):,} answers of each rater"]
    sides = {name: f"{folder.size[1]}x{folder.size[0]}" for name, folder in methods.items()}
    if len(set(sides.values())) > 1:
        each = ", ".join(f"{name} {side}" for name, side in sides.items())
        notes.append(f"the methods' pictures differ in size ({each}), which raters can see; bring them to one size")
    extra = {stem for folder in methods.values() for stem in folder.names} - set(texts)
    if extra:
        notes.append(f"{len(extra):,} pictures have no text and are left out, such as {min(extra)!r}")
    if size > _HEAVY:
        notes.append(f"the page has {size / 1e6:.0f} MB; --count shows fewer texts")
    return notes
