"""`telldraw arithmetic`: add and subtract averaged latents, look at the sum, and measure how often it is right.

Radford et al. 2016, Sec. 6.3.2: z of three pictures of each kind are averaged, smiling woman - neutral woman + neutral
man, and noise of +-0.25 around the sum shows how far it carries. They looked at one sum; here a judge, a classifier or
a detector that was trained on real pictures, chooses the pictures of each kind and looks at many.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from telldraw.commands.table import table
from telldraw.errors import TelldrawError

if TYPE_CHECKING:
    from telldraw.commands.latent_sums import Rate


@dataclass(frozen=True)
class Options:
    """Add and subtract averaged latents, and measure how often the sum shows what it should.

    Terms name what a judge sees: classes ("7", "sun"), their absence ("no sun") and, for digits, thick or thin, slanted
    or upright. Pictures of each kind are found among random ones. "sun - no sun + no sun" asks whether a sun can be
    added; "thick 7 - thin 7 + thin 4" whether thickness goes from digit to digit.
    """

    weights: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WEIGHTS")]
    """What draws from noise alone: a name from `telldraw weights`, a weights folder, or a training run."""
    expression: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar='"A - B + C"')]
    """The sum; what the others add and do not take away again takes its place in the last term."""
    judge: str
    """Weights of a classifier or of a detector of what is drawn."""
    average: int = 3
    """Latents of each term that are averaged; theirs: 3."""
    keep_length: bool = False
    """Stretch averages and sums to the length of random latents; averages of many are short, and draw faintly."""
    repeats: int = 400
    """Sums that are measured, each of other latents."""
    pool: int = 4000
    """Random pictures among which those of each term are sought."""
    seed: int = 0
    """Another seed takes other random pictures."""
    scale: int | None = None
    """Enlarge each picture so many times; by default until it is about 96 pixels wide."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("arithmetic.png")
    """The sheet: what was averaged, the averages, and around the sum eight others a little off it."""
    device: str = "cpu"
    """Where to compute: cpu, cuda, ..."""


def run(argv: list[str]) -> None:
    """`argv` is what follows `telldraw arithmetic`."""
    options = tyro.cli(Options, args=argv, prog="telldraw arithmetic")
    _check(options)
    from telldraw.commands import attributes, loading
    from telldraw.commands.arithmetic_sheet import sheet
    from telldraw.commands.latent_sums import Sums
    from telldraw.drawing.files import save_picture

    loaded = loading.load(options.weights, options.device, ("Generative",), "generate pictures")
    drawer: Any = loaded.system
    if drawer.label_dim:
        raise TelldrawError(f"{loaded.name} takes what it shows from a label; add latents of a system without labels")
    judge = attributes.load(options.judge, loaded, options.device)
    terms = attributes.parse(options.expression, judge.words)
    wanted = attributes.target(terms, judge.classes, judge.one_each)
    found = Sums(
        drawer,
        judge,
        terms,
        average=options.average,
        keep_length=options.keep_length,
        pool=options.pool,
        seed=options.seed,
        device=options.device,
    )
    rates = found.rates(wanted, options.repeats)
    shown = attributes.say(wanted)
    print(f"{options.expression}  should show: {shown}")
    print(_told(rates, wanted, judge.name))
    picture = sheet(found, options.scale, loaded.card.get("aspect", 1.0), shown, rates)
    save_picture(picture, options.out)
    print(options.out)


def _check(options: Options) -> None:
    """Raise TelldrawError for flags out of range and an output that could not be written."""
    from telldraw.drawing import files
    from telldraw.drawing.noise import check_seed

    check_seed(options.seed, "--seed")
    for flag, value, low, high in (
        ("--average", options.average, 1, 1000),
        ("--repeats", options.repeats, 2, 100_000),
        ("--pool", options.pool, 10, 1_000_000),
        ("--scale", options.scale or 1, 1, 32),
    ):
        if not low <= value <= high:
            raise TelldrawError(f"{flag} {value}: a whole number from {low} to {high} is needed")
    files.check_file(options.out, files.PICTURES, "--out")


def _told(rates: "Sequence[Rate]", wanted: dict[str, bool], judge: str) -> str:
    """The rates as a table, with a column for each attribute where there are several."""
    from telldraw.commands.attributes import say

    single = [(name, say({name: there})) for name, there in wanted.items()] if len(wanted) > 1 else []
    heads = (f"found by {judge} in", say(wanted), *(word for _, word in single), "pictures")
    rows = [
        (
            rate.of,
            f"{100 * rate.share:.1f} % +- {100 * rate.error:.1f}",
            *(f"{100 * rate.each[name]:.1f} %" for name, _ in single),
            f"{rate.pictures:,}",
        )
        for rate in rates
    ]
    return table(heads, rows)
