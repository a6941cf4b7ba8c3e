"""`telldraw tag`: words for a picture.

torch is imported inside the functions that need it, so that `--help` and a wrong flag are answered at once.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from telldraw.commands.counting import at_least
from telldraw.errors import DataError, TelldrawError, WeightsError

if TYPE_CHECKING:
    import numpy as np

    from telldraw.commands.looking import Looker
    from telldraw.weights import Loaded

_MOST = 10_000
"""Samples of a picture that are drawn and compared at once."""


@dataclass(frozen=True)
class Options:
    """Find words for pictures: word vectors are drawn for each, and the words most often nearest to them are named.

    Prints the words, most common first, each with the share of the samples that it was near to. Pictures should be like
    those the weights were trained on.
    """

    pictures: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="PICTURE")]
    """Picture files; with --features none are needed."""
    weights: str
    """A tagger: a training run, a weights folder, or the name of weights at hand."""
    features: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Features of pictures instead, a .npy file [N, D], for weights that came without the network that looks."""
    samples: int = 100
    """Word vectors drawn for each picture."""
    nearest: int = 1
    """Words looked up for each of them; the paper has 20, of a quarter of a million."""
    words: int = 10
    """Words named for each picture."""
    resize: bool = False
    """Squash pictures of another size to the square that the network looks at, instead of refusing them."""
    seed: int = 0
    """Of the noise."""
    device: str = "cpu"
    """Where to compute: cpu, cuda, ..."""


def run(argv: list[str]) -> None:
    """`argv` is what follows `telldraw tag`."""
    options = tyro.cli(Options, args=argv, prog="telldraw tag")
    at_least(("--nearest", options.nearest, 1), ("--words", options.words, 1), ("--seed", options.seed, 0))
    if not 1 <= options.samples <= _MOST:
        raise TelldrawError(f"--samples {options.samples}: 1 to {_MOST:,} can be drawn for each picture")
    if bool(options.pictures) == (options.features is not None):
        raise TelldrawError("name the pictures to be tagged, or give their --features: one of the two")
    import torch

    from telldraw.metrics import tagging

    loaded = load(options.weights, options.device)
    table = _features(loaded, options)
    system: Any = loaded.system
    proposed = tagging.propose(
        system,
        torch.from_numpy(table).to(options.device),
        seed=options.seed,
        samples=options.samples,
        words=options.nearest,
        tags=options.words,
    )
    names = [str(path) for path in options.pictures] or [f"row {row}" for row in range(len(table))]
    for name, tags, shares in zip(names, proposed.tags.tolist(), proposed.share.tolist(), strict=True):
        found = [(loaded.card["classes"][tag], share) for tag, share in zip(tags, shares, strict=True) if tag >= 0]
        told = ", ".join(f"{word} {100 * share:.0f}%" for word, share in found)
        print(f"{name}: {told}" if len(names) > 1 else told)


def load(given: str, device: str) -> "Loaded":
    """The weights named, which must be of a tagger. Raises TelldrawError."""
    from telldraw import weights
    from telldraw.protocols import Tagger

    folder = weights.find(given)
    loaded = weights.load(folder, device)
    if not isinstance(loaded.system, Tagger):
        raise WeightsError(f"{folder} holds {loaded.card['system']}, which finds no words; a tagger is needed")
    if len(loaded.card.get("classes", ())) != len(loaded.system.vectors):
        raise WeightsError(f"{folder / 'config.json'} names other words than the weights have vectors for")
    return loaded


def _features(loaded: "Loaded", options: Options) -> "np.ndarray":
    """float32 [N, D]: of the pictures, by the network that lies with the weights; or as given."""
    import numpy as np

    from telldraw.commands import looking
    from telldraw.weights import NETWORK, find

    size = len(loaded.system.mean)  # type: ignore[arg-type]
    if options.features is not None:
        try:
            table = np.load(options.features, allow_pickle=False).astype(np.float32)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it holds no numbers, or is damaged"
            raise DataError(
                f"--features {options.features} cannot be read: {str(reason).lower()}; a .npy file is needed"
            ) from None
        if table.ndim != 2 or table.shape[1] != size:
            raise DataError(f"--features {options.features}: numbers [N, {size}] are needed, not {list(table.shape)}")
        if not len(table):
            raise DataError(f"--features {options.features} has no row; at least one picture is needed")
        if not np.isfinite(table).all():
            raise DataError(f"--features {options.features}: not all are finite numbers; make them anew")
        return table
    network = find(options.weights) / NETWORK
    if not (network / "config.json").is_file():
        raise WeightsError(
            f"{options.weights} came without the network that looks at pictures; give --features, a .npy file "
            f"[N, {size}], made as {loaded.card.get('features')}"
        )
    looker = looking.load(str(network), options.device)
    return looker.features(np.stack([pixels_of(path, looker, resize=options.resize) for path in options.pictures]))


def pixels_of(path: Path, looker: "Looker", *, resize: bool = False) -> "np.ndarray":
    """The picture in a file as the network sees it, uint8 [C, side, side]; `resize` squashes it as CoDraw's scenes are.

    What is transparent is white. Raises TelldrawError naming the file and the remedy.
    """
    import numpy as np
    from PIL import Image

    from telldraw.commands.picture_input import check_kind, check_size, opened
    from telldraw.data.pictures import opaque

    image, side = opened(path), looker.side
    name, grey = looker.card.get("name", looker.folder.name), looker.card.get("channels", 3) == 1
    check_size(path, image, side, name, resize=resize)
    check_kind(path, 1 if image.mode in ("1", "L", "LA") else 3, 1 if grey else 3, name)
    image = opaque(image).convert("L" if grey else "RGB")
    array = np.asarray(image if image.size == (side, side) else image.resize((side, side), Image.Resampling.BOX))
    return (array[None] if grey else array.transpose(2, 0, 1)).copy()
