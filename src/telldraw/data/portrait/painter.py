"""A face, painted from back to front."""

from typing import NamedTuple

import numpy as np

from telldraw.data.portrait import features, hair, head, wear
from telldraw.data.portrait.canvas import Canvas
from telldraw.data.portrait.palette import palette_of
from telldraw.data.portrait.traits import Face


class Portrait(NamedTuple):
    """What is known of every pixel."""

    picture: np.ndarray  # uint8 [3, R, R]
    regions: np.ndarray  # uint8 [R, R], numbers of canvas.REGIONS
    sketch: np.ndarray  # uint8 [R, R], dark lines on white


def paint(face: Face, resolution: int) -> Portrait:
    """Paint a face, resolution x resolution; the same face is the same picture."""
    canvas, colours = Canvas(resolution), palette_of(face)
    sitter = head.sit(face, colours, canvas)
    shape = hair.shape_of(sitter)
    head.background(canvas, face, colours)
    hair.behind(sitter, shape)
    head.body(sitter)
    if face.has("Wearing_Necklace"):
        wear.necklace(sitter)
    head.ears(sitter)
    head.skin(sitter)
    features.nose(sitter)
    features.age(sitter)
    hair.beard(sitter)
    features.mouth(sitter)
    features.eyes(sitter)
    features.brows(sitter)
    hair.in_front(sitter, shape)
    if face.has("Eyeglasses"):
        wear.glasses(sitter)
    if face.has("Wearing_Earrings"):
        wear.earrings(sitter)
    if face.has("Wearing_Hat"):
        wear.hat(sitter)
    return Portrait(canvas.picture(), canvas.numbers(), canvas.sketch())
