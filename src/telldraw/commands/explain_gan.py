"""What `telldraw explain gan` computes and draws: Goodfellow et al. 2014, Sec. 4, with the objectives that train.

Expectations are means over evenly spaced quantiles of a density, so that the very functions of `objectives`, which take
batches of logits, integrate numerically: no formula of a loss is written again here.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, MixtureSameFamily, Normal

from telldraw.commands.plotting import BLUE, FAINT, INK, ORANGE, look
from telldraw.drawing.files import written
from telldraw.objectives.adversarial import (
    OBJECTIVES,
    minimax_discriminator,
    minimax_generator,
    non_saturating_generator,
)
from telldraw.objectives.divergence import jensen_shannon

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GRID = torch.linspace(-8, 16, 4801, dtype=torch.float64)
"""Where densities are looked at."""
CELL = float(GRID[1] - GRID[0])
KNOTS = torch.linspace(-8, 16, 161, dtype=torch.float64)
"""Where the discriminator has a number of its own; between them it is straight."""
QUANTILES = 10_000
SEEN = 0.01
"""Where p + q is smaller, hardly a picture comes from there, and D is not looked at."""
FOOLED_NOT = 1e-4
"""D(G(z)) of a discriminator that sees through the generator."""

COLOURS = {
    "minimax": "#c43d4b",
    "non-saturating": "#2f8f6b",
    "least-squares": "#8d5bb5",
    "hinge": "#3c3c44",
    "wasserstein": "#3c3c44",
}


class Found(NamedTuple):
    """A discriminator that was found by minimising the loss."""

    logits: Tensor  # at KNOTS
    loss: float  # nats


def mixture(*parts: tuple[float, float]) -> Distribution:
    """Normal distributions (mean, deviation) in equal shares."""
    mean, deviation = torch.tensor(parts, dtype=torch.float64).unbind(1)
    return MixtureSameFamily(Categorical(torch.ones(len(parts), dtype=torch.float64)), Normal(mean, deviation))


def density(distribution: Distribution) -> Tensor:
    """Density on GRID."""
    return distribution.log_prob(GRID).exp()


def quantiles(distribution: Distribution) -> Tensor:
    """[QUANTILES] values that stand for equal shares of a distribution; a mean over them is an integral."""
    share = torch.cumsum(density(distribution), 0) * CELL
    wanted = (torch.arange(QUANTILES, dtype=torch.float64) + 0.5) / QUANTILES
    right = torch.searchsorted(share, wanted).clamp(1, len(GRID) - 1)
    low, high = share[right - 1], share[right]
    return GRID[right - 1] + CELL * ((wanted - low) / (high - low).clamp(min=1e-12)).clamp(0, 1)


def judged(table: Tensor, x: Tensor) -> Tensor:
    """Logits [N] at x [N], from those at KNOTS."""
    place = ((x - KNOTS[0]) / (KNOTS[1] - KNOTS[0])).clamp(0, len(KNOTS) - 1 - 1e-9)
    left = place.floor().long()
    return torch.lerp(table[left], table[left + 1], place - left)


def trained(data: Distribution, drawn: Distribution) -> Found:
    """A discriminator with a number at each of KNOTS, by minimising `minimax_discriminator` with L-BFGS."""
    real, fake = quantiles(data), quantiles(drawn)
    table = torch.zeros(len(KNOTS), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([table], max_iter=400, tolerance_change=1e-12, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = minimax_discriminator(judged(table, real), judged(table, fake))
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]  # the stub wants a float
    with torch.no_grad():
        return Found(table.detach(), minimax_discriminator(judged(table, real), judged(table, fake)).item())


def slopes(name: str, logits: Tensor) -> Tensor:
    """d loss / d logit of the generator's loss of a pair, at each of `logits` [N]."""
    logits = logits.detach().requires_grad_()
    loss = sum(OBJECTIVES[name].generator(logit) for logit in logits.split(1))
    (slope,) = torch.autograd.grad(loss, logits)  # type: ignore[arg-type]  # a sum of tensors is one
    return slope


def explain(out: Path) -> list[str]:
    """Draw the picture to `out`; what it shows, in words and figures."""
    from matplotlib.figure import Figure

    data, drawn = mixture((-1.6, 0.6), (1.4, 0.75)), mixture((0.5, 1.1))
    with look():
        figure = Figure(figsize=(15, 4.7), dpi=100, layout="constrained")
        figure.get_layout_engine().set(wspace=0.06)  # type: ignore[union-attr]
        one, two, three = figure.subplots(1, 3)
        best, worst = _plot_optimum(one, data, drawn)
        _plot_value(two)
        _plot_slopes(three)
        _save(figure, out)
    return _lines(data, drawn, best, worst)


def _lines(data: Distribution, drawn: Distribution, best: Found, worst: float) -> list[str]:
    """The figures, with what they mean."""
    jsd = jensen_shannon(density(data), density(drawn), CELL).item()
    nothing = torch.zeros(1)
    logit = math.log(FOOLED_NOT / (1 - FOOLED_NOT))
    at = {name: abs(slopes(name, torch.tensor([logit], dtype=torch.float64)).item()) for name in OBJECTIVES}
    return [
        "Left. For data of density p and pictures of density q, the best discriminator is p / (p + q).",
        f"      One that minimises minimax_discriminator, without knowing p or q, ends within {worst:.3f} of it.",
        "Middle. With that discriminator the value of the game, minus its loss, is 2 JSD(p, q) - log 4.",
        f"      On the left: {-best.loss:.4f} found, 2 x {jsd:.4f} - {math.log(4):.4f} = {2 * jsd - math.log(4):.4f}.",
        f"      When the generator has won, p = q and D = 1/2: the discriminator's loss is log 4 = "
        f"{minimax_discriminator(nothing, nothing):.4f},",
        f"      the generator's {minimax_generator(nothing):.4f} (minimax, -log 2) or "
        f"{non_saturating_generator(nothing):.4f} (non-saturating, log 2). Losses that stay there are a good sign.",
        f"      Far apart, JSD is log 2 = {math.log(2):.4f} however far: it no longer says which way is nearer.",
        f"Right. Where the discriminator sees through the generator, D(G(z)) = {FOOLED_NOT}, the generator's loss has",
        "      the slope " + ", ".join(f"{slope:.4g} ({name})" for name, slope in at.items()) + ".",
        "      Minimax saturates just when there is most to learn; that is why nobody trains with it.",
    ]


def _plot_optimum(axes: "Axes", data: Distribution, drawn: Distribution) -> tuple[Found, float]:
    """Densities, p / (p + q) and the discriminator that was found; and how far that is from it at most."""
    p, q, found = density(data), density(drawn), trained(data, drawn)
    best, mine = p / (p + q), judged(found.logits, GRID).sigmoid()
    seen = p + q > SEEN
    worst = (mine - best)[seen].abs().max().item()
    for each, colour, name in ((p, BLUE, "$p$, density of the data"), (q, ORANGE, "$q$, density of what G draws")):
        axes.fill_between(GRID, each, color=colour, alpha=0.3, linewidth=0, label=name)
        axes.plot(GRID, each, color=colour, linewidth=1.2)
    axes.plot(GRID[seen], best[seen], color=FAINT, linewidth=5, alpha=0.55, label="$p\\,/\\,(p+q)$")
    knots = (GRID[seen].min() <= KNOTS) & (GRID[seen].max() >= KNOTS)
    dots = found.logits[knots].sigmoid()
    axes.plot(KNOTS[knots], dots, "o", color=INK, markersize=3, label="$D$ found by minimax_discriminator")
    axes.axhline(0.5, color=FAINT, linewidth=0.7, linestyle=(0, (4, 4)), zorder=0)
    axes.set(xlim=(-4, 5), ylim=(0, 1.3), xlabel="$x$", ylabel="density;  $D(x)$", yticks=[0, 0.25, 0.5, 0.75, 1])
    axes.legend(frameon=False, loc="upper right", fontsize=9.5, borderaxespad=0)
    axes.set_title("The best discriminator is $p\\,/\\,(p+q)$", loc="left", fontsize=12.5, pad=12)
    return found, worst


def _plot_value(axes: "Axes") -> None:
    """Minus the least loss of the discriminator against the distance of two normal densities."""
    here = Normal(torch.zeros((), dtype=torch.float64), 1.0)
    lengths = torch.linspace(0, 8, 81, dtype=torch.float64)
    values = [2 * jensen_shannon(density(here), density(Normal(to, 1.0)), CELL).item() - math.log(4) for to in lengths]
    axes.plot(lengths, values, color=FAINT, linewidth=5, alpha=0.55, label="$2\\,\\mathrm{JSD}(p,q)-\\log 4$")
    some = lengths[::8]
    found = [-trained(here, Normal(to, 1.0)).loss for to in some]
    axes.plot(some, found, "o", color=INK, markersize=4.5, label="− minimax_discriminator, at its least")
    for value, text, below in ((0.0, "nothing in common: $0$", 0.045), (-math.log(4), "$p=q$: $-\\log 4$", 0.045)):
        axes.axhline(value, color=FAINT, linewidth=0.7, linestyle=(0, (4, 4)), zorder=0)
        axes.annotate(
            text, (0.1 if value == 0 else 7.9, value + below), color=INK, ha="left" if value == 0 else "right"
        )
    axes.set(xlim=(0, 8), ylim=(-1.5, 0.22), xlabel="distance of two normal densities, in their deviations")
    axes.set_ylabel("value of the game, in nats")
    axes.legend(frameon=False, loc=(0.4, 0.2), fontsize=9.5)
    axes.set_title("Its value is a divergence, flat when far apart", loc="left", fontsize=12.5, pad=12)


def _plot_slopes(axes: "Axes") -> None:
    """Size of the generator's gradient in the logit, for every pair of objectives."""
    logits = torch.linspace(-10, 6, 321, dtype=torch.float64)
    size = {name: slopes(name, logits).abs() for name in OBJECTIVES}
    axes.axvspan(-10, math.log(0.01 / 0.99), color=FAINT, alpha=0.12, linewidth=0)
    axes.annotate("D sees through G", (-9.8, 1.73), color=FAINT)
    for name, values in size.items():
        dashed = (0, (5, 3)) if name == "hinge" else "-"
        axes.plot(logits, values, color=COLOURS[name], linewidth=1.2 if name == "hinge" else 2.2, linestyle=dashed)
    places = {
        "minimax": (-9.8, 0.05, "minimax: vanishes"),
        "non-saturating": (-9.8, 0.9, "non-saturating"),
        "hinge": (-9.8, 1.045, "hinge, Wasserstein"),
        "least-squares": (2.75, 1.6, "least squares"),
    }
    for name, (x, y, text) in places.items():
        axes.annotate(text, (x, y), color=COLOURS[name])
    ticks = {-9: "−9\n0.0001", -6: "−6\n0.0025", -3: "−3\n0.047", 0: "0\n0.5", 3: "3\n0.953", 6: "6\n0.9975"}
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.set(xlim=(-10, 6), ylim=(0, 1.85), yticks=[0, 0.5, 1, 1.5])
    axes.set(
        xlabel="logit of a drawn picture, and $D(G(z))$ below it", ylabel="size of the slope of G's loss in the logit"
    )
    axes.set_title("What the generator is told", loc="left", fontsize=12.5, pad=12)


def _save(figure: "Figure", out: Path) -> None:
    kind = out.suffix.lower().removeprefix(".")
    plain = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}  # the same picture is the same file
    with written(out) as stream:
        figure.savefig(stream, format=kind, metadata=plain.get(kind))
