"""Files of captions: which sentences describe which picture.

Three forms: JSON, an object of `file: [captions]` (or of `file: caption`); CSV or TSV, a line `file,caption` for each
caption, so that a file may stand in several lines, with or without a heading; and a text file beside each picture,
under the same name, with a caption a line.
"""

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from telldraw.errors import DataError
from telldraw.text import MAX_CHARACTERS, shorten, strange

BESIDE = "beside"
"""Instead of a file: the captions of `1.png` are the lines of `1.txt`."""
_FILE, _CAPTION = ("file", "file_name", "filename", "image"), ("caption", "captions", "text")
_FORM = 'an object {"picture.png": ["a caption", ...], ...}'


class Told(NamedTuple):
    """The captions of pictures, and what did not fit."""

    captions: list[list[str]]
    """Of each picture, in the order of the pictures; none where there are none."""
    strangers: list[str]
    """Files that have a caption and are not among the pictures."""


def captions_of(pictures: Sequence[str], source: str | Path, folder: Path) -> Told:
    """The captions of `pictures`, paths below `folder` written with slashes, from a file or from `BESIDE` them.

    A file of captions may name a picture by that path or, where only one picture is called so, by its name alone.
    Raises DataError naming the file when it cannot be read, is of no form that is known, or names several pictures at
    once.
    """
    if source == BESIDE:
        return _beside(pictures, folder)
    file, told = Path(source), read_captions(Path(source))
    by_name: dict[str, list[str]] = defaultdict(list)
    for picture in pictures:
        by_name[picture.rpartition("/")[2]].append(picture)
    there = set(pictures)
    found: dict[str, list[str]] = defaultdict(list)
    strangers = []
    for name, sentences in told.items():
        path = name.replace("\\", "/").removeprefix("./")
        same = [path] if path in there else by_name.get(path, [])
        if len(same) > 1:
            raise DataError(f"{file}: {name} may be {same[0]} or {same[1]}; give the path below {folder}")
        if same:
            found[same[0]] += sentences
        else:
            strangers.append(name)
    return Told([found.get(picture, []) for picture in pictures], strangers)


def _beside(pictures: Sequence[str], folder: Path) -> Told:
    captions = []
    for picture in pictures:
        file = (folder / picture).with_suffix(".txt")
        captions.append(_lines(_text(file)) if file.is_file() else [])
    known = {picture.rpartition(".")[0] for picture in pictures}
    texts = sorted(file.relative_to(folder) for file in folder.rglob("*.txt"))
    return Told(captions, [text.as_posix() for text in texts if text.with_suffix("").as_posix() not in known])


def read_captions(file: Path) -> dict[str, list[str]]:
    """Captions by the name of the file they describe, from JSON, CSV or TSV. Raises DataError naming what is wrong."""
    ending = file.suffix.lower()
    if ending not in (".json", ".csv", ".tsv"):
        raise DataError(f"{file}: captions are a file .json, .csv or .tsv, or {BESIDE!r} the pictures")
    text = _text(file)
    told = _json(file, text) if ending == ".json" else _rows(file, text, "," if ending == ".csv" else "\t")
    if not any(told.values()):
        raise DataError(f"{file} has no caption; it should name pictures and say what each shows")
    return told


def remarks_on(told: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """What a reader of characters will not read of the captions: sentences with the first place and the remedy.

    told: each picture's name and its captions.
    """
    said = []
    every = [(picture, one) for picture, captions in told for one in captions]
    if long := [name for name, one in every if len(one) > MAX_CHARACTERS]:
        said.append(
            f"{len(long):,} of {len(every):,} captions have more than {MAX_CHARACTERS} characters, the first of "
            f"{long[0]}: encoders of characters read their beginning, those of words all"
        )
    symbols, where = Counter[str](), {}
    for name, one in every:
        for symbol in strange(one):
            symbols[symbol] += 1
            where.setdefault(symbol, name)
    if symbols:
        listed = ", ".join(f"{symbol!r} in {count:,} of them" for symbol, count in symbols.most_common(10))
        first = where[symbols.most_common(1)[0][0]]
        said.append(
            f"captions have symbols that encoders of characters do not know: {listed}, the first in one of {first}; "
            "they read them as nothing: replace them in the captions if they matter"
        )
    return said


def is_text(value: object) -> bool:
    """Whether a value out of JSON is text that can be written: half a symbol, which JSON may spell, cannot."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"there is no file of captions {file}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not text in UTF-8 (byte {error.start:,}); save it so") from None
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from None


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def _json(file: Path, text: str) -> dict[str, list[str]]:
    try:
        document = json.loads(text, object_pairs_hook=_together)
    except ValueError as error:
        raise DataError(f"{file} is not whole JSON ({error})") from None
    except RecursionError:
        raise DataError(f"{file} has lists in lists, too deep to be read; {_FORM} was expected") from None
    if not isinstance(document, dict):
        raise DataError(f"{file}: {_FORM} was expected")
    told = {}
    for name, given in document.items():
        sentences = [given] if isinstance(given, str) else given
        if not isinstance(sentences, list) or not all(is_text(one) for one in (name, *sentences)):
            raise DataError(f"{file}: the captions of {shorten(name)} are not text, or a list of texts")
        told[name] = [line for one in sentences for line in _lines(one.replace("\n", " "))]
    return told


def _together(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object in which a name may stand twice: with the captions of both, as rows of a table have them."""
    found: dict[str, Any] = {}
    for name, given in pairs:
        both = [one if isinstance(one, list) else [one] for one in (found.get(name, []), given)]
        found[name] = [*both[0], *both[1]] if name in found else given
    return found


def _rows(file: Path, text: str, delimiter: str) -> dict[str, list[str]]:
    told: dict[str, list[str]] = defaultdict(list)
    at, says, columns = 0, 1, 2
    for number, line in enumerate(text.split("\n"), 1):
        row = _cells(line, delimiter, f"{file}, line {number:,}")
        heading = [cell.strip().lower() for cell in row]
        if number == 1 and set(heading) & set(_FILE) and set(heading) & set(_CAPTION):
            at = next(n for n, cell in enumerate(heading) if cell in _FILE)
            says = next(n for n, cell in enumerate(heading) if cell in _CAPTION)
            columns = len(row)
            continue
        if not any(heading):
            continue
        if len(row) <= max(at, says) or not row[at].strip():
            raise DataError(f"{file}, line {number:,}: a file and a caption were expected")
        if any(heading[columns:]):
            divides = "a comma" if delimiter == "," else "a tab"
            raise DataError(
                f"{file}, line {number:,} has {len(row)} columns and not {columns}; put a caption that has {divides} "
                "in it into quotation marks"
            )
        told[row[at].strip()] += _lines(row[says])
    return dict(told)


def _cells(line: str, delimiter: str, where: str) -> list[str]:
    """Of one line: read by itself, so that a quotation mark that is not closed does not take the next ones in."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        if "unexpected end" in str(error):
            what = "a quotation mark is opened and not closed before the line ends; close it, on the same line"
        else:
            what = f"{error}; put the whole of a caption in quotation marks, or nothing of it"
        raise DataError(f'{where}: {what}, and write "" for a mark inside') from None
