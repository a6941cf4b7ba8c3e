"""What a face wears: glasses, a hat, earrings, a necklace."""

import numpy as np

from telldraw.data.portrait.canvas import Area, angle, blob, box, ellipse, length, noise, smooth
from telldraw.data.portrait.features import EYES
from telldraw.data.portrait.hair import HAT_LINE
from telldraw.data.portrait.head import Sitter, below

RIM = 0.0185
"""Half the width of the frame of glasses."""


def glasses(sitter: Sitter) -> None:
    """Two rims, a bridge and arms; the lenses gleam."""
    face, colours = sitter.face, sitter.colours
    look = face.look
    ahead = 0.04 * look.turn
    places = []
    for sign in (1, -1):
        x, y = sitter.at(sign * (look.eye_gap + 0.006), EYES + 0.012)
        x += ahead
        wide = 0.172 * (0.4 + 0.6 * sitter.wide(sign * look.eye_gap))
        places.append((x, y, wide))
        area = sitter.near((x, y), 0.26, 0.24)
        d = _rim(area, look.frame_kind, wide)
        lens = area.cover(d)
        area.paint(0.09 * lens, (0.86, 0.93, 0.98))
        gleam = smooth(np.abs(area.u + 0.55 * area.v + 0.035), 0.040, 0.030) + smooth(
            np.abs(area.u + 0.55 * area.v - 0.045), 0.016, 0.010
        )
        area.paint(0.18 * lens * np.clip(gleam, 0, 1) * smooth(area.v, 0.06, -0.02), (1, 1, 1))
        area.shade(0.45 * smooth(np.abs(d - 0.012) - RIM, 0.03, 0.0) * area.only("skin", "nose"), colours.shadow)
        _frame(sitter, area, np.abs(d) - RIM, area.v)
        area.mark(d < RIM, "eye_g", ("skin", "nose", "hair", "background", "l_ear", "r_ear"))
        _arm(sitter, (x, y), sign, wide)
    (x1, y, w1), (x2, _, w2) = places
    middle, half = ((x1 - w1) + (x2 + w2)) / 2, max((x1 - w1) - (x2 + w2), 0.02) / 2
    area = sitter.near((middle, y - 0.035), half + 0.05, 0.08)
    d = np.maximum(np.abs(area.v + 0.03 - 3.0 * area.u**2) - RIM * 0.9, np.abs(area.u) - half - RIM)
    _frame(sitter, area, d, area.v)
    area.mark(d < 0, "eye_g", ("skin", "nose"))


def _rim(area: Area, kind: float, wide: float) -> np.ndarray:
    """Signed distance to the middle of a rim."""
    if kind < 1 / 3:
        return ellipse(area.u, area.v, wide * 0.97, 0.150)
    if kind < 2 / 3:
        return box(area.u, area.v, wide, 0.122, 0.045)
    lower = area.v + 0.10 * smooth(area.v, -0.1, 0.1)
    return box(area.u, lower * 0.9, wide, 0.125, 0.095)


def _frame(sitter: Sitter, area: Area, d: np.ndarray, v: np.ndarray) -> None:
    alpha = area.cover(d)
    tone = 1.10 - 0.25 * smooth(v, -0.12, 0.12)
    area.paint(alpha, [np.clip(c * tone + 0.10 * smooth(d, -0.012, -RIM), 0, 1) for c in sitter.colours.frame])
    area.ink(alpha)


def _arm(sitter: Sitter, at: tuple[float, float], sign: int, wide: float) -> None:
    x, y = at
    start = x + sign * wide
    end = sign * (0.475 * sitter.face.look.width) - 0.03 * sitter.face.look.turn
    if sign * (end - start) < 0.01:
        return
    area = sitter.near(((start + end) / 2, y - 0.04), abs(end - start) / 2 + 0.03, 0.07)
    d = np.maximum(np.abs(area.v + 0.006) - RIM * 0.8, np.abs(area.u) - abs(end - start) / 2)
    _frame(sitter, area, d + 100 * (1 - area.only("skin", "eye_g", "nose")), area.v)
    area.mark(d < 0, "eye_g", ("skin",))


# --- hats ---------------------------------------------------------------------------------------------------------


def hat(sitter: Sitter) -> None:
    """Knitted, brimmed, or a cap; it throws its shadow on hair and forehead."""
    kind, area = sitter.face.look.hat_kind, sitter.part((0, HAT_LINE - 0.12), 1.0, 0.50)
    drop = 0.16 if kind > 1 / 3 else 0.07
    under = area.v - HAT_LINE - 0.02
    there = smooth(under, drop, 0.0) * area.only("skin", "hair", "l_brow", "r_brow", "l_ear", "r_ear")
    area.shade(0.55 * there, (0.62, 0.56, 0.60))
    if kind < 1 / 3:
        _knitted(sitter, area)
    elif kind < 2 / 3:
        _brimmed(sitter, area)
    else:
        _cap(sitter, area)


def _dome(area: Area, wide: float, top: float, square: float) -> np.ndarray:
    """Distance to the crown of a hat: from its line up to `top`."""
    u, v = area.u, area.v
    high = HAT_LINE - top
    a = np.abs(u) / np.float32(wide)
    b = np.clip((HAT_LINE + 0.03 - v) / np.float32(high + 0.03), 0, None)
    d = ((a**square + b**square) ** np.float32(1 / square) - 1) * np.float32(min(wide, high))
    return np.maximum(d, v - HAT_LINE - 0.035 + 0.10 * (a * a))


def _cloth(
    sitter: Sitter, area: Area, alpha: np.ndarray, texture: np.ndarray | float = 0.0, band: bool = False
) -> None:
    look = sitter.face.look
    round_ = np.sqrt(np.clip(1 - (area.u / 0.66) ** 2, 0, 1))
    tone = 0.62 + 0.46 * round_ + 0.26 * area.u * look.light_side - 0.35 * (area.v + 0.75) + texture
    colour = sitter.colours.band if band else sitter.colours.hat
    area.paint(alpha, [np.clip(c * tone, 0, 1) for c in colour], "hat")


def _knitted(sitter: Sitter, area: Area) -> None:
    d = _dome(area, 0.565, -0.955, 2.1)
    ribs = 0.07 * np.sin(angle(area.u, 1.1 + area.v) * 62)
    if sitter.face.look.hat_light > 0.4:
        ball = ellipse(area.u, area.v + 0.965, 0.115, 0.10)
        soft = 0.10 * noise(area.u * 30 + area.v * 23, 1)
        _cloth(sitter, area, area.cover(ball + soft * 0.1), soft + 0.1, band=True)
        area.ink(smooth(np.abs(ball), 0.014, 0.004))
    _cloth(sitter, area, area.cover(d), ribs)
    fold = np.abs(area.v - HAT_LINE + 0.055 + 0.09 * area.u**2) - 0.085
    fold = np.maximum(fold, np.abs(area.u) - 0.580)
    area.shade(0.5 * smooth(fold, 0.05, 0.0) * area.only("hat"), (0.6, 0.6, 0.65))
    _cloth(sitter, area, area.cover(fold), 0.10 + ribs, band=True)
    area.ink(smooth(np.abs(fold), 0.014, 0.004))


def _brimmed(sitter: Sitter, area: Area) -> None:
    crown = _dome(area, 0.50, -0.975, 2.9) + 0.03 * blob(area.u, area.v + 1.0, 0.14, 0.10)
    brim = ellipse(
        area.u, area.v - HAT_LINE - 0.015 + 0.30 * area.u**2 * (0.5 - sitter.face.look.hat_light), 0.80, 0.085
    )
    _cloth(sitter, area, area.cover(crown))
    stripe = np.maximum(np.abs(area.v - HAT_LINE + 0.085 + 0.05 * area.u**2) - 0.050, crown)
    _cloth(sitter, area, area.cover(stripe), band=True)
    area.ink(smooth(np.abs(stripe), 0.014, 0.004))
    lit_ = 0.22 * smooth(area.v - HAT_LINE, 0.06, -0.06) - 0.05
    _cloth(sitter, area, area.cover(brim), lit_)
    area.ink(smooth(np.abs(brim), 0.014, 0.004))


def _cap(sitter: Sitter, area: Area) -> None:
    look = sitter.face.look
    d = _dome(area, 0.555, -0.90, 2.0)
    seams = -0.10 * smooth(np.abs(np.abs(area.u) - 0.22 - 0.2 * (area.v + 0.5)), 0.02, 0.0)
    _cloth(sitter, area, area.cover(d), seams)
    button = ellipse(area.u, area.v + 0.905, 0.045, 0.022)
    _cloth(sitter, area, area.cover(button), 0.2, band=True)
    x = 0.5 * look.turn
    u, v = area.u - np.float32(x), area.v - np.float32(HAT_LINE)
    visor = np.maximum(ellipse(u, v + 0.03, 0.46, 0.125), -0.075 - v + 0.30 * u * u)
    area.shade(0.5 * smooth(visor, 0.06, 0.0) * area.only("hat", "skin", "hair"), (0.6, 0.58, 0.62))
    _cloth(sitter, area, area.cover(visor), 0.16 * smooth(v, 0.10, -0.05), band=True)
    area.ink(smooth(np.abs(visor), 0.014, 0.004))


# --- trinkets -----------------------------------------------------------------------------------------------------


def earrings(sitter: Sitter) -> None:
    """At both ears, hanging below the lobes, in front of hair."""
    look = sitter.face.look
    for sign in (1, -1):
        away = sign * look.turn
        x = sign * (0.500 * look.width - 0.12 * max(away, 0.0) - 0.02 * max(-away, 0.0))
        area = sitter.near((x, 0.20 + 0.25 * look.nod), 0.12, 0.17)
        u, v = area.u, area.v
        if look.pattern < 0.4:
            d = np.abs(ellipse(u, v - 0.045, 0.058, 0.072)) - 0.017
        elif look.pattern < 0.75:
            d = np.minimum(length(u, v + 0.02) - 0.024, ellipse(u, v - 0.055, 0.036, 0.056))
        else:
            d = length(u, v - 0.0) - 0.048
        area.shade(0.5 * smooth(d - 0.005, 0.025, 0.0), (0.6, 0.55, 0.55))
        _metal(sitter, area, d, "ear_r")


def _metal(sitter: Sitter, area: Area, d: np.ndarray, region: str) -> None:
    tone = 0.82 + 0.35 * smooth(area.u * sitter.face.look.light_side - area.v, -0.06, 0.08)
    spark = smooth(np.abs(area.u + area.v), 0.020, 0.0) * smooth(d, 0.0, -0.012)
    area.paint(area.cover(d), [np.clip(c * tone + 0.35 * spark, 0, 1) for c in sitter.colours.trinket], region)
    area.ink(smooth(np.abs(d), 0.014, 0.004))


def necklace(sitter: Sitter) -> None:
    """A chain or beads around the neck."""
    look = sitter.face.look
    area = sitter.canvas.area(below(sitter), (0, 0.78), (0.40, 0.22))
    u, v = area.u, area.v + np.float32(0.78)
    low = 0.815 + 0.03 * look.trinket
    curve = v - low + 1.9 * u**2 + 0.3 * np.abs(u)
    steep = np.sqrt(1 + (3.8 * u) ** 2)
    line = np.abs(curve) / steep
    if look.pattern < 0.5:
        along = np.abs((angle(u, 1.15 - v) * 11) % 1 - 0.5) / 11 * 0.55
        d = length(line, along) - 0.026
    else:
        d = np.minimum(line - 0.0145, length(u, v - low - 0.035) - 0.040)
    d = np.maximum(d, np.abs(u) - (0.255 if sitter.face.has("Male") else 0.215))
    area.shade(0.5 * smooth(d - 0.008, 0.03, 0.0) * area.only("neck", "cloth"), (0.6, 0.52, 0.52))
    alpha_area = d + 100 * (1 - area.only("neck", "cloth", "neck_l"))
    _metal(sitter, area, alpha_area, "neck_l")
