"""The flags of `telldraw prepare` for what is rendered here."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from telldraw.commands.counting import at_least
from telldraw.commands.progress import progress_of, say
from telldraw.errors import TelldrawError

if TYPE_CHECKING:
    from telldraw.data.rendering import Job


def counts_of(
    render: int | None, given: tuple[int | None, int | None, int | None], held: float
) -> tuple[int, int, int]:
    """How many for train, val and test: as given, or of `render` the share `held` each for val and test.

    Raises TelldrawError.
    """
    if render is not None and any(count is not None for count in given):
        raise TelldrawError("--render N splits by itself; give either it, or --train, --val and --test")
    train, val, test = (count or 0 for count in given)
    if render is not None:
        val = test = round(render * held)
        train = render - val - test
    if min(train, val, test) < 0 or train < 1:
        raise TelldrawError("there is nothing to train on; give --render N of 1 or more, or --train of 1 or more")
    return train, val, test


def shard_of(part: str | None) -> tuple[int, int]:
    """Read "2/4", or nothing, which is the whole. Raises TelldrawError."""
    number, _, count = (part or "1/1").partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise TelldrawError(f"--shard {part}: a part of a whole was expected, for example 2/4")
    return int(number), int(count)


@dataclass(frozen=True)
class Rendered:
    """What the sets of pictures rendered here have in common."""

    train: int | None = None
    """Render so many pictures for train, instead of --render; --val and --test likewise."""
    val: int | None = None
    """Pictures for val."""
    test: int | None = None
    """Pictures for test."""
    seed: int = 0
    """Picture i of a split depends on this, on the split and on i, on nothing else."""
    shard: str | None = None
    """Render part i of n only: i/n. To join, put the files of all NAME.rendering folders into one of them and run the
    command without --shard."""
    resolution: int = 64
    """Side of the pictures, in pixels."""
    overwrite: bool = False
    """Replace a prepared set that is there already."""
    workers: int = os.cpu_count() or 1
    """Processes that render."""

    def store(self, plan: "Job", out: Path, licence: str) -> bool:
        """Render what is missing and say what there is; whether the set is whole now, and not a part of it."""
        from telldraw.data.rendering import render

        shard, started = shard_of(self.shard), time.monotonic()
        with progress_of("rendered") as progress:
            done = render(
                plan, out, shard=shard, workers=self.workers, overwrite=self.overwrite, tell=say, progress=progress
            )
        if done is None:
            print(f"part {self.shard} lies in {out}.rendering; the command without --shard joins all parts there")
            return False
        counted = ", ".join(f"{split} {count:,} {plan.what}" for split, count in done.items())
        print(f"{out}: {counted}; {time.monotonic() - started:.0f} s")
        print(f"licence of the data: {licence}")
        return True


@dataclass(frozen=True)
class CLEVRBirds(Rendered):
    """Render CLEVR birds: solids on floors of all colours, with captions that name the solids alone."""

    render: int | None = None
    """Render so many pictures: 75 % for train, 12.5 % each for val and test, as the combinations are."""
    mixed: bool = False
    """Show every combination of colour and shape in every split, instead of keeping three for val and three for test:
    for a classifier that is to judge pictures of any."""
    kinds: bool = False
    """Label pictures with the 48 kinds of solid ("small red cube" ...) instead of sizes, colours and shapes each by
    itself: so labels also say which belong together. The pictures are the same."""
    engine: Literal["fast", "mitsuba"] = "fast"
    """What renders: our ray caster, or Mitsuba 3 (pip install 'telldraw[render]'), some 50 times slower."""
    samples: int = 128
    """Paths a pixel, of the engine mitsuba."""
    out: Path | None = None
    """Where to put the prepared set; clevr-birds-RESOLUTION.telldraw unless said."""

    def run(self) -> None:
        """Render, then say what there is."""
        if not 16 <= self.resolution <= 512:
            raise TelldrawError(f"--resolution {self.resolution}: 16 to 512 pixels can be drawn")
        at_least(("--workers", self.workers, 1), ("--seed", self.seed, 0))
        if not 1 <= self.samples <= 65536:
            raise TelldrawError(f"--samples {self.samples}: 1 to 65,536 paths a pixel are possible")
        if all(count is None for count in (self.render, self.train, self.val, self.test)):
            raise TelldrawError("say how many: --render 12000, or --train, --val and --test")
        counts = counts_of(self.render, (self.train, self.val, self.test), held=0.125)
        from telldraw.data.clevr_birds import LICENCE, Plan

        plan = Plan(*counts, self.resolution, self.seed, self.mixed, self.engine, self.samples, self.kinds)
        self.store(plan, self.out or Path(f"clevr-birds-{self.resolution}.telldraw"), LICENCE)


@dataclass(frozen=True)
class Faces(Rendered):
    """Draw faces: portraits of known attributes, with maps of regions, sketches and ten captions each."""

    render: int | None = None
    """Draw so many: 80 % for train, 10 % each for val and test."""
    out: Path | None = None
    """Where to put the prepared set; faces-RESOLUTION.telldraw unless said."""
    as_celeba: Path | None = None
    """Also write the faces here as files in the layout of Multi-Modal CelebA-HQ and CelebAMask-HQ; of a set that is
    there already, where no number of faces is given."""

    def run(self) -> None:
        """Draw, then say what there is."""
        if not 32 <= self.resolution <= 256:
            raise TelldrawError(f"--resolution {self.resolution}: faces are drawn with 32 to 256 pixels")
        at_least(("--workers", self.workers, 1), ("--seed", self.seed, 0))
        out = self.out or Path(f"faces-{self.resolution}.telldraw")
        if any(count is not None for count in (self.render, self.train, self.val, self.test)):
            if not self._draw(out):
                return
        elif self.as_celeba is None:
            raise TelldrawError("say how many: --render 12000, or --train, --val and --test")
        if self.as_celeba is not None:
            from telldraw.data.celeba_layout import write_celeba
            from telldraw.data.collection import Collection

            with progress_of("written") as progress:
                count = write_celeba(Collection.open(out), self.as_celeba, progress)
            print(f"{self.as_celeba}: {count:,} faces in the layout of Multi-Modal CelebA-HQ and CelebAMask-HQ")

    def _draw(self, out: Path) -> bool:
        """Whether the set is whole now, and not a part of it."""
        counts = counts_of(self.render, (self.train, self.val, self.test), held=0.1)
        if shard_of(self.shard)[1] > 1 and self.as_celeba is not None:
            raise TelldrawError("--as-celeba goes with a whole set; leave it out with --shard")
        from telldraw.data.faces import LICENCE, Plan

        return self.store(Plan(*counts, self.resolution, self.seed), out, LICENCE)
