"""Owners' sets of captioned pictures: what is read of them, and every fault by its name."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from owners_like import captions, make_celeba, make_coco, make_cub, make_flowers, prepare, refusal
from telldraw.cli import main
from telldraw.data.celeba_splits import strings_in
from telldraw.data.matlab import read_matrix
from telldraw.errors import DataError

MAKE: dict[str, Any] = {"cub": make_cub, "oxford-102": make_flowers, "coco": make_coco, "mm-celeba": make_celeba}


# --- what is read ---------------------------------------------------------------------------------------------------


def test_birds_are_split_by_class_and_keep_their_ten_captions(tmp_path: Path) -> None:
    birds = prepare("cub", make_cub(tmp_path))
    assert {split: len(rows) for split, rows in birds.splits.items()} == {"train": 12, "test": 6}
    assert birds.classes[4] == "005.Bird_4" and not birds.many and birds.facts.vocabulary is not None
    kinds = {split: set(birds.labels[rows.start : rows.stop].argmax(1)) for split, rows in birds.splits.items()}
    assert kinds == {"train": {0, 1, 2, 3}, "test": {4, 5}}
    assert len(birds) == 18, "a picture that no list has is none of the set"
    row = birds.splits["test"][0]
    assert birds.captions(row) == [f"this is bird 12, seen for the {n}. time" for n in range(10)]
    assert birds.images[row].mean() == pytest.approx(0.75 * (12 * 40 % 200) + 0.25 * 255, abs=4)


def test_spaces_that_were_lost_in_birds_captions_are_spaces_again(tmp_path: Path) -> None:
    told = make_cub(tmp_path) / "cvpr2016_cub/text_c10/001.Bird_0/Bird_0000.txt"
    lines = told.read_text().splitlines()
    lost = b"this\xef\xbf\xbd\xef\xbf\xbdbird\xef\xbf\xbd\xef\xbf\xbdis \xef\xbf\xbd\xef\xbf\xbdblue"  # as distributed
    told.write_bytes(lost + b"\n" + "caf\N{REPLACEMENT CHARACTER}\n".encode() + "\n".join(lines[2:]).encode())
    birds = prepare("cub", tmp_path)
    assert birds.captions(0)[:2] == ["this bird is blue", "caf\N{REPLACEMENT CHARACTER}"]  # one mark is no space
    (remark,) = birds.manifest["remarks"]
    assert "in 1 of them, the first in one of Bird_0000.jpg" in remark


def test_birds_for_validation_are_those_of_the_owners_list(tmp_path: Path) -> None:
    birds = prepare("cub", make_cub(tmp_path), "--validation")
    assert {split: len(rows) for split, rows in birds.splits.items()} == {"train": 6, "val": 6, "test": 6}


def test_lists_of_both_parts_make_the_list_that_is_missing(tmp_path: Path) -> None:
    make_cub(tmp_path)
    (tmp_path / "cvpr2016_cub" / "trainvalclasses.txt").unlink()
    assert len(prepare("cub", tmp_path).splits["train"]) == 12


def test_a_bird_is_cut_out_around_its_box(tmp_path: Path) -> None:
    birds = prepare("cub", make_cub(tmp_path), "--fit", "box")
    # box 12, 8, 12 x 8 of 24 x 16: its middle is (18, 12) and half a side 9, so columns 9 to 24 and rows 3 to 16
    white = np.linspace(9, 24, 9)[:-1] + 15 / 16 > 12
    assert (birds.images[0, 0, -2] > 128).tolist() == white.tolist()
    whole = prepare("cub", tmp_path, "--fit", "stretch")
    assert (whole.images[0, 0, -2] > 128).tolist() == [False] * 4 + [True] * 4


def test_the_published_division_of_200_classes_is_150_and_50(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    birds = prepare("cub", make_cub(tmp_path, classes=200, each=1, test=50))
    assert {split: len(rows) for split, rows in birds.splits.items()} == {"train": 150, "test": 50}
    lists = tmp_path / "cvpr2016_cub"
    names = (lists / "testclasses.txt").read_text().split()
    (lists / "testclasses.txt").write_text("\n".join(names[1:]))
    (lists / "trainvalclasses.txt").write_text((lists / "trainvalclasses.txt").read_text() + names[0])
    assert "has 49 classes, and 50 of 200 are tested on as published" in refusal("cub", tmp_path, capsys)


def test_flowers_are_split_by_class(tmp_path: Path) -> None:
    flowers = prepare("oxford-102", make_flowers(tmp_path))
    assert {split: len(rows) for split, rows in flowers.splits.items()} == {"train": 6, "test": 2}
    assert flowers.shown(flowers.splits["test"][0]) == ["class_00004"]
    assert prepare("oxford-102", tmp_path, "--validation").splits["val"] == range(4, 6)


def test_the_published_division_of_102_classes_is_82_and_20(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_flowers(tmp_path, classes=102, each=1)
    assert "has 1 classes, and 20 of 102 are tested on as published" in refusal("oxford-102", tmp_path, capsys)


def test_the_owners_labels_and_the_captions_folders_must_agree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = np.array([[1, 2, 3, 4, 1, 2, 3, 4]], np.uint8)
    make_flowers(tmp_path)
    scipy.io.savemat(tmp_path / "imagelabels.mat", {"labels": labels}, do_compression=True)
    prepare("oxford-102", tmp_path)
    scipy.io.savemat(tmp_path / "imagelabels.mat", {"labels": labels.astype(float)})
    prepare("oxford-102", tmp_path)
    labels[0, 5] = 3
    scipy.io.savemat(tmp_path / "imagelabels.mat", {"labels": labels}, do_compression=True)
    said = refusal("oxford-102", tmp_path, capsys)
    assert "says that image_00006 is of class 3, its captions are in class_00002" in said


def test_scenes_have_their_captions_and_if_wanted_their_objects(tmp_path: Path) -> None:
    scenes = prepare("coco", make_coco(tmp_path))
    assert {split: len(rows) for split, rows in scenes.splits.items()} == {"train": 4, "test": 2}
    assert scenes.classes == () and scenes.captions(1)[3] == "a scene 1 in 3 words"
    objects = prepare("coco", tmp_path, "--labels")
    assert objects.classes == ("car", "dog") and objects.many
    assert objects.shown(0) == ["dog"] and objects.shown(1) == ["car", "dog"]


@pytest.mark.parametrize("protocol", range(6))
def test_faces_are_split_by_the_owners_lists(tmp_path: Path, protocol: int) -> None:
    faces = prepare("mm-celeba", make_celeba(tmp_path, protocol=min(protocol, pickle.HIGHEST_PROTOCOL)))
    assert {split: len(rows) for split, rows in faces.splits.items()} == {"train": 8, "test": 2}
    assert faces.classes == ("Smiling", "Young") and faces.many
    assert faces.shown(0) == ["Young"] and faces.shown(9) == ["Smiling", "Young"]
    assert faces.captions(9)[0] == "this is person 9, seen for the 0. time"


def test_faces_without_lists_are_split_by_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faces = prepare("mm-celeba", make_celeba(tmp_path, count=11, lists=False))
    assert faces.splits["train"] == range(0, 8) and faces.captions(10)[0].startswith("this is person 10")
    assert "has no lists of names: the first 8 of 11 pictures are trained on" in capsys.readouterr().err


def test_lists_that_seem_to_be_swapped_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_celeba(tmp_path)
    (tmp_path / "train").rename(tmp_path / "other")
    (tmp_path / "test").rename(tmp_path / "train")
    (tmp_path / "other").rename(tmp_path / "test")
    assert len(prepare("mm-celeba", tmp_path).splits["train"]) == 2
    assert "the two may have been swapped; published are 24,000 and 6,000" in capsys.readouterr().err


# --- what is wrong --------------------------------------------------------------------------------------------------


def shorten(file: Path) -> None:
    captions(file, "something", 9)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:200])


CUB, BIRD = "cvpr2016_cub/text_c10/001.Bird_0/Bird_0001", "CUB_200_2011/images/001.Bird_0/Bird_0001.jpg"
FLOWERS = "cvpr2016_flowers/text_c10/class_00001/image_00001"


@pytest.mark.parametrize(
    "name, file, harm, sentence",
    [
        ("cub", f"{CUB}.txt", shorten, "Bird_0001.txt has 9 captions and not 10; unpack the captions again"),
        ("cub", f"{CUB}.txt", os.remove, "Bird_0001.txt is missing; unpack its archive again"),
        ("cub", BIRD, truncate, "Bird_0001.jpg is not a picture that can be"),
        (
            "cub",
            BIRD,
            os.remove,
            "Bird_0001.jpg is not a picture that can be",
        ),
        ("oxford-102", f"{FLOWERS}.txt", shorten, "image_00001.txt has 9 captions and not 10"),
        ("oxford-102", f"{FLOWERS}.txt", os.remove, "image_00001.jpg has no captions in"),
        ("oxford-102", "jpg/image_00001.jpg", os.remove, "image_00001.txt describes no picture of"),
        ("coco", "train2014/COCO_train2014_000000000000.jpg", os.remove, "000000000000.jpg is not a picture that can"),
        ("mm-celeba", "text/celeba-caption/3.txt", shorten, "3.txt has 9 captions and not 10"),
        ("mm-celeba", "CelebA-HQ-img/3.jpg", os.remove, "3.jpg is missing, and the lists of names have it"),
    ],
)
def test_a_fault_is_named_and_the_rest_goes_on_unless_strict(
    name: str, file: str, harm: Any, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = len(prepare(name, MAKE[name](tmp_path)))
    capsys.readouterr()
    harm(tmp_path / file)
    rest = prepare(name, tmp_path)
    assert len(rest) == whole - 1
    faults = rest.manifest["left out"]
    assert len(faults) == 1 and sentence in faults[0][1]
    assert sentence in capsys.readouterr().err
    assert sentence in refusal(name, tmp_path, capsys, "--strict")


def overlap(folder: Path) -> None:
    lists = folder / "cvpr2016_cub"
    (lists / "testclasses.txt").write_text((lists / "testclasses.txt").read_text() + "001.Bird_0\n")


def overlap_unused(folder: Path) -> None:
    (folder / "cvpr2016_cub" / "valclasses.txt").write_text(
        "005.Bird_4\n"
    )  # tested on; of trainvalclasses.txt it is not


def gap(folder: Path) -> None:
    (folder / "cvpr2016_cub" / "testclasses.txt").write_text("005.Bird_4\n")


def stranger(folder: Path) -> None:
    (folder / "cvpr2016_cub" / "testclasses.txt").write_text("201.Cat\n")


def words(folder: Path) -> None:
    (folder / "CUB_200_2011" / "image_class_labels.txt").write_text("1 1\ntwo one\n")


def namesakes(folder: Path) -> None:
    (folder / "CUB_200_2011" / "classes.txt").write_text("1 001.Bird_0\n2 002.Bird_1\n3 001.Bird_0\n")


def no_captions(folder: Path) -> None:
    shutil.rmtree(folder / "cvpr2016_cub")


@pytest.mark.parametrize(
    "harm, sentence",
    [
        (overlap, "001.Bird_0 is in testclasses.txt and trainvalclasses.txt of"),
        (overlap_unused, "005.Bird_4 is in valclasses.txt and testclasses.txt of"),
        (gap, "006.Bird_5 is in none of the lists of classes in"),
        (stranger, "testclasses.txt has 201.Cat, which is no class of this set"),
        (words, "image_class_labels.txt, line 2: the numbers of a picture and a class was expected and not 'two one'"),
        (namesakes, "classes.txt has 001.Bird_0 twice, as 1 and as 3"),
        (no_captions, "has no captions of the birds: text_c10 or cvpr2016_cub/text_c10"),
        (lambda folder: (folder / "CUB_200_2011" / "images.txt").unlink(), "has no CUB-200-2011: CUB_200_2011/images"),
    ],
)
def test_lists_that_are_wrong_stop_birds(
    harm: Any, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harm(make_cub(tmp_path))
    assert sentence in refusal("cub", tmp_path, capsys)


@pytest.mark.parametrize(
    "text, sentence",
    [
        ('{"images": [', "captions_val2014.json is not whole JSON"),
        ('{"images": []}', "captions_val2014.json has no lists images and annotations"),
        ('{"images": [], "annotations": [{"id": 1}]}', "entry 1 of annotations lacks image_id or caption"),
    ],
)
def test_annotations_that_are_wrong_stop_scenes(
    text: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_coco(tmp_path)
    (tmp_path / "annotations" / "captions_val2014.json").write_text(text)
    assert sentence in refusal("coco", tmp_path, capsys)


def test_captions_without_picture_and_pictures_without_caption_are_named(tmp_path: Path) -> None:
    make_coco(tmp_path)
    file = tmp_path / "annotations" / "captions_val2014.json"
    document = json.loads(file.read_text())
    for one in document["annotations"][:5]:
        one["image_id"] = 99
    file.write_text(json.dumps(document))
    faults = [what for _, what in prepare("coco", tmp_path).manifest["left out"]]
    assert "has captions for a picture 99, and no such picture; unpack the annotations again" in faults[0]
    assert "has no caption for COCO_val2014_000000000004.jpg; unpack the annotations again" in faults[1]


def amend(folder: Path, name: str, change: Callable[[Any], object]) -> None:
    """Change a file of annotations."""
    file = folder / "annotations" / f"{name}2014.json"
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "name, part, key, value, sentence",
    [
        ("captions_val", "annotations", "image_id", [4], "entry 1 of annotations has [4] as image_id and not a whole"),
        ("captions_val", "images", "id", True, "entry 1 of images has True as id and not a whole number; unpack"),
        ("captions_val", "images", "file_name", 4, "entry 1 of images has 4 as file_name and not text; unpack"),
        ("captions_val", "images", "file_name", "\ud800.jpg", "has '\\ud800.jpg' as file_name and not text"),
        ("captions_val", "images", "file_name", "/etc/4.jpg", "has a picture '/etc/4.jpg', and a name inside"),
        ("captions_val", "images", "file_name", "../4.jpg", "has a picture '../4.jpg', and a name inside the folder"),
        ("captions_val", "images", "file_name", "a\\..\\..\\4.jpg", "and a name inside the folder of the pictures"),
        ("instances_val", "annotations", "category_id", [3], "entry 1 of annotations has [3] as category_id"),
        ("instances_val", "annotations", "image_id", "4", "entry 1 of annotations has '4' as image_id"),
        ("instances_val", "categories", "id", None, "entry 1 of categories has None as id"),
        ("instances_val", "categories", "id", 3, "instances_val2014.json has a kind of objects twice in categories"),
    ],
)
def test_entries_of_annotations_that_are_wrong_stop_scenes(
    name: str, part: str, key: str, value: Any, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    amend(make_coco(tmp_path), name, lambda document: document[part][0].update({key: value}))
    assert sentence in refusal("coco", tmp_path, capsys, "--labels")


def test_annotations_that_are_too_deep_or_a_folder_stop_scenes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = make_coco(tmp_path) / "annotations" / "captions_val2014.json"
    file.write_text("[" * 100_000 + "]" * 100_000)
    assert "captions_val2014.json has lists in lists, too deep to be read; unpack" in refusal("coco", tmp_path, capsys)
    file.unlink()
    file.mkdir()
    assert "captions_val2014.json cannot be read: is a directory; unpack" in refusal("coco", tmp_path, capsys)


def test_a_scene_is_in_one_part_under_one_number_and_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_coco(tmp_path)
    name = "COCO_val2014_000000000005.jpg"
    amend(tmp_path, "captions_val", lambda document: document["images"].append({"id": 5, "file_name": name}))
    scenes = prepare("coco", tmp_path)
    assert len(scenes) == 6
    faults = [what for _, what in scenes.manifest["left out"]]
    assert len(faults) == 1 and f"has {name} twice, and the first is read" in faults[0]
    amend(tmp_path, "captions_val", lambda document: document["images"][-1].update(id=6))
    said = refusal("coco", tmp_path, capsys)
    assert f"has the picture 6, {name}, and captions_val2014.json the picture 5, {name}: a picture has one" in said
    shutil.rmtree(tmp_path / "val2014")
    shutil.copytree(tmp_path / "train2014", tmp_path / "val2014")
    shutil.copy(tmp_path / "annotations/captions_train2014.json", tmp_path / "annotations/captions_val2014.json")
    said = refusal("coco", tmp_path, capsys)
    assert "captions_val2014.json has the picture 0, COCO_train2014_000000000000.jpg, and captions_train2014" in said
    assert "what is trained on is not tested on; unpack the annotations again" in said


def test_objects_of_another_part_stop_scenes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_coco(tmp_path)
    shutil.copy(tmp_path / "annotations/instances_train2014.json", tmp_path / "annotations/instances_val2014.json")
    said = refusal("coco", tmp_path, capsys, "--labels")
    assert "instances_val2014.json has objects of none of the pictures of captions_val2014.json; take both" in said


@pytest.mark.parametrize("caption", [None, 7, ["a scene"], " \n", "half \ud800"])
def test_a_caption_of_a_scene_that_is_no_text_is_named_and_the_others_are_kept(
    caption: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    amend(make_coco(tmp_path), "captions_val", lambda document: document["annotations"][1].update(caption=caption))
    scenes = prepare("coco", tmp_path)
    assert len(scenes) == 6 and scenes.captions(4) == [f"a scene 4 in {k} words" for k in (0, 2, 3, 4)]
    sentence = f"entry 2 of annotations, of COCO_val2014_000000000004.jpg, has {caption!r} as a caption and no text"
    assert sentence in scenes.manifest["left out"][0][1]
    assert sentence in refusal("coco", tmp_path, capsys, "--strict")


def table(name: str, old: str, new: str) -> Callable[[Path], object]:
    """What changes a table of birds."""

    def change(folder: Path) -> None:
        file = folder / "CUB_200_2011" / f"{name}.txt"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new, 1))

    return change


def copied(folder: Path) -> None:
    """The first bird once more, in the folder of a class that is tested on."""
    for end, inside in ((".jpg", "CUB_200_2011/images"), (".txt", "cvpr2016_cub/text_c10")):
        shutil.copy(folder / inside / f"001.Bird_0/Bird_0000{end}", folder / inside / f"005.Bird_4/Bird_0000{end}")
    table("images", "\n2 ", "\n19 005.Bird_4/Bird_0000.jpg\n2 ")(folder)
    table("image_class_labels", "\n2 ", "\n19 5\n2 ")(folder)


@pytest.mark.parametrize(
    "harm, sentence",
    [
        (
            table("image_class_labels", "1 1\n", "1 5\n"),
            "image_class_labels.txt says that picture 1, 001.Bird_0/Bird_0000.jpg, is of class 5, 005.Bird_4, and its "
            "folder in images.txt says otherwise; unpack CUB-200-2011 again",
        ),
        (
            table("images", "\n2 ", "\n19 001.Bird_0/Bird_0000.jpg\n2 "),
            "has the same picture twice, as 1, 001.Bird_0/Bird_0000.jpg, and as 19, 001.Bird_0/Bird_0000.jpg; unpack",
        ),
        (copied, "twice, as 1, 001.Bird_0/Bird_0000.jpg, and as 19, 005.Bird_4/Bird_0000.jpg; unpack CUB-200-2011"),
        (table("images", "\n2 ", "\n1 "), "images.txt has two lines that begin with 1; unpack CUB-200-2011 again"),
        (table("image_class_labels", "\n2 1", "\n1 5"), "image_class_labels.txt has two lines that begin with 1;"),
        (table("bounding_boxes", "\n2 ", "\n1 "), "bounding_boxes.txt has two lines that begin with 1; unpack"),
    ],
)
def test_a_bird_is_of_one_class_and_listed_once(
    harm: Callable[[Path], object], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harm(make_cub(tmp_path))
    assert sentence in refusal("cub", tmp_path, capsys, "--fit", "box")


@pytest.mark.parametrize("box", ["24.0 8.0 12.0 8.0", "nan 8.0 12.0 8.0", "12.0 8.0 inf 8.0", "12.0 8.0 -3.0 8.0"])
def test_a_bird_whose_box_is_not_in_its_picture_is_left_out(
    box: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table("bounding_boxes", "1 12.0 8.0 12.0 8.0", f"1 {box}")(make_cub(tmp_path))
    birds = prepare("cub", tmp_path, "--fit", "box")
    sentence = "Bird_0000.jpg is 24x16, and its box (left "
    assert len(birds) == 17 and sentence in birds.manifest["left out"][0][1]
    said = refusal("cub", tmp_path, capsys, "--fit", "box", "--strict")
    assert sentence in said and "is not in it; unpack the boxes again, or choose another --fit" in said


def test_birds_without_any_box_are_not_squeezed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (make_cub(tmp_path) / "CUB_200_2011" / "bounding_boxes.txt").write_text("")
    said = refusal("cub", tmp_path, capsys, "--fit", "box", "--strict")
    assert "bounding_boxes.txt has no box for picture 1, 001.Bird_0/Bird_0000.jpg; unpack" in said


def test_captions_of_a_flower_are_in_the_folder_of_one_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_flowers(tmp_path)
    captions(tmp_path / "cvpr2016_flowers/text_c10/class_00004/image_00001.txt", "another flower")
    said = refusal("oxford-102", tmp_path, capsys)
    assert "class_00001/image_00001.txt and " in said
    assert "class_00004/image_00001.txt describe the same picture, which is of one class; unpack the captions" in said


@pytest.mark.parametrize(
    "name, folder",
    [
        ("cub", "cvpr2016_cub/text_c10"),
        ("oxford-102", "cvpr2016_flowers/text_c10"),
        ("oxford-102", "jpg"),
        ("coco", "val2014"),
    ],
)
def test_a_file_in_place_of_a_folder_is_named(
    name: str, folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(MAKE[name](tmp_path) / folder)
    (tmp_path / folder).write_text("packed")
    assert f"{tmp_path / folder} is a file, and a folder of " in refusal(name, tmp_path, capsys)


def test_captions_that_characters_cannot_say_are_told_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_cub(tmp_path)
    long, odd = "a bird " * 40, "une aigrette \u00e9l\u00e9gante"
    file = tmp_path / f"{CUB}.txt"
    file.write_text("\n".join([long, odd, *file.read_text().splitlines()[2:]]))
    birds = prepare("cub", tmp_path)
    assert birds.captions(1)[:2] == [long.strip(), odd]
    said = capsys.readouterr().err
    assert "1 of 180 captions have more than 201 characters, the first of Bird_0001.jpg" in said
    assert "do not know: '\u00e9' in 1 of them, the first in one of Bird_0001.jpg" in said
    assert len(birds.manifest["remarks"]) == 2


def test_a_pickle_that_holds_more_is_refused_and_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, ("touch ran",)

    make_celeba(tmp_path)
    (tmp_path / "train" / "filenames.pickle").write_bytes(pickle.dumps(["1", Evil()]))
    assert "holds more than a list of names" in refusal("mm-celeba", tmp_path, capsys)
    assert not Path("ran").exists()
    (tmp_path / "train" / "filenames.pickle").write_bytes(pickle.dumps(["1", "2"])[:-3])
    assert "is damaged" in refusal("mm-celeba", tmp_path, capsys)
    (tmp_path / "train" / "filenames.pickle").write_bytes(pickle.dumps(["9"]))
    assert "9 is in" in refusal("mm-celeba", tmp_path, capsys)


def test_lists_of_names_are_read_as_pickle_reads_them(tmp_path: Path) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        names = [str(n) for n in range(2500)] + ["\u00e9", "a b", "1"]
        (tmp_path / "x.pickle").write_bytes(pickle.dumps(names, protocol))
        assert strings_in(tmp_path / "x.pickle") == names


def test_attributes_that_are_wrong_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_celeba(tmp_path)
    (tmp_path / "CelebAMask-HQ-attribute-anno.txt").write_text("1\nSmiling Young\n0.jpg 1 1\n1.jpg 1\n")
    assert "attribute-anno.txt, line 4: a picture and 2 times 1 or -1 was expected" in refusal(
        "mm-celeba", tmp_path, capsys
    )


@pytest.mark.parametrize("name", list(MAKE))
def test_places_and_sizes_that_are_wrong_get_one_sentence(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TELLDRAW_DATA", raising=False)
    assert main(["prepare", name]) == 2
    assert f"say where {name} is: --from FOLDER; its owner distributes it at http" in capsys.readouterr().err
    assert f"there is no folder {tmp_path / 'nowhere'}" in refusal(name, tmp_path / "nowhere", capsys)
    assert main(["prepare", name, "--from", str(tmp_path), "--resolution", "4"]) == 2
    assert "--resolution 4: 8 to 1024 pixels can be prepared" in capsys.readouterr().err


# --- matrices -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["u1", "i2", "u2", "i4", "f4", "f8", "i8"])
def test_matrices_are_those_that_scipy_writes(tmp_path: Path, kind: str, compressed: bool) -> None:
    rng = np.random.default_rng(0)
    for shape in ((1, 3), (1, 1), (5, 4), (2, 3, 4)):
        matrix = rng.integers(0, 100, shape).astype(kind)
        other = {"first": np.arange(9.0), "labels": matrix}
        scipy.io.savemat(tmp_path / "x.mat", other, do_compression=compressed)
        found = read_matrix(tmp_path / "x.mat", "labels")
        assert found.shape == shape and np.array_equal(found, matrix)


def test_files_that_are_no_matrices_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"labels": np.arange(100)}, do_compression=True)
    with pytest.raises(DataError, match="has no matrix others, only labels"):
        read_matrix(path, "others")
    whole = path.read_bytes()
    for content, sentence in (
        (whole[:-20], "is damaged"),
        (b"MATLAB 7.3 " + bytes(200), "is no MATLAB file of version 5"),
        (b"", "is no MATLAB file of version 5"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=sentence):
            read_matrix(path, "labels")
    scipy.io.savemat(path, {"labels": {"a": 1}})
    with pytest.raises(DataError, match="is damaged, or has more than numbers in it"):
        read_matrix(path, "labels")
