"""What systems draw from captions: sample sheets, and pictures of typed captions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from telldraw import pixels
from telldraw.commands import retrieval
from telldraw.commands.picture_sheets import noises
from telldraw.drawing.sheet import Frame, Strip, columned, enlarge

if TYPE_CHECKING:
    from telldraw.data.collection import Collection

_CAPTIONS, _EACH, _WIDTH = 10, 8, 96
_LARGE, _WIDEST = 128, 4000  # pixels of a picture and of a sheet, about
_TOGETHER = 64


@torch.inference_mode()
def depict(system: Any, noise: Tensor, text: Tensor) -> Tensor:
    """Draw in parts: noise [N, Z], text [N, D] -> [N, C, H, W] in [-1, 1], on the processor."""
    return torch.cat([
        system.depict(noise[at : at + _TOGETHER], text[at : at + _TOGETHER]).float().cpu()
        for at in range(0, len(noise), _TOGETHER)
    ])  # fmt: skip


def of_captions(
    system: Any, captions: Sequence[str], count: int, *, seed: int = 0, device: torch.device | str = "cpu"
) -> Tensor:
    """Each caption drawn from the same `count` noises: [captions, count, C, H, W] in [-1, 1]."""
    text = system.reader.read(captions, device).repeat_interleave(count, 0)
    noise = noises(seed, count, system.noise_dim, device).repeat(len(captions), 1)
    return depict(system, noise, text).unflatten(0, (len(captions), count))


def sheet(
    system: Any, collection: "Collection", rows: Sequence[int], *, device: torch.device | str = "cpu"
) -> list[Strip]:
    """Captions of validation pictures, each with its own picture and drawings of it; a column has one noise."""
    own = [row for row in rows if collection.captions(row)][:_CAPTIONS]
    captions = [collection.captions(row)[0] for row in own]
    drawn = of_captions(system, captions, _EACH, device=device)
    strips = []
    for row, caption, images in zip(own, captions, drawn, strict=True):
        frames = [Frame(retrieval.picture(collection, row), "true", "")]
        for number, image in enumerate(images):
            picture = pixels.to_image(image).convert("RGB")
            large = enlarge(picture, max(1, round(_WIDTH / picture.width)), collection.manifest.get("aspect", 1.0))
            frames.append(Frame(large, f"noise {number}", ""))
        strips.append(Strip(caption[:160], frames))
    return strips


@torch.inference_mode()
def in_styles(system: Any, images: Tensor, captions: Sequence[str], *, device: torch.device | str = "cpu") -> Tensor:
    """Captions t' drawn in the styles of pictures x, G(S(x), t'): x [N, C, H, W] -> [N, captions, C, H, W]."""
    z, text = system.style(images.to(device)), system.reader.read(captions, device)
    drawn = depict(system, z.repeat_interleave(len(text), 0), text.repeat(len(z), 1))
    return drawn.unflatten(0, (len(z), len(text)))


def style_sheet(
    images: Tensor, captions: Sequence[str], drawn: Tensor, *, aspect: float = 1.0, scale: int | None = None
) -> Image.Image:
    """Pictures [N, C, H, W] in a column, beside each what captions say in its style [N, captions, C, H, W]."""
    most = max(1, int(_WIDEST / (1 + len(captions)) / (images.shape[-1] * aspect)))
    scale = scale or min(most, max(1, round(_LARGE / images.shape[-1])))
    rows = [
        [enlarge(pixels.to_image(image).convert("RGB"), scale, aspect) for image in (own, *of_own)]
        for own, of_own in zip(images, drawn, strict=True)
    ]
    return columned(["in the style of", *captions], rows)


def restyled(
    system: Any, collection: "Collection", rows: Sequence[int], *, device: torch.device | str = "cpu"
) -> list[Strip]:
    """Pictures whose style is read, and the captions of others drawn in it."""
    own = [row for row in rows if collection.captions(row)][: 2 * _EACH]
    half = len(own) // 2
    styles, said = own[: max(1, half)], [collection.captions(row)[0] for row in own[half:]]
    images = pixels.to_float(torch.from_numpy(collection.images[styles]))
    strips = []
    for row, drawn in zip(styles, in_styles(system, images, said, device=device), strict=True):
        frames = [Frame(retrieval.picture(collection, row), "style", "")]
        for image, caption in zip(drawn, said, strict=True):
            picture = pixels.to_image(image).convert("RGB")
            large = enlarge(picture, max(1, round(_WIDTH / picture.width)), collection.manifest.get("aspect", 1.0))
            frames.append(Frame(large, "", caption[:80]))
        strips.append(Strip("", frames))
    return strips
