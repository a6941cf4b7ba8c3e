"""Word vectors: learnt from sentences by skip-gram, or read from a file that people have. Nothing is unpickled.

Skip-gram with negative sampling (Mikolov et al. 2013, arXiv:1310.4546) is gensim's; it is imported only when asked for.
"""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from telldraw.errors import DataError

WINDOW, NEGATIVE, EPOCHS = 5, 5, 20
"""Words looked at on each side, noise words beside each, passes: gensim's defaults but for the passes (5), because half
a million words are a small text."""
_LONGEST = 1000  # bytes of a word in a binary file: what is longer is no word


class Learnt(NamedTuple):
    """Word vectors and how they were made."""

    words: tuple[str, ...]
    vectors: np.ndarray  # float32 [V, E]
    source: str  # for people


def skip_gram(
    sentences: Sequence[Sequence[str]], words: Sequence[str], dim: int, *, window: int = WINDOW, seed: int = 0
) -> Learnt:
    """Vectors float32 [V, dim] of `words`, learnt from `sentences` by skip-gram with negative sampling.

    Deterministic in its arguments: one thread, one stream of random numbers, nothing that depends on Python's hashes of
    strings, which change from process to process. Words that are not in `words` are context all the same. Raises
    DataError when one of `words` is in no sentence.
    """
    from gensim.models import Word2Vec

    model = Word2Vec(
        [list(sentence) for sentence in sentences],
        sg=1,
        vector_size=dim,
        window=window,
        negative=NEGATIVE,
        epochs=EPOCHS,
        min_count=1,
        workers=1,
        seed=seed + 1,  # gensim takes 0 for "none given"
    )
    missing = [word for word in words if word not in model.wv.key_to_index]
    if missing:
        raise DataError(f"no sentence has the word {missing[0]!r}, so it has no vector")
    vectors = np.stack([model.wv[word] for word in words]).astype(np.float32)
    text = sum(map(len, sentences))
    return Learnt(tuple(words), vectors, f"skip-gram, {dim} numbers, on {text:,} words of {len(sentences):,} sentences")


def read(path: Path, words: Iterable[str]) -> Learnt:
    """The vectors of those of `words` that a file has, in the order of `words`.

    The file is word2vec's text or GloVe's (a word and its numbers a line, with or without a first line of two counts),
    or word2vec's binary form (its name ends in .bin); any of them may be gzipped (.gz). Read piece by piece, so that
    memory holds only what is asked for. Raises DataError naming the line or the word that is wrong.
    """
    wanted = list(dict.fromkeys(words))
    binary = path.name.removesuffix(".gz").endswith(".bin")
    try:
        opened: Any = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
        with opened as file:
            found = dict((_binary if binary else _text)(file, set(wanted), path))
    except (OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read as word vectors ({error}); give another file with --vectors") from None
    kept = tuple(word for word in wanted if word in found)
    if not kept:
        raise DataError(f"{path} has a vector for none of the {len(wanted):,} words asked for; is it of this language?")
    return Learnt(kept, np.stack([found[word] for word in kept]), f"{path.name}, {len(found[kept[0]])} numbers")


def _text(file: BinaryIO, wanted: set[str], path: Path) -> Iterator[tuple[str, np.ndarray]]:
    dim = 0
    for number, line in enumerate(file, 1):
        fields = line.split()
        if number == 1 and len(fields) == 2:  # word2vec's counts: words, numbers
            continue
        if not fields:
            continue
        dim = dim or len(fields) - 1
        # GloVe has a few words with spaces in them: the last `dim` fields are the numbers
        word = b" ".join(fields[: len(fields) - dim]).decode("utf-8", "replace")
        if word not in wanted:
            continue
        try:
            vector = np.array([float(field) for field in fields[-dim:]], np.float32)
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}; word vectors as text were expected") from None
        if not dim or len(fields) <= dim or not np.isfinite(vector).all():
            raise DataError(f"{path}, line {number}: {dim} finite numbers after the word were expected")
        yield word, vector


def _binary(file: BinaryIO, wanted: set[str], path: Path) -> Iterator[tuple[str, np.ndarray]]:
    header = file.readline(64).split()
    if len(header) != 2 or not all(field.isdigit() for field in header) or not 0 < int(header[1]) <= 10_000:
        raise DataError(f"{path} does not begin with two counts; word2vec's binary form was expected")
    count, dim = map(int, header)
    for number in range(1, count + 1):
        word = bytearray()
        while (byte := file.read(1)) != b" ":
            if not byte or len(word) > _LONGEST:
                raise DataError(f"{path} is damaged or cut short at word {number:,} of {count:,}")
            word += byte
        numbers = file.read(4 * dim)
        if len(numbers) != 4 * dim:
            raise DataError(f"{path} is cut short at word {number:,} of {count:,}")
        name = word.lstrip(b"\n").decode("utf-8", "replace")
        if name in wanted:
            vector = np.frombuffer(numbers, "<f4").copy()
            if not np.isfinite(vector).all():
                raise DataError(f"{path}: the vector of {name!r} has a number that is not finite")
            yield name, vector
