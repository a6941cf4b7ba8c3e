"""Sketches of photographs that have none: thin dark lines on white, derived without a network. Our own, not a paper's.

The sketches of Multi-Modal CelebA-HQ come from Photoshop's photocopy filter and a network that simplifies drawings
(Simo-Serra et al. 2016); neither is at hand here. What stands in for them, on a grey picture of about twice the side
that is wanted:

1. Logarithm, less its own blur: dark and bright faces give the same lines.
2. Difference of Gaussians (Marr & Hildreth 1980), as XDoG has it (Winnemoeller et al. 2012): negative along dark lines.
3. Divided by the root of its strength in the whole and around: neither a fence behind decides how a face is drawn, nor
   does a plain wall fill up with noise.
4. Hysteresis, as Canny's: a weak line stays where it hangs on a strong one; specks go.
"""

import numpy as np
from PIL import Image

DERIVED = "derived by telldraw from the pictures (differences of Gaussians); not as those of Multi-Modal CelebA-HQ"
"""What a manifest says of them."""
_LEAST, _MOST = 128, 512  # side in pixels of what is worked on
_LINE = 1.3 / 256  # half width of a line, in sides; at least a pixel
_FAR, _NEAR = 24 / 256, 16 / 256  # how far step 1 and step 3 look, in sides
_WEAK, _STRONG, _SPECK = -0.45, -1.0, 30 / 256**2  # thresholds; area of a speck, in squares of a side
_STEEP = 1.2  # how fast a line turns black below the weak threshold


def worked_on(side: int) -> int:
    """How wide a picture should be that a sketch of so many pixels is derived from."""
    return min(_MOST, max(_LEAST, 2 * side))


def sketch_of(picture: Image.Image) -> Image.Image:
    """A grey picture of the same size: 255 paper, 0 line. The longer side is taken for that of a face's picture."""
    side = max(picture.size)
    grey = np.log(np.asarray(picture.convert("L"), np.float32) / 255 + 0.06)
    grey = grey - _around(grey, _FAR * side)
    line = max(1.0, _LINE * side)
    found = _smoothed(grey, line) - _smoothed(grey, 1.6 * line)
    whole = float(found.std()) + 1e-4  # a picture of one colour stays empty
    around = np.sqrt(np.maximum(_around(found * found, _NEAR * side), 0)) + 0.08 * whole
    found = found / np.sqrt(whole * around)
    kept = hanging_together(found < _WEAK, found < _STRONG, _SPECK * side * line / _LINE)
    ink = np.clip((_WEAK - found) * _STEEP, 0, 1) * kept
    return Image.fromarray((255 * (1 - ink)).round().astype(np.uint8))


def hanging_together(weak: np.ndarray, strong: np.ndarray, least: float) -> np.ndarray:
    """Of `weak` [H, W] the pieces (8 neighbours) with a place of `strong` in them and an area of `least` or more."""
    piece = pieces(weak)
    area = np.bincount(piece.ravel())
    keep = area >= least
    keep &= np.isin(np.arange(len(area)), piece[strong & weak])
    keep[0] = False
    return keep[piece]


def pieces(mask: np.ndarray) -> np.ndarray:
    """Number the pieces of `mask` [H, W] that hang together, corners too, from 1 on; int64 [H, W], 0 elsewhere."""
    height, width = mask.shape
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    stops = np.nonzero(edges == -1)[1]  # runs of a row: from start to stop
    first = np.searchsorted(rows, np.arange(height + 1))
    root = list(range(len(rows)))

    def top(run: int) -> int:
        while root[run] != run:
            root[run] = run = root[root[run]]
        return run

    start, stop, at = starts.tolist(), stops.tolist(), first.tolist()
    for row in range(1, height):
        above, below = at[row - 1], at[row]
        while above < at[row] and below < at[row + 1]:
            if start[above] <= stop[below] and start[below] <= stop[above]:  # they touch, if by a corner
                root[top(above)] = top(below)
            if stop[above] < stop[below]:
                above += 1
            else:
                below += 1
    numbers = np.unique([top(run) for run in range(len(root))], return_inverse=True)[1] + 1
    piece = np.zeros((height, width + 1), np.int64)
    np.add.at(piece, (rows, starts), numbers)
    np.add.at(piece, (rows, stops), -numbers)
    return piece.cumsum(1)[:, :width]


def _smoothed(grey: np.ndarray, sigma: float) -> np.ndarray:
    """By a Gaussian, tap by tap: a product of matrices would start threads in every process that reads pictures.

    Beyond its edge a picture goes on as its mirror image upside down, 2 f(0) - f(-x), so that a slope stays a slope
    and no line is found along the edge.
    """
    reach = round(4 * sigma)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    for _ in ("down", "across"):
        wide = np.pad(grey, ((reach, reach), (0, 0)), mode="reflect", reflect_type="odd")
        blurred = np.zeros_like(grey)
        for at, weight in enumerate(weights):
            blurred += weight * wide[at : at + len(grey)]
        grey = np.ascontiguousarray(blurred.T)
    return grey


def _around(grey: np.ndarray, sigma: float) -> np.ndarray:
    """By nearly a Gaussian: three means over a window, whose variance together is that of the Gaussian."""
    half = max(1, round(np.sqrt(sigma**2 + 0.25) - 0.5))
    window = 2 * half + 1
    for _ in ("across", "down"):
        for _ in range(3):
            wide = np.pad(grey, ((0, 0), (half + 1, half)), mode="edge").cumsum(1, dtype=np.float64)
            grey = (wide[:, window:] - wide[:, :-window]) / window
        grey = np.ascontiguousarray(grey.T)
    return grey.astype(np.float32)
