"""`telldraw layers`: which layers of a layered generator decide what, measured, as a table and a figure.

torch is imported inside the functions that need it, so that `--help` and a wrong flag are answered at once.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from telldraw.errors import TelldrawError, WeightsError

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from telldraw.metrics.layers import Analysis
    from telldraw.weights import Loaded

_MOST = 10_000


@dataclass(frozen=True)
class Options:
    """Find out which layers decide what: replace layers of codes by those of others, and judge the pictures.

    Every run of neighbouring layers is replaced in many pairs of codes. Writes a figure, prints the table, and keeps it
    with the weights, where `--table auto` of generate and edit finds it: of each attribute the shortest run of layers
    that decides it. Weights that come with telldraw keep theirs: say --no-keep, or measure a copy of their folder.

      telldraw layers runs/tedigan --judge runs/judge-faces-64 --data faces-64.telldraw
    """

    weights: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WEIGHTS")]
    """A name from `telldraw weights`, a weights folder, or the folder of a training run."""
    judge: str
    """A classifier of attributes of such pictures, which the generator was not trained with (a run, a folder or a
    name)."""
    perceptual: str | None = None
    """Whose features say how far a picture moved, as in telldraw train; the judge's unless given."""
    data: Annotated[Path | None, tyro.conf.arg(metavar="PREPARED", help_behavior_hint="")] = None
    """Codes of true pictures, as the weights read them, of the validation split, or of the training split where that is
    missing; without it codes of noise."""
    pairs: int = 256
    """How many pairs of codes."""
    reach: float = 0.8
    """Layers decide an attribute if they change it in this share of the pairs that differ in it."""
    seed: int = 0
    """Of the noise of the codes, or of which pictures are taken."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("layers.png")
    """The figure: .png, .jpg or .webp."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Also write all figures into this file."""
    keep: bool = True
    """Keep the table with the weights, in their config.json."""
    device: str = "cpu"
    """Where to compute: cpu, cuda, ..."""


def run(argv: list[str]) -> None:
    """`argv` is what follows `telldraw layers`."""
    options = tyro.cli(Options, args=argv, prog="telldraw layers")
    _check(options)
    from telldraw import weights
    from telldraw.commands import loading
    from telldraw.commands.table import table as aligned
    from telldraw.drawing.files import save_picture
    from telldraw.metrics.layers import UNSURE, table

    loaded = loading.load(options.weights, options.device, ("Layered",), "draw from layers")
    _check_keep(loaded, options)
    judge = loading.load(options.judge, options.device, ("Classifier",), "judge pictures")
    names = _attributes(judge, loaded)
    analysis = measured(loaded, judge.system, options)
    if not analysis.pairs.any():
        raise WeightsError(
            f"{judge.name} sees no difference between any two of {2 * options.pairs} pictures: they are too much "
            "alike, or it was trained on others; train longer, or name another --judge"
        )
    chosen = table(analysis, names, options.reach)
    single = analysis.single()
    rows = [
        [
            _marked(name, analysis, n),
            str(analysis.pairs[n]),
            _written(chosen[name]),
            *(f"{100 * share:.0f}" for share in single[:, n]),
        ]
        for n, name in enumerate(names)
    ]
    heads = ["attribute", "pairs", "layers", *map(str, range(analysis.layers))]
    print(aligned(heads, rows, width=160))
    print(f"each layer alone: per cent of the pairs that differ; moved by {_moved(analysis)}")
    if unsure := [name for n, name in enumerate(names) if analysis.unsure(n)]:
        print(f"*: fewer than {UNSURE} pairs differ in it, which says little of its layers; take more --pairs")
    save_picture(figure(analysis, names, chosen), options.out)
    print(options.out)
    facts = {"table": chosen, "judge": judge.name, "pairs": options.pairs, "reach": options.reach, "seed": options.seed}
    facts |= {"codes": "noise" if options.data is None else "pictures", "unsure": unsure}
    if options.json is not None:
        full = {"flips": analysis.flips.tolist(), "spoiled": analysis.spoiled.tolist(), "runs": analysis.runs}
        full |= {"moved": analysis.moved.tolist(), "attributes": names, "differ": analysis.pairs.tolist()}
        options.json.write_text(json.dumps(facts | full, indent=1) + "\n", encoding="utf-8")
        print(options.json)
    if options.keep and loaded.folder is not None:
        weights.note(loaded.folder, facts, under="layers")
        print(f"{loaded.folder / 'config.json'} has the table now")


def _check(options: Options) -> None:
    """Raise TelldrawError for flags out of range and outputs that could not be written."""
    from telldraw.drawing import files
    from telldraw.drawing.noise import check_seed

    check_seed(options.seed)
    if not 2 <= options.pairs <= _MOST:
        raise TelldrawError(f"--pairs {options.pairs}: 2 to {_MOST:,} pairs can be compared")
    if not 0 < options.reach <= 1:
        raise TelldrawError(f"--reach {options.reach}: more than 0 and at most 1 is needed")
    files.check_file(options.out, files.PICTURES, "--out")
    if options.json is not None:
        files.check_file(options.json, (".json",), "--json")


def _check_keep(loaded: "Loaded", options: Options) -> None:
    """Raise WeightsError when the table would be written into what was installed."""
    from telldraw.weights import SHIPPED

    folder = loaded.folder
    if options.keep and folder is not None and folder.resolve().is_relative_to(SHIPPED.resolve()):
        raise WeightsError(
            f"{folder} comes with telldraw, and its table is not overwritten: say --no-keep, or keep the table with a "
            f"copy (cp -r {folder} COPY; telldraw layers COPY ...)"
        )


def _attributes(judge: "Loaded", loaded: "Loaded") -> list[str]:
    """What the judge tells apart. Raises WeightsError when that is not what the generator draws."""
    from telldraw.data.face_words import LEXICON

    names, drawn = judge.card.get("classes") or [], set(loaded.card.get("classes") or ())
    if drawn <= set(LEXICON):
        drawn = set(LEXICON)  # faces, whatever is known of them
    odd = next((name for name in names if name not in drawn), None)
    if odd is not None or not names:
        shown = "nothing that has a name" if odd is None else f"{odd!r}"
        raise WeightsError(
            f"the judge {judge.name} knows {shown}, and {loaded.name} draws other things ({min(drawn)}, ...); name a "
            "--judge that was trained on such pictures (telldraw train classifier)"
        )
    return names


def _marked(name: str, analysis: "Analysis", attribute: int) -> str:
    return f"{name} *" if analysis.unsure(attribute) else name


def measured(loaded: "Loaded", judge: Any, options: Options) -> "Analysis":
    """The analysis, with a progress bar. Raises WeightsError when the judge takes pictures of another size."""
    from telldraw.commands.perceiving import load
    from telldraw.commands.progress import progress_of
    from telldraw.metrics.layers import analyse

    system: Any = loaded.system
    if judge.config.resolution != system.config.resolution:
        raise WeightsError(
            f"--judge {options.judge} takes pictures {judge.config.resolution} pixels wide, the generator draws "
            f"{system.config.resolution}; train one on such pictures"
        )
    perceptual = load(options.perceptual or options.judge, options.device)
    codes = _codes(loaded, options)
    with progress_of("compared") as tell:
        return analyse(system, lambda images: judge.classify(images) > 0, perceptual.distance, codes, progress=tell)


def _codes(loaded: "Loaded", options: Options) -> "Tensor":
    """Codes [2 pairs, L, C]: of noise, or of different pictures. Raises TelldrawError when these are too few."""
    import torch

    from telldraw import pixels
    from telldraw.commands.picture_input import open_collection
    from telldraw.commands.picture_sheets import noises
    from telldraw.systems import capabilities

    system: Any = loaded.system
    wanted = 2 * options.pairs
    if options.data is None:
        return system.map(noises(options.seed, wanted, system.noise_dim, options.device))
    if "Autoencoder" not in capabilities(loaded.card["system"], system):
        raise WeightsError(f"{options.weights} reads no codes from pictures; leave --data out: codes of noise")
    collection = open_collection(options.data, loaded)
    split = "val" if collection.splits.get("val") else "train"
    rows = collection.split(split)
    if len(rows) < wanted:
        raise TelldrawError(
            f"--pairs {options.pairs}: the split {split!r} of {options.data} has {len(rows):,} pictures, enough for "
            f"{len(rows) // 2:,} pairs"
        )
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(options.seed))[:wanted].tolist()
    images = pixels.to_float(torch.from_numpy(collection.images[[rows[n] for n in order]]))
    with torch.inference_mode():
        return torch.cat([system.encode(part.to(options.device)) for part in images.split(64)])


def _written(layers: list[int]) -> str:
    """Neighbouring layers as people write them: "2-4"."""
    return str(layers[0]) if len(layers) == 1 else f"{layers[0]}-{layers[-1]}"


def _moved(analysis: "Analysis") -> str:
    alone = [analysis.moved[analysis.runs.index((layer, layer + 1))] for layer in range(analysis.layers)]
    return ", ".join(f"{layer}: {distance:.3f}" for layer, distance in enumerate(alone))


def figure(analysis: "Analysis", names: list[str], chosen: dict[str, list[int]]) -> "Image.Image":
    """Attributes by layers, the darker the oftener a layer alone changes one; framed what decides it together.

    Beside each how many pairs differ in it, with a star where these are few.
    """
    import numpy as np
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from telldraw.commands.plotting import BLUE, FAINT, ORANGE, look, picture
    from telldraw.metrics.layers import UNSURE

    order = sorted(range(len(names)), key=lambda n: (chosen[names[n]][0], len(chosen[names[n]])))
    order = [n for n in order if analysis.pairs[n]]
    with look():
        drawn = Figure(figsize=(1.2 + 0.55 * analysis.layers + 2.6, 1.8 + 0.26 * len(order)), layout="constrained")
        bars, cells = drawn.subplots(2, 1, sharex=True, height_ratios=(1, max(3, 0.26 * len(order))))
        alone = [analysis.moved[analysis.runs.index((layer, layer + 1))] for layer in range(analysis.layers)]
        bars.bar(range(analysis.layers), alone, color=BLUE, width=0.7)
        bars.set_ylabel("moved")
        bars.set_title("what each layer alone changes (orange: the layers that decide it together)", fontsize=10)
        shares = np.nan_to_num(analysis.single()[:, order].T)
        cells.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        rows = [f"{_marked(names[n], analysis, n).replace('_', ' ')} ({analysis.pairs[n]})" for n in order]
        cells.set_yticks(range(len(order)), rows, fontsize=8)
        sides = [4 << (layer // 2) for layer in range(analysis.layers)]
        labels = [f"{layer}\n{side}x{side}" if layer % 2 == 0 else str(layer) for layer, side in enumerate(sides)]
        cells.set_xticks(range(analysis.layers), labels, fontsize=8)
        few = f"; *: fewer than {UNSURE}, which say little" if any(map(analysis.unsure, order)) else ""
        cells.set_xlabel(f"layer, and the side of its maps\nin brackets: pairs that differ{few}", color=FAINT)
        for row, n in enumerate(order):
            layers = chosen[names[n]]
            frame = Rectangle((layers[0] - 0.5, row - 0.5), len(layers), 1, fill=False, edgecolor=ORANGE, linewidth=1.4)
            cells.add_patch(frame)
            for layer, share in enumerate(shares[row]):
                if share >= 0.1:
                    colour = "white" if share > 0.6 else "black"
                    cells.text(layer, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7, color=colour)
        return picture(drawn)
