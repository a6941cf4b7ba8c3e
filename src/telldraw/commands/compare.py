"""`telldraw compare`: two sets of pictures, real and drawn. The work is in `metrics`; here it is wired.

torch is imported inside the functions that need it, so that `--help` and a wrong flag are answered at once.
"""

import json as json_format
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from telldraw import __version__
from telldraw.commands import distribution
from telldraw.commands.table import table
from telldraw.errors import DataError, TelldrawError, WeightsError

if TYPE_CHECKING:
    from telldraw.data.pictures import Folder, Split
    from telldraw.metrics.features import Extractor, FeatureSet
    from telldraw.metrics.lpips import LPIPS

    Pictures = Folder | Split

Figures = dict[str, dict[str, float]]
WINDOW = 11  # pixels: the smallest side SSIM can measure


@dataclass(frozen=True)
class Options:
    """Compare drawn pictures with real ones: as two sets, or picture by picture.

    Each of REAL and DRAWN is a folder of pictures of one size, or a prepared data set. docs/metrics.md explains the
    figures.
    """

    real: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="REAL")]
    """The real pictures: a folder, or a data set that `telldraw prepare` wrote."""
    drawn: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DRAWN")]
    """The drawn ones, likewise."""
    measure: tuple[Literal["distribution", "pairs", "diversity"], ...] = ("distribution",)
    """distribution: FID, KID, Inception Score, precision and recall. pairs: PSNR, SSIM, L1, and LPIPS with --lpips, of
    the pictures with the same file name. diversity: LPIPS among the pictures in each folder inside DRAWN, where a
    folder holds drawings of the same words."""
    inception: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Weights of the FID's network, pt_inception-2015-12-05-6726825d.pth; by default looked for in torch's cache."""
    detector: Annotated[str | None, tyro.conf.arg(metavar="WEIGHTS")] = None
    """Use the features of this telldraw detector instead; the figures then have other names, none is an FID."""
    lpips: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Folder with the two weight files that LPIPS needs (docs/metrics.md)."""
    split: str = "test"
    """Which part of a prepared data set."""
    seed: int = 0
    """Of the subsets of KID and the order of the Inception Score."""
    batch_size: int = 32
    """Pictures looked at together; figures do not depend on it."""
    device: str = "cpu"
    """Where to compute features: cpu, cuda, cuda:1, ..."""
    cache: bool = True
    """Keep features, statistics and figures on disk, and use those that are there."""
    cache_folder: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Where they are kept (by default $TELLDRAW_CACHE, or telldraw in the user's cache folder)."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the report to this JSON file too."""
    json: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Print the report as JSON instead of a table."""


def run(argv: list[str]) -> None:
    """Do what the words after `telldraw compare` say. Raises TelldrawError with a sentence for the user."""
    options = tyro.cli(Options, args=argv, prog="telldraw compare")
    _check(options)
    report: dict[str, Any] = {
        "command": shlex.join(["telldraw", "compare", *argv]),
        "date": date.today().isoformat(),
        "telldraw": __version__,
        "figures": {},
        "warnings": [],
    }
    # what may be missing comes before what takes long
    eyes, distance = None, _lpips(options)
    if "distribution" in options.measure:
        eyes = distribution.extractor(options.inception, options.detector, options.device)
    if "diversity" in options.measure and distance is not None:
        _diversity(distance, options, report)
    if "distribution" in options.measure or "pairs" in options.measure:
        from telldraw.data.pictures import open_pictures

        real, drawn = open_pictures(options.real, options.split), open_pictures(options.drawn, options.split)
        if real.size != drawn.size:
            raise DataError(
                f"{real.name} has pictures of {real.size[1]}x{real.size[0]}, {drawn.name} of "
                f"{drawn.size[1]}x{drawn.size[0]}; bring them to one size"
            )
        report |= {"real": _facts(real), "drawn": _facts(drawn)}
        if "pairs" in options.measure:
            report["figures"] |= _pairs(real, drawn, distance, options)
        if eyes is not None:
            _distribution(eyes, real, drawn, options, report)
    if options.out is not None:
        _write(report, options.out)
    _show(report, options)


def _check(options: Options) -> None:
    """All that can be known to be wrong before any picture is read."""
    if options.batch_size < 1:
        raise TelldrawError(f"--batch-size {options.batch_size}: at least 1 is needed")
    if not 0 <= options.seed < 2**63:
        raise TelldrawError(f"--seed {options.seed}: a whole number from 0 to 2^63 - 1 is needed")
    if not options.measure:
        raise TelldrawError("--measure: name distribution, pairs or diversity")
    if options.inception is not None and options.detector is not None:
        raise TelldrawError("--inception and --detector are two kinds of features; name one of them")
    if "diversity" in options.measure and options.lpips is None:
        raise WeightsError("--measure diversity needs the weights of LPIPS; name their folder with --lpips")
    if options.out is not None and not options.out.parent.is_dir():
        raise TelldrawError(f"--out {options.out}: there is no folder {options.out.parent}; make it first")
    if options.out is not None and options.out.is_dir():
        raise TelldrawError(f"--out {options.out}: this is a folder; name a file in it")
    if options.device != "cpu":
        from telldraw.weights import check_device

        check_device(options.device)


def _facts(pictures: "Pictures") -> dict[str, Any]:
    return {
        **{"name": pictures.name, "pictures": len(pictures), "checksum": pictures.checksum},
        "resolution": "x".join(map(str, reversed(pictures.size))),
    }


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, to be told how many are done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def _distribution(
    eyes: "Extractor", real: "Pictures", drawn: "Pictures", options: Options, report: dict[str, Any]
) -> None:
    """Add the figures of the two sets, whose features they are, and what to be warned of."""
    from telldraw.metrics.features import Settings, extract

    kept = distribution.cache(options.cache_folder, keep=options.cache)
    settings = Settings(seed=options.seed).fitted(len(real), len(drawn))

    def features(name: str, pictures: "Pictures") -> "FeatureSet":
        with _progress(f"features of the {name} pictures", len(pictures)) as progress:
            place, size = options.device, options.batch_size
            return extract(eyes, pictures, kept, device=place, batch_size=size, progress=progress)

    true, given = features("real", real), features("drawn", drawn)
    found, warned = distribution.measured(eyes, true, given, kept, settings)
    report["figures"] |= found
    report["warnings"] += warned
    report["features"] = distribution.about(eyes, true, settings)


def _lpips(options: Options) -> "LPIPS | None":
    if options.lpips is None:
        return None
    from telldraw.metrics import lpips

    return lpips.from_folder(options.lpips).to(options.device)


def _check_size(pictures: "Pictures", least: int, what: str) -> None:
    if min(pictures.size) < least:
        raise DataError(
            f"{what} needs pictures of at least {least} pixels a side; those of {pictures.name} have "
            f"{min(pictures.size)}"
        )


def _pairs(real: "Pictures", drawn: "Pictures", distance: "LPIPS | None", options: Options) -> Figures:
    """Means over the pictures with the same name."""
    import torch
    from torch import Tensor

    from telldraw import pixels
    from telldraw.metrics.reconstruction import l1, psnr, ssim

    odd = sorted(set(real.names) ^ set(drawn.names))
    if real.names != drawn.names:
        which = f"{odd[0]} is in one of them alone" if odd else "some names are there more than once"
        raise DataError(f"{real.name} and {drawn.name} do not have the same file names ({which})")
    _check_size(real, WINDOW, "SSIM")
    metrics: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"psnr": psnr, "ssim": ssim, "l1": l1}
    if distance is not None:
        _check_size(real, distance.plan.smallest, "LPIPS")
        metrics["lpips"] = distance
    totals, done = dict.fromkeys(metrics, 0.0), 0
    size = options.batch_size
    with torch.no_grad(), _progress("pairs of pictures", len(real)) as progress:
        for batches in zip(real.batches(size), drawn.batches(size), strict=True):
            true, given = (pixels.to_float(torch.from_numpy(batch)).to(options.device) for batch in batches)
            for name, metric in metrics.items():
                totals[name] += float(metric(given, true).double().sum())
            done += len(true)
            progress(done)
    return {name: {"value": total / done} for name, total in totals.items()}


def _diversity(distance: "LPIPS", options: Options, report: dict[str, Any]) -> None:
    """Add the mean over the folders inside DRAWN, each with drawings of the same words."""
    import torch

    from telldraw import pixels
    from telldraw.data.pictures import folders_of, open_folder
    from telldraw.metrics.lpips import diversity

    groups = [open_folder(folder) for folder in folders_of(options.drawn)]
    for group in groups:
        _check_size(group, distance.plan.smallest, "LPIPS")
        if len(group) < 2:
            raise DataError(f"{group.name} has one picture; diversity needs at least two drawings of the same words")
    total = 0.0
    with torch.no_grad(), _progress("drawings of the same words", len(groups)) as progress:
        for done, group in enumerate(groups, 1):
            batch = next(group.batches(len(group)))
            drawings = pixels.to_float(torch.from_numpy(batch)).to(options.device).unsqueeze(0)
            total += float(diversity(distance, drawings))
            progress(done)
    report["figures"]["lpips_diversity"] = {"value": total / len(groups)}
    report["groups"] = {"folders": len(groups), "pictures": sum(map(len, groups))}


def _write(report: dict[str, Any], path: Path) -> None:
    """Whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(json_format.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise TelldrawError(f"--out {path} cannot be written: {error.strerror}") from None


def _show(report: dict[str, Any], options: Options) -> None:
    if options.json:
        print(json_format.dumps(report, indent=1, ensure_ascii=False))
    else:
        print(table(("figure", "value", "what it is"), distribution.rows(report["figures"])))
        for name in ("real", "drawn"):
            if name in report:
                facts = report[name]
                print(f"{name + ':':6} {facts['pictures']:,} pictures of {facts['resolution']}, {facts['name']}")
        if "features" in report:
            facts = report["features"]
            print(f"features: {facts['extractor']}, {facts['numbers']:,} numbers a picture; seed {facts['seed']}")
    for sentence in report["warnings"]:
        distribution.warn(sentence)
    sys.stdout.flush()
