"""Whether faces are as a text asks, and what else changed when they were edited: pure functions of tensors.

A judge gives each picture a probability for each of K attributes (CelebA's: "Eyeglasses", "Smiling", ...); above 1/2
the attribute counts as there. What a text asks is a row of 1 (it should be there), 0 (it should not) and -1 (not said).
No paper defines these figures: TediGAN (Xia et al., CVPR 2021) asked people instead, and released no code for it. They
stand for its claims, and for the limitation it names, that attributes nobody asked for change too:

    asked_right    what is asked is there                          of pictures drawn for texts, and of edits
    flipped        what was not as asked before the edit is after  of edits alone
    interference   what was not asked for changed all the same     of edits alone
    identity       the same person, by a network's features        of edits and of reconstructions
    outside        pixels where the edit had no business           of edits alone

The judge must know nothing of what it judges: another network than the features that were trained by.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from telldraw.metrics import reconstruction
from telldraw.metrics.attributes import ratio
from telldraw.metrics.lpips import diversity

THERE = 0.5
"""An attribute is there when its probability is above this."""
HAIR = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")
"""CelebA's hair colours; asked as one question with a fifth answer, none of them."""
ASKED_OF_EDITS = (*HAIR, "Eyeglasses", "Smiling", "Wearing_Hat")
"""The attributes edits are measured by: one that lies in colour, three that add, move and cover something."""
_BEARDS = ("5_o_Clock_Shadow", "Goatee", "Mustache", "Sideburns")
SPARED: dict[str, tuple[str, ...]] = {
    **{colour: tuple(other for other in (*HAIR, "Bald") if other != colour) for colour in HAIR},
    "Straight_Hair": ("Wavy_Hair",),
    "Wavy_Hair": ("Straight_Hair",),
    **{beard: ("No_Beard",) for beard in _BEARDS},
    "No_Beard": _BEARDS,
    "Bald": (*HAIR, "Bangs", "Receding_Hairline", "Straight_Hair", "Wavy_Hair"),
    "Wearing_Hat": ("Bald", "Bangs", "Receding_Hairline"),  # it covers where these are seen
}
"""Attribute asked for -> attributes that it decides or covers, whose change is no interference."""
TOUCHED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(HAIR, ("hair",)),
    "Eyeglasses": ("eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "nose", "skin"),
    "Smiling": ("mouth", "u_lip", "l_lip", "skin"),
    "Wearing_Hat": ("hat", "hair", "background", "skin"),
}
"""Attribute -> regions (CelebAMask-HQ's names) that adding or removing it may change; in all others nothing should."""
_TOGETHER = 64  # pairs of pictures compared at once


class Share(NamedTuple):
    """A share, 0 to 1, or nan where there is nothing to count."""

    value: float
    error: float
    """Standard error, pictures being drawn independently."""
    of: int
    """Answers it is a share of."""
    each: Tensor
    """The same of each attribute, float64 [K]; nan where it is never asked."""
    of_each: Tensor
    """Answers of each attribute, int64 [K]."""


class Interference(NamedTuple):
    """How far attributes changed that nobody asked to change."""

    changed: Share
    """Share of them that are judged otherwise than before."""
    moved: float
    """Mean absolute change of their probability."""
    moved_each: Tensor
    """The same of each attribute, float64 [K]."""


def asked_right(probability: Tensor, asked: Tensor) -> Share:
    """Share of what is asked that is so: probability [N, K], asked [N, K] int64 of 1, 0 and -1.

    Its chance is the same figure with rows of `probability` that belong to other texts (`torch.roll`). Raises
    ValueError when shapes differ.
    """
    _same(probability, asked)
    return _share(_is_there(probability) == (asked > 0), asked >= 0)


def flipped(before: Tensor, after: Tensor, asked: Tensor) -> Share:
    """Share of what is asked and was not so before that is so after: all three [N, K]. Raises ValueError likewise."""
    _same(before, after, asked)
    wrong_before = (_is_there(before) != (asked > 0)) & (asked >= 0)
    return _share(_is_there(after) == (asked > 0), wrong_before)


def interference(before: Tensor, after: Tensor, asked: Tensor, *, spared: Tensor | None = None) -> Interference:
    """What changed of that nobody asked for: before, after and asked [N, K]; spared [N, K] bool is not counted either.

    `spared`: what the asked attribute decides (`spared_by`). A second look at the same picture gives 0. The floor is
    not 0 for edits of a reconstruction: give that, and not the picture itself, as `before` to leave out what was lost
    before the edit. Raises ValueError when shapes differ.
    """
    _same(before, after, asked)
    counted = asked < 0
    if spared is not None:
        _same(before, spared)
        counted &= ~spared
    move = (after.double() - before.double()).abs() * counted
    of_each = counted.sum(0)
    return Interference(
        _share(_is_there(before) != _is_there(after), counted),
        float(move.sum() / of_each.sum()) if int(of_each.sum()) else float("nan"),
        move.sum(0) / of_each,
    )


def spared_by(asked: Tensor, names: Sequence[str], table: Mapping[str, Sequence[str]] = SPARED) -> Tensor:
    """Attributes that what is asked decides, by `table`: asked [N, K], names of the K attributes -> bool [N, K]."""
    by = torch.tensor([[other in table.get(name, ()) for other in names] for name in names], dtype=torch.bool)
    return ((asked >= 0).long() @ by.long()) > 0


def hair_colour(probability: Tensor) -> Tensor:
    """Of four probabilities in the order of `HAIR` the colour: [N, 4] -> [N] int64, 4 where none is above 1/2.

    Labels of 0 and 1 are answered likewise; where two are equal the first counts.
    """
    likely = probability.max(1)
    return torch.where(likely.values > THERE, likely.indices, probability.shape[1])


def identity(before: Tensor, after: Tensor) -> Tensor:
    """Cosine of what a network says of two pictures of (it is hoped) one person: [N, D] twice -> [N], -1 to 1.

    Of whose features this is must stand beside the figure. Those of a face recogniser are meant; a judge of attributes
    is a stand-in that sees a change of hair as another person.
    """
    _same(before, after)
    return torch.nn.functional.cosine_similarity(before.double(), after.double(), dim=1)


def outside(regions: Tensor, touched: Sequence[int]) -> Tensor:
    """Where an edit has no business: regions [N, H, W] of numbers, those it may touch -> bool [N, H, W]."""
    return ~torch.isin(regions, torch.tensor(list(touched), dtype=regions.dtype, device=regions.device))


def rms(before: Tensor, after: Tensor, where: Tensor) -> Tensor:
    """Root of the mean squared difference of the pixels at `where` [N, H, W] bool, as a share of their range: [N].

    before, after [N, C, H, W] in [-1, 1]; 0 for equal pictures, at most 1, nan where there is no such pixel. Raises
    ValueError when shapes do not belong together.
    """
    _same(before, after)
    if where.shape != before[:, 0].shape:
        raise ValueError(f"pixels [N, H, W] were expected, not {tuple(where.shape)} for {tuple(before.shape)}")
    squared = ((before - after).double() / 2).square().mean(1) * where
    return (squared.sum((1, 2)) / where.sum((1, 2))).sqrt()


def numbers_of(attribute: str, names: Sequence[str], table: Mapping[str, Sequence[str]] = TOUCHED) -> list[int]:
    """Numbers of the regions that an edit of `attribute` may touch, where `names` are the regions' in order.

    Raises ValueError for an attribute the table does not know.
    """
    if attribute not in table:
        raise ValueError(f"which regions {attribute} may touch is not known; known are {', '.join(table)}")
    return [number for number, name in enumerate(names) if name in table[attribute]]


Distance = Callable[[Tensor, Tensor], Tensor]
"""Two batches [N, 3, H, W] in [-1, 1] -> [N]: LPIPS, or another perceptual distance."""


def reconstructed(drawn: Tensor, true: Tensor, distance: Distance | None = None) -> dict[str, Tensor]:
    """How near N pictures come to what they are to be, by name: mse, psnr, ssim and, with a `distance`, perceptual.

    Both [N, C, H, W] in [-1, 1] -> figures [N]. SSIM is left out of pictures smaller than its window.
    """
    found = {"mse": reconstruction.mse(drawn, true), "psnr": reconstruction.psnr(drawn, true)}
    if min(drawn.shape[-2:]) >= reconstruction.WINDOW:
        found["ssim"] = reconstruction.ssim(drawn, true)
    if distance is not None:
        found["perceptual"] = torch.cat([
            distance(x, y) for x, y in zip(drawn.split(_TOGETHER), true.split(_TOGETHER), strict=True)
        ])  # fmt: skip
    return found


def to_real(distance: Distance, drawn: Tensor, real: Tensor) -> Tensor:
    """How far drawings for a text are from the real picture that has it, lower is closer: `lpips_to_real`.

    drawn [G, K, 3, H, W], K drawings for each of G texts, real [G, 3, H, W] -> [G], means over the K. It is 0 for a
    copy. TediGAN's table gives "LPIPS" and counts lower as better, and its author says it may be this one; `among`, the
    usual measure of diversity, is another figure, of which higher is better.
    """
    if drawn.dim() != 5 or drawn.shape[:1] + drawn.shape[2:] != real.shape:
        raise ValueError(
            f"[G, K, 3, H, W] and [G, 3, H, W] were expected, not {tuple(drawn.shape)}, {tuple(real.shape)}"
        )
    return torch.stack([distance(drawn[:, number], real) for number in range(drawn.shape[1])]).mean(0)


def among(distance: Distance, drawn: Tensor) -> Tensor:
    """How far drawings for one text are from each other, higher is more varied: `lpips_diversity`.

    drawn [G, K, 3, H, W], K of at least 2 -> [G], means over pairs (`metrics.lpips.diversity`). 0: the noise does
    nothing. It rewards noise that is simply visible, so never read it alone.
    """
    return diversity(distance, drawn)


def _is_there(probability: Tensor) -> Tensor:
    return probability > THERE


def _share(right: Tensor, counted: Tensor) -> Share:
    """Of answers [N, K], those that are right among those that count."""
    right = right & counted
    value, error = ratio(right.sum(1), counted.sum(1))
    of_each = counted.sum(0)
    return Share(value, error, int(of_each.sum()), right.sum(0).double() / of_each, of_each)


def _same(*tensors: Tensor) -> None:
    shapes = [tuple(tensor.shape) for tensor in tensors]
    if len(set(shapes)) > 1 or len(shapes[0]) < 2:
        raise ValueError(f"tensors of one shape were expected, not {', '.join(map(str, shapes))}")
