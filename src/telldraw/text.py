"""Words and their numbers: the one place where text is normalised.

The vocabulary is built when data is prepared and travels inside the weights. Nothing here imports torch.
"""

import difflib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from telldraw.errors import DataError, InstructionError

PADDING, UNKNOWN = "<pad>", "<unk>"
TELLER, DRAWER = "<teller>", "<drawer>"
MAX_WORDS = 256
"""Longest instruction that is read, in words; the longest merged turn of CoDraw has 221."""

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-,;.!?:'\"/\\|_@#$%^&*~`+-=<>()[]{} "
"""What the character encoders of Reed et al. read: 70 symbols, the hyphen being there twice; code n is the n-th."""
MAX_CHARACTERS = 201
"""Longest caption that they read."""

_CODES = {symbol: code for code, symbol in enumerate(ALPHABET, 1)}  # of the two hyphens the later counts, as in Lua
_WORD = re.compile(rf"{TELLER}|{DRAWER}|[a-z]+(?=n't\b)|n't\b|[^\W_]+|'[^\W_]+")
# translated before anything is folded: NFKC makes a space and an accent of the acute
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u2018`\u00b4\u02bc\uff07\uff40", "'"))


def normalise(text: str) -> list[str]:
    """The words of `text`, lower-case, without punctuation.

    Compatibility forms are folded (full-width letters, ligatures), a clitic is a word of its own as in CoDraw's
    own tokens (`that's` -> `that`, `'s`; `don't` -> `do`, `n't`), and `<teller>` and `<drawer>` stay whole.
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text.translate(_APOSTROPHES)).lower())


@dataclass(frozen=True)
class Vocabulary:
    """Words by number: 0 is padding, 1 any unknown word, the rest in the order given."""

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.words[:2] != (PADDING, UNKNOWN):
            raise DataError(f"a vocabulary starts with {PADDING} and {UNKNOWN}, this one with {self.words[:2]}")
        if len(set(self.words)) != len(self.words):
            twice = [word for word, count in Counter(self.words).items() if count > 1]
            raise DataError(f"the vocabulary has words twice: {', '.join(twice[:5])}")

    @classmethod
    def build(cls, texts: Iterable[Sequence[str]], minimum_count: int = 1) -> "Vocabulary":
        """Every word of the normalised `texts` seen `minimum_count` times or more, most frequent first."""
        counts = Counter(word for words in texts for word in words)
        kept = sorted((w for w in counts if counts[w] >= minimum_count), key=lambda w: (-counts[w], w))
        return cls((PADDING, UNKNOWN, *(w for w in kept if w not in (PADDING, UNKNOWN))))

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._number

    @cached_property
    def _number(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    def encode(self, words: Sequence[str]) -> np.ndarray:
        """words -> numbers [L] int64; a word that is not known becomes 1."""
        return np.array([self._number.get(word, 1) for word in words], dtype=np.int64)

    def unknown(self, words: Sequence[str]) -> list[str]:
        """The words of an instruction that are not known, each once, in order."""
        return list(dict.fromkeys(word for word in words if word not in self._number))

    def nearest(self, word: str, count: int = 3) -> list[str]:
        """Known words spelt most like `word`, best first; possibly none."""
        return difflib.get_close_matches(word, self._plain, n=count, cutoff=0.7)

    @cached_property
    def _plain(self) -> list[str]:
        return [word for word in self.words[2:] if not word.startswith("<")]

    def read(self, instruction: str) -> list[str]:
        """The words of what a person tells the drawer, ready for `encode`; the speaker's mark comes first.

        Raises InstructionError when nothing in it can be drawn; the sentence says why and what to do.
        """
        # a word in quotation marks is no clitic
        words = [w[1:] if w[0] == "'" and w not in self and w[1:] in self else w for w in normalise(instruction)]
        if not instruction.strip():
            raise InstructionError("the instruction is empty; say what to draw, for example: a large tree on the left")
        if len(words) > MAX_WORDS:
            raise InstructionError(
                f"the instruction has {len(words):,} words, the drawer reads at most {MAX_WORDS}; "
                "tell it in several turns"
            )
        if not any(word in self for word in words if not word.startswith("<")):
            near = [n for word in words[:10] for n in self.nearest(word, 1)]
            hint = f"did you mean {', '.join(near)}?" if near else f"it knows words such as {self.examples()}"
            raise InstructionError(f"the drawer knows no word of {shorten(instruction)!r}; {hint}")
        return words if words[0] in (TELLER, DRAWER) or TELLER not in self else [TELLER, *words]

    def examples(self, count: int = 6) -> str:
        """A few frequent words that name something, for messages."""
        long = [word for word in self._plain if len(word) > 3 and word.isalpha()]
        return ", ".join(long[:count])

    def save(self, path: Path) -> None:
        """Write the words as JSON, in order."""
        path.write_text(json.dumps(list(self.words), ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read what `save` wrote. Raises DataError naming the file when it is not that."""
        try:
            words = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(f"no vocabulary at {path}") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise DataError(f"{path} is not a vocabulary: {error}") from None
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise DataError(f"{path} is not a vocabulary: a list of words was expected")
        try:
            return cls(tuple(words))
        except DataError as error:
            raise DataError(f"{path}: {error}") from None


def pad(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Numbers of unequal length -> [N, L] int64, padded with 0 to the longest (L is at least 1)."""
    padded = np.zeros((len(rows), max((len(row) for row in rows), default=0) or 1), dtype=np.int64)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return padded


def characters(text: str, *, cut: bool = False) -> np.ndarray:
    """Codes of a caption's characters, int64 [201], lower-case: 1 to 70 is a symbol of `ALPHABET`, 0 none of them.

    The published encoders were trained on such codes: a symbol they do not know is a column of zeros, and so is the
    rest after the caption's end (Reed et al. 2016, arXiv:1605.05396; the released data and code). `strange` names the
    symbols that are not known. Raises InstructionError for a longer caption, unless it may be `cut`.
    """
    lower = text.lower()
    if len(lower) > MAX_CHARACTERS and not cut:
        raise InstructionError(
            f"the caption has {len(lower):,} characters, and {MAX_CHARACTERS} are read: say it in fewer, or "
            f"let the rest be cut (--cut): {shorten(text)!r}"
        )
    codes = np.zeros(MAX_CHARACTERS, np.int64)
    read = [_CODES.get(symbol, 0) for symbol in lower[:MAX_CHARACTERS]]
    codes[: len(read)] = read
    return codes


def coded(captions: Sequence[str], vocabulary: Vocabulary) -> tuple[np.ndarray, np.ndarray]:
    """Captions as a text encoder reads them: characters [N, 201] and words [N, L], int64. What is too long is cut."""
    rows = [vocabulary.encode(normalise(caption)[:MAX_WORDS]) for caption in captions]
    return np.stack([characters(caption, cut=True) for caption in captions]), pad(rows)


def spelled(codes: Iterable[int]) -> str:
    """What `characters` read, as far as it could: symbols that it did not know become spaces."""
    return "".join(ALPHABET[code - 1] if code else " " for code in codes).rstrip()


def strange(text: str) -> list[str]:
    """The symbols of a caption that `characters` does not know, each once, in order."""
    return list(dict.fromkeys(symbol for symbol in text.lower() if symbol not in _CODES))


def shorten(text: str, most: int = 60) -> str:
    """The beginning of a text, for a message."""
    return text.strip() if len(text.strip()) <= most else text.strip()[: most - 3] + "..."


def read_vectors(path: Path, vocabulary: Vocabulary, dim: int) -> np.ndarray:
    """Word vectors [V, dim] float32 from a GloVe text file, read line by line: only what the vocabulary needs is kept.

    As in the GeNeVA data: a word that is not in the file takes the file's vector of "unk"; `<teller>` is 0 in its first
    half and 0.1 in its second, `<drawer>` the reverse; padding is 0. Raises DataError naming the line that is wrong.
    """
    vectors = np.zeros((len(vocabulary), dim), dtype=np.float32)
    wanted = {word: number for number, word in enumerate(vocabulary.words)}
    found: set[int] = set()
    unknown = np.zeros(dim, dtype=np.float32)
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                word, *values = line.rstrip().rsplit(" ", dim)
                if word != "unk" and word not in wanted:
                    continue
                if len(values) != dim:
                    raise DataError(
                        f"{path}, line {number}: {len(values)} numbers, {dim} expected; set --config.word-dim"
                    )
                vector = np.array(values, dtype=np.float32)
                if word == "unk":
                    unknown = vector
                if word in wanted:
                    vectors[wanted[word]] = vector
                    found.add(wanted[word])
    except FileNotFoundError:
        raise DataError(f"no word vectors at {path}; give a GloVe text file, or leave --config.glove empty") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; give a GloVe text file") from None
    except ValueError as error:
        raise DataError(f"{path} is not a GloVe text file: {error}") from None
    if not found:
        raise DataError(
            f"{path} has no vector of {dim} numbers for any of the {len(vocabulary):,} words; is it a GloVe text file, "
            f"and --config.word-dim {dim} its length?"
        )
    vectors[[number for number in range(1, len(vocabulary)) if number not in found]] = unknown
    for mark, half in ((TELLER, slice(dim // 2, None)), (DRAWER, slice(None, dim // 2))):
        if mark in vocabulary:
            vectors[wanted[mark]] = 0
            vectors[wanted[mark], half] = 0.1
    return vectors
