"""Sample sheets of systems trained on pictures: what they generate, reconstruct, or take for something else."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from telldraw import pixels
from telldraw.drawing.noise import noise
from telldraw.drawing.sheet import Frame, Strip, enlarge, grid
from telldraw.errors import TelldrawError

if TYPE_CHECKING:
    from telldraw.data.collection import Collection
    from telldraw.protocols import Autoencoder, Classifier, Generative

COLUMNS, ROWS = 10, 8
_WIDTH = 64  # pixels: smaller pictures are enlarged to about this
_LOOKED_AT = 5000  # pictures among which a classifier's mistakes are sought


def noises(seed: int, count: int, size: int, device: torch.device | str = "cpu") -> Tensor:
    """[count, size] ~ N(0, 1): picture n of a seed has the same noise however many are made."""
    return torch.from_numpy(np.stack([noise(seed, number, size) for number in range(count)])).to(device)


def one_hot(classes: Sequence[int], count: int, device: torch.device | str = "cpu") -> Tensor:
    """[N, count], 1 at the class of each."""
    return torch.eye(count, device=device)[torch.as_tensor(classes, device=device)]


@torch.inference_mode()
def samples(
    system: "Generative", collection: "Collection", rows: Sequence[int], *, device: torch.device | str = "cpu"
) -> list[Strip]:
    """Generated pictures, not picked; with labels a column for each class, or those of true pictures."""
    names = collection.classes[:COLUMNS]
    z, label, told = noises(0, COLUMNS * ROWS, system.noise_dim, device), None, "from noise alone"
    if system.label_dim and collection.many:
        own = [row for row in rows for _ in range(ROWS)][: COLUMNS * ROWS]
        own = [own[(n % COLUMNS) * ROWS % len(own)] for n in range(COLUMNS * ROWS)]
        label = torch.from_numpy(collection.labels[own]).float().to(device)
        told = "a column shows the same things: " + "; ".join(
            f"{column + 1}: {', '.join(collection.shown(own[column]))}" for column in range(3)
        )
    elif system.label_dim:
        label = one_hot([n % COLUMNS % len(names) for n in range(COLUMNS * ROWS)], system.label_dim, device)
        told = "columns: " + ", ".join(names)
    images = torch.cat([
        system.generate(z[at : at + COLUMNS], None if label is None else label[at : at + COLUMNS]).cpu()
        for at in range(0, len(z), COLUMNS)
    ])  # fmt: skip
    return [Strip("generated", [Frame(_grid(images, collection.manifest.get("aspect", 1.0)), "", told)])]


@torch.inference_mode()
def reconstructions(
    system: "Autoencoder", collection: "Collection", rows: Sequence[int], *, device: torch.device | str = "cpu"
) -> list[Strip]:
    """True pictures, each over what is left of it after encoding and decoding."""
    chosen = collection.images[list(rows)[: COLUMNS * ROWS // 2]]
    return pairs(system, chosen, collection.manifest.get("aspect", 1.0), device=device)


@torch.inference_mode()
def pairs(
    system: "Autoencoder", images: np.ndarray, aspect: float = 1.0, *, device: torch.device | str = "cpu"
) -> list[Strip]:
    """Pictures, uint8 [N, C, H, W], each over what is left of it after encoding and decoding."""
    true = pixels.to_float(torch.from_numpy(images))
    again = system.decode(system.encode(true.to(device))).cpu()
    columns = min(COLUMNS, len(true))
    rows_of_each = -(-len(true) // columns)
    rest = torch.ones(columns * rows_of_each - len(true), *true.shape[1:])  # white, so that pairs stay above each other
    both = torch.stack([torch.cat([half, rest]).unflatten(0, (rows_of_each, columns)) for half in (true, again)], 1)
    sheet = _grid(both.flatten(0, 2), aspect, columns)
    return [Strip("true, and reconstructed below", [Frame(sheet, "", "")])]


@torch.inference_mode()
def mistakes(
    system: "Classifier", collection: "Collection", rows: Sequence[int], *, device: torch.device | str = "cpu"
) -> list[Strip]:
    """Pictures of the validation split that are taken for something else, the surest first."""
    split = collection.splits.get("val") or collection.splits["train"]
    chosen = np.arange(split.start, split.stop)[:_LOOKED_AT]
    found: list[tuple[float, int, str]] = []
    for part in np.split(chosen, range(500, len(chosen), 500)):
        logits = system.classify(pixels.to_float(torch.from_numpy(collection.images[part])).to(device)).cpu()
        label = torch.from_numpy(collection.labels[part]) > 0
        seen = logits > 0 if collection.many else logits == logits.amax(1, keepdim=True)
        share = logits.sigmoid() if collection.many else logits.softmax(1)
        off = seen != label if collection.many else seen & ~label
        sure = torch.where(seen, share, 1 - share).where(off, 0).amax(1)
        for n in (seen != label).any(1).nonzero()[:, 0].tolist():
            taken = ", ".join(collection.classes[k] for k in seen[n].nonzero()[:, 0].tolist())
            found.append((-float(sure[n]), int(part[n]), taken or "nothing"))
    frames = []
    for _, row, taken in sorted(found)[: 3 * COLUMNS]:
        image = _enlarged(
            pixels.of_array(collection.images[row].transpose(1, 2, 0)), collection.manifest.get("aspect", 1.0)
        )
        frames.append(Frame(image, "", f"{', '.join(collection.shown(row))}, taken for {taken}"))
    if not frames:
        frames = [Frame(Image.new("RGB", (256, 32), (255, 255, 255)), "", "no mistake")]
    return [Strip(f"{len(found):,} of {len(chosen):,} taken for something else, the surest first", frames)]


def plane(side: int, device: torch.device | str = "cpu") -> Tensor:
    """Codes of two numbers at side x side places that share N(0, I) evenly, [side^2, 2]: Kingma & Welling 2014, App. A.

    By rows from the top: the first number grows to the right, the second upwards.
    """
    points = torch.special.ndtri((torch.arange(side, dtype=torch.float64, device=device) + 0.5) / side).float()
    second, first = torch.meshgrid(points.flip(0), points, indexing="ij")
    return torch.stack([first, second], -1).flatten(0, 1)


def check_label(system: "Generative", label: str | None, classes: Sequence[str], flag: str = "--label") -> list[int]:
    """The numbers of the classes named in `label` ("3", or "tree, sun"). Raises TelldrawError naming what there is."""
    if label is None:
        return []
    if not system.label_dim:
        raise TelldrawError(f"{flag} {label}: these weights take no label")
    found = []
    for word in (part.strip() for part in label.split(",")):
        if word not in classes:
            listed = ", ".join(classes) if len(classes) <= 60 else f"{classes[0]} ... {classes[-1]}"
            raise TelldrawError(f"{flag} {word}: there is no such class; choose from {listed}")
        found.append(list(classes).index(word))
    return found


def _grid(images: Tensor, aspect: float, columns: int = COLUMNS) -> Image.Image:
    frames = [_enlarged(pixels.to_image(image), aspect) for image in images]
    return grid(frames, columns)


def _enlarged(image: Image.Image, aspect: float) -> Image.Image:
    return enlarge(image.convert("RGB"), max(1, round(_WIDTH / image.width)), aspect)
