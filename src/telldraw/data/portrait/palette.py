"""Colours of drawn faces, as sRGB encodes them, 0 to 1: of skin, hair, eyes, lips, cloth and light."""

import colorsys
from typing import NamedTuple

import numpy as np

from telldraw.data.portrait.traits import Face

Three = tuple[float, float, float]

_SKIN = np.array(
    [
        *((0.985, 0.895, 0.850), (0.970, 0.825, 0.735), (0.930, 0.745, 0.615), (0.845, 0.625, 0.465)),
        *((0.690, 0.460, 0.315), (0.525, 0.335, 0.230), (0.390, 0.245, 0.180)),
    ]
)
_HAIR = {  # dark and light of each
    "Black_Hair": ((0.060, 0.050, 0.065), (0.125, 0.105, 0.115)),
    "Brown_Hair": ((0.300, 0.170, 0.100), (0.480, 0.300, 0.180)),
    "Blond_Hair": ((0.850, 0.660, 0.330), (0.970, 0.850, 0.560)),
    "Gray_Hair": ((0.560, 0.570, 0.600), (0.800, 0.805, 0.820)),
    "": ((0.610, 0.190, 0.080), (0.800, 0.360, 0.140)),
}
_EYES = np.array([(0.33, 0.19, 0.10), (0.45, 0.31, 0.14), (0.30, 0.47, 0.28), (0.25, 0.47, 0.68), (0.45, 0.52, 0.58)])
_FRAMES: tuple[Three, ...] = (
    *((0.09, 0.08, 0.10), (0.36, 0.17, 0.09), (0.62, 0.10, 0.14), (0.10, 0.20, 0.42)),
    *((0.83, 0.66, 0.28), (0.80, 0.82, 0.86), (0.93, 0.92, 0.90), (0.20, 0.62, 0.60)),
)
_METALS: tuple[Three, ...] = ((0.95, 0.77, 0.33), (0.88, 0.90, 0.95))


class Palette(NamedTuple):
    """The colours of one face."""

    skin: Three
    shadow: Three  # what skin is multiplied by where light does not reach
    glow: Three  # what it is multiplied by in full light
    hair: Three
    brow: Three
    eye: Three
    lip: Three
    cloth: Three
    second: Three  # of cloth: shirt, tie, trim
    hat: Three
    band: Three  # of the hat
    frame: Three
    trinket: Three
    back: tuple[Three, Three]
    light: float  # strength of light and shadow, about 1


def palette_of(face: Face) -> Palette:
    """All colours follow from attributes and look."""
    look = face.look
    skin = np.array([np.interp(look.tone, np.linspace(0, 1, len(_SKIN)), plane) for plane in _SKIN.T])
    skin = skin * (1 + look.warmth * np.array([-0.005, 0.012, -0.035]))
    dark, light = (np.array(end) for end in _HAIR[face.hair])
    hair = dark + look.shade * (light - dark)
    brow = hair * (0.55 if face.hair in ("Blond_Hair", "Gray_Hair", "") else 0.8)
    brow = 0.8 * brow + 0.2 * skin * 0.35
    lip = skin * np.array([0.88, 0.60, 0.60]) + np.array([0.03, 0.0, 0.01])
    if face.has("Wearing_Lipstick"):
        red = np.array(hsl(0.93 + 0.10 * look.pattern, 0.72, 0.42 + 0.06 * look.cloth_light))
        lip = 0.88 * red + 0.12 * lip
    elif face.has("Male"):
        lip = 0.6 * lip + 0.4 * skin * np.array([0.86, 0.68, 0.66])
    frames = _FRAMES[4:] if look.tone > 0.72 else _FRAMES[:5] if look.tone < 0.5 else _FRAMES
    return Palette(
        skin=three(skin),
        shadow=three(np.array([0.70, 0.545, 0.535]) + (0.06 if look.tone > 0.6 else 0.0)),
        glow=(1.04, 1.05, 1.06) if look.tone < 0.4 else (1.18, 1.17, 1.18),
        hair=three(hair),
        brow=three(brow),
        eye=three(np.array([np.interp(look.eye_colour ** (0.6 + look.tone), np.arange(5) / 4, p) for p in _EYES.T])),
        lip=three(lip),
        cloth=hsl(look.cloth_hue, 0.25 + 0.35 * look.pattern, 0.22 + 0.45 * look.cloth_light),
        second=hsl(look.cloth_hue + 0.45, 0.55, 0.62 - 0.3 * look.cloth_light),
        hat=hsl(look.hat_hue, 0.55, 0.30 + 0.32 * look.hat_light),
        band=hsl(look.hat_hue + 0.08, 0.45, 0.16 + 0.22 * look.hat_light),
        frame=frames[int(look.frame_colour * len(frames) * 0.9999)],
        trinket=(*_METALS, hsl(look.pattern, 0.75, 0.55))[int(look.trinket * 2.9999)],
        back=(_ground(look.back_hue, look.back_light), _ground(look.back_hue + look.back_turn, look.back_light - 0.25)),
        light=0.75 + 0.5 * look.contrast,
    )


def _ground(hue: float, light: float) -> Three:
    return hsl(hue, 0.26, 0.54 + 0.28 * light)


def hsl(hue: float, saturation: float, lightness: float) -> Three:
    """A colour by hue in turns, saturation and lightness."""
    return colorsys.hls_to_rgb(hue % 1, min(max(lightness, 0.0), 1.0), saturation)


def times(colour: Three, factor: float) -> Three:
    """Darker, or lighter, and no lighter than white."""
    return min(colour[0] * factor, 1.0), min(colour[1] * factor, 1.0), min(colour[2] * factor, 1.0)


def mixed(one: Three, other: Three, share: float) -> Three:
    """`one` with a share of `other`."""
    return three(np.array(one) * (1 - share) + np.array(other) * share)


def three(values: np.ndarray) -> Three:
    """Floats."""
    red, green, blue = (float(value) for value in values)
    return red, green, blue
