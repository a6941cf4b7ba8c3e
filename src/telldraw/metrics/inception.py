"""The network of the Inception Score and the FID: Inception-v3 as TensorFlow released it on 2015-12-05.

Its weights, ported to PyTorch, are one file that two projects give out under two names; nothing is downloaded:

    pt_inception-2015-12-05-6726825d.pth       pytorch-fid's release `fid_weights`
    weights-inception-2015-12-05-6726825d.pth  torch-fidelity's release `v0.2.0`

`6726825d` is how the file's SHA-256 begins. A file that begins otherwise is refused: a figure in the features of
another network is not the FID.

It differs from torchvision's Inception-v3, besides the weights, in three things: averages leave out what lies beyond
the edge, the last block takes the maximum where the paper takes an average, and there are 1,008 logits.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from telldraw import pixels
from telldraw.blocks import inception as blocks
from telldraw.errors import WeightsError
from telldraw.metrics import state_dicts

FILES = ("pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth")
ADDRESS = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/" + FILES[0]
CHECKSUM = "6726825d"
"""First digits of the SHA-256 of the file."""
SIDE = 299
CLASSES = 1008


class Inception(nn.Module):
    """Frozen, in evaluation mode; weights are random until `load`."""

    name = "inception-2015-12-05"
    checksum = "random"
    smallest = 1  # any picture is brought to 299 x 299

    def __init__(self) -> None:
        super().__init__()
        self.trunk = blocks.Trunk(blocks.average_inside, last_pool=blocks.maximum)
        self.fc = nn.Linear(blocks.CHANNELS, CLASSES)
        self.requires_grad_(False).eval()

    def features(self, images: Tensor) -> Tensor:
        """images [N, 3, H, W] in [-1, 1] -> [N, 2048], the mean of the last map ("pool3").

        As the released graph does: pixels in 256 levels are resized to 299 x 299, then (x - 128) / 128.
        """
        levels = pixels.to_uint8(images).float()
        return self.trunk((resize(levels, SIDE) - 128) / 128).mean((2, 3))

    def logits(self, features: Tensor) -> Tensor:
        """Features [N, 2048] of pictures -> logits [N, 1008], without bias, as the Inception Score was released."""
        return features.to(self.fc.weight) @ self.fc.weight.T


def resize(images: Tensor, side: int) -> Tensor:
    """images [N, C, H, W] -> [N, C, side, side], bilinear as TensorFlow 1 has it, with `align_corners=False`.

    Place i of the result lies at i * H / side of the picture, with no shift by half a pixel, which every later
    library adds; and nothing is averaged when a picture gets smaller.
    """
    rows, columns = _taps(images.shape[2], side, images), _taps(images.shape[3], side, images)
    return rows @ images @ columns.T


def _taps(size: int, side: int, like: Tensor) -> Tensor:
    """[side, size]: how much each place of the result takes from each of the picture."""
    place = torch.arange(side, dtype=torch.float32) * (size / side)  # in single precision, as the released graph does
    low = place.floor().long().clamp(max=size - 1)
    share = (place - low).unsqueeze(1)
    taps = torch.zeros(side, size)
    taps.scatter_add_(1, low.unsqueeze(1), 1 - share)
    taps.scatter_add_(1, (low + 1).clamp(max=size - 1).unsqueeze(1), share)
    return taps.to(like)


def find(path: Path | None = None) -> Path:
    """The weight file: `path`, or one in torch's own cache. Raises WeightsError saying which is needed, from where."""
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    if path is not None:
        found = next((path / name for name in FILES if (path / name).is_file()), path)
        if not found.is_file():
            raise WeightsError(f"there is no weight file {path}; the FID needs {FILES[0]} (95 MB), from {ADDRESS}")
        return found
    for name in FILES:
        if (cache / name).is_file():
            return cache / name
    raise WeightsError(f"the FID needs {FILES[0]} (95 MB), which is not in {cache}; it comes from {ADDRESS}")


def load(path: Path | None = None, device: str = "cpu") -> Inception:
    """The network with the weights of `find(path)`.

    Raises WeightsError when there are none, when they are not the standard ones, or when they do not fit.
    """
    file = find(path)
    checksum = _sha256(file)
    if not checksum.startswith(CHECKSUM):
        raise WeightsError(
            f"{file} is damaged or not the FID's network (its SHA-256 begins with {checksum[:8]}, not {CHECKSUM}); "
            f"get it from {ADDRESS}"
        )
    network = Inception()
    network.checksum = checksum
    _fill(network, state_dicts.read(file), file)
    return network.to(device)


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{file} cannot be read: {error.strerror}") from None


def _fill(network: Inception, weights: Mapping[str, Tensor], file: Path) -> None:
    """Set every weight from the file, whose names are ours without `trunk.`."""
    with torch.no_grad():
        for name, target in network.state_dict().items():
            key = name.removeprefix("trunk.")
            given = weights.get(key)
            if key.endswith("num_batches_tracked"):
                continue  # a count of training steps, which older files lack and nothing reads
            if not isinstance(given, Tensor):
                raise WeightsError(f"{file} has no weights {key!r}; get it from {ADDRESS}")
            if given.shape != target.shape:
                raise WeightsError(f"{key!r} in {file} has the shape {tuple(given.shape)}, not {tuple(target.shape)}")
            target.copy_(given)
