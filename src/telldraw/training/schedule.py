"""How long a run lasts and how often it is looked at. Needs no torch, so flags can be read without it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """How long to train and how often to look up."""

    examples: int = 400_000
    """Stop after this many examples (dialogues) of the data set have been seen."""
    max_minutes: float | None = None
    """Stop after this many minutes, whatever has been seen; the same command goes on from there."""
    log_every: float = 2.0
    """Seconds between two rows of the log."""
    save_every: float = 300.0
    """Seconds between two training states; one is always written at the end."""
    sheet_every: int = 20_000
    """Examples between two sample sheets."""
    measure_batches: int = 16
    """Batches from which the averaged weights' batch statistics are measured before drawing."""
    bf16: bool = False
    """Compute in bfloat16 where that is safe (autocast); for GPUs and for CPUs with AVX512-BF16 or AMX."""
