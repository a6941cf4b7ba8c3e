"""What is said of a drawn face, and how it is read back: what is true of it, and three things that are not there.

In the style of the captions of Multi-Modal CelebA-HQ (Xia et al., CVPR 2021), made from CelebA's attributes in three
groups: what someone is, has and wears.

    She wears lipstick. She has wavy hair, bangs, and high cheekbones.
    This smiling person has arched eyebrows, bangs, and wavy hair.
    The man has black hair and a goatee. He is not wearing a hat.

and shorter, without a verb or with one, as someone would say what to draw or to change:

    a young woman with black hair and eyeglasses
    he is smiling, with blond hair
    with gray hair, without a hat

Lists have a comma before "and" where there are three or more, nouns their articles. Eyeglasses, also called glasses,
are worn, or "with" someone; nobody "has" them. Red hair and a full beard, which are no attributes of CelebA but can be
seen, are said too. Male is said by "man", "he", "woman" and "she" alone; No_Beard is not said. That something is absent
is said of eyeglasses, hats and smiles alone.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from telldraw.data.portrait.traits import Face

IS = {"Smiling": "smiling", "Bald": "bald", "Chubby": "chubby", "Young": "young"}
COLOURS = {"Black_Hair": "black", "Blond_Hair": "blond", "Brown_Hair": "brown", "Gray_Hair": "gray", "Red_Hair": "red"}
KINDS = {"Straight_Hair": "straight", "Wavy_Hair": "wavy"}
HAS = {
    "5_o_Clock_Shadow": "a 5 o'clock shadow",
    "Arched_Eyebrows": "arched eyebrows",
    "Bags_Under_Eyes": "bags under the eyes",
    "Bangs": "bangs",
    "Beard": "a beard",
    "Big_Lips": "big lips",
    "Big_Nose": "a big nose",
    "Bushy_Eyebrows": "bushy eyebrows",
    "Double_Chin": "a double chin",
    "Goatee": "a goatee",
    "High_Cheekbones": "high cheekbones",
    "Mouth_Slightly_Open": "a slightly open mouth",
    "Mustache": "a mustache",
    "Narrow_Eyes": "narrow eyes",
    "Oval_Face": "an oval face",
    "Pale_Skin": "pale skin",
    "Pointy_Nose": "a pointy nose",
    "Receding_Hairline": "a receding hairline",
    "Rosy_Cheeks": "rosy cheeks",
    "Sideburns": "sideburns",
    **{name: f"{word} hair" for name, word in (COLOURS | KINDS).items()},
}
WEARS = {
    "Eyeglasses": "eyeglasses",
    "Heavy_Makeup": "heavy makeup",
    "Wearing_Earrings": "earrings",
    "Wearing_Hat": "a hat",
    "Wearing_Lipstick": "lipstick",
    "Wearing_Necklace": "a necklace",
    "Wearing_Necktie": "a necktie",
}
ABSENT = {"Eyeglasses": "eyeglasses", "Smiling": "smiling", "Wearing_Hat": "a hat"}
"""What may be said not to be there."""
SEEN = ("Red_Hair", "Beard")
"""What is said and is none of CelebA's."""

FULL = 0
"""Number of the caption that says the colour of the hair, and all that is true of ABSENT."""
GLASSES = 0.3  # share of "glasses" among "eyeglasses"
DENIED = 0.3  # share of captions that say something is not there, where something is not

_Choice = TypeVar("_Choice")


class Said(NamedTuple):
    """What a caption says."""

    true: frozenset[str]  # names of IS, HAS and WEARS
    false: frozenset[str]  # names of ABSENT
    male: bool | None = None  # None: not said

    def fits(self, shown: Face) -> bool:
        """Whether all of it is true of a face."""
        right = self.male is None or self.male == shown.has("Male")
        return right and self.true <= seen(shown) and self.false.isdisjoint(seen(shown))


def seen(shown: Face) -> frozenset[str]:
    """What is true of a face, SEEN included."""
    own = {name for name in shown.attributes if name in IS or name in HAS or name in WEARS}
    own |= {"Red_Hair"} if not shown.hair and not shown.shaven else set()
    bearded = not shown.has("No_Beard", "Goatee", "5_o_Clock_Shadow")
    return frozenset(own | ({"Beard"} if bearded else set()))


def captions(rng: np.random.Generator, shown: Face, count: int) -> list[str]:
    """So many different captions of a face; each is true of it."""
    said: list[str] = []
    while len(said) < count:
        caption = _caption(rng, shown, full=len(said) == FULL)
        if caption not in said:
            said.append(caption)
    return said


def _caption(rng: np.random.Generator, shown: Face, *, full: bool) -> str:
    true, false = _chosen(rng, shown, full=full)
    words = Words(rng, shown.has("Male"), true, false)
    form = rng.random()
    if form < 0.68:
        return words.sentences()
    if form < 0.88:
        return words.noun()
    return words.short()


def _chosen(rng: np.random.Generator, shown: Face, *, full: bool) -> tuple[set[str], list[str]]:
    """What to say: one to six true ones, those that pictures are measured by more often; and what is not there."""
    every = sorted(seen(shown))
    first = [name for name in every if name in COLOURS or name in ABSENT]
    others = [name for name in every if name not in first]
    true = {name for name in first if full or rng.random() < 0.5}
    more = min(int(rng.integers(0, 4)), len(others))
    true |= {others[place] for place in rng.permutation(len(others))[:more]}
    absent = [name for name in ABSENT if name not in every]
    false = []
    if not absent and not true:  # all three are there
        true = {first[int(rng.integers(len(first)))]}
    if absent and (rng.random() < DENIED or not true):
        many = 1 + int(rng.random() < 0.25 and len(absent) > 1)
        false = [absent[place] for place in sorted(rng.permutation(len(absent))[:many])]
    return true, false


class Words:
    """What is to be said of someone, put into words."""

    def __init__(self, rng: np.random.Generator, male: bool, true: set[str], false: list[str]) -> None:
        """true: names of IS, HAS, WEARS; false: of ABSENT; not both empty."""
        self.rng, self.male, self.true, self.false = rng, male, true, false
        self.he = "he" if male else "she"
        self.glasses = "glasses" if rng.random() < GLASSES else "eyeglasses"

    def sentences(self) -> str:
        """One to four: what someone is, has, wears, is not, in any order; two may share a subject."""
        who = self._who()
        before = self._adjective() if who.split()[-1] in ("person", "man", "woman") and self.rng.random() < 0.5 else ""
        is_, has, wears = self._is(before), self._has(), self._wears()
        said = [f"is {_listed(is_)}"] if is_ else []
        said += [f"has {_listed(has)}"] if has else []
        said += [f"{self._pick(('wears', 'wears', 'is wearing'))} {_listed(wears)}"] if wears else []
        said = [said[place] for place in self.rng.permutation(len(said))]
        if len(said) > 1 and self.rng.random() < 0.3:
            said = [f"{said[0]} and {said[1]}" if " and " not in said[0] else f"{said[0]}, and {said[1]}", *said[2:]]
        said += self._denials()
        if not said:  # its adjective was all there was to say
            return f"This is a {before}{self._pick(('person', self._man()))}."
        subjects = [_inserted(who, before), *(self.he for _ in said[1:])]
        return " ".join(
            f"{subject[0].upper()}{subject[1:]} {what}." for subject, what in zip(subjects, said, strict=True)
        )

    def noun(self) -> str:
        """Such as "a young woman with black hair and eyeglasses"."""
        young = "young " if "Young" in self.true else ""
        others = ", ".join(IS[name] for name in IS if name in self.true and name != "Young")
        before = f"{others} {young}" if others else young
        person = self._pick((self._man(), self._man(), "person")) if before else self._man()
        with_ = self._with()
        return f"a {before}{person}{with_}{self._without(alone=not with_)}"

    def short(self) -> str:
        """Such as "he is smiling, with blond hair", or without the pronoun."""
        is_ = self._is("")
        if "Smiling" in self.false:
            is_, self.false = [*is_, "not smiling"], [name for name in self.false if name != "Smiling"]
        who = f"{self.he} is "
        said = f"{who}{_listed(is_)}" if is_ and self.rng.random() < 0.7 else _listed(is_) if is_ else ""
        said += self._with(all_=True).replace(" with", ", with", 1) + self._without()
        return said.removeprefix(", ")

    # --- parts ----------------------------------------------------------------------------------------------------

    def _pick(self, choices: Sequence[_Choice]) -> _Choice:
        return choices[int(self.rng.integers(len(choices)))]

    def _man(self) -> str:
        return "man" if self.male else "woman"

    def _who(self) -> str:
        man = self._man()
        return self._pick((self.he, self.he, f"this {man}", f"the {man}", "this person", "the person"))

    def _adjective(self) -> str:
        """One to stand before the noun, and a space; or none."""
        there = [IS[name] for name in IS if name in self.true]
        return f"{self._pick(there)} " if there else ""

    def _is(self, before: str) -> list[str]:
        """What someone is, without the adjective that stands before the noun."""
        own = [IS[name] for name in ("Young", "Chubby", "Bald", "Smiling") if name in self.true]
        return [word for word in own if word != before.strip()]

    def _has(self) -> list[str]:
        names = {name for name in self.true if name in HAS}
        colour, kind = (next((name for name in words if name in names), "") for words in (COLOURS, KINDS))
        said = []
        if colour and kind and self.rng.random() < 0.6:
            said, names = [f"{KINDS[kind]} {COLOURS[colour]} hair"], names - {colour, kind}
        said += [HAS[name] for name in sorted(names)]
        return [said[place] for place in self.rng.permutation(len(said))]

    def _wears(self) -> list[str]:
        said = [self._worn(name) for name in sorted(self.true) if name in WEARS]
        return [said[place] for place in self.rng.permutation(len(said))]

    def _worn(self, name: str) -> str:
        return self.glasses if name == "Eyeglasses" else WEARS[name]

    def _with(self, *, all_: bool = False) -> str:
        """What someone has and wears, after a noun."""
        has, wears = self._has(), self._wears()
        if wears and has and not all_ and self.rng.random() < 0.4:
            return f" with {_listed(has)}, wearing {_listed(wears)}"
        if wears and not has and not all_ and self.rng.random() < 0.4:
            return f" wearing {_listed(wears)}"
        return f" with {_listed([*has, *wears])}" if has or wears else ""

    def _without(self, *, alone: bool = False) -> str:
        """What is not there, after all else, or alone after a noun."""
        worn = [self._worn(name) for name in self.false if name != "Smiling"]
        said = f"{'' if alone else ','} without {' or '.join(worn)}" if worn else ""
        if "Smiling" not in self.false:
            return said
        return " who is not smiling" if alone and not worn else f"{said}, not smiling"

    def _denials(self) -> list[str]:
        """What is not there, with verbs."""
        worn = " or ".join(self._worn(name) for name in self.false if name != "Smiling")
        said = [self._pick((f"does not wear {worn}", f"is not wearing {worn}"))] if worn else []
        return [*said, "is not smiling"] if "Smiling" in self.false else said


def _inserted(who: str, adjective: str) -> str:
    """Put an adjective before the noun of "this person"."""
    if not adjective:
        return who
    article, noun = who.split()
    return f"{article} {adjective}{noun}"


def _listed(words: Sequence[str]) -> str:
    """Joined by commas and "and"."""
    if len(words) < 3:
        return " and ".join(words)
    return f"{', '.join(words[:-1])}, and {words[-1]}"


# --- reading ------------------------------------------------------------------------------------------------------

_DENIAL = re.compile(r"\b(?:without|no|not (?:wear|wearing)) ((?:an? )?\w+(?: or (?:an? )?\w+)*)|\bnot smiling\b")
_HAIR = re.compile(r"\b(?:(straight|wavy) )?(?:(black|blond|brown|gray|red) )?hair\b")


def parse(caption: str) -> Said:
    """Read a caption back. What it says in other words than these is not seen."""
    text = " ".join(re.findall(r"[a-z0-9'_-]+", caption.lower()))
    false = set()
    for denial in _DENIAL.finditer(text):
        if denial[1] is None:
            false.add("Smiling")
        for word in (denial[1] or "").split(" or "):
            false |= {name for name, one in _PHRASES.items() if one == word.removeprefix("a ").removeprefix("an ")}
            false |= {"Eyeglasses"} if word == "glasses" else set()
    text = _DENIAL.sub(" ", text)
    true = {name for name, phrase in _PHRASES.items() if re.search(rf"\b{phrase}\b", text)}
    true |= {"Eyeglasses"} if re.search(r"\bglasses\b", text) else set()
    for hair in _HAIR.finditer(text):
        true |= {name for name, word in (KINDS | COLOURS).items() if word in hair.groups()}
    words = set(text.split())
    men, women = words & {"man", "he", "male", "him", "his"}, words & {"woman", "she", "female", "her"}
    return Said(frozenset(true), frozenset(false), None if bool(men) == bool(women) else bool(men))


def _phrases(*groups: Mapping[str, str]) -> dict[str, str]:
    """Without articles; hair is read by itself."""
    every = {name: phrase for group in groups for name, phrase in group.items()}
    own = {name: phrase for name, phrase in every.items() if not phrase.endswith(" hair")}
    return {name: phrase.removeprefix("a ").removeprefix("an ") for name, phrase in own.items()}


_PHRASES = _phrases(IS, HAS, WEARS)
