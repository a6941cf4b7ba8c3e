"""Owners' sets of faces: every layout of their pictures, masks and sketches, and every fault by its name."""

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from owners_like import make_celeba, prepare, refusal
from real_faces_like import (
    SIDE,
    add_labels,
    add_mapping,
    add_parts,
    add_sketches,
    few,
    make_caltech,
    make_fasseg,
    merged,
    save,
    sketch,
)
from telldraw.cli import main
from telldraw.data.celeba_splits import strings_in
from telldraw.data.collection import Collection
from telldraw.data.real_faces import TRAINED
from telldraw.data.regions import FEW_REGIONS, MIRRORED, ORDERS, REGIONS, colours, mirrored
from telldraw.errors import DataError

COUNT = 4
DATA = Path(os.environ.get("TELLDRAW_DATA", Path(__file__).parents[2] / "shared" / "data"))
WHOLE = ("--resolution", str(SIDE))
PARTS = "CelebAMask-HQ-mask-anno"


def make(folder: Path, *, count: int = COUNT) -> Path:
    """Multi-Modal CelebA-HQ with masks and sketches, the last two faces to test on."""
    make_celeba(folder, count=count)
    add_labels(folder / "label", count)
    add_sketches(folder / "sketch", count)
    return folder


def rows_of(found: Collection, name: str) -> np.ndarray:
    return np.asarray(found.maps[name].rows)


def faults(found: Collection) -> list[str]:
    return [what for _, what in found.manifest["left out"]]


# --- names of regions -----------------------------------------------------------------------------------------------


def test_left_and_right_swap_in_a_mirror_and_nothing_else() -> None:
    assert {(n, other) for n, other in enumerate(MIRRORED) if n != other} == {
        *((4, 5), (5, 4), (6, 7), (7, 6), (8, 9), (9, 8))
    }
    assert [MIRRORED[other] for other in MIRRORED] == list(range(19))
    assert mirrored(FEW_REGIONS) == tuple(range(6)) and mirrored(("l_eye", "r_eye", "l_lip")) == (1, 0, 2)


def test_orders_have_every_part_once_and_every_region_a_colour() -> None:
    assert len(REGIONS) == 19 and ORDERS["list2"] == REGIONS[1:]
    assert all(sorted(order) == sorted(REGIONS[1:]) for order in ORDERS.values())
    assert len(set(colours(REGIONS))) == 19 and len(set(colours(FEW_REGIONS))) == 6
    assert colours(("tail",))[0][0] == colours(("tail",))[0][2]


# --- layouts of CelebA-HQ -------------------------------------------------------------------------------------------


def as_published(folder: Path) -> None:
    (folder / "image").mkdir()
    (folder / "CelebA-HQ-img").rename(folder / "image" / "images")


def with_edges(folder: Path) -> None:
    shutil.rmtree(folder / "sketch")
    add_sketches(folder / "sketch", COUNT, "{}_edges.jpg")


def unpacked_twice(folder: Path) -> None:
    for name in ("label", "sketch"):
        (folder / name).rename(folder / "inner")
        (folder / name).mkdir()
        (folder / "inner").rename(folder / name / name)


def with_zeros(folder: Path) -> None:
    shutil.rmtree(folder / "label")
    add_labels(folder / "mask", COUNT, named="{:05d}.png")


def in_parts(folder: Path) -> None:
    shutil.rmtree(folder / "label")
    add_parts(folder / "CelebAMask-HQ-mask-anno", COUNT)


def inside_its_archive(folder: Path) -> None:
    in_parts(folder)
    (folder / "CelebAMask-HQ").mkdir()
    for name in ("CelebA-HQ-img", "CelebAMask-HQ-mask-anno", "CelebAMask-HQ-attribute-anno.txt"):
        (folder / name).rename(folder / "CelebAMask-HQ" / name)


def as_png(folder: Path) -> None:
    for file in (folder / "CelebA-HQ-img").glob("*.jpg"):
        Image.open(file).save(folder / "CelebA-HQ-img" / f"{file.stem}.png")
        file.unlink()
    (folder / "CelebA-HQ-img").rename(folder / "images")


def moved(old: str, new: str) -> Callable[[Path], None]:
    """A folder that is called otherwise."""

    def change(folder: Path) -> None:
        (folder / old).rename(folder / new)

    change.__name__ = f"{old} in {new}"
    return change


def texts_without_a_folder(folder: Path) -> None:
    (folder / "text" / "celeba-caption").rename(folder / "inner")
    (folder / "text").rmdir()
    (folder / "inner").rename(folder / "text")


def sketches_as_jpg(folder: Path) -> None:
    shutil.rmtree(folder / "sketch")
    add_sketches(folder / "sketch", COUNT, "{}.jpg")


def parts_in_one_folder(folder: Path) -> None:
    in_parts(folder)
    for file in (folder / PARTS / "0").iterdir():
        file.rename(folder / PARTS / file.name)
    (folder / PARTS / "0").rmdir()


def parts_without_a_dash(folder: Path) -> None:
    in_parts(folder)
    (folder / PARTS).rename(folder / "CelebAMaskHQ-mask-anno")


def in_the_second_folder_of_parts(folder: Path) -> None:
    """The last two faces are 2000 and 2001, and their masks below 1."""
    in_parts(folder)
    (folder / PARTS / "1").mkdir()
    for number, new in ((2, 2000), (3, 2001)):
        for place in ("CelebA-HQ-img", "text/celeba-caption", "sketch"):
            (file,) = (folder / place).glob(f"{number}.*")
            file.rename(file.with_stem(str(new)))
        for file in (folder / PARTS / "0").glob(f"{number:05d}_*.png"):
            file.rename(folder / PARTS / "1" / file.name.replace(f"{number:05d}", f"{new:05d}"))
        shown = folder / "CelebAMask-HQ-attribute-anno.txt"
        shown.write_text(shown.read_text().replace(f"\n{number}.jpg", f"\n{new}.jpg"))
    lists(folder, ["0", "1"], ["2000", "2001"])


def labels_with_alpha(folder: Path) -> None:
    for number in range(COUNT):
        pixels = np.repeat(merged(number)[..., None], 4, axis=2)
        pixels[..., 3] = 255
        save(pixels, folder / "label" / f"{number}.png")


@pytest.mark.parametrize(
    "change",
    [
        *(None, as_published, with_edges, unpacked_twice, with_zeros, in_parts, inside_its_archive, as_png),
        *(moved("CelebA-HQ-img", new) for new in ("image", "images")),
        *(moved("label", new) for new in ("labels", "mask", "masks", "CelebAMask-HQ-mask", "CelebAMaskHQ-mask")),
        *(moved("sketch", "sketches"), moved("text/celeba-caption", "celeba-caption"), texts_without_a_folder),
        *(sketches_as_jpg, parts_in_one_folder, parts_without_a_dash, in_the_second_folder_of_parts),
        labels_with_alpha,
    ],
    ids=lambda change: getattr(change, "__name__", "labels"),
)
def test_every_layout_gives_the_same_faces(change: Callable[[Path], None] | None, tmp_path: Path) -> None:
    make(tmp_path)
    if change is not None:
        change(tmp_path)
    found = prepare("mm-celeba", tmp_path, *WHOLE)
    assert not faults(found) and found.splits == {"train": range(2), "test": range(2, 4)}
    assert tuple(found.maps) == ("sketch", "regions") and found.maps["regions"].names == REGIONS
    assert np.array_equal(rows_of(found, "regions"), np.stack([merged(n) for n in range(COUNT)]))
    off = np.abs(rows_of(found, "sketch").astype(int) - np.stack([sketch(n) for n in range(COUNT)]))
    assert off.mean() < 2  # a JPEG is not exact
    assert found.classes == ("Smiling", "Young") and len(found.captions(3)) == 10
    assert found.multimodal_facts.regions == REGIONS and found.multimodal_facts.sketch


def cut_out(folder: Path) -> np.ndarray:
    """A set of which the first face is cut out of its background, as Multi-Modal CelebA-HQ has some; how it is read."""
    make(folder)
    cut = np.zeros((SIDE, SIDE, 4), np.uint8)  # black, and clear but for the middle
    cut[8:24, 8:24] = 200, 100, 50, 255
    (folder / "CelebA-HQ-img" / "0.jpg").unlink()
    save(cut, folder / "CelebA-HQ-img" / "0.png")
    found = prepare("mm-celeba", folder, *WHOLE)
    assert not faults(found) and len(found) == COUNT
    return np.asarray(found.images[0])


def test_faces_that_were_cut_out_are_read(tmp_path: Path) -> None:
    assert (cut_out(tmp_path)[:, 8:24, 8:24] == np.array([200, 100, 50])[:, None, None]).all()


def test_what_is_clear_in_a_picture_is_white(tmp_path: Path) -> None:
    assert (cut_out(tmp_path)[:, :8] == 255).all()


def test_masks_are_taken_by_the_nearest_place_and_never_mixed(tmp_path: Path) -> None:
    make(tmp_path)
    noise = np.random.default_rng(0).integers(0, 19, (COUNT, SIDE, SIDE), dtype=np.uint8)
    for number, one in enumerate(noise):
        save(one, tmp_path / "label" / f"{number}.png")
    found = prepare("mm-celeba", tmp_path)  # at 8 x 8: place 2 of every 4
    assert np.array_equal(rows_of(found, "regions"), noise[:, 2::4, 2::4])


def test_masks_and_sketches_are_cut_out_as_their_pictures_are(tmp_path: Path) -> None:
    make(tmp_path)
    wide = np.zeros((16, 24), np.uint8)
    wide[:, 4:8], wide[4:8] = 10, 13
    for number in range(COUNT):
        save(np.repeat(wide[..., None], 3, axis=2) * 19, tmp_path / "CelebA-HQ-img" / f"{number}.png")
        (tmp_path / "CelebA-HQ-img" / f"{number}.jpg").unlink()
        large = wide.repeat(2, 0).repeat(2, 1)  # as CelebAMask-HQ: pictures and masks of different sizes
        save(large, tmp_path / "label" / f"{number}.png")
        save(large * 19, tmp_path / "sketch" / f"{number}.png")
    found = prepare("mm-celeba", tmp_path, "--resolution", "16")
    assert np.array_equal(rows_of(found, "regions")[0], wide[:, 4:20])
    assert np.array_equal(found.images[0, 0], wide[:, 4:20] * 19)
    assert np.abs(rows_of(found, "sketch")[0].astype(int) - found.images[0, 0]).mean() < 12  # shrunk, so a little soft


def test_later_parts_lie_over_earlier_ones_in_the_order_that_is_named(tmp_path: Path) -> None:
    make(tmp_path)
    in_parts(tmp_path)
    both = np.full((SIDE, SIDE), 255, np.uint8)
    for part in ("hair", "nose"):
        save(both, tmp_path / "CelebAMask-HQ-mask-anno" / "0" / f"00000_{part}.png")
    for order, over in (("list2", "hair"), ("list1", "nose"), ("parsing", "hair")):
        rows = rows_of(prepare("mm-celeba", tmp_path, *WHOLE, "--order", order), "regions")
        assert (rows[0, :6] == REGIONS.index(over)).all(), order


@pytest.mark.parametrize("order", list(ORDERS))
def test_labels_of_another_order_come_out_numbered_alike(
    order: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path)
    add_labels(tmp_path / "label", COUNT, order=order)
    found = prepare("mm-celeba", tmp_path, *WHOLE, "--order", order)
    names = np.array(["background", *ORDERS[order]])
    assert np.array_equal(np.array(REGIONS)[rows_of(found, "regions")[1]], names[merged(1, order)])
    assert found.manifest["order"] == order and "lie where the order" not in capsys.readouterr().err
    for other in set(ORDERS) - {order}:
        wrong = prepare("mm-celeba", tmp_path, *WHOLE, "--order", other)
        told = f"noses, lips and necks lie where the order {order} has them, and not {other}"
        assert told in capsys.readouterr().err and told in wrong.manifest["remarks"][0]


def test_what_multi_modal_celeba_lacks_is_taken_from_celebamask(tmp_path: Path) -> None:
    mine, other = make(tmp_path / "mm"), tmp_path / "other"
    shutil.rmtree(mine / "label")
    other.mkdir()
    for name in ("CelebA-HQ-img", "CelebAMask-HQ-attribute-anno.txt"):
        (mine / name).rename(other / name)
    add_parts(other / "CelebAMask-HQ-mask-anno", COUNT)
    found = prepare("mm-celeba", mine, *WHOLE, "--celebamask", str(other))
    assert not faults(found) and found.splits["test"] == range(2, 4) and found.shown(1) == ["Smiling", "Young"]
    assert np.array_equal(rows_of(found, "regions")[3], merged(3))


def test_faces_without_captions_are_those_of_celebamask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path)
    shutil.rmtree(tmp_path / "text")
    assert "without captions it is telldraw prepare celebamask-hq" in refusal("mm-celeba", tmp_path, capsys)
    found = prepare("celebamask-hq", tmp_path, *WHOLE)
    assert tuple(found.maps) == ("regions",) and found.captions(0) == [] and found.vocabulary is None
    assert found.name == "celebamask-hq" and found.many and found.splits["train"] == range(2)


@pytest.mark.parametrize("heading", [True, False])
def test_the_parts_of_celeba_are_told_by_its_mapping(heading: bool, tmp_path: Path) -> None:
    make(tmp_path)
    add_mapping(tmp_path, [162_770, 162_771, 182_637, 182_638], heading=heading)
    found = prepare("celebamask-hq", tmp_path, "--splits", "official")
    assert {name: len(rows) for name, rows in found.splits.items()} == {"train": 1, "val": 2, "test": 1}
    assert found.manifest["split by"] == "the parts of CelebA"
    assert prepare("mm-celeba", tmp_path).manifest["split by"] == "lists of names"
    by_number = prepare("mm-celeba", tmp_path, "--splits", "number")
    assert by_number.splits == {"train": range(3), "test": range(3, 4)}


def test_faces_that_telldraw_writes_as_celeba_are_read_again(tmp_path: Path) -> None:
    own, folder = tmp_path / "own.telldraw", tmp_path / "files"
    flags = ("--render", "10", "--resolution", "32", "--workers", "1", "--out", str(own), "--as-celeba", str(folder))
    assert main(["prepare", "faces", *flags]) == 0
    faces, labels = Collection.open(own), prepare("mm-celeba", folder, *WHOLE, "--strict")
    shutil.rmtree(folder / "label")
    parts = prepare("mm-celeba", folder, *WHOLE, "--strict", "--splits", "official")
    assert parts.splits == faces.splits
    for found in (labels, parts):
        assert all(np.array_equal(rows_of(found, name), rows_of(faces, name)) for name in ("sketch", "regions"))
        assert [found.captions(row) for row in range(10)] == [faces.captions(row) for row in range(10)]
        assert [set(found.shown(row)) for row in range(10)] == [set(faces.shown(row)) for row in range(10)]


# --- sketches -------------------------------------------------------------------------------------------------------


def test_sketches_are_the_owners_derived_from_a_folder_or_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path)
    add_sketches(tmp_path / "mine", COUNT, "{}_edges.png")
    own = prepare("mm-celeba", tmp_path, *WHOLE)
    mine = prepare("mm-celeba", tmp_path, *WHOLE, "--sketches", str(tmp_path / "mine"))
    assert np.array_equal(rows_of(own, "sketch"), rows_of(mine, "sketch"))
    assert (own.manifest["sketches"], mine.manifest["sketches"]) == ("the owner's", "a folder's")
    derived = prepare("mm-celeba", tmp_path, *WHOLE, "--sketches", "derived")
    assert derived.manifest["sketches"].startswith("derived by telldraw")
    assert not np.array_equal(rows_of(derived, "sketch"), rows_of(own, "sketch"))
    assert "sketch" not in prepare("mm-celeba", tmp_path, "--sketches", "none").maps
    shutil.rmtree(tmp_path / "sketch")
    capsys.readouterr()
    without = prepare("mm-celeba", tmp_path)
    assert tuple(without.maps) == ("regions",) and not without.multimodal_facts.sketch
    assert "has no folder sketch: the set is without; --sketches derived draws some" in capsys.readouterr().err
    said = refusal("mm-celeba", tmp_path, capsys, "--sketches", str(tmp_path / "nowhere"))
    assert "nowhere is no folder with 0.png or 0_edges.jpg; say own, derived, none or a folder" in said


def test_what_is_clear_in_a_sketch_is_paper(tmp_path: Path) -> None:
    make(tmp_path)
    ink = np.zeros((SIDE, SIDE, 4), np.uint8)  # black lines on nothing
    ink[8:12, :, 3] = 255
    save(ink, tmp_path / "sketch" / "0.png")
    rows = rows_of(prepare("mm-celeba", tmp_path, *WHOLE), "sketch")[0]
    assert (rows[8:12] == 0).all() and (rows[:8] == 255).all()


def test_masks_may_be_left_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path)
    assert tuple(prepare("mm-celeba", tmp_path, "--no-regions").maps) == ("sketch",)
    shutil.rmtree(tmp_path / "label")
    assert tuple(prepare("mm-celeba", tmp_path).maps) == ("sketch",)
    assert "has no masks (label or CelebAMask-HQ-mask-anno): the set is without regions" in capsys.readouterr().err


# --- lists of names -------------------------------------------------------------------------------------------------


def lists(folder: Path, train: list[str], test: list[str]) -> None:
    for split, names in (("train", train), ("test", test)):
        (folder / split / "filenames.pickle").write_bytes(pickle.dumps(names, 2))


def test_swapped_lists_are_said_and_put_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path)
    lists(tmp_path, ["3"], ["0", "1", "2"])
    as_they_are = prepare("mm-celeba", tmp_path)
    assert as_they_are.splits == {"train": range(1), "test": range(1, 4)}
    said = capsys.readouterr().err
    assert "train/filenames.pickle has 1 names and" in said and "test/filenames.pickle 3: the two may have been" in said
    assert "swapped; published are 24,000 and 6,000: --swap puts it right" in said
    right = prepare("mm-celeba", tmp_path, "--swap")
    assert right.splits == {"train": range(3), "test": range(3, 4)}
    assert right.captions(3)[0].startswith("this is person 3")
    assert right.manifest["split by"] == "lists of names, each taken for the other"
    assert "test/filenames.pickle 3: --swap takes each for the other" in capsys.readouterr().err
    lists(tmp_path, ["0", "1", "2"], ["3"])
    said = refusal("mm-celeba", tmp_path, capsys, "--swap")
    assert "has 3 names and" in said and "not swapped as --swap says" in said and "leave --swap away" in said


def test_names_may_have_endings_and_zeros(tmp_path: Path) -> None:
    make(tmp_path)
    lists(tmp_path, ["0.jpg", "00001"], ["2", "3.png"])
    assert not faults(prepare("mm-celeba", tmp_path))


NAMES = [str(number) for number in range(300)]
TWO_OF_PYTHON_2 = {
    "protocol 0": b"(lp0\nS'0'\np1\naS'1'\np2\na.",
    "protocol 1": b"]q\x00(U\x010q\x01U\x011q\x02e.",
    "protocol 2": b"\x80\x02]q\x01(U\x010U\x011q\x02e.",
    "long strings": b"\x80\x02](T\x01\x00\x00\x000T\x01\x00\x00\x001e.",
    "unicode": b"(lp0\nV0\np1\naV1\np2\na.",
}
"""["0", "1"] as Python 2 wrote it, whose texts were bytes."""


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_lists_of_every_protocol_are_read(protocol: int, tmp_path: Path) -> None:
    file = tmp_path / "filenames.pickle"
    first, last = NAMES[0], NAMES[-1]  # the very same texts again: a pickle says where they were
    for names in (NAMES, ["7"], [*NAMES, last, first, last], [first, first]):
        file.write_bytes(pickle.dumps(names, protocol))
        assert strings_in(file) == names
    own: list[Any] = ["0"]
    own.append(own)
    file.write_bytes(pickle.dumps(own, protocol))
    with pytest.raises(DataError, match=r"holds more than a list of names \((BIN)?GET\) and is not read"):
        strings_in(file)


@pytest.mark.parametrize("content", TWO_OF_PYTHON_2.values(), ids=list(TWO_OF_PYTHON_2))
def test_lists_of_python_2_are_read(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "filenames.pickle").write_bytes(content)
    assert strings_in(tmp_path / "filenames.pickle") == ["0", "1"] == pickle.loads(content)


def test_what_a_list_was_never_told_is_not_taken_again(tmp_path: Path) -> None:
    (tmp_path / "filenames.pickle").write_bytes(b"\x80\x02]q\x00(X\x01\x00\x00\x000q\x01h\x09e.")
    with pytest.raises(DataError, match=r"holds more than a list of names \(BINGET\)"):
        strings_in(tmp_path / "filenames.pickle")


@pytest.mark.parametrize(
    "content, sentence",
    [
        (pickle.dumps([]), "filenames.pickle has no names in it; download it again"),
        (b"", "filenames.pickle is damaged"),
        (pickle.dumps(["face"]), "filenames.pickle has the name 'face', and faces are called by numbers"),
        (pickle.dumps({"names": ["1"]}), "filenames.pickle holds more than a list of names (EMPTY_DICT)"),
    ],
)
def test_lists_that_are_wrong_are_refused(
    content: bytes, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path)
    (tmp_path / "train" / "filenames.pickle").write_bytes(content)
    assert sentence in refusal("mm-celeba", tmp_path, capsys)
    assert prepare("mm-celeba", tmp_path, "--splits", "number").splits["train"] == range(3)


def test_splits_that_are_not_there_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path)
    said = refusal("mm-celeba", tmp_path, capsys, "--splits", "official")
    assert "has no CelebA-HQ-to-CelebA-mapping.txt, by which CelebA's own parts are told" in said
    for split in ("train", "test"):
        shutil.rmtree(tmp_path / split)
    said = refusal("mm-celeba", tmp_path, capsys, "--splits", "lists")
    assert "has no lists of names: train/filenames.pickle and test/filenames.pickle" in said
    assert "--swap is for train/filenames.pickle" in refusal("mm-celeba", tmp_path, capsys, "--swap")
    add_mapping(tmp_path, [1, 2, 3, 4])
    file = tmp_path / "CelebA-HQ-to-CelebA-mapping.txt"
    file.write_text(file.read_text() + "4 five\n")
    said = refusal("celebamask-hq", tmp_path, capsys)
    assert "mapping.txt, line 6: the numbers of a face and of its picture in CelebA were expected" in said


# --- faults ---------------------------------------------------------------------------------------------------------


def remove(*names: str) -> Callable[[Path], None]:
    return lambda folder: [(folder / name).unlink() for name in names][0]


def numbered_27(folder: Path) -> None:
    save(np.full((SIDE, SIDE), 27, np.uint8), folder / "label" / "1.png")


def coloured(folder: Path) -> None:
    save(np.array(colours(REGIONS), np.uint8)[merged(1)], folder / "label" / "1.png")


def of_another_shape(folder: Path) -> None:
    save(merged(1)[:16], folder / "label" / "1.png")


def sketch_of_another_shape(folder: Path) -> None:
    save(sketch(1)[:, :16], folder / "sketch" / "1.png")


def broken(folder: Path) -> None:
    file = folder / "label" / "1.png"
    file.write_bytes(file.read_bytes()[:60])


def no_attributes(folder: Path) -> None:
    file = folder / "CelebAMask-HQ-attribute-anno.txt"
    file.write_text("".join(line for line in file.read_text().splitlines(True) if not line.startswith("1.jpg")))


def odd_part(folder: Path) -> None:
    save(merged(1)[:16], folder / "CelebAMask-HQ-mask-anno" / "0" / "00001_hair.png")


def no_parts(folder: Path) -> None:
    for file in (folder / "CelebAMask-HQ-mask-anno" / "0").glob("00001_*.png"):
        file.unlink()


@pytest.mark.parametrize(
    "parts, harm, sentence",
    [
        (False, remove("label/1.png"), "label/1.png is missing; unpack the masks again"),
        (False, remove("sketch/1.png"), "sketch/1.png is missing; unpack the sketches again"),
        (
            False,
            numbered_27,
            "label/1.png has a region 27, and there are 0 to 18; take the masks as their owner numbers",
        ),
        (False, coloured, "label/1.png is in colour, and numbers of regions are wanted; take the masks, not pictures"),
        (
            False,
            of_another_shape,
            "label/1.png is 32x16 and its picture 16x16, another shape; take both of one release",
        ),
        (False, sketch_of_another_shape, "sketch/1.png is 16x32 and its picture 16x16, another shape"),
        (False, broken, "label/1.png is not a picture that can be read"),
        (False, no_attributes, "CelebAMask-HQ-attribute-anno.txt has no line for 1.jpg"),
        (True, no_parts, "CelebAMask-HQ-mask-anno has no masks of the face 1; unpack the masks again"),
        (True, odd_part, "00001_hair.png is 32x16 and the skin 32x32; unpack the masks again"),
    ],
)
def test_a_face_with_a_fault_is_named_and_left_out_unless_strict(
    parts: bool, harm: Any, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path)
    if parts:
        in_parts(tmp_path)
    harm(tmp_path)
    found = prepare("mm-celeba", tmp_path, *WHOLE)
    assert len(found) == COUNT - 1 and len(faults(found)) == 1 and sentence in faults(found)[0]
    assert sentence in capsys.readouterr().err
    assert np.array_equal(rows_of(found, "regions")[1], merged(2)), "maps stay with their pictures"
    assert sentence in refusal("mm-celeba", tmp_path, capsys, "--strict")


def test_parts_that_nobody_has_are_named_and_the_face_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path)
    in_parts(tmp_path)
    inside = tmp_path / "CelebAMask-HQ-mask-anno" / "0"
    shutil.copy(inside / "00001_hair.png", inside / "00001_beard.png")
    shutil.copy(inside / "00001_hair.png", inside / "preview.png")
    found = prepare("mm-celeba", tmp_path, *WHOLE)
    assert len(found) == COUNT and np.array_equal(rows_of(found, "regions")[1], merged(1))
    said = sorted(faults(found))
    assert "00001_beard.png is of a part beard, and there are cloth, ear_r, eye_g, hair" in said[0]
    assert "preview.png is no mask of a part: 00000_hair.png or the like was expected" in said[1]
    assert "beard" in refusal("mm-celeba", tmp_path, capsys, "--strict")


def test_folders_that_are_not_there_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path)
    said = refusal("mm-celeba", tmp_path, capsys, "--celebamask", str(tmp_path / "nowhere"))
    assert f"there is no folder {tmp_path / 'nowhere'}" in said and "--celebamask" in said
    for file in (tmp_path / "CelebA-HQ-img").iterdir():
        file.unlink()
    assert "CelebA-HQ-img has no pictures called 0.jpg, 1.jpg, ...; unpack" in refusal("mm-celeba", tmp_path, capsys)
    shutil.rmtree(tmp_path / "CelebA-HQ-img")
    assert "has no pictures of CelebA-HQ: image/images or images or" in refusal("celebamask-hq", tmp_path, capsys)


def test_a_sheet_shows_sketches_and_regions_beside_their_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = prepare("mm-celeba", make(tmp_path))
    capsys.readouterr()
    sheet = tmp_path / "look.png"
    assert main(["data", str(found.path), "--split", "test", "--sheet", str(sheet), "--pictures", "2"]) == 0
    said = capsys.readouterr().out
    assert "map: sketch\n" in said and "map: regions, 19 regions: background, skin, nose" in said
    shown = {colour for _, colour in Image.open(sheet).convert("RGB").getcolors(1 << 24) or ()}
    assert {colours(REGIONS)[n] for n in np.unique(rows_of(found, "regions")[2:])} <= shown


# --- FASSEG ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first, palette", [(False, True), (False, False), (True, False), (True, True)])
def test_fasseg_is_read_as_it_is_now_and_as_it_was_at_first(
    first: bool, palette: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_fasseg(tmp_path, first=first, palette=palette)
    found = prepare("fasseg", tmp_path, *WHOLE)
    said = capsys.readouterr().err
    assert not faults(found) and found.classes == () and found.maps["regions"].names == FEW_REGIONS
    # one of two frontal faces is in test too; of the last person one of two pictures has no mask
    assert found.splits == {"train": range(5), "test": range(5, 10)}
    assert "1 of 8 pictures of" in said and "have no mask" in said and "--no-regions takes them" in said
    assert "are in test too, byte for byte (1." in said
    pose = found.tables["pose"]
    assert pose.columns == ("person", "tilt", "pan")
    assert pose.rows.tolist() == [
        *([0, 0, 0], [1, 0, 15], [2, 0, 15], [1, 0, -30], [2, 0, -30]),
        *([0, 0, 0], [0, 0, 0], [3, 0, 15], [4, 0, 15], [3, 0, -30]),
    ]
    # 48 high and 32 wide, so a border is added and all shrinks: the middle of the map is the picture's
    assert (rows_of(found, "regions")[:, :, :5] == 0).all() and (rows_of(found, "sketch")[:, :, :5] == 255).all()


def test_fasseg_keeps_masks_upon_their_pictures(tmp_path: Path) -> None:
    make_fasseg(tmp_path)
    found = prepare("fasseg", tmp_path, *WHOLE, "--fit", "crop", "--part", "frontal02")
    assert np.array_equal(rows_of(found, "regions")[0], few(1))
    assert np.abs(found.images[0, 0].astype(int) - few(1) * 40.0).mean() < 8  # a JPEG
    assert found.splits == {"train": range(1), "test": range(1, 3)}


def test_fasseg_without_regions_has_the_faces_without_masks_too(tmp_path: Path) -> None:
    found = prepare("fasseg", make_fasseg(tmp_path), "--no-regions", "--part", "multipose01")
    assert len(found) == 8 and tuple(found.maps) == ("sketch",)
    bare = prepare("fasseg", tmp_path, "--no-regions", "--sketches", "none")
    assert len(bare) == 11 and not bare.maps


def test_sketches_of_a_folder_lie_in_it_as_the_pictures_do(tmp_path: Path) -> None:
    make_fasseg(tmp_path / "set")
    for file in (tmp_path / "set").rglob("rgb/**/*.jpg"):
        place = tmp_path / "drawn" / file.relative_to(tmp_path / "set").with_suffix(".png")
        save(np.full((48, 32), 77, np.uint8), place)
    found = prepare("fasseg", tmp_path / "set", "--sketches", str(tmp_path / "drawn"), "--fit", "stretch")
    assert not faults(found) and (rows_of(found, "sketch") == 77).all()
    (tmp_path / "drawn" / "frontal02" / "test" / "rgb" / "1.png").unlink()
    assert (
        "test/rgb/1.png is missing; unpack the sketches again"
        in faults(prepare("fasseg", tmp_path / "set", "--sketches", str(tmp_path / "drawn"), "--fit", "stretch"))[0]
    )


def test_faults_of_fasseg_get_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_fasseg(tmp_path, palette=False)
    assert "has no folder frontal01 or V1; name the folder of FASSEG" in refusal(
        "fasseg", tmp_path, capsys, "--part", "frontal01"
    )
    file = tmp_path / "frontal02" / "test" / "label" / "1.png"
    pixels = np.array(Image.open(file))
    pixels[5, 7] = 1, 2, 3
    Image.fromarray(pixels).save(file)
    what = faults(prepare("fasseg", tmp_path))[0]
    assert "1.png has the colour 1, 2, 3 at 7, 5, which stands for no region" in what
    turned = tmp_path / "multipose01"
    for part in ("rgb/+15/personne01140+0+15.jpg", "label/+15/personne01140+0+15.png"):
        shutil.copy(turned / "train" / part, turned / "test" / part.replace("40+0", "41+0"))
    assert "person 1 is in train and in test of" in refusal("fasseg", tmp_path, capsys)
    shutil.rmtree(turned / "test")
    assert "has no pictures to test: " in refusal("fasseg", tmp_path, capsys)
    said = refusal("fasseg", tmp_path, capsys, "--sketches", "nowhere")
    assert "there is no folder nowhere; --sketches is derived, none, or a folder" in said


# --- Caltech --------------------------------------------------------------------------------------------------------


def test_faces_of_caltech_are_split_where_a_person_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_caltech(tmp_path)
    found = prepare("caltech-faces", tmp_path, *WHOLE)
    assert found.splits == {"train": range(3), "test": range(3, 5)} and tuple(found.maps) == ("sketch",)
    assert np.abs(found.images[0, 0].astype(int) - few(1) * 40.0).mean() < 8  # the middle of a wider picture
    (tmp_path / "Faces_easy" / "image_0002.jpg").rename(tmp_path / "Faces_easy" / "someone.jpg")
    assert "someone.jpg is not called image_0001.jpg or the like" in faults(prepare("caltech-faces", tmp_path))[0]
    inside = tmp_path / "archive" / "101_ObjectCategories"
    inside.mkdir(parents=True)
    (tmp_path / "Faces_easy").rename(inside / "Faces_easy")
    assert len(prepare("caltech-faces", tmp_path / "archive", "--sketches", "none")) == 4
    assert "has no Faces_easy/image_0001.jpg" in refusal("caltech-faces", tmp_path, capsys)


# --- the real ones --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not (DATA / "fasseg").is_dir(), reason="FASSEG is not at hand (set TELLDRAW_DATA)")
def test_the_real_fasseg(tmp_path: Path) -> None:
    out = tmp_path / "fasseg.telldraw"
    flags = ("--resolution", "32", "--workers", "2", "--out", str(out))
    assert main(["prepare", "fasseg", "--from", str(DATA / "fasseg"), *flags]) == 0
    found = Collection.open(out)
    # 70 frontal faces, six of train in test too; of all sides 182 and 92 with a mask, people 1 to 7 and 8 to 15
    assert {name: len(rows) for name, rows in found.splits.items()} == {"train": 14 + 182, "test": 50 + 92}
    person, rows = found.tables["pose"].of("person")[:, 0], rows_of(found, "regions")
    assert set(person[:196]) == {*range(8)} and set(person[196:]) == {0, *range(8, 16)}
    assert rows.max() == 5 and all((rows == n).any((1, 2)).mean() > 0.9 for n in range(6))
    # what a mask calls skin is brighter than its hair, so masks lie upon their pictures
    grey = np.asarray(found.images).mean(1)
    brighter = [one[mask == 1].mean() > one[mask == 2].mean() for one, mask in zip(grey, rows, strict=True)]
    assert np.mean(brighter) > 0.95


@pytest.mark.skipif(not (DATA / "caltech101_subset").is_dir(), reason="Caltech 101 is not at hand (set TELLDRAW_DATA)")
def test_the_real_faces_of_caltech(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLDRAW_DATA", str(DATA))  # found there under the name of the whole
    out = tmp_path / "faces.telldraw"
    assert main(["prepare", "caltech-faces", "--resolution", "32", "--workers", "1", "--out", str(out)]) == 0
    found = Collection.open(out)
    assert {name: len(rows) for name, rows in found.splits.items()} == {"train": TRAINED, "test": 90}
    ink = 1 - rows_of(found, "sketch").mean((1, 2)) / 255
    assert 0.02 < ink.min() and ink.max() < 0.4  # lines, and mostly paper
