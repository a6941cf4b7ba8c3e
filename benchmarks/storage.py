"""Which form to store pictures in: bytes on the disk, and pictures read per second in the order training reads them.

Batches of 32 dialogues in shuffled order, decoded into one uint8 array, by one thread and by two. The floor is copying
the bytes of a batch from memory to memory. A training step on one GPU takes about 1,000 pictures a second or more.
"""

import io
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image

from _floor import opened

TURNS, BATCH, SECONDS = 4000, 32, 3.0
Read = Callable[[int], np.ndarray]  # row -> [3, H, W]


def png(image: np.ndarray) -> bytes:
    """Compress [3, H, W] without loss."""
    stream = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(stream, "PNG")
    return stream.getvalue()


def decode(content: bytes) -> np.ndarray:
    """PNG -> [3, H, W]."""
    return np.asarray(Image.open(io.BytesIO(content))).transpose(2, 0, 1)


def stores(images: np.ndarray, folder: Path) -> dict[str, tuple[int, Read]]:
    """Write every form; gives bytes on the disk and a function that reads one row."""
    result: dict[str, tuple[int, Read]] = {}
    np.save(folder / "raw.npy", images)
    raw = np.load(folder / "raw.npy", mmap_mode="c")
    result["raw .npy, memory-mapped"] = ((folder / "raw.npy").stat().st_size, lambda row: raw[row])

    coded = [png(image) for image in images]
    (folder / "png").mkdir()
    for row, content in enumerate(coded):
        (folder / "png" / f"{row}.png").write_bytes(content)
    blocks = sum(-(-len(content) // 4096) * 4096 for content in coded)
    result["folder of PNG"] = (blocks, lambda row: decode((folder / "png" / f"{row}.png").read_bytes()))

    at = np.cumsum([0, *map(len, coded)])
    (folder / "png.bin").write_bytes(b"".join(coded))
    joined = np.memmap(folder / "png.bin", np.uint8, "r")
    result["PNG end to end, mapped"] = (len(joined), lambda row: decode(joined[at[row] : at[row + 1]].tobytes()))

    with zipfile.ZipFile(folder / "png.zip", "w", zipfile.ZIP_STORED) as file:
        for row, content in enumerate(coded):
            file.writestr(f"{row}.png", content)
    zipped, own = folder / "png.zip", threading.local()  # a ZipFile is not for several threads

    def from_zip(row: int) -> np.ndarray:
        if not hasattr(own, "file"):
            own.file = zipfile.ZipFile(zipped)
        return decode(own.file.read(f"{row}.png"))

    result["PNG in zip"] = (zipped.stat().st_size, from_zip)

    packed = [zlib.compress(image.tobytes(), 1) for image in images]
    place = np.cumsum([0, *map(len, packed)])
    (folder / "zlib.bin").write_bytes(b"".join(packed))
    rows = np.memmap(folder / "zlib.bin", np.uint8, "r")
    shape = images.shape[1:]
    result["zlib level 1, mapped"] = (
        len(rows),
        lambda row: np.frombuffer(zlib.decompress(rows[place[row] : place[row + 1]].data), np.uint8).reshape(shape),
    )
    return result


def speed(read: Read, batches: list[np.ndarray], shape: tuple[int, ...], threads: int) -> float:
    """Pictures per second, whole batches at a time."""

    def gather(rows: np.ndarray) -> int:
        batch = np.empty((len(rows), *shape), np.uint8)
        for place, row in enumerate(rows):
            batch[place] = read(int(row))
        return len(rows)

    for rows in batches[:3]:
        gather(rows)
    started, done = time.perf_counter(), 0
    with ThreadPoolExecutor(threads) as pool:
        while (passed := time.perf_counter() - started) < SECONDS:
            done += sum(pool.map(gather, batches[: 4 * threads]))
            batches = batches[4 * threads :] + batches[: 4 * threads]
    return done / passed


@dataclass(frozen=True)
class Options:
    """Compare forms of storage, on the first 4,000 turns of a prepared data set."""

    data: tyro.conf.Positional[Path] = Path("codraw-128.telldraw")
    """What `telldraw prepare` wrote."""


def main(options: Options) -> None:
    """Print one line per form."""
    dataset = opened(options.data)
    dialogues = [d for d in dataset.splits["train"] if d.stop <= TURNS]
    images = np.array(dataset.images[: dialogues[-1].stop])
    order = np.random.default_rng(0).permutation(len(dialogues))
    batches = [
        np.concatenate([np.arange(dialogues[i].start, dialogues[i].stop) for i in order[at : at + BATCH]])
        for at in range(0, len(order) - BATCH, BATCH)
    ]
    floor = speed(lambda row: images[row], batches, images.shape[1:], 1)
    print(f"{len(images):,} pictures of {dataset.resolution} x {dataset.resolution}; floor: {floor:,.0f} pictures/s")
    print(f"{'form':26} {'kB each':>8} {'all, MB':>8} {'1 thread':>9} {'2 threads':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for name, (size, read) in stores(images, Path(folder)).items():
            one, two = (speed(read, batches, images.shape[1:], threads) for threads in (1, 2))
            each = size / len(images)
            print(f"{name:26} {each / 1e3:8.1f} {each * len(dataset) / 1e6:8.0f} {one:9,.0f} {two:10,.0f}")


if __name__ == "__main__":
    main(tyro.cli(Options))
