"""What training says: one status line for people, log.jsonl and TensorBoard for programs."""

import json
import math
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any, TextIO


def duration(seconds: float) -> str:
    """For people: 48 s, 12 min, 2 h 05 min, 3 d 4 h."""
    if not math.isfinite(seconds):
        return "unknown"
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


class Log:
    """Figures by examples seen. On going on after a stop, what was logged beyond the saved state is dropped."""

    def __init__(self, run: Path, seen: int, *, stream: TextIO | None = None, tensorboard: bool = True) -> None:
        self.path = run / "log.jsonl"
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self._truncate(seen)
        self.file = self.path.open("a", encoding="utf-8")
        self.board: Any = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(run / "tensorboard"), purge_step=seen)
        self.began, self.began_at, self.spoke = time.monotonic(), seen, -math.inf

    def _truncate(self, seen: int) -> None:
        if not self.path.exists():
            return
        kept = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                if json.loads(line)["examples"] <= seen:
                    kept.append(line + "\n")
            except (json.JSONDecodeError, KeyError, TypeError):
                continue  # the last line of a killed process may be cut short
        part = self.path.with_suffix(".jsonl.part")
        part.write_text("".join(kept), encoding="utf-8")
        os.replace(part, self.path)

    def figures(self, seen: int, until: int, values: dict[str, float], left: float | None = None) -> None:
        """Log figures after `seen` of `until` examples; `left` is the time limit's remainder in seconds, if any."""
        elapsed = time.monotonic() - self.began
        rate = (seen - self.began_at) / max(elapsed, 1e-9)
        row = {"examples": seen, "seconds": round(elapsed, 2), "rate": round(rate, 2), **values}
        self.file.write(json.dumps(row) + "\n")
        self.file.flush()
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(f"loss/{name}", value, seen)
            self.board.add_scalar("rate/examples_per_second", rate, seen)
        remaining = (until - seen) / rate if rate > 0 else math.inf
        remaining = remaining if left is None else min(remaining, left)
        of = f" of {until:,}" if seen <= until else ""  # the last batch may reach beyond it
        losses = "  ".join(f"{name} {value:.3g}" for name, value in values.items())
        self._say(f"{seen:,}{of} examples  {rate:.1f}/s  {duration(max(0.0, remaining))} left  {losses}")

    def picture(self, name: str, seen: int, array: Any) -> None:
        """A picture [H, W, 3] uint8 for TensorBoard."""
        if self.board is not None:
            self.board.add_image(name, array, seen, dataformats="HWC")

    def note(self, text: str) -> None:
        """A line that stays."""
        self.stream.write(("\r\x1b[K" if self.live else "") + text + "\n")
        self.stream.flush()

    def _say(self, line: str) -> None:
        if self.live:
            # a line that wraps could not be taken back
            self.stream.write("\r\x1b[K" + line[: shutil.get_terminal_size().columns - 1])
            self.stream.flush()
        elif time.monotonic() - self.spoke >= 10:
            self.spoke = time.monotonic()
            self.stream.write(line + "\n")
            self.stream.flush()

    def close(self) -> None:
        """Flush and close everything."""
        self.file.close()
        if self.board is not None:
            self.board.close()
        if self.live:
            self.stream.write("\n")
