"""Batches of exactly so many turns, made of whole dialogues.

A GPU plans each convolution for the shapes it meets: with batches of equal dialogues but unequal turns it plans anew at
every step, and waits for it. With equal turns it plans once, and may look for the best plan.
"""

from collections import Counter, deque

import numpy as np

EASY = 6
"""From this many missing turns down, a dialogue of exactly that length is looked for: such are frequent."""


def pack(counts: np.ndarray, size: int, batches: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Dialogues with `counts` turns -> `batches` lists of their indices, each list with `size` turns in all.

    They are taken in random order; one that does not fit waits for the next batch. When all that are left are too long,
    another random order begins. `counts` has to hold what can make up `size`: see `can_fill`.
    """
    packed: list[np.ndarray] = []
    waiting: deque[int] = deque()
    ahead: Counter[int] = Counter()  # how many dialogues of each length wait
    chosen: list[int] = []
    passed: list[int] = []  # too long for what is missing: first in line for the next batch
    missing = size
    while len(packed) < batches:
        if not waiting:
            if len(passed) > 4 * len(counts):  # what was chosen cannot be completed: another order, from its beginning
                chosen, passed, missing = [], [], size
            waiting.extend(rng.permutation(len(counts)).tolist())
            ahead.update(counts[list(waiting)].tolist())
        dialogue = waiting.popleft()
        length = int(counts[dialogue])
        ahead[length] -= 1
        if length > missing or (length < missing <= EASY and ahead[missing]):
            passed.append(dialogue)
            continue
        chosen.append(dialogue)
        missing -= length
        if not missing:
            packed.append(np.array(chosen))
            waiting.extendleft(reversed(passed))
            ahead.update(counts[passed].tolist())
            chosen, passed, missing = [], [], size
    return packed


def can_fill(counts: np.ndarray, size: int) -> bool:
    """Whether some of the dialogues, each taken at most once, have `size` turns in all."""
    reachable = 1  # bit n: n turns can be made up
    for count in counts.tolist():
        reachable |= reachable << count
        if reachable >> size & 1:
            return True
    return False
