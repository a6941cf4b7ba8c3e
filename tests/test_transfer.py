"""Captions in the style of pictures: the command, its figures on systems that know style and on one that does not."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from captions_like import make_captioned
from styles_like import make_styled
from telldraw import cli, pixels, systems, weights
from telldraw.cli import main
from telldraw.commands import loading, reading, style_evaluation
from telldraw.commands.picture_input import of_file
from telldraw.data.collection import Collection
from telldraw.errors import WeightsError
from telldraw.metrics.style import frame

QUICK = ("--batch-size", "8", "--examples", "64", "--sheet-every", "64", "--weights-dtype", "float32")


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_styled(tmp_path_factory.mktemp("squares") / "squares.telldraw")


@pytest.fixture(scope="module")
def known(squares: Path) -> Collection:
    return Collection.open(squares)


def train(system: str, preset: str, data: Path, *more: str) -> Path:
    out = data.parent / f"{system}-{preset}"
    assert main(["train", system, "--data", str(data), "--preset", preset, "--out", str(out), *QUICK, *more]) == 0
    return out


@pytest.fixture(scope="module")
def first(squares: Path) -> Path:
    """G and D of the preset tiny, after eight steps."""
    encoder = train("text-encoder", "tiny", squares, "--config.variant", "word-gru")
    return train("gan-cls", "tiny", squares, "--text-encoder", str(encoder))


@pytest.fixture(scope="module")
def run(first: Path, squares: Path) -> Path:
    """The same with a style encoder."""
    return train("gan-cls", "tiny-style", squares, "--start-from", str(first))


@pytest.fixture(scope="module")
def pictures(known: Collection, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The first test pictures as files."""
    folder = tmp_path_factory.mktemp("pictures")
    names = [str(folder / f"{number}.png") for number in range(3)]
    for name, row in zip(names, known.split("test"), strict=False):
        Image.fromarray(known.images[row].transpose(1, 2, 0)).save(name)
    return names


def refusal(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What is said when a command is refused: one sentence."""
    capsys.readouterr()
    assert cli.main(words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "Traceback" not in said
    return said


# --- the command ----------------------------------------------------------------------------------------------------


def test_a_row_for_each_picture_and_a_column_for_each_caption(
    run: Path, squares: Path, known: Collection, pictures: list[str], tmp_path: Path
) -> None:
    captions, out = ["a red square", "a blue square"], tmp_path / "sheet.png"
    words = ["transfer", str(run), *captions, "--scale", "1", "--out", str(out)]
    assert main([*words, "--style", *pictures]) == 0
    with Image.open(out) as sheet:
        assert sheet.width == 16 + 3 * 32  # the pictures are 16 wide, and so are the gaps
        found = np.asarray(sheet.convert("RGB"))
    top = len(found) - 3 * 32
    system: Any = weights.load(run / "weights").system
    text = reading.beside(str(run)).read(captions)
    for place, row in enumerate(known.split("test")[:3]):
        own = known.images[row].transpose(1, 2, 0)
        down = top + 32 * place
        assert (found[down : down + 16, 16:32] == own).all(), "the picture itself stands first"
        with torch.inference_mode():
            z = system.style(pixels.to_float(torch.from_numpy(known.images[row : row + 1])))
            drawn = pixels.to_arrays(system.depict(z.expand(2, -1), text))
        for column in (0, 1):
            left = 48 + 32 * column
            assert abs(found[down : down + 16, left : left + 16].astype(int) - drawn[column]).max() <= 1
    # the same pictures from the prepared set, and captions after the pictures
    again = tmp_path / "again.png"
    other = ["transfer", str(run), *captions, "--scale", "1", "--out", str(again)]
    assert main([*other, "--data", str(squares), "--rows", "0,1,2"]) == 0
    assert (np.asarray(Image.open(again).convert("RGB")) == found).all()
    after = ["transfer", str(run), "--scale", "1", "--out", str(again), "--style", *pictures[:2], *captions]
    assert main(after) == 0
    two = np.asarray(Image.open(again).convert("RGB")).astype(int)
    assert abs(two[:-2] - found[:-34]).max() <= 1, "the first two rows of the same sheet"


def test_large_sheets_get_smaller_pictures(run: Path, squares: Path, tmp_path: Path) -> None:
    out = tmp_path / "wide.png"
    many = [f"a red square number {number}" for number in range(60)]
    assert main(["transfer", str(run), *many, "--data", str(squares), "--rows", "5", "--out", str(out)]) == 0
    with Image.open(out) as sheet:
        assert sheet.width <= 61 * (4000 / 61 + 16) + 16


def test_unknown_words_are_said(run: Path, pictures: list[str], tmp_path: Path, capsys: Any) -> None:
    words = ["transfer", str(run), "a red zebra", "--style", pictures[0], "--out", str(tmp_path / "x.jpg")]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "zebra" in said.err and said.out.strip() == str(tmp_path / "x.jpg")


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["--style", "{0}"], "say what to draw in that style, in quotation marks"),
        (["a red square"], "--style PICTURE ..., or --data PREPARED --rows 3,17"),
        (["a red square", "--style", "{0}", "--data", "{data}"], "--style PICTURE ..., or --data PREPARED"),
        (["a red square", "--style", "nowhere.png"], "there is no picture nowhere.png"),
        (["a red square", "--style", "{data}/images.npy"], "images.npy cannot be read as a picture"),
        (["a red square", "--style", "{data}"], "is a folder; name a picture in it"),
        (["a red square", "--style", "{large}"], "20x16 pixels, gan-cls-tiny-style takes 16x16; give --resize"),
        (["a red square", "--style", "{grey}"], "is in grey"),
        (["a red square", "--style", "{deep}"], "has more than 8 bits a channel (I;16); save it with 8"),
        (["a red square", "--data", "nowhere"], "nowhere"),
        (["a red square", "--data", "{data}", "--rows", "48"], "--rows 48: the split 'test' of"),
        (["a red square", "--data", "{data}", "--rows", "0,-1"], "--rows -1: the split 'test' of"),
        (["a red square", "--data", "{data}", "--rows", "a"], "--rows a: whole numbers with commas are needed"),
        (["a red square", "--data", "{data}", "--split", "x"], "has no split 'x'"),
        (["a red square", "--style", "{0}", "--scale", "0"], "--scale 0"),
        (["a red square", "--style", "{0}", "--out", "x.txt"], "--out x.txt: the name must end in"),
        (["a red square", "--style", "{0}", "--device", "nothing"], "--device nothing"),
        (["zebra giraffe", "--style", "{0}"], "no word in 'zebra giraffe' is known"),
        (["a red square " * 20, "--style", "{0}"], "201 are read"),
        (["--style", "{0}", "a red square " * 30], "201 are read"),
        (["a red square"] * 65 + ["--style", "{0}"], "captions: 65 are too many"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_gets_one_sentence(
    words: list[str],
    sentence: str,
    run: Path,
    squares: Path,
    pictures: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    large, grey, deep = (tmp_path / f"{name}.png" for name in ("large", "grey", "deep"))
    Image.new("RGB", (20, 16)).save(large)
    Image.new("L", (16, 16)).save(grey)
    Image.new("I;16", (16, 16)).save(deep)
    named = [word.format(*pictures, data=squares, large=large, grey=grey, deep=deep) for word in words]
    out = [] if "--out" in named else ["--out", str(tmp_path / "x.png")]
    assert sentence in refusal(["transfer", str(run), *named, *out], capsys)
    assert not (tmp_path / "x.png").exists()


def test_resized_and_cut_on_request(run: Path, tmp_path: Path) -> None:
    Image.new("RGB", (20, 31), "navy").save(tmp_path / "large.png")
    words = ["transfer", str(run), "a red square " * 20, "--style", str(tmp_path / "large.png"), "--resize", "--cut"]
    assert main([*words, "--out", str(tmp_path / "x.webp")]) == 0
    with Image.open(tmp_path / "x.webp") as sheet:
        assert sheet.format == "WEBP" and sheet.width == 16 + 2 * (128 + 16)


def test_a_photograph_stands_upright_and_what_is_clear_is_white(run: Path, tmp_path: Path) -> None:
    loaded = weights.load(run / "weights")
    painted = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    painted.paste((255, 0, 0, 255), (0, 0, 16, 4))
    painted.save(tmp_path / "clear.png")
    clear = of_file(tmp_path / "clear.png", loaded)[0]
    assert clear[0].min() == 1 and clear[1, :4].max() == -1 and clear[1, 4:].min() == 1
    turned = Image.Exif()
    turned[0x0112] = 3  # held upside down
    painted.save(tmp_path / "turned.png", exif=turned)
    assert torch.equal(of_file(tmp_path / "turned.png", loaded)[0], clear.flip(1, 2))


def test_without_weights_the_shipped_ones_draw(
    pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where a caption stands in their place, and whatever it is as long as: no file has such a name."""
    out = tmp_path / "x.png"
    for words in (["a large red cube", "--style", pictures[0]], ["--style", pictures[0], "a large red cube"]):
        assert main(["transfer", *words, "--resize", "--out", str(out)]) == 0
        out.unlink()
    said = refusal(["transfer", "--resize", "--style", pictures[0], "a red cube " * 30], capsys)
    assert "201 are read" in said


def test_weights_without_a_style_encoder_name_the_next_stage(
    first: Path, run: Path, pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal(["transfer", str(first), "a red square", "--style", pictures[0]], capsys)
    assert f"telldraw train gan-cls --preset tiny-style --start-from {first} --data PREPARED" in said
    encoder = first.parent / "text-encoder-tiny"
    said = refusal(["transfer", str(encoder), "a red square", "--style", pictures[0]], capsys)
    assert "holds text-encoder, which does not read the style of a picture" in said
    shutil.copytree(run / "weights", tmp_path / "alone", ignore=shutil.ignore_patterns(weights.NETWORK))
    said = refusal(["transfer", str(tmp_path / "alone"), "a red square", "--style", pictures[0]], capsys)
    assert "came without the text encoder" in said


@pytest.mark.parametrize(
    "preset, hint", [("scenes-64", "--preset scenes-64-prior "), ("mine", "--preset ...-prior "), (None, "...-prior ")]
)
def test_the_next_stage_of_any_system_is_named(
    preset: str | None, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = systems.load("vqvae")
    config = module.Config(**{**vars(module.PRESETS["tiny"]), "stage": "codes"})
    card = {"system": "vqvae", "name": "codes", "preset": preset}
    weights.save(tmp_path / "codes", module.System(config), None, card)
    with pytest.raises(WeightsError, match="does not generate pictures yet.*train vqvae ") as refused:
        loading.load(str(tmp_path / "codes"), "cpu", ("Generative",), "generate pictures")
    assert hint in str(refused.value) and f"--start-from {tmp_path / 'codes'}" in str(refused.value)


# --- the figures ----------------------------------------------------------------------------------------------------


class Knowing:
    """G draws the floor that z says and the square that the text says; S reads the floor again."""

    noise_dim = 3

    def depict(self, noise: Tensor, text: Tensor) -> Tensor:
        image = torch.tanh(noise)[:, :, None, None].repeat(1, 1, 16, 16)
        image[:, :, 6:10, 6:10] = text[:, :3, None, None]
        return image

    def style(self, images: Tensor) -> Tensor:
        return torch.atanh(frame(images).clamp(-0.999, 0.999)).float()


class Ignorant(Knowing):
    """The same G, and an S that says nothing of the picture."""

    def style(self, images: Tensor) -> Tensor:
        return torch.zeros(len(images), 3)


def test_known_labels_are_of_the_pictures_that_show_them(known: Collection) -> None:
    rows = list(known.split("test"))
    found = style_evaluation.labels(known, rows)
    assert set(found) == {"background", "floor", "pose"}, "no camera and no light are known here"
    floors, places = known.tables["style"].of("floor red", "floor green", "floor blue"), known.tables["style"]
    assert float((found["background"].values - torch.from_numpy(floors[rows])).abs().max()) < 1 / 255
    one = [place for place, row in enumerate(rows) if np.isnan(places.of("across 2")[row, 0])]
    assert found["pose"].own.tolist() == one and 0 < len(one) < len(rows)
    np.testing.assert_allclose(found["pose"].values.numpy(), places.of("across 1", "down 1")[rows][one], rtol=1e-6)


def test_labels_of_clevr_birds_are_of_the_pictures_that_show_them() -> None:
    columns = ("camera azimuth", "camera height", "camera distance", "across 1", "down 1", "across 2", "down 2")
    nothing = float("nan")
    style = np.array(
        [
            [10, 30, 7.0, 0.4, 0.5, nothing, nothing],
            [100, 35, 6.8, 0.4, 0.6, nothing, nothing],
            [55, 40, 6.6, 0.3, 0.5, 0.7, 0.6],
            [20, 25, 6.9, 0.5, 0.5, nothing, nothing],
        ]
    )
    content = np.array([[0], [0], [0], [1]])  # cubes but for the last
    tables = {
        "style": SimpleNamespace(columns=columns, of=lambda *names: style[:, [columns.index(n) for n in names]]),
        "content": SimpleNamespace(columns=("shape 1",), of=lambda *names: content),
    }
    images = np.zeros((4, 3, 16, 16), np.uint8)
    collection: Any = SimpleNamespace(images=images, tables=tables)
    found = style_evaluation.labels(collection, range(4))
    assert set(found) == {"background", "pose", "camera", "turn"}
    assert found["turn"].own.tolist() == [0, 1] and found["pose"].own.tolist() == [0, 1, 3]
    torch.testing.assert_close(
        found["turn"].values[0], found["turn"].values[1]
    )  # 90 degrees further, a cube is the same
    torch.testing.assert_close(found["camera"].values.std(0), torch.ones(2, dtype=torch.float64))


def test_who_knows_the_style_scores_above_who_does_not(known: Collection) -> None:
    rows = list(known.split("test"))
    vectors = {
        "style encoder": style_evaluation.of_pictures(Knowing(), known, rows),
        "captions": torch.from_numpy(known.labels[rows]).float(),
        "untrained": torch.zeros(len(rows), 3),
        "random": torch.randn(len(rows), 3, generator=torch.Generator().manual_seed(0)),
    }
    vectors["style encoder"] -= vectors["style encoder"].mean(0)
    found = style_evaluation.scores(vectors, style_evaluation.labels(known, rows))
    assert found["background"].by["style encoder"].mean > 0.9 and found["floor"].by["the label itself"].mean > 0.9
    assert found["background"].by["untrained"].mean == 0.5, "all cosines are equal"
    assert found["background"].by["random"].mean < 0.7 and found["pose"].by["style encoder"].mean < 0.75
    heads, *rest = style_evaluation.table(found)
    assert all(len(row) == len(heads) for row in rest) and [row[0] for row in rest] == ["background", "floor", "pose"]
    sheet = style_evaluation.roc_sheet({"one": found, "two": found})
    assert sheet.width > 900 and len(np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)) > 50
    assert style_evaluation.scores(vectors, style_evaluation.labels(known, rows[:3])) == {}


def test_what_s_finds_again_is_measured() -> None:
    text = torch.rand(200, 5, generator=torch.Generator().manual_seed(0))
    found = style_evaluation.inversion(Knowing(), text)
    assert found["style_inversion"].value == pytest.approx(0, abs=1e-3)
    assert found["style_correlation"].value == pytest.approx(1, abs=1e-3)
    nothing = style_evaluation.inversion(Ignorant(), text)
    assert nothing["style_inversion"].value == pytest.approx(1, abs=0.15)  # the variance of z
    assert nothing["style_correlation"].value == 0


def test_whether_the_background_stays_is_measured(known: Collection) -> None:
    rows = list(known.split("test"))
    text = torch.rand(len(rows), 3, generator=torch.Generator().manual_seed(0))

    def figures(system: Any) -> dict[str, Any]:
        z = style_evaluation.of_pictures(system, known, rows)
        found = style_evaluation.transfers(system, known, rows, z, text)
        return {name: figure.value for name, figure in found.items()}

    knows, knows_not = figures(Knowing()), figures(Ignorant())
    assert knows["transfer_background"] == pytest.approx(0, abs=2e-3)
    floors = known.images[rows][:, :, 0, 0] / 255
    by_hand = np.mean([np.linalg.norm(a - b) for a in floors for b in floors if a is not b])
    assert knows["transfer_background_chance"] == pytest.approx(by_hand, rel=0.2)
    assert knows["transfer_background_true"] == pytest.approx(knows["transfer_background_chance"], abs=2e-3)
    assert knows_not["transfer_background"] == pytest.approx(knows_not["transfer_background_chance"])


def test_the_report_has_it_all(run: Path, first: Path, squares: Path, known: Collection) -> None:
    assert main(["evaluate", str(run), "--data", str(squares)]) == 0
    folder = run / "evaluation-test"
    report = json.loads((folder / "evaluation.json").read_text())
    figures = report["figures"]
    for label in ("background", "pose"):
        for ending in ("", "_captions", "_untrained", "_random"):
            assert 0 <= figures[f"style_auc_{label}{ending}"]["value"] <= 1
    assert 0 <= figures["style_auc_floor"]["value"] <= 1 and "style_auc_floor_random" not in figures
    assert "32 pictures" in figures["style_auc_pose"]["what"] and figures["style_inversion"]["value"] > 0
    (heading,) = (name for name in report["tables"] if "area under the ROC" in name)
    who = ["style encoder", "captions", "untrained", "random", "the label itself"]
    assert report["tables"][heading][0][:6] == ["label", *who]
    assert {row[0] for row in report["tables"][heading][1:]} == {"background", "floor", "pose"}
    for name in ("style-roc", "transfer"):
        with Image.open(folder / f"{name}.png") as sheet:
            assert sheet.width > 400
    again = run / "again"
    assert main(["evaluate", str(run), "--data", str(squares), "--out", str(again)]) == 0
    assert json.loads((again / "evaluation.json").read_text())["figures"] == figures, "the same figures every time"


def test_too_few_pictures_are_said_and_the_first_stage_has_no_style(
    run: Path, first: Path, squares: Path, tmp_path: Path
) -> None:
    few, stage = tmp_path / "few", tmp_path / "stage"
    assert main(["evaluate", str(run), "--data", str(squares), "--limit", "6", "--out", str(few)]) == 0
    found = json.loads((few / "evaluation.json").read_text())["figures"]["style_auc"]
    assert found["value"] == "not measured" and "6 pictures with captions are too few: 10 at least" in found["what"]
    assert main(["evaluate", str(first), "--data", str(squares), "--limit", "12", "--out", str(stage)]) == 0
    assert not [name for name in json.loads((stage / "evaluation.json").read_text())["figures"] if "style" in name]


def test_grey_pictures_without_a_table_have_a_background(tmp_path: Path) -> None:
    bars = Collection.open(make_captioned(tmp_path / "bars.telldraw", side=16))
    found = style_evaluation.labels(bars, bars.split("test"))
    assert set(found) == {"background"} and found["background"].values.shape == (36, 1)
