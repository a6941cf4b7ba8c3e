"""Background, neck, clothes, ears, and the skin of the head with its light and shadow."""

from typing import NamedTuple

import numpy as np

from telldraw.data.portrait.canvas import (
    Area,
    Canvas,
    Polar,
    Pose,
    blob,
    convex,
    ellipse,
    outline,
    segment,
    smooth,
    unit,
)
from telldraw.data.portrait.palette import Palette, hsl, mixed
from telldraw.data.portrait.traits import Face

RADIUS = 0.56
"""Of the ball on which features sit: they turn with it."""
CHIN = 0.63
"""How far below the middle of the head."""


class Sitter(NamedTuple):
    """A face with all that painting its parts has in common."""

    face: Face
    colours: Palette
    canvas: Canvas
    pose: Pose  # of the head
    head: Area  # all points, on the head's axes
    polar: Polar
    skin: np.ndarray  # outline of the head

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a feature comes to be, that of a head seen from the front is at (x, y)."""
        look = self.face.look
        angle = np.arcsin(np.clip(x / RADIUS, -1, 1)) + look.turn
        return float(RADIUS * np.sin(angle)), float(y + 0.45 * np.sin(look.nod))

    def wide(self, x: float) -> float:
        """How wide a feature at x looks, against one seen from the front."""
        angle = np.arcsin(np.clip(x / RADIUS, -1, 1))
        return float(np.clip(np.cos(angle + self.face.look.turn) / np.cos(angle), 0.72, 1.18))

    def near(self, centre: tuple[float, float], wide: float, high: float) -> Area:
        """Points about a place of the head."""
        return self.canvas.area(self.pose, centre, (wide, high))

    def part(self, centre: tuple[float, float], wide: float, high: float) -> Area:
        """The same points, still measured from the middle of the head."""
        area = self.near(centre, wide, high)
        area.u, area.v = area.u + np.float32(centre[0]), area.v + np.float32(centre[1])
        return area


def sit(face: Face, colours: Palette, canvas: Canvas) -> Sitter:
    """Place the head."""
    look = face.look
    pose = Pose(0.10 * look.turn, 0.085 if face.has("Wearing_Hat") else 0.03, look.tilt, look.scale)
    head = canvas.area(pose)
    return Sitter(face, colours, canvas, pose, head, Polar.of(head), skin_outline(face))


def skin_outline(face: Face) -> np.ndarray:
    """Of the head without hair, [ANGLES]."""
    look = face.look
    wide, jaw = look.width, look.jaw
    chubby, bones = 0.03 * face.has("Chubby"), 0.012 * face.has("High_Cheekbones")
    right = [
        (0.00, CHIN),
        (0.11 + 0.09 * jaw, CHIN - 0.012 - 0.015 * jaw),
        ((0.235 + 0.11 * jaw + chubby) * wide, 0.49 + 0.01 * jaw),
        ((0.355 + 0.055 * jaw + chubby * 1.3) * wide, 0.30),
        ((0.428 + 0.012 * jaw + chubby) * wide, 0.10),
        ((0.455 + bones) * wide, -0.06),
        (0.465 * wide, -0.22),
        (0.430 * wide, -0.42),
        (0.300 * wide, -0.585),
        (0.000, -0.645),
    ]
    far = 0.035 * np.clip(look.turn / 0.25, -1, 1)  # the chin goes with the turn, and the cheek on that side is flatter
    sides = []
    for sign in (1, -1):
        shift = sign * far
        sides.append([(max(x + shift * (0.6 if y > 0.2 else -0.35) * (0 if x == 0 else 1), 0.0), y) for x, y in right])
    return outline(sides[0], sides[1])


# --- behind and below ---------------------------------------------------------------------------------------------


def background(canvas: Canvas, face: Face, colours: Palette) -> None:
    """Two colours that flow into each other, lighter behind the head."""
    look, area = face.look, canvas.area(Pose())
    slope = look.back_slope * 2 * np.pi
    t = smooth(area.u * float(np.cos(slope)) + area.v * float(np.sin(slope)), -1.2, 1.2)
    glow = 0.16 * blob(area.u + 0.2 * look.light_side, area.v + 0.15, 0.9, 0.9)
    for plane, one, other in zip(canvas.colours, *colours.back, strict=True):
        plane[:] = one + t * (other - one)
        plane += glow * (1 - plane)


def body(sitter: Sitter) -> None:
    """Neck, shoulders and clothes; upright whatever the head does."""
    face, colours = sitter.face, sitter.colours
    male = face.has("Male")
    area = sitter.canvas.area(below(sitter), (0, 0.72), (2.0, 0.5))
    u, v, side = area.u, area.v + np.float32(0.72), np.abs(area.u)
    neck = (0.225 if male else 0.180) + (0.03 if face.has("Chubby") else 0.0)
    flare = np.maximum(v - 0.62, 0) ** 2 * (1.6 if male else 1.15)
    alpha = area.cover(side - neck - flare) * (v > 0.2)
    light = np.float32(0.5 + 0.5 * face.look.light_side) * u / neck
    shadow = 0.30 + 0.45 * (side / (neck + flare)) ** 2 - 0.25 * light * colours.light
    _skin(area, alpha, colours, np.clip(1 - shadow, 0, 1), "neck")
    bones = np.minimum(np.abs(segment(side, v, (0.05, 0.90), (0.30, 0.86))), 1)
    area.shade(0.35 * smooth(bones, 0.035, 0) * area.only("neck"), colours.shadow)
    _chin_shadow(sitter)
    _clothes(sitter, area, u, v)


def below(sitter: Sitter) -> Pose:
    """Where the body is: it goes with the head a little, and stays upright."""
    return Pose(sitter.pose.x * 0.6, sitter.pose.y + 0.015)


def _chin_shadow(sitter: Sitter) -> None:
    """Of the head on the neck."""
    spot = sitter.part((0, 0.58), 0.45, 0.32)
    drop = spot.moved(0.06 * sitter.face.look.light_side, -0.10)
    depth = Polar.of(drop).outside(sitter.skin)
    spot.shade(0.85 * smooth(depth, 0.07, -0.09) * spot.only("neck"), sitter.colours.shadow)


def _clothes(sitter: Sitter, area: Area, u: np.ndarray, v: np.ndarray) -> None:
    face, colours = sitter.face, sitter.colours
    look, side = face.look, np.abs(u)
    broad = 0.86 if face.has("Male") else 0.74
    tie = face.has("Wearing_Necktie")
    collar = tie or look.cloth_kind > 0.72
    slope = 0.735 + 0.10 * side + 0.36 * np.maximum(side - broad * 0.62, 0) ** 1.35
    slope = slope + 2.2 * np.maximum(side - broad, 0)
    opening = 0.225 + 0.03 * face.has("Male")
    if collar:
        inside = np.maximum(slope - v, ((0.97 if tie else 0.93) - v - side) * 0.7)
    elif look.cloth_kind > 0.36:  # open neck, pointed
        inside = np.maximum(slope - v, ((0.985 - v) - side * 0.86) * 0.75)
    else:
        inside = np.maximum(slope - v, -ellipse(u, v - 0.70, opening + 0.06, 0.185))
    fold = (
        0.5
        + 0.10 * np.sin(u * 9 + look.pattern * 6 + v * 3)
        - 0.22 * u * look.light_side
        - 0.9 * np.maximum(v - 0.8, 0)
    )
    tones = [plane * (0.78 + 0.42 * fold) for plane in colours.cloth]
    alpha = area.cover(inside)
    area.paint(alpha, tones, "cloth")
    edge = np.exp(-((inside + 0.018) ** 2) / 0.00022) * alpha
    area.shade(0.5 * edge, (0.72, 0.72, 0.76))
    area.ink(0.8 * smooth(np.abs(inside + 0.035), 0.02, 0.006) * smooth(side, 0.28, 0.22) * alpha * (not collar))
    if collar:
        _collar(sitter, area, u, v, tie)


def _collar(sitter: Sitter, area: Area, u: np.ndarray, v: np.ndarray, tie: bool) -> None:
    """Two flaps; with a tie, a shirt and a jacket too."""
    face, colours = sitter.face, sitter.colours
    side = np.abs(u)
    if tie:
        shirt = area.cover(np.maximum(side - 0.30 + (v - 0.72) * 0.80, 0.725 - v))
        white = hsl(face.look.cloth_hue + 0.5, 0.25, 0.92)
        area.paint(shirt, [c * (1.0 - 0.25 * smooth(side, 0.06, 0.30)) for c in white], "cloth")
        knot = convex(side, v, ((-1, 0.755), (0.072, 0.755), (0.046, 0.855), (-1, 0.855)))
        blade = convex(side, v, ((-1, 0.845), (0.040, 0.845), (0.085, 1.10), (-1, 1.10)))
        stripes = np.sin((u + v) * 60) > 0.2 if face.look.pattern > 0.5 else np.zeros_like(u, bool)
        shine = 1.05 - 0.35 * smooth(side, 0.0, 0.10)
        red = hsl(face.look.cloth_hue + 0.5 + 0.4 * face.look.pattern, 0.62, 0.34)
        tones = [np.where(stripes, np.float32(c * 1.3 + 0.12), np.float32(c)) * shine for c in red]
        area.paint(area.cover(blade), [t * 0.92 for t in tones], "cloth")
        area.paint(area.cover(knot), [t * 1.12 for t in tones], "cloth")
        area.ink(smooth(np.abs(np.minimum(blade, knot)), 0.014, 0.004))
    tip = ((0.18, 0.655), (0.245, 0.68), (0.265, 0.80), (0.125, 0.865), (0.05, 0.765))
    flap = convex(side, v, tip if tie else ((0.18, 0.65), (0.27, 0.685), (0.31, 0.79), (0.20, 0.93), (0.06, 0.86)))
    colour = hsl(face.look.cloth_hue + 0.5, 0.22, 0.96) if tie else mixed(colours.cloth, (1, 1, 1), 0.15)
    area.shade(0.5 * smooth(flap, 0.05, -0.01), (0.75, 0.75, 0.8))
    area.paint(area.cover(flap), [c * (0.98 - 0.18 * smooth(side, 0.12, 0.30)) for c in colour], "cloth")
    area.ink(smooth(np.abs(flap), 0.014, 0.004))


# --- the head -----------------------------------------------------------------------------------------------------


def ears(sitter: Sitter) -> None:
    """One on either side; the one that is turned away goes behind the head."""
    face, colours = sitter.face, sitter.colours
    for sign, region in ((1, "l_ear"), (-1, "r_ear")):  # the sitter's left is on the right of the picture
        away = sign * face.look.turn
        x = sign * (0.475 * face.look.width - 0.16 * max(away, 0.0) - 0.05 * max(-away, 0.0))
        y = 0.03 + 0.25 * face.look.nod
        area = sitter.near((x, y), 0.14, 0.20)
        u, v = area.u * np.float32(sign), area.v
        d = ellipse(u - 0.10 * (-v) * 0.6, v, 0.085, 0.135 + 0.02 * smooth(v, 0, 0.1).mean())
        light = 0.62 + 0.35 * sign * face.look.light_side - 2.0 * np.maximum(u, 0)
        alpha = area.cover(d)
        _skin(area, alpha, colours, np.clip(light, 0.15, 0.95), region)
        inner = smooth(np.abs(ellipse(u + 0.012, v + 0.01, 0.050, 0.085)), 0.022, 0.0) * alpha
        area.shade(0.55 * inner, colours.shadow)
        area.shade(0.5 * blob(u + 0.03, v - 0.02, 0.03, 0.05) * alpha, colours.shadow)
        area.ink(0.9 * smooth(np.abs(ellipse(u + 0.012, v + 0.01, 0.050, 0.085)), 0.016, 0.004) * (u > 0))


def skin(sitter: Sitter) -> None:
    """The head as a lit ball with a face on it."""
    face, colours, area = sitter.face, sitter.colours, sitter.head
    d = sitter.polar.outside(sitter.skin)
    alpha = area.cover(d * np.float32(0.95))
    light = lit(sitter, 0.60, 0.86)
    _skin(area, alpha, colours, light, "skin")
    rim = smooth(d, -0.10, 0.0) * alpha
    area.shade(0.30 * rim, colours.shadow)
    _relief(sitter)
    if face.has("Double_Chin"):
        _double_chin(sitter)


def lit(sitter: Sitter, wide: float, high: float) -> np.ndarray:
    """How light a ball is at each point of the head, 0 to 1."""
    look = sitter.face.look
    a, b = sitter.head.u * np.float32(1 / wide), (sitter.head.v + np.float32(0.02)) * np.float32(1 / high)
    deep = np.sqrt(np.maximum(1 - a * a - b * b, 0))
    light = np.array([0.75 * look.light_side, -0.55 * look.light_height, 0.72])
    light /= np.linalg.norm(light)
    value = a * np.float32(light[0]) + b * np.float32(light[1]) + deep * np.float32(light[2])
    return np.clip(0.5 + (value - 0.42) * np.float32(0.95 * sitter.colours.light), 0, 1)


def _skin(area: Area, alpha: np.ndarray, colours: Palette, light: np.ndarray, region: str) -> None:
    """Skin from shadow (light 0) over its own colour (0.6) to its glow (1)."""
    dark, bright = unit(1 - light / np.float32(0.62)), unit((light - np.float32(0.62)) / np.float32(0.38))
    tones = [
        np.float32(own) * (1 - dark * np.float32(1 - shadow) + bright * np.float32(glow - 1))
        for own, shadow, glow in zip(colours.skin, colours.shadow, colours.glow, strict=True)
    ]
    area.paint(alpha, tones, region)


def _relief(sitter: Sitter) -> None:
    """Sockets, cheeks, chin: soft lights and shadows that make a ball a face."""
    face, colours = sitter.face, sitter.colours
    bones = face.has("High_Cheekbones")
    warm = (1.02, 0.87, 0.86) if face.look.tone < 0.6 else (1.06, 0.93, 0.92)
    for sign in (1, -1):
        x, y = sitter.at(sign * 0.215, -0.085)
        spot = sitter.near((x, y), 0.26, 0.2)
        spot.shade(0.32 * blob(spot.u, spot.v, 0.125, 0.085), colours.shadow)
        x, y = sitter.at(sign * 0.27, 0.17)
        spot = sitter.near((x, y), 0.30, 0.26)
        there = blob(spot.u, spot.v, 0.13, 0.10) * spot.only("skin")
        spot.shade((1.0 if face.has("Heavy_Makeup") else 0.7) * there, warm)
        if face.has("Rosy_Cheeks"):
            spot.shade(blob(spot.u, spot.v + 0.01, 0.110, 0.080) * spot.only("skin"), (1.03, 0.74, 0.74))
        if bones:
            spot.shade(0.75 * blob(spot.u, spot.v + 0.055, 0.10, 0.035) * spot.only("skin"), colours.glow)
            hollow = blob(spot.u - sign * 0.05 + 0.35 * sign * (spot.v - 0.09), spot.v - 0.09, 0.09, 0.05)
            spot.shade(0.60 * hollow * spot.only("skin"), colours.shadow)
    x, y = sitter.at(0, 0.52)
    spot = sitter.near((x, y), 0.22, 0.14)
    spot.shade(0.28 * blob(spot.u, spot.v - 0.02, 0.09, 0.05), colours.glow)
    spot.shade(0.40 * blob(spot.u, spot.v + 0.065, 0.09, 0.022), colours.shadow)


def _double_chin(sitter: Sitter) -> None:
    x, y = sitter.at(0, CHIN - 0.045)
    area = sitter.near((x, y), 0.34, 0.22)
    line = np.abs(area.v + 1.1 * area.u**2 - 0.005)
    there = smooth(np.abs(area.u), 0.22, 0.10)
    area.shade(0.75 * smooth(line, 0.030, 0.0) * there * area.only("skin"), sitter.colours.shadow)
    area.ink(smooth(line, 0.016, 0.004) * (np.abs(area.u) < 0.18))
    below_ = ellipse(area.u, area.v - 0.03, 0.27, 0.105)
    fold = area.cover(below_) * area.only("neck")
    light = np.clip(0.55 - 2.2 * np.maximum(area.v, 0), 0.1, 1) * np.ones_like(area.u)
    _skin(area, fold, sitter.colours, light, "skin")
