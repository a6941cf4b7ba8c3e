"""The regions of faces: what the numbers of a label map mean, and what becomes of them in a mirror.

Loads nothing, so that tables and help can name them.
"""

from collections.abc import Sequence

REGIONS = (
    "background",
    "skin",
    "nose",
    "eye_g",  # glasses
    "l_eye",
    "r_eye",
    "l_brow",
    "r_brow",
    "l_ear",
    "r_ear",
    "mouth",  # between the lips
    "u_lip",  # the upper one
    "l_lip",  # the lower one: no left one
    "hair",
    "hat",
    "ear_r",  # earrings
    "neck_l",  # a necklace
    "neck",
    "cloth",
)
"""The 19 regions of CelebAMask-HQ (Lee et al., CVPR 2020) by number, as list2 of its owner orders them."""

FEW_REGIONS = ("background", "skin", "hair", "eyes", "nose", "mouth")
"""The six regions of FASSEG by number; brows belong to the hair."""


def mirrored(names: Sequence[str]) -> tuple[int, ...]:
    """The number of each region in the mirrored picture: `l_eye` becomes `r_eye`; what has no other side stays.

    A mirrored label map is `mirrored(names)[number]` of the map turned from left to right.
    """
    place = {name: number for number, name in enumerate(names)}
    sides = {"l_": "r_", "r_": "l_"}
    return tuple(place.get(sides.get(name[:2], "") + name[2:], number) for number, name in enumerate(names))


MIRRORED = mirrored(REGIONS)
"""`mirrored` of the 19 regions: 4 and 5 swap (eyes), 6 and 7 (brows), 8 and 9 (ears)."""
