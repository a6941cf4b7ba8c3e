"""The judge of other systems' pictures: it learns, it resumes, and its figures are what they say."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pictures_like import make_pictures
from telldraw import systems, weights
from telldraw.cli import main
from telldraw.metrics.classification import accuracy, exact, right
from telldraw.training import checkpoint


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("bars") / "bars.telldraw")


@pytest.fixture(scope="module")
def run(bars: Path) -> Path:
    out = bars.parent / "run"
    assert main(command(bars, out)) == 0
    return out


def command(data: Path, out: Path, *more: str, examples: int = 960) -> list[str]:
    often = ("--sheet-every", "480", "--decay", "0.9", "--batch-size", "16", "--examples", str(examples))
    return ["train", "classifier", "--data", str(data), "--preset", "tiny", "--out", str(out), *often, *more]


def test_it_learns_where_the_bar_is(run: Path, bars: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run), "--data", str(bars)]) == 0
    report = json.loads((run / "evaluation-test" / "evaluation.json").read_text())
    assert report["figures"]["accuracy"]["value"] == 1.0
    assert "16 true pictures named rightly" in capsys.readouterr().out


def test_its_sheets_are_pictures(run: Path) -> None:
    sheets = sorted((run / "sheets").glob("*.png"))
    assert [sheet.name for sheet in sheets] == ["0000000480.png", "0000000960.png"]
    with Image.open(sheets[-1]) as sheet:
        assert sheet.width > 100


def test_a_run_that_was_stopped_arrives_at_the_same_weights(bars: Path, run: Path, tmp_path: Path) -> None:
    assert main(command(bars, tmp_path / "other", examples=480)) == 0
    assert main(command(bars, tmp_path / "other")) == 0
    one, other = (torch.load(checkpoint.states(path)[0], weights_only=True) for path in (run, tmp_path / "other"))
    assert all(torch.equal(one["system"][key], other["system"][key]) for key in one["system"])


def test_the_card_says_what_the_pictures_were(run: Path) -> None:
    card = weights.card(run / "weights")
    assert (card["data"], card["resolution"], card["channels"], card["many"]) == ("bars", 28, 1, False)
    assert card["classes"] == ["left", "middle", "right"]


def test_accuracy_counts_what_it_says() -> None:
    logits, label = torch.tensor([[2.0, 1, 0], [0, 1, 2], [0, 3, 0]]), torch.tensor([[1, 0, 0], [1, 0, 0], [0, 1, 1]])
    assert right(logits, label).tolist() == [1.0, 0.0, 1.0]
    assert exact(torch.tensor([[2.0, -1, 3], [2, 1, -3], [1, -1, -1]]), torch.tensor([[1, 0, 1]] * 3)).tolist() == [
        1,
        0,
        0,
    ]

    class Brightness:
        def classify(self, images: torch.Tensor) -> torch.Tensor:
            bright = images.mean((1, 2, 3))
            return torch.stack([-bright, bright], 1)

    images = np.zeros((4, 1, 2, 2), np.uint8)
    images[2:] = 255
    assert accuracy(Brightness(), images, np.array([[1, 0], [0, 1], [0, 1], [0, 1]], np.uint8), range(4)) == 0.75


def test_varied_pictures_stay_pictures_and_vary() -> None:
    module = systems.load("classifier")
    system = module.System(module.PRESETS["mnist"])
    image = torch.full((64, 1, 28, 28), -1.0)
    image[:, :, 10:18, 10:18] = 1
    torch.manual_seed(0)
    varied = system._varied(image)
    assert bool((varied.abs() <= 1 + 1e-6).all())
    # the square's area stays within what stretching allows, and its centre within what shifting allows
    light = (varied + 1) / 2
    assert float(light.sum((1, 2, 3)).min()) > 64 * 0.8 and float(light.sum((1, 2, 3)).max()) < 64 * 1.25
    centre = (light.sum((1, 2)) * torch.arange(28)).sum(1) / light.sum((1, 2, 3)) - 13.5
    assert 1 < float(centre.abs().max()) < 28 * 0.07 + 0.5


@pytest.mark.parametrize(
    "words, sentence",
    [
        (("train", "geneva", "--preset", "tiny"), "holds pictures, and geneva is trained on dialogues"),
        (("train", "classifier", "--batch-turns", "8"), "--batch-turns 8: pictures have no turns; give --batch-size"),
        (("train", "classifier", "--batch-size", "65"), "64 pictures, too few for a batch of 65"),
        (("train", "classifier", "--config.widths", "8", "8", "8", "8", "8"), "5 halvings need at least 32 pixels"),
    ],
)
def test_bad_input_gets_one_sentence(
    words: tuple[str, ...], sentence: str, bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--data", str(bars), "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert sentence in said and "Traceback" not in said and said.count("\n") == 1


def test_weights_are_not_measured_on_other_pictures(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    colour = make_pictures(tmp_path / "colour.telldraw", channels=3)
    assert main(["evaluate", str(run), "--data", str(colour)]) == 2
    assert (
        "has pictures in colour, classifier-tiny was trained on pictures in grey; take a set in grey"
        in capsys.readouterr().err
    )


def test_a_classifier_does_not_generate(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", str(run), "--out", str(tmp_path / "x.png")]) == 2
    assert "holds classifier, which does not generate pictures" in capsys.readouterr().err


def test_of_several_classes_all_count(tmp_path: Path) -> None:
    data = make_pictures(tmp_path / "many.telldraw", many=True)
    assert main(command(data, tmp_path / "run", examples=480)) == 0
    assert main(["evaluate", str(tmp_path / "run"), "--data", str(data)]) == 0
    figures = json.loads((tmp_path / "run" / "evaluation-test" / "evaluation.json").read_text())["figures"]
    assert "of 16 true pictures all of whose classes" in figures["exact"]["what"]
    assert figures["exact"]["value"] <= figures["accuracy"]["value"]


def test_several_classes_have_a_table_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = make_pictures(tmp_path / "many.telldraw", many=True)
    assert main(command(data, tmp_path / "run", examples=480)) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run"), "--data", str(data), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)  # nothing else is printed there
    heads, *rows = report["tables"]["each class"]
    assert heads == ["class", "there", "accuracy", "balanced", "F1"]
    assert [row[0] for row in rows] == ["left", "middle", "right"]
    mean = sum(float(row[2]) for row in rows) / 300
    assert report["figures"]["class_accuracy"]["value"] == pytest.approx(mean, abs=1e-3)
    assert main(["evaluate", str(tmp_path / "run"), "--data", str(data)]) == 0
    assert "CLASS   THERE" in capsys.readouterr().out
