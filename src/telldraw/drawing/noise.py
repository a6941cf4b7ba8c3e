"""The noise of a turn: a function of the turn's seed and its depth, and of nothing else.

Definition, for anyone who writes another engine. With `seed` an integer from 0 to 2**63 - 1 and `depth` the number of
turns from the blank canvas to this picture, itself included (the first turn has depth 1):

    numpy.random.RandomState(numpy.random.PCG64(numpy.random.SeedSequence([seed, depth])))
        .standard_normal(dim).astype(float32)

The path of a picture is its list of (instruction, seed), so that list and the weights say all there is to say: the
same list gives the same noise in any process, whatever else was drawn before, between or on other branches.
"""

import numpy as np

from telldraw.errors import TelldrawError

LARGEST_SEED = 2**63 - 1


def check_seed(seed: int, flag: str | None = None) -> int:
    """`seed` itself, or TelldrawError, naming the flag, when it is not a whole number from 0 to 2**63 - 1."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed <= LARGEST_SEED:
        if flag is not None:
            raise TelldrawError(f"{flag} {seed}: a whole number from 0 to {LARGEST_SEED} is needed")
        raise TelldrawError(f"a seed is a whole number from 0 to {LARGEST_SEED}, not {seed!r}")
    return int(seed)


def noise(seed: int, depth: int, dim: int) -> np.ndarray:
    """The standard normal noise of the turn at `depth` (1, 2, ...) with this seed -> float32 [dim]."""
    sequence = np.random.SeedSequence([check_seed(seed), depth])
    # RandomState, not Generator: NumPy promises never to change this stream, so pictures survive its upgrades.
    return np.random.RandomState(np.random.PCG64(sequence)).standard_normal(dim).astype(np.float32)
