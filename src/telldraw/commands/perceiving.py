"""Whose features a perceptual distance is taken in, by what a user names: a classifier or detector, VGG-16 or LPIPS."""

from pathlib import Path
from typing import TYPE_CHECKING

from telldraw import weights
from telldraw.errors import WeightsError
from telldraw.metrics import perceptual

if TYPE_CHECKING:
    from telldraw.metrics.perceptual import Perceptual

HELP = """a classifier or detector (a run, a folder or a name), vgg16[:FILE], vgg16-caffe[:FILE], \
vgg16-torchvision[:FILE] or lpips[:FOLDER]; without a file, torch's cache is looked in"""
"""What can be named, for the help of a flag."""


def load(given: str, device: str = "cpu") -> "Perceptual":
    """The distance named, frozen, on its device; see `HELP`. Raises WeightsError with the remedy when it is not there.

    A run or folder whose name is one of the networks' is meant when written as a path: ./lpips.
    """
    weights.check_device(device)
    kind, _, place = given.partition(":")
    path = Path(place) if place else None
    if kind == "lpips":
        return perceptual.of_lpips(path).to(device)
    if kind == "vgg16":
        return perceptual.vgg16(path).to(device)
    if kind == "vgg16-caffe":
        return perceptual.vgg16(path, "caffe").to(device)
    if kind == "vgg16-torchvision":
        return perceptual.vgg16(path, "torchvision").to(device)
    try:
        folder = weights.find(given)
    except WeightsError as error:
        raise WeightsError(
            f"{error}; besides weights of a classifier, vgg16:FILE and lpips:FOLDER can be named"
        ) from None
    loaded = weights.load(folder, device)
    try:
        return perceptual.of_system(loaded.system, loaded.name)
    except WeightsError:
        raise WeightsError(
            f"{given} holds {loaded.card['system']}, which gives no maps of pictures to compare; name a classifier, "
            "vgg16:FILE or lpips:FOLDER"
        ) from None
