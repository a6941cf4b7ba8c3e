"""Eyes, brows, nose, mouth and the lines of age."""

import numpy as np

from telldraw.data.portrait.canvas import Area, blob, ellipse, length, noise, segment, smooth, unit
from telldraw.data.portrait.head import Sitter
from telldraw.data.portrait.palette import mixed, times

EYES, BROWS, NOSE, MOUTH = -0.050, -0.222, 0.155, 0.360
"""How far below the middle of the head."""


def eyes(sitter: Sitter) -> None:
    """Both, with lids, lashes, and makeup or bags where there are."""
    face = sitter.face
    for sign, region in ((1, "l_eye"), (-1, "r_eye")):
        x = sign * face.look.eye_gap
        wide, high = 0.134 * face.look.eye_size * sitter.wide(x), 0.077 * face.look.eye_size
        if face.has("Narrow_Eyes"):
            wide, high = wide * 1.04, high * 0.50
        area = sitter.near(sitter.at(x, EYES), 0.24, 0.22)
        _eye(sitter, area, area.u * np.float32(sign), (wide, high), region, sign)


def _eye(sitter: Sitter, area: Area, out: np.ndarray, size: tuple[float, float], region: str, sign: int) -> None:
    """`out`: away from the nose."""
    face, colours = sitter.face, sitter.colours
    wide, high = size
    v = area.v + np.float32(0.10) * out  # outer corners are higher
    t = unit(1 - (out / np.float32(wide)) ** 2)
    upper, lower = -high * t**0.75, high * (0.62 - 0.12 * face.has("Smiling")) * t**0.9
    d = np.maximum(np.maximum(upper - v, v - lower), np.abs(out) - wide)
    makeup = face.has("Heavy_Makeup")
    socket = blob(out, area.v + high + 0.045, wide * 1.05, 0.050)
    area.shade((0.9 if makeup else 0.35) * socket, (0.70, 0.56, 0.66) if makeup else colours.shadow)
    if face.has("Bags_Under_Eyes"):
        _bag(sitter, area, out, v, (wide, high))
    white = area.cover(d)
    ball = 1 - 0.30 * smooth(v - upper, 0.045, 0.0) - 0.20 * (out / wide) ** 2
    area.paint(white, [0.97 * ball, 0.955 * ball, 0.94 * ball], region)
    x, y = face.look.gaze * 0.022 + 0.02 * face.look.turn, -0.004
    a, b = area.u - np.float32(x), area.v - np.float32(y)
    iris = length(a, b)
    size_ = 0.066 * face.look.eye_size
    inside = white * area.cover(iris - size_)
    ring = 0.62 + 0.75 * smooth(b, -0.03, 0.05) - 0.55 * smooth(iris, size_ * 0.62, size_)
    area.paint(inside, [np.clip(c * ring * 1.25, 0, 1) for c in colours.eye], region)
    area.paint(white * area.cover(iris - size_ * 0.46), (0.05, 0.04, 0.05))
    glint = area.cover(length(a + 0.022 * (-1.0 if face.look.light_side > 0 else 1.0), b + 0.024) - 0.0185)
    area.paint(np.minimum(glint, white + 0.0), (1.0, 1.0, 1.0))
    area.ink(np.minimum(smooth(np.abs(iris - size_ * 0.7), size_ * 0.5, size_ * 0.3), white))
    _lids(sitter, area, out, (v, upper, lower), size)


def _lids(
    sitter: Sitter,
    area: Area,
    out: np.ndarray,
    lines: tuple[np.ndarray, np.ndarray, np.ndarray],
    size: tuple[float, float],
) -> None:
    face, colours = sitter.face, sitter.colours
    (v, upper, lower), (wide, high) = lines, size
    within = smooth(np.abs(out), wide + 0.016, wide - 0.012)
    strong = 0.026 if face.has("Heavy_Makeup") else 0.019 if not face.has("Male") else 0.014
    wing = np.where(out > 0, strong * (1 + 0.9 * out / wide), strong * 0.8)
    lash = smooth(np.abs(v - upper + wing * 0.4), wing + area.point, wing * 0.35) * within
    dark = mixed((0.10, 0.06, 0.06), colours.skin, 0.12)
    area.paint(0.95 * lash, dark)
    area.shade(0.6 * smooth(np.abs(v - lower), 0.016, 0.0) * within, times(colours.shadow, 0.85))
    crease = np.abs(v - upper + 0.036 + 0.012 * face.look.eye_size)
    area.shade(0.55 * smooth(crease, 0.016, 0.0) * smooth(np.abs(out), wide, wide * 0.6), times(colours.shadow, 0.85))
    area.ink(lash)
    if not face.has("Male"):
        for at in (0.75, 1.0):
            start = (wide * at, -high * (1 - at * at) ** 0.75 - 0.10 * wide * at - 0.004)
            hair = segment(out, area.v, start, (start[0] + 0.034, start[1] - 0.034))
            area.paint(0.85 * area.cover(hair - 0.006), dark)
    if not face.has("Young"):
        for tilt in (-0.03, 0.0, 0.03):  # crow's feet
            line = segment(out, area.v, (wide + 0.03, tilt * 0.7), (wide + 0.085, tilt * 2.0))
            area.shade(0.55 * smooth(line, 0.013, 0.002) * area.only("skin"), times(colours.shadow, 0.9))


def _bag(sitter: Sitter, area: Area, out: np.ndarray, v: np.ndarray, size: tuple[float, float]) -> None:
    wide, high = size
    t = np.clip(1 - (out / np.float32(wide * 0.95)) ** 2, 0, 1)
    below = v - (high * 0.6 + 0.060) * np.sqrt(t) - 0.004
    there = smooth(np.abs(out), wide * 0.95, wide * 0.6)
    area.shade(0.85 * smooth(np.abs(below), 0.024, 0.0) * there, times(sitter.colours.shadow, 0.88))
    puff = smooth(np.abs(below + 0.030), 0.022, 0.0) * there
    area.shade(0.5 * puff, sitter.colours.glow)
    area.ink(0.9 * smooth(np.abs(below), 0.013, 0.003) * there)


def brows(sitter: Sitter) -> None:
    """Thin or bushy, arched or level."""
    face = sitter.face
    thick = 0.046 if face.has("Bushy_Eyebrows") else 0.029 if face.has("Male") else 0.021
    for sign, region in ((1, "l_brow"), (-1, "r_brow")):
        x = sign * (face.look.eye_gap + 0.004)
        wide = 0.150 * sitter.wide(x)
        lift = 0.012 * face.has("Smiling") + face.look.brow_height
        area = sitter.near(sitter.at(x, BROWS - lift), 0.22, 0.13)
        out = area.u * np.float32(sign) / np.float32(wide)  # -1 inner end to 1 outer end
        if face.has("Arched_Eyebrows"):
            middle = -0.010 - 0.050 * smooth(out, -1.0, 0.3) + 0.090 * smooth(out, 0.3, 1.1)
        else:
            middle = -0.006 - 0.008 * smooth(out, -1.0, 0.3) + 0.042 * smooth(out, 0.3, 1.1)
        half = thick * (0.72 + 0.28 * smooth(out, -1.0, -0.4)) * (1 - 0.72 * smooth(out, 0.15, 1.0))
        hairs = 0.12 * thick * noise(out * 9 + area.v * 40 * out, 3)
        d = np.maximum(np.abs(area.v - middle) - half + hairs, (np.abs(out) - 1) * wide)
        alpha = area.cover(d, 0.016)
        area.paint(0.93 * alpha, sitter.colours.brow, region)
        area.ink(0.8 * area.cover(d + 0.006))


def nose(sitter: Sitter) -> None:
    """Bridge, tip, wings and nostrils; light falls across it."""
    face, colours = sitter.face, sitter.colours
    look = face.look
    big, pointy = face.has("Big_Nose"), face.has("Pointy_Nose")
    half = (0.150 if big else 0.084 if pointy else 0.108) * (1.06 if face.has("Male") else 0.96)
    tip = NOSE * look.nose_length + (0.035 if big else 0.022 if pointy else 0.0)
    ahead = 0.13 * look.turn  # it stands out, and so turns further
    x, y = sitter.at(0, tip)
    area = sitter.near((x, y - 0.10), 0.30, 0.34)
    u, v = area.u - np.float32(ahead), area.v - np.float32(0.10)  # from the tip
    top = EYES - 0.04 - tip
    t = np.clip((v - top) / np.float32(-top), 0, 1)  # 0 between the eyes to 1 at the tip
    middle = u + np.float32(ahead) * (1 - t)
    side = np.abs(middle)
    width = (0.045 + (half - 0.045) * smooth(t, 0.35, 1.0) ** (1.6 if pointy else 1.0)).astype(np.float32)
    base = 0.055 + (0.012 if pointy else 0.0)
    d = np.maximum(
        np.maximum(side - width, top - v), v - base * np.sqrt(np.clip(1 - (side / (half * 1.05)) ** 2, 0, 1))
    )
    area.mark(d < 0, "nose", ("skin",))
    toward = np.float32(1.0 if look.light_side > 0 else -1.0)
    depth = (0.45 + 0.45 * abs(look.light_side)) * colours.light
    ridge = smooth(np.abs(middle + toward * (width * 0.72)), 0.055, 0.0) * smooth(t, 0.05, 0.5) * (v < base * 0.6)
    area.shade(0.36 * depth * ridge, colours.shadow)
    area.shade(
        0.35 * smooth(np.abs(middle - toward * 0.02), 0.04, 0.0) * smooth(t, 0.1, 0.5) * smooth(v, 0.06, 0.0),
        colours.glow,
    )
    under = blob(u - 0.01 * toward, v - base - 0.030, half * 0.95, 0.036)
    area.shade(0.50 * under, colours.shadow)
    round_ = blob(u, v + 0.012, half * (0.40 if pointy else 0.52), 0.046)
    area.shade(0.75 * round_, colours.glow)
    for sign in (-1, 1):
        near = 1 - 0.5 * sign * look.turn
        wing = ellipse(u - sign * half * 0.70 * near, v - 0.014, half * 0.34, 0.050)
        rim = smooth(np.abs(wing), 0.026, 0.0) * smooth(u * sign, half * 0.55, half * 0.85)
        area.shade(0.70 * rim, times(colours.shadow, 0.95))
        area.ink(0.9 * smooth(np.abs(wing), 0.016, 0.004) * (u * sign > half * 0.72))
        hole = ellipse(u - sign * half * 0.42 * near, v - base * 0.72 + 0.10 * sign * u, half * 0.24, 0.0165)
        area.shade(area.cover(hole, 0.02), (0.42, 0.28, 0.27))
        area.ink(area.cover(hole))
    if pointy:
        area.shade(
            0.8 * smooth(np.abs(v - base + 0.35 * np.abs(u)), 0.020, 0.0) * (np.abs(u) < half * 0.5), colours.shadow
        )
    area.ink(0.7 * smooth(np.abs(middle + toward * width), 0.016, 0.004) * smooth(t, 0.45, 0.6) * (v < 0))


def mouth(sitter: Sitter) -> None:
    """Closed or open, level or smiling; teeth show in an open one."""
    face, colours = sitter.face, sitter.colours
    smiling, parted = face.has("Smiling"), face.has("Mouth_Slightly_Open")
    x, y = sitter.at(0, MOUTH + (0.012 if smiling else 0.0))
    half = (0.235 if smiling else 0.158) * face.look.mouth_width * (1 - 0.9 * abs(face.look.turn))
    bend = 0.088 if smiling else 0.002
    full = (
        (1.75 if face.has("Big_Lips") else 1.0)
        * (1.0 if face.has("Male") else 1.14)
        * (1.0 if face.has("Young") else 0.88)
    )
    gap = (0.088 if smiling else 0.060) if parted else 0.0
    area = sitter.near((x, y + 0.03), 0.36, 0.25)
    u, v = area.u, area.v + np.float32(0.03)
    s = np.abs(u) / np.float32(half)
    t = np.clip(1 - s * s, 0, 1)
    line = bend * (t - 0.62)  # where the lips meet
    bow = 0.012 * smooth(s, 0.0, 0.22) - 0.006
    above = line - gap * 0.28 * t
    below = line + gap * 0.72 * t**0.8
    thin = 0.80 if smiling else 1.0
    top = above - full * thin * (0.040 * t**0.8 + bow * t)
    bottom = below + full * thin * 0.052 * t**0.7
    if smiling:
        _folds(sitter, area, (u, v), half, bend)
    ends = (s - 1) * half
    ends = np.where(area.only("skin", "nose") > 0, ends, np.float32(1))
    inner = np.maximum(np.maximum(above - v, v - below), ends)
    upper = np.maximum(np.maximum(top - v, v - above), ends)
    lower = np.maximum(np.maximum(below - v, v - bottom), ends)
    area.shade(0.55 * blob(u, v - bottom.max() - 0.03, half * 0.55, 0.026), colours.shadow)
    shine = 1.0 if face.has("Wearing_Lipstick") else 0.55
    fill = area.cover(np.minimum(upper, np.minimum(lower, inner)), 0.010)
    area.paint(fill, times(colours.lip, 0.82))
    area.paint(area.cover(upper), [c * (0.80 + 0.10 * smooth(v - top, 0.0, 0.03)) for c in colours.lip], "u_lip")
    round_ = blob(u + 0.03, v - (below + bottom) / 2, half * 0.5, 0.018 * full)
    area.paint(area.cover(lower), [c + (1 - c) * 0.30 * shine * round_ for c in times(colours.lip, 1.06)], "l_lip")
    if parted:
        _inside(sitter, area, (u, v), (inner, above, below), s)
    else:
        area.paint(0.9 * smooth(np.abs(v - line), 0.014, 0.002) * area.cover(ends), times(colours.lip, 0.42))
    area.shade(
        0.7 * blob(np.abs(u) - half - 0.006, v - line, 0.022, 0.022) * area.only("skin"), times(colours.shadow, 0.85)
    )
    area.ink(smooth(np.abs(v - line), 0.014, 0.004) * area.cover(ends) * (gap == 0))


def _inside(
    sitter: Sitter, area: Area, at: tuple[np.ndarray, np.ndarray], edges: tuple[np.ndarray, ...], s: np.ndarray
) -> None:
    (u, v), (inner, above, below) = at, edges
    alpha = area.cover(inner)
    area.paint(alpha, (0.28, 0.07, 0.08), "mouth", write=0.4)
    smiling = sitter.face.has("Smiling")
    tongue = blob(u, v - below + 0.004, 0.08, 0.030)
    area.paint(0.7 * alpha * tongue, (0.74, 0.33, 0.34))
    deep = 0.80 if smiling else 0.36
    teeth = np.maximum(inner, v - above - (below - above) * deep) + (0.004 if not smiling else 0.0)
    white = alpha * area.cover(teeth) * smooth(s, 0.97, 0.80)
    tone = 0.985 - 0.16 * s * s
    area.paint(white, [0.99 * tone, 0.975 * tone, 0.945 * tone])
    gaps = smooth(np.abs((u * 19 + 0.5) % 1 - 0.5), 0.10, 0.0) * white
    area.shade(0.20 * gaps, (0.75, 0.72, 0.70))
    area.shade(0.5 * alpha * smooth(v - above, 0.022, 0.0), (0.75, 0.66, 0.66))


def _folds(sitter: Sitter, area: Area, at: tuple[np.ndarray, np.ndarray], half: float, bend: float) -> None:
    """Of a smile: from the wings of the nose around the corners of the mouth."""
    u, v = np.abs(at[0]), at[1]
    curve = np.abs(ellipse(u - 0.02, v - 0.02, half + 0.045, 0.185))
    there = smooth(v, -0.17, -0.10) * smooth(v, 0.03, -0.05) * (u > 0.10) * area.only("skin")
    area.shade(0.50 * smooth(curve, 0.034, 0.0) * there, sitter.colours.shadow)
    area.ink(0.8 * smooth(curve, 0.014, 0.004) * there)


def age(sitter: Sitter) -> None:
    """Lines of those who are not young."""
    face, colours = sitter.face, sitter.colours
    if face.has("Young"):
        return
    deep = times(colours.shadow, 0.92)
    area = sitter.near(sitter.at(0, -0.36), 0.34, 0.12)
    for line, high in ((0, -0.045), (1, 0.0), (2, 0.042)):
        wave = np.abs(area.v - high - 0.010 * np.sin(area.u * 11 + line))
        alpha = smooth(wave, 0.014, 0.002) * smooth(np.abs(area.u), 0.27 - 0.03 * line, 0.15)
        area.shade(0.50 * alpha, deep)
        area.ink(0.6 * alpha)
    x, y = sitter.at(0, 0.25)
    area = sitter.near((x, y), 0.34, 0.22)
    u, v = np.abs(area.u), area.v
    fold = segment(u, v, (0.125, -0.085), (0.225, 0.090))
    area.shade(0.58 * smooth(fold, 0.026, 0.0), deep)
    area.ink(0.9 * smooth(fold, 0.014, 0.004))
    for sign in (-1, 1):
        spot = sitter.near(sitter.at(sign * 0.055, -0.19), 0.05, 0.08)
        area_line = segment(spot.u, spot.v, (0.0, -0.03), (0.008 * sign, 0.03))
        spot.shade(0.5 * smooth(area_line, 0.012, 0.0), deep)
