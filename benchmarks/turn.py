"""Time of one turn of a conversation, at batch one, beside the least time its operations and bytes can take."""

from dataclasses import dataclass

import torch
import tyro

from _floor import build, machine, operations, say, seconds


@dataclass(frozen=True)
class Options:
    """Time one turn."""

    system: str = "geneva"
    presets: tuple[str, ...] = ("codraw-64", "codraw-128")
    words: int = 16
    """Length of the instruction."""
    repeats: int = 30
    device: str = "cpu"


@torch.inference_mode()
def main(options: Options) -> None:
    """Print a line for each preset."""
    here = machine(options.device)
    print(here)
    for preset in options.presets:
        system, known = build(options.system, preset)
        for part in system.training_only:
            delattr(system, part)
        system.to(options.device, memory_format=torch.channels_last).eval()
        state = system.start(1)
        words = torch.randint(3, len(known.vocabulary), (1, options.words), device=options.device)
        noise = torch.randn(1, system.noise_dim, device=options.device)

        def turn(system=system, state=state, words=words, noise=noise) -> None:
            system.turn(state, words, noise)

        flops = operations(turn)
        # every weight is read once, but for the word vectors, of which only those of the instruction are
        vectors = system.sentence_encoder.words.weight.numel() if options.system == "geneva" else 0
        read = 4 * (sum(weight.numel() for weight in system.parameters()) - vectors)
        print(f"{preset}: {flops / 1e9:.2f} GFLOP, {read / 1e6:.0f} MB of weights")
        say(
            f"  turn, float32, batch 1, {preset}",
            seconds(turn, options.repeats, options.device),
            here.floor(flops, read),
        )


if __name__ == "__main__":
    main(tyro.cli(Options))
