"""How step size and momentum of SGD change over a training."""


def annealed(
    step: int, divisor: float, least: float, momentum: tuple[float, float], updates: int
) -> tuple[float, float]:
    """After `step` updates: the factor of the step size, and the momentum. Mirza & Osindero 2014, Sec. 4.1.

    The step size is divided by `divisor` with each update until it is the share `least` of the first; the momentum
    rises linearly over `updates` from the first of its two values to the second.
    """
    first, last = momentum
    share = min(step / updates, 1.0) if updates else 1.0
    return max(divisor**-step, least), first + share * (last - first)
