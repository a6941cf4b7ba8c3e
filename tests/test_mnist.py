"""`telldraw prepare mnist`: idx files of MNIST's form, which set they are, and all that can be wrong with them."""

import gzip
import hashlib
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from telldraw.commands import prepare as command
from telldraw.data import mnist
from telldraw.data.collection import Collection
from telldraw.errors import DataError, TelldrawError

IMAGES, LABELS, TEST_IMAGES, TEST_LABELS = mnist.FILES


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def make(folder: Path, train: int = 60, test: int = 20, side: int = 28, seed: int = 0) -> Path:
    """The four files with random pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for count, images, labels in ((train, IMAGES, LABELS), (test, TEST_IMAGES, TEST_LABELS)):
        (folder / images).write_bytes(idx(random.integers(0, 256, (count, side, side))))
        (folder / labels).write_bytes(idx(random.integers(0, 10, count)))
    return folder


def change(file: Path, edit: Callable[[bytes], bytes]) -> None:
    file.write_bytes(edit(file.read_bytes()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make(tmp_path / "raw")


def run(folder: Path, out: Path, *flags: str) -> Collection:
    command.run(["mnist", "--from", str(folder), "--out", str(out), *flags])
    return Collection.open(out)


def test_pictures_labels_and_splits_are_the_files(folder: Path, tmp_path: Path) -> None:
    (train, test), (train_labels, test_labels) = mnist.load(folder)[2:]
    prepared = run(folder, tmp_path / "out")
    assert np.array_equal(prepared.images[:, 0], np.concatenate([train, test]))
    assert np.array_equal(prepared.labels.argmax(1), np.concatenate([train_labels, test_labels]))
    assert (prepared.labels.sum(1) == 1).all()
    assert prepared.splits == {"train": range(50), "val": range(50, 60), "test": range(60, 80)}
    assert prepared.classes == tuple("0123456789") and prepared.channels == 1


@pytest.mark.parametrize("form", ["gzipped", "gzipped without saying so", "with dots"])
def test_gzipped_or_not_the_same_is_read(tmp_path: Path, form: str) -> None:
    plain, other = make(tmp_path / "plain"), make(tmp_path / "other")
    for name in mnist.FILES:
        file = other / name
        if form == "with dots":
            file.rename(other / name.replace("-idx", ".idx"))
            continue
        change(file, gzip.compress)
        if form == "gzipped":
            file.rename(other / f"{name}.gz")
    for one, two in zip(mnist.load(plain)[2:], mnist.load(other)[2:], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_thirty_two_is_a_border_of_zeros(folder: Path, tmp_path: Path) -> None:
    own, padded = run(folder, tmp_path / "own"), run(folder, tmp_path / "padded", "--resolution", "32")
    assert np.array_equal(padded.images[:, :, 2:30, 2:30], own.images)
    border = np.ones((32, 32), bool)
    border[2:30, 2:30] = False
    assert not padded.images[:, 0, border].any()
    assert (own.manifest["fit"], padded.manifest["fit"]) == ("as it is", "padded")


@pytest.mark.parametrize("side", [14, 64])
def test_other_sizes_are_resampled(folder: Path, tmp_path: Path, side: int) -> None:
    prepared = run(folder, tmp_path / "out", "--resolution", str(side))
    first = Image.fromarray(mnist.load(folder).images[0][0]).resize((side, side), Image.Resampling.BICUBIC)
    assert np.array_equal(prepared.images[0, 0], np.asarray(first)) and prepared.manifest["fit"] == "resampled"


# --- which set ----------------------------------------------------------------------------------------------------


def known_by(monkeypatch: pytest.MonkeyPatch, name: str, folder: Path) -> None:
    """Make the files of `folder` those of a known set."""
    sums = tuple(hashlib.md5((folder / file).read_bytes()).hexdigest() for file in mnist.FILES)
    monkeypatch.setitem(mnist.SETS, name, mnist.Known(**{**vars(mnist.SETS[name]), "md5": sums}))


def test_the_sums_decide_which_set_it_is(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known_by(monkeypatch, "fashion-mnist", folder)
    prepared = run(folder, tmp_path / "out")
    assert prepared.name == "fashion-mnist" and prepared.licence.startswith("MIT")
    assert prepared.classes[0] == "T-shirt/top" and prepared.classes[9] == "Ankle boot"
    told = capsys.readouterr()
    assert "Fashion-MNIST" in told.out and "unknown" not in told.err


def test_an_unknown_set_is_taken_and_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known_by(monkeypatch, "mnist", folder)
    change(folder / TEST_LABELS, lambda data: data[:-1] + bytes([(data[-1] + 1) % 10]))
    prepared = run(folder, tmp_path / "out")
    assert prepared.name == "idx" and prepared.licence == "not known"
    told = capsys.readouterr().err
    assert f"{folder} is neither MNIST nor Fashion-MNIST by its sums ({TEST_LABELS})" in told


def test_files_of_two_sets_are_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = make(tmp_path / "other", seed=1)
    known_by(monkeypatch, "mnist", folder)
    known_by(monkeypatch, "fashion-mnist", other)
    for name in (TEST_IMAGES, TEST_LABELS):
        (folder / name).write_bytes((other / name).read_bytes())
    with pytest.raises(DataError, match=f"{TEST_IMAGES} is Fashion-MNIST's and {IMAGES} MNIST's; take all four"):
        mnist.load(folder)


def test_the_real_one_is_known() -> None:
    source = Path(os.environ.get("TELLDRAW_DATA") or Path(__file__).parents[2] / "shared" / "data") / "mnist"
    if not source.is_dir():
        pytest.skip("MNIST is not at hand ($TELLDRAW_DATA or ../shared/data)")
    loaded = mnist.load(source)
    assert loaded.name == "mnist" and not loaded.unknown
    assert [len(images) for images in loaded.images] == [60_000, 10_000]
    assert np.bincount(loaded.labels[1]).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


# --- faults -------------------------------------------------------------------------------------------------------

FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda f: (f / LABELS).unlink(), f"has no {LABELS} or {LABELS}.gz"),
    "cut short": (
        lambda f: change(f / IMAGES, lambda d: d[:-100]),
        f"{IMAGES} is cut short: it has 46,956 bytes where",
    ),
    "cut within its head": (lambda f: change(f / IMAGES, lambda d: d[:9]), f"{IMAGES} is cut short"),
    "cut while gzipped": (lambda f: change(f / IMAGES, lambda d: gzip.compress(d)[:-500]), "is damaged or cut short"),
    "longer": (lambda f: change(f / LABELS, lambda d: d + b"\0"), "has a tail that does not belong to it"),
    "another type": (
        lambda f: change(f / IMAGES, lambda d: b"\0\0\x0d" + d[3:]),
        "begins with 00 00 0d 03 where 00 00 08",
    ),
    "labels for pictures": (
        lambda f: (f / IMAGES).write_bytes((f / LABELS).read_bytes()),
        "is no idx file of bytes with 3 dimensions",
    ),
    "empty file": (lambda f: (f / IMAGES).write_bytes(b""), "begins with nothing"),
    "fewer labels": (
        lambda f: (f / LABELS).write_bytes(idx(np.zeros(59))),
        f"{IMAGES} has 60 pictures and its labels are 59",
    ),
    "label above 9": (
        lambda f: change(f / TEST_LABELS, lambda d: d[:10] + b"\x0b" + d[11:]),
        f"picture 3 of .*{TEST_IMAGES} has the label 11, and the classes are 0 to 9",
    ),
    "other size in test": (
        lambda f: (f / TEST_IMAGES).write_bytes(idx(np.zeros((20, 14, 14)))),
        "are 28 x 28 and 14 x 14 pixels",
    ),
    "not square": (
        lambda f: (f / IMAGES).write_bytes(idx(np.zeros((60, 28, 20)))),
        "are 20 x 28 pixels, and not square",
    ),
    "no pictures": (
        lambda f: [(f / IMAGES).write_bytes(idx(np.zeros((0, 28, 28)))), (f / LABELS).write_bytes(idx(np.zeros(0)))],
        f"{IMAGES} has no pictures",
    ),
    "more announced than can be": (
        lambda f: change(f / IMAGES, lambda d: d[:4] + b"\xff" * 12 + d[16:]),
        "is cut short",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_sentence_and_leaves_nothing_behind(folder: Path, tmp_path: Path, name: str) -> None:
    edit, what = FAULTS[name]
    edit(folder)
    with pytest.raises(DataError, match=what) as caught:
        run(folder, tmp_path / "out")
    assert "\n" not in str(caught.value) and not list(tmp_path.glob("out*"))


def test_a_single_picture_cannot_be_split(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has a single picture"):
        mnist.load(make(tmp_path / "raw", train=1))


def test_where_the_files_are_must_be_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TELLDRAW_DATA", raising=False)
    with pytest.raises(DataError, match="say where MNIST is: --from FOLDER"):
        command.run(["mnist"])
    with pytest.raises(DataError, match="there is no folder .*nowhere; it should hold train-images"):
        command.run(["mnist", "--from", str(tmp_path / "nowhere")])
    with pytest.raises(TelldrawError, match="--resolution 4: 8 to 512"):
        command.run(["mnist", "--from", str(tmp_path), "--resolution", "4"])
