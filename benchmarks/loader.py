"""How fast batches come: dialogues and pictures per second from a prepared data set, beside the floor.

The floor is moving the bytes of the pictures once: from memory to memory on the CPU, from host to device on a GPU.
"""

import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
import tyro

from _floor import opened
from telldraw.data.loader import Loader

STEPS = 100


@dataclass(frozen=True)
class Options:
    """Time the loader on a prepared data set."""

    data: tyro.conf.Positional[Path] = Path("codraw-128.telldraw")
    """What `telldraw prepare` wrote."""
    device: str = "cuda" if torch.cuda.is_available() else "cpu"


def main(options: Options) -> None:
    """Print one line per way of loading."""
    started = time.perf_counter()
    dataset, device = opened(options.data), options.device
    print(f"opened in {time.perf_counter() - started:.3f} s")
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    source = torch.from_numpy(dataset.images[:136].copy())
    wait()
    started = time.perf_counter()
    for _ in range(STEPS):
        source.to(device, copy=True)
    wait()
    print(f"floor, moving the pictures: {STEPS * len(source) / (time.perf_counter() - started):,.0f} pictures/s")
    print(f"{'batch':>6} {'ahead':>6} {'first s':>8} {'ms a batch':>11} {'dialogues/s':>12} {'pictures/s':>11}")
    for size in (32, 128):
        for prefetch in (0, 2):
            started = time.perf_counter()
            batches = Loader(dataset, "train", size, device=device, prefetch=prefetch).iterate()
            next(batches)
            wait()
            first = time.perf_counter() - started
            started, pictures = time.perf_counter(), 0
            for batch in islice(batches, STEPS):
                pictures += len(batch.image)
            wait()
            passed = time.perf_counter() - started
            batches.close()
            print(
                f"{size:6} {prefetch:6} {first:8.2f} {1000 * passed / STEPS:11.2f} "
                f"{STEPS * size / passed:12,.0f} {pictures / passed:11,.0f}"
            )


if __name__ == "__main__":
    main(tyro.cli(Options))
