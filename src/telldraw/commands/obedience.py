"""Whether pictures show the solids that their captions name: figures of text-to-image systems on CLEVR birds.

A classifier of the 48 kinds of solid says what a picture shows, the captions' own language says what was asked for, and
`metrics.attributes` compares the two. What is behind what, or left of it, is not judged.
"""

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from telldraw.commands.picture_evaluation import Figure, frechet
from telldraw.data.clevr.captions import Said, parse
from telldraw.data.clevr.stage import COLOURS, SHAPES
from telldraw.data.clevr_birds import KINDS, SIZES
from telldraw.errors import TelldrawError, WeightsError
from telldraw.metrics import attributes

if TYPE_CHECKING:
    from telldraw.weights import Loaded

NAMES = ("size", "colour", "shape")
"""What a solid is called by, in the order of the words of a kind."""
TABLE = torch.tensor(list(product(*(range(len(values)) for values in (SIZES, COLOURS, SHAPES)))))
"""Numbers of size, colour and shape of each kind, [48, 3]."""
_SHARES = {
    **{name: f"{name}s named in captions that {{judge}} finds" for name in NAMES},
    attributes.SOLIDS: "solids named in captions that {judge} finds with all that is said of them",
    attributes.CAPTIONS: "captions all of whose solids {judge} finds",
    attributes.COUNT: "captions that name as many solids as {judge} finds",
}
_TOGETHER = 500  # pictures judged at once


def measured(
    judge: "Loaded",
    images: Tensor,
    captions: Sequence[str],
    *,
    true: Tensor | None = None,
    train: Tensor | None = None,
    warnings: list[str] | None = None,
) -> dict[str, Figure]:
    """Figures of pictures [N, 3, H, W] in [-1, 1] drawn for N captions.

    `true` [N, 3, H, W]: the pictures that the captions were written of, for the same figures as a ceiling, and for the
    Fréchet distance; `train` [M, 3, H, W]: training pictures, for its floor. `warnings` gets what to be warned of.
    Captions of another language are left out and counted. Raises WeightsError when the judge knows other classes than
    the 48 kinds, TelldrawError when nothing can be judged or pictures are of another size than the judge's.
    """
    check(judge)
    for pictures in (images, true, train):
        _check_pictures(judge, pictures)
    if len(images) != len(captions) or (true is not None and len(true) != len(captions)):
        raise TelldrawError(f"a picture for each of the {len(captions):,} captions is needed, not {len(images):,}")
    asked, kept = encoded(captions)
    if not kept:
        raise TelldrawError(f"none of the {len(captions):,} captions names solids, the first being {captions[:1]}")
    rows = torch.tensor(kept)
    of = f"in {len(kept):,} drawings"
    found = _obeyed(judge, images[rows], asked, of, chance=True)
    if true is not None:
        ceiling = _obeyed(judge, true[rows], asked, "in the true pictures", chance=False)
        found |= {f"{name}_true": figure for name, figure in ceiling.items()}
    if len(kept) < len(captions):
        what = f"of {len(captions):,} captions: of another language, or with two solids that could be one; left out"
        found["captions_left_out"] = Figure(len(captions) - len(kept), what)
    if true is not None:
        found |= _distances(judge, images, true, train, [] if warnings is None else warnings)
    return found


def check(judge: "Loaded") -> None:
    """Raise WeightsError when a judge does not know the 48 kinds, and these alone."""
    if tuple(judge.card.get("classes", ())) != KINDS or not hasattr(judge.system, "classify"):
        raise WeightsError(
            f"{judge.name} does not tell the 48 kinds of solid apart; a classifier trained on "
            "`telldraw prepare clevr-birds --mixed --kinds` does"
        )


def encoded(captions: Sequence[str]) -> tuple[Tensor, list[int]]:
    """What captions say, [M, 2, 3] numbers of size, colour and shape (-1: not said), and which rows these are."""
    read: list[list[list[int]]] = []
    rows: list[int] = []
    for row, caption in enumerate(captions):
        try:
            said = parse(caption)
        except ValueError:
            continue
        read.append(_numbers(said))
        rows.append(row)
    asked = torch.tensor(read, dtype=torch.int64).view(-1, 2, 3)
    clear = ~attributes.doubtful(asked, TABLE)
    return asked[clear], [row for row, kept in zip(rows, clear.tolist(), strict=True) if kept]


def _numbers(said: Said) -> list[list[int]]:
    colours = list(COLOURS)
    solids = [
        [SIZES.index(name.size) if name.size else -1, colours.index(name.colour), SHAPES.index(name.shape)]
        for name in said.named
    ]
    return solids + [[-1, -1, -1]] * (2 - len(solids))


def _obeyed(judge: "Loaded", images: Tensor, asked: Tensor, of: str, *, chance: bool) -> dict[str, Figure]:
    probability = _in_parts(judge, "classify", images).sigmoid()
    found: dict[str, Figure] = {}
    shifts = attributes.SHIFTS if chance else 0
    for name, share in attributes.shares(probability, asked, TABLE, NAMES, shifts=shifts).items():
        what = f"share of {share.of:,} {_SHARES[name].format(judge=judge.name)} {of}"
        found[f"obeyed_{name}"] = Figure(share.value, what, share.error)
        if chance:
            found[f"obeyed_{name}_chance"] = Figure(share.chance, "the same with other captions' drawings")
    return found


def _distances(
    judge: "Loaded", images: Tensor, true: Tensor, train: Tensor | None, warnings: list[str]
) -> dict[str, Figure]:
    """Fréchet distances in the judge's features to the true pictures."""
    sets = {"frechet_classifier": (images, "drawings")}
    if train is not None:
        sets["frechet_classifier_floor"] = train[: len(images)], "training pictures"
    real = _in_parts(judge, "features", true)
    return {
        name: frechet(real, _in_parts(judge, "features", pictures), what, warnings)
        for name, (pictures, what) in sets.items()
    }


@torch.inference_mode()
def _in_parts(judge: "Loaded", what: str, images: Tensor) -> Tensor:
    system: Any = judge.system
    device = next(system.parameters()).device
    return torch.cat([getattr(system, what)(part.to(device)).float().cpu() for part in images.split(_TOGETHER)])


def _check_pictures(judge: "Loaded", images: Tensor | None) -> None:
    side = judge.card.get("resolution")
    if images is not None and tuple(images.shape[1:]) != (3, side, side):
        raise TelldrawError(
            f"{judge.name} looks at colour pictures of {side} x {side} pixels, and these are {tuple(images.shape[1:])}"
        )
