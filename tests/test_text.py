"""Words, numbers, and what a person may type."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telldraw.errors import DataError, InstructionError, TelldrawError
from telldraw.text import (
    ALPHABET,
    DRAWER,
    MAX_CHARACTERS,
    MAX_WORDS,
    PADDING,
    TELLER,
    UNKNOWN,
    Vocabulary,
    characters,
    coded,
    normalise,
    pad,
    read_vectors,
    spelled,
    strange,
)

WORDS = Vocabulary((PADDING, UNKNOWN, TELLER, DRAWER, *"a large tree on the left 's n't do sun that red".split()))

anything = st.text(max_size=60)
sentences = st.text("abcAZ nt'\u2019sd 0\u00e9\u0130\uff21.,!<>-_\u00b4", max_size=40)


# --- normalise ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A Large TREE, on the left!", "a large tree on the left"),
        ("that's it; don't, can't, isn't", "that 's it do n't ca n't is n't"),
        ("that\u2019s that\u2018s that\u00b4s that`s that\u02bcs that\uff07s", "that 's " * 6),
        ("\uff21\uff42 \ufb01re", "ab fire"),
        ("<teller> put a sun <drawer> ok", "<teller> put a sun <drawer> ok"),
        ("<b>bold</b> <3 <pad>", "b bold b 3 pad"),
        ("top-left under_score 3/4", "top left under score 3 4"),
        ("na\u00efve \u00c9COLE", "na\u00efve \u00e9cole"),
        ("", ""),
        ("... \U0001f600 !?", ""),
    ],
)
def test_normalise(text: str, words: str) -> None:
    assert normalise(text) == words.split()


@given(anything | sentences)
def test_normalised_words_are_their_own_normal_form(text: str) -> None:
    words = normalise(text)
    assert normalise(" ".join(words)) == words


@given(anything | sentences)
def test_normalised_words_are_lower_case_without_punctuation(text: str) -> None:
    for word in normalise(text):
        assert word == word.lower()
        assert word in (TELLER, DRAWER, "n't") or word.removeprefix("'").isalnum(), word


@given(sentences)
def test_case_and_spacing_do_not_matter(text: str) -> None:
    assert normalise(f"  {text}\n") == normalise(text)
    assert normalise(text.replace(" ", " \t ")) == normalise(text)


# --- vocabulary ---------------------------------------------------------------------------------------------------


def test_a_vocabulary_counts_and_orders() -> None:
    built = Vocabulary.build([["b", "a", "b"], ["c", "a", "b", UNKNOWN]], minimum_count=2)
    assert built.words == (PADDING, UNKNOWN, "b", "a")


@given(st.lists(st.sampled_from(WORDS.words[2:]) | st.text(min_size=1, max_size=6), max_size=12))
def test_numbers_go_back_to_words(words: list[str]) -> None:
    numbers = WORDS.encode(words)
    assert numbers.dtype == np.int64 and numbers.shape == (len(words),)
    known = [word if word in WORDS else UNKNOWN for word in words]
    assert [WORDS.words[number] for number in numbers] == known
    assert WORDS.unknown(words) == list(dict.fromkeys(word for word in words if word not in WORDS))


def test_a_vocabulary_is_saved_and_loaded(tmp_path: Path) -> None:
    words = Vocabulary((*WORDS.words, "\u00e9cole", "\u6728"))
    words.save(tmp_path / "words.json")
    assert Vocabulary.load(tmp_path / "words.json") == words


@pytest.mark.parametrize("content", ["{}", "[1, 2]", "[", '["a", "b"]', '["<pad>", "<unk>", "a", "a"]', "\xff"])
def test_what_is_no_vocabulary_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "words.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(DataError) as raised:
        Vocabulary.load(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_vocabulary_that_is_no_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=str(tmp_path)):
        Vocabulary.load(tmp_path / name)


def test_the_nearest_words_are_those_spelt_alike() -> None:
    assert WORDS.nearest("lagre") == ["large"]
    assert WORDS.nearest("treee")[0] == "tree"
    assert WORDS.nearest("xylophone") == []
    assert Vocabulary((*WORDS.words[:4], "teller")).nearest("<teller") == ["teller"], "a mark is no suggestion"


# --- what a person tells ------------------------------------------------------------------------------------------


def test_an_instruction_gets_the_mark_of_its_speaker() -> None:
    assert WORDS.read("A large TREE!") == [TELLER, "a", "large", "tree"]
    assert WORDS.read("<drawer> a tree") == [DRAWER, "a", "tree"]
    assert WORDS.read("<b>a tree</b>") == [TELLER, "b", "a", "tree", "b"]
    assert Vocabulary((PADDING, UNKNOWN, "tree")).read("a tree") == ["a", "tree"]


def test_a_word_in_quotation_marks_is_known() -> None:
    assert WORDS.read("a 'tree' on the \u2018left\u2019, that's red") == [
        *(TELLER, "a", "tree", "on", "the", "left", "that", "'s", "red")
    ]


@pytest.mark.parametrize(
    ("instruction", "sentence"),
    [
        ("", "is empty"),
        (" \n\t ", "is empty"),
        ("\U0001f600\U0001f600", "knows no word"),
        ("\u5927\u304d\u306a\u6728", "knows no word"),
        ("<teller>", "knows no word"),
        ("...", "knows no word"),
        ("lagre treee", "did you mean large, tree"),
        ("zebra quokka", "it knows words such as large, tree"),
        ("tree " * 10_000, "10,000 words"),
        ("zzzz" * 1000, "knows no word"),
    ],
)
def test_what_cannot_be_drawn_is_answered_with_a_sentence(instruction: str, sentence: str) -> None:
    with pytest.raises(InstructionError, match=sentence) as raised:
        WORDS.read(instruction)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 300


@given(anything | sentences)
def test_whatever_is_typed_is_read_or_answered(text: str) -> None:
    try:
        words = WORDS.read(text)
    except TelldrawError:
        return
    assert words[0] in (TELLER, DRAWER)
    assert any(word in WORDS for word in words[1:])
    assert len(words) <= MAX_WORDS + 1


@given(st.lists(st.lists(st.integers(1, 9), max_size=6), max_size=5))
def test_padding_adds_zeros_alone(rows: list[list[int]]) -> None:
    padded = pad([np.array(row, dtype=np.int64) for row in rows])
    assert padded.dtype == np.int64
    assert padded.shape == (len(rows), max([1, *map(len, rows)]))
    width = padded.shape[1]
    assert padded.tolist() == [row + [0] * (width - len(row)) for row in rows]


# --- word vectors -------------------------------------------------------------------------------------------------


def glove(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_word_vectors_are_found_filled_and_marked(tmp_path: Path) -> None:
    path = glove(
        tmp_path / "glove.txt",
        *("the 1 2 3 4", "zebra 9 9 9 9", ". . 5 5 5 5", "unk -1 -2 -3 -4", "tree 0.5 0 0 1e-3", "teller 8 8 8 8"),
    )
    words = Vocabulary((PADDING, UNKNOWN, TELLER, DRAWER, "tree", "the", "bush"))
    vectors = read_vectors(path, words, 4)
    assert vectors.dtype == np.float32
    unknown = [-1, -2, -3, -4]
    expected = [[0] * 4, unknown, [0, 0, 0.1, 0.1], [0.1, 0.1, 0, 0], [0.5, 0, 0, 1e-3], [1, 2, 3, 4], unknown]
    np.testing.assert_allclose(vectors, np.array(expected, np.float32))


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["zebra 1 2", "the 1 2"], "line 2: 2 numbers, 4 expected.*word-dim"),
        (["the 1 2 3 4 5 6", "tree 1 2 3 4 5 6"], "no vector of 4 numbers.*word-dim 4"),
        (["the 1 2 x 4"], "not a GloVe text file"),
        ([""], "none|no vector"),
        (["\x00\x01\x7fELF" * 50], "no vector"),
    ],
)
def test_a_file_of_other_vectors_is_named(tmp_path: Path, lines: list[str], sentence: str) -> None:
    path = glove(tmp_path / "glove.txt", *lines)
    with pytest.raises(DataError, match=sentence) as raised:
        read_vectors(path, WORDS, 4)
    assert str(path) in str(raised.value)


def test_a_binary_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(np.random.default_rng(0).bytes(20_000))
    for name in ("binary", "missing", "."):
        with pytest.raises(DataError, match=str(tmp_path)):
            read_vectors(tmp_path / name, WORDS, 4)


# --- characters ---------------------------------------------------------------------------------------------------


def test_the_alphabet_has_70_symbols_and_the_hyphen_twice() -> None:
    assert len(ALPHABET) == 70 and len(set(ALPHABET)) == 69 and ALPHABET.count("-") == 2
    assert characters("-")[0] == 60, "the later one, as a Lua table has it"


def test_characters_of_a_caption_are_these() -> None:
    codes = characters('A bird\'s bill: "long-ish" \u00e9{5}~ \n.')
    expected = [1, 70, 2, 9, 18, 4, 44, 19, 70, 2, 9, 12, 12, 43, 70, 45, 12, 15, 14, 7, 60, 9, 19, 8, 45, 70]
    expected += [0, 68, 32, 69, 57, 70, 0, 40]  # the accent and the line's end are no symbols
    assert codes.shape == (MAX_CHARACTERS,) and codes.dtype == np.int64
    assert codes[: len(expected)].tolist() == expected and not codes[len(expected) :].any()


@given(st.text(ALPHABET, max_size=MAX_CHARACTERS))
def test_what_the_alphabet_spells_is_read_whole(text: str) -> None:
    assert spelled(characters(text)) == text.rstrip() and strange(text) == []


@given(st.text(max_size=300))
def test_any_text_has_codes_and_unknown_symbols_have_names(text: str) -> None:
    codes = characters(text, cut=True)
    assert codes.shape == (MAX_CHARACTERS,) and 0 <= codes.min() and codes.max() <= len(ALPHABET)
    known = [symbol for symbol in text.lower() if symbol not in strange(text)]
    assert set(known) <= set(ALPHABET)
    short = text.lower()[:MAX_CHARACTERS]
    assert [bool(code) for code in codes[: len(short)]] == [symbol in ALPHABET for symbol in short]


def test_a_caption_that_is_too_long_is_refused_or_cut() -> None:
    assert characters("a" * 201).all()
    with pytest.raises(InstructionError, match="the caption has 202 characters, and 201 are read: say it in fewer"):
        characters("a" * 202)
    assert characters("a" * 202, cut=True).tolist() == [1] * 201


def test_captions_are_coded_together() -> None:
    letters, words = coded(["a red sun", "a sun"], WORDS)
    assert letters.shape == (2, 201) and np.array_equal(letters[1], characters("a sun"))
    assert words.tolist() == [WORDS.encode(["a", "red", "sun"]).tolist(), [*WORDS.encode(["a", "sun"]), 0]]
