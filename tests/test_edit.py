"""`telldraw edit`, `telldraw reconstruct` and `telldraw generate --grid`, through the command line."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pictures_like import make_pictures
from telldraw import pixels, systems, weights
from telldraw.cli import main
from telldraw.commands.picture_sheets import plane
from telldraw.data.collection import Collection


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("bars") / "bars.telldraw")


@pytest.fixture(scope="module")
def runs(bars: Path) -> dict[str, str]:
    """Weights with a code of three numbers, of two, in colour, and of a system that cannot edit."""
    found = {}
    for name, more in (
        ("three", ("vae", "--config.resolution", "28")),
        ("two", ("vae", "--config.resolution", "28", "--config.latents", "2")),
        ("classifier", ("classifier",)),
    ):
        found[name] = str(bars.parent / name)
        often = ("--preset", "tiny", "--batch-size", "16", "--examples", "320")
        assert main(["train", *more, "--data", str(bars), "--out", found[name], *often]) == 0
    return found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bars: Path) -> Path:
    """A folder of our own with a bar in it."""
    monkeypatch.chdir(tmp_path)
    image = Collection.open(bars).images[0, 0]
    Image.fromarray(image).save("bar.png")
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(list(words)) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return err if code else out


def codes(run: str, image: np.ndarray) -> torch.Tensor:
    system: Any = weights.load(weights.find(run)).system
    with torch.no_grad():
        return system.encode(pixels.to_float(torch.from_numpy(image.copy())).view(1, 1, 28, 28))


def decoded(run: str, code: torch.Tensor) -> np.ndarray:
    system: Any = weights.load(weights.find(run)).system
    with torch.no_grad():
        return pixels.to_arrays(system.decode(code))[0, ..., 0]


def test_an_edit_is_the_changed_code_decoded(
    runs: dict[str, str], here: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = said(capsys, "edit", runs["three"], "bar.png", "--set", "1=2.5", "--add", "2=-1.5", "--only", "alone.png")
    code = codes(runs["three"], Collection.open(bars).images[0, 0])
    assert out.splitlines()[-2:] == ["edited.png", "alone.png"]
    assert f"1: {float(code[0, 1]):.2f} to 2.50, 2: {float(code[0, 2]):.2f} to {float(code[0, 2]) - 1.5:.2f}" in out
    code[0, 1] = 2.5
    code[0, 2] -= 1.5
    expected = decoded(runs["three"], code)
    with Image.open("alone.png") as alone, Image.open("edited.png") as sheet:
        assert np.array_equal(np.asarray(alone), expected)
        assert sheet.width > 3 * 190


def test_set_comes_before_add_and_both_can_be_repeated(
    runs: dict[str, str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = said(capsys, "edit", runs["three"], "bar.png", "--add", "0=0.5", "--set", "0=1", "--set", "2=0")
    assert "to 1.50, 2:" in out and "to 0.00" in out


def test_without_a_change_the_code_is_told(
    runs: dict[str, str], here: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = Collection.open(bars).images[0, 0]
    listed = ", ".join(f"{n}={value:.2f}" for n, value in enumerate(codes(runs["three"], image)[0].tolist()))
    assert f"code: {listed}\n" in said(capsys, "edit", runs["three"], "bar.png")


def test_a_sweep_is_a_row_for_each_number(
    runs: dict[str, str], here: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {}
    for name, words in (("one", ("1=-3:3:5",)), ("all", ("all=-3:3:5",)), ("long", ("1=-3:3:9",))):
        where = ("--data", str(bars), "--index", "3", "--out", f"{name}.png")
        said(capsys, "edit", runs["three"], *where, "--sweep", *words)
        with Image.open(f"{name}.png") as sheet:
            sizes[name] = sheet.size
    assert sizes["all"][0] == sizes["one"][0] < sizes["long"][0]
    row = sizes["long"][1] - (sizes["all"][1] - sizes["long"][1]) / 2
    assert 100 < row < sizes["one"][1]  # the pictures above, and one row


def test_a_picture_of_another_size_fits_when_asked_to(
    runs: dict[str, str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Image.open("bar.png") as image:
        image.resize((60, 90)).convert("RGB").save("large.png")
    said(capsys, "edit", runs["three"], "large.png", "--resize")
    assert Path("edited.png").exists()


@pytest.mark.parametrize(
    "words, sentence",
    [
        (("bar.png", "--set", "3=1"), "--set 3=1: the code has no number '3'; it has 3, numbered 0 to 2"),
        (("bar.png", "--add", "-1=1"), "--add -1=1: the code has no number '-1'; it has 3, numbered 0 to 2"),
        (("bar.png", "--set", "1=much"), "--set 1=much: 'much' is no number; a value such as 2.0 or -1.5 is needed"),
        (("bar.png", "--add", "1=nan"), "--add 1=nan: 'nan' is no number"),
        (("bar.png", "--set", "1"), "--set 1: a number of the code and its value are needed, such as 3=2.0"),
        (("bar.png", "--sweep", "1=2"), "--sweep 1=2: a number of the code and from, to and how many are needed"),
        (("bar.png", "--sweep", "1=-3:3:x"), "--sweep 1=-3:3:x: 'x' is no count of pictures"),
        (("bar.png", "--sweep", "9=-3:3:3"), "--sweep 9=-3:3:3: the code has no number '9'"),
        (("none.png",), "there is no picture none.png"),
        (("text.png",), "text.png cannot be read as a picture: it is no picture, or damaged"),
        (("cut.png",), "cut.png cannot be read as a picture"),
        (("large.png",), "large.png has 56x28 pixels, three takes 28x28; give --resize to make it fit"),
        (("red.png",), "red.png is in colour, three takes pictures in grey"),
        (("bar.png", "--data", "x.telldraw"), "name one picture to edit: a file, or --data PREPARED with --index N"),
        ((), "name one picture to edit"),
        (("bar.png", "--out", "x.tif"), "--out x.tif: the name must end in .png"),
        ((".",), ". is a folder; name a picture in it"),
        (("bar.png", "--steps", "5"), "--steps is for weights that are told in words, and three are not; drop it"),
        (("bar.png", "--clip-weight", "5"), "--clip-weight is for weights that are told in words"),
        (("bar.png", "--how", "replace"), "--how is for weights that are told in words"),
    ],
)
def test_what_cannot_be_edited_gets_one_sentence(
    words: tuple[str, ...], sentence: str, runs: dict[str, str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("text.png").write_text("no picture")
    Path("cut.png").write_bytes(Path("bar.png").read_bytes()[:-60])
    Image.new("L", (56, 28)).save("large.png")
    Image.new("RGB", (28, 28), (200, 0, 0)).save("red.png")
    err = said(capsys, "edit", runs["three"], *words, code=2)
    assert sentence.replace("three", weights.load(weights.find(runs["three"])).name) in err and err.count("\n") == 1


def test_weights_of_colour_pictures_take_colour_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vae = systems.load("vae")
    system = vae.System(replace(vae.PRESETS["tiny"], resolution=28, channels=3))
    weights.save(here / "colour", system, None, {"system": "vae", "name": "colour", "resolution": 28, "channels": 3})
    err = said(capsys, "edit", "colour", "bar.png", code=2)
    assert err == "telldraw: bar.png is in grey, colour takes pictures in colour; save it in colour\n"
    Image.new("RGBA", (28, 28), (200, 0, 0, 255)).save("red.png")
    assert "code: 0=" in said(capsys, "edit", "colour", "red.png", "--only", "alone.png")
    with Image.open("alone.png") as alone:
        assert (alone.mode, alone.size) == ("RGB", (28, 28))


def test_pictures_of_a_data_set_are_checked_too(
    runs: dict[str, str], here: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("edit", runs["three"], "--data")
    err = said(capsys, *where, str(bars), "--index", "16", code=2)
    assert f"--index 16: the split 'test' of {bars} has 16 pictures, numbered from 0" in err
    colour = make_pictures(here / "colour.telldraw", channels=3)
    assert "has pictures in colour, " in said(capsys, *where, str(colour), code=2)
    assert "has no split 'dev'; choose from" in said(capsys, *where, str(bars), "--split", "dev", code=2)


def test_only_what_has_a_code_can_edit_or_reconstruct(
    runs: dict[str, str], here: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "holds classifier, which does not edit" in said(capsys, "edit", runs["classifier"], "bar.png", code=2)
    words = ("reconstruct", runs["classifier"], "--data", str(bars))
    assert "holds classifier, which does not reconstruct pictures" in said(capsys, *words, code=2)


def test_reconstructions_stand_under_their_pictures(
    runs: dict[str, str], here: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = said(capsys, "reconstruct", runs["three"], "--data", str(bars), "--n", "3", "--index", "2", "--out", "x.png")
    assert "mean of 3 pictures" in out and out.endswith("x.png\n")
    with Image.open("x.png") as sheet:
        pixel = np.asarray(sheet.convert("L")).astype(int)
    columns = [slice(16 + n * 60, 16 + n * 60 + 56) for n in range(3)]
    top = 16 + 20
    collection = Collection.open(bars)
    for n, column in enumerate(columns):
        true = collection.images[collection.splits["test"][2 + n], 0].astype(int)
        shown = pixel[top : top + 56, column][1::2, 1::2]
        assert np.abs(shown - true).mean() < 20, "the first row holds the true pictures"
    assert np.abs(pixel[top : top + 56, columns[0]] - pixel[top + 60 : top + 116, columns[0]]).mean() > 5


def test_picture_files_are_reconstructed_as_those_of_a_set_are(
    runs: dict[str, str], here: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of_set = said(capsys, "reconstruct", runs["three"], "--data", str(bars), "--n", "2", "--out", "set.png")
    collection = Collection.open(bars)
    for n in range(2):
        Image.fromarray(collection.images[collection.splits["test"][n], 0]).save(f"{n}.png")
    of_files = said(capsys, "reconstruct", runs["three"], "0.png", "1.png", "--out", "files.png")
    assert of_files.splitlines()[:-1] == of_set.splitlines()[:-1]
    assert Path("files.png").read_bytes() == Path("set.png").read_bytes()
    Image.new("L", (40, 40)).save("large.png")
    assert "takes 28x28; give --resize" in said(capsys, "reconstruct", runs["three"], "large.png", code=2)
    said(capsys, "reconstruct", runs["three"], "large.png", "--resize", "--out", "large-too.png")
    for words in ((), ("0.png", "--data", str(bars))):
        err = said(capsys, "reconstruct", runs["three"], *words, code=2)
        assert "name pictures to reconstruct: files, or --data PREPARED" in err and err.count("\n") == 1
    assert "41 pictures: 1 to 40 pictures go" in said(capsys, "reconstruct", runs["three"], *["0.png"] * 41, code=2)


def test_fifteen_pictures_fill_two_rows_of_pairs(
    runs: dict[str, str], here: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = []
    for count in ("10", "15"):
        said(capsys, "reconstruct", runs["three"], "--data", str(bars), "--n", count, "--out", "x.png")
        with Image.open("x.png") as sheet:
            sizes.append(sheet.size)
    assert sizes[1][0] == sizes[0][0] and sizes[1][1] == sizes[0][1] + 2 * 60


@pytest.mark.parametrize(
    "words, sentence",
    [
        (("--n", "41"), "--n 41: 1 to 40 pictures go on a sheet"),
        (("--index", "16"), "--index 16: the split 'test' of"),
        (("--index", "-2"), "--index -2: the split 'test' of"),
    ],
)
def test_what_cannot_be_reconstructed_gets_one_sentence(
    words: tuple[str, ...],
    sentence: str,
    runs: dict[str, str],
    here: Path,
    bars: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    err = said(capsys, "reconstruct", runs["three"], "--data", str(bars), *words, code=2)
    assert sentence in err and err.count("\n") == 1


def test_a_plane_of_codes_shares_the_prior_evenly() -> None:
    codes = plane(4).view(4, 4, 2)
    normal = torch.distributions.Normal(0.0, 1.0)
    share = torch.tensor([0.125, 0.375, 0.625, 0.875])
    torch.testing.assert_close(normal.cdf(codes[0, :, 0]), share)  # the first number grows to the right
    torch.testing.assert_close(normal.cdf(codes[:, 0, 1]), share.flip(0))  # the second upwards
    assert torch.equal(codes[0, :, 0], codes[3, :, 0])


def test_a_grid_shows_the_plane_of_a_code_of_two_numbers(
    runs: dict[str, str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "generate", runs["two"], "--grid", "5", "--scale", "1", "--out", "plane.png")
    with Image.open("plane.png") as sheet:
        assert sheet.size == (5 * 32 - 4, 5 * 32 - 4)
        shown = np.asarray(sheet.convert("L"))
    assert np.array_equal(shown[:28, :28], decoded(runs["two"], plane(5)[:1]))
    err = said(capsys, "generate", runs["three"], "--grid", "5", code=2)
    assert "--grid 5: " in err and "draws from 3 numbers; two numbers make a plane" in err
    assert "--grid 99: a whole number from 1 to 32" in said(capsys, "generate", runs["two"], "--grid", "99", code=2)
