"""The regions of faces: what the numbers of a label map mean, their orders, a mirror, colours to show them in.

Loads nothing, so that tables and help can name them.
"""

from collections.abc import Sequence

REGIONS = (
    "background",
    "skin",
    "nose",
    "eye_g",  # glasses
    "l_eye",  # the person's left: on the right side of the picture
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

ORDERS: dict[str, tuple[str, ...]] = {
    "list2": REGIONS[1:],
    "list1": (
        *("skin", "neck", "hat", "eye_g", "hair", "ear_r", "neck_l", "cloth", "l_eye", "r_eye", "l_brow", "r_brow"),
        *("nose", "l_ear", "r_ear", "mouth", "u_lip", "l_lip"),
    ),
    "parsing": (
        *("skin", "l_brow", "r_brow", "l_eye", "r_eye", "eye_g", "l_ear", "r_ear", "ear_r", "nose", "mouth", "u_lip"),
        *("l_lip", "neck", "neck_l", "cloth", "hair", "hat"),
    ),
}
"""Orders in which the parts of CelebAMask-HQ are merged, later ones over earlier ones, and numbered from 1 on.

list2 and list1 stand in its owner's g_mask.py, list2 in use; parsing is that of face-parsing.PyTorch.
"""

COLOURS: dict[str, tuple[int, int, int]] = {
    "background": (38, 41, 54),
    "skin": (243, 190, 156),
    "nose": (226, 146, 112),
    "eye_g": (86, 204, 242),
    "l_eye": (39, 110, 241),
    "r_eye": (72, 149, 239),
    "eyes": (39, 110, 241),
    "l_brow": (110, 72, 40),
    "r_brow": (138, 92, 54),
    "l_ear": (233, 128, 152),
    "r_ear": (214, 102, 130),
    "mouth": (120, 20, 40),
    "u_lip": (214, 48, 78),
    "l_lip": (239, 90, 111),
    "hair": (92, 61, 46),
    "hat": (130, 81, 190),
    "ear_r": (249, 220, 92),
    "neck_l": (240, 170, 40),
    "neck": (222, 164, 128),
    "cloth": (62, 146, 110),
}
"""In what colour a region is shown."""


def mirrored(names: Sequence[str]) -> tuple[int, ...]:
    """The number of each region in the mirrored picture: `l_eye` becomes `r_eye`; what has no other side stays.

    A mirrored label map is `mirrored(names)[number]` of the map turned from left to right.
    """
    place = {name: number for number, name in enumerate(names)}
    sides = {"l_": "r_", "r_": "l_"}
    return tuple(place.get(sides.get(name[:2], "") + name[2:], number) for number, name in enumerate(names))


MIRRORED = mirrored(REGIONS)
"""`mirrored` of the 19 regions: 4 and 5 swap (eyes), 6 and 7 (brows), 8 and 9 (ears)."""


def colours(names: Sequence[str]) -> list[tuple[int, int, int]]:
    """A colour for each region; those without one of their own get greys."""
    return [COLOURS.get(name, _grey(number)) for number, name in enumerate(names)]


def _grey(number: int) -> tuple[int, int, int]:
    shade = 90 + 37 * number % 140
    return shade, shade, shade
