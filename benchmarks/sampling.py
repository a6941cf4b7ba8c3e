"""Sampling maps of codes: operations and time with caches and without, for maps of 8x8 to 32x32.

Without caches each position costs a pass over the whole map, so a map costs the square of its size; with them, in
proportion to it. Operations are counted as they are carried out; the floor is the time that this machine needs for as
many in a matrix product.
"""

from dataclasses import dataclass
from functools import partial

import torch
import tyro

from _floor import Counter, Machine, machine, seconds
from telldraw.blocks.pixelcnn import PixelCNN


@dataclass(frozen=True)
class Options:
    """Sample maps with random weights; the work does not depend on them."""

    sides: tuple[int, ...] = (8, 16, 32)
    """Sides of the square maps."""
    count: int = 1
    """Maps sampled at once."""
    codes: int = 256
    """K, entries of the codebook."""
    channels: int = 48
    """Features of each stack, as in the preset scenes-64-prior."""
    layers: int = 5
    """Gated layers after the first one."""
    attention_every: int = 0
    """Causal self-attention after every so many layers; its work a position grows with the map."""
    naive: bool = True
    """Also sample without caches."""
    repeats: int = 3


def line(what: str, operations: int, times: list[float], positions: int, here: Machine) -> str:
    """One row: operations in all and for each position, time, floor."""
    floor, figure = operations / here.operations, sorted(times)[len(times) // 2]
    return (
        f"  {what:14} {operations / 1e6:12,.1f} M operations, {operations / positions / 1e6:9,.2f} M a position   "
        f"{1e3 * figure:10,.1f} ms   floor {1e3 * floor:8,.1f} ms   {figure / floor:6.1f} x"
    )


def main(options: Options) -> None:
    """Print two rows for each side, and how operations and times grow."""
    here = machine()
    print(here)
    sizes = f"{options.codes} codes, {options.channels} features, {options.layers} + 1 layers"
    print(f"{options.count} map(s) at once, {sizes}")
    for side in options.sides:
        torch.manual_seed(0)
        net = PixelCNN(
            options.codes,
            (side, side),
            channels=options.channels,
            layers=options.layers,
            attention_every=options.attention_every,
        ).eval()
        uniform, positions = torch.rand(options.count, side, side), options.count * side * side
        print(f"{side}x{side}")
        with Counter() as counter:
            cached = net.sample(uniform)
        times = seconds(partial(net.sample, uniform), options.repeats)
        print(line("with caches", counter.total, times, positions, here))
        if options.naive:
            with Counter() as counter:
                naive = net.sample_naively(uniform)
            assert torch.equal(cached, naive), "both must draw the same codes"
            repeats = options.repeats if side < 32 else 1
            times = seconds(partial(net.sample_naively, uniform), repeats)
            print(line("without", counter.total, times, positions, here))


if __name__ == "__main__":
    main(tyro.cli(Options))
