"""What a drawn face is like: the attributes of CelebA, and a look, numbers that the attributes leave open.

The four that pictures are measured by, colour of hair (black, blond, brown, gray or none of these), Eyeglasses, Smiling
and Wearing_Hat, are drawn by themselves: none of the others, and no number of the look, is drawn with regard to them.
The others go together much as they do in CelebA (Liu et al. 2015): beards with Male, lipstick with makeup, a double
chin with Chubby. All that is true can be seen: Bald leaves hair at the sides, and hats the hair's front and sides.
"""

from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

CELEBA = (
    *("5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose"),
    *("Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses"),
    *("Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache"),
    *("Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks"),
    *("Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick"),
    *("Wearing_Necklace", "Wearing_Necktie", "Young"),
)
"""The 40 attributes in the order of their files."""
UNDRAWN = ("Attractive", "Blurry")
"""Those that a drawing does not have: never true."""
ATTRIBUTES = tuple(name for name in CELEBA if name not in UNDRAWN)
HAIR = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")
"""At most one is true; hair of none of these is red."""
MEASURED = (*HAIR, "Eyeglasses", "Smiling", "Wearing_Hat")
SPLITS = ("train", "val", "test")

SHARES = {**dict.fromkeys(HAIR, 0.22), "Eyeglasses": 0.35, "Smiling": 0.5, "Wearing_Hat": 0.25}
"""How often each of the measured ones is true."""


@dataclass(frozen=True)
class Look:
    """What attributes leave open. Lengths are in heads: 1 is half the side of a picture for a head of scale 1."""

    turn: float  # of the head, in radians, to the right of the picture
    tilt: float  # towards a shoulder, in radians, clockwise
    nod: float  # down, in radians
    scale: float
    tone: float  # of the skin, 0 pale to 1 dark
    warmth: float  # of the skin, -1 pink to 1 golden
    shade: float  # of the hair within its colour, 0 dark to 1 light
    width: float  # of the face, 1 is the mean
    jaw: float  # 0 pointed to 1 square
    eye_size: float  # 1 is the mean
    eye_gap: float  # half the distance of the eyes
    eye_colour: float  # 0 brown, then hazel, green, blue, to 1 gray
    gaze: float  # of the eyes, -1 left to 1 right
    brow_height: float
    nose_length: float
    mouth_width: float
    hair_length: float  # 0 short, 0.5 to the jaw, 1 beyond the shoulders
    hair_volume: float  # 0 flat to 1 full
    part: float  # where hair is parted, -1 left to 1 right
    beard_length: float
    light_side: float  # where light comes from, -1 left to 1 right
    light_height: float  # 0 level to 1 above
    contrast: float  # of light and shadow, 0 to 1
    back_hue: float  # of the background, in turns
    back_light: float
    back_turn: float  # of its second colour, in turns
    back_slope: float  # direction of the gradient, in turns
    cloth_hue: float
    cloth_light: float
    cloth_kind: float  # 0 to 1, by thirds: round neck, open neck, collar
    hat_hue: float
    hat_light: float
    hat_kind: float  # by thirds: knitted, brimmed, cap
    frame_kind: float  # of glasses, by thirds: round, square, half way
    frame_colour: float
    trinket: float  # gold, silver or coloured stones, by thirds
    pattern: float  # a number of its own for every face: strands, knots


LOOK = tuple(field.name for field in fields(Look))


@dataclass(frozen=True)
class Face:
    """A face to be drawn."""

    attributes: tuple[str, ...]  # those that are true, in the order of CELEBA
    look: Look

    @cached_property
    def _true(self) -> frozenset[str]:
        return frozenset(self.attributes)

    def has(self, *names: str) -> bool:
        """Whether any of these is true."""
        return not self._true.isdisjoint(names)

    @property
    def hair(self) -> str:
        """Colour of the hair: one of HAIR, or "" for red."""
        return next((name for name in HAIR if name in self._true), "")

    @property
    def shaven(self) -> bool:
        """Bald, and not even hair at the sides: where a bald one would have red hair."""
        return self.has("Bald") and not self.hair

    def record(self) -> list[Any]:
        """For JSON."""
        return [list(self.attributes), list(asdict(self.look).values())]

    @classmethod
    def of(cls, record: list[Any]) -> "Face":
        """Undo `record`. Raises ValueError or TypeError."""
        attributes, numbers = record
        if not set(attributes) <= set(ATTRIBUTES):
            raise ValueError("it names attributes that are not CelebA's")
        return cls(tuple(attributes), Look(*map(float, numbers)))


def face(seed: int, split: str, number: int) -> Face:
    """Face `number` of a split; it depends on these alone."""
    measured, others, looks, _ = streams(seed, split, number)
    true = draw_measured(measured) | draw_others(others)
    return Face(tuple(name for name in CELEBA if name in true), draw_look(looks, true))


def streams(seed: int, split: str, number: int) -> list[np.random.Generator]:
    """What the measured attributes, the others, the look and the captions are drawn from."""
    return [np.random.default_rng(s) for s in np.random.SeedSequence([seed, SPLITS.index(split), number]).spawn(4)]


def draw_measured(rng: np.random.Generator) -> set[str]:
    """A colour of hair or none, and three that are true by SHARES, independently."""
    place = int(rng.random() / SHARES["Black_Hair"])
    return {*HAIR[place : place + 1], *(name for name in MEASURED[4:] if rng.random() < SHARES[name])}


def draw_others(rng: np.random.Generator) -> set[str]:
    """The rest; how often depends on Male, Young and what goes before, on none of the measured ones."""

    def by_chance(share: float) -> bool:
        return rng.random() < share

    male, young = by_chance(0.46), by_chance(0.68)
    bald = male and by_chance(0.04 if young else 0.16)
    receding = not bald and by_chance((0.10 if young else 0.30) if male else 0.02)
    kind = rng.random()
    chubby = by_chance(0.14)
    makeup = not male and by_chance(0.35)
    nose, beard = rng.random(), rng.random() if male else 0.0
    stubble, goatee, full = 0.50 < beard < 0.64, 0.64 < beard < 0.76, beard > 0.84
    moustache = 0.70 < beard
    shares = {
        "Arched_Eyebrows": 0.10 if male else 0.42,
        "Bags_Under_Eyes": 0.15 if young else 0.38,
        "Big_Lips": 0.25,
        "Bushy_Eyebrows": 0.30 if male else 0.06,
        "Double_Chin": 0.55 if chubby else 0.03,
        "High_Cheekbones": 0.05 if chubby else 0.45,
        "Mouth_Slightly_Open": 0.48,
        "Narrow_Eyes": 0.15,
        "Oval_Face": 0.0 if chubby else 0.33,
        "Pale_Skin": 0.10,
        "Rosy_Cheeks": 0.04 if male else 0.22,
        "Sideburns": 0.0 if bald or not male else 0.5 if full else 0.14,
        "Wearing_Earrings": 0.04 if male else 0.40,
        "Wearing_Lipstick": 0.0 if male else 0.9 if makeup else 0.35,
        "Wearing_Necklace": 0.05 if male else 0.28,
        "Wearing_Necktie": (0.16 if young else 0.3) if male else 0.0,
        "Bangs": 0.0 if bald or receding else 0.16 if male else 0.32,
    }
    true = {name for name, share in shares.items() if by_chance(share)}
    true |= {name for name, is_true in (("Male", male), ("Young", young), ("Bald", bald)) if is_true}
    true |= {name for name, is_true in (("Chubby", chubby), ("Heavy_Makeup", makeup)) if is_true}
    true |= {"Straight_Hair"} if not bald and kind < 0.40 else {"Wavy_Hair"} if not bald and kind < 0.80 else set()
    true |= {"Big_Nose"} if nose < 0.26 else {"Pointy_Nose"} if nose < 0.50 else set()
    true |= {"Receding_Hairline"} if receding else set()
    true |= {"5_o_Clock_Shadow"} if stubble else {"Goatee"} if goatee else set()
    return (
        true
        | ({"Mustache"} if moustache else set())
        | ({"No_Beard"} if beard <= 0.50 or 0.76 <= beard <= 0.84 else set())
    )


def draw_look(rng: np.random.Generator, true: set[str]) -> Look:
    """Numbers for a face with these attributes; of the measured ones, none is looked at."""
    male = "Male" in true

    def near(mean: float, spread: float) -> float:
        return float(mean + spread * np.clip(rng.normal(), -2, 2))

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    tone = 0.0 + 0.05 * rng.random() if "Pale_Skin" in true else 0.16 + 0.84 * rng.random() ** 1.4
    long = rng.random() < (0.12 if male else 0.80)
    short = "Bald" in true or ("Receding_Hairline" in true and male) or not long
    length = 0.25 * rng.random() if short else 0.45 + 0.55 * rng.random()
    chubby, oval = "Chubby" in true, "Oval_Face" in true
    return Look(
        turn=near(0, 0.13),
        tilt=near(0, 0.06),
        nod=near(0, 0.05),
        scale=near(1.0, 0.025),
        tone=float(tone),
        warmth=between(-1, 1),
        shade=between(0, 1),
        width=near(1.10 if chubby else 0.955 if oval else 1.0, 0.015),
        jaw=near((0.55 if male else 0.22) + (0.25 if chubby else -0.12 if oval else 0.0), 0.1),
        eye_size=near(1.0 if male else 1.1, 0.05),
        eye_gap=near(0.214, 0.008),
        eye_colour=between(0, 1),
        gaze=near(0, 0.35),
        brow_height=near(0.0, 0.012),
        nose_length=near(1.0, 0.05),
        mouth_width=near(1.0, 0.05),
        hair_length=float(length),
        hair_volume=between(0, 1),
        part=between(-1, 1),
        beard_length=between(0, 1),
        light_side=between(-1, 1),
        light_height=between(0.3, 1),
        contrast=between(0, 1),
        back_hue=between(0, 1),
        back_light=between(0, 1),
        back_turn=near(0, 0.08),
        back_slope=between(0, 1),
        cloth_hue=between(0, 1),
        cloth_light=between(0, 1),
        cloth_kind=between(0, 1),
        hat_hue=between(0, 1),
        hat_light=between(0, 1),
        hat_kind=between(0, 1),
        frame_kind=between(0, 1),
        frame_colour=between(0, 1),
        trinket=between(0, 1),
        pattern=between(0, 1),
    )
