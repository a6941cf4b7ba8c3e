"""Weights for `blocks.perceptual`: whose features, from which file. Nothing is downloaded.

    VGG-16, Caffe's weights   vgg16.pth of genforce/idinvert_pytorch, keys layer0.weight, ...
    VGG-16, torchvision's     vgg16-397923af.pth, keys features.0.weight, ...
    LPIPS                     see `metrics.lpips`

A .safetensors file with these keys does as well.
"""

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from telldraw.blocks.perceptual import CONVOLUTIONS, VGG16, Perceptual, Scale, of_maps, of_vgg
from telldraw.errors import WeightsError
from telldraw.metrics import lpips, state_dicts

KEYS: dict[str, Scale] = {"layer{}": "caffe", "features.{}": "torchvision"}
"""How the keys of a file begin, and what pixels its weights then expect, unless one says otherwise."""
CAFFE_FILE = "vgg16-00b39a1b"
"""A file that is passed around with torchvision's keys and Caffe's weights."""
FILES = ("vgg16.pth", "vgg16-*.pth", "vgg16*.safetensors")
_HINT = "the convolutions of VGG-16 as far as relu4_3 are needed"
LIKE_LPIPS = 0.8
"""Weight of LPIPS beside a pixel error in [-1, 1], of pixel2style2pixel's code (Richardson et al., CVPR 2021)."""

_PROBE = 64  # pixels a side of a picture by which it is seen how many maps there are


@runtime_checkable
class Mapped(Protocol):
    """A network that gives the map after each of its halvings: a classifier, a detector."""

    def maps(self, images: Tensor) -> list[Tensor]:
        """images [N, 3, H, W] in [-1, 1] -> from fine to coarse, each [N, D, h, w]."""
        ...


def cache() -> Path:
    """Where torch keeps weights."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def of_system(system: Any, name: str) -> Perceptual:
    """The distance in the maps of a trained system. Raises WeightsError when it has none."""
    if isinstance(system, Mapped) and isinstance(system, nn.Module):
        with torch.no_grad():
            found = system.eval().maps(next(system.parameters()).new_zeros(1, 3, _PROBE, _PROBE))
        if found:
            return of_maps(name, system, system.maps, weight=LIKE_LPIPS, least=1 << len(found))
    raise WeightsError(f"{name} gives no maps of pictures; name a classifier (telldraw train classifier)")


def of_lpips(folder: Path | None = None) -> Perceptual:
    """LPIPS with the weights in a folder, or in torch's cache. Raises WeightsError naming the files needed."""
    try:
        distance = lpips.from_folder(folder or cache())
    except WeightsError as error:
        hint = "; name their folder: lpips:FOLDER, or name a telldraw classifier" if folder is None else ""
        raise WeightsError(f"{error}{hint}") from None
    return Perceptual(
        f"lpips-{distance.backbone}", distance, distance.forward, weight=LIKE_LPIPS, least=distance.plan.smallest
    )


def vgg16(path: Path | None = None, scale: Scale | None = None) -> Perceptual:
    """VGG-16's relu4_3 with the weights in a file or folder, or in torch's cache.

    `scale`: what pixels the weights expect; unless given, Caffe's for the keys of idinvert_pytorch and for the one file
    that is known to mix the two, else torchvision's. Raises WeightsError when there are none or they do not fit.
    """
    file = _find(path)
    weights = state_dicts.read(file)
    form = next((form for form in KEYS if f"{form.format(0)}.weight" in weights), None)
    if form is None:
        wanted = " or ".join(repr(f"{form.format(0)}.weight") for form in KEYS)
        raise WeightsError(f"{file} has no weights {wanted}; {_HINT}")
    found = scale or ("caffe" if file.name.startswith(CAFFE_FILE) else KEYS[form])
    network = VGG16(found)
    targets = {
        f"{place}.{part}": tensor
        for place in CONVOLUTIONS
        for part, tensor in network.features[place].named_parameters()
    }
    state_dicts.copy(targets, form, weights, file, _HINT)
    return of_vgg(f"vgg16-{found}", network)


def _find(path: Path | None) -> Path:
    if path is not None and path.is_file():
        return path
    if path is not None and not path.is_dir():
        raise WeightsError(f"there is no weight file {path}; {_HINT}, such as torchvision's vgg16-397923af.pth")
    folder = cache() if path is None else path
    for pattern in FILES:
        for file in sorted(folder.glob(pattern)):
            return file
    raise WeightsError(
        f"no weights of VGG-16 in {folder} (torchvision's vgg16-397923af.pth, or vgg16.pth of idinvert_pytorch); "
        "name the file: vgg16:FILE, or name a telldraw classifier"
    )
