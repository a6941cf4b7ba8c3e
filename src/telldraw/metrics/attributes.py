"""Whether the solids that captions name are in a picture, each with all that is said of it: pure functions of tensors.

A judge gives each picture a probability for every kind of solid, say "small red cube"; a kind has one value of each
attribute (size, colour, shape). A caption names n solids by some of these values, and of the picture drawn for it the n
likeliest kinds count as found:

    an attribute   share of the values said that are found, each solid found answering for one solid named
    solids         share of the solids named that are found with all that is said of them together
    captions       share of captions all of whose solids are found
    count          share of captions that name as many solids as have a probability above 1/2

A red cube and a blue ball for "a blue cube and a red ball" has every colour and every shape and neither solid: the
difference of the first two is what is bound wrongly. Where solids stand is not judged. Chance is what the same figures
are when each caption is given the picture of another one, and belongs beside them, like those of true pictures.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

SOLIDS, CAPTIONS, COUNT = "solids", "captions", "count"
SHIFTS = 100
"""Other captions' pictures that each caption is given for chance; of fewer captions all."""
THERE = 0.5
"""A kind is there when its probability is above this."""


class Share(NamedTuple):
    """A share, 0 to 1, or nan where nothing is said of it."""

    value: float
    error: float  # standard error, captions being drawn independently
    chance: float
    of: int  # values, solids or captions


def likeliest(probability: Tensor, number: Tensor) -> Tensor:
    """The likeliest `number` [N] int64 kinds of each picture: probability [N, K] -> [N, K] bool, ties to the first."""
    rank = probability.argsort(dim=1, descending=True, stable=True).argsort(1)
    return rank < number.unsqueeze(1)


def fits(asked: Tensor, kinds: Tensor) -> Tensor:
    """Which kinds are what is said of a solid: asked [N, S, A], kinds [K, A] int64 -> [N, S, K] bool.

    A is the number of attributes; -1: not said. Where nothing is said there is no solid and no kind fits.
    """
    said = asked.unsqueeze(2)
    return ((said < 0) | (said == kinds)).all(3) & named(asked).unsqueeze(2)


def named(asked: Tensor) -> Tensor:
    """Whether there is such a solid in the caption: asked [N, S, A] -> [N, S] bool."""
    return (asked >= 0).any(2)


def doubtful(asked: Tensor, kinds: Tensor) -> Tensor:
    """Captions of which one kind could be two of the solids, so that none of it can be judged: [N] bool.

    "A red cube and a small red cube" is one; "a large red cube and a small red cube" is none.
    """
    return (fits(asked, kinds).sum(1) > 1).any(1)


def values_found(found: Tensor, asked: Tensor, kinds: Tensor, attribute: int) -> tuple[Tensor, Tensor]:
    """How many of the values said of one attribute are found, and how many are said, both [N] int64.

    found [N, K] bool; "two large ones" are found in two large kinds and not in one.
    """
    said, values = asked[:, :, attribute], int(kinds[:, attribute].max()) + 1
    wanted = (said.unsqueeze(2) == torch.arange(values)).sum(1)
    there = found.long() @ (kinds[:, attribute].unsqueeze(1) == torch.arange(values)).long()
    return torch.minimum(wanted, there).sum(1), (said >= 0).sum(1)


def solids_found(found: Tensor, asked: Tensor, kinds: Tensor) -> Tensor:
    """Which of the solids named are found with all that is said of them: found [N, K] bool -> [N, S] bool."""
    return (fits(asked, kinds) & found.unsqueeze(1)).any(2)


def parts(probability: Tensor, asked: Tensor, kinds: Tensor, names: Sequence[str]) -> dict[str, tuple[Tensor, Tensor]]:
    """What is right, and of how much, for each caption, both [N] int64: of every attribute in `names` and the rest.

    probability [N, K]; asked [N, S, A]; kinds [K, A].
    """
    number = named(asked).sum(1)
    found = likeliest(probability, number)
    each = solids_found(found, asked, kinds).sum(1)
    one = torch.ones_like(number)
    return {
        **{name: values_found(found, asked, kinds, index) for index, name in enumerate(names)},
        SOLIDS: (each, number),
        CAPTIONS: ((each == number).long(), one),
        COUNT: (((probability > THERE).sum(1) == number).long(), one),
    }


def shares(
    probability: Tensor, asked: Tensor, kinds: Tensor, names: Sequence[str], *, shifts: int = SHIFTS
) -> dict[str, Share]:
    """All figures of N pictures drawn for N captions, by name.

    probability [N, K], asked [N, S, A] int64 (-1: not said), kinds [K, A] int64, names: of the A attributes.
    Chance is the mean over all pairs of a caption and another one's picture, or over `shifts` pictures for each, evenly
    spread over the rows; nan without any. Raises ValueError when shapes do not belong together, or a caption names
    nothing or is doubtful.
    """
    _check(probability, asked, kinds, names)
    count = len(probability)
    own = parts(probability, asked, kinds, names)
    others = torch.linspace(1, count - 1, min(shifts, count - 1)).round().long().tolist() if count > 1 else []
    by_chance = dict.fromkeys(own, 0)
    for shift in others:
        for name, (right, _) in parts(probability.roll(shift, 0), asked, kinds, names).items():
            by_chance[name] += int(right.sum())
    all_of = {name: int(of.sum()) for name, (_, of) in own.items()}
    return {
        name: Share(*ratio(right, of), _over(by_chance[name], all_of[name] * len(others)), all_of[name])
        for name, (right, of) in own.items()
    }


def _check(probability: Tensor, asked: Tensor, kinds: Tensor, names: Sequence[str]) -> None:
    shapes = tuple(probability.shape), tuple(asked.shape), tuple(kinds.shape)
    fitting = [len(shape) for shape in shapes] == [2, 3, 2]
    if not fitting or (len(probability), *kinds.shape) != (len(asked), probability.shape[1], asked.shape[2]):
        raise ValueError(f"[N, K], [N, S, A] and [K, A] were expected, not {shapes}")
    if len(names) != kinds.shape[1]:
        raise ValueError(f"{len(names)} names for {kinds.shape[1]} attributes")
    if not len(asked) or not bool(named(asked).any(1).all()):
        raise ValueError("there is no caption, or one that names nothing")
    if bool(doubtful(asked, kinds).any()):
        raise ValueError("a caption names two solids that one kind could be")


def ratio(right: Tensor, of: Tensor) -> tuple[float, float]:
    """sum(right) / sum(of) and its standard error, rows being independent (the ratio estimator's): [N], [N]."""
    right, of = right.double(), of.double()
    share = _over(float(right.sum()), float(of.sum()))
    if len(right) < 2:
        return share, float("nan")
    spread = (right - share * of).square().sum() / (len(right) - 1) / len(right)
    return share, float(spread.sqrt() / of.mean())


def _over(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
