"""The control mechanism: which layers belong to what is asked, and codes put together from two."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from telldraw.commands import edit
from telldraw.commands.steering import (
    EMPHASIS,
    STRENGTH,
    TABLES,
    VARIETY,
    Change,
    Moves,
    contraries,
    layers_for,
    mixed,
    parsed,
    phrase,
    sentence,
    structure,
    table_of,
    told,
    with_neighbours,
)
from telldraw.data.face_words import LEXICON, asked
from telldraw.errors import TelldrawError
from telldraw.text import PADDING, UNKNOWN, Vocabulary

WORDS = Vocabulary((PADDING, UNKNOWN, *"this person is smiling not has blond hair wears a hat".split()))


class Codes:
    """A stand-in whose text code says how often each word is told, in every layer alike."""

    layers = 14

    def __init__(self, words: Vocabulary = WORDS) -> None:
        self.mean = torch.zeros(14, len(words))

    def code_of(self, kind: str, given: Tensor) -> Tensor:
        assert kind == "text"
        counts = torch.nn.functional.one_hot(given, self.mean.shape[1]).sum(1).float()
        return counts.unsqueeze(1).expand(-1, 14, -1)


def loaded(card: dict[str, Any] | None = None, layers: int = 14, words: Vocabulary = WORDS) -> Any:
    system = Codes(words)
    system.layers = layers
    return SimpleNamespace(system=system, card=card or {}, name="faces", folder="runs/faces", vocabulary=words)


@pytest.mark.parametrize(
    ("text", "found"), [("0", (0,)), ("0-3,8", (0, 1, 2, 3, 8)), (" 2 - 4 ,3", (2, 3, 4)), ("9", (9,))]
)
def test_layers_as_people_write_them(text: str, found: tuple[int, ...]) -> None:
    assert parsed(text, 10) == found


@pytest.mark.parametrize("text", ["", "10", "3-1", "a", "-2", "1,,2", "0-10"])
def test_what_names_no_layers_is_refused(text: str) -> None:
    with pytest.raises(TelldrawError, match=r"names no layers; there are 0 to 9"):
        parsed(text, 10)


def test_layers_of_all_that_is_asked() -> None:
    table = {"Smiling": (4, 5), "Eyeglasses": (0,), "Young": (12,)}
    assert layers_for({"Smiling": True, "Eyeglasses": False}, table, 10) == (0, 4, 5)
    assert layers_for({}, table, 10) == tuple(range(10)), "a sentence about nothing that is known: all layers"
    assert layers_for({"Smiling": True, "Bangs": True}, table, 10) == tuple(range(10))
    assert layers_for({"Young": True}, table, 10) == tuple(range(10)), "the generator has no such layer"


def test_neighbours_end_where_the_layers_end() -> None:
    assert with_neighbours((0,), 10) == (0, 1, 2)
    assert with_neighbours((4, 5), 10) == (2, 3, 4, 5, 6, 7)
    assert with_neighbours((9,), 10) == (7, 8, 9)


def test_published_tables_name_attributes_and_layers_there_are() -> None:
    for table in TABLES.values():
        assert set(table) <= set(LEXICON)
        assert all(0 <= layer < 14 for layers in table.values() for layer in layers)
    assert TABLES["tedigan14"]["Eyeglasses"] == (0,), "row 1 of the paper's table, which counts from 1"
    assert TABLES["tedigan14"]["Black_Hair"] == (6,)


def test_which_table_counts() -> None:
    measured = {"layers": {"table": {"Smiling": [2, 3]}}}
    assert table_of(loaded(measured), None) == {"Smiling": (2, 3)}
    assert table_of(loaded(), None) == {} and table_of(loaded(measured), "all") == {}
    assert table_of(loaded(), "idinvert14") is TABLES["idinvert14"]
    with pytest.raises(TelldrawError, match="have not been measured yet: telldraw layers runs/faces"):
        table_of(loaded(), "auto")
    with pytest.raises(TelldrawError, match="choose from auto, tedigan14"):
        table_of(loaded(), "mine")
    with pytest.raises(TelldrawError, match="14 layers .* faces has 10"):
        table_of(loaded(layers=10), "tedigan14")


def test_content_in_its_layers_and_style_in_the_others() -> None:
    content, style = torch.ones(2, 5, 3), torch.zeros(2, 5, 3)
    out = mixed(content, style, (1, 4))
    assert out[:, :, 0].tolist() == [[0, 1, 0, 0, 1]] * 2
    assert torch.equal(mixed(content, style, range(5)), content) and torch.equal(mixed(content, style, ()), style)


def test_structure_of_14_layers_ends_where_pixel2style2pixel_has_it() -> None:
    assert structure(14) == tuple(range(8)) and structure(10) == tuple(range(6))


@pytest.mark.parametrize("name", sorted(set(LEXICON) - {"5_o_Clock_Shadow", "No_Beard"}))
@pytest.mark.parametrize("there", [True, False])
def test_a_phrase_says_its_attribute(name: str, there: bool) -> None:
    assert asked(f"This person {phrase(name, there)}.").get(name) is there


def test_the_contrary_of_what_is_asked() -> None:
    wanted = {"Smiling": True, "Wearing_Hat": False}
    assert sentence(wanted) == "This person is smiling and does not wear a hat."
    assert contraries(wanted) == ["This person is not smiling and wears a hat."]
    other = ("black", "brown", "gray")
    assert contraries({"Blond_Hair": True}) == [f"This person has {colour} hair." for colour in other]
    assert contraries({"Blond_Hair": True, "Smiling": True})[0] == "This person is not smiling and has black hair."


def test_a_text_replaces_the_layers_it_is_about() -> None:
    change = Change(loaded(), "he is smiling", table={"Smiling": (3,)}, how="replace")
    assert change.wanted == {"Smiling": True} and change.layers == (3,)
    code = torch.full((1, 14, len(WORDS)), 5.0)
    out = change(code)
    assert torch.equal(out[0, 3], change.code[0, 3])
    assert torch.equal(out[0, [n for n in range(14) if n != 3]], code[0, 1:])


def test_a_text_moves_the_layers_it_is_about_from_its_contrary() -> None:
    change = Change(loaded(), "smiling, please", table={"Smiling": (3, 4)}, how="move", strength=2.0)
    step = change(torch.zeros(1, 14, len(WORDS)))
    assert step[0].any(1).nonzero().flatten().tolist() == [1, 2, 3, 4, 5, 6], "two layers more on both sides"
    assert change.layers == (1, 2, 3, 4, 5, 6)
    # "this person is smiling" against "this person is not smiling"
    apart = {word: float(value) for word, value in zip(WORDS.words, step[0, 3], strict=True) if value}
    assert apart == {"not": -2.0}


def test_hair_of_a_colour_is_moved_from_the_other_colours() -> None:
    change = Change(loaded(), "make it blond hair", table={"Blond_Hair": (0,)}, strength=1.0)
    step = change(torch.zeros(1, 14, len(WORDS)))[0, 0]
    apart = {word: round(float(value), 3) for word, value in zip(WORDS.words, step, strict=True) if value}
    assert apart == {"blond": 1.0, "<unk>": -1.0}, "black, brown and gray are no words of this vocabulary"
    assert change.intended["Black_Hair"] is False and change.intended["Blond_Hair"] is True


def test_hair_is_moved_from_the_colour_it_has() -> None:
    """As far as from the mean of all others, but from this one."""
    words = Vocabulary((PADDING, UNKNOWN, *"this person has blond hair black brown gray".split()))
    weights = loaded(words=words)
    codes = {name: told(weights, [f"This person has {name} hair."])[0] for name in ("black", "gray", "blond")}
    moves = Moves(weights, {"Blond_Hair": (2,)})
    step = moves.of({"Blond_Hair": True}, torch.stack([codes["black"], codes["gray"]]))
    for row, own in zip(step, ("black", "gray"), strict=True):
        assert torch.allclose(F.normalize(row[2], dim=0), F.normalize(codes["blond"][2] - codes[own][2], dim=0))
        assert row[2].norm() == pytest.approx(moves.across("Blond_Hair", True)[0, 2].norm().item(), rel=1e-5)
        assert not row[5:].any() and row[:5].any(1).all()


def test_what_is_not_known_is_moved_from_the_mean() -> None:
    change = Change(loaded(), "wears wears", table={"Blond_Hair": (0,)}, strength=1.0)
    assert not change.wanted and change.layers == tuple(range(14))
    assert torch.equal(change(torch.zeros(1, 14, len(WORDS))), change.code)


def test_several_things_are_each_moved_in_their_own_layers() -> None:
    table = {"Smiling": (3,), "Blond_Hair": (5,)}
    both = Moves(loaded(), table).of({"Smiling": True, "Blond_Hair": True})
    each = [Moves(loaded(), table).of({name: True}) for name in ("Smiling", "Blond_Hair")]
    assert torch.equal(both, each[0] + each[1])
    assert [one[0].any(1).nonzero().flatten().tolist() for one in each] == [[1, 2, 3, 4, 5], [3, 4, 5, 6, 7]]
    told = Moves(loaded(), table).of({"Smiling": True}, stressed=True)  # a drawing: what decides, alone
    assert told[0].any(1).nonzero().flatten().tolist() == [3]
    assert Moves(loaded(), table, (7,)).of({"Smiling": True})[0].any(1).nonzero().flatten().tolist() == [7]


def test_noise_beside_a_text_speaks_of_nothing_it_asks_for() -> None:
    torch.manual_seed(0)
    moves = Moves(loaded(), {})
    noise = torch.randn(4, 14, len(WORDS))
    wanted = {"Smiling": True, "Blond_Hair": True}
    left = moves.beside(wanted, noise)
    for name in wanted:
        assert (left.flatten(1) @ moves.across(name, True).flatten()).abs().max() < 1e-3
    assert 0.5 < left.norm() / noise.norm() < 1
    assert torch.equal(moves.beside({}, noise), noise)
    text = torch.randn(1, 14, len(WORDS)).expand(4, -1, -1)
    faces = moves.imagined(text, wanted, noise)
    assert torch.allclose(faces - text - EMPHASIS * moves.of(wanted, stressed=True), VARIETY * left, atol=1e-5)
    assert torch.allclose(moves.imagined(text, {}, noise) - text, VARIETY * noise, atol=1e-5)


def test_the_flag_has_the_strength_that_is_usual() -> None:
    assert edit.Options("weights").strength == STRENGTH
