"""R-precision for reports: how often pictures find their own texts among others', by whoever embeds both."""

from collections.abc import Hashable, Mapping, Sequence

import torch
from torch import Tensor

from telldraw.commands.picture_evaluation import Figure
from telldraw.metrics import distribution

MISMATCHED = 99
"""Texts of other pictures that each picture's own is ranked among."""


def r_precision(
    pictures: Mapping[str, tuple[Tensor, str]], text: Tensor, said: Sequence[Hashable], by: str
) -> dict[str, Figure]:
    """Figures of several sets of N pictures, by name: each embedded [N, D], and what they are called in the report.

    text [N, D] embedded; said: what each text says: texts that say the same are never each other's mistakes. by: whose
    embedding it is.
    """
    number = {each: place for place, each in enumerate(dict.fromkeys(said))}
    groups = torch.tensor([number[each] for each in said])
    most = len(groups) - int(groups.unique(return_counts=True)[1].max())
    if most < MISMATCHED:
        first = next(iter(pictures))
        return {first: Figure("not measured", f"at least {MISMATCHED + 1} different captions are needed")}
    found = {}
    for name, (seen, what) in pictures.items():
        share = distribution.r_precision(seen, text, mismatched=MISMATCHED, groups=groups)
        about = f"share of {len(seen):,} {what} that find their own caption among it and {MISMATCHED} others, by {by}"
        found[name] = Figure(share, f"{about}; chance 0.01", (share * (1 - share) / len(seen)) ** 0.5)
    return found
