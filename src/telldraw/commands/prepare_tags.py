"""The flags of `telldraw prepare` for sets of tagged pictures."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from telldraw.commands.counting import at_least
from telldraw.commands.progress import owners_folder, progress_of, say
from telldraw.data import DATASETS
from telldraw.errors import DataError, TelldrawError

if TYPE_CHECKING:
    from telldraw.data.tagged import Look, Report


@dataclass(frozen=True)
class CoDrawTags:
    """Prepare CoDraw's scenes with the words that were used for them: pictures, tags, features, word vectors."""

    source: Annotated[Path | None, tyro.conf.arg(name="from", metavar="FOLDER")] = None
    """Folder with CoDraw_1_0.json (or .json.gz) and Pngs, as its owner distributes them; unless said,
    $TELLDRAW_DATA/codraw where that is set."""
    detector: Annotated[str, tyro.conf.arg(metavar="WEIGHTS")] = "detector-codraw-64"
    """Whose features the pictures get: a run or weights of a system that has some (a detector, a classifier). It is
    copied into the set, and from there beside the weights that are trained on it."""
    vectors: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Word vectors to take (word2vec's or GloVe's text, or word2vec's .bin) instead of learning them by skip-gram from
    the training dialogues, which needs gensim."""
    word_dim: int = 200
    """Numbers in a word vector that is learnt."""
    minimum_count: int = 20
    """Training pictures that a tag must have."""
    out: Path | None = None
    """Where to put the prepared set; codraw-tags.telldraw unless said."""
    overwrite: bool = False
    """Replace a prepared data set that is there already."""
    workers: int = os.cpu_count() or 1
    """Processes that draw."""
    limit: int | None = None
    """Only so many dialogues, for a trial."""

    def run(self) -> None:
        """Prepare, then say what there is."""
        _check(self)
        at_least(("--workers", self.workers, 1), ("--limit", self.limit, 1))
        source = self.source or owners_folder("codraw")
        if source is None:
            raise DataError(f"say where CoDraw is: --from FOLDER; its owner has it at {DATASETS['codraw-tags'].url}")
        _needs_gensim(self.vectors)
        from telldraw.data.codraw_tags import prepare

        look, started, out = _look(self.detector), time.monotonic(), self.out or Path("codraw-tags.telldraw")
        with progress_of("looked at") as tell:
            report = prepare(
                source,
                out,
                look,
                vectors=self.vectors,
                dim=self.word_dim,
                minimum=self.minimum_count,
                overwrite=self.overwrite,
                workers=self.workers,
                limit=self.limit,
                tell=say,
                progress=tell,
            )
        _told(out, report, started, "codraw-tags")


@dataclass(frozen=True)
class MIRFlickr:
    """Prepare MIRFlickr-25000: photographs with their owners' tags; features; word vectors."""

    source: Annotated[Path | None, tyro.conf.arg(name="from", metavar="FOLDER")] = None
    """Folder with im1.jpg, im2.jpg, ... and meta/tags, as in mirflickr25k.zip; unless said, $TELLDRAW_DATA/mirflickr
    where that is set."""
    annotations: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Folder with the annotations (sky.txt, ...), which then are tags too, as in the paper."""
    features: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Features of the pictures, a .npy file [25000, D] whose row n - 1 is of im{n}.jpg (the paper: 4096 numbers of a
    network trained on ImageNet)."""
    network: Annotated[str | None, tyro.conf.arg(metavar="WEIGHTS")] = None
    """Or the telldraw network that looks at them: a run or weights of a detector or classifier."""
    vectors: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Word vectors to take (word2vec's or GloVe's text, or word2vec's .bin) instead of learning them by skip-gram from
    the tags of the training pictures, which needs gensim."""
    word_dim: int = 200
    """Numbers in a word vector that is learnt."""
    minimum_count: int = 20
    """Training pictures that a tag must have."""
    train_pairs: int = 150_000
    """Pairs of a picture and a tag to train on, from im1.jpg on; the rest is for validation and test."""
    resolution: int = 64
    """Side of the square pictures that are kept to be looked at; of --network, its own."""
    out: Path | None = None
    """Where to put the prepared set; mirflickr.telldraw unless said."""
    overwrite: bool = False
    """Replace a prepared data set that is there already."""

    def run(self) -> None:
        """Prepare, then say what there is."""
        _check(self)
        at_least(("--train-pairs", self.train_pairs, 1))
        if not 16 <= self.resolution <= 512:
            raise TelldrawError(f"--resolution {self.resolution}: 16 to 512 pixels can be kept")
        source = self.source or owners_folder("mirflickr")
        if source is None:
            raise DataError(f"say where MIRFlickr is: --from FOLDER; its owners have it at {DATASETS['mirflickr'].url}")
        if (self.features is None) == (self.network is None):
            raise TelldrawError("the pictures need features: give either --features FILE or --network WEIGHTS")
        _needs_gensim(self.vectors)
        from telldraw.data.mirflickr import prepare

        look = None if self.network is None else _look(self.network)
        started, out = time.monotonic(), self.out or Path("mirflickr.telldraw")
        with progress_of("looked at") as tell:
            report = prepare(
                source,
                out,
                look,
                features=self.features,
                side=self.resolution,
                annotations=self.annotations,
                vectors=self.vectors,
                dim=self.word_dim,
                minimum=self.minimum_count,
                pairs=self.train_pairs,
                overwrite=self.overwrite,
                tell=say,
                progress=tell,
            )
        _told(out, report, started, "mirflickr")


def _check(flags: CoDrawTags | MIRFlickr) -> None:
    at_least(("--word-dim", flags.word_dim, 1), ("--minimum-count", flags.minimum_count, 1))


def _needs_gensim(vectors: Path | None) -> None:
    """Miss it now, and not after the pictures have been read."""
    if vectors is None:
        import gensim  # noqa: F401


def _look(given: str) -> "Look":
    from telldraw.commands import looking
    from telldraw.data.tagged import Look

    looker = looking.load(given)
    return Look(looker.features, looker.side, looker.folder, looker.about)


def _told(out: Path, report: "Report", started: float, name: str) -> None:
    counts = "; ".join(f"{split} {n:,} pictures, {report.pairs[split]:,} pairs" for split, n in report.pictures.items())
    print(f"{out}: {counts}; {report.tags:,} tags; {time.monotonic() - started:.0f} s")
    print(f"word vectors: {report.words}")
    if report.left_out:
        print(f"{report.left_out:,} left out; they are listed in {out / 'manifest.json'}")
    print(f"licence of the data: {DATASETS[name].licence}")


TAGS = {"codraw-tags": CoDrawTags, "mirflickr": MIRFlickr}
"""The flags of each set of tagged pictures in the table."""
