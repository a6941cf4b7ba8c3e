"""`telldraw prepare folder`: pictures of one's own, by class or with captions, and everything that can be wrong."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from telldraw.commands import data as data_command
from telldraw.commands import prepare as command
from telldraw.data.captions import captions_of, read_captions
from telldraw.data.collection import Collection
from telldraw.data.folder import Found, choose_splits
from telldraw.errors import DataError, TelldrawError

RED, BLUE = (220, 30, 30), (30, 30, 220)


def picture(file: Path, colour: tuple[int, int, int] | int = RED, size: tuple[int, int] = (40, 40)) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L" if isinstance(colour, int) else "RGB", size, colour).save(file)
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty pictures of each of two classes; the red one's shade is its number."""
    for number in range(20):
        picture(tmp_path / "raw" / "red" / f"{number}.png", (200 + number, 10, 10))
        picture(tmp_path / "raw" / "blue" / f"{number}.png", (10, 10, 200 + number))
    return tmp_path / "raw"


def run(folder: Path, *flags: str, side: int = 8) -> Collection:
    out = folder.parent / "out.telldraw"
    fixed = ["--resolution", str(side), "--workers", "1", "--overwrite", "--out", str(out)]
    command.run(["folder", "--from", str(folder), *fixed, *flags])
    return Collection.open(out)


# --- classes and splits -------------------------------------------------------------------------------------------


def test_folders_are_classes(folder: Path) -> None:
    prepared = run(folder)
    assert prepared.classes == ("blue", "red") and prepared.channels == 3 and not prepared.many
    assert {name: len(rows) for name, rows in prepared.splits.items()} == {"train": 32, "val": 4, "test": 4}
    for row in range(40):
        assert prepared.shown(row) == ["red" if prepared.images[row, 0].mean() > 100 else "blue"]
    for rows in prepared.splits.values():
        assert prepared.labels[rows].sum(0).tolist() == [len(rows) / 2] * 2
    shades = sorted(int(image.max()) for image in prepared.images)
    assert shades == sorted([*range(200, 220)] * 2)  # every picture once


def test_classes_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("10", "9", "b", "A"):
        picture(tmp_path / "raw" / name / "deep" / "1.png")
    assert run(tmp_path / "raw", "--val", "0", "--test", "0").classes == ("9", "10", "A", "b")


def test_the_split_is_a_function_of_the_seed(folder: Path) -> None:
    images = [run(folder, "--seed", seed).images[:] for seed in ("0", "0", "1")]
    assert np.array_equal(images[0], images[1]) and not np.array_equal(images[0], images[2])


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
    st.sampled_from([0, 0.1, 0.25, 0.4]),
    st.sampled_from([0, 0.1, 0.3]),
    st.integers(0, 5),
)
def test_every_class_gives_its_share(sizes: list[int], val: float, test: float, seed: int) -> None:
    found = [Found(f"{group}/{n}", str(group), "") for group, size in enumerate(sizes) for n in range(size)]
    chosen = choose_splits(found, val, test, seed)
    assert sorted(one.path for one in chosen) == sorted(one.path for one in found)
    assert [one.split for one in chosen] == sorted((one.split for one in chosen), key=["train", "val", "test"].index)
    whole = Counter(one.split for one in chosen)
    by_class = Counter((one.group, one.split) for one in chosen)
    for split, share in (("val", val), ("test", test)):
        assert abs(whole[split] - share * len(found)) <= 2
        for group, size in enumerate(sizes):
            assert abs(by_class[str(group), split] - share * size) <= 2
    for group, size in enumerate(sizes):
        assert abs(by_class[str(group), "train"] - (1 - val - test) * size) <= 1


def test_a_split_that_is_there_is_taken(folder: Path) -> None:
    top = folder.parent / "split"
    top.mkdir()
    folder.rename(top / "train")
    for number in range(3):
        picture(top / "valid" / "red" / f"{number}.png", (100, 0, 0))
    prepared = run(top)
    assert (prepared.images[prepared.splits["val"], 0] == 100).all() and len(prepared.splits["val"]) == 3
    assert len(prepared.splits["test"]) == 4 and len(prepared.splits["train"]) == 36  # test is cut from train


def test_pictures_without_folders_have_no_class(tmp_path: Path) -> None:
    for number in range(10):
        picture(tmp_path / "raw" / f"{number}.png")
    prepared = run(tmp_path / "raw")
    assert prepared.classes == () and prepared.labels.shape == (10, 0) and prepared.facts.classes == ()


# --- pixels -------------------------------------------------------------------------------------------------------


def lines(file: Path) -> Path:
    """60 x 30: red on the left, white in the middle, blue on the right."""
    image = np.full((30, 60, 3), 255, np.uint8)
    image[:, :15], image[:, 45:] = RED, BLUE
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(file)
    return file


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_a_picture_becomes_a_square_as_asked(tmp_path: Path, fit: str) -> None:
    lines(tmp_path / "raw" / "1.png")
    (image,) = run(tmp_path / "raw", "--fit", fit, "--val", "0", "--test", "0", side=30).images
    if fit == "crop":
        assert (image[:, :, 2:-2] == 255).all()
    elif fit == "pad":
        assert not image[:, :7].any() and not image[:, 23:].any()
        assert np.allclose(image[:, 15, 3], RED, atol=3) and np.allclose(image[:, 15, 26], BLUE, atol=3)
    else:
        assert np.allclose(image[:, 0, 3], RED, atol=3) and np.allclose(image[:, 29, 26], BLUE, atol=3)


def test_a_photograph_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    file = lines(tmp_path / "raw" / "1.png")
    with Image.open(file) as image:
        exif = image.getexif()
        exif[0x0112] = 6  # to be turned by a quarter to the right
        image.save(file.with_suffix(".jpg"), quality=95, exif=exif)
    file.unlink()
    (image,) = run(tmp_path / "raw", "--fit", "stretch", "--val", "0", "--test", "0", side=16).images
    assert np.allclose(image[:, 2, 8], RED, atol=12) and np.allclose(image[:, 13, 8], BLUE, atol=12)


def test_large_photographs_are_read_at_the_size_that_is_needed(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    smooth = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((1024, 1024))
    (tmp_path / "raw").mkdir()
    smooth.save(tmp_path / "raw" / "1.jpg", quality=95)
    (image,) = run(tmp_path / "raw", "--val", "0", "--test", "0", side=16).images
    whole = np.asarray(smooth.resize((16, 16), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
    assert np.abs(image.astype(int) - whole).mean() < 3


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    Image.new("RGBA", (20, 20), (255, 0, 0, 0)).save(tmp_path / "raw" / "1.png")
    assert (run(tmp_path / "raw", "--val", "0", "--test", "0").images == 255).all()


def test_grey_among_colour_is_made_colour_and_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(folder / "red" / "20.png", 90)
    prepared = run(folder)
    assert "1 of 41: grey pictures are made colour" in capsys.readouterr().err
    assert prepared.channels == 3 and sum((image == 90).all() for image in prepared.images) == 1


def test_a_set_is_grey_where_all_are_or_where_asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(10):
        picture(folder.parent / "grey" / f"{number}.pgm", 20 * number)
    grey = run(folder.parent / "grey")
    assert grey.channels == 1 and sorted(grey.images[:, 0, 0, 0].tolist()) == list(range(0, 200, 20))
    assert run(folder.parent / "grey", "--colour").channels == 3
    assert run(folder, "--grey").channels == 1
    assert "40 of 40: colour pictures are made grey" in capsys.readouterr().err


# --- captions -----------------------------------------------------------------------------------------------------


def as_json(folder: Path) -> str:
    told = {"red/3.png": ["a red square", "a warm one"], "7.png": "seven"}
    (folder / "told.json").write_text(json.dumps({**told, "blue/7.png": ["a blue square"]}))
    return str(folder / "told.json")


def as_csv(folder: Path) -> str:
    rows = ["file,caption", "red/3.png,a red square", '"red/3.png","a warm one"', "", "blue/7.png, a  blue square "]
    (folder / "told.csv").write_text("\ufeff" + "\n".join(rows), encoding="utf-8")
    return str(folder / "told.csv")


def as_tsv(folder: Path) -> str:
    rows = ["red\\3.png\ta red square", "./red/3.png\ta warm one", "blue/7.png\ta blue square"]
    (folder / "told.tsv").write_text("\n".join(rows))
    return str(folder / "told.tsv")


def as_texts(folder: Path) -> str:
    (folder / "red" / "3.txt").write_text("a red square\n\na warm one\n")
    (folder / "blue" / "7.txt").write_text("a blue square")
    return "beside"


@pytest.mark.parametrize("form", [as_csv, as_tsv, as_texts])
def test_captions_belong_to_their_pictures(folder: Path, form: Callable[[Path], str]) -> None:
    prepared = run(folder, "--captions", form(folder))
    told = {tuple(prepared.captions(row)): int(prepared.images[row].max()) for row in range(40)}
    assert told[("a red square", "a warm one")] == 203 and told[("a blue square",)] == 207
    assert set(told) == {("a red square", "a warm one"), ("a blue square",), ()}


def test_a_name_alone_serves_where_it_is_the_only_one(folder: Path) -> None:
    with pytest.raises(DataError, match=r"told\.json: 7\.png may be (red|blue)/7\.png or .*; give the path below"):
        run(folder, "--captions", as_json(folder))
    told = captions_of(["red/3.png", "blue/4.png"], folder / "told.json", folder)
    assert told.captions == [["a red square", "a warm one"], []] and told.strangers == ["7.png", "blue/7.png"]
    told = captions_of(["red/3.png", "x/7.png"], folder / "told.json", folder)
    assert told.captions[1] == ["seven"]


def test_a_name_that_stands_twice_has_the_captions_of_both(folder: Path) -> None:
    file = folder / "told.json"
    file.write_text('{"red/3.png": "a red square", "blue/4.png": [], "red/3.png": ["a warm one", "a box"]}')
    assert captions_of(["red/3.png"], file, folder).captions == [["a red square", "a warm one", "a box"]]


def test_captions_and_pictures_that_lack_each_other_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "told.json"
    every = {f"{group}/{number}.png": "a square" for group in ("red", "blue") for number in range(20)}
    del every["red/4.png"]
    file.write_text(json.dumps({**every, "green/1.png": "a green one"}))
    prepared = run(folder, "--captions", str(file))
    told = capsys.readouterr()
    assert f"green/1.png has a caption in {file} and is no picture of {folder}" in told.err
    assert f"{folder / 'red/4.png'} has no caption in {file}" in told.err
    assert "39 captions" in told.out and "2 faults" in told.out and len(prepared) == 40
    with pytest.raises(DataError, match="green/1.png has a caption"):
        run(folder, "--captions", str(file), "--strict")


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("a.json", '{"1.png": ["one"', "is not whole JSON"),
        ("a.json", '["one"]', "an object .* was expected"),
        ("a.json", '{"1.png": [1]}', "the captions of 1.png are not text"),
        ("a.json", '{"1.png": "half \\ud800"}', "the captions of 1.png are not text"),
        ("a.json", '{"1.png": ' + "[" * 100_000, "has lists in lists, too deep to be read; an object"),
        ("a.json", "{}", "has no caption"),
        ("a.csv", "1.png,one\n2.png", "line 2: a file and a caption were expected"),
        ("a.tsv", "1.png,one", "line 1: a file and a caption"),
        ("a.csv", '1.png,one\n2.png,"two\n3.png,three\n', "line 2: a quotation mark is opened and not closed before"),
        ("a.csv", '2.png,"two\n3.png,three\n4.png,a "four"\n', "line 1: a quotation mark is opened and not closed"),
        ("a.csv", '1.png,"a" b', "line 1: .*; put the whole of a caption in quotation marks, or nothing of it"),
        ("a.csv", "1.png,red, and round", "line 1 has 3 columns and not 2; put a caption that has a comma in it into"),
        ("a.tsv", "file\tsize\tcaption\n1.png\t3\ta\tb", "line 2 has 4 columns and not 3; .* a tab in it"),
        ("a.csv", "", "has no caption"),
        ("a.txt", "one", "captions are a file .json, .csv or .tsv, or 'beside'"),
    ],
)
def test_a_faulty_file_of_captions_is_one_sentence(tmp_path: Path, name: str, text: str, what: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=what):
        read_captions(tmp_path / name)


def test_a_file_of_captions_must_be_there_and_be_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file of captions"):
        read_captions(tmp_path / "a.json")
    (tmp_path / "a.csv").write_bytes(b"1.png,caf\xe9")
    with pytest.raises(DataError, match=r"is not text in UTF-8 \(byte 9\)"):
        read_captions(tmp_path / "a.csv")


@pytest.mark.parametrize("form", ["told.json", "beside"])
def test_captions_that_characters_cannot_say_are_told_and_kept(
    folder: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    long, odd = "a square " * 40, "un carr\u00e9"
    if form == "beside":
        (folder / "red" / "3.txt").write_text(f"{long}\n{odd}\n", encoding="utf-8")
    else:
        (folder / form).write_text(json.dumps({"red/3.png": [long, odd]}))
    prepared = run(folder, "--captions", form if form == "beside" else str(folder / form))
    said, remarks = capsys.readouterr().err, prepared.manifest["remarks"]
    assert "1 of 2 captions have more than 201 characters, the first of red/3.png" in said
    assert "do not know: '\u00e9' in 1 of them, the first in one of red/3.png" in said
    assert len(remarks) == 2 and all(remark in said for remark in remarks)
    assert any(prepared.captions(row) == [long.strip(), odd] for row in range(40))


# --- faults -------------------------------------------------------------------------------------------------------


def spoil(folder: Path, how: str) -> None:
    file = folder / "red" / "5.png"
    if how == "cut short":
        noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(noise).save(file)
        file.write_bytes(file.read_bytes()[:1000])
    elif how == "no picture":
        file.write_bytes(b"not a picture")
    else:
        Image.fromarray(np.zeros((8, 8), np.uint16)).save(file)


@pytest.mark.parametrize("how", ["cut short", "no picture", "16 bits"])
def test_a_picture_that_cannot_be_read_is_named_counted_and_left_out(
    folder: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(folder, how)
    what = "has more than 8 bits a channel" if how == "16 bits" else "is not a picture that can be read"
    with pytest.raises(DataError, match=rf"red/5\.png {what}"):
        run(folder, "--strict")
    assert not list(folder.parent.glob("out*"))
    prepared = run(folder)
    told = capsys.readouterr()
    assert what in told.err and "1 fault;" in told.out and len(prepared) == 39
    assert prepared.manifest["left out"][0][0] == "red/5.png"
    assert sorted(path.name for path in prepared.path.iterdir()) == ["images.npy", "labels.npy", "manifest.json"]
    prepared.verify()


def test_a_class_without_pictures_and_pictures_without_class_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "green").mkdir()
    picture(folder / "stray.png")
    assert run(folder).classes == ("blue", "red")
    told = capsys.readouterr().err
    assert f"the folder {folder / 'green'} has no picture" in told
    assert "stray.png lies beside the folders of classes (1 such); it has no class" in told
    with pytest.raises(DataError, match="has no class|has no picture"):
        run(folder, "--strict")


def test_folders_that_can_be_meant_in_two_ways_are_refused(folder: Path) -> None:
    picture(folder / "train" / "red" / "1.png")
    with pytest.raises(DataError, match="has train beside blue; hold splits or classes in it, not both"):
        run(folder)
    top = folder.parent / "half"
    picture(top / "train" / "red" / "1.png")
    picture(top / "test" / "1.png")
    with pytest.raises(DataError, match=r"lies in the folder of a class and test/1\.png in none; sort all, or none"):
        run(top)
    (top / "test" / "1.png").unlink()
    (top / "train" / "red" / "1.png").unlink()
    picture(top / "test" / "red" / "1.png")
    with pytest.raises(DataError, match="train has no pictures .*; there is nothing to train on"):
        run(top)


def test_a_class_that_is_only_tested_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    top = folder.parent / "split"
    picture(top / "train" / "red" / "1.png")
    picture(top / "test" / "blue" / "1.png", BLUE)
    run(top, "--val", "0")
    assert "the class blue has no picture in train; it can be asked for but not learnt" in capsys.readouterr().err


def test_a_class_of_damaged_pictures_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "green").mkdir()
    (folder / "green" / "1.png").write_bytes(b"no picture")
    assert run(folder).classes == ("blue", "red")
    assert "no picture of the class green can be read, so the set does not have it" in capsys.readouterr().err


def test_an_empty_split_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    top = folder.parent / "split"
    for number in range(20):
        picture(top / "train" / "red" / f"{number}.png")
    (top / "test" / "red").mkdir(parents=True)
    assert len(run(top).splits["test"]) == 2
    assert f"{top / 'test'} has no picture; so many of train become test as --test says" in capsys.readouterr().err


def test_captions_of_other_pictures_are_refused(folder: Path) -> None:
    file = folder / "told.csv"
    file.write_text("green/1.png,a green one\n")
    with pytest.raises(
        DataError, match=r"has a caption in .*told.csv \(that of green/1.png is of none of them\); name"
    ):
        run(folder, "--captions", str(file))
    with pytest.raises(DataError, match="no picture of .* has a caption beside it; name"):
        run(folder, "--captions", "beside")


def test_nothing_at_all_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no folder"):
        run(tmp_path / "nowhere")
    (tmp_path / "raw" / "empty").mkdir(parents=True)
    with pytest.raises(DataError, match="has no pictures .*, nor have the folders in it"):
        run(tmp_path / "raw")
    (tmp_path / "raw" / "empty" / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match="no picture of .* can be read; the first, .*1.png is not a picture"):
        run(tmp_path / "raw")
    with pytest.raises(DataError, match="is a file; name the folder"):
        run(tmp_path / "raw" / "empty" / "1.png")


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        ([], "--resolution is missing"),
        (["--resolution", "4"], "--resolution 4 is not possible"),
        (["--resolution", "8", "--grey", "--colour"], "--grey and --colour exclude each other"),
        (["--resolution", "8", "--val", "0.5", "--test", "0.5"], "shares of 0 or more that leave some to train"),
        (["--resolution", "8", "--val", "-0.1"], "--val -0.1"),
        (["--resolution", "8", "--workers", "0"], "--workers 0: at least 1 is needed"),
    ],
)
def test_flags_out_of_range_are_named(folder: Path, flags: list[str], what: str) -> None:
    with pytest.raises(TelldrawError, match=what):
        command.run(["folder", "--from", str(folder), *flags])
    with pytest.raises(DataError, match="say where the pictures are"):
        command.run(["folder", *flags])


def test_processes_read_the_same(folder: Path) -> None:
    alone, labels = run(folder).images[:], run(folder).labels
    together = run(folder, "--workers", "2")
    assert np.array_equal(together.images, alone) and np.array_equal(together.labels, labels)


# --- telldraw data ------------------------------------------------------------------------------------------------


def test_data_describes_and_shows_classes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(folder, "no picture")
    run(folder, "--name", "squares", "--licence", "CC0 1.0")
    sheet = folder.parent / "sheets" / "look.png"
    out = str(folder.parent / "out.telldraw")
    data_command.run([out, "--sheet", str(sheet), "--split", "train", "--verify"])
    told = capsys.readouterr().out
    assert "squares, colour, 8 x 8 pixels" in told and "licence: CC0 1.0" in told
    assert "2 classes, by pictures: blue (20), red (19)" in told and "left out: red/5.png" in told
    assert "every checksum is right" in told
    with Image.open(sheet) as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int)
    blue, red = ((pixels[:, at] > 190) & (pixels[:, 2 - at] < 60) for at in (2, 0))
    assert blue.sum() >= 8 * 60 * 60 and red.sum() >= 8 * 60 * 60  # eight of each, 64 pixels high


def test_data_shows_captions_and_sets_without_classes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain, sizes = folder / "red", []
    out = str(folder / "out.telldraw")
    for captions in (False, True):
        if captions:
            (plain / "told.json").write_text(json.dumps({f"{n}.png": [f"square {n}", "red"] for n in range(20)}))
        run(plain, *(["--captions", str(plain / "told.json")] if captions else []))
        data_command.run([out, "--sheet", str(folder.parent / "look.png"), "--pictures", "2"])
        with Image.open(folder.parent / "look.png") as image:
            sizes.append(image.size)
    told = capsys.readouterr().out
    assert "no classes" in told and "captions: 40, 2.0 a picture, at most 2" in told
    assert sizes[1][1] > 256 > sizes[0][1]
    with pytest.raises(DataError, match="no split 'all'"):
        data_command.run([out, "--sheet", str(folder.parent / "look.png"), "--split", "all"])
    run(plain, "--val", "0")
    with pytest.raises(DataError, match="the split 'val' of .* has no picture; choose another with --split"):
        data_command.run([out, "--sheet", str(folder.parent / "look.png"), "--split", "val"])
    data_command.run([out, "--sheet", str(folder.parent / "look.png")])  # what there is, where there is no val
    assert "look.png: pictures of test" in capsys.readouterr().out
    with pytest.raises(TelldrawError, match="--(dialogues|pictures) .*: at least 1 is needed"):
        data_command.run([out, "--pictures", "0"])
