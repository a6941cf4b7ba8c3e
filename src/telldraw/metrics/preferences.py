"""What people prefer: shares of methods by question, with their uncertainty. Pure functions; no torch.

A rater looks at one picture of each of M methods for one text and says which answers a question best. A method's share
is how often it was said, so the shares of a question sum to 1; 1 / M is chance. TediGAN (Xia et al., CVPR 2021) reports
such shares as "accuracy" (which fits the text best) and "realism" (which looks most real).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

Z = 1.959964
"""Of a normal distribution, between minus this and this lie 95 %."""


class Answer(NamedTuple):
    """What one rater said to one question about one text."""

    rater: str
    item: str
    """The text, or the name of its pictures."""
    question: str
    chosen: str
    """A method."""


class Preferred(NamedTuple):
    """How often a method was chosen."""

    method: str
    share: float
    low: float
    """95 % interval: Wilson's, of as many answers as these are worth."""
    high: float
    chosen: int


class Outcome(NamedTuple):
    """A question's answers."""

    question: str
    methods: tuple[Preferred, ...]
    answers: int
    raters: int
    items: int
    agreement: float | None
    """Share of the pairs of raters of one text who chose the same; None where no text has two raters."""
    agreement_by_chance: float
    """The same for raters who choose by the shares above without looking."""


def wilson(share: float, count: float) -> tuple[float, float]:
    """The 95 % interval of a share of `count` independent answers (Wilson 1927), inside 0 and 1 for any count > 0.

    Raises ValueError for a count that is not above 0 or a share outside 0 to 1.
    """
    if count <= 0 or not 0 <= share <= 1:
        raise ValueError(f"a share from 0 to 1 of more than no answers was expected, not {share} of {count}")
    centre = share + Z * Z / (2 * count)
    reach = Z * sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
    whole = 1 + Z * Z / count
    return max(0.0, (centre - reach) / whole), min(1.0, (centre + reach) / whole)


def outcome(question: str, answers: Sequence[Answer], methods: Sequence[str]) -> Outcome:
    """What the answers to one question say of each of `methods`, in that order.

    Answers about one text are not independent: where raters agree on it, they say little more than one of them does. So
    the interval is of n / d answers, d the variance of the share with texts as the units, over that of n independent
    answers (the design effect), at least 1. It is about other texts, and these raters. Raises ValueError when there is
    no answer, or one names another method.
    """
    if not answers:
        raise ValueError(f"there is no answer to {question!r}")
    if unknown := sorted({each.chosen for each in answers} - set(methods)):
        raise ValueError(f"{unknown[0]!r} was chosen, and is none of {', '.join(methods)}")
    by_item: dict[str, list[str]] = defaultdict(list)
    for each in answers:
        by_item[each.item].append(each.chosen)
    counts, total = Counter(each.chosen for each in answers), len(answers)
    found = []
    for method in methods:
        share = counts[method] / total
        low, high = wilson(share, _worth(method, share, by_item, total))
        found.append(Preferred(method, share, low, high, counts[method]))
    pairs = [(a == b) for chosen in by_item.values() for i, a in enumerate(chosen) for b in chosen[:i]]
    return Outcome(
        question,
        tuple(found),
        total,
        len({each.rater for each in answers}),
        len(by_item),
        sum(pairs) / len(pairs) if pairs else None,
        sum(each.share**2 for each in found),
    )


def _worth(method: str, share: float, by_item: dict[str, list[str]], total: int) -> float:
    """As how many independent answers these count, from the number of texts (or less) to that of answers."""
    alone = share * (1 - share) / total
    sums = [sum((each == method) - share for each in chosen) for chosen in by_item.values()]
    by_texts = sum(each * each for each in sums) / total**2
    if not alone:  # all or none chose it: nothing tells how far raters of one text agree
        return len(by_item)
    return total * min(1.0, alone / by_texts) if by_texts else total


def percent(shares: Sequence[float]) -> list[float]:
    """Shares that sum to 1, in percent with one decimal that sum to 100.0: what is lost goes to the largest rests.

    Raises ValueError when they do not sum to 1.
    """
    if abs(sum(shares) - 1) > 1e-9:
        raise ValueError(f"shares that sum to 1 were expected, not to {sum(shares)}")
    exact = [1000 * share for share in shares]
    whole = [int(each + 1e-9) for each in exact]
    order = sorted(range(len(exact)), key=lambda place: whole[place] - exact[place])
    for place in order[: 1000 - sum(whole)]:
        whole[place] += 1
    return [each / 10 for each in whole]
