"""Time of one training step, beside the least time its operations and bytes can take."""

from dataclasses import dataclass
from typing import Any

import torch
import tyro

from _floor import build, machine, operations, say, seconds
from telldraw.batches import Dialogues, Facts
from telldraw.training.update import Update


@dataclass(frozen=True)
class Options:
    """Time a training step on random dialogues of the lengths that CoDraw has."""

    system: str = "geneva"
    preset: str = "codraw-64"
    batch_size: int = 8
    """Dialogues in a batch."""
    turns: int = 4
    """Turns of a dialogue, on average; CoDraw has 4.3."""
    words: int = 24
    """Length of the longest instruction of the batch."""
    repeats: int = 4
    bf16: bool = False
    """Also in bfloat16; without instructions for it (AVX512-BF16, AMX, a GPU) that is many times slower."""
    device: str = "cpu"


def batch(options: Options, known: Facts) -> Dialogues:
    """Random dialogues of 1 to 2 * turns - 1 turns."""
    rng = torch.Generator().manual_seed(0)
    spread = torch.arange(options.batch_size) % (2 * options.turns - 1) + 1
    count, side, classes = int(spread.sum()), known.resolution, len(known.classes)
    made = Dialogues(
        torch.zeros(3, side, side),
        torch.rand(count, 3, side, side, generator=rng) * 2 - 1,
        torch.randint(3, len(known.vocabulary), (count, options.words), generator=rng),
        torch.randint(0, 2, (count, classes), generator=rng).float(),
        torch.rand(count, classes, 3, generator=rng),
        spread,
    )
    return Dialogues(*(value.to(options.device) for value in made))


def main(options: Options) -> None:
    """Print a line in float32 and, where asked for, one in bfloat16."""
    here = machine(options.device)
    print(here)
    system, known = build(options.system, options.preset)
    system.to(options.device, memory_format=torch.channels_last).train()
    update: Any = Update(system.optimizers())
    dialogues = batch(options, known)

    def step() -> None:
        system.training_step(dialogues, update)
        update.step += 1

    step()  # Adam makes its state on the first step
    update.step = 0  # the step that takes the penalty, if it is not taken at every one
    flops = operations(step)
    # every weight is read forward and backward, its gradient written and read, Adam reads and writes three numbers
    moved = 4 * 10 * sum(weight.numel() for weight in system.parameters())
    print(f"{options.preset}: {len(dialogues.image)} turns, {flops / 1e9:,.0f} GFLOP, {moved / 1e6:,.0f} MB at least")
    for name, bf16 in (("float32", False), ("bfloat16", True))[: 1 + options.bf16]:
        with torch.autocast(torch.device(options.device).type, dtype=torch.bfloat16, enabled=bf16):
            times = seconds(step, options.repeats, options.device)
        say(f"  step, {name}, batch {options.batch_size}", times, here.floor(flops, moved))
        print(f"  {options.batch_size * len(times) / sum(times):.1f} dialogues/s")
    print("the floor is that of float32 with the penalty taken; a step without it does less, bfloat16 may beat it")


if __name__ == "__main__":
    main(tyro.cli(Options))
