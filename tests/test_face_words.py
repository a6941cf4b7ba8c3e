"""What sentences say of faces."""

import pytest

from telldraw.data.face_words import LEXICON, OPPOSITES, asked, implied
from telldraw.data.portrait.captions import SEEN, captions, seen
from telldraw.data.portrait.traits import face, streams


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a young woman with black hair and eyeglasses", "Young Black_Hair Eyeglasses -Male"),
        ("This smiling person has arched eyebrows, bangs, and wavy hair.", "Smiling Arched_Eyebrows Bangs Wavy_Hair"),
        ("She wears lipstick. She has wavy hair and high cheekbones.", "Wearing_Lipstick Wavy_Hair High_Cheekbones"),
        ("He is not smiling and has gray hair.", "-Smiling Gray_Hair"),
        ("She doesn't wear eyeglasses, but a hat.", "-Eyeglasses Wearing_Hat"),
        ("an old man without glasses, with a beard", "-Young Male -Eyeglasses -No_Beard"),
        ("long wavy blonde hair, no hat", "Wavy_Hair Blond_Hair -Wearing_Hat"),
        ("brown eyes and short black hair", "Black_Hair"),
        ("The person is bald.", "Bald"),
        ("take off the glasses", "-Eyeglasses"),
        ("He has a 5 o'clock shadow", "5_o_Clock_Shadow"),
        ("with mouth slightly open", "Mouth_Slightly_Open"),
        ("neither smiling nor wearing glasses", "-Smiling -Eyeglasses"),
        ("Remove the hat, take his glasses off, he can't smile", "-Wearing_Hat -Eyeglasses -Smiling"),
        ("black, wavy hair", "Black_Hair Wavy_Hair"),
        ("long, straight, brown hair, a hat", "Straight_Hair Brown_Hair Wearing_Hat"),
        ("she has wavy and red hair", "Wavy_Hair Red_Hair"),
        ("dark hair and sunglasses", "Black_Hair Eyeglasses"),
        ("dark brown hair", "Brown_Hair"),
        ("younger", "Young"),
        ("he is older", "-Young"),
        ("the sky over Berlin", ""),
    ],
)  # fmt: skip
def test_what_is_said(text: str, found: str) -> None:
    assert asked(text) == {word.lstrip("-"): not word.startswith("-") for word in found.split()}


def test_who_is_spoken_of_is_not_to_be_changed() -> None:
    assert asked("he is smiling, with blond hair", subject=False) == {"Smiling": True, "Blond_Hair": True}
    assert asked("this man wears a hat", subject=False) == {"Wearing_Hat": True}


def test_the_last_word_counts() -> None:
    assert asked("She smiles. She is not smiling.") == {"Smiling": False}


def test_one_colour_excludes_the_others() -> None:
    assert implied({"Blond_Hair": True, "Smiling": False}) == {
        **{"Blond_Hair": True, "Smiling": False},
        **dict.fromkeys(("Black_Hair", "Brown_Hair", "Gray_Hair", "Red_Hair", "Bald"), False),
    }
    assert implied({"Black_Hair": False}) == {"Black_Hair": False}


@pytest.mark.parametrize("name", LEXICON)
def test_every_attribute_can_be_said_by_its_own_name(name: str) -> None:
    said = name.replace("_", " ").lower().replace("5 o clock", "5 o'clock").replace("no beard", "clean shaven")
    assert asked(f"The person has {said}.").get(name) is True
    assert asked(f"without {said}").get(name) is False or name in OPPOSITES


def test_what_captions_of_drawn_faces_say_is_true_and_every_attribute_is_said() -> None:
    said: set[str] = set()
    for number in range(300):
        shown = face(3, "train", number)
        for caption in captions(streams(3, "train", number)[3], shown, 10):
            for name, there in asked(caption).items():
                true = name in seen(shown) if name in SEEN else shown.has(name)
                assert true is there, (caption, name)
                said.add(name)
    assert said == set(LEXICON) - {"Attractive", "Blurry"}, "a drawing is neither"
