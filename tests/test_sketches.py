"""Sketches that are derived from pictures."""

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw

from telldraw.data.sketches import hanging_together, pieces, sketch_of, worked_on


def drawn(ink: int = 60, paper: int = 170) -> Image.Image:
    """A dark ring."""
    image = Image.new("RGB", (256, 256), (paper,) * 3)
    ImageDraw.Draw(image).ellipse((60, 40, 190, 210), outline=(ink,) * 3, width=4)
    return image


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]))
def test_pieces_are_those_of_scipy(height: int, width: int, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    others = np.zeros(mask.shape, np.int32)
    mine, count = pieces(mask), scipy.ndimage.label(mask, np.ones((3, 3)), output=others)
    assert mine.max(initial=0) == count and not mine[~mask].any()
    assert len(set(zip(mine[mask].tolist(), others[mask].tolist(), strict=True))) == count


def test_weak_lines_stay_where_they_hang_on_strong_ones_and_specks_go() -> None:
    weak = np.array([[1, 1, 1, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0, 0], [1, 0, 1, 1, 1, 1, 0]], bool)
    strong = np.zeros_like(weak)
    strong[0, 0] = strong[2, 0] = True
    assert hanging_together(weak, strong, 3).tolist() == [[True] * 3 + [False] * 4, [False] * 7, [False] * 7]
    assert hanging_together(weak, strong, 1)[2, 0]


def test_a_line_is_drawn_where_it_is_and_all_else_is_paper() -> None:
    sketch = np.asarray(sketch_of(drawn()))
    assert sketch.shape == (256, 256) and sketch.dtype == np.uint8
    line = np.asarray(drawn().convert("L")) < 100
    assert (sketch[line] < 128).mean() > 0.9
    near = np.asarray(scipy.ndimage.binary_dilation(line, iterations=4), bool)
    assert (sketch[~near] == 255).all()


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_a_dark_picture_gives_the_lines_of_a_bright_one(share: float) -> None:
    bright = np.asarray(sketch_of(drawn(80, 240))).astype(int)
    dark = np.asarray(sketch_of(drawn(round(80 * share), round(240 * share)))).astype(int)
    assert np.abs(bright - dark).mean() < 4


def test_a_picture_without_lines_is_white_paper() -> None:
    for shade in (0, 128, 255):
        assert (np.asarray(sketch_of(Image.new("RGB", (130, 128), (shade,) * 3))) == 255).all()


def test_no_line_is_drawn_along_the_edge() -> None:
    slope = Image.fromarray(np.tile(np.linspace(60, 255, 256), (256, 1)).astype(np.uint8))
    sketch = np.asarray(sketch_of(ImageChops.multiply(drawn(40, 255), slope.convert("RGB"))))
    inside = np.zeros(sketch.shape, bool)
    inside[30:220, 50:200] = True
    assert (sketch[inside] < 128).sum() > 1000 and (sketch[~inside] == 255).all()


def test_small_sketches_are_derived_at_twice_their_side() -> None:
    assert [worked_on(side) for side in (8, 64, 100, 256, 1024)] == [128, 128, 200, 512, 512]
