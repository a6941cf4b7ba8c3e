"""Hair, behind the head and in front of it, and what grows on a face."""

from typing import NamedTuple

import numpy as np

from telldraw.data.portrait.canvas import Area, angle, ellipse, length, noise, outline, smooth, unit
from telldraw.data.portrait.features import MOUTH
from telldraw.data.portrait.head import Sitter, lit
from telldraw.data.portrait.palette import mixed, times

HAT_LINE = -0.485
"""How far above the middle of the head hats begin; hair shows below."""


class Shape(NamedTuple):
    """Where hair is."""

    outer: np.ndarray  # outline by angle
    line: np.ndarray  # how far down it comes over the forehead, by u
    inner: np.ndarray  # how far it stays from the middle at the sides, by v


def shape_of(sitter: Sitter) -> Shape:
    """Of the face's hair; of bald ones, what is left at the sides."""
    face = sitter.face
    look, wavy = face.look, face.has("Wavy_Hair")
    full = 0.035 + 0.075 * look.hair_volume + (0.02 if wavy else 0.0)
    if look.hair_length < 0.3:
        side = 0.492 + 0.3 * full
        right = [
            (0, 0.1),
            (0.10, 0.10),
            (0.38, 0.085 + 0.2 * look.hair_length),
            (side - 0.03, 0.05 + 0.35 * look.hair_length),
        ]
        right += [
            (side + 0.2 * full, -0.12),
            (side + 0.01, -0.28),
            (0.475 + full * 0.8, -0.46),
            (0.33 + full * 0.6, -0.62),
        ]
        right += [(0, -0.665 - full)]
        blur = 0.035
    else:
        end = 0.50 + 0.95 * (look.hair_length - 0.45) / 0.55
        wide = 0.545 + full * 0.9
        low = wide + 0.05 * wavy + 0.02
        right = [(0, end), (low * 0.62, end), (low - 0.04, end - 0.10), (low, max(end * 0.55, 0.30)), (wide, 0.05)]
        right += [(wide - 0.005, -0.20), (0.50 + full * 0.8, -0.44), (0.34 + full * 0.6, -0.62), (0, -0.665 - full)]
        blur = 0.05
    outer = outline(right, blur=blur)
    at = np.linspace(-np.pi, np.pi, len(outer), endpoint=False)
    if wavy:
        swing = 0.022 * np.sin(15 * np.abs(at) + 7 * look.pattern) + 0.012 * np.sin(24 * at + 5 * look.part)
        outer = outer + (swing * (0.4 + 0.6 * smooth(np.abs(at), 2.9, 2.0))).astype(np.float32)
    if look.hair_length < 0.3:
        rough = noise(at * 9, int(8 * look.pattern)) + 0.6 * noise(at * 19, 2)
        outer = outer + (0.013 * rough * (np.abs(at) > 1.7)).astype(np.float32)
    return Shape(outer, _line(sitter), _inner(sitter))


def _table(points: list[tuple[float, float]], blur: float) -> np.ndarray:
    """Values over -1.5 to 1.5, [1536], through points, with corners blurred over `blur`."""
    at = (np.arange(1536) + 0.5) / 512 - 1.5
    values = np.interp(at, *np.array(points, np.float64).T)
    reach = int(3 * blur * 512)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (blur * 512)) ** 2)
    return np.convolve(np.pad(values, reach, "edge"), kernel / kernel.sum(), "valid").astype(np.float32)


def _look_up(table: np.ndarray, at: np.ndarray) -> np.ndarray:
    return table[np.clip((at + np.float32(1.5)) * np.float32(512), 0, 1535).astype(np.intp)]


def _line(sitter: Sitter) -> np.ndarray:
    face, look = sitter.face, sitter.face.look
    at = (np.arange(1536) + 0.5) / 512 - 1.5
    if face.has("Bald"):
        return np.full(1536, -9, np.float32)
    part = 0.26 * look.part
    if face.has("Bangs"):
        low = -0.275 + 0.02 * look.pattern
        points = [(-0.5, low + 0.12), (-0.40, low + 0.03), (part, low - 0.02), (0.40, low + 0.03), (0.5, low + 0.12)]
        teeth = 0.030 * np.abs(((at * (5.5 + 2 * look.pattern) + look.part) % 1) * 2 - 1)
        if face.has("Wavy_Hair"):
            teeth = 0.022 * np.sin(at * 24 + 9 * look.pattern) + 0.02
        return _table(points, 0.03) - teeth.astype(np.float32)
    if face.has("Receding_Hairline"):
        points = [(-0.5, -0.30), (-0.40, -0.50), (-0.24, -0.600), (-0.12, -0.47), (0, -0.435)]
        return _table(points + [(-u, v) for u, v in points[-2::-1]], 0.025)
    if look.hair_length < 0.3:
        points = [
            (-0.5, -0.20),
            (-0.41, -0.30),
            (-0.36, -0.385),
            (part, -0.415),
            (0.36, -0.385),
            (0.41, -0.30),
            (0.5, -0.20),
        ]
        tuft = 0.018 * np.sin(at * 19 + 8 * look.pattern) * np.exp(-((at / 0.35) ** 2))
        return _table(points, 0.03) + tuft.astype(np.float32)
    # parted: from the part it falls to both sides
    peak = -0.475
    points = [(-0.5, -0.05), (-0.43, -0.19), (-0.31, -0.345), (part, peak), (0.31, -0.345), (0.43, -0.19), (0.5, -0.05)]
    if abs(look.part) > 0.5:
        far = -1 if look.part > 0 else 1
        points = [(u, v + 0.055 * float(np.interp(u * far, (0.05, 0.3), (0, 1)))) for u, v in points]
    return _table([(float(u), float(v)) for u, v in points], 0.035)


def _inner(sitter: Sitter) -> np.ndarray:
    face, look = sitter.face, sitter.face.look
    at = (np.arange(1536) + 0.5) / 512 - 1.5
    if look.hair_length < 0.3:
        low = 0.0 if not face.has("Sideburns") else 0.16
        edge = 0.425 if not face.has("Bald") else 0.40
        points = [(-0.40, edge), (low - 0.03, edge + 0.01), (low + 0.03, 0.60), (low + 0.1, 0.8)]
        if face.has("Bald"):
            points = [(-0.42, 0.8), (-0.34, 0.55), (-0.27, edge + 0.02), *points[1:]]
        return _table(points, 0.015)
    tucked = look.hair_volume < 0.3 and look.pattern < 0.6
    if tucked:  # behind the ears
        points = [(-0.30, 0.415), (-0.10, 0.44), (0.02, 0.57), (0.22, 0.56), (0.42, 0.455), (0.7, 0.42), (1.2, 0.45)]
    else:
        points = [(-0.30, 0.40), (0.0, 0.405), (0.25, 0.41), (0.48, 0.385), (0.75, 0.345), (1.2, 0.40)]
    table = _table(points, 0.05)
    if face.has("Wavy_Hair"):
        table = table + (0.020 * np.sin(at * 15 + 9 * look.pattern) * smooth(at, -0.2, 0.2)).astype(np.float32)
    return table


def behind(sitter: Sitter, shape: Shape) -> None:
    """What the head, the neck and the shoulders hide a part of."""
    if sitter.face.has("Bald"):
        return
    area = sitter.head
    d = sitter.polar.outside(shape.outer)
    alpha = area.cover(d) * _below_hat(sitter)
    tone = 0.62 + 0.25 * smooth(np.abs(area.u), 0.25, 0.55)
    _strands(sitter, area, alpha, tone, d)


def in_front(sitter: Sitter, shape: Shape) -> None:
    """What falls over forehead, ears and shoulders; it throws a soft shadow."""
    face, area = sitter.face, sitter.head
    if face.shaven:
        return
    shift = np.float32(0.16 * face.look.turn)
    u = area.u - shift * smooth(area.v, 0.3, -0.2)
    over = area.v - _look_up(shape.line, u)
    beside = _look_up(shape.inner, area.v) - np.abs(u)
    d = _either(over, beside, 0.045)
    outside = sitter.polar.outside(shape.outer)
    if face.has("Bald"):
        d = beside
        outside = np.maximum(sitter.polar.outside(sitter.skin) - 0.045, -0.36 - area.v)
    area.shade(
        0.75
        * smooth(d, 0.085, -0.005)
        * area.only("skin", "nose", "l_eye", "r_eye", "l_ear", "r_ear", "l_brow", "r_brow"),
        sitter.colours.shadow,
    )
    inside = np.maximum(d, outside)
    alpha = area.cover(inside) * _below_hat(sitter)
    tone = 0.60 + 0.50 * lit(sitter, 0.72, 0.95) - 0.22 * smooth(inside, -0.05, 0.0) - 0.10 * smooth(area.v, 0.2, 0.8)
    _strands(sitter, area, alpha, tone, outside)


def _either(one: np.ndarray, other: np.ndarray, round_: float) -> np.ndarray:
    """The smaller of two distances, with rounded corners."""
    h = np.clip(0.5 + (other - one) * np.float32(0.5 / round_), 0, 1)
    return other + (one - other) * h - round_ * h * (1 - h)


def _below_hat(sitter: Sitter) -> np.ndarray | np.float32:
    if not sitter.face.has("Wearing_Hat"):
        return np.float32(1)
    return smooth(sitter.head.v, HAT_LINE - 0.06, HAT_LINE - 0.05)


def _strands(sitter: Sitter, area: Area, alpha: np.ndarray, tone: np.ndarray, outside: np.ndarray) -> None:
    """Hair runs from the crown; strands differ in tone, and a ring of light lies across them."""
    face, look = sitter.face, sitter.face.look
    area, part = area.where(alpha)
    alpha, tone, outside = alpha[part], tone[part], outside[part]
    crown = 0.22 * look.part * (not face.has("Bald"))
    a, b = area.u - np.float32(crown), area.v + np.float32(0.86)
    far = length(a, b)
    along = angle(a, np.maximum(b + 0.10, 0.10))  # the same for all points of a strand
    wavy = 0.050 if face.has("Wavy_Hair") else 0.004
    along = along + np.float32(wavy) * np.sin(far * 21 + 7 * look.pattern + 3 * np.sign(a)) * smooth(far, 0.2, 0.6)
    start = int(look.pattern * 8)
    fine = noise(along * 30, start) * 0.6 + noise(along * 11, start + 1)
    ring = np.exp(-(((far - 0.40 + 0.05 * fine) / 0.085) ** 2)) + 0.6 * np.exp(-(((far - 1.05) / 0.16) ** 2))
    ring = ring * smooth(outside, 0.0, -0.10) * smooth(along, -1.3 + 0.6 * look.light_side, 0.4)
    depth = 0.30 if face.hair == "Black_Hair" else 0.22
    light = (tone + np.float32(depth) * 0.55 * fine) * 1.12
    shine = {"Black_Hair": 0.20, "Blond_Hair": 0.26, "Gray_Hair": 0.22}.get(face.hair, 0.20)
    bright = unit(ring * (0.55 + 0.45 * fine)) * np.float32(shine)
    glow = mixed(face_light(face.hair), (1.0, 1.0, 1.0), 0.2)
    tones = zip(sitter.colours.hair, glow, (0.88, 1.0, 1.06), strict=True)  # shadows of hair are warm
    area.paint(alpha, [np.minimum(c * (1 + (light - 1) * k), 1) + bright * g for c, g, k in tones], "hair")
    inked = smooth(np.abs(noise(along * 9, start + 1)), 0.06, 0.0) * smooth(outside, -0.01, -0.05)
    area.ink(0.45 * inked * (alpha > 0.9))


def face_light(hair: str) -> tuple[float, float, float]:
    """Colour of the light on hair."""
    return {"Black_Hair": (0.62, 0.70, 0.88), "Gray_Hair": (0.9, 0.93, 1.0)}.get(hair, (1.0, 0.80, 0.50))


# --- on the face --------------------------------------------------------------------------------------------------


def beard(sitter: Sitter) -> None:
    """Stubble, full beard, goatee, moustache, and sideburns where hair is long; all of it counts as skin."""
    face = sitter.face
    full = not face.has("No_Beard", "Goatee", "5_o_Clock_Shadow")
    if face.has("5_o_Clock_Shadow"):
        _cheeks(sitter, 0.34, 0.09)
    if full:
        _cheeks(sitter, 0.95, 0.02 + 0.05 * face.look.beard_length)
    if face.has("Goatee"):
        _goatee(sitter)
    if face.has("Mustache"):
        _moustache(sitter)
    if face.has("Sideburns"):
        _sideburns(sitter)


def _growth(sitter: Sitter, area: Area, alpha: np.ndarray, strength: float) -> None:
    grain = 1 + 0.22 * noise(area.u * 26, 2) + 0.12 * noise(area.v * 9 + area.u * 31, 4)
    colour = mixed(times(sitter.colours.hair, 0.80), sitter.colours.skin, 0.06)
    area.paint(strength * alpha, [np.clip(c * grain, 0, 1) for c in colour])


def _cheeks(sitter: Sitter, strength: float, soft: float) -> None:
    area, face = sitter.head, sitter.face
    x, y = sitter.at(0, MOUTH)
    skin_edge = sitter.polar.outside(sitter.skin)
    grown = 0.035 * face.look.beard_length if strength > 0.5 else 0.0
    u, v = area.u - np.float32(0.5 * x), area.v - np.float32(y - MOUTH)
    above = 0.10 + 0.30 * smooth(np.abs(u), 0.42, 0.10) - v
    lips = -ellipse(area.u - np.float32(x), area.v - np.float32(y + 0.02), 0.185, 0.085)
    inside = np.maximum(np.maximum(above, lips), skin_edge - grown)
    where = area.only("skin", "neck", "cloth", "background") if grown else area.only("skin")
    alpha = area.cover(inside, 0.05 if strength > 0.5 else 0.14) * where
    _growth(sitter, area, alpha, strength)
    if strength > 0.5:
        area.mark((alpha > 0.5) & (skin_edge > 0), "skin")
        area.shade(0.35 * alpha * smooth(v, 0.45, 0.66), (0.7, 0.68, 0.68))
        area.ink(0.8 * smooth(np.abs(inside), 0.014, 0.004) * where)


def _goatee(sitter: Sitter) -> None:
    x, y = sitter.at(0, 0.545)
    area = sitter.near((x, y), 0.24, 0.24)
    u, v = area.u, area.v
    d = ellipse(u, v - 0.02, 0.115, 0.085 + 0.025 * sitter.face.look.beard_length)
    soul = ellipse(u, v + 0.08, 0.035, 0.05)
    alpha = area.cover(np.minimum(d, soul), 0.03) * area.only("skin", "neck", "cloth", "background")
    _growth(sitter, area, alpha, 0.95)
    area.mark((alpha > 0.5), "skin", ("neck", "cloth", "background"))
    area.ink(0.8 * smooth(np.abs(d), 0.014, 0.004))


def _moustache(sitter: Sitter) -> None:
    x, y = sitter.at(0, MOUTH - 0.068)
    area = sitter.near((x, y), 0.30, 0.14)
    u, v = area.u, area.v
    side = np.abs(u)
    droop = 0.55 * np.maximum(side - 0.03, 0) ** 1.3 - 0.01
    half = 0.040 * smooth(side, 0.235, 0.06) + 0.006 - 0.010 * smooth(side, 0.03, 0.0)
    d = np.maximum(np.abs(v - droop) - half, side - 0.22)
    alpha = area.cover(d, 0.018)
    _growth(sitter, area, alpha, 0.96)
    area.shade(0.35 * alpha * smooth(v - droop, -0.01, 0.03), (0.7, 0.68, 0.68))
    area.ink(0.8 * smooth(np.abs(d), 0.014, 0.004))


def _sideburns(sitter: Sitter) -> None:
    for sign in (1, -1):
        area = sitter.near((sign * 0.40 * sitter.face.look.width + 0.04 * sitter.face.look.turn, 0.06), 0.14, 0.26)
        d = np.maximum(np.abs(area.u - sign * 0.01) - 0.052, area.v - 0.15 - 0.5 * sign * area.u)
        alpha = area.cover(d, 0.02) * area.only("skin")
        _growth(sitter, area, alpha, 0.95)
        area.ink(0.8 * smooth(np.abs(d), 0.014, 0.004) * area.only("skin"))
